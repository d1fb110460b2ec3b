// SPDX-License-Identifier: MIT
#pragma once

#include <kith/kith.h>

#include "utf16.h"

namespace kith::platform {

// The full path of the file of a loaded module (an HMODULE); nullptr: of the program that this process runs.
kith_status file_of_module(void* module, wide_text& out);

kith_status full_path(const wchar_t* path, wide_text& out);

// What stands behind the last slash, backslash or colon.
const wchar_t* last_part(const wchar_t* path);

// CreateProcessW starts cmd.exe for a batch file, which takes the command line apart by rules of its own:
// arguments that are quoted by the usual ones can become commands.
enum class program_kind { executable, batch_file };

// The full path of the program that `name` means: with a slash, backslash or drive a path from our working
// directory, else looked for in the folders of our PATH (an empty entry is none of them). ".exe" is appended
// where there is no extension. KITH_E_NOT_FOUND, KITH_E_NOT_A_PROGRAM (a directory).
kith_status find_program(const char* name, wide_text& out, program_kind& kind);

// The full path of cmd.exe: that of Windows, not one that a variable names.
kith_status find_command_interpreter(wide_text& out);

// The full path of a directory that a child can have as its own. KITH_E_BAD_CWD.
kith_status find_directory(const char* name, wide_text& out);

}  // namespace kith::platform
