// SPDX-License-Identifier: MIT
// Starts a program as vfork does, by clone: on a stack of its own, and with a pidfd from the first moment.
//
// A child is to end when this process ends, also by SIGKILL. The kernel can send it a signal (PR_SET_PDEATHSIG), but
// when the *thread* ends that made it, and that may be long before the process. Children are handed on, though: when
// a thread ends, its children become those of the first thread of the process. So, unless the first thread is the
// caller, a thread that lives for this one start makes the child, and ends; the child learns by that same signal that it
// was handed on, and only then asks for SIGKILL. (A library thread that stays would do, too, but a child inherits from
// the thread that makes it: processors, priority, credentials, namespaces; a thread made by the caller has the caller's.)
#include <linux/futex.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>

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

// Bare system calls: the thread sanitizer wraps the C library's, and a signal costs half of what it does by way of that.
struct linux_kernel {
  KITH_IN_CHILD static void default_signal_actions() {
    // The kernel's struct sigaction, in any architecture's layout: all zero is SIG_DFL without flags.
    const unsigned char default_action[256] = {};
    for (int signal = 1; signal < _NSIG; ++signal) {
      (void)bare_call(SYS_rt_sigaction, signal, address(default_action), 0, _NSIG / 8);
    }
  }

  // Sealed at last: with its size, and so that nobody adds another seal.
  KITH_IN_CHILD static bool write_bootstrap(const child_start& start) {
    const long size = static_cast<long>(start.unwritten_size);
#if defined(__LP64__)
    const long done = bare_call(SYS_pwrite64, start.bootstrap, address(start.unwritten), size, 0);
#else
    const long done =
        syscall(SYS_pwrite64, start.bootstrap, start.unwritten, size, 0, 0, 0);  // an offset of two words
#endif
    const long sealed =
        bare_call(SYS_fcntl, start.bootstrap, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
    return done == size &&
           (sealed == 0 ||
            sealed == -EPERM);  // EPERM: by the child before us, which could not run its program
  }

  KITH_IN_CHILD static void close_on_exec() {
    if (bare_call(SYS_close_range, STDERR_FILENO + 1, ~0u, CLOSE_RANGE_CLOEXEC) != 0) close_on_exec_by_walk();
  }

  KITH_IN_CHILD static void unblock_signals() {
    const unsigned char none[_NSIG / 8] = {};
    (void)bare_call(SYS_rt_sigprocmask, SIG_SETMASK, address(none), 0, sizeof none);
  }
};

using futex_word = std::atomic<uint32_t>;
static_assert(sizeof(futex_word) == sizeof(uint32_t));

KITH_IN_CHILD inline void futex_wait(const futex_word& word, uint32_t expected) {
  syscall(SYS_futex, &word, FUTEX_WAIT, expected, nullptr, nullptr, 0);
}

KITH_IN_CHILD inline void futex_wake(const futex_word& word) {
  syscall(SYS_futex, &word, FUTEX_WAKE, 1, nullptr, nullptr, 0);
}

struct launch {
  child_task task;
  pid_t parent = 0;        // 0: the child lives on without us
  bool handed_on = false;  // made by a thread that ends
  void* stack = nullptr;
  pid_t pid = -1;  // of the child
  int pidfd = -1;
  int error = 0;            // why there is no child
  futex_word is_bound{0};   // 1: the child will learn of the end of the thread that made it
  futex_word in_memory{1};  // 0, written by the kernel: the child runs its program, or has ended
};

// While a child is handed on. Blocked here, and a blocked signal waits even where its action is to be ignored.
constexpr int signal_of_hand_over = SIGUSR1;

// Asked first, looked afterwards: a parent that ended in between has sent nothing.
KITH_IN_CHILD bool will_be_told(int signal, pid_t parent) {
  const bool asked = bare_call(SYS_prctl, PR_SET_PDEATHSIG, signal) == 0;
  return asked && bare_call(SYS_getppid) == parent;
}

KITH_IN_CHILD void await_hand_over(launch& self) {
  const bool told = will_be_told(signal_of_hand_over, self.parent);
  self.is_bound.store(1);  // seq_cst, pairs with the load in make_child_and_end
  futex_wake(self.is_bound);
  unsigned char set[_NSIG / 8] = {};
  set[(signal_of_hand_over - 1) / 8] = static_cast<unsigned char>(1u << ((signal_of_hand_over - 1) % 8));
  while (told && syscall(SYS_rt_sigtimedwait, set, nullptr, nullptr, sizeof set) == -1 && errno == EINTR) {
  }
}

KITH_IN_CHILD void end_with_parent(pid_t parent) {
  if (!will_be_told(SIGKILL, parent) && bare_call(SYS_getppid) != parent) bare_call(SYS_exit_group, 127);
}

KITH_IN_CHILD int child_main(void* given) {
  launch& self = *static_cast<launch*>(given);
  if (self.handed_on) await_hand_over(self);
  if (self.parent != 0) end_with_parent(self.parent);
  become_program<linux_kernel>(self.task);
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

int clone_child(int flags, launch& self) {
#if defined(KITH_UNDER_TSAN) && defined(__GLIBC__)
  // Newer versions of the sanitizer wrap clone as if it were fork, and would tidy up in memory that is the
  // parent's.
  return __clone(child_main, self.stack, flags, &self, &self.pidfd, nullptr, &self.in_memory);
#else
  return clone(child_main, self.stack, flags, &self, &self.pidfd, nullptr, &self.in_memory);
#endif
}

// No signal is asked for at the end of the child: one that fails before exec ends without the host seeing a
// SIGCHLD or a stranger in its waitpid(-1). From exec on the kernel makes it SIGCHLD.
void make_child(int flags, launch& self) {
  self.pid = clone_child(flags | CLONE_VM | CLONE_PIDFD, self);
  // Before Linux 5.2 there is no such flag.
  if (self.pid == -1 && errno == EINVAL) self.pid = clone_child(flags | CLONE_VM, self);
  self.error = errno;
}

void* make_child_and_end(void* given) {
  launch& self = *static_cast<launch*>(given);
  // Not CLONE_VFORK, which would keep this thread from ending.
  make_child(CLONE_CHILD_CLEARTID, self);
  if (self.pid == -1) {
    self.in_memory.store(0,
                         std::memory_order_release);  // pairs with the acquire below, as the kernel's 0 does
    futex_wake(self.in_memory);
    return nullptr;
  }
  // seq_cst, see await_hand_over
  while (self.is_bound.load() == 0) futex_wait(self.is_bound, 0);
  return nullptr;
}

void make_child_by_thread(launch& self) {
  pthread_t thread;
  self.handed_on = true;
  const int error = pthread_create(&thread, nullptr, make_child_and_end, &self);
  if (error != 0) {
    self.error = error;  // not before: where there is a thread, it is that thread's to write
    return;
  }
  while (self.in_memory.load(std::memory_order_acquire) != 0) futex_wait(self.in_memory, 1);
  // Not before: the child has its errno where that thread had it, which is freed by this call.
  pthread_join(thread, nullptr);
}

bool is_first_thread_of(pid_t process) { return bare_call(SYS_gettid) == process; }

}  // namespace

kith_status start_program(const child_start& start, process& out) {
  const child_stack stack;
  if (!stack.valid()) return fail(errno);
  launch child{{&start, {}}};
  child.stack = stack.top();
  const pid_t self = getpid();
  child.parent = start.life.detached ? 0 : self;
  {
    const signals_blocked quiet;
    if (start.life.detached || is_first_thread_of(self)) {
      make_child(CLONE_VFORK, child);
    } else {
      make_child_by_thread(child);
    }
  }
  if (child.pid == -1) return fail_to_start(child.error);
  native_handle watch = own_descriptor(child.pidfd);
  if (const kith_status status = finish_start(child.task, child.pid, __WALL); status != KITH_OK)
    return status;
  out.pid = child.pid;
  out.watch = watch.valid() ? std::move(watch) : watch_child(child.pid);
  out.collected = false;
  return KITH_OK;
}

// A process that forks has one thread, or should have: its first.
fork_bond make_fork_bond() { return {is_first_thread_of(getpid()) ? self() : identity{}}; }

KITH_IN_FORKED_CHILD void tie_forked_child(const fork_bond& bond) {
  if (!bond.parent.nobody()) end_with_parent(static_cast<pid_t>(bond.parent.pid()));
}

}  // namespace kith::platform
