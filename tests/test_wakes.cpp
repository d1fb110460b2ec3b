// SPDX-License-Identifier: MIT
// Waits are sliced, so a wake that is forgotten costs only the rest of a slice: no other test would see it. Here most of the
// wakes must come sooner than slices would bring them.
#include <uv.h>

#include <chrono>
#include <functional>

#include "broadcasts.h"

using test::nothing_leaks;

namespace {

constexpr int trials = 8;
constexpr int sooner = 6;
constexpr uint64_t soon_ns =
    8'000'000;  // slices are 50 ms by then: one trial in six would be as soon by chance

// Whether the waiter, in a thread of its own, comes back soon after the event.
bool is_woken_in_time(int trial, const std::function<void()>& waiter, const std::function<void()>& event) {
  uint64_t woken_at = 0;
  std::thread thread([&] {
    waiter();
    woken_at = uv_hrtime();
  });
  // Not to let things settle: a waiter begins with short slices, and must have come to the long ones.
  std::this_thread::sleep_for(std::chrono::milliseconds(130 + trial * 7));
  const uint64_t happened_at = uv_hrtime();
  event();
  thread.join();
  return woken_at - happened_at < soon_ns;
}

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks, "a waiter is woken by a release, not by the end of its slice") {
  test::lock guard = test::make_lock();
  REQUIRE_OK(kith_lock_acquire(guard, 0));
  const auto waiter = [&] {
    CHECK_OK(kith_lock_acquire(guard, test::generous));
    CHECK_OK(kith_lock_release(guard));
  };
  int in_time = 0;
  for (int trial = 0; trial < trials; ++trial) {
    in_time += is_woken_in_time(trial, waiter, [&] { CHECK_OK(kith_lock_release(guard)); });
    REQUIRE_OK(kith_lock_acquire(guard, test::generous));
  }
  CHECK_OK(kith_lock_release(guard));
  CHECK(in_time >= sooner);
}

TEST_CASE_FIXTURE(nothing_leaks, "a receiver is woken by a message, not by the end of its slice") {
  test::channel_pair line = test::make_channel();
  const auto receiver = [&] { CHECK(test::hear(line.b, "wake up")); };
  int in_time = 0;
  for (int trial = 0; trial < trials; ++trial) {
    in_time += is_woken_in_time(trial, receiver, [&] { CHECK(test::tell(line.a, "wake up")); });
  }
  CHECK(in_time >= sooner);
}

