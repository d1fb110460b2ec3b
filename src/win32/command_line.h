// SPDX-License-Identifier: MIT
#pragma once

#include <kith/kith.h>

#include "utf16.h"

namespace kith::platform {

// The whole length that CreateProcessW takes, with the NUL.
inline constexpr size_t max_command_line = 32'767;

// A Windows process gets one line of text and takes it apart itself, nearly always by the rules of the C
// runtime ("Parsing C command-line arguments" in Microsoft's documentation). This is the line that these
// rules take apart into exactly argv. KITH_E_TOO_LARGE: longer than Windows allows.
kith_status make_command_line(const char* const* argv, wide_text& out);

// The line for a program without arguments.
kith_status make_command_line(const wide_text& program, wide_text& out);

}  // namespace kith::platform
