// SPDX-License-Identifier: MIT
// The end of a child, seen through a kqueue of its own. The event is never taken out, so the descriptor stays
// readable for every thread that polls it.
#include <poll.h>
#include <sys/event.h>
#include <unistd.h>

#include "posix_internal.h"

namespace kith::platform {

bool watch_works() { return true; }

// Invalid also when the child has ended already (ESRCH): looking at it by its pid then answers at once.
native_handle watch_child(pid_t pid) {
  native_handle queue = own_descriptor(kqueue());
  if (!queue.valid() || set_close_on_exec(queue.get()) != KITH_OK) return native_handle();
  struct kevent change;
  EV_SET(&change, static_cast<uintptr_t>(pid), EVFILT_PROC, EV_ADD, NOTE_EXIT, 0, nullptr);
  if (restart([&] { return kevent(queue.get(), &change, 1, nullptr, 0, nullptr); }) != 0)
    return native_handle();
  return queue;
}

// In slices, each of which looks for itself: a child that ended while its watch was set up may never be told
// of.
kith_status process_await(const process& self, deadline until) {
  if (self.foreign) return await_foreign(self, until);
  const pid_t pid = static_cast<pid_t>(self.pid);
  if (!self.watch.valid()) return await_by_naps(pid, until);
  constexpr uint64_t slice = 100 * ns_per_ms;
  pollfd item{self.watch.get(), POLLIN, 0};
  while (!child_has_ended(pid)) {
    const uint64_t now = clock_now();
    if (passed(until, now)) return KITH_E_TIMEOUT;
    const int result = poll(&item, 1, remaining_ms(earlier(until, deadline_after(now, slice)), now));
    if (result == -1) return errno == EINTR ? KITH_E_INTERRUPTED : fail(errno);
    // The event comes a moment before the child can be waited for.
    if (result > 0) return await_by_naps(pid, until);
  }
  return KITH_OK;
}

void collect_child(const process& child, kith_exit& out) {
  collect_by_pid(static_cast<pid_t>(child.pid), out);
}

kith_status signal_child(const process& child, int signal) {
  return signal_by_pid(static_cast<pid_t>(child.pid), signal);
}

}  // namespace kith::platform
