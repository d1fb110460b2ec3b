// SPDX-License-Identifier: MIT
// Starts a program by vfork.
#include "spawn_child.h"

namespace kith::platform {

namespace {

struct posix_calls {
  static void default_signal_actions() {
    struct sigaction default_action {};
    default_action.sa_handler = SIG_DFL;
    for (int signal = 1; signal < NSIG; ++signal) sigaction(signal, &default_action, nullptr);
  }

  static bool write_bootstrap(const child_start&) { return false; }  // it never is unwritten

  static void close_on_exec() { close_on_exec_by_walk(); }

  static void unblock_signals() {
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
  }
};

// vfork returns twice on one stack: this function has no variable that the child could change under the
// parent.
__attribute__((noinline)) pid_t vfork_child(child_task& task) {
  const pid_t pid = vfork();
  if (pid != 0) return pid;
  become_program<posix_calls>(task);
  _exit(127);
}

}  // namespace

kith_status start_program(const child_start& start, process& out) {
  child_task task{&start, {}};
  pid_t pid = -1;
  int vfork_error = 0;
  {
    const signals_blocked quiet;
    pid = vfork_child(task);
    vfork_error = errno;
  }
  if (pid == -1) return fail_to_start(vfork_error);
  if (const kith_status status = finish_start(task, pid, 0); status != KITH_OK) return status;
  out.pid = pid;
  out.watch = watch_child(pid);
  out.collected = false;
  return KITH_OK;
}

fork_bond make_fork_bond() { return {self()}; }

void tie_forked_child(const fork_bond& bond) {
  if (!bond.parent.nobody()) watch_parent(bond.parent);
}

}  // namespace kith::platform
