// SPDX-License-Identifier: MIT
// kith_uv: channels, queues, broadcasts, events and processes in a libuv loop.
#include <kith/kith_uv.h>

#include <optional>

#include "broadcasts.h"
#include "strangers.h"

namespace {

// A loop, with everything that its callbacks want to note. A watch's user is its desk.
struct desk {
  uv_loop_t loop;
  uv_timer_t alarm;  // ends a case that would hang
  kith_uv_watch* watch = nullptr;
  std::vector<std::string> messages;
  std::vector<kith_status> ends;
  std::vector<int> sent;  // requests, in the order they were told
  std::vector<kith_status> sent_statuses;
  int events = 0;
  int closed = 0;
  uint64_t pending_at_end = UINT64_MAX;
  size_t close_after = SIZE_MAX;  // so many messages
  kith_exit exit{};
  void* object = nullptr;
  int32_t object_kind = KITH_OBJECT_NONE;

  desk() {
    REQUIRE(uv_loop_init(&loop) == 0);
    REQUIRE(uv_timer_init(&loop, &alarm) == 0);
    alarm.data = this;
    uv_timer_start(
        &alarm, [](uv_timer_t* timer) { uv_stop(timer->loop); }, test::generous, 0);
    uv_unref(reinterpret_cast<uv_handle_t*>(&alarm));
  }
  ~desk() {
    uv_close(reinterpret_cast<uv_handle_t*>(&alarm), nullptr);
    uv_run(&loop, UV_RUN_DEFAULT);
    CHECK(uv_loop_close(&loop) == 0);
  }
  desk(const desk&) = delete;
  desk& operator=(const desk&) = delete;

  // Until no watch keeps the loop alive. False: it hung.
  bool run() { return uv_run(&loop, UV_RUN_DEFAULT) == 0; }

