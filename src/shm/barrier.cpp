// SPDX-License-Identifier: MIT
#include "barrier.h"

namespace kith::shm {

namespace {

constexpr uint64_t broken_bit = 1;
constexpr uint64_t endings_shift = 1;
constexpr uint64_t known_endings = 15;
constexpr uint64_t endings_mask = (uint64_t{1} << known_endings) - 1;
constexpr uint64_t round_shift = 16;
constexpr uint32_t most_probes = 64;  // of parties, after one slice
// How long the table may be waited for, whatever the caller's timeout: it is held for microseconds, but its holder may be suspended.
constexpr uint64_t table_patience_ns = 100 * ns_per_ms;

uint64_t round_of(uint64_t phase) { return phase >> round_shift; }
bool is_broken(uint64_t phase) { return (phase & broken_bit) != 0; }

uint64_t next_phase(uint64_t phase, bool reset) {
  const uint64_t endings = (((phase >> endings_shift) << 1) | (reset ? 1 : 0)) & endings_mask;
  return ((round_of(phase) + 1) << round_shift) | (endings << endings_shift);
}

// Two rounds on: who arrived before a reset must not look like one who took part in the round before the fresh one, and is missed.
uint64_t phase_after_reset(uint64_t phase) { return next_phase(next_phase(phase, true), true); }

// How the round that we waited in ended, seen from a later phase. Where ours is forgotten, its party was suspended while the others went on
// without it, by resets or because there are more than so many of them: it is told that things are not as it left them.
kith_status ending_of(uint64_t round, uint64_t phase) {
  const uint64_t ago = round_of(phase) - round;
  if (ago > known_endings) return KITH_E_BROKEN;
  return ((phase >> (endings_shift + ago - 1)) & 1) == 0 ? KITH_OK : KITH_E_BROKEN;
}

// Acquire and release: what the parties did before they arrived comes before what any of them does afterwards.
bool change_phase(const barrier_view& self, uint64_t from, uint64_t to) {
  if (!self.state->phase.compare_exchange_strong(from, to, std::memory_order_acq_rel,
                                                 std::memory_order_relaxed))
    return false;
  platform::wake(*self.waiting, self.state->phase, UINT32_MAX);
  return true;
}

uint64_t phase_now(const barrier_view& self) { return self.state->phase.load(std::memory_order_acquire); }

void break_round(const barrier_view& self, uint64_t round) {
  const uint64_t phase = phase_now(self);
  if (round_of(phase) == round && !is_broken(phase)) (void)change_phase(self, phase, phase | broken_bit);
}

// ---- the table ---------------------------------------------------------------------------------------------------------------

// The table's lock. Whoever died with it may have left half of an arrival: the barrier is broken then.
class table_access {
 public:
  table_access(const barrier_view& self, const patience& limits) : self_(self) {
    status_ = lock_acquire(self.state->lock, *self.waiting, limits);
    if (status_ != KITH_OWNER_DIED) return;
    barrier_abort(self);
    status_ = lock_mark_consistent(self.state->lock);
  }
  ~table_access() {
    if (status_ == KITH_OK) (void)lock_release(self_.state->lock, *self_.waiting);
  }
  table_access(const table_access&) = delete;
  table_access& operator=(const table_access&) = delete;
  kith_status status() const { return status_; }

