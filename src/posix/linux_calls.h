// SPDX-License-Identifier: MIT
// System calls of Linux that not every C library wraps. The numbers are those of the kernel's headers.
#pragma once

#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

namespace kith::platform {

#if defined(KITH_PORTABLE)
inline int pidfd_open(pid_t) {
  errno = ENOSYS;
  return -1;
}
#else
inline int pidfd_open(pid_t pid) { return static_cast<int>(syscall(SYS_pidfd_open, pid, 0u)); }
#endif

inline int pidfd_send_signal(int pidfd, int signal) {
  return static_cast<int>(syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0u));
}

}  // namespace kith::platform
