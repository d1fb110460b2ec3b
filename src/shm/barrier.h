// SPDX-License-Identifier: MIT
// Barriers: a phase word, and a table of parties.
//
// The phase word counts rounds and says how the last ones ended; every end of a round, good or bad, is one compare-and-swap of it. The table
// says who has arrived, and in which round; it is written under a lock. A process that is killed while it writes breaks the barrier.
#pragma once

#include <kith/kith.h>

#include <atomic>
#include <cstdint>

#include "../platform.h"
#include "lock_word.h"
#include "patience.h"

namespace kith::shm {

struct barrier_state {
  lock_state lock;  // of the table
  // bit 0: broken; bits 1..15: how the last rounds ended, the latest in bit 1: 0 all arrived, 1 reset; bits 16..63: the round, from 0
  std::atomic<uint64_t> phase;
  uint64_t reserved[7];
};
static_assert(sizeof(barrier_state) == 128);

// A seat, which a party takes for a round, and keeps as long as nobody else wants it.
struct barrier_seat {
  std::atomic<uint64_t> process;  // identity
  std::atomic<uint64_t> arrived;  // the round in which it arrived last, plus 1; 0: never
};
static_assert(sizeof(barrier_seat) == 16);

struct barrier_view {
  barrier_state* state = nullptr;
  barrier_seat* seats = nullptr;
  uint32_t parties = 0;
  wait_area* waiting = nullptr;
};

kith_status barrier_wait(const barrier_view& self, const patience& limits, uint32_t& place);
void barrier_abort(const barrier_view& self);
void barrier_reset(const barrier_view& self);
uint32_t barrier_waiting(const barrier_view& self);
bool barrier_is_broken(const barrier_view& self);
// The handle is being closed: breaks the round that a thread of this process waits in; otherwise this process is no longer missed.
void barrier_leave(const barrier_view& self);

}  // namespace kith::shm
