// SPDX-License-Identifier: MIT
#pragma once

#include <kith/kith.h>

#include "utf16.h"

namespace kith::platform {

// The full path of the file of a loaded module (an HMODULE); nullptr: of the program that this process runs.
kith_status file_of_module(void* module, wide_text& out);

// What stands behind the last slash, backslash or colon.
const wchar_t* last_part(const wchar_t* path);

// The full path of the program that `name` means: with a slash, backslash or drive a path from our working
// directory, else looked for in our PATH. ".exe" is appended where there is no extension. KITH_E_NOT_FOUND,
// KITH_E_NOT_A_PROGRAM (a directory); KITH_E_UNSUPPORTED (a batch file).
kith_status find_program(const char* name, wide_text& out);

// The full path of a directory that a child can have as its own. KITH_E_BAD_CWD.
kith_status find_directory(const char* name, wide_text& out);

}  // namespace kith::platform
