// SPDX-License-Identifier: MIT
// What can be done with a condition.
#include "stepkill.h"

namespace stepkill {

namespace {

using kith::deadline;
using kith::deadline_after;
using kith::no_deadline;
using kith::platform::clock_now;

// As src/shm/condition.h describes the words of waiters.
constexpr uint64_t waiting = 1;
constexpr uint64_t state_mask = 3;
constexpr uint64_t lock_is_held_ns = 3 * kith::ns_per_ms / 10;

kith::shm::condition_view condition(world& w) {
  return {&w.shared->condition, w.shared->condition_words, &w.area};
}

kith_status wait_for_notification(world& w, deadline until) {
  return kith::shm::condition_wait(condition(w), {&w.shared->lock, &w.area}, {until}, {no_deadline});
}

void notify(world& w, uint32_t count) { kith::shm::condition_notify(condition(w), count); }

// ---- survivors -----------------------------------------------------------------------------------------------------------------

kith_status be_waiter(world& w) {
  acquire_and_repair(w, no_deadline);
  kith_status status = wait_for_notification(w, no_deadline);
  if (status == KITH_OWNER_DIED) {
    w.shared->deaths_told.fetch_add(1);
    status = kith::shm::lock_mark_consistent(w.shared->lock);
  }
  release(w);
  return status;
}

void start_waiter(world& w, uint32_t index) {
  start_survivor(w, index, [&w] { return be_waiter(w); });
}

uint64_t word_of(const world& w, uint32_t survivor) {
  const uint64_t identity = w.shared->reports[survivor].identity.load();
  for (uint32_t i = 0; i < watched_condition_words; ++i) {
    const uint64_t word = w.shared->condition_words[i].load();
    if (identity != 0 && (word & ~state_mask) == identity) return word;
  }
  return 0;
}

// It has released the lock, too: nobody sleeps before.
bool waits(const world& w, uint32_t survivor) {
  return (word_of(w, survivor) & state_mask) == waiting && is_asleep(w, survivor) &&
         w.shared->lock.word.load() == 0;
}

void start_waiter_and_await_it(world& w, uint32_t index) {
  start_waiter(w, index);
  await([&] { return waits(w, index); });
}

// Notifies one as soon as the victim, who holds the lock, lets go of it, and makes who is notified wait for the lock.
kith_status be_notifier(world& w) {
  const kith_status status = acquire_and_repair(w, no_deadline);
  notify(w, 1);
  w.shared->notified.store(1);
  pass_time(lock_is_held_ns);
  release(w);
  return status;
}

// ---- before the operation --------------------------------------------------------------------------------------------------------

void hold(world& w) { acquire(w, no_deadline); }

void hold_three_times(world& w) {
  hold(w);
  hold(w);
  hold(w);
}

void make_recursive(world& w) { w.shared->lock.options.store(kith::shm::lock_recursive); }

void let_one_wait(world& w) { start_waiter_and_await_it(w, 0); }

void let_two_wait(world& w) {
  start_waiter_and_await_it(w, 0);
  start_waiter_and_await_it(w, 1);
}

void let_one_wait_for_long(world& w) {
  let_one_wait(w);
  pass_time(long_wait_ns);
}

// And the victim, whose word will be the second one, is notified first.
void let_one_wait_whose_turn_comes_later(world& w) {
  let_one_wait(w);
  w.shared->condition.turn.store(1);
}

// A notification that went to a process which died before it came back.
void let_a_notified_waiter_die(world& w) {
  start_waiter_and_await_it(w, 0);
  acquire(w, no_deadline);
  notify(w, 1);
  w.shared->dead_holder.store(w.shared->reports[0].identity.load());
  let_holder_die(w);
  release(w);
}

void start_notifier(world& w) {
  start_survivor(w, 1, [&w] { return be_notifier(w); });
  await([&w] { return w.shared->lock.waiters.load() != 0 && is_asleep(w, 1); });
}

// ---- operations: the victim holds the lock ---------------------------------------------------------------------------------------

void wait_and_release(world& w) {
  wait_for_notification(w, no_deadline);
  w.shared->victim_returned.store(1);
  release(w);
}

void wait_in_vain(world& w) {
  wait_for_notification(w, deadline_after(clock_now(), 3 * kith::ns_per_ms / 2));
  release(w);
}

void notify_one(world& w) {
  notify(w, 1);
  release(w);
}

void notify_all(world& w) {
  notify(w, UINT32_MAX);
  release(w);
}

// ---- afterwards ------------------------------------------------------------------------------------------------------------------

void check_the_lock(world& w, const frozen& then, judgement& verdict) {
  const uint32_t deaths = deaths_of_lock(w, then.lock);
  const uint64_t since = clock_now();
  const kith_status status = acquire_and_repair(w, deadline_after(since, patience_ns));
  verdict.came_back("the next owner of the lock", {status, clock_now() - since}, KITH_OK);
  if (status != KITH_OK) return;
  verdict.must(w.shared->lock.depth.load() == 0, "the new owner holds the lock once");
  release(w);
  verdict.must_tell(deaths);
  verdict.must(w.shared->deaths_told.load() == deaths, "one survivor told of the death of the lock's owner");
}

void notify_and_await(world& w, uint32_t survivor, judgement& verdict) {
  const uint64_t since = clock_now();
  const kith_status status = acquire_and_repair(w, deadline_after(since, patience_ns));
  verdict.came_back("the notifier", {status, clock_now() - since}, KITH_OK);
  if (status != KITH_OK) return;
  const uint64_t notified_at = clock_now();
  notify(w, 1);
  release(w);
  verdict.came_back("the waiter", await_survivor(w, survivor, notified_at), KITH_OK);
}

bool a_dead_word_is_notified(const world& w) {
  for (uint32_t i = 0; i < watched_condition_words; ++i) {
    const uint64_t word = w.shared->condition_words[i].load();
    if ((word & state_mask) > waiting && names_dead(w, word & ~state_mask)) return true;
  }
  return false;
}

// The notification may go to the word of the dead victim. One that went there before is the new waiter's, who may be back soon.
void let_a_new_waiter_be_notified(world& w, const frozen& then, judgement& verdict) {
  const bool one_is_left = a_dead_word_is_notified(w);
  start_waiter(w, 0);
  const bool there = await_in_time(then.killed_at, [&w] { return waits(w, 0) || is_back(w, 0); });
  verdict.came_back("the next one to wait", {KITH_OK, clock_now() - then.killed_at}, KITH_OK);
  verdict.must(one_is_left || !is_back(w, 0), "nobody comes back before a notification");
  if (there) notify_and_await(w, 0, verdict);
  check_the_lock(w, then, verdict);
}

void let_a_new_waiter_be_notified_after_the_notifier(world& w, const frozen& then, judgement& verdict) {
  verdict.came_back("the first notifier", await_survivor(w, 1, then.killed_at), KITH_OK);
  frozen later = then;
  later.killed_at = clock_now();
  let_a_new_waiter_be_notified(w, later, verdict);
}

// The victim's word is free after it was notified only when it took the notification; else the waiter gets it.
void let_the_other_waiter_be_notified(world& w, const frozen& then, judgement& verdict) {
  verdict.came_back("the notifier", await_survivor(w, 1, then.killed_at), KITH_OK);
  const bool taken = then.notified != 0 && then.condition_words[1] == 0;
  if (taken) {
    verdict.must(then.victim_returned || names_dead(w, then.lock), "it is taken when the lock is held again");
    verdict.must(!is_back(w, 0) && (word_of(w, 0) & state_mask) == waiting,
                 "the other waiter sleeps on, as the notification was not for it");
    notify_and_await(w, 0, verdict);
  } else {
    verdict.came_back("the other waiter, by itself", await_survivor(w, 0, clock_now()), KITH_OK);
  }
  check_the_lock(w, then, verdict);
}

// Whom the victim notified comes back by itself; another one goes on to wait.
template <uint32_t waiters>
void let_waiters_be_notified(world& w, const frozen& then, judgement& verdict) {
  for (uint32_t i = 0; i < waiters; ++i) {
    const uint64_t identity = w.shared->reports[i].identity.load();
    if (then.condition_words[i] == (identity | waiting)) {
      verdict.must(!is_back(w, i), "who was not notified waits");
      notify_and_await(w, i, verdict);
    } else {
      verdict.came_back("a notified waiter, by itself", await_survivor(w, i, then.killed_at), KITH_OK);
    }
  }
  check_the_lock(w, then, verdict);
}

// As long as a dead process's word says that it was notified, or that it was passing a notification on, that notification
// is for the next waiter.
void let_a_new_waiter_get_the_notification(world& w, const frozen& then, judgement& verdict) {
  bool left = false;
  for (const uint64_t word : then.condition_words) left = left || (word & state_mask) > waiting;
  start_waiter(w, 0);
  if (left) {
    verdict.came_back("a new waiter, by itself", await_survivor(w, 0, then.killed_at), KITH_OK);
  } else {
    const bool there = await_in_time(then.killed_at, [&w] { return waits(w, 0); });
    verdict.came_back("the next one to wait", {KITH_OK, clock_now() - then.killed_at}, KITH_OK);
    if (there) notify_and_await(w, 0, verdict);
  }
  check_the_lock(w, then, verdict);
}

constexpr scenario all[] = {
    {"condition: wait until the deadline", true, 7, nullptr, hold, nullptr, wait_in_vain,
     let_a_new_waiter_be_notified},
    {"condition: wait and be notified", true, 31, nullptr, hold, start_notifier, wait_and_release,
     let_a_new_waiter_be_notified_after_the_notifier},
    {"condition: wait with a lock that is held three times, and be notified", true, 61, make_recursive,
     hold_three_times, start_notifier, wait_and_release, let_a_new_waiter_be_notified_after_the_notifier},
    {"condition: wait beside another waiter, and be notified", true, 61, let_one_wait_whose_turn_comes_later,
     hold, start_notifier, wait_and_release, let_the_other_waiter_be_notified, 2},
    {"condition: notify one", true, 1, let_one_wait, hold, nullptr, notify_one, let_waiters_be_notified<1>},
    {"condition: notify one who has waited for long", true, 1, let_one_wait_for_long, hold, nullptr,
     notify_one, let_waiters_be_notified<1>, 5},
    {"condition: notify one of two", true, 1, let_two_wait, hold, nullptr, notify_one,
     let_waiters_be_notified<2>},
    {"condition: notify all", true, 1, let_two_wait, hold, nullptr, notify_all, let_waiters_be_notified<2>},
    {"condition: wait, and pass on the notification of a dead waiter", true, 31, let_a_notified_waiter_die,
     hold, nullptr, wait_in_vain, let_a_new_waiter_get_the_notification},
};

}  // namespace

std::span<const scenario> condition_scenarios() { return all; }

}  // namespace stepkill
