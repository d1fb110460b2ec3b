// SPDX-License-Identifier: MIT
// What can be done with an event, of both kinds.
#include "stepkill.h"

namespace stepkill {

namespace {

using kith::at_once;
using kith::deadline;
using kith::deadline_after;
using kith::no_deadline;
using kith::platform::clock_now;

// As src/shm/event.h describes the word.
constexpr uint64_t waiters_bit = 2;
constexpr uint64_t once = 4;
constexpr uint64_t moment_ns = 3 * kith::ns_per_ms / 10;

kith_status wait_for_set(world& w, deadline until) {
  return kith::shm::event_wait(w.shared->event, w.area, {until});
}

void set_it(world& w) { kith::shm::event_set(w.shared->event, w.area); }
void clear_it(world& w) { kith::shm::event_clear(w.shared->event); }
bool is_set(const world& w) { return kith::shm::event_is_set(w.shared->event); }

// ---- before the operation --------------------------------------------------------------------------------------------------------

void start_waiter(world& w, uint32_t index) {
  start_survivor(w, index, [&w] { return wait_for_set(w, no_deadline); });
  await([&] { return (w.shared->event.word.load() & waiters_bit) != 0 && is_asleep(w, index); });
}

void let_one_wait(world& w) { start_waiter(w, 0); }

void let_two_wait(world& w) {
  start_waiter(w, 0);
  start_waiter(w, 1);
}

void let_two_wait_for_long(world& w) {
  let_two_wait(w);
  pass_time(long_wait_ns);
}

void make_auto(world& w) { w.shared->event.auto_reset.store(1); }

void make_auto_and_let_one_wait(world& w) {
  make_auto(w);
  let_one_wait(w);
}

void make_auto_and_let_two_wait(world& w) {
  make_auto(w);
  let_two_wait(w);
}

void make_auto_and_set(world& w) {
  make_auto(w);
  set_it(w);
}

// Sets the event when the victim sleeps, or at the end; and says that it has done so.
void start_setter(world& w) {
  w.helpers.push_back(start_helper([&w] {
    await_sleeping_victim(w);
    pass_time(w.shared->holder_may_release.load() != 0 ? 0 : moment_ns);
    set_it(w);
    w.shared->notified.store(1);
    for (;;) pause();
  }));
}

void let_one_wait_and_another_set(world& w) {
  let_one_wait(w);
  start_setter(w);
}

void make_auto_and_let_one_wait_and_another_set(world& w) {
  make_auto(w);
  let_one_wait_and_another_set(w);
}

// ---- operations --------------------------------------------------------------------------------------------------------------------

void set_and_clear(world& w) {
  set_it(w);
  clear_it(w);
}

void wait_without_end(world& w) { wait_for_set(w, no_deadline); }

// The other waiter may have the only signal.
void wait_for_a_while(world& w) { wait_for_set(w, deadline_after(clock_now(), 2 * kith::ns_per_ms)); }

void try_it(world& w) { wait_for_set(w, at_once); }

void wait_in_vain(world& w) { wait_for_set(w, deadline_after(clock_now(), 3 * kith::ns_per_ms / 2)); }

// ---- afterwards ------------------------------------------------------------------------------------------------------------------

// All that waited come back, by themselves when the victim has set it, even if it has cleared it again.
template <bool clears>
void let_both_go(world& w, const frozen& then, judgement& verdict) {
  const bool was_set = then.event >= once;
  uint64_t since = then.killed_at;
  if (!was_set) {
    verdict.must(!is_back(w, 0) && !is_back(w, 1), "nobody comes back before it is set");
    since = clock_now();
    set_it(w);
  }
  verdict.came_back("the first waiter", await_survivor(w, 0, since), KITH_OK);
  verdict.came_back("the second waiter", await_survivor(w, 1, since), KITH_OK);
  const bool set = was_set ? (then.event & kith::shm::event_set_bit) != 0 : true;
  verdict.must(set || clears, "it is set in one step");
  verdict.must(is_set(w) == set, "it is as its last user left it");
  verdict.must(wait_for_set(w, at_once) == (set ? KITH_OK : KITH_E_TIMEOUT), "and so it is for the next one");
}

bool either_is_back(const world& w) { return is_back(w, 0) || is_back(w, 1); }

void must_be_used_up(world& w, judgement& verdict) {
  verdict.must(!is_set(w) && wait_for_set(w, at_once) == KITH_E_TIMEOUT, "one set lets one go");
  set_it(w);
  verdict.must(wait_for_set(w, at_once) == KITH_OK, "the next set lets the next one go");
}

// One more set lets the other one go.
void let_the_other_go(world& w, judgement& verdict) {
  const uint32_t other = is_back(w, 0) ? 1 : 0;
  verdict.must(!is_back(w, other), "one set lets one go");
  const uint64_t since = clock_now();
  set_it(w);
  verdict.came_back("the other waiter", await_survivor(w, other, since), KITH_OK);
  must_be_used_up(w, verdict);
}

// One of those that waited comes back; by itself when the victim has set it.
void let_one_go_and_the_other(world& w, const frozen& then, judgement& verdict) {
  uint64_t since = then.killed_at;
  if (then.event < once) {
    verdict.must(!either_is_back(w), "nobody comes back before it is set");
    since = clock_now();
    set_it(w);
  }
  const bool one_is_back = await_in_time(since, [&w] { return either_is_back(w); });
  verdict.came_back("one of the waiters", {one_is_back ? KITH_OK : KITH_E_TIMEOUT, clock_now() - since},
                    KITH_OK);
  if (one_is_back) let_the_other_go(w, verdict);
}

void await_the_setter(world& w, judgement& verdict) {
  const uint64_t since = clock_now();
  w.shared->holder_may_release.store(1);
  const bool set = await_in_time(since, [&w] { return w.shared->notified.load() != 0; });
  verdict.came_back("the setter", {set ? KITH_OK : KITH_E_TIMEOUT, clock_now() - since}, KITH_OK);
}

void let_the_waiter_go(world& w, const frozen&, judgement& verdict) {
  await_the_setter(w, verdict);
  verdict.came_back("the waiter", await_survivor(w, 0, clock_now()), KITH_OK);
  verdict.must(is_set(w), "it stays set");
}

// The signal went to the victim, or it goes to the waiter by itself.
void let_the_waiter_have_it_unless_it_is_gone(world& w, const frozen&, judgement& verdict) {
  await_the_setter(w, verdict);
  const uint64_t since = clock_now();
  const bool settled =
      await_in_time(since, [&w] { return is_back(w, 0) || (!is_set(w) && is_asleep(w, 0)); });
  if (!settled || is_back(w, 0)) {
    verdict.came_back("the waiter, by itself", await_survivor(w, 0, since), KITH_OK);
  } else {
    const uint64_t set_at = clock_now();
    set_it(w);
    verdict.came_back("the waiter", await_survivor(w, 0, set_at), KITH_OK);
  }
  must_be_used_up(w, verdict);
}

void take_it_unless_it_is_gone(world& w, const frozen& then, judgement& verdict) {
  const bool left = (then.event & kith::shm::event_set_bit) != 0;
  verdict.must(wait_for_set(w, at_once) == (left ? KITH_OK : KITH_E_TIMEOUT), "it is there, or taken");
  must_be_used_up(w, verdict);
}

// Nobody has set it: the waiter sleeps on, and the next set is for it, whatever the victim left.
void let_the_waiter_have_the_next(world& w, const frozen&, judgement& verdict) {
  verdict.must(!is_back(w, 0), "nobody comes back before it is set");
  const uint64_t since = clock_now();
  set_it(w);
  verdict.came_back("the waiter", await_survivor(w, 0, since), KITH_OK);
  must_be_used_up(w, verdict);
}

constexpr scenario all[] = {
    {"event: set, while two wait", true, 1, let_two_wait, nullptr, nullptr, set_it, let_both_go<false>},
    {"event: set, while two have waited for long", true, 1, let_two_wait_for_long, nullptr, nullptr, set_it,
     let_both_go<false>, 3},
    {"event: set and clear, while two wait", true, 1, let_two_wait, nullptr, nullptr, set_and_clear,
     let_both_go<true>},
    {"event: wait beside another waiter", true, 7, let_one_wait_and_another_set, nullptr, nullptr,
     wait_without_end, let_the_waiter_go},
    {"event, auto reset: set, while two wait", true, 1, make_auto_and_let_two_wait, nullptr, nullptr, set_it,
     let_one_go_and_the_other},
    {"event, auto reset: take", true, 1, make_auto_and_set, nullptr, nullptr, try_it,
     take_it_unless_it_is_gone},
    {"event, auto reset: wait beside another waiter, take", true, 7,
     make_auto_and_let_one_wait_and_another_set, nullptr, nullptr, wait_for_a_while,
     let_the_waiter_have_it_unless_it_is_gone},
    {"event, auto reset: wait until the deadline", true, 7, make_auto_and_let_one_wait, nullptr, nullptr,
     wait_in_vain, let_the_waiter_have_the_next},
};

}  // namespace

std::span<const scenario> event_scenarios() { return all; }

}  // namespace stepkill
