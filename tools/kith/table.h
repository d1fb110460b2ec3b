// SPDX-License-Identifier: MIT
// Names as a table for people, and as JSON.
#pragma once

#include <string>
#include <vector>

#include "names.h"

namespace command {

struct table_style {
  bool is_long = false;    // nothing is cut
  bool has_rates = false;  // how fast rings fill
};

// Lines, each with its end; the first one is the heading.
std::vector<std::string> table_of(const std::vector<named>& all, const table_style& style);

std::string json_of(const named& each, bool with_rate);  // on one line
std::string json_identity(const named& each);            // kind and name alone

}  // namespace command
