// SPDX-License-Identifier: MIT
// Telling those who wait on the bells of an object, for one or many things at once.
//
// Who waits raises a flag in the object's state, then looks whether there is something, then waits for the bell. Who changes something
// looks at the flag afterwards, takes it down and rings: once for as many changes as come until somebody raises it again. A full fence
// lies between the two steps of either side, so that one of them sees what the other did.
//
// The flag and the bell are shared by all who wait. That works because a bell stays rung, for all of them, until one quiets it, and
// because who quiets it does so only after a look that found nothing, then raises the flag, and looks again. If there is
// something by then, the ring that told of it may have been silenced before another one heard it: so who finds that rings again. The flag
// is not taken down when a wait is over, as it may be another one's by then: it costs one ring that nobody needs.
//
// What this does not cover is a process that is killed between the taking down and the ring, or between quieting and ringing again. Then
// the others would wait for the next change; kith_wait_any therefore looks for itself after each slice.
#pragma once

#include <atomic>
#include <cstdint>

#include "../platform.h"

namespace kith::shm {

// What is in a flag: on which of the bells somebody waits.
inline constexpr uint64_t hears_bell_0 = 1, hears_bell_1 = 2;

void ring_pollers(std::atomic<uint64_t>& flag, const platform::bells* bells);  // takes the flag down

// After a change.
inline void tell_pollers(std::atomic<uint64_t>& flag, const platform::bells* bells) {
  platform::light_fence();  // pairs with the heavy one of who raised the flag
  if (flag.load(std::memory_order_relaxed) != 0) ring_pollers(flag, bells);
}

// Before the heavy fence. Relaxed: the fence orders it.
inline void raise_poll_flag(std::atomic<uint64_t>& flag, uint64_t bells) {
  flag.fetch_or(bells, std::memory_order_relaxed);
}

}  // namespace kith::shm
