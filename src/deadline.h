// SPDX-License-Identifier: MIT
// A point of the monotonic clock up to which a call may wait.
#pragma once

#include <kith/kith.h>

#include <cstdint>

namespace kith {

struct deadline {
  uint64_t at_ns;  // as platform::clock_now counts
  bool never() const { return at_ns == UINT64_MAX; }
};

inline constexpr deadline no_deadline{UINT64_MAX};
inline constexpr deadline at_once{0};  // try, and do not wait
inline constexpr uint64_t ns_per_ms = 1'000'000;

// The only timeouts there are: KITH_FOREVER, 0 and the positive numbers.
inline bool timeout_is_valid(int64_t timeout_ms) { return timeout_ms >= KITH_FOREVER; }

inline deadline deadline_after(uint64_t now_ns, uint64_t wait_ns) {
  return {wait_ns > UINT64_MAX - 1 - now_ns ? UINT64_MAX - 1 : now_ns + wait_ns};
}

inline deadline deadline_in(uint64_t now_ns, int64_t timeout_ms) {
  if (timeout_ms == KITH_FOREVER) return no_deadline;
  if (timeout_ms == 0) return at_once;
  const uint64_t ms = static_cast<uint64_t>(timeout_ms);
  return deadline_after(now_ns, ms > UINT64_MAX / ns_per_ms ? UINT64_MAX : ms * ns_per_ms);
}

inline deadline earlier(deadline a, deadline b) { return a.at_ns < b.at_ns ? a : b; }

inline bool passed(deadline until, uint64_t now_ns) { return !until.never() && now_ns >= until.at_ns; }

inline uint64_t remaining_ns(deadline until, uint64_t now_ns) {
  if (until.never()) return UINT64_MAX;
  return now_ns >= until.at_ns ? 0 : until.at_ns - now_ns;
}

// For calls that count in whole milliseconds: rounded up, so that one that waits does not come back too early, and at most a day.
inline int remaining_ms(deadline until, uint64_t now_ns) {
  constexpr uint64_t day_ms = 86'400'000;
  const uint64_t ns = remaining_ns(until, now_ns);
  if (ns >= day_ms * ns_per_ms) return static_cast<int>(day_ms);
  return static_cast<int>((ns + ns_per_ms - 1) / ns_per_ms);
}

}  // namespace kith
