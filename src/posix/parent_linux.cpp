// SPDX-License-Identifier: MIT
// The kernel ends a child with its parent: see spawn_linux.cpp.
#include "../platform.h"

namespace kith::platform {

void watch_parent(identity) {}

}  // namespace kith::platform
