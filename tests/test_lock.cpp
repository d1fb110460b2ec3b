// SPDX-License-Identifier: MIT
#include <atomic>

#include "support.h"

using test::nothing_leaks;

namespace {

constexpr int processes = 4;
constexpr int increments = 20'000;

int64_t* number_in(const kith_value* value) { return static_cast<int64_t*>(kith_value_data(value)); }

// Adds without atomics: only the lock keeps the processes from losing an increment.
int32_t increment_under_lock(const void*, size_t) {
  test::lock guard;
  test::value count;
  CHILD_NEEDS(kith_lock_inherit("guard", guard.out()) == KITH_OK);
  CHILD_NEEDS(kith_value_inherit("count", count.out()) == KITH_OK);
  auto* number = static_cast<volatile int64_t*>(number_in(count));
  for (int i = 0; i < increments; ++i) {
    CHILD_NEEDS(kith_lock_acquire(guard, test::generous) == KITH_OK);
    *number = *number + 1;
    CHILD_NEEDS(kith_lock_release(guard) == KITH_OK);
  }
  return 0;
}

// Takes the lock, says so, and keeps it until it is told to go on or is killed.
int32_t hold(const void*, size_t) {
  test::lock guard;
  test::channel line;
  CHILD_NEEDS(kith_lock_inherit("guard", guard.out()) == KITH_OK);
  CHILD_NEEDS(kith_channel_inherit("line", line.out()) == KITH_OK);
  CHILD_NEEDS(kith_lock_acquire(guard, test::generous) == KITH_OK);
  CHILD_NEEDS(test::tell(line, "held"));
  CHILD_NEEDS(test::hear(line, "release"));
  CHILD_NEEDS(kith_lock_release(guard) == KITH_OK);
  CHILD_NEEDS(test::tell(line, "released"));
  return 0;
}

int32_t wait_for_the_lock(const void*, size_t) {
  test::lock guard;
  test::channel line;
  CHILD_NEEDS(kith_lock_inherit("guard", guard.out()) == KITH_OK);
  CHILD_NEEDS(kith_channel_inherit("line", line.out()) == KITH_OK);
  CHILD_NEEDS(test::tell(line, "waiting"));
  CHILD_NEEDS(kith_lock_acquire(guard, KITH_FOREVER) == KITH_OK);
  return kith_lock_release(guard);
}

int32_t release_as_a_stranger(const void*, size_t) {
  test::lock guard;
  CHILD_NEEDS(kith_lock_inherit("guard", guard.out()) == KITH_OK);
  CHILD_NEEDS(kith_lock_release(guard) == KITH_E_NOT_OWNER);
  CHILD_NEEDS(kith_lock_mark_consistent(guard) == KITH_E_NOT_OWNER);
  CHILD_NEEDS(kith_lock_acquire(guard, 0) == KITH_E_TIMEOUT);
  return 0;
}

int32_t return_with_the_lock(const void*, size_t) {
  test::lock guard;
  CHILD_NEEDS(kith_lock_inherit("guard", guard.out()) == KITH_OK);
  return kith_lock_acquire(guard, 0);
}

// A lock that a child holds until it is told otherwise.
struct held_lock {
  test::lock lock = test::make_lock();
  test::channel_pair line = test::make_channel();
  test::process owner = test::start(hold, {{"guard", lock}, {"line", line.b}});

  held_lock() { REQUIRE(test::hear(line.a, "held")); }

  void kill_owner() {
    REQUIRE_OK(kith_process_kill(owner));
    CHECK_EXIT(owner, KITH_EXIT_KILLED, 9);
  }
};

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks, "of four processes only one at a time has the lock") {
  test::lock guard = test::make_lock();
  test::value count = test::make_value(KITH_I64);
  std::vector<test::process> children;
  for (int i = 0; i < processes; ++i) {
    children.push_back(test::start(increment_under_lock, {{"guard", guard}, {"count", count}}));
  }
  for (test::process& child : children) CHECK_EXIT(child, KITH_EXIT_CODE, 0);
  CHECK(*number_in(count) == processes * increments);
}

TEST_CASE_FIXTURE(nothing_leaks, "of four threads only one at a time has the lock") {
  test::lock guard = test::make_lock();
  int64_t count = 0;
  std::atomic<int> failures = 0;
  test::in_threads(4, [&](int) {
    for (int i = 0; i < increments; ++i) {
      failures += kith_lock_acquire(guard, test::generous) != KITH_OK;
      ++count;
      failures += kith_lock_release(guard) != KITH_OK;
    }
  });
  CHECK(failures == 0);
  CHECK(count == 4 * increments);
}

