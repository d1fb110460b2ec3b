// SPDX-License-Identifier: MIT
// Synchronisation objects and what only POSIX has: fork, suspended processes, zombies, processes without a main thread.
#include <pthread.h>

#include <atomic>

#include "posix_support.h"

using test::nothing_leaks;

namespace {

// What a forked child knows only because it is a copy.
struct handles_of_parent {
  kith_lock* lock;
  kith_semaphore* permits;
  kith_condition* condition;
  kith_event* event;
  kith_barrier* barrier;
} parent;

test::process fork_child(kith_entry entry, const test::shares& given = {}) {
  kith_process_options options = test::run_entry(entry, given);
  options.start = KITH_START_FORK;
  test::process child;
  REQUIRE_OK(kith_process_spawn(&options, child.out()));
  return child;
}

int32_t holds_nothing_of_its_parent(const void*, size_t) {
  CHILD_NEEDS(kith_lock_release(parent.lock) == KITH_E_NOT_OWNER);
  CHILD_NEEDS(kith_lock_mark_consistent(parent.lock) == KITH_E_NOT_OWNER);
  CHILD_NEEDS(kith_lock_acquire(parent.lock, 20) == KITH_E_TIMEOUT);
  CHILD_NEEDS(kith_condition_wait(parent.condition, parent.lock, 0) == KITH_E_NOT_OWNER);
  CHILD_NEEDS(kith_semaphore_release(parent.permits) == KITH_E_NOT_OWNER);
  CHILD_NEEDS(kith_semaphore_available(parent.permits) == 1);
  CHILD_NEEDS(kith_semaphore_acquire(parent.permits, 0) == KITH_OK);
  CHILD_NEEDS(kith_semaphore_acquire(parent.permits, 20) == KITH_E_TIMEOUT);
  CHILD_NEEDS(kith_semaphore_release(parent.permits) == KITH_OK);
  CHILD_NEEDS(kith_semaphore_release(parent.permits) == KITH_E_NOT_OWNER);
  return 0;
}

// By the handles that it has as a copy, and by those that it was given.
int32_t meets_its_parent(const void*, size_t) {
  test::event event;
  test::barrier barrier;
  test::semaphore permits;
  test::condition condition;
  CHILD_NEEDS(test::take(event, "event") && test::take(barrier, "barrier") &&
              test::take(permits, "permits") && test::take(condition, "condition"));
  CHILD_NEEDS(kith_event_wait(event, test::generous) == KITH_OK);
  CHILD_NEEDS(kith_event_is_set(parent.event) == 1);
  CHILD_NEEDS(kith_barrier_wait(parent.barrier, test::generous, nullptr) >= KITH_OK);
  CHILD_NEEDS(kith_barrier_wait(barrier, test::generous, nullptr) >= KITH_OK);
  CHILD_NEEDS(kith_condition_notify_all(condition) == KITH_OK);
  CHILD_NEEDS(kith_semaphore_acquire(permits, 0) == KITH_OK);
  CHILD_NEEDS(kith_semaphore_acquire(parent.permits, 0) == KITH_E_TIMEOUT);
  kith_barrier_close(parent.barrier);
  return 0;  // with the permit
}

// Holds the lock and a permit until it is told to release them.
int32_t holds_until_told(const void*, size_t) {
  test::lock guard;
  test::semaphore permits;
  test::channel line;
  CHILD_NEEDS(test::take(guard, "guard") && test::take(permits, "permits") && test::take(line, "line"));
  CHILD_NEEDS(kith_lock_acquire(guard, test::generous) == KITH_OK);
  CHILD_NEEDS(kith_semaphore_acquire(permits, test::generous) == KITH_OK);
  CHILD_NEEDS(test::tell(line, "held"));
  CHILD_NEEDS(test::hear(line, "release"));
  CHILD_NEEDS(kith_semaphore_release(permits) == KITH_OK);
  return kith_lock_release(guard);
}

int32_t holds_in_another_thread(const void*, size_t) {
  static const pthread_t main_thread = pthread_self();
  std::thread([] {
    if (!test::sanitized)
      pthread_join(main_thread, nullptr);  // the thread sanitizer thinks that it cannot be joined
    test::end_at_once(holds_until_told(nullptr, 0));
  }).detach();
  pthread_exit(nullptr);
}

int32_t comes_to_the_barrier(const void*, size_t) {
  test::barrier barrier;
  CHILD_NEEDS(test::take(barrier, "barrier"));
  return kith_barrier_wait(barrier, test::generous, nullptr) >= KITH_OK ? 0 : 98;
}

bool is_suspended(int64_t pid) {
  siginfo_t info{};
  return waitid(P_PID, static_cast<id_t>(pid), &info, WSTOPPED | WNOHANG | WNOWAIT) == 0 &&
         info.si_pid == pid;
}

void suspend(kith_process* process) {
  const int64_t pid = kith_process_id(process);
  REQUIRE(kill(static_cast<pid_t>(pid), SIGSTOP) == 0);
  CHECK(test::becomes_true([&] { return is_suspended(pid); }));
}

void resume(kith_process* process) {
  REQUIRE(kill(static_cast<pid_t>(kith_process_id(process)), SIGCONT) == 0);
}

// A child that holds a lock and the only permit.
struct holder {
  test::lock lock = test::make_lock();
  test::semaphore permits = test::make_semaphore(1);
  test::channel_pair line = test::make_channel();
  test::process process;

