// SPDX-License-Identifier: MIT
// What can be done with a lock.
#include "stepkill.h"

namespace stepkill {

namespace {

using kith::deadline_after;
using kith::no_deadline;
using kith::platform::clock_now;

// ---- before the operation ----------------------------------------------------------------------------------------------------

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
  let_holder_die(w);
}

void let_an_owner_die_and_leave_it_so(world& w) {
  let_an_owner_die(w);
  acquire(w, no_deadline);
  release(w);
}

void make_recursive(world& w) { w.shared->lock.options.store(kith::shm::lock_recursive); }

void let_an_owner_die_who_held_twice(world& w) {
  make_recursive(w);
  start_holder(w, [&w] {
    acquire(w, no_deadline);
    be_holder(w);
  });
  w.shared->dead_holder.store(w.shared->lock.word.load());
  let_holder_die(w);
}

void hold(world& w) { acquire(w, no_deadline); }

void hold_twice(world& w) {
  hold(w);
  hold(w);
}

void let_another_wait(world& w) {
  start_survivor(w, 0, [&w] {
    const kith_status status = acquire(w, no_deadline);
    kith::shm::lock_mark_consistent(w.shared->lock);
    release(w);
    return status;
  });
  await([&w] { return w.shared->lock.waiters.load() != 0 && is_asleep(w, 0); });
}

void let_another_wait_for_long(world& w) {
  let_another_wait(w);
  pass_time(long_wait_ns);
}

// ---- operations: what the victim is killed in -----------------------------------------------------------------------------------

void lock_and_unlock(world& w) {
  acquire(w, no_deadline);
  release(w);
}

void unlock(world& w) { release(w); }

void lock_and_unlock_twice(world& w) {
  hold_twice(w);
  release(w);
  release(w);
}

void unlock_fully(world& w) { kith::shm::lock_release_fully(w.shared->lock, w.area); }

void try_to_lock(world& w) { acquire(w, kith::at_once); }

void try_to_lock_repair_and_unlock(world& w) {
  acquire(w, kith::at_once);
  kith::shm::lock_mark_consistent(w.shared->lock);
  release(w);
}

void lock_with_deadline(world& w) { acquire(w, deadline_after(clock_now(), 2 * kith::ns_per_ms)); }

void lock_repair_and_unlock(world& w) {
  acquire(w, no_deadline);
  kith::shm::lock_mark_consistent(w.shared->lock);
  release(w);
}

// ---- afterwards -----------------------------------------------------------------------------------------------------------------

kith_status verdict_from(const world& w, const frozen& then) {
  return deaths_of_lock(w, then.lock) != 0 ? KITH_OWNER_DIED : KITH_OK;
}

// This process holds the lock, once, and leaves it in order.
void leave_in_order(world& w, judgement& verdict) {
  verdict.must(w.shared->lock.depth.load() == 0, "the new owner holds it once");
  kith::shm::lock_mark_consistent(w.shared->lock);
  release(w);
  verdict.must(w.shared->lock.word.load() == 0, "it is free after that");
}

void take_it_from(world& w, uint64_t since, kith_status expected, judgement& verdict) {
  const kith_status status = acquire(w, deadline_after(since, patience_ns));
  verdict.came_back("the next owner", {status, clock_now() - since}, expected);
  if (status >= KITH_OK) leave_in_order(w, verdict);
}

void take_it(world& w, const frozen& then, judgement& verdict) {
  verdict.must_tell(deaths_of_lock(w, then.lock));
  take_it_from(w, then.killed_at, verdict_from(w, then), verdict);
}

// The holder, if it still holds, releases while we sleep already, or are about to: its wake may go to the dead victim.
void take_it_from_the_holder(world& w, const frozen& then, judgement& verdict) {
  verdict.must_tell(deaths_of_lock(w, then.lock));
  w.shared->holder_may_release.store(1);
  take_it_from(w, clock_now(), verdict_from(w, then), verdict);
}

// And it must have left the lock in order.
void let_the_waiter_have_it(world& w, const frozen& then, judgement& verdict) {
  verdict.must_tell(deaths_of_lock(w, then.lock));
  verdict.came_back("the waiter", await_survivor(w, 0, then.killed_at), verdict_from(w, then));
  take_it_from(w, clock_now(), KITH_OK, verdict);
}

constexpr scenario all[] = {
    {"lock: acquire and release", true, 1, nullptr, nullptr, nullptr, lock_and_unlock, take_it},
    {"lock: release, while another process sleeps on it", true, 1, nullptr, hold, let_another_wait, unlock,
     let_the_waiter_have_it},
    {"lock: try, while another process holds it", true, 13, let_another_hold, nullptr, nullptr, try_to_lock,
     take_it_from_the_holder},
    {"lock: wait until the deadline", true, 97, let_another_hold, nullptr, nullptr, lock_with_deadline,
     take_it_from_the_holder, 3},
    {"lock: wait, acquire and release", true, 1, let_another_hold_for_a_moment, nullptr, nullptr,
     lock_and_unlock, take_it_from_the_holder},
    {"lock: wait for long, acquire and release", true, 31, let_another_hold_for_long, nullptr, nullptr,
     lock_and_unlock, take_it_from_the_holder},
    {"lock: release, while another process has slept on it for long", true, 1, nullptr, hold,
     let_another_wait_for_long, unlock, let_the_waiter_have_it, 3},
    {"lock: spin, wait, acquire and release, on several CPUs", false, 31, let_another_hold_for_a_moment,
     nullptr, nullptr, lock_and_unlock, take_it_from_the_holder},
    {"lock: take that of a dead owner, mark it consistent, release", true, 7, let_an_owner_die, nullptr,
     nullptr, lock_repair_and_unlock, take_it},
    {"lock: try that of a dead owner, mark it consistent, release", true, 7, let_an_owner_die, nullptr,
     nullptr, try_to_lock_repair_and_unlock, take_it},
    {"lock: acquire and release, after an owner died and nobody repaired", true, 1,
     let_an_owner_die_and_leave_it_so, nullptr, nullptr, lock_and_unlock, take_it},
    {"lock: acquire twice and release twice", true, 1, make_recursive, nullptr, nullptr,
     lock_and_unlock_twice, take_it},
    {"lock: take that of a dead owner who held it twice, release", true, 7, let_an_owner_die_who_held_twice,
     nullptr, nullptr, lock_repair_and_unlock, take_it, 3},
    {"lock: release fully, while another process sleeps on it", true, 1, make_recursive, hold_twice,
     let_another_wait, unlock_fully, let_the_waiter_have_it},
};

}  // namespace

std::span<const scenario> lock_scenarios() { return all; }

}  // namespace stepkill
