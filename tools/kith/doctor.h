// SPDX-License-Identifier: MIT
#pragma once

#include "report.h"

namespace command {

// What this machine offers to kith, and lacks. Starts a child or two, and takes less than a second.
report examine();

}  // namespace command
