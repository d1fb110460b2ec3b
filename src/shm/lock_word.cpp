// SPDX-License-Identifier: MIT
#include "lock_word.h"

namespace kith::shm {

namespace {

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
  return !lock_is_noted(lock) || lock_note(lock);
}

uint64_t forget_depth(lock_state& lock) {
  const uint64_t depth = lock.depth.load(std::memory_order_relaxed);
  lock.depth.store(depth & lock_noted, std::memory_order_relaxed);
  return depth & ~lock_noted;
}

// "Somebody may sleep", and from when on the owner is watched.
void announce(lock_state& lock, uint64_t now) {
  // Whoever releases the lock takes the flag down: as long as it is up, the owner is the same one.
  if (lock.waiters.exchange(1, std::memory_order_relaxed) == 0 && !lock_is_noted(lock))
    lock.since_ns.store(now, std::memory_order_relaxed);
}

// One call that waits.
class contender {
 public:
  contender(lock_state& lock, wait_area& area, const patience& limits)
      : lock_(lock), area_(area), limits_(limits), waiting_(limits) {}

  kith_status acquire();

 private:
  kith_status try_once(bool look_around, uint64_t& word);
  void sleep(uint64_t word, uint64_t now);
  kith_status leave(kith_status verdict);

  lock_state& lock_;
  wait_area& area_;
  const patience& limits_;
  waiter waiting_;
  bool announced_ = false;  // it has set `waiters`
};

// The one who releases the lock takes the flag down and wakes one. Others may still sleep: whoever was announced, and so may have
// been the one woken, puts the flag up again, when it has the lock or goes without. Who goes without looks at the word once
// more: its owner may have gone before the flag was up again. One that is killed before costs the others a slice.
kith_status contender::leave(kith_status verdict) {
  if (!announced_) return verdict;
  waiting_.sleep_no_more();
  announce(lock_, platform::clock_now());
  if (verdict >= KITH_OK) return verdict;
  platform::heavy_fence();  // pairs with the light one in lock_let_go
  if (owner_of(lock_.word.load(std::memory_order_relaxed)).nobody()) lock_wake_one(lock_, area_);
  return verdict;
}

// KITH_E_BUSY: somebody else has it.
kith_status contender::try_once(bool look_around, uint64_t& word) {
  const identity me = platform::self();
  for (;;) {
    word = lock_.word.load(std::memory_order_relaxed);  // a hint: every change of it is a compare-and-swap
    const identity owner = owner_of(word);
    if (owner.nobody()) {
      if (!take(lock_, word, word & lock_died)) continue;
      return (word & lock_died) != 0 ? KITH_OWNER_DIED : KITH_OK;
    }
    if (!look_around || owner == me || platform::alive(owner) != liveness::dead) return KITH_E_BUSY;
    announced_ = true;  // the dead owner may have left sleepers
    if (!take(lock_, word, lock_died)) continue;
    // The dead owner's; who is killed before leaves it to the next.
    forget_depth(lock_);
    // The flag may be up since the dead owner's time.
    if (!lock_is_noted(lock_)) lock_.since_ns.store(platform::clock_now(), std::memory_order_relaxed);
    return KITH_OWNER_DIED;
  }
}

// Announces a waiter, and sleeps for a slice unless the lock has been released. It sleeps on the flag and not on the word: an owner
// that has read the flag may be slow to take it down, and by then the word may be the next owner's, whose waiter would sleep through.
void contender::sleep(uint64_t word, uint64_t now) {
  announce(lock_, now);
  announced_ = true;
  platform::heavy_fence();  // pairs with the light one in lock_let_go
  if (lock_.word.load(std::memory_order_relaxed) != word) return;
  const identity owner = owner_of(word);
  waiting_.sleep(area_, lock_.waiters, 1, {owner == platform::self() ? identity{} : owner}, now);
}

kith_status contender::acquire() {
  uint64_t now = platform::clock_now();
  const bool polling = passed(limits_.until, now);
  bool look_around = polling && waiting_.should_look_around_when_polling(now);
  for (;;) {
    uint64_t word = 0;
    const kith_status status = try_once(look_around, word);
    if (status != KITH_E_BUSY) return leave(status);
    const kith_status stop = waiting_.must_stop(now);
    if (stop != KITH_OK) return leave(stop);
    sleep(word, now);
    now = platform::clock_now();
    look_around = waiting_.should_look_around();
  }
}

}  // namespace

bool lock_note(lock_state& lock) {
  lock.since_ns.store(platform::clock_rough(), std::memory_order_relaxed);
  return true;
}

kith_status lock_acquire_again(lock_state& lock) {
  if ((lock.options.load(std::memory_order_relaxed) & lock_recursive) == 0) return KITH_E_DEADLOCK;
  const uint64_t depth = lock.depth.load(std::memory_order_relaxed);
  if ((depth & ~lock_noted) >= UINT32_MAX) return KITH_E_LIMIT;
  lock.depth.store(depth + 1, std::memory_order_relaxed);
  return KITH_OK;
}

kith_status lock_acquire_slow(lock_state& lock, wait_area& area, const patience& limits) {
  (void)platform::self();  // for lock_try_fast
  if (lock_held_by_me(lock)) return lock_acquire_again(lock);
  const auto take_free = [&] {
    return lock.word.load(std::memory_order_relaxed) == 0 && lock_try_fast(lock);
  };
  if (limits.spin_for(take_free, pace::slackening)) return KITH_OK;
  return contender(lock, area, limits).acquire();
}

void lock_wake_one(lock_state& lock, wait_area& area) {
  lock.waiters.store(0, std::memory_order_relaxed);
  platform::wake(area, lock.waiters, 1);
}

kith_status lock_mark_consistent(lock_state& lock) {
  if (!lock_held_by_me(lock)) return KITH_E_NOT_OWNER;
  // While we hold it nobody else writes the word. Relaxed: it is published with the release.
  lock.word.store(lock.word.load(std::memory_order_relaxed) & ~lock_died, std::memory_order_relaxed);
  return KITH_OK;
}

uint64_t lock_release_fully(lock_state& lock, wait_area& area) {
  const uint64_t depth = forget_depth(lock);
  (void)lock_release(lock, area);
  return depth;
}

void lock_restore(lock_state& lock, uint64_t depth) {
  lock.depth.store(lock.depth.load(std::memory_order_relaxed) | depth, std::memory_order_relaxed);
}

uint64_t lock_held_ns(const lock_state& lock, uint64_t now) {
  const uint64_t since = lock.since_ns.load(std::memory_order_relaxed);
  const bool known = lock_is_noted(lock) ? since != 0 : lock.waiters.load(std::memory_order_relaxed) != 0;
  return known && now > since ? now - since : 0;
}

lock_owner lock_look(lock_state& lock) {
  const identity who = owner_of(lock.word.load(std::memory_order_relaxed));
  if (who.nobody()) return {};
  const uint64_t now = platform::clock_now();
  announce(lock, now);
  return {who, lock_held_ns(lock, now)};
}

}  // namespace kith::shm
