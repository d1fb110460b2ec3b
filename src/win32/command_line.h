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

// The longest line that cmd.exe reads, without the NUL.
inline constexpr size_t max_batch_line = 8'191;

// The line by which cmd.exe runs a batch file, given by its full path, with argv[1] and following. cmd.exe
// reads it by rules of its own, and reads the arguments once more wherever the batch file says %1 or %*:
// nothing in them becomes a command, a redirection or the value of a variable either time. A program that the
// file starts with %* gets them as they are; only to programs with the C runtime from before 2008 a quote in
// an argument means something else. KITH_E_INVALID: a control character other than tab, which no quoting
// keeps; KITH_E_TOO_LARGE; KITH_E_UNSUPPORTED: a path of the form \\?\, which cmd.exe does not take.
kith_status make_batch_line(const wide_text& batch_file, const char* const* argv, wide_text& out);

}  // namespace kith::platform
