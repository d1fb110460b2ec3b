// SPDX-License-Identifier: MIT
// The end of a child by its pid alone. The pid stays the child's for as long as nobody has reaped it.
#include "posix_internal.h"

namespace kith::platform {

bool watch_works() { return false; }

native_handle watch_child(pid_t) { return native_handle(); }

kith_status process_await(const process& self, deadline until) {
  if (self.foreign) return await_foreign(self, until);
  return await_by_naps(static_cast<pid_t>(self.pid), until);
}

void collect_child(const process& child, kith_exit& out) {
  collect_by_pid(static_cast<pid_t>(child.pid), out);
}

kith_status signal_child(const process& child, int signal) {
  return signal_by_pid(static_cast<pid_t>(child.pid), signal);
}

}  // namespace kith::platform
