// SPDX-License-Identifier: MIT
// Semaphores, of two kinds.
//
// One that knows its owners is an array of words, one a permit, each of which works as a lock word does: zero, or the identity of
// the process that holds the permit. One compare-and-swap takes a permit and says who has it, so a process that is killed at any
// instruction leaves permits that are free or name it; who needs one finds the dead and takes their permits over.
//
// One for signalling is a count. A permit in the hands of a process is nowhere written down, and dies with it.
#pragma once

#include <kith/kith.h>

#include <atomic>
#include <cstdint>

#include "../platform.h"
#include "patience.h"

namespace kith::shm {

// 64 bytes in the segment; the words of the permits are the segment's data.
struct semaphore_state {
  std::atomic<uint64_t> count;    // signalling: free permits
  std::atomic<uint64_t> waiters;  // 1: somebody may sleep, on this word
  std::atomic<uint64_t> maximum;  // signalling: the bound. Written before anybody else has the segment
  uint64_t reserved[5];
};
static_assert(sizeof(semaphore_state) == 64);

// A semaphore as this process has it mapped.
struct semaphore_view {
  semaphore_state* state = nullptr;
  std::atomic<uint64_t>* permits = nullptr;  // nullptr: for signalling
  uint32_t permit_count = 0;
  wait_area* waiting = nullptr;
  std::atomic<uint32_t>* hint = nullptr;  // of this handle: where to look first
};

kith_status semaphore_acquire(const semaphore_view& self, const patience& limits);
kith_status semaphore_release(const semaphore_view& self);
uint32_t semaphore_available(const semaphore_view& self);

}  // namespace kith::shm
