// SPDX-License-Identifier: MIT
#include <algorithm>
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
using test::open_status;
using test::unique_name;
using test::wait_any;
using test::wait_items;

namespace {

constexpr uint32_t open_only = KITH_NAME_OPEN;

// A child that opens what its argument names, adds one to the number in it, and says so; ends when it is told to.
struct visit {
  char name[200];
  int32_t kind;
  uint32_t flags;
};

visit visit_of(const std::string& name, int32_t kind, uint32_t flags) {
  visit out{};
  std::snprintf(out.name, sizeof out.name, "%s", name.c_str());
  out.kind = kind;
  out.flags = flags;
  return out;
}

int32_t opens_and_stays(const void* argument, size_t) {
  const visit& wish = *static_cast<const visit*>(argument);
  const std::string name = wish.name;
  test::channel line;
  CHILD_NEEDS(test::take(line, "line"));
  named_object opened;
  const kith_status status = opened.open(wish.kind, naming(name, wish.flags));
  CHILD_NEEDS(test::tell(line, kith_status_name(status)));
  (void)test::heard(line);
  return status == KITH_OK ? 0 : 7;
}

struct stranger {
  test::channel line;
  test::process process;
};

stranger start_stranger(const visit& wish) {
  test::channel_pair ends = test::make_channel();
  stranger out;
  out.process = test::start_with(opens_and_stays, {{"line", ends.b}}, wish);
  out.line = std::move(ends.a);
  return out;
}

std::vector<int64_t> sorted(std::vector<int64_t> ids) {
  std::sort(ids.begin(), ids.end());
  return ids;
}

listed_name only_one(const std::string& name) {
  const std::vector<listed_name> found = list_names(name);
  REQUIRE(found.size() == 1);
  return found[0];
}

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks, "an object of any kind is created, opened and gone with its last user") {
  const std::string name = unique_name("kinds");
  for (const int32_t kind : named_kinds) {
    CAPTURE(kind);
    int32_t created = -1;
    named_object first, second;
    CHECK_STATUS(first.open(kind, naming(name, open_only), &created), KITH_E_NOT_FOUND);
    CHECK(created == -1);
    REQUIRE_OK(first.open(kind, naming(name, create), &created));
    CHECK(created == 1);
    CHECK_STATUS(open_status(kind, name, create), KITH_E_EXISTS);
    REQUIRE_OK(second.open(kind, naming(name, open_only), &created));
    CHECK(created == 0);
    first.close();
    CHECK_OK(open_status(kind, name, either));
    second.close();
    CHECK_STATUS(open_status(kind, name, open_only), KITH_E_NOT_FOUND);
    REQUIRE_OK(first.open(kind, naming(name, either), &created));
    CHECK(created == 1);
  }
  CHECK(list_names(name).empty());
}

TEST_CASE_FIXTURE(nothing_leaks, "strangers meet at a named object") {
  const std::string name = unique_name("strangers");
  const kith_naming wanted = naming(name, either);
  test::value number;
  REQUIRE_OK(kith_value_open_named(&wanted, KITH_I64, nullptr, nullptr, number.out(), nullptr));
  static constexpr int32_t strangers = 4, turns = 200;
  const auto counts = [](const void* argument, size_t) -> int32_t {
    const std::string its_name = static_cast<const visit*>(argument)->name;
    const kith_naming same = naming(its_name, either);
    test::value mine;
    CHILD_NEEDS(kith_value_open_named(&same, KITH_I64, nullptr, nullptr, mine.out(), nullptr) == KITH_OK);
    for (int i = 0; i < turns; ++i) {
      kith_lock* const guard = kith_value_lock(mine);
      CHILD_NEEDS(kith_lock_acquire(guard, generous) == KITH_OK);
      int64_t* const at = static_cast<int64_t*>(kith_value_data(mine));
      *at += 1;
      CHILD_NEEDS(kith_lock_release(guard) == KITH_OK);
    }
    return 0;
  };
  const visit wish = visit_of(name, 0, 0);
  std::vector<test::process> all;
  for (int32_t i = 0; i < strangers; ++i) all.push_back(test::start_with(counts, {}, wish));
  for (test::process& each : all) CHECK_EXIT(each, KITH_EXIT_CODE, 0);
  CHECK(test::count_in(number) == strangers * turns);
}

