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
  // Each thread that was ever the favourite has a seat of its own, for good: a thread that was dismissed while it was entering still
  // writes that it is inside and that it is not, and must not do so in the place of the next favourite.
  class seat {
   public:
    // Release, with the acquire in dismiss: what the favourite did comes before what the next one does.
    void leave() { inside_.store(0, std::memory_order_release); }

   private:
    friend class bias;
    bool is_mine() const { return thread_.load(std::memory_order_relaxed) == platform::current_thread(); }

    std::atomic<uint64_t> thread_{0};  // nobody's: no thread is 0
    std::atomic<uint32_t> inside_{0};  // written by that thread only
  };

  // Whether this thread is the favourite; it is inside then, until it leaves its seat.
  bool enter(seat*& own) {
    own = favourite_.load(std::memory_order_relaxed);
    if (!own->is_mine()) [[unlikely]]
      return false;
    own->inside_.store(1, std::memory_order_relaxed);
    platform::light_fence();  // pairs with the heavy one in dismiss
    if (favourite_.load(std::memory_order_relaxed) == own) [[likely]]
      return true;
    own->leave();
    return false;
  }
  bool enter() {
    seat* own = nullptr;
    return enter(own);
  }

  // For who is inside, and does not know its seat.
  void leave() {
    for (seat& each : seats_) {
      if (each.is_mine()) return each.leave();
    }
  }

  // Its own thread wrote it, or it is another's.
  bool is_mine() const { return favourite_.load(std::memory_order_relaxed)->is_mine(); }

  // With the real lock held, or when nobody begins a turn any more: there is no favourite, and nobody is inside. `nap()` sleeps a
  // little. Not called by a thread that is inside.
  template <class Nap>
  void dismiss(Nap nap) {
    seat* const favourite = favourite_.load(std::memory_order_relaxed);
    if (favourite == &nobody_) return;
    // We are the favourite, and not inside: nobody else has to be asked.
    if (favourite->is_mine()) return resign();
    turns_needed_ = turns_needed_ >= most_turns_needed ? most_turns_needed : turns_needed_ * 8;
    turns_ = 0;
    favourite_.store(&nobody_, std::memory_order_relaxed);
    platform::heavy_fence();  // pairs with the light one in enter
    await_nobody_inside(*favourite, nap);
  }

  // With the real lock held by the favourite, or when there is none: its next turn begins with the real lock.
  void resign() { favourite_.store(&nobody_, std::memory_order_relaxed); }

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
    favourite_.store(&nobody_, std::memory_order_relaxed);
    for (seat& each : seats_) each.inside_.store(0, std::memory_order_relaxed);
  }

 private:
  static constexpr uint32_t most_turns_needed = 32'768;
  static constexpr int yields_before_naps = 64;
  static constexpr uint32_t seat_count = 4;

  // With the real lock held. Threads for whom there is no seat left are never the favourite.
  seat* seat_of(uint64_t thread) {
    for (seat& each : seats_) {
      const uint64_t owner = each.thread_.load(std::memory_order_relaxed);
      if (owner == 0) each.thread_.store(thread, std::memory_order_relaxed);
      if (owner == 0 || owner == thread) return &each;
    }
    return &nobody_;
  }

  // The favourite may have been interrupted inside by this very thread, if that has the higher priority: then yields do not let it go on.
  template <class Nap>
  static void await_nobody_inside(const seat& favourite, Nap nap) {
    for (int i = 0; favourite.inside_.load(std::memory_order_acquire) != 0; ++i) {
      if (i < yields_before_naps) {
        platform::yield_cpu();
      } else {
        nap();
      }
    }
  }

  seat seats_[seat_count];
  seat nobody_;
  std::atomic<seat*> favourite_{&nobody_};  // set by its own thread, taken away by others, with the real lock

  // Guarded by the real lock.
  uint32_t turns_ = 0, turns_needed_ = 1;
  uint64_t last_ = 0;
};

}  // namespace kith
