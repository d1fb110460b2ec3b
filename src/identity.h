// SPDX-License-Identifier: MIT
// Who a process is, in one word: its pid, and a hash of the time when it started, so that a pid used again is another process.
#pragma once

#include <cstdint>

namespace kith {

// Bits 0 and 1 are zero (the lock word keeps flags there), 2 to 33 the pid, 34 to 63 the hash. All zero: nobody.
struct identity {
  uint64_t bits = 0;

  uint32_t pid() const { return static_cast<uint32_t>(bits >> 2); }
  bool nobody() const { return bits == 0; }
  friend bool operator==(identity a, identity b) { return a.bits == b.bits; }
};

inline identity make_identity(uint32_t pid, uint64_t start_time) {
  // Multiplying by the golden ratio spreads start times, which often differ in their low bits only, over the upper 30.
  const uint64_t hash = (start_time * 0x9E3779B97F4A7C15u) >> 34;
  return {(hash << 34) | (static_cast<uint64_t>(pid) << 2)};
}

enum class liveness {
  dead,
  alive,
  unknown
};  // unknown counts as alive: nothing is taken from a process that may live

}  // namespace kith