TEST_CASE_FIXTURE(nothing_leaks, "who opens must want what is there, or whatever it is") {
  const std::string name = unique_name("sizes");
  kith_naming make = naming(name, create), look = naming(name, open_only), any = naming(name, either);
  {
    test::memory made, found;
    REQUIRE_OK(kith_memory_open_named(&make, 1000, nullptr, made.out(), nullptr));
    CHECK_STATUS(kith_memory_open_named(&look, 999, nullptr, found.out(), nullptr), KITH_E_MISMATCH);
    CHECK_STATUS(kith_memory_open_named(&any, 1001, nullptr, found.out(), nullptr), KITH_E_MISMATCH);
    REQUIRE_OK(kith_memory_open_named(&look, 0, nullptr, found.out(), nullptr));
    CHECK(kith_memory_size(found) == 1000);
  }
  {
    test::array made, found;
    auto of_structs = test::defaults<kith_array_options>();
    of_structs.element_size = 24;
    REQUIRE_OK(kith_array_open_named(&make, KITH_STRUCT, 10, &of_structs, made.out(), nullptr));
    CHECK_STATUS(kith_array_open_named(&look, KITH_I64, 30, nullptr, found.out(), nullptr), KITH_E_MISMATCH);
    CHECK_STATUS(kith_array_open_named(&look, KITH_STRUCT, 9, &of_structs, found.out(), nullptr), KITH_E_MISMATCH);
    CHECK_OK(kith_array_open_named(&look, KITH_STRUCT, 0, &of_structs, found.out(), nullptr));
    of_structs.element_size = 12;
    CHECK_STATUS(kith_array_open_named(&look, KITH_STRUCT, 20, &of_structs, found.out(), nullptr), KITH_E_MISMATCH);
    REQUIRE_OK(kith_array_open_named(&look, 0, 0, nullptr, found.out(), nullptr));
    CHECK(kith_array_count(found) == 10);
    CHECK(kith_array_element_size(found) == 24);
  }
  {
    test::value made, found;
    const int32_t begins_with = 5;
    REQUIRE_OK(kith_value_open_named(&make, KITH_I32, &begins_with, nullptr, made.out(), nullptr));
    CHECK_STATUS(kith_value_open_named(&look, KITH_U32, nullptr, nullptr, found.out(), nullptr), KITH_E_MISMATCH);
    const int32_t ignored = 6;
    REQUIRE_OK(kith_value_open_named(&any, KITH_I32, &ignored, nullptr, found.out(), nullptr));
    CHECK(*static_cast<int32_t*>(kith_value_data(found)) == 5);
    CHECK_OK(kith_value_open_named(&look, 0, nullptr, nullptr, found.out(), nullptr));
  }
  {
    test::semaphore made, found;
    auto signals = test::defaults<kith_semaphore_options>();
    signals.flags = KITH_SEMAPHORE_SIGNAL;
    REQUIRE_OK(kith_semaphore_open_named(&make, 3, nullptr, made.out(), nullptr));
    CHECK_STATUS(kith_semaphore_open_named(&look, 2, nullptr, found.out(), nullptr), KITH_E_MISMATCH);
    CHECK_STATUS(kith_semaphore_open_named(&look, 0, &signals, found.out(), nullptr), KITH_E_MISMATCH);
    REQUIRE_OK(kith_semaphore_open_named(&look, 0, nullptr, found.out(), nullptr));
    CHECK(kith_semaphore_available(found) == 3);
  }
  {
    test::barrier made, found;
    REQUIRE_OK(kith_barrier_open_named(&make, 3, nullptr, made.out(), nullptr));
    CHECK_STATUS(kith_barrier_open_named(&look, 4, nullptr, found.out(), nullptr), KITH_E_MISMATCH);
    REQUIRE_OK(kith_barrier_open_named(&look, 0, nullptr, found.out(), nullptr));
    CHECK(kith_barrier_parties(found) == 3);
  }
  {
    test::queue made, found;
    auto wanted = test::defaults<kith_queue_options>();
    wanted.capacity = 8192;
    REQUIRE_OK(kith_queue_open_named(&make, &wanted, made.out(), nullptr));
    CHECK_OK(kith_queue_open_named(&any, nullptr, found.out(), nullptr));
    CHECK_OK(kith_queue_open_named(&any, &wanted, found.out(), nullptr));
    wanted.capacity = 4096;
    CHECK_STATUS(kith_queue_open_named(&any, &wanted, found.out(), nullptr), KITH_E_MISMATCH);
    wanted.capacity = 0;
    CHECK_OK(kith_queue_open_named(&any, &wanted, found.out(), nullptr));
    wanted.flags = KITH_QUEUE_TASKS;
    CHECK_STATUS(kith_queue_open_named(&any, &wanted, found.out(), nullptr), KITH_E_MISMATCH);
  }
  {
    test::broadcast made, found;
    auto wanted = test::defaults<kith_broadcast_options>();
    wanted.flags = KITH_BROADCAST_HOLD;
    wanted.ring_size = 8192;
    wanted.most_readers = 3;
    REQUIRE_OK(kith_broadcast_open_named(&make, &wanted, made.out(), nullptr));
    CHECK_OK(kith_broadcast_open_named(&any, nullptr, found.out(), nullptr));
    CHECK_OK(kith_broadcast_open_named(&any, &wanted, found.out(), nullptr));
    wanted.most_readers = 4;
    CHECK_STATUS(kith_broadcast_open_named(&any, &wanted, found.out(), nullptr), KITH_E_MISMATCH);
    wanted.most_readers = 0;
    wanted.ring_size = 4096;
    CHECK_STATUS(kith_broadcast_open_named(&any, &wanted, found.out(), nullptr), KITH_E_MISMATCH);
    wanted = test::defaults<kith_broadcast_options>();
    CHECK_STATUS(kith_broadcast_open_named(&any, &wanted, found.out(), nullptr), KITH_E_MISMATCH);
  }
  CHECK(list_names(name).empty());
}

