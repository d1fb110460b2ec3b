// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <signal.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "soak.h"

namespace soak {

const int64_t stuck_after_ms = 20'000;

bool suspend(int64_t pid) { return kill(static_cast<pid_t>(pid), SIGSTOP) == 0; }

void resume(int64_t pid) { (void)kill(static_cast<pid_t>(pid), SIGCONT); }

size_t open_handles() {
  size_t count = 0;
  for (int descriptor = 0; descriptor < 1024; ++descriptor)
    count += fcntl(descriptor, F_GETFD) >= 0 ? 1u : 0u;
  return count;
}

bool may_spawn_again() { return false; }

bool has_children() {
  siginfo_t unused{};
  return waitid(P_ALL, 0, &unused, WEXITED | WNOHANG | WNOWAIT) == 0;
}

}  // namespace soak
