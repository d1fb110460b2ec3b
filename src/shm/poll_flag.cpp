// SPDX-License-Identifier: MIT
#include "poll_flag.h"

namespace kith::shm {

// Relaxed: the bell is what orders, as far as anything must; who hears it looks for itself.
void ring_pollers(std::atomic<uint64_t>& flag, const platform::bells* bells) {
  const uint64_t heard = flag.exchange(0, std::memory_order_relaxed);
  if (bells == nullptr) return;
  if ((heard & hears_bell_0) != 0) platform::bell_ring(*bells, 0);
  if ((heard & hears_bell_1) != 0) platform::bell_ring(*bells, 1);
}

}  // namespace kith::shm
