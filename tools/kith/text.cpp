// SPDX-License-Identifier: MIT
#include "text.h"

#include <algorithm>
#include <cstdio>
#include <iterator>

namespace command {

namespace {

constexpr uint32_t no_character = 0xFFFFFFFF;

struct character {
  uint32_t code;          // no_character: a byte that is no UTF-8
  std::string_view text;  // its bytes
};

bool is_continuation(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) == 0x80; }

size_t length_by_first(unsigned char first) {
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first < 0xE0) return 2;
  if (first >= 0xE0 && first < 0xF0) return 3;
  if (first >= 0xF0 && first < 0xF5) return 4;
  return 0;
}

// Unicode 15, table 3-7: no detours, no surrogates, nothing above U+10FFFF.
bool is_scalar(uint32_t code, size_t length) {
  constexpr uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  return code >= least[length] && code <= 0x10FFFF && (code < 0xD800 || code > 0xDFFF);
}

// `text` is not empty.
character first_of(std::string_view text) {
  const unsigned char first = static_cast<unsigned char>(text[0]);
  const size_t length = length_by_first(first);
  const character none{no_character, text.substr(0, 1)};
  if (length == 0 || length > text.size()) return none;
  uint32_t code = length == 1 ? first : first & (0xFFu >> (length + 1));
  for (size_t i = 1; i < length; ++i) {
    if (!is_continuation(text[i])) return none;
    code = code << 6 | (static_cast<unsigned char>(text[i]) & 0x3Fu);
  }
  return is_scalar(code, length) ? character{code, text.substr(0, length)} : none;
}

template <class Visit>
void each_character(std::string_view text, Visit visit) {
  while (!text.empty()) {
    const character next = first_of(text);
    visit(next);
    text.remove_prefix(next.text.size());
  }
}

struct range {
  uint32_t first, last;
};

template <size_t N>
bool is_in(const range (&ranges)[N], uint32_t code) {
  return std::any_of(ranges, ranges + N,
                     [&](const range& each) { return code >= each.first && code <= each.last; });
}

// Controls, separators of lines, and marks that turn the direction of writing: with these a name could look like another one.
bool is_unsafe(uint32_t code) {
  constexpr range unsafe[] = {{0, 0x1F},        {0x7F, 0x9F},     {0x61C, 0x61C},  {0x200E, 0x200F},
                              {0x2028, 0x202E}, {0x2066, 0x2069}, {0xFEFF, 0xFEFF}};
  return is_in(unsafe, code);
}

// Roughly as Unicode's East Asian Width tells; a terminal may know better.
size_t width_of_character(uint32_t code) {
  constexpr range combining[] = {{0x300, 0x36F}, {0x200B, 0x200D}, {0x20D0, 0x20FF}, {0xFE00, 0xFE0F}};
  constexpr range wide[] = {{0x1100, 0x115F},   {0x2E80, 0xA4CF},   {0xAC00, 0xD7A3},  {0xF900, 0xFAFF},
                            {0xFE30, 0xFE6F},   {0xFF00, 0xFF60},   {0xFFE0, 0xFFE6},  {0x1F300, 0x1F64F},
                            {0x1F680, 0x1F6FF}, {0x1F900, 0x1F9FF}, {0x20000, 0x3FFFD}};
  if (is_in(combining, code)) return 0;
  return is_in(wide, code) ? 2 : 1;
}

template <class... Arguments>
std::string formatted(const char* format, Arguments... arguments) {
  char text[64];
  std::snprintf(text, sizeof text, format, arguments...);
  return text;
}

std::string escape_of(const character& from) {
  if (from.code == '\n') return "\\n";
  if (from.code == '\t') return "\\t";
  if (from.code == '\r') return "\\r";
  if (from.code == no_character || from.code < 0x80)
    return formatted("\\x%02x", static_cast<unsigned>(static_cast<unsigned char>(from.text[0])));
  return formatted("\\u%04x", static_cast<unsigned>(from.code));
}

}  // namespace

std::string json_text(std::string_view text) {
  std::string out = "\"";
  each_character(text, [&](const character& next) {
    if (next.code == no_character) {
      out += "\\ufffd";
    } else if (next.code < 0x20 || next.code == 0x7F) {
      out += formatted("\\u%04x", static_cast<unsigned>(next.code));
    } else {
      if (next.code == '"' || next.code == '\\') out += '\\';
      out += next.text;
    }
  });
  return out + '"';
}

std::string shown_text(std::string_view text) {
  std::string out;
  each_character(text, [&](const character& next) {
    if (next.code == '\\') {
      out += "\\\\";
    } else if (next.code == no_character || is_unsafe(next.code)) {
      out += escape_of(next);
    } else {
      out += next.text;
    }
  });
  return out;
}

size_t width_of(std::string_view text) {
  size_t width = 0;
  each_character(text, [&](const character& next) { width += width_of_character(next.code); });
  return width;
}

std::string cut_to(std::string_view text, size_t columns) {
  if (columns == 0) return "";
  if (width_of(text) <= columns) return std::string(text);
  std::string out;
  size_t left = columns - 1;
  bool is_full = false;
  each_character(text, [&](const character& next) {
    const size_t width = width_of_character(next.code);
    is_full = is_full || width > left;
    if (is_full) return;
    left -= width;
    out += next.text;
  });
  return out + "\u2026";
}

std::string size_text(int64_t bytes) {
  constexpr const char* units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  double amount = static_cast<double>(bytes);
  size_t unit = 0;
  // Not 1024: what would be rounded to it is one of the next unit.
  while (amount >= 1023.5 && unit + 1 < std::size(units)) {
    amount /= 1024;
    ++unit;
  }
  const bool is_whole = amount >= 9.95 || amount == static_cast<double>(static_cast<int64_t>(amount));
  return formatted(is_whole ? "%.0f %s" : "%.1f %s", amount, units[unit]);
}

std::string duration_text(int64_t ms) {
  constexpr int64_t second = 1000, minute = 60 * second, hour = 60 * minute, day = 24 * hour;
  const auto two = [&](int64_t large, const char* name, int64_t small, const char* small_name) {
    return std::to_string(ms / large) + name + std::to_string(ms % large / small) + small_name;
  };
  if (ms < second) return std::to_string(ms) + " ms";
  if (ms < minute) return formatted("%.1f s", static_cast<double>(ms - ms % 100) / 1000);
  if (ms < hour) return two(minute, " min ", second, " s");
  return ms < day ? two(hour, " h ", minute, " min") : two(day, " d ", hour, " h");
}

std::string status_text(kith_status status) {
  return std::string(kith_status_name(status)) + ": " + kith_status_text(status);
}

bool matches(std::string_view pattern, std::string_view text) {
  size_t p = 0, t = 0;
  size_t star = std::string_view::npos, star_text = 0;  // where the last * was, and what it stands for ends
  while (t < text.size()) {
    const bool is_star = p < pattern.size() && pattern[p] == '*';
    if (is_star) {
      star = p++;
      star_text = t;
    } else if (p < pattern.size() && pattern[p] == '?') {
      ++p;
      t += first_of(text.substr(t)).text.size();
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      star_text += first_of(text.substr(star_text)).text.size();
      t = star_text;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

}  // namespace command
