// SPDX-License-Identifier: MIT
// What a child does between vfork and exec. It borrows the memory of its parent, one thread of which waits:
// no allocation, no locks, nothing left changed but the report. Shared by spawn_linux.cpp and
// spawn_portable.cpp.
//
// `Kernel` is how the variant does what a sanitizer would otherwise see, and take for deeds of the parent.
#pragma once

#include <fcntl.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "posix_internal.h"

// Sanitizers keep books in that same memory about every function that is entered, and functions here never
// return.
#if defined(__has_attribute)
#if __has_attribute(disable_sanitizer_instrumentation)
#define KITH_IN_CHILD __attribute__((noinline, disable_sanitizer_instrumentation))
#endif
#endif
#if !defined(KITH_IN_CHILD)
#define KITH_IN_CHILD __attribute__((noinline, no_sanitize("address", "thread", "undefined")))
#endif

namespace kith::platform {

enum class start_step { begin, enter_cwd, execute };

// Written by the child, read by the parent when the child has gone from its memory.
struct start_report {
  volatile start_step step = start_step::begin;
  volatile int error = 0;  // 0: the program runs
};

struct child_task {
  const child_start* start;
  start_report report;
};

// Signals are kept away while parent and child share their memory: a handler of the host must not run in the
// child.
class signals_blocked {
 public:
  signals_blocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~signals_blocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  signals_blocked(const signals_blocked&) = delete;
  signals_blocked& operator=(const signals_blocked&) = delete;

 private:
  sigset_t before_;
};

struct directory_entry {
  uint64_t inode;
  int64_t next;
  uint16_t length;
  unsigned char type;
  char name[1];
};

KITH_IN_CHILD inline int descriptor_in(const directory_entry& entry) {
  int number = 0;
  for (const char* digit = entry.name; *digit != '\0'; ++digit) {
    if (*digit < '0' || *digit > '9') return -1;
    number = number * 10 + (*digit - '0');
  }
  return number;
}

// Marks every descriptor above the standard streams. readdir would allocate, hence the bare call.
KITH_IN_CHILD inline void close_on_exec_by_walk() {
  const int directory = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory == -1) return;  // ours have the flag already; those that the host leaves open cannot be known
  alignas(directory_entry) char block[2048];
  long size;
  while ((size = syscall(SYS_getdents64, directory, block, sizeof block)) > 0) {
    for (long at = 0; at < size;) {
      const directory_entry& entry = *reinterpret_cast<const directory_entry*>(block + at);
      const int descriptor = descriptor_in(entry);
      if (descriptor > STDERR_FILENO) fcntl(descriptor, F_SETFD, FD_CLOEXEC);
      at += entry.length;
    }
  }
  close(directory);
}

KITH_IN_CHILD inline bool set_standard_streams(const child_start& start) {
  for (int i = STDIN_FILENO; i <= STDERR_FILENO; ++i) {
    if (start.standard[i] != -1 && dup2(start.standard[i], i) == -1) return false;
  }
  return true;
}

KITH_IN_CHILD inline void keep_descriptors(const child_start& start) {
  for (int i = STDIN_FILENO; i <= STDERR_FILENO; ++i) fcntl(i, F_SETFD, 0);
  for (size_t i = 0; i < start.kept_count; ++i) fcntl(start.kept[i], F_SETFD, 0);
}

// Comes back only when it failed.
template <class Kernel>
KITH_IN_CHILD void become_program(child_task& task) {
  const child_start& start = *task.start;
  // Release, pairs with the acquire of the program that we become.
  if (start.child_pid != nullptr)
    start.child_pid->store(static_cast<uint32_t>(getpid()), std::memory_order_release);
  if (start.unwritten != nullptr && !Kernel::write_bootstrap(start)) {
    task.report.error = ENOMEM;
    return;
  }
  if (start.life.tree) setpgid(0, 0);
  Kernel::default_signal_actions();
  if (!set_standard_streams(start)) {
    task.report.error = errno;
    return;
  }
  task.report.step = start_step::enter_cwd;
  if (start.cwd != nullptr && chdir(start.cwd) != 0) {
    task.report.error = errno;
    return;
  }
  Kernel::close_on_exec();
  keep_descriptors(start);
  task.report.step = start_step::execute;
  // A signal that came meanwhile strikes here, with its default action: the child then ends by it as a
  // program would.
  Kernel::unblock_signals();
  execve(start.program, start.argv, start.env);
  task.report.error = errno;
}

// The parent's side: what became of the child. A child that failed is reaped.
inline kith_status finish_start(const child_task& task, pid_t pid, int wait_options) {
  const int error = task.report.error;
  if (error == 0) return KITH_OK;
  restart([&] { return waitpid(pid, nullptr, wait_options); });
  return task.report.step == start_step::enter_cwd ? fail_to_enter(error)
                                                   : fail_to_execute(error, task.start->program);
}

}  // namespace kith::platform
