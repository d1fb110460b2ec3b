// SPDX-License-Identifier: MIT
#include <atomic>

#include "waits.h"

using test::nothing_leaks;

namespace {

constexpr uint32_t both_kinds[] = {0, KITH_EVENT_AUTO_RESET};

int32_t wait_for_the_event(const void*, size_t) {
  test::event event;
  test::channel line;
  CHILD_NEEDS(test::take(event, "event") && test::take(line, "line"));
  CHILD_NEEDS(test::tell(line, "waiting"));
  return kith_event_wait(event, KITH_FOREVER);
}

// Two processes hand plain numbers to and fro; only the events order them.
int32_t count_in_turn(const void*, size_t) {
  test::event mine;
  test::event yours;
  test::array numbers;
  CHILD_NEEDS(test::take(mine, "child") && test::take(yours, "parent") && test::take(numbers, "numbers"));
  auto* const number = static_cast<int64_t*>(kith_array_data(numbers));
  for (int i = 0; i < test::repetitions(20'000); ++i) {
    CHILD_NEEDS(kith_event_wait(mine, test::generous) == KITH_OK);
    number[8] = number[0] + 1;
    CHILD_NEEDS(kith_event_set(yours) == KITH_OK);
  }
  return 0;
}

// A child that says that it is about to wait.
struct waiting_child {
  test::channel_pair line = test::make_channel();
  test::process process;

  explicit waiting_child(kith_event* event)
      : process(test::start(wait_for_the_event, {{"event", event}, {"line", line.b}})) {
    REQUIRE(test::hear(line.a, "waiting"));
  }

  void kill() {
    REQUIRE_OK(kith_process_kill(process));
    CHECK_EXIT(process, KITH_EXIT_KILLED, 9);
  }
};

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks, "an event is as it was created, set or cleared") {
  for (const uint32_t flags : both_kinds) {
    test::event event = test::make_event(flags);
    test::event set = test::make_event(flags | KITH_EVENT_INITIALLY_SET);
    CHECK(kith_event_is_set(event) == 0);
    CHECK(kith_event_is_set(set) == 1);
    CHECK_STATUS(kith_event_wait(event, 0), KITH_E_TIMEOUT);
    CHECK_OK(kith_event_wait(set, 0));
    CHECK_OK(kith_event_set(event));
    CHECK(kith_event_is_set(event) == 1);
    CHECK_OK(kith_event_clear(event));
    CHECK_OK(kith_event_clear(event));
    CHECK(kith_event_is_set(event) == 0);
    CHECK_STATUS(kith_event_wait(event, 10), KITH_E_TIMEOUT);
  }
  CHECK_STATUS(kith_event_create(nullptr, nullptr), KITH_E_INVALID);
}

TEST_CASE_FIXTURE(nothing_leaks, "an event stays set for all that come, until it is cleared") {
  test::event event = test::make_event();
  CHECK_OK(kith_event_set(event));
  CHECK_OK(kith_event_set(event));
  for (int i = 0; i < 3; ++i) CHECK_OK(kith_event_wait(event, 0));
  test::in_threads(3, [&](int) { CHECK_OK(kith_event_wait(event, KITH_FOREVER)); });
  CHECK_OK(kith_event_clear(event));
  CHECK_STATUS(kith_event_wait(event, 0), KITH_E_TIMEOUT);
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "an event that resets itself lets one go for each set, and two sets are one") {
  test::event event = test::make_event(KITH_EVENT_AUTO_RESET);
  CHECK_OK(kith_event_set(event));
  CHECK_OK(kith_event_set(event));
  CHECK_OK(kith_event_wait(event, 0));
  CHECK(kith_event_is_set(event) == 0);
  CHECK_STATUS(kith_event_wait(event, 0), KITH_E_TIMEOUT);
}

TEST_CASE_FIXTURE(nothing_leaks, "a set lets all go that wait, in all processes") {
  test::event event = test::make_event();
  waiting_child one(event);
  waiting_child other(event);
  std::atomic<int> ready = 0;
  std::thread threads([&] {
    test::in_threads(3, [&](int) {
      ++ready;
      CHECK_OK(kith_event_wait(event, test::generous));
    });
  });
  CHECK(test::becomes_true([&] { return ready == 3; }));
  CHECK_OK(kith_event_set(event));
  threads.join();
  CHECK_EXIT(one.process, KITH_EXIT_CODE, 0);
  CHECK_EXIT(other.process, KITH_EXIT_CODE, 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "each set of an event that resets itself lets exactly one go") {
  constexpr int threads = 6;
  constexpr int sets = 4;
  test::event event = test::make_event(KITH_EVENT_AUTO_RESET);
  test::cancel rest = test::make_cancel();
  std::atomic<int> let_go = 0;
  std::atomic<int> cancelled = 0;
  std::thread waiters([&] {
    test::in_threads(threads, [&](int) {
      CHECK_OK(kith_cancel_use(rest));
      const kith_status status = kith_event_wait(event, KITH_FOREVER);
      let_go += status == KITH_OK;
      cancelled += status == KITH_E_CANCELLED;
    });
  });
  for (int i = 1; i <= sets; ++i) {
    CHECK_OK(kith_event_set(event));
    CHECK(test::becomes_true([&] { return let_go >= i; }));
    CHECK(kith_event_is_set(event) == 0);
  }
  CHECK_OK(kith_cancel_fire(rest));
  waiters.join();
  CHECK(let_go == sets);
  CHECK(cancelled == threads - sets);
}

TEST_CASE_FIXTURE(nothing_leaks, "who waits when an event is set comes back, though it is cleared at once") {
  constexpr int rounds = 8;
  int needed_another = 0;
  for (int round = 0; round < rounds; ++round) {
    test::event event = test::make_event();
    std::atomic<int> back = 0;
    std::atomic<int> ready = 0;
    std::thread waiters([&] {
      test::in_threads(2, [&](int) {
        ++ready;
        CHECK_OK(kith_event_wait(event, test::generous));
        ++back;
      });
    });
    CHECK(test::becomes_true([&] { return ready == 2; }));
    test::let_it_sleep();
    CHECK_OK(kith_event_set(event));
    CHECK_OK(kith_event_clear(event));
    // A thread that had not begun to wait, on a busy machine, may need another set.
    const uint64_t soon = test::now_ms() + 2'000;
    while (back < 2 && test::now_ms() < soon) std::this_thread::yield();
    if (back < 2) {
      ++needed_another;
      CHECK_OK(kith_event_set(event));
    }
    waiters.join();
  }
  CHECK(needed_another <= 1);
}

TEST_CASE_FIXTURE(nothing_leaks, "what was written before an event was set is seen by whom it lets go") {
  test::event mine = test::make_event(KITH_EVENT_AUTO_RESET);
  test::event yours = test::make_event(KITH_EVENT_AUTO_RESET);
  test::array numbers = test::make_array(KITH_I64, 16);  // the two numbers stand in cache lines of their own
  auto* const number = static_cast<int64_t*>(kith_array_data(numbers));
  test::process child =
      test::start(count_in_turn, {{"child", yours}, {"parent", mine}, {"numbers", numbers}});
  int failures = 0;
  for (int i = 0; i < test::repetitions(20'000); ++i) {
    number[0] = i * 7;
    failures += kith_event_set(yours) != KITH_OK;
    failures += kith_event_wait(mine, test::generous) != KITH_OK;
    failures += number[8] != i * 7 + 1;
  }
  CHECK(failures == 0);
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
}

// CPython's multiprocessing.Event hangs in set() after a process was killed in wait().
TEST_CASE_FIXTURE(nothing_leaks,
                  "an event is set after processes were killed while they waited, again and again") {
  for (const uint32_t flags : both_kinds) {
    test::event event = test::make_event(flags);
    for (int round = 0; round < test::repetitions(80); ++round) {
      waiting_child one(event);
      waiting_child other(event);
      one.kill();
      // The other one is killed while the event is being set, or when it has come back.
      std::thread killer([&] { CHECK_OK(kith_process_kill(other.process)); });
      const uint64_t began = test::now_ms();
      CHECK_OK(kith_event_set(event));
      CHECK(test::now_ms() - began < 10'000);
      killer.join();
      test::end_of(other.process);
      CHECK_OK(kith_event_clear(event));

      waiting_child survivor(event);
      CHECK_OK(kith_event_set(event));
      CHECK_EXIT(survivor.process, KITH_EXIT_CODE, 0);
      CHECK(kith_event_is_set(event) == (flags == 0 ? 1 : 0));
      CHECK_OK(kith_event_clear(event));
    }
  }
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "the signal goes to another one when a process was killed that waited for it") {
  test::event event = test::make_event(KITH_EVENT_AUTO_RESET);
  for (int round = 0; round < test::repetitions(40); ++round) {
    waiting_child first(event);
    waiting_child second(event);
    first.kill();
    CHECK_OK(kith_event_set(event));
    CHECK_EXIT(second.process, KITH_EXIT_CODE, 0);
    CHECK_STATUS(kith_event_wait(event, 0), KITH_E_TIMEOUT);
  }
}
