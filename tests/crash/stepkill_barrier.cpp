// SPDX-License-Identifier: MIT
// What can be done with a barrier. The survivors are parties; after all this process takes the place of the victim in a fresh round.
#include "stepkill.h"

namespace stepkill {

namespace {

using kith::deadline;
using kith::deadline_after;
using kith::no_deadline;
using kith::platform::clock_now;

// As src/shm/barrier.h describes the words.
constexpr uint64_t broken_bit = 1;
constexpr uint64_t round_shift = 16;

// In the first round a victim may be unknown, so that only its deadline helps a survivor. One that waits already must have looked
// for the dead before; one that comes later meets what it meets.
constexpr uint64_t deadline_while_waiting_ms = 40;
constexpr uint64_t deadline_when_coming_later_ms = 5;
constexpr uint64_t victim_patience_ns = 3 * kith::ns_per_ms / 2;
constexpr uint64_t several_slices_ns = 4 * kith::ns_per_ms;

kith::shm::barrier_view barrier(world& w, uint32_t parties) {
  return {&w.shared->barrier, w.shared->seats, parties, &w.area};
}

kith_status arrive(world& w, uint32_t parties, deadline until, uint32_t& place) {
  return kith::shm::barrier_wait(barrier(w, parties), {until}, place);
}

uint32_t count_waiting(world& w, uint32_t parties) { return kith::shm::barrier_waiting(barrier(w, parties)); }

void abort_it(world& w) { kith::shm::barrier_abort(barrier(w, 2)); }
void reset_it(world& w) { kith::shm::barrier_reset(barrier(w, 2)); }

// ---- survivors -----------------------------------------------------------------------------------------------------------------

// Waits once more whenever it is told to. Waits without end, but where a deadline is all that helps.
kith_status be_party(world& w, uint32_t index, uint32_t parties, uint64_t deadline_ms) {
  report& mine = w.shared->reports[index];
  for (uint32_t nth = 1;; ++nth) {
    await([&] { return mine.may_go.load() >= nth; });
    const bool hurry = deadline_ms != 0 && nth == 1;
    uint32_t place = 0;
    const kith_status status = arrive(
        w, parties, hurry ? deadline_after(clock_now(), deadline_ms * kith::ns_per_ms) : no_deadline, place);
    mine.place.store(place);
    finish(w, index, status);
  }
}

void let_go(world& w, uint32_t index, uint32_t nth) { w.shared->reports[index].may_go.store(nth); }

// It sleeps in the barrier; before that it may have slept until it was let go.
template <uint32_t parties>
void let_go_and_await_arrival(world& w, uint32_t index, uint32_t nth) {
  const uint32_t before = count_waiting(w, parties);
  let_go(w, index, nth);
  await([&] { return count_waiting(w, parties) > before && is_process_asleep(w.survivors[index]); });
}

// ---- before the operation --------------------------------------------------------------------------------------------------------

template <uint32_t parties, uint64_t deadline_ms>
void start_parties(world& w) {
  for (uint32_t i = 0; i + 1 < parties; ++i)
    start_survivor(w, i, [&w, i] { return be_party(w, i, parties, deadline_ms); });
}

// In the victim. The round that it takes part in before it is stepped.
template <uint32_t parties>
void be_there_in_the_first_round(world& w) {
  uint32_t place = 0;
  for (uint32_t i = 0; i + 1 < parties; ++i) let_go(w, i, 1);
  arrive(w, parties, no_deadline, place);
}

template <uint32_t parties>
void await_first_round(world& w) {
  for (uint32_t i = 0; i + 1 < parties; ++i) await([&w, i] { return w.shared->reports[i].done.load() == 1; });
}

template <uint32_t parties, uint32_t nth>
void let_all_others_arrive(world& w) {
  for (uint32_t i = 0; i + 1 < parties; ++i) let_go_and_await_arrival<parties>(w, i, nth);
}

void let_the_other_wait_for_long(world& w) {
  let_all_others_arrive<2, 1>(w);
  pass_time(long_wait_ns);
}

template <uint32_t parties>
void let_all_others_arrive_again(world& w) {
  await_first_round<parties>(w);
  let_all_others_arrive<parties, 2>(w);
}

void let_one_of_two_others_arrive_again(world& w) {
  await_first_round<3>(w);
  let_go_and_await_arrival<3>(w, 0, 2);
}

// ---- operations --------------------------------------------------------------------------------------------------------------------

template <uint32_t parties>
void arrive_and_wait(world& w) {
  uint32_t place = 0;
  arrive(w, parties, no_deadline, place);
}

template <uint32_t parties>
void arrive_and_wait_in_vain(world& w) {
  uint32_t place = 0;
  arrive(w, parties, deadline_after(clock_now(), victim_patience_ns), place);
}

void arrive_and_withdraw(world& w) {
  kith::shm::cancellation cancel;
  cancel.fire();
  kith::shm::patience limits{no_deadline};
  limits.cancel = &cancel;
  uint32_t place = 0;
  kith::shm::barrier_wait(barrier(w, 2), limits, place);
}

// ---- afterwards ------------------------------------------------------------------------------------------------------------------

uint64_t round_in(const frozen& then) { return then.phase >> round_shift; }
bool is_broken_in(const frozen& then) { return (then.phase & broken_bit) != 0; }

bool has_arrived_in(const world& w, const frozen& then, uint64_t round) {
  for (uint32_t i = 0; i < most_parties; ++i) {
    if (names_dead(w, then.seat_process[i]) && then.seat_arrived[i] == round + 1) return true;
  }
  return false;
}

// A reset makes it whole again, whatever the dead had in hand: a fresh round of live processes comes to its end. The others wait for a while,
// so that they look for the dead, and must not miss the one that died before the reset.
template <uint32_t parties>
void complete_a_fresh_round(world& w, uint32_t nth, judgement& verdict) {
  if (verdict.stuck()) return;
  kith::shm::barrier_reset(barrier(w, parties));
  verdict.must(!kith::shm::barrier_is_broken(barrier(w, parties)), "a reset makes it whole");
  verdict.must(count_waiting(w, parties) == 0, "a reset makes it empty");
  for (uint32_t i = 0; i + 1 < parties; ++i) let_go(w, i, nth);
  const bool all_there =
      await_in_time(clock_now(), [&w] { return count_waiting(w, parties) == parties - 1; });
  if (!all_there) return verdict.too_slow("the others arrive for a fresh round");
  pass_time(several_slices_ns);
  uint32_t place = 0;
  const uint64_t since = clock_now();
  const kith_status status = arrive(w, parties, deadline_after(since, patience_ns), place);
  verdict.came_back("the last of a fresh round", {status, clock_now() - since}, KITH_LAST);
  uint32_t places = 1u << place;
  for (uint32_t i = 0; i + 1 < parties; ++i) {
    verdict.came_back("a party of a fresh round", await_survivor(w, i, since, nth), KITH_OK);
    places |= 1u << w.shared->reports[i].place.load();
  }
  verdict.must(places == (1u << parties) - 1, "each party has a place of its own");
}

template <uint32_t parties>
void all_others_come_back(world& w, uint64_t since, uint32_t nth, kith_status expected, judgement& verdict) {
  for (uint32_t i = 0; i + 1 < parties; ++i)
    verdict.came_back("a party", await_survivor(w, i, since, nth), expected);
}

// Who waits comes back when all have arrived, or when a party that has arrived is dead. Of others it does not know.
void first_round_ends_by_deadline(world& w, const frozen& then, judgement& verdict) {
  if (w.shared->reports[0].done_at.load() != 0 && w.shared->reports[0].status.load() == KITH_E_TIMEOUT)
    return verdict.too_slow("the victim came too late for the deadline");
  const bool arrived = has_arrived_in(w, then, 0);
  all_others_come_back<2>(w, then.killed_at, 1,
                          round_in(then) == 1 ? KITH_OK
                          : arrived           ? KITH_E_BROKEN
                                              : KITH_E_TIMEOUT,
                          verdict);
  complete_a_fresh_round<2>(w, 2, verdict);
}

// All have arrived, and one of them has died since, unnoticed: the round has ended well. But the next one misses it.
template <uint32_t parties>
void next_round_is_broken(world& w, uint32_t nth, judgement& verdict) {
  const uint64_t since = clock_now();
  for (uint32_t i = 0; i + 1 < parties; ++i) let_go(w, i, nth);
  all_others_come_back<parties>(w, since, nth, KITH_E_BROKEN, verdict);
  complete_a_fresh_round<parties>(w, nth + 1, verdict);
}

// It comes after the victim, who leaves the table in disorder, or has arrived, or is not known there.
void first_round_ends_for_the_next(world& w, const frozen& then, judgement& verdict) {
  const bool broken = is_broken_in(then) || names_dead(w, then.table_lock);
  const bool arrived = has_arrived_in(w, then, 0);
  const uint64_t since = clock_now();
  let_go(w, 0, 1);
  all_others_come_back<2>(w, since, 1,
                          broken    ? KITH_E_BROKEN
                          : arrived ? KITH_LAST
                                    : KITH_E_TIMEOUT,
                          verdict);
  if (arrived && !broken) return next_round_is_broken<2>(w, 2, verdict);
  complete_a_fresh_round<2>(w, 2, verdict);
}

// Without deadline: when nobody knows of the victim, somebody must say that it will not come.
template <uint32_t parties>
void first_round_ends_by_abort(world& w, const frozen& then, judgement& verdict) {
  uint64_t since = then.killed_at;
  const bool ended = round_in(then) == 1;
  if (!ended && !has_arrived_in(w, then, 0)) {
    verdict.must(!is_back(w, 0), "nobody comes back before all are there");
    since = clock_now();
    kith::shm::barrier_abort(barrier(w, parties));
  }
  all_others_come_back<parties>(w, since, 1, ended ? KITH_OK : KITH_E_BROKEN, verdict);
  complete_a_fresh_round<parties>(w, 2, verdict);
}

// The victim took part in the round before, so it is missed.
template <uint32_t parties>
void later_round_ends(world& w, const frozen& then, judgement& verdict) {
  all_others_come_back<parties>(w, then.killed_at, 2, round_in(then) == 2 ? KITH_OK : KITH_E_BROKEN, verdict);
  complete_a_fresh_round<parties>(w, 3, verdict);
}

void later_round_ends_for_the_next(world& w, const frozen& then, judgement& verdict) {
  const bool broken = is_broken_in(then) || names_dead(w, then.table_lock) || !has_arrived_in(w, then, 1);
  let_go(w, 0, 2);
  all_others_come_back<2>(w, then.killed_at, 2, broken ? KITH_E_BROKEN : KITH_LAST, verdict);
  if (!broken) return next_round_is_broken<2>(w, 3, verdict);
  complete_a_fresh_round<2>(w, 3, verdict);
}

// One waits already. When the victim has arrived, what comes first counts: the last one, or that somebody notices the death.
void later_round_ends_for_the_other_two(world& w, const frozen& then, judgement& verdict) {
  const bool broken = is_broken_in(then) || names_dead(w, then.table_lock) || !has_arrived_in(w, then, 1);
  let_go(w, 1, 2);
  const recovery last = await_survivor(w, 1, then.killed_at, 2);
  const bool complete = !broken && last.status == KITH_LAST;
  verdict.came_back("the last one", last, complete ? KITH_LAST : KITH_E_BROKEN);
  verdict.came_back("the other one", await_survivor(w, 0, then.killed_at, 2),
                    complete ? KITH_OK : KITH_E_BROKEN);
  if (complete) return next_round_is_broken<3>(w, 3, verdict);
  complete_a_fresh_round<3>(w, 3, verdict);
}

void is_aborted(world& w, const frozen& then, judgement& verdict) {
  uint64_t since = then.killed_at;
  if (!is_broken_in(then)) {
    verdict.must(!is_back(w, 0), "nobody comes back before it is broken");
    since = clock_now();
    abort_it(w);
  }
  all_others_come_back<2>(w, since, 1, KITH_E_BROKEN, verdict);
  complete_a_fresh_round<2>(w, 2, verdict);
}

void is_reset(world& w, const frozen& then, judgement& verdict) {
  uint64_t since = then.killed_at;
  if (round_in(then) == 0) {
    verdict.must(!is_back(w, 0), "nobody comes back before it is reset");
    since = clock_now();
    reset_it(w);
  }
  verdict.must(!kith::shm::barrier_is_broken(barrier(w, 2)), "a reset makes it whole");
  all_others_come_back<2>(w, since, 1, KITH_E_BROKEN, verdict);
  complete_a_fresh_round<2>(w, 2, verdict);
}

constexpr scenario all[] = {
    {"barrier: arrive as the last of two, first round", true, 1, start_parties<2, deadline_while_waiting_ms>,
     nullptr, let_all_others_arrive<2, 1>, arrive_and_wait<2>, first_round_ends_by_deadline, 2},
    {"barrier: arrive as the first of two, first round", true, 61,
     start_parties<2, deadline_when_coming_later_ms>, nullptr, nullptr, arrive_and_wait_in_vain<2>,
     first_round_ends_for_the_next, 3},
    {"barrier: arrive and withdraw", true, 1, start_parties<2, deadline_when_coming_later_ms>, nullptr,
     nullptr, arrive_and_withdraw, first_round_ends_for_the_next},
    {"barrier: arrive as the last of three, first round", true, 1, start_parties<3, 0>, nullptr,
     let_all_others_arrive<3, 1>, arrive_and_wait<3>, first_round_ends_by_abort<3>},
    {"barrier: arrive as the last of two, later round", true, 1, start_parties<2, 0>,
     be_there_in_the_first_round<2>, let_all_others_arrive_again<2>, arrive_and_wait<2>, later_round_ends<2>},
    {"barrier: arrive as the first of two, later round", true, 61, start_parties<2, 0>,
     be_there_in_the_first_round<2>, await_first_round<2>, arrive_and_wait_in_vain<2>,
     later_round_ends_for_the_next, 3},
    {"barrier: arrive as the second of three, later round", true, 61, start_parties<3, 0>,
     be_there_in_the_first_round<3>, let_one_of_two_others_arrive_again, arrive_and_wait_in_vain<3>,
     later_round_ends_for_the_other_two, 3},
    {"barrier: arrive as the last of three, later round", true, 1, start_parties<3, 0>,
     be_there_in_the_first_round<3>, let_all_others_arrive_again<3>, arrive_and_wait<3>, later_round_ends<3>},
    {"barrier: abort, while another process waits", true, 1, start_parties<2, 0>, nullptr,
     let_all_others_arrive<2, 1>, abort_it, is_aborted},
    {"barrier: abort, while another process has waited for long", true, 1, start_parties<2, 0>, nullptr,
     let_the_other_wait_for_long, abort_it, is_aborted, 3},
    {"barrier: reset, while another process waits", true, 1, start_parties<2, 0>, nullptr,
     let_all_others_arrive<2, 1>, reset_it, is_reset},
};

}  // namespace

std::span<const scenario> barrier_scenarios() { return all; }

}  // namespace stepkill
