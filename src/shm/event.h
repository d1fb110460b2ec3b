// SPDX-License-Identifier: MIT
// Events: one 64-bit word.
//
//   bit 0       the event is set
//   bit 1       somebody may sleep on the word
//   bits 2..63  how often it has been set: who waited when it was set comes back, even when it was cleared since
//
// Every change is one compare-and-swap, so there is nothing to be repaired when a process dies.
#pragma once

#include <kith/kith.h>

#include <atomic>
#include <cstdint>

#include "../platform.h"
#include "patience.h"
#include "poll_flag.h"

namespace kith::shm {

// 64 bytes in the segment.
struct event_state {
  std::atomic<uint64_t> word;
  std::atomic<uint64_t> auto_reset;  // 0 or 1. Written before anybody else has the segment
  std::atomic<uint64_t> pollers;     // see poll_flag.h
  uint64_t reserved[5];
};
static_assert(sizeof(event_state) == 64);

inline constexpr uint64_t event_set_bit = 1;

// `bells` may be nullptr: nobody is told who waits on handles.
void event_set(event_state& event, wait_area& area, const platform::bells* bells = nullptr);
void event_clear(event_state& event);
bool event_is_set(const event_state& event);
kith_status event_wait(event_state& event, wait_area& area, const patience& limits);

}  // namespace kith::shm
