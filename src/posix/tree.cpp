// SPDX-License-Identifier: MIT
// A child and its descendants, as a process group that has the child's pid for its number. The child is not reaped before its handle is closed,
// so that the number is nobody else's, even when the child has ended and others of its group have not.
#include <sys/wait.h>

#include "posix_internal.h"

namespace kith::platform {

namespace {

// A host may have reaped it behind our back.
bool number_is_kept(pid_t leader) {
  siginfo_t info{};
  const auto look = [&] {
    return waitid(P_PID, static_cast<id_t>(leader), &info, WEXITED | WNOWAIT | WNOHANG);
  };
  return restart(look) == 0;
}

// Where nobody but the dead is left, that is ESRCH, EPERM (Darwin), or no error (Linux).
kith_status verdict(pid_t leader, int result) {
  if (result == 0 || errno == ESRCH) return KITH_OK;
  const int error = errno;
  return child_has_ended(leader) ? KITH_OK : fail(error);
}

#if defined(__linux__) && !defined(KITH_PORTABLE)
// A signal to a group and a fork exclude each other: either the new process gets it too, or there is none (copy_process in
// the kernel gives up when its caller is about to be killed).
constexpr int most_passes = 1;
#else
// A process that is made while the group is gone through is missed. The next pass finds it, and whoever it has made; what was
// killed makes no more.
constexpr int most_passes = 100;
#endif

}  // namespace

kith_status signal_tree(pid_t leader, int signal) {
  return number_is_kept(leader) ? verdict(leader, kill(-leader, signal)) : KITH_OK;
}

kith_status kill_tree(pid_t leader) {
  if (!number_is_kept(leader)) return KITH_OK;
  const int first = kill(-leader, SIGKILL);
  const kith_status status = verdict(leader, first);
  for (int pass = 1; first == 0 && pass < most_passes; ++pass) {
    if (kill(-leader, SIGKILL) != 0) break;
    yield_cpu();
  }
  return status;
}

}  // namespace kith::platform
