// SPDX-License-Identifier: MIT
// Recursive locks, and who holds a lock.
#include <uv.h>

#include <atomic>

#include "waits.h"

using test::nothing_leaks;

namespace {

constexpr int depth = 3;

// Acquires the recursive lock several times, and keeps it until it is killed or told to release it.
int32_t hold_recursively(const void*, size_t) {
  test::lock guard;
  test::channel line;
  CHILD_NEEDS(test::take(guard, "guard") && test::take(line, "line"));
  for (int i = 0; i < depth; ++i) CHILD_NEEDS(kith_lock_acquire(guard, test::generous) == KITH_OK);
  CHILD_NEEDS(test::tell(line, "held"));
  CHILD_NEEDS(test::hear(line, "release"));
  for (int i = 0; i < depth; ++i) CHILD_NEEDS(kith_lock_release(guard) == KITH_OK);
  return kith_lock_release(guard) == KITH_E_NOT_OWNER ? 0 : 98;
}

int32_t be_a_stranger(const void*, size_t) {
  test::lock guard;
  CHILD_NEEDS(test::take(guard, "guard"));
  CHILD_NEEDS(kith_lock_release(guard) == KITH_E_NOT_OWNER);
  CHILD_NEEDS(kith_lock_mark_consistent(guard) == KITH_E_NOT_OWNER);
  CHILD_NEEDS(kith_lock_acquire(guard, 0) == KITH_E_TIMEOUT);
  return 0;
}

int32_t be_a_stranger_to_an_array(const void*, size_t) {
  test::array numbers;
  CHILD_NEEDS(test::take(numbers, "numbers"));
  CHILD_NEEDS(kith_lock_release(kith_array_lock(numbers)) == KITH_E_NOT_OWNER);
  CHILD_NEEDS(kith_lock_acquire(kith_array_lock(numbers), 0) == KITH_E_TIMEOUT);
  return 0;
}

struct recursive_holder {
  test::lock lock = test::make_lock(KITH_LOCK_RECURSIVE);
  test::channel_pair line = test::make_channel();
  test::process process = test::start(hold_recursively, {{"guard", lock}, {"line", line.b}});

  recursive_holder() { REQUIRE(test::hear(line.a, "held")); }

  void kill() {
    REQUIRE_OK(kith_process_kill(process));
    CHECK_EXIT(process, KITH_EXIT_KILLED, 9);
  }

  kith_owner owner() {
    kith_owner seen{-77, -77, -77, -77};
    CHECK_OK(kith_lock_owner(lock, &seen));
    return seen;
  }
};

// Acquired `depth` times by this thread; nobody else gets it before it is released as often.
void check_recursion(kith_lock* lock) {
  for (int i = 0; i < depth; ++i) CHECK_OK(kith_lock_acquire(lock, i == 0 ? 0 : KITH_FOREVER));
  for (int i = 0; i < depth; ++i) {
    test::in_threads(1, [&](int) {
      CHECK_STATUS(kith_lock_acquire(lock, 0), KITH_E_TIMEOUT);
      CHECK_STATUS(kith_lock_release(lock), KITH_E_NOT_OWNER);
    });
    CHECK_OK(kith_lock_release(lock));
  }
  CHECK_STATUS(kith_lock_release(lock), KITH_E_NOT_OWNER);
  test::in_threads(1, [&](int) {
    CHECK_OK(kith_lock_acquire(lock, 0));
    CHECK_OK(kith_lock_release(lock));
  });
}

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks,
                  "a recursive lock is free when it was released as often as it was acquired") {
  check_recursion(test::make_lock(KITH_LOCK_RECURSIVE));

  auto array_options = test::defaults<kith_array_options>();
  array_options.flags = uint32_t{KITH_LOCK_RECURSIVE} | uint32_t{KITH_MEMORY_COMMIT};
  test::array array;
  REQUIRE_OK(kith_array_create(KITH_I32, 1, &array_options, array.out()));
  check_recursion(kith_array_lock(array));

  auto value_options = test::defaults<kith_value_options>();
  value_options.flags = KITH_LOCK_RECURSIVE;
  test::value value;
  REQUIRE_OK(kith_value_create(KITH_I64, nullptr, &value_options, value.out()));
  check_recursion(kith_value_lock(value));
}

TEST_CASE_FIXTURE(nothing_leaks, "a recursive lock is not released by a stranger") {
  test::lock lock = test::make_lock(KITH_LOCK_RECURSIVE);
  for (int i = 0; i < depth; ++i) REQUIRE_OK(kith_lock_acquire(lock, 0));
  test::process stranger = test::start(be_a_stranger, {{"guard", lock}});
  CHECK_EXIT(stranger, KITH_EXIT_CODE, 0);
  for (int i = 0; i < depth; ++i) CHECK_OK(kith_lock_release(lock));
  CHECK_STATUS(kith_lock_release(lock), KITH_E_NOT_OWNER);
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "a child sees that the lock of an array which it was given is recursive and taken") {
  auto options = test::defaults<kith_array_options>();
  options.flags = KITH_LOCK_RECURSIVE;
  test::array numbers;
  REQUIRE_OK(kith_array_create(KITH_I32, 1, &options, numbers.out()));
  REQUIRE_OK(kith_lock_acquire(kith_array_lock(numbers), 0));
  REQUIRE_OK(kith_lock_acquire(kith_array_lock(numbers), 0));
  test::process stranger = test::start(be_a_stranger_to_an_array, {{"numbers", numbers}});
  CHECK_EXIT(stranger, KITH_EXIT_CODE, 0);
  CHECK_OK(kith_lock_release(kith_array_lock(numbers)));
  CHECK_OK(kith_lock_release(kith_array_lock(numbers)));
}

