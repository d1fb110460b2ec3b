// SPDX-License-Identifier: MIT
#include "lock_word.h"

namespace kith::shm {

namespace {

constexpr uint64_t first_slice_ns = ns_per_ms;
constexpr uint64_t longest_slice_ns = 50 * ns_per_ms;
constexpr uint64_t probe_interval_ns = ns_per_ms;
constexpr int spin_rounds = 100;

identity owner_of(uint64_t word) { return {word & ~lock_flags}; }

// Turns `word`, free or naming a dead owner, into one that names us. One compare-and-swap: of several that try, one wins.
// Acquire, with the release in lock_release: what the last owner did comes before what we do. (A dead owner released nothing;
// its writes are ordered before ours by the OS, which told us of its end.)
bool take(lock_state& lock, uint64_t word, uint64_t flags) {
  if (!lock.word.compare_exchange_strong(word, platform::self().bits | flags, std::memory_order_acquire,
                                         std::memory_order_relaxed)) {
    return false;
  }
  lock.holder.store(thread_token(), std::memory_order_relaxed);
  return true;
}

// Short enough not to keep the owner off a core that both share.
bool spin(lock_state& lock) {
  if (platform::cpu_count() < 2) return false;
  for (int round = 0; round < spin_rounds; ++round) {
    if (lock.word.load(std::memory_order_relaxed) == 0 && lock_try_fast(lock)) return true;
    platform::pause_cpu();
  }
  return false;
}

// What a waiter remembers between two looks at the word.
struct attempt {
  uint64_t slice_ns = first_slice_ns;
  bool slept = false;
  bool probe = false;  // ask whether the owner lives
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

// Marks the word as waited for, and sleeps for a slice. The flag is only ever set by somebody who then sleeps or takes the
// lock, so it is at worst superfluous.
void sleep_a_slice(lock_state& lock, wait_area& area, const patience& limits, uint64_t word, uint64_t now, attempt& mine) {
  if ((word & lock_waiters) == 0) {
    if (!lock.word.compare_exchange_strong(word, word | lock_waiters, std::memory_order_relaxed)) return;
    word |= lock_waiters;
  }
  const identity owner = owner_of(word);
  const deadline slice = deadline_after(now, mine.slice_ns);
  const identity watch = owner == platform::self() ? identity{} : owner;
  const platform::wait_result result =
      platform::wait(area, lock.word, word, earlier(slice, limits.until), watch);
  mine.slept = true;
  mine.probe = result != platform::wait_result::look_again;
  if (mine.slice_ns < longest_slice_ns) mine.slice_ns *= 2;
  if (mine.slice_ns > longest_slice_ns) mine.slice_ns = longest_slice_ns;
}

}  // namespace

kith_status lock_acquire_slow(lock_state& lock, wait_area& area, const patience& limits) {
  const identity me = platform::self();
  const bool polling = passed(limits.until, platform::clock_now());
  if (!polling && spin(lock)) return KITH_OK;
  attempt mine;
  for (;;) {
    const uint64_t word = lock.word.load(std::memory_order_relaxed);  // a hint: every change of it is a compare-and-swap
    const identity owner = owner_of(word);
    if (owner.nobody()) {
      // Who slept cannot know whether others still sleep: it keeps the flag for them. Who did not sleep need not: the one that
      // was woken for this release will find the lock held and set the flag again.
      if (!take(lock, word, (word & lock_died) | (mine.slept ? lock_waiters : 0))) continue;
      return (word & lock_died) != 0 ? KITH_OWNER_DIED : KITH_OK;
    }
    if (owner == me && lock.holder.load(std::memory_order_relaxed) == thread_token()) return KITH_E_DEADLOCK;
    const uint64_t now = platform::clock_now();
    if (polling) mine.probe = probe_when_polling(limits, now);
    if (mine.probe && owner != me && platform::alive(owner) == liveness::dead) {
      if (take(lock, word, lock_died | lock_waiters)) return KITH_OWNER_DIED;
      continue;
    }
    if (limits.closed != nullptr && limits.closed->load(std::memory_order_acquire)) return KITH_E_CLOSED;
    if (passed(limits.until, now)) return KITH_E_TIMEOUT;
    sleep_a_slice(lock, area, limits, word, now, mine);
  }
}

// Relaxed loads are enough: when the word names our process and holder our thread, we wrote both ourselves; no other thread
// writes our token, and we cleared it before our last release, so an old value of ours cannot be read again.
bool lock_held_by_me(const lock_state& lock) {
  return owner_of(lock.word.load(std::memory_order_relaxed)) == platform::self() &&
         lock.holder.load(std::memory_order_relaxed) == thread_token();
}

kith_status lock_release(lock_state& lock, wait_area& area) {
  if (!lock_held_by_me(lock)) return KITH_E_NOT_OWNER;
  lock.holder.store(0, std::memory_order_relaxed);
  // While we hold it nobody but us changes D, and W is only ever set. Release, with the acquire of the next owner.
  const uint64_t kept = lock.word.load(std::memory_order_relaxed) & lock_died;
  const uint64_t before = lock.word.exchange(kept, std::memory_order_release);
  if ((before & lock_waiters) != 0) platform::wake(area, lock.word, 1);
  return KITH_OK;
}

kith_status lock_mark_consistent(lock_state& lock) {
  if (!lock_held_by_me(lock)) return KITH_E_NOT_OWNER;
  lock.word.fetch_and(~lock_died, std::memory_order_relaxed);  // published with the release
  return KITH_OK;
}

}  // namespace kith::shm
