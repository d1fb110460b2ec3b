// SPDX-License-Identifier: MIT
// Waiting for many things, as far as POSIX systems are special.
#include <pthread.h>
#include <time.h>

#include <atomic>

#include "../foreign.h"
#include "posix_support.h"

using test::item_of;
using test::nothing_leaks;
using test::wait_any;
using test::wait_items;

namespace {

int32_t answers_by_event(const void*, size_t) {
  test::queue queue;
  test::event event;
  CHILD_NEEDS(kith_queue_inherit("queue", queue.out()) == KITH_OK);
  CHILD_NEEDS(kith_event_inherit("event", event.out()) == KITH_OK);
  wait_items items{item_of(queue), item_of(event)};
  CHILD_NEEDS(wait_any(items, test::generous) == KITH_OK && items[0].ready == KITH_WAIT_READ);
  char item[8];
  size_t size = 0;
  CHILD_NEEDS(kith_queue_get(queue, item, sizeof item, &size, 0) == KITH_OK);
  return kith_event_set(event);
}

kith_queue* not_given = nullptr;

// The memory of a queue that it was not given is there; its bells are not, and rings go nowhere.
int32_t uses_what_it_was_not_given(const void*, size_t) {
  const size_t before = test::open_handles();
  CHILD_NEEDS(kith_queue_put(not_given, "x", 1, 0) == KITH_OK);
  wait_items items{item_of(not_given)};
  CHILD_NEEDS(wait_any(items, test::generous) == KITH_OK);
  int64_t handle = 0;
  CHILD_NEEDS(kith_queue_poll_handle(not_given, &handle) == KITH_E_UNSUPPORTED);
  CHILD_NEEDS(kith_poll_arm(not_given, 0) == KITH_E_MISMATCH);
  CHILD_NEEDS(test::open_handles() == before);
  return 0;
}

test::process fork_child(kith_entry entry, const test::shares& given) {
  kith_process_options options = test::run_entry(entry, given);
  options.start = KITH_START_FORK;
  test::process child;
  REQUIRE_OK(kith_process_spawn(&options, child.out()));
  return child;
}

uint64_t cpu_time_of_this_thread_ns() {
  timespec time{};
  REQUIRE(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time) == 0);
  return static_cast<uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(time.tv_nsec);
}

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks, "a forked child waits for many things, with what it was given") {
  for (int round = 0; round < 10; ++round) {
    test::queue queue = test::make_queue();
    test::event event = test::make_event();
    test::process child = fork_child(answers_by_event, {{"queue", queue}, {"event", event}});
    CHECK_OK(kith_queue_put(queue, "x", 1, 0));
    wait_items items{item_of(event)};
    CHECK_OK(wait_any(items, test::generous));
    CHECK_EXIT(child, KITH_EXIT_CODE, 0);
  }
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "a forked child has no handle of what it was not given, and looks by itself") {
  test::queue queue = test::make_queue();
  not_given = queue;
  CHECK_OK(kith_poll_arm(queue, 0));
  test::process child = fork_child(uses_what_it_was_not_given, {});
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
  wait_items items{item_of(queue)};
  CHECK_OK(wait_any(items, test::generous));
}

TEST_CASE_FIXTURE(nothing_leaks, "a signal ends a wait for many things of a thread that asked for that") {
#if defined(__SANITIZE_THREAD__)
  SKIP_CASE("the thread sanitizer keeps handlers back until a call that it knows");
#endif
  struct sigaction action {};
  action.sa_handler = [](int) {};
  REQUIRE(sigaction(SIGUSR1, &action, nullptr) == 0);
  test::event event = test::make_event();
  for (const bool asked : {true, false}) {
    std::atomic<bool> back = false;
    std::thread thread([&] {
      CHECK(kith_wait_interruptible(asked ? 1 : 0) == 0);
      wait_items items{item_of(event)};
      CHECK_STATUS(wait_any(items, asked ? test::generous : 100),
                   asked ? KITH_E_INTERRUPTED : KITH_E_TIMEOUT);
      CHECK(items[0].ready == 0);
      back = true;
    });
    const pthread_t target = thread.native_handle();
    // A signal that comes in the moment before the thread sleeps is not noticed: the next one is.
    CHECK(test::becomes_true([&] {
      if (!back) pthread_kill(target, SIGUSR1);
      std::this_thread::sleep_for(std::chrono::microseconds(300));
      return back.load();
    }));
    thread.join();
  }
  signal(SIGUSR1, SIG_DFL);
}

TEST_CASE_FIXTURE(nothing_leaks, "a descriptor that is not open cannot be waited for") {
  wait_items items{test::item_of_handle(100'000)};
  CHECK_STATUS(wait_any(items, test::generous), KITH_E_MISMATCH);
}

TEST_CASE_FIXTURE(nothing_leaks, "who waits for many things costs next to nothing while nothing comes") {
  test::event event = test::make_event();
  test::queue queue = test::make_queue();
  test::channel_pair pair = test::make_channel();
  wait_items items{item_of(event), item_of(queue), item_of(pair.a)};
  // Rings that nobody heard are still in the bells.
  CHECK_OK(kith_poll_arm(event, 0));
  CHECK_OK(kith_event_set(event));
  CHECK_OK(kith_event_clear(event));
  CHECK_OK(kith_poll_arm(queue, 0));
  CHECK_OK(kith_queue_put(queue, "x", 1, 0));
  char item[8];
  size_t size = 0;
  CHECK_OK(kith_queue_get(queue, item, sizeof item, &size, 0));
  const uint64_t began = cpu_time_of_this_thread_ns();
  CHECK_STATUS(wait_any(items, 2'000), KITH_E_TIMEOUT);
  const uint64_t used = cpu_time_of_this_thread_ns() - began;
  MESSAGE("used us: ", used / 1'000);
  CHECK(used < (test::sanitized ? 100'000'000 : 5'000'000));
}