TEST_CASE_FIXTURE(nothing_leaks, "the locks of arrays and values are locks like any other") {
  test::array array = test::make_array(KITH_I32, 1);
  test::value value = test::make_value(KITH_I32);
  for (kith_lock* lock : {kith_array_lock(array), kith_value_lock(value)}) {
    CHECK_OK(kith_lock_acquire(lock, 0));
    CHECK_STATUS(kith_lock_acquire(lock, 0), KITH_E_DEADLOCK);
    CHECK_OK(kith_lock_release(lock));
    kith_lock_close(lock);  // borrowed: still good
    CHECK_OK(kith_lock_acquire(lock, 0));
    CHECK_OK(kith_lock_release(lock));
  }
  CHECK(kith_array_lock(array) == kith_array_lock(array));
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "a lock that is held elsewhere is tried once, or waited for until the deadline") {
  held_lock held;
  CHECK_STATUS(kith_lock_acquire(held.lock, 0), KITH_E_TIMEOUT);
  const uint64_t began = test::now_ms();
  CHECK_STATUS(kith_lock_acquire(held.lock, 50), KITH_E_TIMEOUT);
  CHECK(test::now_ms() - began >= 49);  // both clocks are read to the millisecond
  CHECK(test::tell(held.line.a, "release"));
  CHECK_OK(kith_lock_acquire(held.lock, test::generous));
  CHECK_OK(kith_lock_release(held.lock));
  CHECK_EXIT(held.owner, KITH_EXIT_CODE, 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "a timeout never comes early") {
  held_lock held;
  for (const int64_t timeout : {1, 3, 10, 17, 60}) {
    const uint64_t began = test::now_ms();
    CHECK_STATUS(kith_lock_acquire(held.lock, timeout), KITH_E_TIMEOUT);
    CHECK(test::now_ms() - began + 1 >= static_cast<uint64_t>(timeout));
  }
  held.kill_owner();
}

TEST_CASE_FIXTURE(nothing_leaks, "a process that waits is woken by the release of another") {
  test::lock guard = test::make_lock();
  test::channel_pair line = test::make_channel();
  REQUIRE_OK(kith_lock_acquire(guard, 0));
  test::process waiter = test::start(wait_for_the_lock, {{"guard", guard}, {"line", line.b}});
  CHECK(test::hear(line.a, "waiting"));
  kith_exit end{};
  CHECK_STATUS(kith_process_wait(waiter, 50, &end), KITH_E_TIMEOUT);
  CHECK_OK(kith_lock_release(guard));
  CHECK_EXIT(waiter, KITH_EXIT_CODE, 0);
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "the death of an owner is told to the next one, who marks the data consistent") {
  held_lock held;
  held.kill_owner();
  CHECK_STATUS(kith_lock_acquire(held.lock, test::generous), KITH_OWNER_DIED);
  CHECK_STATUS(kith_lock_acquire(held.lock, 0), KITH_E_DEADLOCK);  // it is held
  CHECK_OK(kith_lock_mark_consistent(held.lock));
  CHECK_OK(kith_lock_release(held.lock));
  CHECK_OK(kith_lock_acquire(held.lock, 0));
  CHECK_OK(kith_lock_mark_consistent(held.lock));  // there is nothing to be marked
  CHECK_OK(kith_lock_release(held.lock));
}

TEST_CASE_FIXTURE(nothing_leaks, "a death is told again until somebody marks the data consistent") {
  held_lock held;
  held.kill_owner();
  for (int i = 0; i < 3; ++i) {
    CHECK_STATUS(kith_lock_acquire(held.lock, test::generous), KITH_OWNER_DIED);
    CHECK_OK(kith_lock_release(held.lock));
  }
  CHECK_STATUS(kith_lock_acquire(held.lock, 0), KITH_OWNER_DIED);
  CHECK_OK(kith_lock_mark_consistent(held.lock));
  CHECK_OK(kith_lock_release(held.lock));
  CHECK_OK(kith_lock_acquire(held.lock, 0));
  CHECK_OK(kith_lock_release(held.lock));
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "an owner that was killed does not make the lock busy for one who only tries") {
  held_lock held;
  held.kill_owner();
  const uint64_t end = test::now_ms() + test::generous;
  kith_status status = KITH_E_TIMEOUT;
  // Whether the owner lives is not asked at every try.
  while (status == KITH_E_TIMEOUT && test::now_ms() < end) status = kith_lock_acquire(held.lock, 0);
  CHECK_STATUS(status, KITH_OWNER_DIED);
  CHECK_OK(kith_lock_release(held.lock));
}

TEST_CASE_FIXTURE(nothing_leaks, "a dead owner that nobody has waited for is dead all the same") {
  held_lock held;
  REQUIRE_OK(kith_process_kill(held.owner));  // a zombie from now on, on POSIX
  CHECK_STATUS(kith_lock_acquire(held.lock, test::generous), KITH_OWNER_DIED);
  CHECK_OK(kith_lock_release(held.lock));
  CHECK_EXIT(held.owner, KITH_EXIT_KILLED, 9);
}

TEST_CASE_FIXTURE(nothing_leaks, "one who waits already is told when the owner dies") {
  held_lock held;
  std::atomic<bool> began = false;
  kith_status status = KITH_OK;
  uint64_t seconds = 0;
  std::thread waiter([&] {
    began = true;
    const uint64_t start = test::now_ms();
    status = kith_lock_acquire(held.lock, KITH_FOREVER);
    seconds = (test::now_ms() - start) / 1000;
    kith_lock_release(held.lock);
  });
  while (!began) std::this_thread::yield();
  held.kill_owner();
  waiter.join();
  CHECK_STATUS(status, KITH_OWNER_DIED);
  CHECK(seconds < 20);
}

TEST_CASE_FIXTURE(nothing_leaks, "a function that returns without releasing has died with the lock") {
  test::lock guard = test::make_lock();
  test::process child = test::start(return_with_the_lock, {{"guard", guard}});
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
  CHECK_STATUS(kith_lock_acquire(guard, test::generous), KITH_OWNER_DIED);
  CHECK_OK(kith_lock_release(guard));
}

TEST_CASE_FIXTURE(nothing_leaks, "the owner cannot acquire the lock again") {
  test::lock guard = test::make_lock();
  REQUIRE_OK(kith_lock_acquire(guard, 0));
  CHECK_STATUS(kith_lock_acquire(guard, 0), KITH_E_DEADLOCK);
  CHECK_STATUS(kith_lock_acquire(guard, 50), KITH_E_DEADLOCK);
  CHECK_STATUS(kith_lock_acquire(guard, KITH_FOREVER), KITH_E_DEADLOCK);
  CHECK_OK(kith_lock_release(guard));
}

TEST_CASE_FIXTURE(nothing_leaks, "a lock is not released by one who does not hold it") {
  test::lock guard = test::make_lock();
  CHECK_STATUS(kith_lock_release(guard), KITH_E_NOT_OWNER);
  CHECK_STATUS(kith_lock_mark_consistent(guard), KITH_E_NOT_OWNER);

  REQUIRE_OK(kith_lock_acquire(guard, 0));
  test::in_threads(1, [&](int) {
    CHECK_STATUS(kith_lock_release(guard), KITH_E_NOT_OWNER);
    CHECK_STATUS(kith_lock_mark_consistent(guard), KITH_E_NOT_OWNER);
    CHECK_STATUS(kith_lock_acquire(guard, 0), KITH_E_TIMEOUT);
  });
  test::process stranger = test::start(release_as_a_stranger, {{"guard", guard}});
  CHECK_EXIT(stranger, KITH_EXIT_CODE, 0);

  CHECK_OK(kith_lock_release(guard));  // nothing of that had an effect
  CHECK_STATUS(kith_lock_release(guard), KITH_E_NOT_OWNER);
}

TEST_CASE_FIXTURE(nothing_leaks, "a timeout that is no timeout is refused") {
  test::lock guard = test::make_lock();
  CHECK_STATUS(kith_lock_acquire(guard, -2), KITH_E_INVALID);
  CHECK_STATUS(kith_lock_acquire(guard, INT64_MIN), KITH_E_INVALID);
  CHECK_OK(kith_lock_acquire(guard, INT64_MAX));  // and it is not held yet
  CHECK_OK(kith_lock_release(guard));
}

TEST_CASE_FIXTURE(nothing_leaks, "of no lock there is nothing to be had") {
  CHECK_STATUS(kith_lock_create(nullptr, nullptr), KITH_E_INVALID);
  CHECK_STATUS(kith_lock_acquire(nullptr, 0), KITH_E_INVALID);
  CHECK_STATUS(kith_lock_release(nullptr), KITH_E_INVALID);
  CHECK_STATUS(kith_lock_mark_consistent(nullptr), KITH_E_INVALID);
  kith_lock_close(nullptr);
}
