// SPDX-License-Identifier: MIT
// A lock that favours one thread of this process: the thread that has had it for the last turns enters with two plain stores, where an
// atomic instruction would wait until all that it has just written to shared memory has reached the other side.
//
// Beside a real lock. Who is not the favourite takes that one, and then dismisses the favourite. The favourite says that it is inside
// and looks whether it is the favourite still; who dismisses it says so and looks whether it is inside. Fences between, the
// light one on the favourite's side, make one of the two see the other.
//
// The favourite does not sleep inside: it leaves, and takes the real lock.
#pragma once

#include <atomic>
#include <cstdint>

#include "platform.h"

namespace kith {

class bias {
 public:
  // Whether this thread is the favourite; it is inside then, until it leaves.
  bool enter() {
    const uint32_t seat = favourite_.load(std::memory_order_relaxed);
    if (seat == nobody || !is_mine(seat)) return false;
    seats_[seat].inside.store(1, std::memory_order_relaxed);
    platform::light_fence();  // pairs with the heavy one in dismiss
    if (favourite_.load(std::memory_order_relaxed) == seat) return true;
    leave();
    return false;
  }

  // Release, with the acquire in dismiss: what the favourite did comes before what the next one does.
  void leave() {
    for (seat_of_thread& each : seats_) {
      if (each.thread.load(std::memory_order_relaxed) != platform::current_thread()) continue;
      return each.inside.store(0, std::memory_order_release);
    }
  }

  bool is_mine() const {
    const uint32_t seat = favourite_.load(std::memory_order_relaxed);
    return seat != nobody && is_mine(seat);
  }

  // With the real lock held, or when nobody begins a turn any more: there is no favourite, and nobody is inside. `nap()` sleeps a
  // little. Not called by a thread that is inside.
  template <class Nap>
  void dismiss(Nap nap) {
    const uint32_t seat = favourite_.load(std::memory_order_relaxed);
    if (seat == nobody) return;
    turns_needed_ = turns_needed_ >= most_turns_needed ? most_turns_needed : turns_needed_ * 8;
    turns_ = 0;
    favourite_.store(nobody, std::memory_order_relaxed);
    platform::heavy_fence();  // pairs with the light one in enter
    await_nobody_inside(seats_[seat], nap);
  }

  // With the real lock held by the favourite, or when there is none: its next turn begins with the real lock.
  void resign() { favourite_.store(nobody, std::memory_order_relaxed); }

  // With the real lock held, at the end of a turn: who has had some turns alone becomes the favourite. To dismiss one costs
  // microseconds, so the more often that was needed, the more turns it takes.
  void end_turn() {
    if (is_mine()) return;
    const uint64_t me = platform::current_thread();
    turns_ = me == last_ ? turns_ + 1 : 1;
    last_ = me;
    if (turns_ >= turns_needed_) favourite_.store(seat_of(me), std::memory_order_relaxed);
  }

  // In a forked child: whoever was inside is not in this process.
  void forget() {
    favourite_.store(nobody, std::memory_order_relaxed);
    for (seat_of_thread& each : seats_) each.inside.store(0, std::memory_order_relaxed);
  }

 private:
  static constexpr uint32_t most_turns_needed = 32'768;
  static constexpr int yields_before_naps = 64;
  static constexpr uint32_t seat_count = 4;
  static constexpr uint32_t nobody = seat_count;

  // Each thread that was ever the favourite has a seat of its own, for good: a thread that was dismissed while it was entering still
  // writes that it is inside and that it is not, and must not do so in the place of the next favourite.
  struct seat_of_thread {
    std::atomic<uint64_t> thread{0};
    std::atomic<uint32_t> inside{0};  // written by that thread only
  };

  // Its own thread wrote it, or it is another's.
  bool is_mine(uint32_t index) const {
    return seats_[index].thread.load(std::memory_order_relaxed) == platform::current_thread();
  }

  // With the real lock held. Threads for whom there is no seat left are never the favourite.
  uint32_t seat_of(uint64_t thread) {
    for (uint32_t i = 0; i < seat_count; ++i) {
      const uint64_t owner = seats_[i].thread.load(std::memory_order_relaxed);
      if (owner == 0) seats_[i].thread.store(thread, std::memory_order_relaxed);
      if (owner == 0 || owner == thread) return i;
    }
    return nobody;
  }

  // The favourite may have been interrupted inside by this very thread, if that has the higher priority: then yields do not let it go on.
  template <class Nap>
  static void await_nobody_inside(const seat_of_thread& favourite, Nap nap) {
    for (int i = 0; favourite.inside.load(std::memory_order_acquire) != 0; ++i) {
      if (i < yields_before_naps) {
        platform::yield_cpu();
      } else {
        nap();
      }
    }
  }

  std::atomic<uint32_t> favourite_{
      nobody};  // a seat. Set by its own thread, taken away by others, with the real lock
  seat_of_thread seats_[seat_count];

  // Guarded by the real lock.
  uint32_t turns_ = 0, turns_needed_ = 1;
  uint64_t last_ = 0;
};

}  // namespace kith
