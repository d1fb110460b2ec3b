// SPDX-License-Identifier: MIT
// Reaps the children that were let go of while they ran, as they end: a thread that is there only as long as there are such.
#pragma once

#include "posix_internal.h"

namespace kith::platform {

// Takes over a child that runs. When there is no thread or no memory to be had, a later process call of the library reaps it.
void supervise(pid_t pid, native_handle&& watch);

// Reaps what no thread could be had for.
void reap_unsupervised();

}  // namespace kith::platform
