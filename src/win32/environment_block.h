// SPDX-License-Identifier: MIT
#pragma once

#include <kith/kith.h>

#include "utf16.h"

namespace kith::platform {

// The block that CreateProcessW takes: "NAME=value" after "NAME=value", sorted by name, each with its NUL,
// and one NUL more.
kith_status make_environment_block(const char* const* env, wide_text& out);

}  // namespace kith::platform
