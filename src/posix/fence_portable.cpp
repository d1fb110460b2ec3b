// SPDX-License-Identifier: MIT
// No OS but Linux makes the cores of other processes run a fence: both fences are instructions here.
#include "../platform.h"

namespace kith::platform {

void join_fences() {}

void heavy_fence() { std::atomic_thread_fence(std::memory_order_seq_cst); }

}  // namespace kith::platform
