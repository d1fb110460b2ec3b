// SPDX-License-Identifier: MIT
// Bytes in a ring whose size is a power of two. Positions count for ever; what wraps around is copied in two pieces.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace kith::shm {

// What is put into a ring begins at a multiple of this, so that a header of 16 bytes never wraps.
inline constexpr uint64_t ring_alignment = 16;

inline uint64_t ring_padded(uint64_t bytes) { return (bytes + ring_alignment - 1) & ~(ring_alignment - 1); }

struct byte_ring {
  unsigned char* bytes = nullptr;
  uint64_t size = 0;

  void copy_in(uint64_t position, const void* data, uint64_t count) const {
    const unsigned char* const from = static_cast<const unsigned char*>(data);
    const uint64_t at = position & (size - 1);
    const uint64_t first = count < size - at ? count : size - at;
    if (first != 0) std::memcpy(bytes + at, from, static_cast<size_t>(first));
    if (count != first) std::memcpy(bytes, from + first, static_cast<size_t>(count - first));
  }

  void copy_out(uint64_t position, void* data, uint64_t count) const {
    unsigned char* const to = static_cast<unsigned char*>(data);
    const uint64_t at = position & (size - 1);
    const uint64_t first = count < size - at ? count : size - at;
    if (first != 0) std::memcpy(to, bytes + at, static_cast<size_t>(first));
    if (count != first) std::memcpy(to + first, bytes, static_cast<size_t>(count - first));
  }
};

}  // namespace kith::shm
