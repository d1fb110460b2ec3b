// SPDX-License-Identifier: MIT
// The lock: one 64-bit word in shared memory that names its owner.
//
//   bit 0       D  an owner died, and nobody has said yet that the data is in order
//   bit 1          always zero
//   bits 2..63     identity of the owner (src/identity.h); zero: free
//
// The compare-and-swap that takes the lock writes the whole identity, so there is no instruction at which the lock is held by an
// unnamed process; wherever the owner is killed, the next one finds its name and sees that it is dead. docs/internals.md has
// the table of crash points.
//
// While the lock is held nobody but its owner writes the word, so one plain store releases it. "Somebody may sleep" stands in a word
// of its own: the owner stores the word, then reads `waiters`; a waiter stores `waiters`, then reads the word; with a fence between
// on both sides one of them sees the other. The owner's fence is the light one of an asymmetric pair (platform.h), which is free where the
// OS has the heavy one: that halves the cost of the common case, in which nobody waits.
//
// Memory model, in short: the compare-and-swap is an acquire and the store that releases a release, which orders critical sections; word and
// `waiters` are ordered against each other by the fences alone; everything else is a hint that a compare-and-swap confirms, or is written by
// the holder only. tests/model explores every interleaving of these steps, with stores that arrive late and processes that are killed.
#pragma once

#include <kith/kith.h>

#include <atomic>
#include <cstdint>

#include "../platform.h"
#include "patience.h"

namespace kith::shm {

// 64 bytes in the segment.
struct lock_state {
  std::atomic<uint64_t> word;
  std::atomic<uint64_t> holder;  // token of the thread that holds it; 0: none. Written by that thread only
  // 1: somebody may sleep, on this word, and the one who releases the lock must wake.
  std::atomic<uint64_t> waiters;
  // How often its holder has acquired it again; and lock_noted, which never changes, here so that a release has one word less to look at. Written
  // by the holder only.
  std::atomic<uint64_t> depth;
  // Since when the owner has held it, 0: not known; or without lock_noted, while `waiters` is 1: since when it has been seen to. For people, not
  // for decisions.
  std::atomic<uint64_t> since_ns;
  std::atomic<uint64_t> options;  // lock_recursive. Written before anybody else has the segment
  uint64_t reserved[2];
};
static_assert(sizeof(lock_state) == 64);
static_assert(std::atomic<uint64_t>::is_always_lock_free,
              "a lock in shared memory must not hide another lock");

// A lock, and where it is waited for.
struct lock_view {
  lock_state* state = nullptr;
  wait_area* waiting = nullptr;
};

inline constexpr uint64_t lock_died = 1;
inline constexpr uint64_t lock_recursive = 1;
inline constexpr uint64_t lock_noted = uint64_t{1}
                                       << 63;  // whoever gets it looks at the clock, and notes when

// Differs between all threads of all processes that live at the same time, unlike the OS's number for a thread; and between a
// thread and its copy in a forked child.
inline uint64_t thread_token(identity self) { return (platform::current_thread() ^ self.bits) | 1; }

inline bool lock_is_noted(const lock_state& lock) {
  return (lock.depth.load(std::memory_order_relaxed) & lock_noted) != 0;
}
bool lock_note(lock_state& lock);  // true. By the new owner

// Takes the lock if it is free and in order. The common case: one compare-and-swap.
inline bool lock_try_fast(lock_state& lock) {
  // Not self(), which may have to ask the OS: a process that does not know itself yet goes the long way, once.
  const identity self{platform::self_bits.load(std::memory_order_relaxed)};
  uint64_t free = 0;
  if (self.nobody()) return false;
  const bool noted = lock_is_noted(lock);  // behind the compare-and-swap it would wait for that
  // Acquire, with the release in lock_release: what the last owner did comes before what we do.
  if (!lock.word.compare_exchange_strong(free, self.bits, std::memory_order_acquire,
                                         std::memory_order_relaxed)) {
    return false;
  }
  lock.holder.store(thread_token(self), std::memory_order_relaxed);
  return !noted || lock_note(lock);
}

kith_status lock_acquire_slow(lock_state& lock, wait_area& area, const patience& limits);

inline kith_status lock_acquire(lock_state& lock, wait_area& area, const patience& limits) {
  return lock_try_fast(lock) ? KITH_OK : lock_acquire_slow(lock, area, limits);
}

// Only the thread whose token it is ever writes that token, and it takes it back before it releases the lock: it cannot read
// an old value of its own, so relaxed is enough. A token of a dead process is nobody's.
inline bool lock_held_by_me(const lock_state& lock) {
  // Not self(): a forked child that has not asked for its identity yet holds nothing.
  const identity self{platform::self_bits.load(std::memory_order_relaxed)};
  return lock.holder.load(std::memory_order_relaxed) == thread_token(self);
}

// Of the lock that the calling thread holds.
kith_status lock_acquire_again(lock_state& lock);

void lock_wake_one(lock_state& lock, wait_area& area);

// All of a release but the wake. `wake`: somebody may sleep, and lock_wake_one is to be called.
inline kith_status lock_let_go(lock_state& lock, bool& wake) {
  if (!lock_held_by_me(lock)) return KITH_E_NOT_OWNER;
  const uint64_t depth = lock.depth.load(std::memory_order_relaxed);
  if (depth != 0) {
    if ((depth & ~lock_noted) != 0) {
      lock.depth.store(depth - 1, std::memory_order_relaxed);
      return KITH_OK;
    }
    lock.since_ns.store(0, std::memory_order_relaxed);
  }
  lock.holder.store(0, std::memory_order_relaxed);
  const uint64_t kept = lock.word.load(std::memory_order_relaxed) & lock_died;
  lock.word.store(kept, std::memory_order_release);  // pairs with the acquires of the next owner
  platform::light_fence();                           // pairs with the heavy ones in contender (lock_word.cpp)
  wake = lock.waiters.load(std::memory_order_relaxed) != 0;
  return KITH_OK;
}

inline kith_status lock_release(lock_state& lock, wait_area& area) {
  bool wake = false;
  const kith_status status = lock_let_go(lock, wake);
  if (wake) lock_wake_one(lock, area);
  return status;
}

kith_status lock_mark_consistent(lock_state& lock);

// For a condition: the caller, who holds the lock, releases it however often it was acquired, and gets that number for lock_restore.
uint64_t lock_release_fully(lock_state& lock, wait_area& area);
void lock_restore(lock_state& lock, uint64_t depth);

struct lock_owner {
  identity who;  // or nobody
  uint64_t held_ns = 0;
};

uint64_t lock_held_ns(const lock_state& lock, uint64_t now);  // 0: not known
lock_owner lock_look(lock_state& lock);

}  // namespace kith::shm
