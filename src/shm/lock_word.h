// SPDX-License-Identifier: MIT
// The lock: one 64-bit word in shared memory that names its owner.
//
//   bit 0       W  somebody may sleep on the word: the one who releases it must wake
//   bit 1       D  an owner died, and nobody has said yet that the data is in order
//   bits 2..63     identity of the owner (src/identity.h); zero: free
//
// The compare-and-swap that takes the lock writes the whole identity, so there is no instruction at which the lock is held by an
// unnamed process; wherever the owner is killed, the next one finds its name and sees that it is dead. docs/internals.md has
// the table of crash points.
#pragma once

#include <kith/kith.h>

#include <atomic>
#include <cstdint>

#include "../platform.h"

namespace kith::shm {

// 64 bytes in the segment.
struct lock_state {
  std::atomic<uint64_t> word;
  std::atomic<uint64_t> holder;  // token of the thread that holds it, 0: none; means nothing unless word names our process
  uint64_t reserved[6];
};
static_assert(sizeof(lock_state) == 64);
static_assert(std::atomic<uint64_t>::is_always_lock_free, "a lock in shared memory must not hide another lock");

inline constexpr uint64_t lock_waiters = 1;
inline constexpr uint64_t lock_died = 2;
inline constexpr uint64_t lock_flags = lock_waiters | lock_died;

// How long a call may wait, and what ends it early.
struct patience {
  deadline until;
  const std::atomic<bool>* closed = nullptr;  // the handle was closed by another thread: KITH_E_CLOSED
  std::atomic<uint64_t>* last_probe_ns = nullptr;  // of this handle: keeps polling cheap
};

// Differs between all living threads of all processes, unlike the OS's number for a thread.
inline uint64_t thread_token() { return (platform::current_thread() ^ platform::self().bits) | 1; }

// Takes the lock if it is free and in order. The common case: one compare-and-swap.
inline bool lock_try_fast(lock_state& lock) {
  uint64_t free = 0;
  // Acquire, with the release in lock_release: what the last owner did comes before what we do.
  if (!lock.word.compare_exchange_strong(free, platform::self().bits, std::memory_order_acquire,
                                         std::memory_order_relaxed)) {
    return false;
  }
  lock.holder.store(thread_token(), std::memory_order_relaxed);
  return true;
}

kith_status lock_acquire_slow(lock_state& lock, wait_area& area, const patience& limits);

inline kith_status lock_acquire(lock_state& lock, wait_area& area, const patience& limits) {
  return lock_try_fast(lock) ? KITH_OK : lock_acquire_slow(lock, area, limits);
}

bool lock_held_by_me(const lock_state& lock);
kith_status lock_release(lock_state& lock, wait_area& area);
kith_status lock_mark_consistent(lock_state& lock);

}  // namespace kith::shm
