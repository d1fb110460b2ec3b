// SPDX-License-Identifier: MIT
// Functions that were registered under a name.
#pragma once

#include <kith/kith.h>

namespace kith {

kith_status entry_find(const char* name, kith_entry& out);  // KITH_E_NOT_FOUND

}  // namespace kith
