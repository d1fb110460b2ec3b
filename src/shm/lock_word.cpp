// SPDX-License-Identifier: MIT
#include "lock_word.h"

namespace kith::shm {

namespace {

constexpr uint64_t first_slice_ns = ns_per_ms;
constexpr uint64_t longest_slice_ns = 50 * ns_per_ms;
constexpr uint64_t probe_interval_ns = ns_per_ms;
constexpr int spin_rounds = 100;

identity owner_of(uint64_t word) { return {word & ~lock_died}; }

// Turns `word`, free or naming a dead owner, into one that names us. One compare-and-swap: of several that try, one wins.
// Acquire, with the release in lock_release: what the last owner did comes before what we do. (A dead owner released nothing;
// its writes are ordered before ours by the OS, which told us of its end.)
bool take(lock_state& lock, uint64_t word, uint64_t flags) {
  const identity self = platform::self();
  if (!lock.word.compare_exchange_strong(word, self.bits | flags, std::memory_order_acquire,
                                         std::memory_order_relaxed)) {
    return false;
  }
  lock.holder.store(thread_token(self), std::memory_order_relaxed);
  return true;
}

// Asked once: relaxed, as every thread that asks writes the same answer.
bool has_several_cpus() {
  static constinit std::atomic<uint32_t> known{0};
  uint32_t count = known.load(std::memory_order_relaxed);
  if (count == 0) {
    count = platform::cpu_count();
    known.store(count, std::memory_order_relaxed);
  }
  return count > 1;
}

// Short enough not to keep the owner off a core that both share.
bool spin(lock_state& lock) {
  if (!has_several_cpus()) return false;
  for (int round = 0; round < spin_rounds; ++round) {
    if (lock.word.load(std::memory_order_relaxed) == 0 && lock_try_fast(lock)) return true;
    platform::pause_cpu();
  }
  return false;
}

// What a waiter remembers between two looks at the word.
struct attempt {
  uint64_t slice_ns = first_slice_ns;
  bool announced = false;  // it has set `waiters`
  bool probe = false;      // ask whether the owner lives
};

// Probing costs microseconds, so it begins after the first slice; a call that does not wait at all probes too, or a dead owner would
// look busy for ever, but no oftener than once a millisecond for one handle.
bool probe_when_polling(const patience& limits, uint64_t now) {
  if (limits.last_probe_ns == nullptr) return true;
  // Relaxed: nothing but the rate of probes depends on it.
  const uint64_t last = limits.last_probe_ns->load(std::memory_order_relaxed);
  if (last != 0 && now - last < probe_interval_ns) return false;
  limits.last_probe_ns->store(now, std::memory_order_relaxed);
  return true;
}

// Announces a waiter, and sleeps for a slice unless the word changes.
void sleep_a_slice(lock_state& lock, wait_area& area, const patience& limits, uint64_t word, uint64_t now,
                   attempt& mine) {
  lock.waiters.store(1, std::memory_order_relaxed);
  mine.announced = true;
  platform::heavy_fence();  // pairs with the light one in lock_release
  if (lock.word.load(std::memory_order_relaxed) != word) return;
  const identity owner = owner_of(word);
  const deadline slice = deadline_after(now, mine.slice_ns);
  const identity watch = owner == platform::self() ? identity{} : owner;
  const platform::wait_result result =
      platform::wait(area, lock.word, word, earlier(slice, limits.until), watch);
  mine.probe = result != platform::wait_result::look_again;
  mine.slice_ns = mine.slice_ns >= longest_slice_ns / 2 ? longest_slice_ns : mine.slice_ns * 2;
}

// The one who releases the lock takes the flag down and wakes one. Others may still sleep: whoever was announced, and so may have
// been the one woken, puts the flag up again when it has the lock. One that is killed before costs the others a slice.
kith_status acquired(lock_state& lock, const attempt& mine, kith_status verdict) {
  if (mine.announced) lock.waiters.store(1, std::memory_order_relaxed);
  return verdict;
}

}  // namespace

kith_status lock_acquire_slow(lock_state& lock, wait_area& area, const patience& limits) {
  const identity me = platform::self();
  const bool polling = passed(limits.until, platform::clock_now());
  if (!polling && spin(lock)) return KITH_OK;
  attempt mine;
  for (;;) {
    const uint64_t word =
        lock.word.load(std::memory_order_relaxed);  // a hint: every change of it is a compare-and-swap
    const identity owner = owner_of(word);
    if (owner.nobody()) {
      if (!take(lock, word, word & lock_died)) continue;
      return acquired(lock, mine, (word & lock_died) != 0 ? KITH_OWNER_DIED : KITH_OK);
    }
    if (owner == me && lock_held_by_me(lock)) return KITH_E_DEADLOCK;
    const uint64_t now = platform::clock_now();
    if (polling) mine.probe = probe_when_polling(limits, now);
    if (mine.probe && owner != me && platform::alive(owner) == liveness::dead) {
      // The dead owner may have left sleepers: as if announced.
      mine.announced = true;
      if (take(lock, word, lock_died)) return acquired(lock, mine, KITH_OWNER_DIED);
      continue;
    }
    if (limits.closed != nullptr && limits.closed->load(std::memory_order_acquire)) return KITH_E_CLOSED;
    if (passed(limits.until, now)) return KITH_E_TIMEOUT;
    sleep_a_slice(lock, area, limits, word, now, mine);
  }
}

void lock_wake_one(lock_state& lock, wait_area& area) {
  lock.waiters.store(0, std::memory_order_relaxed);
  platform::wake(area, lock.word, 1);
}

kith_status lock_mark_consistent(lock_state& lock) {
  if (!lock_held_by_me(lock)) return KITH_E_NOT_OWNER;
  // While we hold it nobody else writes the word. Relaxed: it is published with the release.
  lock.word.store(lock.word.load(std::memory_order_relaxed) & ~lock_died, std::memory_order_relaxed);
  return KITH_OK;
}

}  // namespace kith::shm
