// SPDX-License-Identifier: MIT
// Waiting a little before sleeping. To be woken costs 5 us on the waker's core and 30 to 80 on another one, so a wait that would be over sooner
// had better not sleep; and one that would not be must not burn the core that the other side may need.
//
// First some pauses, of 2 us in all where the owner does not say otherwise, then some yields, which let the other side run where it has
// only this core. What did not help lately is left out, as the pauses where both sides have one core: each handle remembers how often
// pauses, and how often yields, brought what was waited for. Tried again is what is left out once in 64 waits.
#pragma once

#include <atomic>
#include <cstdint>

#include "../platform.h"

namespace kith::shm {

// How often a spin looks. Each look at a word that another core writes takes the cache line from it, which costs both of them: for a message that
// is worth its while, as it is to be answered; where the other side had rather go on, as with a lock that it will want again, looks
// become rarer; where it has many things to give, one look for several of them is best.
enum class pace { steady, slackening, rare };

// Of a handle; local to this process. Threads that share it may overwrite each other's notes: all is relaxed, and no more than a habit.
class spinner {
 public:
  // `most_pauses`: 32 take about a microsecond. `looks`: before the first of them, for who waits for an answer that may come sooner
  // than a pause is over; a thousand take less than a microsecond. Not for a word that the other side must write to while we look.
  // `longest_yield_ns`: what others used for longer was no help.
  constexpr explicit spinner(int most_pauses, int looks = 0, uint64_t longest_yield_ns = 20'000)
      : most_pauses_(most_pauses), looks_(looks), longest_yield_ns_(longest_yield_ns) {}
  constexpr spinner() : spinner(usual_pauses) {}

  static constexpr int usual_pauses = 64;

  // `ready()` takes what is waited for, if it is there.
  template <class Ready>
  bool spin(Ready ready, pace how = pace::steady) {
    // Not fetch_add, which would first wait until the other side can see what we have just written.
    const uint32_t waits = waits_.load(std::memory_order_relaxed);
    waits_.store(waits + 1, std::memory_order_relaxed);
    const bool tries_again = waits % waits_between_tries == 0;
    if ((tries_again || pauses_.pay()) && note(pauses_, pause(ready, how))) return true;
    return (tries_again || yields_.pay()) && yield(ready);
  }

  uint32_t times_asked() const { return waits_.load(std::memory_order_relaxed) - first_wait; }

 private:
  static constexpr uint32_t first_wait = 1;
  static constexpr uint32_t waits_between_tries = 64;
  static constexpr int most_yields = 8;
  static constexpr int longest_gap = 32;  // about a microsecond

  // How well one way has done.
  struct habit {
    std::atomic<uint32_t> credit{4};
    bool pay() const { return credit.load(std::memory_order_relaxed) != 0; }
  };

  static bool note(habit& way, bool helped) {
    constexpr uint32_t most = 8;
    const uint32_t credit = way.credit.load(std::memory_order_relaxed);
    const uint32_t next = helped ? (credit + 2 < most ? credit + 2 : most) : credit / 2;
    if (next != credit) way.credit.store(next, std::memory_order_relaxed);
    return helped;
  }

  template <class Ready>
  bool pause(Ready& ready, pace how) const {
    for (int i = 0; i < looks_; ++i) {
      if (ready()) return true;
    }
    int gap = how == pace::rare ? longest_gap / 2 : 1;
    for (int paused = 0; paused < most_pauses_; paused += gap) {
      if (how != pace::steady && paused != 0 && gap < longest_gap) gap *= 2;
      if (ready()) return true;
      for (int i = 0; i < gap; ++i) platform::pause_cpu();
    }
    return false;
  }

  // A yield that somebody else used for long is no better than sleep, though what we wait for is there by then.
  template <class Ready>
  bool yield(Ready& ready) {
    const uint64_t began = platform::clock_now();
    for (int i = 0; i < most_yields; ++i) {
      platform::yield_cpu();
      const bool slow = platform::clock_now() - began > longest_yield_ns_;
      const bool came = ready();
      if (!came && !slow) continue;
      (void)note(yields_, came && !slow);
      return came;
    }
    return note(yields_, false);
  }

  const int most_pauses_, looks_;
  const uint64_t longest_yield_ns_;
  habit pauses_, yields_;
  std::atomic<uint32_t> waits_{first_wait};
};

}  // namespace kith::shm