 private:
  const barrier_view& self_;
  kith_status status_;
};

// Under the lock relaxed is enough, but others look for the dead without it: a round is read before the process it belongs to.
uint64_t arrived_in(const barrier_seat& seat) { return seat.arrived.load(std::memory_order_acquire); }
identity process_in(const barrier_seat& seat) { return {seat.process.load(std::memory_order_relaxed)}; }

// A seat for this process: the one that it had in the last round, else one that nobody had, else one whose party has not come yet.
barrier_seat* find_seat(const barrier_view& self, uint64_t round) {
  barrier_seat* found = nullptr;
  int best = 0;
  for (uint32_t i = 0; i < self.parties; ++i) {
    barrier_seat& seat = self.seats[i];
    if (arrived_in(seat) == round + 1) continue;
    const identity who = process_in(seat);
    const int worth = who == platform::self() ? 3 : who.nobody() ? 2 : 1;
    if (worth > best) {
      best = worth;
      found = &seat;
    }
  }
  return found;
}

uint32_t count_arrived(const barrier_view& self, uint64_t round) {
  uint32_t count = 0;
  for (uint32_t i = 0; i < self.parties; ++i) count += arrived_in(self.seats[i]) == round + 1 ? 1u : 0u;
  return count;
}

// What an arrival led to.
struct arrival {
  kith_status status = KITH_OK;  // KITH_LAST, KITH_E_BROKEN, or KITH_OK: wait for the others
  uint64_t round = 0;
  barrier_seat* seat = nullptr;
};

patience table_patience() { return {deadline_after(platform::clock_now(), table_patience_ns)}; }

arrival arrive(const barrier_view& self) {
  const table_access table(self, table_patience());
  if (table.status() != KITH_OK) {
    barrier_abort(self);
    return {KITH_E_TIMEOUT};
  }
  const uint64_t phase = phase_now(self);
  const uint64_t round = round_of(phase);
  barrier_seat* const seat = is_broken(phase) ? nullptr : find_seat(self, round);
  if (seat == nullptr) return {KITH_E_BROKEN};
  seat->process.store(platform::self().bits, std::memory_order_relaxed);
  seat->arrived.store(round + 1, std::memory_order_release);
  if (count_arrived(self, round) < self.parties) return {KITH_OK, round, seat};
  return {change_phase(self, phase, next_phase(phase, false)) ? KITH_LAST : KITH_E_BROKEN, round, seat};
}

// ---- waiting for the others ----------------------------------------------------------------------------------------------------

// Breaks the round when somebody has died who has arrived in it, or in the one before: that one will not come.
void look_for_the_dead(const barrier_view& self, uint64_t round, uint32_t& next) {
  identity known_alive = platform::self();
  uint32_t probes = 0;
  for (uint32_t i = 0; i < self.parties && probes < most_probes; ++i) {
    const barrier_seat& seat = self.seats[next++ % self.parties];
    const uint64_t arrived = arrived_in(seat);
    const identity who = process_in(seat);
    if (arrived == 0 || arrived < round || who.nobody() || who == known_alive) continue;
    ++probes;
    if (platform::alive(who) == liveness::dead) return break_round(self, round);
    known_alive = who;
  }
}

// Takes an arrival back. False: too late, the round has ended.
bool withdraw(const barrier_view& self, const arrival& mine) {
  const table_access table(self, table_patience());
  const bool still_waiting = round_of(phase_now(self)) == mine.round;
  if (still_waiting && table.status() == KITH_OK) {
    mine.seat->arrived.store(mine.round,
                             std::memory_order_release);  // as if it had come to the last round only
  } else if (still_waiting) {
    break_round(self, mine.round);
  }
  return still_waiting;
}

kith_status give_up(const barrier_view& self, const arrival& mine, kith_status why) {
  const bool comes_back = why == KITH_E_CANCELLED || why == KITH_E_INTERRUPTED;
  if (comes_back) {
    if (withdraw(self, mine)) return why;
  } else {
    break_round(self, mine.round);
    if (round_of(phase_now(self)) == mine.round) return why;
  }
  return ending_of(mine.round, phase_now(self));
}

kith_status await(const barrier_view& self, const arrival& mine, const patience& limits) {
  waiter sleeping(limits);
  (void)limits.spin_for([&] { return round_of(phase_now(self)) != mine.round; });
  uint32_t next = 0, watched_seat = 0;
  for (;;) {
    const uint64_t phase = phase_now(self);
    if (round_of(phase) != mine.round) return ending_of(mine.round, phase);
    const uint64_t now = platform::clock_now();
    const kith_status stop = sleeping.must_stop(now);
    // Who closes the handle breaks the barrier, too.
    if (is_broken(phase)) return stop == KITH_E_CLOSED ? KITH_E_CLOSED : KITH_E_BROKEN;
    if (stop != KITH_OK) return give_up(self, mine, stop);
    const identity one = process_in(self.seats[watched_seat++ % self.parties]);
    sleeping.sleep(*self.waiting, self.state->phase, phase,
                   {one == platform::self() ? identity{} : one, self.parties > 1}, now);
    if (sleeping.should_look_around()) look_for_the_dead(self, mine.round, next);
  }
}

}  // namespace

kith_status barrier_wait(const barrier_view& self, const patience& limits, uint32_t& place) {
  const arrival mine = arrive(self);
  if (mine.status < KITH_OK) return mine.status;
  place = static_cast<uint32_t>(mine.seat - self.seats);
  return mine.status == KITH_LAST ? KITH_LAST : await(self, mine, limits);
}

void barrier_abort(const barrier_view& self) {
  uint64_t phase = phase_now(self);
  while (!is_broken(phase) && !change_phase(self, phase, phase | broken_bit)) phase = phase_now(self);
}

void barrier_reset(const barrier_view& self) {
  // Whoever has died with the table breaks the barrier now, and not the fresh round. Without the table, when its holder is suspended,
  // the reset is as good: an arrival that it overtakes is of the old round.
  const table_access table(self, table_patience());
  uint64_t phase = phase_now(self);
  while (!change_phase(self, phase, phase_after_reset(phase))) phase = phase_now(self);
}

uint32_t barrier_waiting(const barrier_view& self) {
  const uint64_t phase = phase_now(self);
  return is_broken(phase) ? 0 : count_arrived(self, round_of(phase));
}

bool barrier_is_broken(const barrier_view& self) { return is_broken(phase_now(self)); }

void barrier_leave(const barrier_view& self) {
  const uint64_t round = round_of(phase_now(self));
  const table_access table(self, {at_once});  // closing never waits; at worst we are missed later
  for (uint32_t i = 0; i < self.parties; ++i) {
    barrier_seat& seat = self.seats[i];
    if (!(process_in(seat) == platform::self())) continue;
    if (arrived_in(seat) == round + 1) {
      break_round(self, round);
    } else if (table.status() == KITH_OK) {
      seat.process.store(0, std::memory_order_relaxed);
    }
  }
}

}  // namespace kith::shm
