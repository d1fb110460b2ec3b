// SPDX-License-Identifier: MIT
#pragma once

#include "command_line.h"

namespace command {

int ls(command_line& line);   // what there is
int top(command_line& line);  // the same, again and again

}  // namespace command
