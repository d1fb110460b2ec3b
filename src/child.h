// SPDX-License-Identifier: MIT
// A child that runs a function.
#pragma once

#include <kith/kith.h>

#include "boot.h"

namespace kith {

// What a child made by fork does: keeps what it was given, lets go of everything else, runs the function, and ends.
[[noreturn]] void child_run_forked(boot_segment& boot, kith_entry entry, bool keep_descriptors);

// process.cpp, for a forked child: closes what its parent tells its children by, and says nothing to them.
void process_keep_mappings();
// The same: closes the descriptors behind the copies of its parent's process handles.
void process_forget_all();

}  // namespace kith
