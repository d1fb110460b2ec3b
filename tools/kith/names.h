// SPDX-License-Identifier: MIT
// The named objects and endpoints of this user, as the commands need them.
#pragma once

#include <kith/kith.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace command {

// kith_name_info, with texts and lists of its own.
struct named {
  kith_name_info info;  // its pointers are good no more
  std::string name;
  std::vector<int64_t> users;
  // By which what is used of a ring grows or shrinks in a second; none: it is not known.
  std::optional<double> used_per_second;

  bool has(uint32_t flag) const { return (info.flags & flag) != 0; }
  bool has_size() const;
  bool has_lock() const;
  bool has_ring() const;
  bool has_capacity() const;
};

std::string kind_text(int32_t kind);                    // "queue"
std::optional<int32_t> kind_of(std::string_view text);  // none: it is the name of no kind
std::string type_text(kith_type type);                  // "f64"

// Sorted by name, then kind. The same line is never there twice.
kith_status list_names(std::vector<named>& out);

// What a user wants to see of them: of these kinds (none: of all), with a name that matches one of the patterns (none: with any).
struct selection {
  std::vector<int32_t> kinds;
  std::vector<std::string> patterns;

  bool is_all() const { return kinds.empty() && patterns.empty(); }
  bool takes(const named& each) const;
};

// Each word that is the name of a kind is one, but for those from `first_pattern` on; all others are patterns.
selection selection_of(const std::vector<std::string>& words, size_t first_pattern);

}  // namespace command
