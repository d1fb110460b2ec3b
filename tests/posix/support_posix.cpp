// SPDX-License-Identifier: MIT
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__linux__)
#include <sys/prctl.h>
#endif

#include <cerrno>

#include "../support.h"

namespace test {

const char* const exe_suffix = "";
const char* const plugin_suffix = ".so";
const bool is_windows = false;
const shown_exit crashed{KITH_EXIT_SIGNAL, SIGSEGV};

size_t open_handles() {
  size_t count = 0;
  // Asking for each descriptor opens none, as reading a folder would.
  for (int descriptor = 0; descriptor < 4096; ++descriptor) count += fcntl(descriptor, F_GETFD) != -1;
  return count;
}

bool has_children() {
  siginfo_t info{};
  return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

void warm_up() {}

std::set<std::string> names_of_shared_memory() {
  std::set<std::string> names;
  DIR* folder = opendir("/dev/shm");
  if (folder == nullptr) return names;
  while (const dirent* entry = readdir(folder)) {
    // Other programs have theirs there, as Python's tests that run beside these. The folder of names stays; the tests of names look into it.
    const std::string_view name = entry->d_name;
    if (entry->d_type != DT_DIR && name.starts_with("kith-")) names.emplace(name);
  }
  closedir(folder);
  return names;
}

bool may_spawn_again() { return false; }

bool lists_names_in_one_step() { return true; }

bool duplicates_in_one_step() { return true; }

bool may_die_while_it_spawns() { return true; }

bool allow_handles(int count) {
  rlimit limits{};
  if (getrlimit(RLIMIT_NOFILE, &limits) != 0) return false;
  const rlim_t wanted = static_cast<rlim_t>(count);
  if (limits.rlim_cur >= wanted) return true;
  limits.rlim_cur = wanted;
  if (limits.rlim_max < wanted) limits.rlim_max = wanted;  // root may
  return setrlimit(RLIMIT_NOFILE, &limits) == 0;
}

bool handle_is_ready(int64_t handle, int timeout_ms) {
  pollfd item{static_cast<int>(handle), POLLIN, 0};
  return poll(&item, 1, timeout_ms) > 0;
}

void kill_by_id(int64_t pid) { kill(static_cast<pid_t>(pid), SIGKILL); }

bool has_ended(int64_t pid) {
  // Where the test has made itself the heir of its grandchildren, they end as its zombies.
  waitpid(static_cast<pid_t>(pid), nullptr, WNOHANG);
  return kill(static_cast<pid_t>(pid), 0) != 0 && errno == ESRCH;
}

#if defined(__linux__)
heir_of_grandchildren::heir_of_grandchildren() { prctl(PR_SET_CHILD_SUBREAPER, 1); }
heir_of_grandchildren::~heir_of_grandchildren() { prctl(PR_SET_CHILD_SUBREAPER, 0); }
#else
heir_of_grandchildren::heir_of_grandchildren() {}
heir_of_grandchildren::~heir_of_grandchildren() {}
#endif

void heir_of_grandchildren::await_all() const {
  while (waitpid(-1, nullptr, 0) > 0) {
  }
}

bool is_ended_child(int64_t pid) {
  siginfo_t info{};
  const int result = waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT);
  return result == 0 && info.si_pid == pid;
}

void crash() {
  // A real bad access would be caught by a sanitizer, which makes an exit code of it.
  signal(SIGSEGV, SIG_DFL);
  raise(SIGSEGV);
  _exit(98);
}

void end_at_once(int code) { _exit(code); }

bool make_writable(void* address, size_t size) {
  return mprotect(address, size, PROT_READ | PROT_WRITE) == 0;
}

std::vector<std::string> utf8_arguments(int argc, char** argv) { return {argv, argv + argc}; }

}  // namespace test
