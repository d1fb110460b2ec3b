// SPDX-License-Identifier: MIT
#include <cstring>

#include "foreign.h"
#include "naming.h"

using test::create;
using test::either;
using test::generous;
using test::item_of;
using test::list_names;
using test::listed_name;
using test::named_kinds;
using test::named_object;
using test::naming;
using test::nothing_leaks;
using test::only_one;
using test::open_status;
using test::sorted;
using test::start_stranger;
using test::stranger;
using test::unique_name;
using test::visit_of;
using test::wait_any;
using test::wait_items;

namespace {

constexpr uint32_t open_only = KITH_NAME_OPEN;

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks, "what is persistent lives on without users until it is removed") {
  const std::string name = unique_name("persistent");
  for (const int32_t kind : named_kinds) {
    CAPTURE(kind);
    int32_t created = 0;
    named_object one;
    REQUIRE_OK(one.open(kind, naming(name, create | KITH_NAME_PERSISTENT), &created));
    one.close();
    listed_name listed = only_one(name);
    CHECK(listed.info.kind == kind);
    CHECK(listed.info.flags == KITH_NAME_PERSISTENT);
    CHECK(listed.info.stale == 0);
    CHECK(listed.users.empty());
    size_t removed = 0;
    CHECK_OK(kith_collect(&removed));
    CHECK_STATUS(open_status(kind, name, create), KITH_E_EXISTS);
    REQUIRE_OK(one.open(kind, naming(name, either), &created));
    CHECK(created == 0);
    one.close();
    CHECK_OK(kith_name_remove(kind, name.c_str()));
    CHECK(list_names(name).empty());
    CHECK_STATUS(open_status(kind, name, open_only), KITH_E_NOT_FOUND);
    CHECK_STATUS(kith_name_remove(kind, name.c_str()), KITH_E_NOT_FOUND);
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "what is persistent keeps what is in it") {
  const std::string name = unique_name("kept");
  const kith_naming make = naming(name, create | KITH_NAME_PERSISTENT), look = naming(name, open_only);
  test::memory memory;
  REQUIRE_OK(kith_memory_open_named(&make, 100'000, nullptr, memory.out(), nullptr));
  std::memset(kith_memory_data(memory), 'k', 100'000);
  memory.close();
  test::queue queue;
  REQUIRE_OK(kith_queue_open_named(&make, nullptr, queue.out(), nullptr));
  REQUIRE_OK(kith_queue_put(queue, "still here", 10, 0));
  queue.close();
  REQUIRE_OK(kith_memory_open_named(&look, 0, nullptr, memory.out(), nullptr));
  const std::string content(static_cast<const char*>(kith_memory_data(memory)), 100'000);
  CHECK(content == std::string(100'000, 'k'));
  REQUIRE_OK(kith_queue_open_named(&look, nullptr, queue.out(), nullptr));
  char item[16];
  size_t size = 0;
  REQUIRE_OK(kith_queue_get(queue, item, sizeof item, &size, 0));
  CHECK(std::string(item, size) == "still here");
  // Removed while it is used: it goes with its last user.
  CHECK_OK(kith_name_remove(KITH_OBJECT_MEMORY, name.c_str()));
  CHECK_OK(kith_name_remove(KITH_OBJECT_QUEUE, name.c_str()));
  test::queue until_then;
  CHECK_OK(kith_queue_open_named(&look, nullptr, until_then.out(), nullptr));
  until_then.close();
  CHECK(list_names(name).size() == 2);
  memory.close();
  queue.close();
  CHECK(list_names(name).empty());
}

TEST_CASE_FIXTURE(nothing_leaks, "an opener never owns: the creator may go first, or last, or be killed") {
  const std::string name = unique_name("owner");
  for (const bool creator_first : {true, false}) {
    named_object mine;
    if (!creator_first) REQUIRE_OK(mine.open(KITH_OBJECT_EVENT, naming(name, create)));
    stranger other = start_stranger(visit_of(name, KITH_OBJECT_EVENT, either));
    CHECK(test::heard(other.line) == "KITH_OK");
    if (creator_first) REQUIRE_OK(mine.open(KITH_OBJECT_EVENT, naming(name, open_only)));
    const std::vector<int64_t> both = sorted({test::own_id(), kith_process_id(other.process)});
    CHECK(sorted(only_one(name).users) == both);
    CHECK_OK(kith_process_kill(other.process));
    CHECK_EXIT(other.process, KITH_EXIT_KILLED, 9);
    CHECK(only_one(name).users == std::vector<int64_t>{test::own_id()});
    CHECK_OK(open_status(KITH_OBJECT_EVENT, name, open_only));
    mine.close();
    CHECK_STATUS(open_status(KITH_OBJECT_EVENT, name, open_only), KITH_E_NOT_FOUND);
  }
  CHECK(list_names(name).empty());
}

TEST_CASE_FIXTURE(nothing_leaks, "what a crash of all users leaves is seen by nobody, and collected") {
  const std::string name = unique_name("crash");
  for (const int32_t kind : named_kinds) {
    CAPTURE(kind);
    stranger one = start_stranger(visit_of(name, kind, create));
    CHECK(test::heard(one.line) == "KITH_OK");
    stranger two = start_stranger(visit_of(name, kind, open_only));
    CHECK(test::heard(two.line) == "KITH_OK");
    CHECK_OK(kith_process_kill(one.process));
    CHECK_OK(kith_process_kill(two.process));
    CHECK_EXIT(one.process, KITH_EXIT_KILLED, 9);
    CHECK_EXIT(two.process, KITH_EXIT_KILLED, 9);
    for (const listed_name& left : list_names(name)) {
      CHECK(left.info.stale == 1);
      CHECK(left.users.empty());
    }
    CHECK_STATUS(open_status(kind, name, open_only), KITH_E_NOT_FOUND);
    CHECK(list_names(name).empty());  // who looks for it removes it
  }
  stranger last = start_stranger(visit_of(name, KITH_OBJECT_QUEUE, create));
  CHECK(test::heard(last.line) == "KITH_OK");
  CHECK_OK(kith_process_kill(last.process));
  CHECK_EXIT(last.process, KITH_EXIT_KILLED, 9);
  const size_t left = list_names(name).size();
  size_t removed = 0;
  CHECK_OK(kith_collect(&removed));
  CHECK(removed >= left);
  CHECK(list_names(name).empty());
  CHECK_OK(kith_collect(nullptr));
}

TEST_CASE_FIXTURE(nothing_leaks, "who is given a named object is a user of it, too") {
  const std::string name = unique_name("given");
  struct gift {
    int32_t kind;
    char name[200];
  };
  const auto keeps = [](const void* argument, size_t) -> int32_t {
    const gift& given = *static_cast<const gift*>(argument);
    test::channel line;
    CHILD_NEEDS(test::take(line, "line"));
    named_object mine;
    CHILD_NEEDS(mine.inherit(given.kind, "gift") == KITH_OK);
    CHILD_NEEDS(test::tell(line, "mine"));
    CHILD_NEEDS(test::heard(line) == "alone");
    CHILD_NEEDS(open_status(given.kind, given.name, KITH_NAME_CREATE) == KITH_E_EXISTS);
    mine.close();
    CHILD_NEEDS(open_status(given.kind, given.name, KITH_NAME_OPEN) == KITH_E_NOT_FOUND);
    return 0;
  };
  for (const int32_t kind : named_kinds) {
    CAPTURE(kind);
    gift given{};
    given.kind = kind;
    std::snprintf(given.name, sizeof given.name, "%s", name.c_str());
    named_object mine;
    REQUIRE_OK(mine.open(kind, naming(name, create)));
    test::channel_pair ends = test::make_channel();
    const test::process child = test::start_with(keeps, {{"line", ends.b}, {"gift", mine.get()}}, given);
    CHECK(test::heard(ends.a) == "mine");
    CHECK(sorted(only_one(name).users) == sorted({test::own_id(), kith_process_id(child)}));
    mine.close();
    CHECK(only_one(name).users == std::vector<int64_t>{kith_process_id(child)});
    CHECK(test::tell(ends.a, "alone"));
    CHECK_EXIT(child, KITH_EXIT_CODE, 0);
    CHECK(list_names(name).empty());
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "a named object goes through a channel") {
  const std::string name = unique_name("sent");
  named_object mine;
  REQUIRE_OK(mine.open(KITH_OBJECT_EVENT, naming(name, create)));
  test::channel_pair ends = test::make_channel();
  REQUIRE_OK(kith_channel_send_object(ends.a, mine.get(), "x", 1, generous));
  mine.close();
  void* object = nullptr;
  int32_t kind = 0;
  char message[4];
  size_t size = 0;
  REQUIRE_OK(kith_channel_recv_object(ends.b, &object, &kind, message, sizeof message, &size, generous));
  REQUIRE(kind == KITH_OBJECT_EVENT);
  test::event came(static_cast<kith_event*>(object));
  test::event found;
  const kith_naming look = naming(name, open_only);
  REQUIRE_OK(kith_event_open_named(&look, nullptr, found.out(), nullptr));
  CHECK_OK(kith_event_set(came));
  CHECK_OK(kith_event_wait(found, generous));
  found.close();
  came.close();
  CHECK(list_names(name).empty());
}

TEST_CASE_FIXTURE(nothing_leaks, "named events, queues and broadcasts wake who waits for many") {
  const std::string name = unique_name("bells");
  const kith_naming wanted = naming(name, either);
  test::event event, other_event;
  test::queue queue, other_queue;
  test::broadcast broadcast, other_broadcast;
  REQUIRE_OK(kith_event_open_named(&wanted, nullptr, event.out(), nullptr));
  REQUIRE_OK(kith_event_open_named(&wanted, nullptr, other_event.out(), nullptr));
  REQUIRE_OK(kith_queue_open_named(&wanted, nullptr, queue.out(), nullptr));
  REQUIRE_OK(kith_queue_open_named(&wanted, nullptr, other_queue.out(), nullptr));
  REQUIRE_OK(kith_broadcast_open_named(&wanted, nullptr, broadcast.out(), nullptr));
  REQUIRE_OK(kith_broadcast_open_named(&wanted, nullptr, other_broadcast.out(), nullptr));
  test::owner<kith_reader, kith_reader_close> reader;
  REQUIRE_OK(kith_broadcast_subscribe(broadcast, 0, reader.out()));
  const auto wakes = [&](const void* object, auto act) {
    wait_items items{item_of(event), item_of(queue), item_of(reader)};
    std::thread acts(act);
    CHECK_OK(wait_any(items, generous));
    acts.join();
    for (const kith_wait_item& each : items) CHECK((each.ready != 0) == (each.object == object));
  };
  // Again and again: each time the bell was quieted before.
  for (int i = 0; i < test::repetitions(300); ++i) {
    wakes(event.get(), [&] { CHECK_OK(kith_event_set(other_event)); });
    CHECK_OK(kith_event_clear(event));
    wakes(queue.get(), [&] { CHECK_OK(kith_queue_put(other_queue, "item", 4, 0)); });
    char item[8];
    size_t size = 0;
    CHECK_OK(kith_queue_get(queue, item, sizeof item, &size, 0));
    wakes(reader.get(), [&] { CHECK_OK(kith_broadcast_publish(other_broadcast, "news", 4, generous)); });
    CHECK_OK(kith_reader_next(reader, item, sizeof item, &size, nullptr, 0));
  }
}

// Nobody quiets the bell of a broadcast: it must not become deaf when it is full.
TEST_CASE_FIXTURE(nothing_leaks, "the bell of a named broadcast rings however often it has rung") {
  const std::string name = unique_name("full bell");
  const kith_naming wanted = naming(name, either);
  test::broadcast broadcast;
  REQUIRE_OK(kith_broadcast_open_named(&wanted, nullptr, broadcast.out(), nullptr));
  test::owner<kith_reader, kith_reader_close> reader;
  REQUIRE_OK(kith_broadcast_subscribe(broadcast, 0, reader.out()));
  int64_t handle = 0;
  if (kith_reader_poll_handle(reader, &handle) == KITH_E_UNSUPPORTED)
    SKIP_CASE("readers have no handle here");
  for (int i = 0; i < 70'000 / 8; ++i) {
    char message[8];
    size_t size = 0;
    REQUIRE_OK(kith_poll_arm(reader, KITH_WAIT_READ));
    REQUIRE_OK(kith_broadcast_publish(broadcast, "news", 4, 0));
    REQUIRE(test::handle_is_ready(handle, static_cast<int>(generous)));
    REQUIRE_OK(kith_reader_next(reader, message, sizeof message, &size, nullptr, 0));
  }
}
