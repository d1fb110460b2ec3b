// SPDX-License-Identifier: MIT
// What only the operating system can tell: machine_posix.cpp and machine_win32.cpp.
#pragma once

#include "report.h"

namespace command {

void add_system(report& to);  // its name and version
void add_limits(report& to);  // of descriptors, processes, shared memory
void add_calls(report& to);   // the calls that make kith faster where they are to be had

}  // namespace command
