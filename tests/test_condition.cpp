// SPDX-License-Identifier: MIT
#include <atomic>

#include "waits.h"

using test::nothing_leaks;

namespace {

// What children are given.
struct given {
  test::condition condition;
  test::lock lock;
  test::value waiting;  // how many have begun to wait; counted under the lock
  test::value back;

  bool take() {
    return test::take(condition, "condition") && test::take(lock, "lock") && test::take(waiting, "waiting") &&
           test::take(back, "back");
  }
};

// The same in the parent.
struct meeting {
  test::condition condition = test::make_condition();
  test::lock lock = test::make_lock();
  test::value waiting = test::make_value(KITH_I64);
  test::value back = test::make_value(KITH_I64);

  test::process start(kith_entry entry) const {
    return test::start(entry,
                       {{"condition", condition}, {"lock", lock}, {"waiting", waiting}, {"back", back}});
  }

  // Waits until so many wait. They count themselves under the lock and release it by waiting: when the lock is free, they wait.
  void await_waiters(int64_t count) const {
    CHECK(test::reaches(waiting, count));
    CHECK_OK(kith_lock_acquire(lock, test::generous));
    CHECK_OK(kith_lock_release(lock));
  }

  void notify(uint32_t count) const { CHECK_OK(kith_condition_notify(condition, count)); }
};

// KITH_OK: notified, with the lock held again.
kith_status wait_once(kith_condition* condition, kith_lock* lock, kith_value* waiting, kith_value* back) {
  if (const kith_status status = kith_lock_acquire(lock, test::generous); status != KITH_OK) return status;
  test::count_up(waiting);
  const kith_status status = kith_condition_wait(condition, lock, KITH_FOREVER);
  if (status >= KITH_OK) test::count_up(back);
  if (const kith_status released = kith_lock_release(lock); released != KITH_OK) return released;
  return status;
}

int32_t wait_for_one_notification(const void*, size_t) {
  given from_parent;
  CHILD_NEEDS(from_parent.take());
  return wait_once(from_parent.condition, from_parent.lock, from_parent.waiting, from_parent.back);
}

int32_t notify_then_die_with_the_lock(const void*, size_t) {
  given from_parent;
  CHILD_NEEDS(from_parent.take());
  CHILD_NEEDS(test::reaches(from_parent.waiting, 1));
  CHILD_NEEDS(kith_lock_acquire(from_parent.lock, test::generous) == KITH_OK);
  CHILD_NEEDS(kith_condition_notify(from_parent.condition, 1) == KITH_OK);
  test::end_at_once(0);
}

void kill(test::process& child) {
  REQUIRE_OK(kith_process_kill(child));
  CHECK_EXIT(child, KITH_EXIT_KILLED, 9);
}

// One more waiter, in this process, until it is joined.
std::thread waiter_in(const meeting& here) {
  return std::thread([&here] { CHECK_OK(wait_once(here.condition, here.lock, here.waiting, here.back)); });
}

// ---- two processes that take turns -------------------------------------------------------------------------------------------------

// Sanitizers and Wine do fewer.
int turns() { return test::repetitions(100'000); }

// Each waits for its turn and gives it to the other. Were one wake-up lost, both would wait.
bool take_turns(kith_condition* condition, kith_lock* lock, volatile int64_t* turn, int64_t mine) {
  for (int i = 0; i < turns(); ++i) {
    if (kith_lock_acquire(lock, test::generous) != KITH_OK) return false;
    while (*turn != mine) {
      if (kith_condition_wait(condition, lock, test::generous) != KITH_OK) return false;
    }
    *turn = 1 - mine;
    if (kith_condition_notify(condition, 1) != KITH_OK) return false;
    if (kith_lock_release(lock) != KITH_OK) return false;
  }
  return true;
}

volatile int64_t* number_of(kith_value* value) {
  return static_cast<volatile int64_t*>(kith_value_data(value));
}

int32_t take_turns_with_lock_of_value(const void*, size_t) {
  test::condition condition;
  test::value turn;
  CHILD_NEEDS(test::take(condition, "condition") && test::take(turn, "turn"));
  CHILD_NEEDS(take_turns(condition, kith_value_lock(turn), number_of(turn), 1));
  return 0;
}

int32_t fill_array(const void*, size_t) {
  test::condition condition;
  test::array numbers;
  CHILD_NEEDS(test::take(condition, "condition") && test::take(numbers, "numbers"));
  kith_lock* const lock = kith_array_lock(numbers);
  auto* const number = static_cast<volatile int64_t*>(kith_array_data(numbers));
  CHILD_NEEDS(kith_lock_acquire(lock, test::generous) == KITH_OK);
  while (number[0] == 0) CHILD_NEEDS(kith_condition_wait(condition, lock, test::generous) == KITH_OK);
  number[1] = number[0] * 2;
  CHILD_NEEDS(kith_condition_notify_all(condition) == KITH_OK);
  CHILD_NEEDS(kith_lock_release(lock) == KITH_OK);
  return 0;
}

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks, "many notifications between two processes, and no wake-up is lost") {
  test::condition condition = test::make_condition();
  test::value turn = test::make_value(KITH_I64);
  test::process child =
      test::start(take_turns_with_lock_of_value, {{"condition", condition}, {"turn", turn}});
  CHECK(take_turns(condition, kith_value_lock(turn), number_of(turn), 0));
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "many notifications between two threads, and no wake-up is lost") {
  test::condition condition = test::make_condition();
  test::lock lock = test::make_lock();
  int64_t turn = 0;
  test::in_threads(2, [&](int i) { CHECK(take_turns(condition, lock, &turn, i)); });
}

TEST_CASE_FIXTURE(nothing_leaks, "a process waits with the lock of an array") {
  test::condition condition = test::make_condition();
  test::array numbers = test::make_array(KITH_I64, 2);
  test::process child = test::start(fill_array, {{"condition", condition}, {"numbers", numbers}});
  kith_lock* const lock = kith_array_lock(numbers);
  auto* const number = static_cast<volatile int64_t*>(kith_array_data(numbers));
  REQUIRE_OK(kith_lock_acquire(lock, test::generous));
  number[0] = 21;
  CHECK_OK(kith_condition_notify(condition, 1));
  while (number[1] == 0) REQUIRE_OK(kith_condition_wait(condition, lock, test::generous));
  CHECK(number[1] == 42);
  CHECK_OK(kith_lock_release(lock));
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "exactly as many are notified as was asked for") {
  constexpr int threads = 8;
  meeting here;
  test::cancel rest = test::make_cancel();
  std::atomic<int> notified = 0;
  std::atomic<int> cancelled = 0;
  std::thread waiters([&] {
    test::in_threads(threads, [&](int) {
      CHECK_OK(kith_cancel_use(rest));
      const kith_status status = wait_once(here.condition, here.lock, here.waiting, here.back);
      notified += status == KITH_OK;
      cancelled += status == KITH_E_CANCELLED;
    });
  });
  here.await_waiters(threads);
  here.notify(0);
  here.notify(2);
  CHECK(test::becomes_true([&] { return notified >= 2; }));
  CHECK_OK(kith_lock_acquire(here.lock, test::generous));
  here.notify(3);
  CHECK_OK(kith_lock_release(here.lock));
  CHECK(test::becomes_true([&] { return notified >= 5; }));
  CHECK_OK(kith_cancel_fire(rest));
  waiters.join();
  CHECK(notified == 5);
  CHECK(cancelled == threads - 5);
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "one notification each brings back processes, all the rest come back together") {
  meeting here;
  std::vector<test::process> children;
  for (int i = 0; i < 4; ++i) children.push_back(here.start(wait_for_one_notification));
  here.await_waiters(4);
  for (int i = 1; i <= 2; ++i) {
    here.notify(1);
    CHECK(test::reaches(here.back, i));
    CHECK(test::count_in(here.back) == i);
  }
  CHECK_OK(kith_condition_notify_all(here.condition));
  for (test::process& child : children) CHECK_EXIT(child, KITH_EXIT_CODE, 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "a notification that nobody waits for is forgotten") {
  meeting here;
  here.notify(1);
  here.notify(UINT32_MAX);
  CHECK_OK(kith_condition_notify_all(here.condition));
  REQUIRE_OK(kith_lock_acquire(here.lock, 0));
  CHECK_STATUS(kith_condition_wait(here.condition, here.lock, 20), KITH_E_TIMEOUT);
  CHECK_STATUS(kith_condition_wait(here.condition, here.lock, 0), KITH_E_TIMEOUT);
  CHECK_OK(kith_lock_release(here.lock));
}

TEST_CASE_FIXTURE(nothing_leaks, "the lock is held again after a timeout, by the thread that waited") {
  meeting here;
  REQUIRE_OK(kith_lock_acquire(here.lock, 0));
  CHECK_STATUS(kith_condition_wait(here.condition, here.lock, 20), KITH_E_TIMEOUT);
  test::in_threads(1, [&](int) {
    CHECK_STATUS(kith_lock_acquire(here.lock, 0), KITH_E_TIMEOUT);
    CHECK_STATUS(kith_condition_wait(here.condition, here.lock, 0), KITH_E_NOT_OWNER);
  });
  CHECK_STATUS(kith_lock_acquire(here.lock, 0), KITH_E_DEADLOCK);
  CHECK_OK(kith_lock_release(here.lock));
  CHECK_STATUS(kith_lock_release(here.lock), KITH_E_NOT_OWNER);
}

TEST_CASE_FIXTURE(nothing_leaks, "the lock is waited for after the timeout, for as long as it takes") {
  meeting here;
  std::atomic<bool> back = false;
  std::thread waiter([&] {
    CHECK_OK(kith_lock_acquire(here.lock, 0));
    test::count_up(here.waiting);
    CHECK_STATUS(kith_condition_wait(here.condition, here.lock, 1), KITH_E_TIMEOUT);
    back = true;
    CHECK_OK(kith_lock_release(here.lock));
  });
  CHECK(test::reaches(here.waiting, 1));
  const kith_status status = kith_lock_acquire(here.lock, test::generous);
  CHECK_OK(status);
  if (!back) {
    test::let_it_sleep();
    CHECK_FALSE(back);
  }
  CHECK_OK(kith_lock_release(here.lock));
  waiter.join();
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "a recursive lock is released wholly for the wait, and held as often again") {
  for (const bool of_array : {false, true}) {
    CAPTURE(of_array);
    test::lock own = test::make_lock(KITH_LOCK_RECURSIVE);
    test::array array;
    auto options = test::defaults<kith_array_options>();
    options.flags = KITH_LOCK_RECURSIVE;
    REQUIRE_OK(kith_array_create(KITH_I32, 1, &options, array.out()));
    kith_lock* const lock = of_array ? kith_array_lock(array) : own.get();
    test::condition condition = test::make_condition();
    for (int i = 0; i < 3; ++i) REQUIRE_OK(kith_lock_acquire(lock, 0));
    std::thread notifier([&] {
      // Had only by a wait that has released it.
      CHECK_OK(kith_lock_acquire(lock, test::generous));
      CHECK_OK(kith_condition_notify(condition, 1));
      CHECK_OK(kith_lock_release(lock));
    });
    CHECK_OK(kith_condition_wait(condition, lock, test::generous));
    notifier.join();
    test::in_threads(1, [&](int) { CHECK_STATUS(kith_lock_acquire(lock, 0), KITH_E_TIMEOUT); });
    CHECK_STATUS(kith_condition_wait(condition, lock, 1), KITH_E_TIMEOUT);
    for (int i = 0; i < 3; ++i) CHECK_OK(kith_lock_release(lock));
    CHECK_STATUS(kith_lock_release(lock), KITH_E_NOT_OWNER);
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "who comes back from a wait is told that a process died with the lock") {
  meeting here;
  REQUIRE_OK(kith_lock_acquire(here.lock, 0));
  test::process child = here.start(notify_then_die_with_the_lock);
  test::count_up(here.waiting);
  CHECK_STATUS(kith_condition_wait(here.condition, here.lock, KITH_FOREVER), KITH_OWNER_DIED);
  CHECK_OK(kith_lock_mark_consistent(here.lock));
  CHECK_OK(kith_lock_release(here.lock));
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "the notification of a waiter that was dead already goes to a live one") {
  meeting here;
  for (int round = 0; round < test::repetitions(20); ++round) {
    REQUIRE_OK(kith_value_exchange(here.waiting, 0, nullptr));
    test::process first = here.start(wait_for_one_notification);
    here.await_waiters(1);
    std::thread second = waiter_in(here);
    here.await_waiters(2);
    kill(first);
    here.notify(1);
    second.join();
  }
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "the notification of a waiter that is killed before it comes back goes to another one") {
  meeting here;
  for (int round = 0; round < test::repetitions(20); ++round) {
    REQUIRE_OK(kith_value_exchange(here.waiting, 0, nullptr));
    test::process first = here.start(wait_for_one_notification);
    here.await_waiters(1);
    test::process second = here.start(wait_for_one_notification);
    here.await_waiters(2);
    // Neither can come back: one of the two has the notification, and waits for the lock.
    REQUIRE_OK(kith_lock_acquire(here.lock, test::generous));
    here.notify(1);
    kill(round % 2 == 0 ? first : second);
    CHECK_OK(kith_lock_release(here.lock));
    CHECK_EXIT(round % 2 == 0 ? second : first, KITH_EXIT_CODE, 0);
  }
}

// glibc's pthread_cond_signal and pthread_cond_broadcast hang after a process was killed in pthread_cond_wait.
TEST_CASE_FIXTURE(nothing_leaks,
                  "a condition is notified after processes were killed while they waited, again and again") {
  meeting here;
  for (int round = 0; round < test::repetitions(100); ++round) {
    CAPTURE(round);
    REQUIRE_OK(kith_value_exchange(here.waiting, 0, nullptr));
    test::process one = here.start(wait_for_one_notification);
    test::process other = here.start(wait_for_one_notification);
    here.await_waiters(2);
    // It may have come back already: with the notification of one that was killed in the round before.
    REQUIRE_OK(kith_process_kill(one));
    test::end_of(one);
    // Perhaps while it is being notified, or when it has come back.
    std::thread killer([&] { CHECK_OK(kith_process_kill(other)); });
    const uint64_t began = test::now_ms();
    for (int i = 0; i < 20; ++i) {
      here.notify(1);
      CHECK_OK(kith_condition_notify_all(here.condition));
    }
    CHECK(test::now_ms() - began < 10'000);
    killer.join();
    test::end_of(other);
    // It may have died with the lock, when it came back.
    const kith_status status = kith_lock_acquire(here.lock, test::generous);
    CHECK((status == KITH_OK || status == KITH_OWNER_DIED));
    CHECK_OK(kith_lock_mark_consistent(here.lock));
    CHECK_OK(kith_lock_release(here.lock));

    std::thread survivor = waiter_in(here);
    here.await_waiters(3);
    here.notify(1);
    survivor.join();
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "to wait with a condition needs a lock, and one that the thread holds") {
  meeting here;
  CHECK_STATUS(kith_condition_create(nullptr, nullptr), KITH_E_INVALID);
  CHECK_STATUS(kith_condition_wait(here.condition, here.lock, 0), KITH_E_NOT_OWNER);
  CHECK_STATUS(kith_condition_wait(here.condition, nullptr, 0), KITH_E_INVALID);
  auto* const wrong = reinterpret_cast<kith_lock*>(here.condition.get());
  CHECK_STATUS(kith_condition_wait(here.condition, wrong, 0), KITH_E_MISMATCH);
  REQUIRE_OK(kith_lock_acquire(here.lock, 0));
  CHECK_STATUS(kith_condition_wait(here.condition, here.lock, -2), KITH_E_INVALID);
  CHECK_STATUS(kith_lock_acquire(here.lock, 0), KITH_E_DEADLOCK);  // nothing was done
  CHECK_OK(kith_lock_release(here.lock));
  kith_lock* const closed = here.lock;
  here.lock.close();
  CHECK_STATUS(kith_condition_wait(here.condition, closed, 0), KITH_E_INVALID);
}

TEST_CASE_FIXTURE(nothing_leaks, "a wait ends with the close of its lock, which it cannot have again") {
  test::condition condition = test::make_condition();
  test::lock lock = test::make_lock();
  std::atomic<bool> waits = false;
  std::thread waiter([&] {
    kith_lock* const handle = lock;
    CHECK_OK(kith_lock_acquire(handle, 0));
    waits = true;
    CHECK_STATUS(kith_condition_wait(condition, handle, KITH_FOREVER), KITH_E_CLOSED);
  });
  CHECK(test::becomes_true([&] { return waits.load(); }));
  REQUIRE_OK(kith_lock_acquire(lock, test::generous));
  CHECK_OK(kith_condition_notify(condition, 1));
  test::let_it_sleep();
  kith_lock_close(lock);
  waiter.join();
}
