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

// ---- copying a little ------------------------------------------------------------------------------------------------------------

// So many bytes are copied in less time than a call of memcpy takes to find out how.
inline constexpr uint64_t most_of_a_little = 128;

// Between `n` and twice as many: copies of a fixed size are a few instructions each, and may overlap.
template <size_t n>
inline void copy_both_ends(unsigned char* to, const unsigned char* from, uint64_t count) {
  std::memcpy(to, from, n);
  std::memcpy(to + (count - n), from + (count - n), n);
}

inline void copy_little(void* to, const void* from, uint64_t count) {
  unsigned char* const out = static_cast<unsigned char*>(to);
  const unsigned char* const in = static_cast<const unsigned char*>(from);
  if (count > 64) return copy_both_ends<64>(out, in, count);
  if (count > 32) [[likely]]
    return copy_both_ends<32>(out, in, count);
  if (count > 16) return copy_both_ends<16>(out, in, count);
  if (count >= 8) return copy_both_ends<8>(out, in, count);
  if (count >= 4) return copy_both_ends<4>(out, in, count);
  for (uint64_t i = 0; i < count; ++i) out[i] = in[i];
}

struct byte_ring {
  unsigned char* bytes = nullptr;
  uint64_t size = 0;

  void copy_in(uint64_t position, const void* data, uint64_t count) const {
    const unsigned char* const from = static_cast<const unsigned char*>(data);
    const uint64_t at = position & (size - 1);
    if (count <= most_of_a_little && count <= size - at) return copy_little(bytes + at, from, count);
    const uint64_t first = count < size - at ? count : size - at;
    if (first != 0) std::memcpy(bytes + at, from, static_cast<size_t>(first));
    if (count != first) std::memcpy(bytes, from + first, static_cast<size_t>(count - first));
  }

  void copy_out(uint64_t position, void* data, uint64_t count) const {
    unsigned char* const to = static_cast<unsigned char*>(data);
    const uint64_t at = position & (size - 1);
    if (count <= most_of_a_little && count <= size - at) return copy_little(to, bytes + at, count);
    const uint64_t first = count < size - at ? count : size - at;
    if (first != 0) std::memcpy(to, bytes + at, static_cast<size_t>(first));
    if (count != first) std::memcpy(to + first, bytes, static_cast<size_t>(count - first));
  }
};

}  // namespace kith::shm
