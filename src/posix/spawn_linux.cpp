// SPDX-License-Identifier: MIT
// Starts a program as vfork does, by clone: on a stack of its own, and with a pidfd from the first moment.
#include <sched.h>
#include <sys/mman.h>

#include "linux_calls.h"
#include "spawn_child.h"

#if defined(__SANITIZE_THREAD__)
#define KITH_UNDER_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define KITH_UNDER_TSAN 1
#endif
#endif

#if defined(KITH_UNDER_TSAN) && defined(__GLIBC__)
extern "C" int __clone(int (*)(void*), void*, int, void*, ...);
#endif

namespace kith::platform {

namespace {

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)  // Linux 5.11
#endif

// Bare system calls where the thread sanitizer wraps the C library's.
struct linux_kernel {
  KITH_IN_CHILD static void default_signal_actions() {
    // The kernel's struct sigaction, in any architecture's layout: all zero is SIG_DFL without flags.
    const unsigned char default_action[256] = {};
    for (int signal = 1; signal < _NSIG; ++signal) {
      syscall(SYS_rt_sigaction, signal, default_action, nullptr, size_t{_NSIG / 8});
    }
  }

  KITH_IN_CHILD static void close_on_exec() {
    if (syscall(SYS_close_range, STDERR_FILENO + 1, ~0u, CLOSE_RANGE_CLOEXEC) != 0) close_on_exec_by_walk();
  }

  KITH_IN_CHILD static void unblock_signals() {
    const unsigned char none[_NSIG / 8] = {};
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, none, nullptr, sizeof none);
  }
};

KITH_IN_CHILD int child_main(void* task) {
  become_program<linux_kernel>(*static_cast<child_task*>(task));
  syscall(SYS_exit_group, 127);
  return 127;
}

constexpr size_t stack_size = size_t{256} << 10;  // only what is touched costs anything

// With a page below it that stops an overflow.
void* map_stack() {
  void* low =
      mmap(nullptr, stack_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (low == MAP_FAILED) return nullptr;
  mprotect(low, static_cast<size_t>(sysconf(_SC_PAGESIZE)), PROT_NONE);
  return low;
}

// One stack is kept for the next start: to map and unmap it costs a third of all that we add to a bare vfork.
constinit std::atomic<void*> spare_stack{nullptr};

class child_stack {
 public:
  // Acquire, with the release below: the last child's use of the stack comes before that of ours.
  child_stack() : low_(spare_stack.exchange(nullptr, std::memory_order_acquire)) {
    if (low_ == nullptr) low_ = map_stack();
  }
  ~child_stack() {
    if (low_ == nullptr) return;
    void* const displaced = spare_stack.exchange(low_, std::memory_order_acq_rel);
    if (displaced != nullptr) munmap(displaced, stack_size);
  }
  child_stack(const child_stack&) = delete;
  child_stack& operator=(const child_stack&) = delete;

  bool valid() const { return low_ != nullptr; }
  void* top() const { return static_cast<char*>(low_) + stack_size; }

 private:
  void* low_;
};

int clone_child(int flags, void* stack, child_task& task, int* pidfd) {
#if defined(KITH_UNDER_TSAN) && defined(__GLIBC__)
  // Newer versions of the sanitizer wrap clone as if it were fork, and would tidy up in memory that is the
  // parent's.
  return __clone(child_main, stack, flags, &task, pidfd);
#else
  return clone(child_main, stack, flags, &task, pidfd);
#endif
}

// No signal is asked for at the end of the child: one that fails before exec ends without the host seeing a
// SIGCHLD or a stranger in its waitpid(-1). From exec on the kernel makes it SIGCHLD.
constexpr int clone_flags = CLONE_VM | CLONE_VFORK;

}  // namespace

kith_status start_program(const child_start& start, process& out) {
  const child_stack stack;
  if (!stack.valid()) return fail(errno);
  child_task task{&start, {}};
  int pidfd = -1;
  pid_t pid = -1;
  int clone_error = 0;
  {
    const signals_blocked quiet;
    pid = clone_child(clone_flags | CLONE_PIDFD, stack.top(), task, &pidfd);
    // Before Linux 5.2 there is no such flag.
    if (pid == -1 && errno == EINVAL) pid = clone_child(clone_flags, stack.top(), task, nullptr);
    clone_error = errno;
  }
  if (pid == -1) return fail_to_start(clone_error);
  native_handle watch = own_descriptor(pidfd);
  if (const kith_status status = finish_start(task, pid, __WALL); status != KITH_OK) return status;
  out.pid = pid;
  out.watch = watch.valid() ? std::move(watch) : watch_child(pid);
  out.collected = false;
  return KITH_OK;
}

}  // namespace kith::platform
