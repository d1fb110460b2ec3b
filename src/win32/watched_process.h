// SPDX-License-Identifier: MIT
#pragma once

#include "../platform.h"

namespace kith::platform {

// alive(), and a handle by which the end of the process can be waited for, with further rights. Valid exactly
// when the answer is `alive`.
liveness open_if_alive(identity who, unsigned long rights, native_handle& out);

// Of a process by a handle to it.
identity identity_of(void* process);

}  // namespace kith::platform
