// SPDX-License-Identifier: MIT
// Tests only: the parking lot of the Windows port, with a futex in each slot for its bell.
#include "../shm/parking_lot.h"
#include "futex.h"

namespace kith::platform {

namespace {

struct futex_bells {
  static void reset(wait_area& area, uint32_t slot) {
    area.slots[slot].bell.store(0, std::memory_order_relaxed);
  }

  static void ring(wait_area& area, uint32_t slot) {
    // The kernel compares the bell with 0 before its sleeper sleeps: whoever comes later does not sleep, and
    // the others are woken.
    area.slots[slot].bell.store(1, std::memory_order_seq_cst);
    futex_wake(area.slots[slot].bell, 1);
  }

  static wait_result sleep(wait_area& area, uint32_t slot, deadline until, identity) {
    return futex_wait(area.slots[slot].bell, 0, until);
  }

  static wait_result nap(deadline until) {
    return platform::nap(until, ns_per_ms) ? wait_result::look_again : wait_result::interrupted;
  }
};

}  // namespace

uint32_t parking_slots_wanted() { return 64; }
kith_status wait_area_open(wait_area&) { return KITH_OK; }
void wait_area_close(wait_area&) {}

void long_sleep_end(long_sleep&) {}

wait_result wait(wait_area& area, const std::atomic<uint64_t>& word, uint64_t expected, deadline until,
                 identity watch, long_sleep&) {
  return shm::park<futex_bells>(area, word, expected, until, watch);
}

void wake(wait_area& area, const std::atomic<uint64_t>& word, uint32_t count) {
  shm::unpark<futex_bells>(area, word, count);
}

}  // namespace kith::platform
