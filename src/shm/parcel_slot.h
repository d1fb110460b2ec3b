// SPDX-License-Identifier: MIT
// Where the handles that are on their way in one direction of a channel are written down, on systems that put them into the
// receiver's process before it knows of them: so that at no moment one is there that stands nowhere.
#pragma once

#include <atomic>
#include <cstdint>

namespace kith::shm {

// The sender writes, while it has the turn: the ticket before the first handle is made, and 0 after the message that speaks of them is in the
// ring. The receiver reads when it closes its end.
struct parcel_slot {
  std::atomic<uint64_t> ticket;
  std::atomic<uint64_t> kind;  // KITH_OBJECT_...
  std::atomic<uint64_t> end;
  std::atomic<uint64_t> numbers[3];  // 0 where the port writes none
  uint64_t reserved[2];
};
static_assert(sizeof(parcel_slot) == 64);

}  // namespace kith::shm
