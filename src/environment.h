// SPDX-License-Identifier: MIT
// The environment of a child.
#pragma once

#include <kith/kith.h>

#include "buffer.h"

namespace kith {

// Pointers to "NAME=value" lines, ends with nullptr.
struct environment {
  buffer<const char*> lines;
  buffer<char*> made;  // those of them that are ours; the others are this process's own variables
  environment() = default;
  environment(const environment&) = delete;
  environment& operator=(const environment&) = delete;
  ~environment();
};

// This process's environment (none of it if `clean`), with the user's changes and one more line (or nullptr).
// KITH_E_INVALID: a change without a name.
kith_status environment_build(bool clean, const char* const* changes, const char* extra, environment& out);

}  // namespace kith
