// SPDX-License-Identifier: MIT
#include "condition.h"

namespace kith::shm {

namespace {

enum waiter_state : uint64_t { waiting = 1, notified = 2, passing_on = 3, state_mask = 3 };

constexpr uint32_t no_word = UINT32_MAX;
constexpr uint32_t most_waiters = KITH_CONDITION_MOST_WAITERS;

uint64_t state_of(uint64_t word) { return word & state_mask; }
identity process_of(uint64_t word) { return {word & ~uint64_t{state_mask}}; }

uint32_t used_words(const condition_view& self) {
  const uint64_t used = self.state->used.load();
  return static_cast<uint32_t>(used < most_waiters ? used : most_waiters);
}

// Before a word is used: nobody looks behind `used`. Seq_cst, as is the claim of the word.
void mark_used(const condition_view& self, uint32_t index) {
  uint64_t used = self.state->used.load();
  while (used <= index && !self.state->used.compare_exchange_weak(used, index + 1)) {
  }
}

bool is_dead(uint64_t word) {
  const identity who = process_of(word);
  return !(who == platform::self()) && platform::alive(who) == liveness::dead;
}

// ---- notifying ----------------------------------------------------------------------------------------------------------------

// A waiter that has died takes no notification any more: its word is free.
bool clear_if_dead(std::atomic<uint64_t>& waiter, uint64_t word) {
  return is_dead(word) && waiter.compare_exchange_strong(word, 0);
}

// Gives how many notifications are left over. `looks`: passes over the dead, which costs system calls.
uint32_t notify(const condition_view& self, uint32_t count, bool looks) {
  const uint32_t used = used_words(self);
  // Relaxed: only who is next depends on it.
  uint32_t next = static_cast<uint32_t>(self.state->turn.load(std::memory_order_relaxed));
  for (uint32_t i = 0; i < used && count > 0; ++i) {
    const uint32_t index = next++ % used;
    std::atomic<uint64_t>& waiter = self.waiters[index];
    uint64_t word = waiter.load();
    if (state_of(word) != waiting || (looks && clear_if_dead(waiter, word))) continue;
    if (!waiter.compare_exchange_strong(word, process_of(word).bits | notified)) continue;
    platform::wake(*self.waiting, waiter, 1);
    --count;
    self.state->turn.store(next % used, std::memory_order_relaxed);
  }
  return count;
}

// A notification that a dead waiter did not take goes to another one, or stays for the next to come. Who is killed in the middle leaves a word
// that says so, and at worst one is notified twice.
void pass_on(const condition_view& self, std::atomic<uint64_t>& dead, uint64_t word) {
  const uint64_t mine = platform::self().bits | passing_on;
  if (!dead.compare_exchange_strong(word, mine)) return;
  const bool nobody_waits = notify(self, 1, true) != 0;
  uint64_t expected = mine;
  dead.compare_exchange_strong(expected, nobody_waits ? process_of(word).bits | notified : 0);
}

void pass_on_all(const condition_view& self) {
  const uint32_t used = used_words(self);
  for (uint32_t i = 0; i < used; ++i) {
    const uint64_t word = self.waiters[i].load();
    if (word != 0 && state_of(word) != waiting && is_dead(word)) pass_on(self, self.waiters[i], word);
  }
}

// ---- waiting -----------------------------------------------------------------------------------------------------------------

bool claim(const condition_view& self, uint32_t index, uint64_t word) {
  mark_used(self, index);
  return self.waiters[index].compare_exchange_strong(word, platform::self().bits | waiting);
}

uint32_t claim_any(const condition_view& self) {
  for (uint32_t i = 0; i < most_waiters; ++i) {
    if (self.waiters[i].load(std::memory_order_relaxed) == 0 && claim(self, i, 0)) return i;
  }
  // Words of the dead are used again when there are no others, though one may stand for a notification that nobody has wanted.
  for (uint32_t i = 0; i < most_waiters; ++i) {
    const uint64_t word = self.waiters[i].load(std::memory_order_relaxed);
    if ((word == 0 || is_dead(word)) && claim(self, i, word)) return i;
  }
  return no_word;
}

// KITH_OK: notified. Only notifiers change our word meanwhile, and only from waiting to notified; otherwise it is free afterwards.
kith_status await(const condition_view& self, std::atomic<uint64_t>& mine, const patience& limits) {
  const uint64_t expected = platform::self().bits | waiting;
  waiter sleeping(limits);
  (void)limits.spin_for([&] { return mine.load() != expected; });
  while (mine.load() == expected) {
    const uint64_t now = platform::clock_now();
    const kith_status stop = sleeping.must_stop(now);
    uint64_t word = expected;
    // A notification that came in time counts, whatever else is true.
    if (stop != KITH_OK && mine.compare_exchange_strong(word, 0)) return stop;
    if (stop == KITH_OK) sleeping.sleep(*self.waiting, mine, expected, {}, now);
    if (sleeping.should_look_around()) pass_on_all(self);
  }
  return KITH_OK;
}

}  // namespace

kith_status condition_wait(const condition_view& self, const lock_view& lock, const patience& limits,
                           const patience& limits_of_lock) {
  if (!lock_held_by_me(*lock.state)) return KITH_E_NOT_OWNER;
  // While we hold the lock: whoever changes what it protects after us, and notifies, finds our word.
  const uint32_t index = claim_any(self);
  if (index == no_word) return KITH_E_LIMIT;
  const uint64_t depth = lock_release_fully(*lock.state, *lock.waiting);
  const kith_status status = await(self, self.waiters[index], limits);
  const kith_status locked = lock_acquire(*lock.state, *lock.waiting, limits_of_lock);
  // Only now: were we killed while we waited for the lock, another one would get our notification.
  if (status == KITH_OK) self.waiters[index].store(0);
  if (locked < KITH_OK) return locked;
  lock_restore(*lock.state, depth);
  return locked == KITH_OWNER_DIED ? locked : status;
}

void condition_notify(const condition_view& self, uint32_t count) { (void)notify(self, count, false); }

void condition_wake_own(const condition_view& self) {
  const uint32_t used = used_words(self);
  const uint64_t mine = platform::self().bits | waiting;
  for (uint32_t i = 0; i < used; ++i) {
    if (self.waiters[i].load(std::memory_order_relaxed) == mine)
      platform::wake(*self.waiting, self.waiters[i], UINT32_MAX);
  }
}

}  // namespace kith::shm
