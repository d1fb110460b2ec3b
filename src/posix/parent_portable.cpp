// SPDX-License-Identifier: MIT
// Nothing here tells of the end of the parent: a thread looks now and then. (The end of an inherited pipe would tell at once, if only no
// other process of the parent's held a copy of its other end.)
#include <unistd.h>

#include "library_thread.h"
#include "posix_internal.h"

namespace kith::platform {

namespace {

constexpr uint64_t between_looks = 100 * ns_per_ms;

constinit identity parent;

void* look_after_parent(void*) {
  while (alive(parent) != liveness::dead) (void)nap(no_deadline, between_looks);
  kill(getpid(), SIGKILL);
  return nullptr;
}

}  // namespace

void watch_parent(identity who) {
  parent = who;
  (void)start_library_thread(look_after_parent, nullptr);
}

}  // namespace kith::platform
