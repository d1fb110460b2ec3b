// SPDX-License-Identifier: MIT
// What can be done with a semaphore, of both kinds. All have two permits in all.
#include "stepkill.h"

namespace stepkill {

namespace {

using kith::at_once;
using kith::deadline;
using kith::deadline_after;
using kith::no_deadline;
using kith::platform::clock_now;
using kith::shm::semaphore_view;

constexpr uint64_t moment_ns = 3 * kith::ns_per_ms / 10;
constexpr uint64_t victim_patience_ns = 2 * kith::ns_per_ms;

semaphore_view owned(world& w) {
  return {&w.shared->semaphore, w.shared->permits, permit_count, &w.area, &w.hint};
}

semaphore_view signal(world& w) { return {&w.shared->semaphore, nullptr, 0, &w.area, nullptr}; }

kith_status acquire_permit(world& w, deadline until) {
  return kith::shm::semaphore_acquire(owned(w), {until});
}

kith_status acquire_and_count(world& w, deadline until) {
  const kith_status status = acquire_permit(w, until);
  if (status == KITH_OWNER_DIED) w.shared->deaths_told.fetch_add(1);
  return status == KITH_OWNER_DIED ? KITH_OK : status;
}

void release_permit(world& w) { kith::shm::semaphore_release(owned(w)); }

void acquire_both(world& w) {
  acquire_permit(w, no_deadline);
  acquire_permit(w, no_deadline);
}

bool must_release(const world& w) { return w.shared->holder_may_release.load() != 0; }

// ---- permits with owners: before the operation ---------------------------------------------------------------------------------

// Releases one of its permits when the victim sleeps, the other one at the end.
void be_holder(world& w) {
  acquire_both(w);
  w.shared->holder_ready.store(1);
  await_sleeping_victim(w);
  release_permit(w);
  await([&w] { return must_release(w); });
  release_permit(w);
}

void let_another_hold_both(world& w) {
  start_holder(w, [&w] { be_holder(w); });
}

void let_a_holder_die(world& w) {
  let_another_hold_both(w);
  w.shared->dead_holder.store(w.shared->permits[0].load());
  let_holder_die(w);
}

void let_another_wait(world& w) {
  start_survivor(w, 0, [&w] { return acquire_and_count(w, no_deadline); });
  await([&w] { return w.shared->semaphore.waiters.load() != 0 && is_asleep(w, 0); });
}

void let_another_wait_for_long(world& w) {
  let_another_wait(w);
  pass_time(long_wait_ns);
}

void let_another_hold_both_and_a_third_wait(world& w) {
  let_another_hold_both(w);
  let_another_wait(w);
}

// ---- permits with owners: operations --------------------------------------------------------------------------------------------

void acquire_and_release_permit(world& w) {
  acquire_permit(w, no_deadline);
  release_permit(w);
}

// The other waiter may have the only one that is released.
void wait_and_release_permit(world& w) {
  acquire_permit(w, deadline_after(clock_now(), victim_patience_ns));
  release_permit(w);
}

void try_and_release_permit(world& w) {
  acquire_permit(w, at_once);
  release_permit(w);
}

void release_both(world& w) {
  release_permit(w);
  release_permit(w);
}

void wait_for_permit_in_vain(world& w) { acquire_permit(w, deadline_after(clock_now(), victim_patience_ns)); }

// ---- permits with owners: afterwards -----------------------------------------------------------------------------------------------

// All permits can be acquired, no more; and each one that named a dead process, and no other, is given with the news.
void acquire_the_rest(world& w, const frozen& then, uint32_t taken, judgement& verdict) {
  uint32_t of_the_dead = 0;
  for (const uint64_t owner : then.permits) of_the_dead += names_dead(w, owner) ? 1u : 0u;
  verdict.must_tell(of_the_dead);
  for (uint32_t i = taken; i < permit_count && !verdict.stuck(); ++i) {
    const uint64_t since = clock_now();
    const kith_status status = acquire_and_count(w, deadline_after(since, patience_ns));
    verdict.came_back("the next owner", {status, clock_now() - since}, KITH_OK);
  }
  verdict.must(w.shared->deaths_told.load() == of_the_dead, "a death told for each permit of the dead");
  verdict.must(acquire_permit(w, at_once) == KITH_E_TIMEOUT, "no more permits than at first");
  for (uint32_t i = taken; i < permit_count; ++i)
    verdict.must(kith::shm::semaphore_release(owned(w)) == KITH_OK, "each can be released");
  verdict.must(kith::shm::semaphore_release(owned(w)) == KITH_E_NOT_OWNER, "released no more than acquired");
  verdict.must(kith::shm::semaphore_available(owned(w)) == permit_count - taken, "all are free after that");
}

void acquire_all(world& w, const frozen& then, judgement& verdict) { acquire_the_rest(w, then, 0, verdict); }

void acquire_all_from_the_holder(world& w, const frozen& then, judgement& verdict) {
  w.shared->holder_may_release.store(1);
  acquire_the_rest(w, then, 0, verdict);
}

void let_the_waiter_have_one(world& w, const frozen& then, judgement& verdict) {
  verdict.came_back("the waiter", await_survivor(w, 0, then.killed_at), KITH_OK);
  acquire_the_rest(w, then, 1, verdict);
}

// The wakes of the holder may go to the dead victim.
void let_the_waiter_have_one_from_the_holder(world& w, const frozen& then, judgement& verdict) {
  w.shared->holder_may_release.store(1);
  verdict.came_back("the waiter", await_survivor(w, 0, clock_now()), KITH_OK);
  acquire_the_rest(w, then, 1, verdict);
}

// ---- for signalling --------------------------------------------------------------------------------------------------------------

void set_maximum(world& w) { w.shared->semaphore.maximum.store(permit_count); }

void begin_with_one(world& w) {
  set_maximum(w);
  w.shared->semaphore.count.store(1);
}

kith_status take_signal(world& w, deadline until) { return kith::shm::semaphore_acquire(signal(w), {until}); }

void give_signal(world& w) { kith::shm::semaphore_release(signal(w)); }

void let_another_await_a_signal(world& w) {
  start_survivor(w, 0, [&w] { return take_signal(w, no_deadline); });
  await([&w] { return w.shared->semaphore.waiters.load() != 0 && is_asleep(w, 0); });
}

void let_another_await_a_signal_for_long(world& w) {
  let_another_await_a_signal(w);
  pass_time(long_wait_ns);
}

// What a giver says: that it is about to give, before it does, and that it has given.
constexpr uint32_t giving = 1, given = 2;

// Gives one signal, when the victim sleeps or at the end. It is no holder.
void let_another_give_a_signal(world& w) {
  set_maximum(w);
  w.helpers.push_back(start_helper([&w] {
    await_sleeping_victim(w);
    pass_time(must_release(w) ? 0 : moment_ns);
    w.shared->notified.store(giving);
    give_signal(w);
    w.shared->notified.store(given);
    for (;;) pause();
  }));
}

void let_another_give_a_signal_and_a_third_wait(world& w) {
  let_another_give_a_signal(w);
  let_another_await_a_signal(w);
}

void take_a_signal(world& w) { take_signal(w, no_deadline); }

// The other waiter may have the only one.
void wait_for_a_signal_for_a_while(world& w) {
  take_signal(w, deadline_after(clock_now(), victim_patience_ns));
}

void try_to_take_a_signal(world& w) { take_signal(w, at_once); }

// As many signals as there should be, and no more.
void take_all_signals(world& w, uint64_t expected, judgement& verdict) {
  for (uint64_t i = 0; i < expected; ++i)
    verdict.must(take_signal(w, at_once) == KITH_OK, "every signal is there");
  verdict.must(take_signal(w, at_once) == KITH_E_TIMEOUT, "and no other");
  give_signal(w);
  verdict.must(take_signal(w, at_once) == KITH_OK, "the next signal is there");
}

void take_what_was_left(world& w, const frozen& then, judgement& verdict) {
  verdict.must(then.count <= 1, "the victim takes, and gives nothing");
  take_all_signals(w, then.count, verdict);
}

bool await_the_giver(world& w, judgement& verdict) {
  const uint64_t since = clock_now();
  w.shared->holder_may_release.store(1);
  const bool has_given = await_in_time(since, [&w] { return w.shared->notified.load() == given; });
  verdict.came_back("the giver", {KITH_OK, clock_now() - since}, KITH_OK);
  return has_given;
}

// The victim had it, or it is there: nobody else is after it. A giver that stood still in the middle leaves open whether it had given.
void take_the_signal_unless_it_is_gone(world& w, const frozen& then, judgement& verdict) {
  if (!await_the_giver(w, verdict)) return;
  const uint64_t left = w.shared->semaphore.count.load();
  const uint64_t expected = then.notified == given && then.count == 0 ? 0 : 1;
  const bool unknown = then.notified == giving && left <= 1;
  take_all_signals(w, unknown ? left : expected, verdict);
}

// Given by the victim: then the waiter comes back by itself. Otherwise it sleeps on until somebody else gives one.
void let_the_waiter_have_the_signal(world& w, const frozen& then, judgement& verdict) {
  const uint64_t since = then.killed_at;
  const bool settled = await_in_time(
      since, [&w] { return is_back(w, 0) || (w.shared->semaphore.count.load() == 0 && is_asleep(w, 0)); });
  if (!settled || is_back(w, 0)) {
    verdict.came_back("the waiter, by itself", await_survivor(w, 0, since), KITH_OK);
  } else {
    verdict.must(then.count == 0, "a signal that was there went to the waiter");
    const uint64_t given_at = clock_now();
    give_signal(w);
    verdict.came_back("the waiter", await_survivor(w, 0, given_at), KITH_OK);
  }
  take_all_signals(w, 0, verdict);
}

// Two signals are given, and the waiter takes one: the other one is there unless the victim took it.
void let_the_waiter_have_another_signal(world& w, const frozen&, judgement& verdict) {
  if (!await_the_giver(w, verdict)) return;
  const uint64_t given_at = clock_now();
  give_signal(w);
  verdict.came_back("the waiter", await_survivor(w, 0, given_at), KITH_OK);
  const uint64_t left = w.shared->semaphore.count.load();
  verdict.must(left <= 1, "the waiter has taken one");
  take_all_signals(w, left, verdict);
}

constexpr scenario all[] = {
    {"semaphore: acquire and release", true, 1, nullptr, nullptr, nullptr, acquire_and_release_permit,
     acquire_all},
    {"semaphore: release two permits, while another process waits", true, 1, nullptr, acquire_both,
     let_another_wait, release_both, let_the_waiter_have_one},
    {"semaphore: release two permits, while another process has waited for long", true, 1, nullptr,
     acquire_both, let_another_wait_for_long, release_both, let_the_waiter_have_one, 5},
    {"semaphore: wait, acquire and release", true, 31, let_another_hold_both, nullptr, nullptr,
     acquire_and_release_permit, acquire_all_from_the_holder},
    {"semaphore: wait beside another waiter, acquire and release", true, 61,
     let_another_hold_both_and_a_third_wait, nullptr, nullptr, wait_and_release_permit,
     let_the_waiter_have_one_from_the_holder, 3},
    {"semaphore: wait until the deadline", true, 61, let_another_hold_both, nullptr, nullptr,
     wait_for_permit_in_vain, acquire_all_from_the_holder, 3},
    {"semaphore: take the permit of a dead owner, release", true, 31, let_a_holder_die, nullptr, nullptr,
     acquire_and_release_permit, acquire_all},
    {"semaphore: try for the permit of a dead owner, release", true, 31, let_a_holder_die, nullptr, nullptr,
     try_and_release_permit, acquire_all},
    {"signal: acquire one that is there", true, 1, begin_with_one, nullptr, nullptr, try_to_take_a_signal,
     take_what_was_left},
    {"signal: release, while another process waits", true, 1, set_maximum, nullptr,
     let_another_await_a_signal, give_signal, let_the_waiter_have_the_signal},
    {"signal: release, while another process has waited for long", true, 1, set_maximum, nullptr,
     let_another_await_a_signal_for_long, give_signal, let_the_waiter_have_the_signal, 3},
    {"signal: wait, acquire", true, 7, let_another_give_a_signal, nullptr, nullptr, take_a_signal,
     take_the_signal_unless_it_is_gone},
    {"signal: wait beside another waiter, acquire", true, 7, let_another_give_a_signal_and_a_third_wait,
     nullptr, nullptr, wait_for_a_signal_for_a_while, let_the_waiter_have_another_signal},
};

}  // namespace

std::span<const scenario> semaphore_scenarios() { return all; }

}  // namespace stepkill
