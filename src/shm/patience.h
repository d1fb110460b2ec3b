// SPDX-License-Identifier: MIT
// How long a call may wait, and what ends it early. Every call that sleeps on a word in shared memory sleeps through here.
//
// Sleeps are sliced. A wake makes a sleeper come back at once, but a wake can be lost: it went to a process that was killed, or it was
// sent in the moment before the sleeper slept. After its slice a sleeper looks at everything again, so what is lost is
// at most the rest of a slice.
#pragma once

#include <kith/kith.h>

#include <atomic>
#include <cstdint>

#include "../platform.h"
#include "name_card.h"
#include "spin.h"

namespace kith::shm {

// Whom a cancel must wake. In the memory of the thread that sleeps.
struct sleeper {
  wait_area* area;
  const std::atomic<uint64_t>* word;
  sleeper* next;
  sleeper* previous;
};

// The inside of a kith_cancel. Local to this process.
class cancellation {
 public:
  bool fired() const { return fired_.load(std::memory_order_seq_cst); }
  void fire();  // also in a signal handler
  void reset();
  // For who waits on handles: a bell that rings for as long as it is fired. Called by one thread at a time.
  kith_status make_bell();
  const platform::bells& bell() const { return bell_; }
  // It rang, and it is not fired any more.
  void quiet_bell() { (void)platform::bell_quiet(bell_, 0); }
  void forget_bell();  // in a forked child: it was its parent's
  void add(sleeper& who);
  void remove(sleeper& who);

 private:
  void lock();
  void unlock() { list_is_locked_.store(false, std::memory_order_release); }

  std::atomic<bool> fired_{false};
  std::atomic<bool> list_is_locked_{false};
  std::atomic<bool> has_bell_{false};
  platform::bells bell_;
  sleeper* first_ = nullptr;
};

// What the caller allows.
struct patience {
  deadline until = no_deadline;
  const std::atomic<bool>* closed = nullptr;       // the handle was closed by another thread: KITH_E_CLOSED
  cancellation* cancel = nullptr;                  // KITH_E_CANCELLED
  bool interruptible = false;                      // KITH_E_INTERRUPTED when a signal handler ran
  std::atomic<uint64_t>* last_probe_ns = nullptr;  // of this handle: keeps polling cheap
  spinner* spin = nullptr;                         // of this handle; nullptr: sleep at once

  // Whether a short wait brought it. Not for a call that does not wait.
  template <class Ready>
  bool spin_for(Ready ready, pace how = pace::steady) const {
    return spin != nullptr && until.at_ns != at_once.at_ns && spin->spin(ready, how);
  }
};

// Not shorter: where the end of a slice is the next thing that a core's timer must ring for, setting it costs more than the futex (on Linux in a
// virtual machine 0.7 us of 2).
inline constexpr uint64_t first_slice_ns = 4 * ns_per_ms;
// Each is four times as long as the one before, up to the longest.
inline constexpr uint64_t growth_of_slices = 4;
// Where nobody is watched, or the OS tells of a death at once, a slice only finds what was lost, and who waits for long must cost next to
// nothing.
inline constexpr uint64_t longest_slice_ns = 64 * ns_per_ms;
// Of a wait that has lasted for a quarter of a second.
inline constexpr uint64_t longest_late_slice_ns = 256 * ns_per_ms;
// Where the only other process whose death could lose a wake is watched, too: what is left to find are wakes that nobody's death has lost.
inline constexpr uint64_t longest_told_slice_ns = 1'024 * ns_per_ms;
// Of those who must look for themselves whether somebody lives: in the middle they learn of a death after half of this.
inline constexpr uint64_t longest_looking_slice_ns = 25 * ns_per_ms;

// Whose death matters to a sleeper.
struct watched {
  identity one;         // or nobody
  bool others = false;  // that of others, too, after whom only the sleeper itself can look
};

// One waiting call, and what it remembers between two looks.
class waiter {
 public:
  explicit waiter(const patience& limits) : limits_(limits) {}
  ~waiter() { platform::long_sleep_end(memory_); }
  waiter(const waiter&) = delete;
  waiter& operator=(const waiter&) = delete;

  // The only other process that wakes us ends together with this stream. It must live as long as we.
  void watch_end_of(const platform::stream& peer) { peer_ = &peer; }

  // KITH_OK: wait on. Asked when there is nothing to be had: a wait that can succeed does, whatever else is true.
  kith_status must_stop(uint64_t now) const;

  // Sleeps for a slice, unless the word is not `expected`.
  void sleep(wait_area& area, const std::atomic<uint64_t>& word, uint64_t expected, const watched& deaths,
             uint64_t now);

  // No wake goes to this call any more. Before a call that goes looks whether others must be woken in its place.
  void sleep_no_more() {
    platform::long_sleep_end(memory_);
    counted_.end();
  }

  // There was progress: what is waited for next will perhaps come soon.
  void begin_again() {
    slice_ns_ = first_slice_ns;
    slept_ns_ = 0;
  }

  // Whether the last sleep ended by itself, so that it is time to look whether others live.
  bool should_look_around() const { return look_around_; }
  // The same for a call that does not sleep: it looks too, or a dead owner would look busy for ever; but no oftener than once a
  // millisecond for one handle, as it costs microseconds.
  bool should_look_around_when_polling(uint64_t now) const;

 private:
  const patience& limits_;
  uint64_t slice_ns_ = first_slice_ns;
  uint64_t slept_ns_ = 0;  // in slices, since the last progress
  const platform::stream* peer_ = nullptr;
  platform::long_sleep memory_;
  counted_sleeper counted_;
  bool look_around_ = false;
  bool interrupted_ = false;
};

}  // namespace kith::shm
