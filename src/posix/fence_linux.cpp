// SPDX-License-Identifier: MIT
// Fences by membarrier(2): the heavy one makes every running thread of every registered process pass a full
// fence.
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../platform.h"

namespace kith::platform {

// Global commands since Linux 4.16. Where a sandbox forbids them, this process pays for its light fences; one
// that may register beside one that may not call the heavy fence would at worst lose a wake, which costs a
// slice.
void join_fences() {
  const bool joined = syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, 0, 0) == 0;
  light_fence_is_free.store(joined, std::memory_order_relaxed);
}

void heavy_fence() {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  (void)syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0, 0);
}

}  // namespace kith::platform
