// SPDX-License-Identifier: MIT
// The end of a child, seen through its pidfd. Where there is none (an old kernel, or no descriptor left) by
// its pid.
#include <poll.h>
#include <sys/wait.h>

#include "linux_calls.h"
#include "posix_internal.h"

namespace kith::platform {

namespace {

constexpr idtype_t by_pidfd = static_cast<idtype_t>(3);  // P_PIDFD; not every C library has the name

}  // namespace

bool watch_works() { return watch_child(getpid()).valid(); }

native_handle watch_child(pid_t pid) { return own_descriptor(pidfd_open(pid)); }

kith_status process_await(const process& self, deadline until) {
  if (self.foreign) return await_foreign(self, until);
  if (!self.watch.valid()) return await_by_naps(static_cast<pid_t>(self.pid), until);
  pollfd item{self.watch.get(), POLLIN, 0};
  while (true) {
    const uint64_t now = clock_now();
    const int result = poll(&item, 1, remaining_ms(until, now));
    if (result > 0) return KITH_OK;
    if (result == -1) return errno == EINTR ? KITH_E_INTERRUPTED : fail(errno);
    if (passed(until, clock_now())) return KITH_E_TIMEOUT;
  }
}

void collect_child(const process& child, kith_exit& out) {
  siginfo_t info{};
  const auto take = [&] { return waitid(by_pidfd, static_cast<id_t>(child.watch.get()), &info, WEXITED); };
  if (child.watch.valid() && restart(take) == 0) {
    out = {info.si_code == CLD_EXITED ? KITH_EXIT_CODE : KITH_EXIT_SIGNAL, 0, info.si_status};
  } else if (child.watch.valid() && errno == ECHILD) {
    out = {KITH_EXIT_UNKNOWN, 0, 0};
  } else {
    // Also from Linux 5.2 to 5.3, whose waitid takes no pidfd.
    collect_by_pid(static_cast<pid_t>(child.pid), out);
  }
}

kith_status signal_child(const process& child, int signal) {
  if (!child.watch.valid()) return signal_by_pid(static_cast<pid_t>(child.pid), signal);
  return pidfd_send_signal(child.watch.get(), signal) == 0 || errno == ESRCH ? KITH_OK : fail(errno);
}

}  // namespace kith::platform
