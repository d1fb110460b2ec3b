// SPDX-License-Identifier: MIT
// The job that a child is in ends it with its parent: see spawn.cpp.
#include "../platform.h"

namespace kith::platform {

void watch_parent(identity) {}

}  // namespace kith::platform
