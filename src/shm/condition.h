// SPDX-License-Identifier: MIT
// Conditions: a table of waiters, one word each.
//
//   zero                   free
//   identity | waiting     a thread of that process waits
//   identity | notified    it has been notified, and has not come back yet
//   identity | passing_on  that process is giving a notification of a dead one to somebody else
//
// Each waiter sleeps on its own word. Notifying is one compare-and-swap and a wake; nobody waits for an answer, so no dead waiter can
// hold anybody up. A notification that went to a waiter which died before it came back stands in its word: the others
// look for such words when their slices end, and notify another one in its place.
#pragma once

#include <kith/kith.h>

#include <atomic>
#include <cstdint>

#include "../platform.h"
#include "lock_word.h"
#include "patience.h"

namespace kith::shm {

// 64 bytes in the segment; the words of the waiters are the segment's data.
struct condition_state {
  std::atomic<uint64_t> used;  // no word at or behind this index was ever used
  std::atomic<uint64_t> turn;  // where to look for the next one to be notified
  uint64_t reserved[6];
};
static_assert(sizeof(condition_state) == 64);

struct condition_view {
  condition_state* state = nullptr;
  std::atomic<uint64_t>* waiters = nullptr;  // KITH_CONDITION_MOST_WAITERS words
  wait_area* waiting = nullptr;
};

kith_status condition_wait(const condition_view& self, const lock_view& lock, const patience& limits,
                           const patience& limits_of_lock);
void condition_notify(const condition_view& self, uint32_t count);
// The handle was closed: the waiters of this process look again.
void condition_wake_own(const condition_view& self);

}  // namespace kith::shm
