// SPDX-License-Identifier: MIT
#pragma once

#include <kith/kith.h>

#include "utf16.h"
#include "windows_api.h"

namespace kith::platform {

// Without a dialog box when something is missing. `path` is full, or a bare name.
kith_status load_library(const wide_text& path, HMODULE& out);

}  // namespace kith::platform
