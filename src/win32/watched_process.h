// SPDX-License-Identifier: MIT
#pragma once

#include "../platform.h"

namespace kith::platform {

// alive(), and a handle by which the end of the process can be waited for. Valid exactly when the answer is
// `alive`.
liveness open_if_alive(identity who, native_handle& out);

}  // namespace kith::platform
