// SPDX-License-Identifier: MIT
#include <kith/kith.h>

#include "platform.h"

int32_t kith_version(void) { return KITH_VERSION; }

int32_t kith_abi_version(void) { return KITH_ABI_VERSION; }

int32_t kith_has(int32_t feature) { return kith::platform::has(feature) ? 1 : 0; }
