// SPDX-License-Identifier: MIT
// The words of a command, behind its name.
#pragma once

#include <string>
#include <vector>

namespace command {

inline constexpr int success = 0, failure = 1, usage_error = 2;

// `--json`, `-l`, `--interval 2`, `--interval=2`.
struct option {
  const char* name;
  const char* short_name;        // or nullptr
  bool* flag;                    // is set; or
  std::string* value = nullptr;  // takes what stands behind it
};

struct command_line {
  const char* command;             // "ls"
  std::vector<std::string> given;  // the words
  std::vector<std::string> words;  // those that are no options: see read_options
  size_t before_end = 0;           // so many of them stand before a `--`
};

// False: an option is unknown or incomplete, which has been told. After `--` there are no options.
bool read_options(command_line& line, const std::vector<option>& known);

// Tells what is wrong with the command line. Returns usage_error.
int complain(const char* command, const std::string& what);

}  // namespace command