  kith_uv_options options() {
    kith_uv_options all = test::defaults<kith_uv_options>();
    all.user = this;
    return all;
  }
};

desk& desk_of(kith_uv_watch* watch) { return *static_cast<desk*>(kith_uv_user(watch)); }

void note_closed(kith_uv_watch* watch) { ++desk_of(watch).closed; }

void note_message(kith_uv_watch* watch, kith_status status, const kith_uv_message* message) {
  desk& here = desk_of(watch);
  if (status != KITH_OK) {
    here.ends.push_back(status);
    here.pending_at_end = kith_uv_pending(watch);
    return kith_uv_close(watch, note_closed);
  }
  here.messages.emplace_back(static_cast<const char*>(message->data), message->size);
  if (message->object != nullptr) here.object = message->object;
  if (message->object != nullptr) here.object_kind = message->kind;
  if (here.messages.size() == here.close_after) kith_uv_close(watch, note_closed);
}

void note_sent(kith_uv_watch* watch, kith_status status, void* request) {
  desk_of(watch).sent.push_back(static_cast<int>(reinterpret_cast<intptr_t>(request)));
  desk_of(watch).sent_statuses.push_back(status);
}

void* request_number(int number) { return reinterpret_cast<void*>(static_cast<intptr_t>(number)); }

kith_uv_watch* watch_channel(desk& here, kith_channel* channel) {
  const kith_uv_options options = here.options();
  REQUIRE_OK(kith_uv_channel(&here.loop, channel, &options, note_message, &here.watch));
  return here.watch;
}

void send_more_than_a_ring(test::channel_pair& ends) {
  desk here;
  watch_channel(here, ends.a);
  const std::vector<unsigned char> large = test::noise(200'000, 5);
  REQUIRE_OK(kith_uv_send(here.watch, large.data(), large.size(), note_sent, request_number(1)));
  REQUIRE_OK(kith_uv_send(here.watch, "after", 5, note_sent, request_number(2)));
  std::thread reader([&] {
    std::vector<unsigned char> got;
    CHECK_OK(test::receive(ends.b, got));
    CHECK(got == large);
    CHECK(test::hear(ends.b, "after"));
    ends.b.close();
  });
  CHECK(here.run());
  reader.join();
  CHECK(here.sent == std::vector<int>{1, 2});
}

// What libuv and Windows keep for the life of a process: a signal pipe, the threads of the pool, and those that wait for handles.
void warm_up_libuv() {
  static bool is_warm = false;
  for (int i = 0; i < 4 && !is_warm; ++i) {
    test::channel_pair ends = test::make_channel(4096);
    send_more_than_a_ring(ends);
  }
  is_warm = true;
}

struct nothing_leaks {
  nothing_leaks() {
    warm_up_libuv();
    leaks.emplace();
  }
  std::optional<test::nothing_leaks> leaks;
};

int32_t send_numbers(const void* argument, size_t) {
  test::channel line;
  CHILD_NEEDS(test::take(line, "line"));
  const int count = *static_cast<const int*>(argument);
  for (int i = 0; i < count; ++i) CHILD_NEEDS(test::tell(line, std::to_string(i)));
  return 0;
}

int32_t send_one_and_hang(const void*, size_t) {
  test::channel line;
  CHILD_NEEDS(test::take(line, "line"));
  CHILD_NEEDS(test::tell(line, "the last"));
  return test::heard(line) == "never" ? 0 : 1;
}

int32_t end_with_seven(const void*, size_t) { return 7; }

}  // namespace

TEST_CASE("a loop is told every message of another process in order, and then the end of the channel") {
  const nothing_leaks leaks;
  const int count = test::repetitions(2'000);
  test::channel_pair ends = test::make_channel(4096);
  const test::process child = test::start_with(send_numbers, {{"line", ends.b}}, count);
  desk here;
  watch_channel(here, ends.a);
  CHECK(here.run());
  REQUIRE(here.messages.size() == static_cast<size_t>(count));
  for (int i = 0; i < count; ++i) CHECK(here.messages[static_cast<size_t>(i)] == std::to_string(i));
  CHECK(here.ends == std::vector<kith_status>{KITH_E_CLOSED});
  CHECK(here.closed == 1);
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
}

TEST_CASE("a loop is told when the process at the other end was killed, after what it had sent") {
  const nothing_leaks leaks;
  test::channel_pair ends = test::make_channel();
  const test::process child = test::start(send_one_and_hang, {{"line", ends.b}});
  desk here;
  watch_channel(here, ends.a);
  while (here.messages.empty()) uv_run(&here.loop, UV_RUN_ONCE);
  REQUIRE_OK(kith_process_kill(child));
  CHECK(here.run());
  CHECK(here.messages == std::vector<std::string>{"the last"});
  CHECK(here.ends == std::vector<kith_status>{KITH_E_PEER_DIED});
  CHECK_EXIT(child, KITH_EXIT_KILLED, 9);
}

TEST_CASE("a loop's other handles have their turn while messages flood in") {
  test::channel_pair ends = test::make_channel(uint64_t{1} << 20);
  constexpr int count = 5'000, most = 16;
  for (int i = 0; i < count; ++i) REQUIRE(test::tell(ends.b, "x"));
  desk here;
  kith_uv_options options = here.options();
  options.most_per_turn = most;
  REQUIRE_OK(kith_uv_channel(&here.loop, ends.a, &options, note_message, &here.watch));
  size_t before = 0, largest = 0;
  while (here.messages.size() < count) {
    REQUIRE(uv_run(&here.loop, UV_RUN_NOWAIT) != 0);
    largest = std::max(largest, here.messages.size() - before);
    before = here.messages.size();
  }
  CHECK(largest <= 2 * most);  // once for the timer, once for the handle that is ready
  kith_uv_close(here.watch, note_closed);
  CHECK(here.run());
}

TEST_CASE("what a full channel has no room for is kept, sent in order, and told of once") {
  const nothing_leaks leaks;
  test::channel_pair ends = test::make_channel(4096);
  desk here;
  watch_channel(here, ends.a);
  const std::string text(500, 't');
  constexpr int count = 100;
  for (int i = 0; i < count; ++i)
    REQUIRE_OK(kith_uv_send(here.watch, text.data(), text.size(), note_sent, request_number(i)));
  CHECK(here.sent.size() < count);
  CHECK(kith_uv_pending(here.watch) == (count - here.sent.size()) * text.size());
  std::thread reader([&] {
    for (int i = 0; i < count; ++i) CHECK(test::heard(ends.b) == text);
    ends.b.close();
  });
  CHECK(here.run());
  reader.join();
  REQUIRE(here.sent.size() == count);
  for (int i = 0; i < count; ++i) CHECK(here.sent[static_cast<size_t>(i)] == i);
  CHECK(here.sent_statuses == std::vector<kith_status>(count, KITH_OK));
  CHECK(here.pending_at_end == 0);
}

TEST_CASE("who sends more than may be pending is told to wait") {
  test::channel_pair ends = test::make_channel(4096);
  desk here;
  kith_uv_options options = here.options();
  options.most_pending = 1'000;
  REQUIRE_OK(kith_uv_channel(&here.loop, ends.a, &options, note_message, &here.watch));
  const std::string text(400, 't');
  kith_status status = KITH_OK;
  for (int i = 0; i < 100 && status == KITH_OK; ++i)
    status = kith_uv_send(here.watch, text.data(), text.size(), note_sent, nullptr);
  CHECK_STATUS(status, KITH_E_BUSY);
  CHECK(kith_uv_pending(here.watch) <= 1'000);
  kith_uv_close(here.watch, note_closed);
  CHECK(here.run());
  CHECK(here.sent_statuses.back() == KITH_E_CLOSED);
}

TEST_CASE("a loop sends a message that is larger than the ring, and those after it in order") {
  const nothing_leaks leaks;
  test::channel_pair ends = test::make_channel(4096);
  send_more_than_a_ring(ends);
}

TEST_CASE("a watch that is closed while a thread sends its large message tells that it was not sent") {
  const nothing_leaks leaks;
  test::channel_pair ends = test::make_channel(4096);
  desk here;
  watch_channel(here, ends.a);
  const std::vector<unsigned char> large(200'000);
  REQUIRE_OK(kith_uv_send(here.watch, large.data(), large.size(), note_sent, request_number(1)));
  for (int i = 0; i < 20; ++i) uv_run(&here.loop, UV_RUN_NOWAIT);  // the thread has it now
  kith_uv_close(here.watch, note_closed);
  CHECK(here.run());
  CHECK(here.sent_statuses == std::vector<kith_status>{KITH_E_CLOSED});
  CHECK(here.closed == 1);
}

TEST_CASE("a watch may be closed in its callback, and tells nothing more") {
  const nothing_leaks leaks;
  test::channel_pair ends = test::make_channel();
  for (int i = 0; i < 10; ++i) REQUIRE(test::tell(ends.b, "x"));
  desk here;
  here.close_after = 3;
  watch_channel(here, ends.a);
  CHECK(here.run());
  CHECK(here.messages.size() == 3);
  CHECK(here.closed == 1);
  CHECK(test::hear(ends.a, "x"));  // the others are still there
}

TEST_CASE("a paused watch leaves messages where they are until it is resumed") {
  test::channel_pair ends = test::make_channel();
  desk here;
  watch_channel(here, ends.a);
  REQUIRE_OK(kith_uv_pause(here.watch));
  REQUIRE(test::tell(ends.b, "x"));
  CHECK(here.run());  // a paused watch does not keep the loop alive
  CHECK(here.messages.empty());
  REQUIRE_OK(kith_uv_resume(here.watch));
  while (here.messages.empty()) uv_run(&here.loop, UV_RUN_ONCE);
  CHECK(here.messages.size() == 1);
  kith_uv_close(here.watch, nullptr);
}

TEST_CASE("an object that comes with a message is handed to the callback") {
  const nothing_leaks leaks;
  test::channel_pair ends = test::make_channel();
  test::value number = test::make_value(KITH_I64);
  REQUIRE_OK(kith_channel_send_object(ends.b, number, "a number", 8, test::generous));
  ends.b.close();
  desk here;
  watch_channel(here, ends.a);
  CHECK(here.run());
  CHECK(here.messages == std::vector<std::string>{"a number"});
  REQUIRE(here.object_kind == KITH_OBJECT_VALUE);
  const test::value received(static_cast<kith_value*>(here.object));
  test::count_up(received);
  CHECK(test::count_in(number) == 1);
}

TEST_CASE("a loop takes the items of a queue, and is told when it is shut down") {
  const nothing_leaks leaks;
  test::queue items = test::make_queue();
  desk here;
  const kith_uv_options options = here.options();
  REQUIRE_OK(kith_uv_queue(&here.loop, items, &options, note_message, &here.watch));
  std::thread putter([&] {
    for (int i = 0; i < 500; ++i) CHECK_OK(kith_queue_put(items, "item", 4, test::generous));
    CHECK_OK(kith_queue_shutdown(items));
  });
  CHECK(here.run());
  putter.join();
  CHECK(here.messages.size() == 500);
  CHECK(here.ends == std::vector<kith_status>{KITH_E_CLOSED});
}

TEST_CASE("a loop is told each time an auto-reset event is set") {
  const nothing_leaks leaks;
  test::event bell = test::make_event(KITH_EVENT_AUTO_RESET);
  desk here;
  const kith_uv_options options = here.options();
  const auto note_event = [](kith_uv_watch* watch, kith_status status) {
    CHECK_OK(status);
    if (++desk_of(watch).events == 3) kith_uv_close(watch, note_closed);
  };
  REQUIRE_OK(kith_uv_event(&here.loop, bell, &options, note_event, &here.watch));
  for (int i = 1; i <= 3; ++i) {
    REQUIRE_OK(kith_event_set(bell));
    while (here.events < i) uv_run(&here.loop, UV_RUN_ONCE);
  }
  CHECK(here.run());
  CHECK(kith_event_is_set(bell) == 0);
}

TEST_CASE("a loop is told how a process ended") {
  const nothing_leaks leaks;
  const test::process child = test::start(end_with_seven);
  desk here;
  const kith_uv_options options = here.options();
  const auto note_exit = [](kith_uv_watch* watch, kith_status status, const kith_exit* how) {
    CHECK_OK(status);
    desk_of(watch).exit = *how;
    kith_uv_close(watch, note_closed);
  };
  REQUIRE_OK(kith_uv_process(&here.loop, child, &options, note_exit, &here.watch));
  CHECK(here.run());
  CHECK(here.exit.kind == KITH_EXIT_CODE);
  CHECK(here.exit.code == 7);
}

TEST_CASE("a loop accepts who connects to an endpoint") {
  const nothing_leaks leaks;
  const std::string name = test::unique_name("loop");
  test::endpoint place = test::listen(name);
  desk here;
  const kith_uv_options options = here.options();
  const auto note_caller = [](kith_uv_watch* watch, kith_status status, kith_channel* channel) {
    desk& desk = desk_of(watch);
    if (status != KITH_OK) {
      desk.ends.push_back(status);
      return kith_uv_close(watch, note_closed);
    }
    const test::channel line(channel);
    CHECK(test::tell(line, "welcome"));
    if (++desk.events == 3) kith_uv_close(watch, note_closed);
  };
  REQUIRE_OK(kith_uv_endpoint(&here.loop, place, &options, note_caller, &here.watch));
  std::thread others([&] {
    for (int i = 0; i < 3; ++i) {
      test::channel line;
      CHECK_OK(kith_connect(name.c_str(), nullptr, line.out(), test::generous));
      CHECK(test::hear(line, "welcome"));
    }
  });
  CHECK(here.run());
  others.join();
  CHECK(here.events == 3);
  CHECK(here.closed == 1);
  // One that is closed under the watch is told of.
  REQUIRE_OK(kith_uv_endpoint(&here.loop, place, &options, note_caller, &here.watch));
  place.close();
  CHECK(here.run());
  CHECK(here.ends.size() == 1);
}

TEST_CASE("a watch without reference does not keep the loop running") {
  test::channel_pair ends = test::make_channel();
  desk here;
  watch_channel(here, ends.a);
  REQUIRE_OK(kith_uv_unref(here.watch));
  CHECK(here.run());
  kith_uv_close(here.watch, nullptr);
}

TEST_CASE("an idle watch does not turn the loop") {
  test::channel_pair ends = test::make_channel();
  desk here;
  watch_channel(here, ends.a);
  uv_run(&here.loop, UV_RUN_NOWAIT);
  uv_run(&here.loop, UV_RUN_NOWAIT);
  const uint64_t began = test::now_ms();
  REQUIRE(uv_run(&here.loop, UV_RUN_ONCE) != 0);  // comes back when the watch looks by itself
  CHECK(test::now_ms() - began >= 100);
  kith_uv_close(here.watch, nullptr);
}

TEST_CASE("what kith_uv is given wrongly is refused") {
  test::channel_pair ends = test::make_channel();
  test::queue items = test::make_queue();
  desk here;
  kith_uv_watch* watch = test::untouched<kith_uv_watch>();
  kith_uv_options options = here.options();
  CHECK_STATUS(kith_uv_channel(nullptr, ends.a, &options, note_message, &watch), KITH_E_INVALID);
  CHECK_STATUS(kith_uv_channel(&here.loop, nullptr, &options, note_message, &watch), KITH_E_INVALID);
  CHECK_STATUS(kith_uv_channel(&here.loop, ends.a, &options, note_message, nullptr), KITH_E_INVALID);
  CHECK_STATUS(kith_uv_queue(&here.loop, items, &options, nullptr, &watch), KITH_E_INVALID);
  CHECK_STATUS(kith_uv_endpoint(&here.loop, nullptr, &options, nullptr, &watch), KITH_E_INVALID);
  options.flags = 1;
  CHECK_STATUS(kith_uv_channel(&here.loop, ends.a, &options, note_message, &watch), KITH_E_UNSUPPORTED);
  options = here.options();
  options.struct_size = 4;
  CHECK_STATUS(kith_uv_channel(&here.loop, ends.a, &options, note_message, &watch), KITH_E_INVALID);
  CHECK(watch == test::untouched<kith_uv_watch>());
  options = here.options();
  REQUIRE_OK(kith_uv_queue(&here.loop, items, &options, note_message, &watch));
  CHECK_STATUS(kith_uv_send(watch, "x", 1, nullptr, nullptr), KITH_E_MISMATCH);
  CHECK_STATUS(kith_uv_send(nullptr, "x", 1, nullptr, nullptr), KITH_E_INVALID);
  CHECK_STATUS(kith_uv_pause(nullptr), KITH_E_INVALID);
  CHECK_STATUS(kith_uv_resume(nullptr), KITH_E_INVALID);
  CHECK_STATUS(kith_uv_unref(nullptr), KITH_E_INVALID);
  CHECK(kith_uv_pending(nullptr) == 0);
  CHECK(kith_uv_user(nullptr) == nullptr);
  kith_uv_close(nullptr, nullptr);
  kith_uv_close(watch, nullptr);
  kith_uv_close(watch, nullptr);
  CHECK(here.run());
}

TEST_CASE_FIXTURE(nothing_leaks, "a loop reads a broadcast to its end") {
  struct notes {
    uint64_t got = 0, missed = 0;
    kith_status end = KITH_OK;
  } seen;
  const test::broadcast broadcast = test::make_broadcast(4096);
  const test::reader reader = test::subscribe(broadcast);
  uv_loop_t loop;
  REQUIRE(uv_loop_init(&loop) == 0);
  auto options = test::defaults<kith_uv_options>();
  options.user = &seen;
  const auto note = [](kith_uv_watch* watch, kith_status status, const kith_uv_message* message) {
    notes& to = *static_cast<notes*>(kith_uv_user(watch));
    if (message == nullptr) {
      to.end = status;
      return kith_uv_close(watch, nullptr);
    }
    ++to.got;
    to.missed += message->missed;
    CHECK(status == (message->missed == 0 ? KITH_OK : KITH_MISSED));
  };
  kith_uv_watch* watch = nullptr;
  CHECK_STATUS(kith_uv_reader(&loop, reader, &options, nullptr, &watch), KITH_E_INVALID);
  REQUIRE_OK(kith_uv_reader(&loop, reader, &options, note, &watch));
  std::thread other([&] {
    for (uint64_t i = 0; i < 500; ++i) CHECK_OK(test::publish(broadcast, {1, i}));
    test::let_it_sleep();
    for (uint64_t i = 0; i < 5; ++i) CHECK_OK(test::publish(broadcast, {1, i}));
    CHECK_OK(kith_broadcast_shutdown(broadcast));
  });
  uv_run(&loop, UV_RUN_DEFAULT);
  other.join();
  CHECK(uv_loop_close(&loop) == 0);
  CHECK(seen.got + seen.missed == 505);
  CHECK(seen.end == KITH_E_CLOSED);
}
