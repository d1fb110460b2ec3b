// SPDX-License-Identifier: MIT
// Waiting on a word where the OS has no wait on addresses across processes: a table of slots in the segment, and a bell a slot.
//
// A waiter claims a slot, writes there which word it waits for, and sleeps on the slot's bell. A waker looks for slots that wait
// for its word, marks each one woken and rings its bell. The waker chooses whom it wakes, so a later waiter cannot take the wake of
// an earlier one: the same contract as a futex.
//
// `Bells` is what the OS gives: `reset(area, slot)` silences a bell that nobody sleeps on, `ring(area, slot)` makes its sleeper
// come back (also one that goes to sleep only afterwards), `sleep(area, slot, until, watch)` answers a wait_result. Windows uses named
// events; a futex a slot stands in for them on Linux, where the single-step kill test and the thread sanitizer exercise this code.
#pragma once

#include <atomic>
#include <cstdint>

#include "../platform.h"

namespace kith::shm {

// 64 bytes in the segment. Values from others are compared, never used as an index or address.
struct parking_slot {
  std::atomic<uint64_t> occupant;  // identity of the process that waits here; 0: free
  std::atomic<uint64_t> key;       // offset of the word in the segment
  std::atomic<uint64_t> ticket;    // grows whenever the slot changes its state: see `turn`
  std::atomic<uint64_t> bell;      // for a port whose bell is a word
  uint64_t reserved[4];
};
static_assert(sizeof(parking_slot) == 64);

// The low two bits of a ticket are the state of its slot; the others count, so that a waker that was suspended between reading a
// ticket and marking it cannot wake a later waiter of another word.
enum slot_state : uint64_t { slot_idle = 0, slot_waiting = 1, slot_woken = 2, slot_state_mask = 3 };

inline uint64_t turn(uint64_t ticket, slot_state state) { return ((ticket | slot_state_mask) + 1) | state; }

inline uint64_t key_of(const wait_area& area, const std::atomic<uint64_t>& word) {
  return static_cast<uint64_t>(reinterpret_cast<const unsigned char*>(&word) - area.base);
}

inline constexpr uint32_t no_slot = UINT32_MAX;

// Claims a slot: a free one, or, when there is none, one whose occupant has died. no_slot: all are taken.
inline uint32_t claim_slot(wait_area& area, identity self) {
  for (uint32_t i = 0; i < area.slot_count; ++i) {
    uint64_t nobody = 0;
    // Acquire, with the release in leave_slot: what the last occupant wrote into the slot comes before what we write.
    if (area.slots[i].occupant.load(std::memory_order_relaxed) == 0 &&
        area.slots[i].occupant.compare_exchange_strong(nobody, self.bits, std::memory_order_acquire,
                                                       std::memory_order_relaxed)) {
      return i;
    }
  }
  for (uint32_t i = 0; i < area.slot_count; ++i) {
    uint64_t occupant = area.slots[i].occupant.load(std::memory_order_relaxed);
    // The compare-and-swap names the very process that was found dead, so only one of us gets its slot.
    if (occupant != 0 && platform::alive(identity{occupant}) == liveness::dead &&
        area.slots[i].occupant.compare_exchange_strong(occupant, self.bits, std::memory_order_acquire,
                                                       std::memory_order_relaxed)) {
      return i;
    }
  }
  return no_slot;
}

// Makes the slot deaf first and free then: a slot that is free is never `waiting`. By an exchange: a waker that marks the slot must do
// so before we look at the word for the last time, or not at all, and a plain store could reach it later than that look.
inline void leave_slot(parking_slot& slot) {
  slot.ticket.exchange(turn(slot.ticket.load(std::memory_order_relaxed), slot_idle),
                       std::memory_order_acq_rel);
  slot.occupant.store(0, std::memory_order_release);  // pairs with the acquire in claim_slot
}

template <class Bells>
platform::wait_result park(wait_area& area, const std::atomic<uint64_t>& word, uint64_t expected,
                           deadline until, identity watch) {
  const uint32_t index = claim_slot(area, platform::self());
  if (index == no_slot) return Bells::nap(until);
  parking_slot& slot = area.slots[index];
  Bells::reset(area, index);
  slot.key.store(key_of(area, word), std::memory_order_relaxed);
  // Release: a waker that sees `waiting` sees the key. The fence pairs with the one in unpark: either the waker sees us
  // waiting, or we see the word as it changed it.
  slot.ticket.store(turn(slot.ticket.load(std::memory_order_relaxed), slot_waiting),
                    std::memory_order_release);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  platform::wait_result result = platform::wait_result::look_again;
  if (word.load(std::memory_order_relaxed) == expected) result = Bells::sleep(area, index, until, watch);
  leave_slot(slot);
  return result;
}

template <class Bells>
void unpark(wait_area& area, const std::atomic<uint64_t>& word, uint32_t count) {
  std::atomic_thread_fence(std::memory_order_seq_cst);  // pairs with the one in park
  const uint64_t key = key_of(area, word);
  for (uint32_t i = 0; i < area.slot_count && count > 0; ++i) {
    parking_slot& slot = area.slots[i];
    uint64_t ticket = slot.ticket.load(std::memory_order_acquire);  // pairs with the release in park
    if ((ticket & slot_state_mask) != slot_waiting || slot.key.load(std::memory_order_relaxed) != key)
      continue;
    // Whoever marks the ticket woken rings; a waiter that left meanwhile has changed it, and the wake goes to the next one.
    if (!slot.ticket.compare_exchange_strong(ticket, (ticket & ~uint64_t{slot_state_mask}) | slot_woken,
                                             std::memory_order_acq_rel, std::memory_order_relaxed)) {
      continue;
    }
    Bells::ring(area, i);
    --count;
  }
}

}  // namespace kith::shm
