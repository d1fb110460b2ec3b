// SPDX-License-Identifier: MIT
// When shared memory is taken from the OS: at creation, or page by page.
#pragma once

#include <kith/kith.h>

#include <cstddef>
#include <cstdint>

namespace kith {

inline constexpr uint32_t memory_commit_flags = KITH_MEMORY_COMMIT | KITH_MEMORY_LAZY;
inline constexpr size_t largest_commit_by_default = size_t{16} << 20;

inline bool commit_flags_agree(uint32_t flags) {
  return (flags & memory_commit_flags) != memory_commit_flags;
}

// Small memory is committed: an error here is better than a fatal signal later, and costs little. Large memory is not: zeroing
// gigabytes that may never be used would take seconds.
inline bool wants_commit(uint32_t flags, size_t size) {
  if ((flags & memory_commit_flags) == 0) return size <= largest_commit_by_default;
  return (flags & KITH_MEMORY_COMMIT) != 0;
}

}  // namespace kith
