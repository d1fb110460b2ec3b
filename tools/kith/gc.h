// SPDX-License-Identifier: MIT
#pragma once

#include "command_line.h"

namespace command {

int gc(command_line& line);  // removes what crashes have left
int rm(command_line& line);  // removes what is persistent

}  // namespace command
