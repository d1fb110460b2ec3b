// SPDX-License-Identifier: MIT
// What only the operating system can tell: machine_posix.cpp and machine_win32.cpp.
#pragma once

#include <string>
#include <vector>

#include "report.h"

namespace command {

void add_system(report& to);  // its name and version
void add_limits(report& to);  // of descriptors, processes, shared memory
void add_calls(report& to);   // the calls that make kith faster where they are to be had

// Where the names of this user lie.
std::string place_of_names();

// The words after the program's own name, as UTF-8.
std::vector<std::string> arguments(int argc, char** argv);

// False: nobody reads any more.
bool put(const std::string& text);

struct screen {
  size_t rows, columns;
};

// False: stdout is no terminal, or one that cannot be redrawn.
bool find_screen(screen& out);

// In place of what the terminal shows.
bool redraw(const std::string& text);

}  // namespace command
