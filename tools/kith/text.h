// SPDX-License-Identifier: MIT
// Text for people and for JSON.
#pragma once

#include <kith/kith.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace command {

// A JSON string. What is no UTF-8 becomes U+FFFD, as JSON knows nothing else.
std::string json_text(std::string_view text);

// Pieces of text, one after the other. Not `"a" + b`, of which GCC 12 warns for nothing where it optimises: https://gcc.gnu.org/PR105651.
template <class... Pieces>
std::string joined(const Pieces&... pieces) {
  std::string out;
  ((out += pieces), ...);
  return out;
}

// As a terminal may show it: what would move its cursor, colour it or turn its writing around is written as an escape, and so is what is no UTF-8.
std::string shown_text(std::string_view text);

// Columns of a terminal that a text takes.
size_t width_of(std::string_view text);

// As much of it as fits into so many columns; what was cut ends with an ellipsis.
std::string cut_to(std::string_view text, size_t columns);

std::string size_text(int64_t bytes);   // "64 KiB"
std::string duration_text(int64_t ms);  // "2.3 s"
std::string status_text(kith_status status);

// The file-name patterns of a shell: * is any text, ? is one character.
bool matches(std::string_view pattern, std::string_view text);

}  // namespace command
