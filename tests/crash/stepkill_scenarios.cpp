// SPDX-License-Identifier: MIT
#include <signal.h>
#include <sys/wait.h>

#include <cstdio>

#include "stepkill.h"

namespace stepkill {

namespace {

using kith::deadline_after;
using kith::no_deadline;
using kith::platform::clock_now;

// ---- helper processes -------------------------------------------------------------------------------------------------------

// Holds the lock until it may release it.
void be_holder(world& w) {
  acquire(w, no_deadline);
  w.shared->holder_ready.store(1);
  await([&w] { return w.shared->holder_may_release.load() != 0; });
  release(w);
}

// Holds the lock until somebody waits for it, and then for a while. A victim that is not being stepped is asleep by then.
void be_yielding_holder(world& w, uint64_t for_ns) {
  acquire(w, no_deadline);
  w.shared->holder_ready.store(1);
  const auto must_release = [&w] { return w.shared->holder_may_release.load() != 0; };
  await([&] { return w.shared->lock.waiters.load() != 0 || must_release(); });
  const uint64_t until = clock_now() + for_ns;
  await([&] { return clock_now() >= until || must_release(); });
  release(w);
}

void be_waiter(world& w) {
  const kith_status status = acquire(w, no_deadline);
  w.shared->waiter_got_it_at.store(clock_now());
  w.shared->waiter_status.store(status);
  kith::shm::lock_mark_consistent(w.shared->lock);
  release(w);
  w.shared->waiter_done.store(1);
}

bool is_asleep(pid_t process) {
  char path[64], state = '?';
  std::snprintf(path, sizeof path, "/proc/%d/stat", process);
  std::FILE* file = std::fopen(path, "r");
  if (file == nullptr) return false;
  if (std::fscanf(file, "%*d %*s %c", &state) != 1) state = '?';
  std::fclose(file);
  return state == 'S';
}

// ---- before the operation ----------------------------------------------------------------------------------------------------

void start_holder(world& w, const std::function<void()>& role) {
  w.helpers.push_back(start_helper(role));
  await([&w] { return w.shared->holder_ready.load() != 0; });
}

void let_another_hold(world& w) {
  start_holder(w, [&w] { be_holder(w); });
}

// The release meets a waiter in its first slice of sleep.
void let_another_hold_for_a_moment(world& w) {
  start_holder(w, [&w] { be_yielding_holder(w, 3 * kith::ns_per_ms / 10); });
}

// The release meets a waiter in a later slice, after it has asked whether the owner lives.
void let_another_hold_for_long(world& w) {
  start_holder(w, [&w] { be_yielding_holder(w, 2 * kith::ns_per_ms); });
}

void let_an_owner_die(world& w) {
  let_another_hold(w);
  w.shared->dead_holder.store(w.shared->lock.word.load() & ~kith::shm::lock_died);
  end_helpers(w);
}

void let_an_owner_die_and_leave_it_so(world& w) {
  let_an_owner_die(w);
  acquire(w, no_deadline);
  release(w);
}

void hold(world& w) { acquire(w, no_deadline); }

void let_another_wait(world& w) {
  const pid_t waiter = start_helper([&w] { be_waiter(w); });
  w.helpers.push_back(waiter);
  await([&w] { return w.shared->lock.waiters.load() != 0; });
  await([waiter] { return is_asleep(waiter); });
}

// ---- operations: what the victim is killed in -----------------------------------------------------------------------------------

void lock_and_unlock(world& w) {
  acquire(w, no_deadline);
  release(w);
}

void unlock(world& w) { release(w); }

void try_to_lock(world& w) { acquire(w, {0}); }

void lock_with_deadline(world& w) { acquire(w, deadline_after(clock_now(), 2 * kith::ns_per_ms)); }

void lock_repair_and_unlock(world& w) {
  acquire(w, no_deadline);
  kith::shm::lock_mark_consistent(w.shared->lock);
  release(w);
}

// ---- afterwards: the next process takes the lock ----------------------------------------------------------------------------------

recovery take_it(world& w, uint64_t killed_at) {
  const kith_status status = acquire(w, deadline_after(killed_at, patience_ns));
  return {status, clock_now() - killed_at};
}

// The holder, if it still holds, releases while we sleep already, or are about to: its wake may go to the dead victim.
recovery take_it_from_the_holder(world& w, uint64_t) {
  w.shared->holder_may_release.store(1);
  return take_it(w, clock_now());
}

recovery let_the_waiter_have_it(world& w, uint64_t killed_at) {
  await([&] { return w.shared->waiter_done.load() != 0 || clock_now() > killed_at + patience_ns; });
  if (w.shared->waiter_done.load() == 0) return {KITH_E_TIMEOUT, clock_now() - killed_at};
  const uint64_t got_it_at = w.shared->waiter_got_it_at.load();
  const recovery seen{w.shared->waiter_status.load(), got_it_at > killed_at ? got_it_at - killed_at : 0};
  // And it must have left the lock in order.
  const recovery after = take_it(w, clock_now());
  return after.status == KITH_OK ? seen : after;
}

// The instructions of a waiter that spins are many and repeat themselves, and those of a long wait are the ones of a wait until the
// deadline but for its end: there a prime stride must do.
constexpr scenario all[] = {
    {"lock and unlock", true, 1, 1, nullptr, nullptr, nullptr, lock_and_unlock, take_it},
    {"unlock, while another process sleeps on the lock", true, 1, 1, nullptr, hold, let_another_wait, unlock,
     let_the_waiter_have_it},
    {"try to lock, while another process holds it", true, 1, 11, let_another_hold, nullptr, nullptr,
     try_to_lock, take_it_from_the_holder},
    {"wait until the deadline", true, 1, 11, let_another_hold, nullptr, nullptr, lock_with_deadline,
     take_it_from_the_holder},
    {"wait, lock and unlock", true, 1, 3, let_another_hold_for_a_moment, nullptr, nullptr, lock_and_unlock,
     take_it_from_the_holder},
    {"wait for long, lock and unlock", true, 5, 17, let_another_hold_for_long, nullptr, nullptr,
     lock_and_unlock, take_it_from_the_holder},
    {"spin, wait, lock and unlock, on several CPUs", false, 23, 101, let_another_hold_for_a_moment, nullptr,
     nullptr, lock_and_unlock, take_it_from_the_holder},
    {"take the lock of a dead owner, mark it consistent, unlock", true, 1, 5, let_an_owner_die, nullptr,
     nullptr, lock_repair_and_unlock, take_it},
    {"lock and unlock, after an owner died and nobody repaired", true, 1, 3, let_an_owner_die_and_leave_it_so,
     nullptr, nullptr, lock_and_unlock, take_it},
};

}  // namespace

std::span<const scenario> scenarios() { return all; }

}  // namespace stepkill
