// SPDX-License-Identifier: MIT
// A lock in shared memory that favours one thread: as src/bias.h, but among the threads of all processes that have the segment.
//
// The thread that has had the real lock for the last turns enters by plain stores, where an atomic instruction would wait until all that it
// has just written has reached the readers. Who is not the favourite takes the real lock, and then dismisses the favourite. The favourite says
// that it is inside and looks whether it is the favourite still; who dismisses it says so and looks whether it is inside. Fences
// between, the light one on the favourite's side, make one of the two see the other.
//
// Each thread that was ever the favourite has a desk of its own, until its process is dead: a thread that was dismissed while it was entering
// still writes that it is inside and that it is not, and must not do so in the place of the next favourite. Who is killed inside is
// found dead by the next who dismisses it. The favourite does not sleep inside: it leaves, and takes the real lock.
#pragma once

#include <kith/kith.h>

#include <atomic>
#include <cstdint>

#include "../platform.h"
#include "lock_word.h"
#include "patience.h"

namespace kith::shm {

struct bias_desk {
  std::atomic<uint64_t> thread;   // its token. Written with the real lock held
  std::atomic<uint64_t> process;  // identity; 0: nobody's. As `thread`
  std::atomic<uint64_t> inside;   // written by that thread only
  uint64_t reserved[5];
};
static_assert(sizeof(bias_desk) == 64);

inline constexpr uint32_t bias_desks = 8;

struct bias_state {
  std::atomic<uint64_t>
      favourite;  // its desk, counted from 1; 0: nobody. Set by its own thread, taken away by others, with the real lock

  // Guarded by the real lock.
  std::atomic<uint64_t> last;          // the thread that had the last turn
  std::atomic<uint64_t> turns;         // so many in a row
  std::atomic<uint64_t> turns_needed;  // to become the favourite, less one
  uint64_t reserved[4];

  bias_desk desks[bias_desks];
};
static_assert(sizeof(bias_state) == 64 + bias_desks * 64);

// What a handle knows of its own threads: a close waits until none is inside by this handle, whatever others write into the segment.
struct bias_threads {
  std::atomic<uint32_t> inside[bias_desks] = {};
  void await_nobody_inside() const;
};

class shared_bias {
 public:
  shared_bias(bias_state& state, bias_threads& own) : state_(state), own_(own) {}

  static constexpr uint32_t no_desk = UINT32_MAX;

  // The desk of this thread when it is the favourite: it is inside then, until it leaves.
  uint32_t enter() const {
    const uint64_t desk = state_.favourite.load(std::memory_order_relaxed) - 1;
    if (desk >= bias_desks || !is_mine(state_.desks[desk])) return no_desk;
    const uint32_t index = static_cast<uint32_t>(desk);
    own_.inside[index].store(1, std::memory_order_relaxed);
    state_.desks[index].inside.store(1, std::memory_order_relaxed);
    platform::light_fence();  // pairs with the heavy one in dismiss
    if (state_.favourite.load(std::memory_order_relaxed) == desk + 1) return index;
    leave(index);
    return no_desk;
  }

  // Release, with the acquires in dismiss and await_nobody_inside: what the favourite did comes before what the next one does.
  void leave(uint32_t desk) const {
    state_.desks[desk].inside.store(0, std::memory_order_release);
    own_.inside[desk].store(0, std::memory_order_release);
  }

  // With the real lock held: from now on nobody else is inside. Otherwise the favourite still is, and goes on being it: KITH_E_TIMEOUT, or what else
  // ends a wait.
  kith_status dismiss(wait_area& area, const patience& limits) const;
  // With the real lock held, at the end of a turn: who has had some turns alone becomes the favourite. To dismiss one costs
  // microseconds, so the more often that was needed, the more turns it takes.
  void end_turn() const;
  // With the real lock held, and nobody inside.
  void have_none() const { state_.favourite.store(0, std::memory_order_relaxed); }

 private:
  // Its own thread wrote it, or it is another's.
  static bool is_mine(const bias_desk& desk) {
    const identity self{platform::self_bits.load(std::memory_order_relaxed)};
    return !self.nobody() && desk.thread.load(std::memory_order_relaxed) == thread_token(self);
  }
  uint32_t desk_of_this_thread() const;

  bias_state& state_;
  bias_threads& own_;
};

}  // namespace kith::shm
