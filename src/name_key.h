// SPDX-License-Identifier: MIT
// How a name is written where names lie, whatever its length.
#pragma once

#include "sha256.h"

namespace kith::platform {

// <letter><32 hex digits>, the first 128 bits of the hash of the name; the letter tells the kind. All zero: none.
struct name_key {
  char text[36];
};

inline constexpr char letter_of_endpoint = 'e';

inline name_key name_key_of(char letter, const digest& hash) {
  name_key out{};
  char* end = out.text;
  *end++ = letter;
  for (int i = 0; i < 16; ++i) {
    *end++ = "0123456789abcdef"[hash.bytes[i] >> 4];
    *end++ = "0123456789abcdef"[hash.bytes[i] & 15];
  }
  return out;
}

inline constexpr size_t name_key_length = 33;

// Whether some text is a key; `length` of it.
inline bool is_name_key(const char* text, size_t length) {
  if (length != name_key_length || text[0] < 'a' || text[0] > 'z') return false;
  for (size_t i = 1; i < length; ++i) {
    const bool is_digit = (text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f');
    if (!is_digit) return false;
  }
  return true;
}

}  // namespace kith::platform
