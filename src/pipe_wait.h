// SPDX-License-Identifier: MIT
// Waiting on pipes, which no word in shared memory tells of.
#pragma once

#include <kith/kith.h>

#include "platform.h"
#include "shm/patience.h"

namespace kith {

// One waiting call. In each round: try everything; add what was KITH_E_TIMEOUT; sleep.
class pipe_wait {
 public:
  explicit pipe_wait(const shm::patience& limits) : limits_(limits), waiting_(limits) {}
  pipe_wait(const pipe_wait&) = delete;
  pipe_wait& operator=(const pipe_wait&) = delete;

  void add(platform::pipe& pipe);
  void add_handle(int64_t handle);            // of a process
  void look_often() { looks_often_ = true; }  // for what no handle tells of

  // KITH_OK: try again. Otherwise why the call must end; it has tried since.
  kith_status sleep();
  // The same without sleeping, for a call that might go on and on.
  kith_status must_stop() const { return waiting_.must_stop(platform::clock_now()); }
  void made_progress() { futile_ = 0; }

 private:
  static constexpr size_t most = 4;  // three pipes and a process

  size_t hear_cancel(size_t count);
  uint64_t slice_ns();

  const shm::patience& limits_;
  const shm::waiter waiting_;
  platform::wait_slot slots_[most + 1];
  size_t count_ = 0;
  bool looks_often_ = false;
  bool tries_again_ = false;  // for a pipe that has no handle
  uint32_t futile_ = 0;       // tries of that, since the last progress
  bool interrupted_ = false;
};

}  // namespace kith
