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

// Its own parent is who a process asks for first: while getppid names it, it lives, as the orphans of a process are another's from the
// moment it ends. To look further may open a file. A program that stands between the two, a shell say, has to be looked past.
bool parent_lives() {
  return getppid() == static_cast<pid_t>(parent.pid()) || alive(parent) != liveness::dead;
}

void* look_after_parent(void*) {
  while (parent_lives()) (void)nap(no_deadline, between_looks);
  kill(getpid(), SIGKILL);
  return nullptr;
}

}  // namespace

void watch_parent(identity who) {
  parent = who;
  (void)start_library_thread(look_after_parent, nullptr);
}

}  // namespace kith::platform
