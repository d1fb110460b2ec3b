// SPDX-License-Identifier: MIT
// The futex of Linux, on the low half of a 64-bit word that several processes have mapped.
#pragma once

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bit>
#include <climits>

#include "posix_internal.h"

namespace kith::platform {

inline const uint32_t* low_half(const std::atomic<uint64_t>& word) {
  return reinterpret_cast<const uint32_t*>(&word) + (std::endian::native == std::endian::big ? 1 : 0);
}

// The timespec of this call is two longs, also where the C library's has a wider time.
struct futex_time {
  long seconds;
  long nanoseconds;
};

// The deadline is absolute and monotonic. Without FUTEX_PRIVATE_FLAG the kernel finds sleepers by memory
// object and offset, so that they may be in other processes; it compares and goes to sleep in one step, so no
// wake in between is missed.
inline wait_result futex_wait(const std::atomic<uint64_t>& word, uint64_t expected, deadline until) {
  const futex_time time{static_cast<long>(until.at_ns / 1'000'000'000),
                        static_cast<long>(until.at_ns % 1'000'000'000)};
  const long result = syscall(SYS_futex, low_half(word), FUTEX_WAIT_BITSET, static_cast<uint32_t>(expected),
                              until.never() ? nullptr : &time, nullptr, FUTEX_BITSET_MATCH_ANY);
  if (result != -1) return wait_result::look_again;
  if (errno == EINTR) return wait_result::interrupted;
  return errno == ETIMEDOUT ? wait_result::timed_out : wait_result::look_again;
}

inline void futex_wake(const std::atomic<uint64_t>& word, uint32_t count) {
  syscall(SYS_futex, low_half(word), FUTEX_WAKE, count > INT_MAX ? INT_MAX : static_cast<int>(count), nullptr,
          nullptr, 0);
}

}  // namespace kith::platform
