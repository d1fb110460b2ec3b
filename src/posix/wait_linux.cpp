// SPDX-License-Identifier: MIT
#include "futex.h"

namespace kith::platform {

uint32_t parking_slots_wanted() { return 0; }
kith_status wait_area_open(wait_area&) { return KITH_OK; }
void wait_area_close(wait_area&) {}

wait_result wait(wait_area&, const std::atomic<uint64_t>& word, uint64_t expected, deadline until, identity) {
  return futex_wait(word, expected, until);
}

void wake(wait_area&, const std::atomic<uint64_t>& word, uint32_t count) { futex_wake(word, count); }

}  // namespace kith::platform
