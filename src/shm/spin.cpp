// SPDX-License-Identifier: MIT
#include "spin.h"

namespace kith::shm {

// Asked once: relaxed, as every thread that asks writes the same answer.
bool spinner::has_several_cpus() {
  static constinit std::atomic<uint32_t> known{0};
  uint32_t count = known.load(std::memory_order_relaxed);
  if (count == 0) {
    count = platform::cpu_count();
    known.store(count, std::memory_order_relaxed);
  }
  return count > 1;
}

}  // namespace kith::shm
