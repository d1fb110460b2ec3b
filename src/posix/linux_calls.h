// SPDX-License-Identifier: MIT
// System calls of Linux that not every C library wraps. The numbers are those of the kernel's headers.
#pragma once

#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>

namespace kith::platform {

// A system call that is made here and not by the C library; what the kernel says, so an error as its negative number. For a child that has
// just been made: forked, it pays for each page of a library that it is the first to touch, and again where the linker has to find a
// function that its parent never called; by vfork, it has its parent's errno.
#if defined(__x86_64__) && !defined(__ILP32__)
[[gnu::always_inline]] inline long bare_call(long number, long a = 0, long b = 0, long c = 0, long d = 0) {
  register long fourth __asm__("r10") = d;
  __asm__ __volatile__("syscall"
                       : "+a"(number)
                       : "D"(a), "S"(b), "d"(c), "r"(fourth)
                       : "rcx", "r11", "memory");
  return number;
}
#elif defined(__aarch64__)
[[gnu::always_inline]] inline long bare_call(long number, long a = 0, long b = 0, long c = 0, long d = 0) {
  register long code __asm__("x8") = number;
  register long first __asm__("x0") = a;
  register long second __asm__("x1") = b;
  register long third __asm__("x2") = c;
  register long fourth __asm__("x3") = d;
  __asm__ __volatile__("svc #0" : "+r"(first) : "r"(code), "r"(second), "r"(third), "r"(fourth) : "memory");
  return first;
}
#else
[[gnu::always_inline]] inline long bare_call(long number, long a = 0, long b = 0, long c = 0, long d = 0) {
  const long result = syscall(number, a, b, c, d);
  return result == -1 ? -errno : result;
}
#endif

[[gnu::always_inline]] inline long address(const void* place) {
  return static_cast<long>(reinterpret_cast<intptr_t>(place));
}

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
