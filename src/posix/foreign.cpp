// SPDX-License-Identifier: MIT
// Processes that are not our children: we can see their end, but not how they ended.
#include <poll.h>

#include "posix_internal.h"

namespace kith::platform {

const native_handle* process_handle(const process&) { return nullptr; }  // who it is says enough

identity process_identity(const process& self) {
  return self.foreign ? self.who : identity_of(static_cast<uint32_t>(self.pid));
}

kith_status process_open(identity who, native_handle&&, process& out) {
  process opened;
  opened.foreign = true;
  opened.who = who;
  opened.pid = who.nobody() ? -1 : static_cast<int64_t>(who.pid());
  if (alive(who) != liveness::dead) opened.watch = watch_child(static_cast<pid_t>(who.pid()));
  // It may have ended in between, and another one may have its number.
  if (opened.watch.valid() && alive(who) == liveness::dead) opened.watch.reset();
  out = std::move(opened);
  return KITH_OK;
}

// Without a watch it looks now and then.
kith_status await_foreign(const process& self, deadline until) {
  constexpr uint64_t between_looks = 25 * ns_per_ms;
  for (;;) {
    const uint64_t now = clock_now();
    if (self.watch.valid()) {
      pollfd item{self.watch.get(), POLLIN, 0};
      const int result = poll(&item, 1, remaining_ms(until, now));
      if (result > 0) return KITH_OK;
      if (result == -1) return errno == EINTR ? KITH_E_INTERRUPTED : fail(errno);
    } else if (alive(self.who) == liveness::dead) {
      return KITH_OK;
    }
    if (passed(until, clock_now())) return KITH_E_TIMEOUT;
    if (!self.watch.valid() && !nap(until, between_looks)) return KITH_E_INTERRUPTED;
  }
}

}  // namespace kith::platform