TEST_CASE_FIXTURE(nothing_leaks, "names of any length, and of any text") {
  std::vector<std::string> all{unique_name("a"), unique_name("b") + "/..\\: *?\"<>|%\n",
                               unique_name("\xE2\x82\xAC \xF0\x9F\x90\x99 \xD0\x9F")};
  for (const size_t size : {size_t{100}, size_t{255}, size_t{1000}, size_t{4095}, size_t{4096}}) {
    std::string name = unique_name("long");
    name.resize(size, 'n');
    all.push_back(name);
    name.back() = 'o';  // differs from the other in its last byte
    all.push_back(name);
  }
  std::vector<named_object> objects(all.size());
  for (size_t i = 0; i < all.size(); ++i) {
    int32_t created = 0;
    REQUIRE_OK(objects[i].open(KITH_OBJECT_LOCK, naming(all[i], either), &created));
    CHECK(created == 1);
  }
  for (size_t i = 0; i < all.size(); ++i) {
    CHECK_STATUS(open_status(KITH_OBJECT_LOCK, all[i], create), KITH_E_EXISTS);
    CHECK(only_one(all[i]).name == all[i]);
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "bad input is refused and makes nothing") {
  const std::string name = unique_name("bad");
  kith_memory* out = test::untouched<kith_memory>();
  int32_t created = -1;
  const auto attempt = [&](const kith_naming* wanted, size_t size = 64, const kith_memory_options* options = nullptr) {
    const kith_status status = kith_memory_open_named(wanted, size, options, &out, &created);
    CHECK(out == test::untouched<kith_memory>());
    CHECK(created == -1);
    return status;
  };
  CHECK_STATUS(attempt(nullptr), KITH_E_INVALID);
  for (const uint32_t flags :
       {uint32_t{0}, uint32_t{KITH_NAME_PERSISTENT}, open_only | KITH_NAME_PERSISTENT,
        open_only | KITH_NAME_OTHERS_READ, open_only | KITH_NAME_OTHERS_USE}) {
    const kith_naming wanted = naming(name, flags);
    CHECK_STATUS(attempt(&wanted), KITH_E_INVALID);
  }
  kith_naming wanted = naming(name, create | 0x8000);
  CHECK_STATUS(attempt(&wanted), KITH_E_UNSUPPORTED);
  wanted = naming(name, create);
  CHECK_STATUS(attempt(&wanted, 0), KITH_E_INVALID);
  CHECK_STATUS(attempt(&wanted, SIZE_MAX), KITH_E_TOO_LARGE);
  CHECK_STATUS(kith_memory_open_named(&wanted, 64, nullptr, nullptr, nullptr), KITH_E_INVALID);
  auto options = test::defaults<kith_memory_options>();
  options.flags = KITH_MEMORY_READ_ONLY_SHARE;
  CHECK_STATUS(attempt(&wanted, 64, &options), KITH_E_UNSUPPORTED);
  options.flags = KITH_MEMORY_COMMIT | KITH_MEMORY_LAZY;
  CHECK_STATUS(attempt(&wanted, 64, &options), KITH_E_INVALID);
  wanted.struct_size -= 1;
  CHECK_STATUS(attempt(&wanted), KITH_E_INVALID);
  const std::string too_long(4097, 'x');
  for (const char* bad : {static_cast<const char*>(nullptr), "", too_long.c_str()}) {
    wanted = naming(name, either);
    wanted.name = bad;
    CHECK_STATUS(attempt(&wanted), KITH_E_INVALID);
    CHECK_STATUS(kith_name_remove(KITH_OBJECT_MEMORY, bad), KITH_E_INVALID);
  }
  for (const char* bad : {"", "nobody at all", "-1", "*"}) {
    wanted = naming(name, open_only);
    wanted.user = bad;
    CHECK_STATUS(attempt(&wanted), KITH_E_INVALID);
  }
  named_object other;
  const kith_naming read_only = naming(name, create | KITH_NAME_OTHERS_READ);
  CHECK_STATUS(other.open(KITH_OBJECT_LOCK, read_only), KITH_E_INVALID);  // a lock that cannot be acquired
  for (const int32_t kind : {int32_t{KITH_OBJECT_NONE}, int32_t{KITH_OBJECT_PROCESS}, int32_t{KITH_OBJECT_ENDPOINT}, 99, -1})
    CHECK_STATUS(kith_name_remove(kind, name.c_str()), KITH_E_INVALID);
  CHECK_STATUS(kith_name_remove(KITH_OBJECT_MEMORY, name.c_str()), KITH_E_NOT_FOUND);
  CHECK(list_names(name).empty());
}

TEST_CASE_FIXTURE(nothing_leaks, "bad arguments of each kind are refused") {
  const std::string name = unique_name("bad kinds");
  const kith_naming make = naming(name, create), look = naming(name, open_only);
  test::array array;
  test::value value;
  test::semaphore semaphore;
  test::barrier barrier;
  CHECK_STATUS(kith_array_open_named(&make, KITH_I64, 0, nullptr, array.out(), nullptr), KITH_E_INVALID);
  CHECK_STATUS(kith_array_open_named(&make, 0, 4, nullptr, array.out(), nullptr), KITH_E_INVALID);
  CHECK_STATUS(kith_array_open_named(&look, 0, 4, nullptr, array.out(), nullptr), KITH_E_INVALID);
  CHECK_STATUS(kith_array_open_named(&make, KITH_STRUCT, 4, nullptr, array.out(), nullptr), KITH_E_INVALID);
  CHECK_STATUS(kith_array_open_named(&make, KITH_I64, SIZE_MAX / 4, nullptr, array.out(), nullptr), KITH_E_TOO_LARGE);
  CHECK_STATUS(kith_value_open_named(&make, 0, nullptr, nullptr, value.out(), nullptr), KITH_E_INVALID);
  CHECK_STATUS(kith_value_open_named(&make, 99, nullptr, nullptr, value.out(), nullptr), KITH_E_INVALID);
  CHECK_STATUS(kith_semaphore_open_named(&make, 0, nullptr, semaphore.out(), nullptr), KITH_E_INVALID);
  CHECK_STATUS(kith_semaphore_open_named(&look, 4097, nullptr, semaphore.out(), nullptr), KITH_E_INVALID);
  CHECK_STATUS(kith_barrier_open_named(&make, 0, nullptr, barrier.out(), nullptr), KITH_E_INVALID);
  CHECK_STATUS(kith_barrier_open_named(&look, 5000, nullptr, barrier.out(), nullptr), KITH_E_INVALID);
  auto queue_options = test::defaults<kith_queue_options>();
  queue_options.capacity = 5000;
  test::queue queue;
  CHECK_STATUS(kith_queue_open_named(&make, &queue_options, queue.out(), nullptr), KITH_E_INVALID);
  auto broadcast_options = test::defaults<kith_broadcast_options>();
  broadcast_options.ring_size = 5000;
  test::broadcast broadcast;
  CHECK_STATUS(kith_broadcast_open_named(&make, &broadcast_options, broadcast.out(), nullptr), KITH_E_INVALID);
  CHECK_STATUS(kith_lock_open_named(&make, nullptr, nullptr, nullptr), KITH_E_INVALID);
  CHECK_STATUS(kith_condition_open_named(&make, nullptr, nullptr, nullptr), KITH_E_INVALID);
  CHECK_STATUS(kith_event_open_named(&make, nullptr, nullptr, nullptr), KITH_E_INVALID);
  CHECK_STATUS(kith_queue_open_named(&make, nullptr, nullptr, nullptr), KITH_E_INVALID);
  CHECK_STATUS(kith_broadcast_open_named(&make, nullptr, nullptr, nullptr), KITH_E_INVALID);
  CHECK(list_names(name).empty());
}

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
  if (kith_reader_poll_handle(reader, &handle) == KITH_E_UNSUPPORTED) SKIP_CASE("readers have no handle here");
  for (int i = 0; i < 70'000 / 8; ++i) {
    char message[8];
    size_t size = 0;
    REQUIRE_OK(kith_poll_arm(reader, KITH_WAIT_READ));
    REQUIRE_OK(kith_broadcast_publish(broadcast, "news", 4, 0));
    REQUIRE(test::handle_is_ready(handle, static_cast<int>(generous)));
    REQUIRE_OK(kith_reader_next(reader, message, sizeof message, &size, nullptr, 0));
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "a list tells of each kind what there is to know") {
  const std::string name = unique_name("told");
  const kith_naming wanted = naming(name, create);
  test::array array;
  REQUIRE_OK(kith_array_open_named(&wanted, KITH_F32, 6, nullptr, array.out(), nullptr));
  REQUIRE_OK(kith_lock_acquire(kith_array_lock(array), 0));
  listed_name told = only_one(name);
  CHECK(told.info.kind == KITH_OBJECT_ARRAY);
  CHECK(told.info.type == KITH_F32);
  CHECK(told.info.size == 24);
  CHECK(told.info.element_size == 4);
  CHECK(told.info.owner_pid == test::own_id());
  CHECK(told.info.waiting == 0);
  CHECK(told.info.stale == 0);
  CHECK(told.info.flags == 0);
  std::thread waits([&] { CHECK_STATUS(kith_lock_acquire(kith_array_lock(array), 1500), KITH_E_TIMEOUT); });
  CHECK(test::becomes_true([&] {
    told = only_one(name);
    return told.info.waiting == 1 && told.info.owner_held_ms > 0;
  }));
  waits.join();
  CHECK_OK(kith_lock_release(kith_array_lock(array)));
  CHECK(only_one(name).info.owner_pid == 0);
  array.close();

  test::semaphore semaphore;
  REQUIRE_OK(kith_semaphore_open_named(&wanted, 3, nullptr, semaphore.out(), nullptr));
  REQUIRE_OK(kith_semaphore_acquire(semaphore, 0));
  told = only_one(name);
  CHECK(told.info.used == 1);
  CHECK(told.info.capacity == 3);
  semaphore.close();

  auto signals = test::defaults<kith_semaphore_options>();
  signals.flags = KITH_SEMAPHORE_SIGNAL;
  signals.maximum = 10;
  REQUIRE_OK(kith_semaphore_open_named(&wanted, 4, &signals, semaphore.out(), nullptr));
  told = only_one(name);
  CHECK(told.info.used == 4);
  CHECK(told.info.capacity == 10);
  semaphore.close();

  test::event event;
  REQUIRE_OK(kith_event_open_named(&wanted, nullptr, event.out(), nullptr));
  CHECK(only_one(name).info.used == 0);
  CHECK_OK(kith_event_set(event));
  CHECK(only_one(name).info.used == 1);
  event.close();

  test::queue queue;
  REQUIRE_OK(kith_queue_open_named(&wanted, nullptr, queue.out(), nullptr));
  CHECK_OK(kith_queue_put(queue, "item", 4, 0));
  told = only_one(name);
  CHECK(told.info.used >= 4);
  CHECK(told.info.capacity == 65536);
  queue.close();

  test::condition condition;
  REQUIRE_OK(kith_condition_open_named(&wanted, nullptr, condition.out(), nullptr));
  test::lock lock = test::make_lock();
  std::thread sleeps([&] {
    CHECK_OK(kith_lock_acquire(lock, generous));
    CHECK_OK(kith_condition_wait(condition, lock, generous));
    CHECK_OK(kith_lock_release(lock));
  });
  CHECK(test::becomes_true([&] { return only_one(name).info.waiting == 1; }));
  CHECK_OK(kith_condition_notify_all(condition));
  sleeps.join();
  CHECK(only_one(name).info.waiting == 0);
  condition.close();

  test::barrier barrier;
  REQUIRE_OK(kith_barrier_open_named(&wanted, 2, nullptr, barrier.out(), nullptr));
  std::thread arrives([&] { CHECK(kith_barrier_wait(barrier, generous, nullptr) >= KITH_OK); });
  CHECK(test::becomes_true([&] { return only_one(name).info.waiting == 1; }));
  CHECK(only_one(name).info.capacity == 2);
  CHECK(kith_barrier_wait(barrier, generous, nullptr) >= KITH_OK);
  arrives.join();
  barrier.close();

  const test::endpoint place = test::listen(name);
  told = only_one(name);
  CHECK(told.info.kind == KITH_OBJECT_ENDPOINT);
  CHECK(told.users == std::vector<int64_t>{test::own_id()});
  CHECK(told.info.stale == 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "a list is a handle as all others") {
  const std::string name = unique_name("handle");
  named_object one;
  REQUIRE_OK(one.open(KITH_OBJECT_LOCK, naming(name, create)));
  kith_names* list = nullptr;
  CHECK_STATUS(kith_names_list(nullptr), KITH_E_INVALID);
  REQUIRE_OK(kith_names_list(&list));
  one.close();  // a snapshot minds nothing
  const size_t count = kith_names_count(list);
  REQUIRE(count >= 1);
  kith_name_info info = test::defaults<kith_name_info>();
  CHECK_OK(kith_names_at(list, count - 1, &info));
  CHECK_STATUS(kith_names_at(list, count, &info), KITH_E_NOT_FOUND);
  CHECK_STATUS(kith_names_at(list, 0, nullptr), KITH_E_INVALID);
  info.struct_size = 8;
  CHECK_STATUS(kith_names_at(list, 0, &info), KITH_E_INVALID);
  test::channel_pair ends = test::make_channel();
  CHECK_STATUS(kith_channel_send_object(ends.a, list, "", 0, 0), KITH_E_MISMATCH);
  kith_names_close(list);
  kith_names_close(list);
  kith_names_close(nullptr);
  CHECK(kith_names_count(list) == 0);
  CHECK(kith_names_count(nullptr) == 0);
  info = test::defaults<kith_name_info>();
  CHECK_STATUS(kith_names_at(list, 0, &info), KITH_E_INVALID);
}

TEST_CASE_FIXTURE(nothing_leaks, "one of many threads creates, and all use the same") {
  const std::string name = unique_name("threads");
  for (int round = 0; round < test::repetitions(50); ++round) {
    std::atomic<int> creators{0};
    test::in_threads(6, [&](int) {
      const kith_naming wanted = naming(name, either);
      int32_t created = 0;
      test::value mine;
      CHECK_OK(kith_value_open_named(&wanted, KITH_I64, nullptr, nullptr, mine.out(), &created));
      creators += created;
      CHECK_OK(kith_value_add(mine, 1, nullptr));
      // Until all have been here, it stays.
      CHECK(test::reaches(mine, 6));
    });
    CHECK(creators == 1);
  }
  CHECK(list_names(name).empty());
}

namespace {

// Opens and closes objects of some names, in no order, until it is told to end. Every list it sees meanwhile is true about itself.
int32_t comes_and_goes(const void* argument, size_t) {
  const std::string begin = static_cast<const visit*>(argument)->name;
  test::event end;
  CHILD_NEEDS(test::take(end, "end"));
  uint64_t random = static_cast<uint64_t>(test::own_id()) * 77 + 1;
  for (int i = 0; i < test::repetitions(40); ++i) {
    const std::string name = begin + " " + std::to_string(test::next_random(random) % 8);
    const int32_t kind = named_kinds[test::next_random(random) % 10];
    named_object opened;
    CHILD_NEEDS(opened.open(kind, naming(name, either)) == KITH_OK);
    if (i % 8 != 0) continue;
    bool seen = false;
    for (const listed_name& each : list_names(name)) {
      const bool is_user = std::find(each.users.begin(), each.users.end(), test::own_id()) != each.users.end();
      if (each.info.kind != kind || each.name != name) continue;
      CHILD_NEEDS(is_user);
      CHILD_NEEDS(each.info.stale == 0);
      seen = true;
    }
    CHILD_NEEDS(seen);
  }
  return kith_event_is_set(end) != 0 ? 1 : 0;
}

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks, "a list is true while 50 processes come and go") {
  const std::string name = unique_name("fifty");
  const test::event end = test::make_event();
  const visit wish = visit_of(name, 0, 0);
  std::vector<test::process> all;
  std::set<int64_t> ids;
  for (int i = 0; i < 50; ++i) {
    all.push_back(test::start_with(comes_and_goes, {{"end", end}}, wish));
    ids.insert(kith_process_id(all.back()));
  }
  bool are_running = true;
  while (are_running) {
    for (const listed_name& each : list_names(name)) {
      for (const int64_t user : each.users) CHECK(ids.count(user) == 1);
      CHECK(each.info.stale == 0);  // nobody is killed here
    }
    are_running = false;
    for (test::process& each : all) {
      kith_exit how{};
      if (kith_process_wait(each, 0, &how) == KITH_E_TIMEOUT) are_running = true;
    }
  }
  for (test::process& each : all) CHECK_EXIT(each, KITH_EXIT_CODE, 0);
  CHECK(list_names(name).empty());
}