TEST_CASE_FIXTURE(nothing_leaks, "a sender is woken by room, not by the end of its slice") {
  test::channel_pair line = test::make_channel(4096);
  const std::string large(3000, 'x');
  REQUIRE(test::tell(line.a, large));
  const auto sender = [&] { CHECK(test::tell(line.a, large)); };
  int in_time = 0;
  for (int trial = 0; trial < trials; ++trial) {
    in_time += is_woken_in_time(trial, sender, [&] { CHECK(test::hear(line.b, large)); });
  }
  CHECK(in_time >= sooner);
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "who waits for a permit is woken by a release, not by the end of its slice") {
  for (const bool signal : {false, true}) {
    CAPTURE(signal);
    test::semaphore permits = signal ? test::make_signal(0) : test::make_semaphore(1);
    if (!signal) REQUIRE_OK(kith_semaphore_acquire(permits, 0));
    const auto waiter = [&] { CHECK_OK(kith_semaphore_acquire(permits, test::generous)); };
    int in_time = 0;
    for (int trial = 0; trial < trials; ++trial) {
      in_time += is_woken_in_time(trial, waiter, [&] { CHECK_OK(kith_semaphore_release(permits)); });
    }
    CHECK(in_time >= sooner);
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "who waits for an event is woken by a set, not by the end of its slice") {
  test::event event = test::make_event(KITH_EVENT_AUTO_RESET);
  const auto waiter = [&] { CHECK_OK(kith_event_wait(event, test::generous)); };
  int in_time = 0;
  for (int trial = 0; trial < trials; ++trial) {
    in_time += is_woken_in_time(trial, waiter, [&] { CHECK_OK(kith_event_set(event)); });
  }
  CHECK(in_time >= sooner);
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "who waits with a condition is woken by a notification, not by the end of its slice") {
  test::condition condition = test::make_condition();
  test::lock guard = test::make_lock();
  const auto waiter = [&] {
    CHECK_OK(kith_lock_acquire(guard, test::generous));
    CHECK_OK(kith_condition_wait(condition, guard, test::generous));
    CHECK_OK(kith_lock_release(guard));
  };
  int in_time = 0;
  for (int trial = 0; trial < trials; ++trial) {
    in_time += is_woken_in_time(trial, waiter, [&] { CHECK_OK(kith_condition_notify(condition, 1)); });
  }
  CHECK(in_time >= sooner);
}

TEST_CASE_FIXTURE(nothing_leaks, "a reader is woken by a message, not by the end of its slice") {
  test::broadcast broadcast = test::make_broadcast();
  test::reader reader = test::subscribe(broadcast);
  char text[8];
  size_t size = 0;
  const auto waiter = [&] {
    CHECK_OK(kith_reader_next(reader, text, sizeof text, &size, nullptr, test::generous));
  };
  int in_time = 0;
  for (int trial = 0; trial < trials; ++trial) {
    in_time += is_woken_in_time(trial, waiter,
                                [&] { CHECK_OK(kith_broadcast_publish(broadcast, "wake up", 8, 0)); });
  }
  CHECK(in_time >= sooner);
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "a writer is woken by the last reader that makes room, not by the end of its slice") {
  for (const bool one_leaves : {false, true}) {
    CAPTURE(one_leaves);
    test::broadcast broadcast = test::make_broadcast(4096, KITH_BROADCAST_HOLD);
    int in_time = 0;
    for (int trial = 0; trial < trials; ++trial) {
      test::reader readers[3];
      for (test::reader& each : readers) each = test::subscribe(broadcast);
      uint64_t published = 0;
      while (test::publish(broadcast, {1, published}, 0) == KITH_OK) ++published;
      const auto read_all = [&](kith_reader* reader) {
        test::mark is{};
        uint64_t missed = 0;
        for (uint64_t i = 0; i < published; ++i) CHECK_OK(test::next(reader, is, missed));
      };
      const auto waiter = [&] { CHECK_OK(test::publish(broadcast, {1, published})); };
      // One has been there before the writer sleeps.
      read_all(readers[trial % 3]);
      in_time += is_woken_in_time(trial, waiter, [&] {
        read_all(readers[(trial + 1) % 3]);
        one_leaves ? readers[(trial + 2) % 3].close() : read_all(readers[(trial + 2) % 3]);
      });
    }
    CHECK(in_time >= sooner);
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "a party is woken by the last arrival, not by the end of its slice") {
  test::barrier barrier = test::make_barrier(2);
  const auto waiter = [&] { CHECK_OK(kith_barrier_wait(barrier, test::generous, nullptr)); };
  int in_time = 0;
  for (int trial = 0; trial < trials; ++trial) {
    in_time += is_woken_in_time(
        trial, waiter, [&] { CHECK_STATUS(kith_barrier_wait(barrier, test::generous, nullptr), KITH_LAST); });
  }
  CHECK(in_time >= sooner);
}

TEST_CASE_FIXTURE(nothing_leaks, "a cancel wakes, and does not wait for the end of a slice") {
#if defined(KITH_PORTABLE)
  SKIP_CASE("without a call of the OS to sleep on an address, a sleeper naps for its slice");
#else
  test::event clear = test::make_event();
  test::cancel cancel = test::make_cancel();
  const auto waiter = [&] {
    CHECK_OK(kith_cancel_use(cancel));
    CHECK_STATUS(kith_event_wait(clear, test::generous), KITH_E_CANCELLED);
  };
  int in_time = 0;
  for (int trial = 0; trial < trials; ++trial) {
    in_time += is_woken_in_time(trial, waiter, [&] { CHECK_OK(kith_cancel_fire(cancel)); });
    CHECK_OK(kith_cancel_reset(cancel));
  }
  CHECK(in_time >= sooner);
#endif
}

TEST_CASE_FIXTURE(nothing_leaks, "who waits for an item is woken by a put, not by the end of its slice") {
  test::queue queue = test::make_queue();
  size_t size = 0;
  const auto taker = [&] { CHECK_OK(kith_queue_get(queue, nullptr, 0, &size, test::generous)); };
  int in_time = 0;
  for (int trial = 0; trial < trials; ++trial) {
    in_time += is_woken_in_time(trial, taker, [&] { CHECK_OK(kith_queue_put(queue, nullptr, 0, 0)); });
  }
  CHECK(in_time >= sooner);
}

TEST_CASE_FIXTURE(nothing_leaks, "who waits for room is woken by a get, not by the end of its slice") {
  test::queue queue = test::make_queue(0, 0, 1);
  size_t size = 0;
  CHECK_OK(kith_queue_put(queue, nullptr, 0, 0));
  const auto putter = [&] { CHECK_OK(kith_queue_put(queue, nullptr, 0, test::generous)); };
  int in_time = 0;
  for (int trial = 0; trial < trials; ++trial) {
    in_time +=
        is_woken_in_time(trial, putter, [&] { CHECK_OK(kith_queue_get(queue, nullptr, 0, &size, 0)); });
  }
  CHECK(in_time >= sooner);
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "who waits for tasks is woken by the last one, not by the end of its slice") {
  test::queue queue = test::make_queue(0, KITH_QUEUE_TASKS);
  size_t size = 0;
  const auto joiner = [&] { CHECK_OK(kith_queue_join(queue, test::generous)); };
  int in_time = 0;
  for (int trial = 0; trial < trials; ++trial) {
    CHECK_OK(kith_queue_put(queue, nullptr, 0, 0));
    CHECK_OK(kith_queue_get(queue, nullptr, 0, &size, 0));
    in_time += is_woken_in_time(trial, joiner, [&] { CHECK_OK(kith_queue_task_done(queue)); });
  }
  CHECK(in_time >= sooner);
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "who waits for an item is woken by a shutdown, not by the end of its slice") {
  int in_time = 0;
  for (int trial = 0; trial < trials; ++trial) {
    test::queue queue = test::make_queue();
    size_t size = 0;
    const auto taker = [&] {
      CHECK_STATUS(kith_queue_get(queue, nullptr, 0, &size, KITH_FOREVER), KITH_E_CLOSED);
    };
    in_time += is_woken_in_time(trial, taker, [&] { CHECK_OK(kith_queue_shutdown(queue)); });
  }
  CHECK(in_time >= sooner);
}
