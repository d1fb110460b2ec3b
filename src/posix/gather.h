// SPDX-License-Identifier: MIT
// A descriptor that is readable when one of several is: epoll, kqueue.
#pragma once

#include "posix_internal.h"

namespace kith::platform {

kith_status gather_open(native_handle& out);
kith_status gather_add(int gather, int descriptor);
void gather_remove(int gather, int descriptor);

}  // namespace kith::platform
