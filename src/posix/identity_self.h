// SPDX-License-Identifier: MIT
// The part of identity_*.cpp that all kernels share: keeping the identity of this process.
#pragma once

#include <pthread.h>
#include <unistd.h>

#include "posix_internal.h"

namespace kith::platform {

// A forked child is another process, and the kernel has its fences registered for the parent.
KITH_IN_FORKED_CHILD inline void forget_self() {
  self_bits.store(0, std::memory_order_relaxed);
  light_fence_is_free.store(false, std::memory_order_relaxed);
}

// Tells whether a forked child will forget the identity of its parent. Threads that race here register the
// handler twice, which does no harm; the other order, a flag first, would let one of them keep an identity
// that a fork of its own then inherits.
inline bool forgotten_in_children() {
  static constinit std::atomic<bool> registered{false};
  if (registered.load(std::memory_order_acquire)) return true;  // pairs with the release below
  if (pthread_atfork(nullptr, nullptr, forget_self) != 0) return false;
  registered.store(true, std::memory_order_release);
  return true;
}

inline identity keep_self(uint64_t start_time) {
  const identity who = make_identity(static_cast<uint32_t>(getpid()), start_time);
  join_fences();
  if (forgotten_in_children()) self_bits.store(who.bits, std::memory_order_relaxed);
  return who;
}

}  // namespace kith::platform
