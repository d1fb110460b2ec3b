// SPDX-License-Identifier: MIT
// What a process knows of itself, and of who started it.
#pragma once

namespace kith {

const char* program_path();  // of the file of this program; "" where the OS does not tell
const char* file_of(const char* path);

// In a forked child: what its parent knew was told to its parent.
void parent_forget();

}  // namespace kith
