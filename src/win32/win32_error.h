// SPDX-License-Identifier: MIT
#pragma once

#include "../platform.h"
#include "windows_api.h"

namespace kith::platform {

// For right behind a call that failed: what GetLastError says, kept and translated.
inline kith_status fail_with_last_error() { return fail(static_cast<int32_t>(GetLastError())); }

}  // namespace kith::platform
