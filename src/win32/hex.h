// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

namespace kith::platform {

inline constexpr size_t hex_digits = 16;

// Writes the 16 digits of the number, without NUL, and gives the place behind them.
inline wchar_t* write_hex(uint64_t number, wchar_t* out) {
  for (int shift = 60; shift >= 0; shift -= 4) *out++ = L"0123456789abcdef"[(number >> shift) & 15];
  return out;
}

}  // namespace kith::platform