  explicit holder(kith_entry entry)
      : process(test::start(entry, {{"guard", lock}, {"permits", permits}, {"line", line.b}})) {
    REQUIRE(test::hear(line.a, "held"));
  }

  // Waits so long that a death would have been noticed many times.
  void check_alive() {
    CHECK_STATUS(kith_lock_acquire(lock, 150), KITH_E_TIMEOUT);
    CHECK_STATUS(kith_semaphore_acquire(permits, 150), KITH_E_TIMEOUT);
    CHECK_STATUS(kith_lock_acquire(lock, 0), KITH_E_TIMEOUT);
    CHECK_STATUS(kith_semaphore_acquire(permits, 0), KITH_E_TIMEOUT);
    kith_owner owner{};
    CHECK_OK(kith_lock_owner(lock, &owner));
    CHECK(owner.pid == kith_process_id(process));
    CHECK(owner.alive == 1);
  }

  void let_go() {
    CHECK(test::tell(line.a, "release"));
    CHECK_OK(kith_lock_acquire(lock, test::generous));
    CHECK_OK(kith_semaphore_acquire(permits, test::generous));
    CHECK_OK(kith_semaphore_release(permits));
    CHECK_OK(kith_lock_release(lock));
    CHECK_EXIT(process, KITH_EXIT_CODE, 0);
  }
};

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks, "a forked child holds neither its parent's locks nor its permits") {
  for (const uint32_t flags : {uint32_t{0}, uint32_t{KITH_LOCK_RECURSIVE}}) {
    test::lock lock = test::make_lock(flags);
    test::semaphore permits = test::make_semaphore(2);
    test::condition condition = test::make_condition();
    parent = {lock, permits, condition, nullptr, nullptr};
    REQUIRE_OK(kith_lock_acquire(lock, 0));
    if (flags != 0) REQUIRE_OK(kith_lock_acquire(lock, 0));
    REQUIRE_OK(kith_semaphore_acquire(permits, 0));
    test::process child = fork_child(holds_nothing_of_its_parent);
    CHECK_EXIT(child, KITH_EXIT_CODE, 0);
    CHECK_OK(kith_lock_release(lock));
    if (flags != 0) CHECK_OK(kith_lock_release(lock));
    CHECK_STATUS(kith_lock_release(lock), KITH_E_NOT_OWNER);
    CHECK_OK(kith_semaphore_release(permits));
    CHECK_STATUS(kith_semaphore_release(permits), KITH_E_NOT_OWNER);
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "a forked child shares what it was given and what it is a copy of") {
  test::lock lock = test::make_lock();
  test::semaphore permits = test::make_semaphore(1);
  test::condition condition = test::make_condition();
  test::event event = test::make_event();
  test::barrier barrier = test::make_barrier(2);
  parent = {lock, permits, condition, event, barrier};
  test::process child =
      fork_child(meets_its_parent,
                 {{"event", event}, {"barrier", barrier}, {"permits", permits}, {"condition", condition}});
  CHECK_OK(kith_event_set(event));
  CHECK(kith_barrier_wait(barrier, test::generous, nullptr) >= KITH_OK);
  CHECK(kith_barrier_wait(barrier, test::generous, nullptr) >= KITH_OK);
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
  CHECK_STATUS(kith_semaphore_acquire(permits, test::generous), KITH_OWNER_DIED);
  CHECK_OK(kith_semaphore_release(permits));
}

TEST_CASE_FIXTURE(nothing_leaks, "a holder that is suspended is not declared dead, and goes on") {
  holder held(holds_until_told);
  suspend(held.process);
  held.check_alive();
  resume(held.process);
  held.let_go();
}

TEST_CASE_FIXTURE(nothing_leaks, "a party that is suspended is waited for, and the barrier stays whole") {
  test::barrier barrier = test::make_barrier(3);
  test::process one = test::start(comes_to_the_barrier, {{"barrier", barrier}});
  CHECK(test::becomes_true([&] { return kith_barrier_waiting(barrier) == 1; }));
  suspend(one);
  kith_status status = KITH_E_OS;
  std::thread other([&] { status = kith_barrier_wait(barrier, test::generous, nullptr); });
  CHECK(test::becomes_true([&] { return kith_barrier_waiting(barrier) == 2; }));
  kith_exit end{};
  CHECK_STATUS(kith_process_wait(one, 150, &end), KITH_E_TIMEOUT);
  CHECK(kith_barrier_is_broken(barrier) == 0);
  CHECK_STATUS(kith_barrier_wait(barrier, test::generous, nullptr), KITH_LAST);
  other.join();
  CHECK_OK(status);
  resume(one);
  CHECK_EXIT(one, KITH_EXIT_CODE, 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "a holder whose main thread has ended is not dead") {
  holder held(holds_in_another_thread);
  held.check_alive();
  held.let_go();
}

TEST_CASE_FIXTURE(nothing_leaks, "a holder that is a zombie is dead") {
  holder held(holds_until_told);
  REQUIRE_OK(kith_process_kill(held.process));
  CHECK(test::becomes_true([&] { return test::is_ended_child(kith_process_id(held.process)); }));
  kith_owner owner{};
  CHECK_OK(kith_lock_owner(held.lock, &owner));
  CHECK(owner.pid == kith_process_id(held.process));
  CHECK(owner.alive == 0);
  CHECK_STATUS(kith_lock_acquire(held.lock, test::generous), KITH_OWNER_DIED);
  CHECK_STATUS(kith_semaphore_acquire(held.permits, test::generous), KITH_OWNER_DIED);
  CHECK(test::is_ended_child(kith_process_id(held.process)));  // as before
  CHECK_OK(kith_lock_release(held.lock));
  CHECK_OK(kith_semaphore_release(held.permits));
  CHECK_EXIT(held.process, KITH_EXIT_KILLED, 9);
}

TEST_CASE_FIXTURE(nothing_leaks, "a party that is a zombie is dead, until a reset") {
  test::barrier barrier = test::make_barrier(3);
  test::process zombie = test::start(comes_to_the_barrier, {{"barrier", barrier}});
  CHECK(test::becomes_true([&] { return kith_barrier_waiting(barrier) == 1; }));
  REQUIRE_OK(kith_process_kill(zombie));
  CHECK(test::becomes_true([&] { return test::is_ended_child(kith_process_id(zombie)); }));
  CHECK_STATUS(kith_barrier_wait(barrier, KITH_FOREVER, nullptr), KITH_E_BROKEN);
  CHECK(test::is_ended_child(kith_process_id(zombie)));  // as before
  CHECK_OK(kith_barrier_reset(barrier));
  CHECK_STATUS(kith_barrier_wait(barrier, 150, nullptr), KITH_E_TIMEOUT);
  CHECK_EXIT(zombie, KITH_EXIT_KILLED, 9);
}