TEST_CASE_FIXTURE(nothing_leaks, "a recursive lock is handed from process to process") {
  recursive_holder held;
  CHECK_STATUS(kith_lock_acquire(held.lock, 20), KITH_E_TIMEOUT);
  CHECK(test::tell(held.line.a, "release"));
  CHECK_OK(kith_lock_acquire(held.lock, test::generous));
  CHECK_OK(kith_lock_release(held.lock));
  CHECK_EXIT(held.process, KITH_EXIT_CODE, 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "how often a dead process held a recursive lock is forgotten") {
  recursive_holder held;
  held.kill();
  CHECK_STATUS(kith_lock_acquire(held.lock, test::generous), KITH_OWNER_DIED);
  CHECK_OK(kith_lock_mark_consistent(held.lock));
  CHECK_OK(kith_lock_acquire(held.lock, 0));
  CHECK_OK(kith_lock_release(held.lock));
  CHECK_OK(kith_lock_release(held.lock));
  CHECK_STATUS(kith_lock_release(held.lock), KITH_E_NOT_OWNER);
  CHECK(held.owner().pid == 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "a lock that nobody holds has no owner, and one that we hold has us") {
  test::lock lock = test::make_lock();
  kith_owner owner{-77, -77, -77, -77};
  CHECK_OK(kith_lock_owner(lock, &owner));
  CHECK(owner.pid == 0);
  CHECK(owner.held_ms == 0);
  CHECK(owner.reserved == 0);
  CHECK_OK(kith_lock_acquire(lock, 0));
  CHECK_OK(kith_lock_owner(lock, &owner));
  CHECK(owner.pid == uv_os_getpid());
  CHECK(owner.alive == 1);
  CHECK_OK(kith_lock_release(lock));
  CHECK_OK(kith_lock_owner(lock, &owner));
  CHECK(owner.pid == 0);
  CHECK_STATUS(kith_lock_owner(lock, nullptr), KITH_E_INVALID);
}

TEST_CASE_FIXTURE(nothing_leaks, "a timeout can be explained: who has the lock, and for how long") {
  recursive_holder held;
  const uint64_t began = test::now_ms();
  CHECK_STATUS(kith_lock_acquire(held.lock, 60), KITH_E_TIMEOUT);
  const kith_owner first = held.owner();
  CHECK(first.pid == kith_process_id(held.process));
  CHECK(first.alive == 1);
  // Watched is the owner from when the call goes to sleep: before, it spins, which takes as long as others keep the core for.
  CHECK(first.held_ms >= 30);
  CHECK(first.held_ms <= static_cast<int64_t>(test::now_ms() - began));
  CHECK_STATUS(kith_lock_acquire(held.lock, 30), KITH_E_TIMEOUT);
  CHECK(held.owner().held_ms >= first.held_ms + 29);
  held.kill();
  const kith_owner dead = held.owner();
  CHECK(dead.pid == first.pid);
  CHECK(dead.alive == 0);
  CHECK_STATUS(kith_lock_acquire(held.lock, test::generous), KITH_OWNER_DIED);
  CHECK(held.owner().pid == uv_os_getpid());
  CHECK_OK(kith_lock_release(held.lock));
}

TEST_CASE_FIXTURE(nothing_leaks, "the first question for the owner begins to watch it") {
  recursive_holder held;
  const int64_t at_first = held.owner().held_ms;
  CHECK(at_first < 20'000);
  test::let_it_sleep();
  CHECK(held.owner().held_ms >= at_first + 49);
  held.kill();
}

TEST_CASE_FIXTURE(nothing_leaks, "a new owner is not said to have held the lock since the last one did") {
  for (const bool dies : {false, true}) {
    CAPTURE(dies);
    recursive_holder held;
    CHECK_STATUS(kith_lock_acquire(held.lock, 300), KITH_E_TIMEOUT);
    CHECK(held.owner().held_ms >= 150);
    if (dies) held.kill();
    if (!dies) CHECK(test::tell(held.line.a, "release"));
    const uint64_t before = test::now_ms();
    CHECK_STATUS(kith_lock_acquire(held.lock, test::generous), dies ? KITH_OWNER_DIED : KITH_OK);
    CHECK(held.owner().held_ms <= static_cast<int64_t>(test::now_ms() - before) + 1);
    CHECK_OK(kith_lock_release(held.lock));
    if (!dies) CHECK_EXIT(held.process, KITH_EXIT_CODE, 0);
  }
}
