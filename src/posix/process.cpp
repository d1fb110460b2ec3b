// SPDX-License-Identifier: MIT
// Processes, but for what differs between kernels: spawn_*.cpp starts a program, exit_*.cpp sees it end.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include <climits>
#include <cstdlib>
#include <cstring>
#include <string_view>

#if defined(__linux__) && !defined(KITH_PORTABLE)
#include "linux_calls.h"
#endif
#include "supervisor.h"

namespace kith::platform {

namespace {

// ---- finding the program

kith_status check_program(const char* path) {
  struct stat info;
  if (stat(path, &info) != 0) return fail(errno);
  if (S_ISDIR(info.st_mode)) return fail(EISDIR);
  if (!S_ISREG(info.st_mode)) return fail(ENOEXEC);
  return faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0 ? KITH_OK : fail(errno);
}

bool join_path(text& out, std::string_view folder, const char* name) {
  out.clear();
  return out.append(folder.data(), folder.size()) && out.append('/') &&
         out.append(name, std::strlen(name) + 1);
}

kith_status search_path(const char* name, text& out) {
  const char* list = std::getenv("PATH");
  if (list == nullptr) list = "/usr/bin:/bin";
  kith_status verdict = KITH_E_NOT_FOUND;
  while (true) {
    const size_t length = std::strcspn(list, ":");
    // An empty entry once meant the working directory. Nobody writes one for that, but many by mistake.
    if (length != 0) {
      if (!join_path(out, std::string_view(list, length), name)) return KITH_E_NO_MEMORY;
      const kith_status status = check_program(out.data());
      if (status == KITH_OK) return KITH_OK;
      if (status == KITH_E_DENIED) verdict = status;
    }
    if (list[length] == '\0') return verdict == KITH_E_DENIED ? fail(EACCES) : fail(ENOENT);
    list += length + 1;
  }
}

kith_status find_program(const char* name, bool absolute, text& out) {
  if (std::strchr(name, '/') == nullptr) {
    if (name[0] == '\0') return fail(ENOENT);
    if (const kith_status status = search_path(name, out); status != KITH_OK) return status;
  } else {
    if (!assign(out, name)) return KITH_E_NO_MEMORY;
    if (const kith_status status = check_program(name); status != KITH_OK) return status;
  }
  return absolute ? make_absolute(out) : KITH_OK;
}

#if defined(__linux__)
struct file_number {
  dev_t device;
  ino_t inode;
};

bool find_number(const char* path, file_number& out) {
  struct stat info;
  if (stat(path, &info) != 0) return false;
  out = {info.st_dev, info.st_ino};
  return true;
}

// The file of this program may have been renamed, deleted or replaced since it started; a link leads to it all the same. Which file it is
// does not change while the process lives, so the link is looked at once; and one look tells whether the name that it had then is still good.
struct own_file {
  file_number number;
  text path;
};
constinit std::atomic<own_file*> own{nullptr};  // kept for the life of the process

bool is_own_file(const char* path, const file_number& ours) {
  file_number named;
  return find_number(path, named) && named.device == ours.device && named.inode == ours.inode;
}

void remember_own_file(const char* path, const file_number& ours) {
  own_file* const found = make<own_file>();
  if (found == nullptr) return;
  found->number = ours;
  own_file* none = nullptr;
  // Release, pairs with the acquire in recall_own_program.
  const bool kept =
      assign(found->path, path) &&
      own.compare_exchange_strong(none, found, std::memory_order_release, std::memory_order_relaxed);
  if (!kept) unmake(found);
}

// false: what the OS says it is called is another file now.
bool check_own_program(const char* path) {
  file_number ours;
  if (!find_number("/proc/self/exe", ours)) return true;
  if (!is_own_file(path, ours)) return false;
  remember_own_file(path, ours);
  return true;
}

bool recall_own_program(text& out) {
  const own_file* const known = own.load(std::memory_order_acquire);
  return known != nullptr && is_own_file(known->path.data(), known->number) &&
         assign(out, known->path.data());
}
#else
bool check_own_program(const char*) { return true; }
bool recall_own_program(text&) { return false; }
#endif

kith_status find_own_program(text& out) {
  if (recall_own_program(out)) return KITH_OK;
  if (!out.resize(PATH_MAX + 1)) return KITH_E_NO_MEMORY;
  size_t length = out.size();
  if (const int result = uv_exepath(out.data(), &length); result != 0) return fail(-result);
  if (check_own_program(out.data())) return KITH_OK;
  return assign(out, "/proc/self/exe") ? KITH_OK : KITH_E_NO_MEMORY;
}

// ---- starting

kith_status list_kept(const spawn_plan& plan, buffer<int>& out) {
  if (plan.bootstrap != nullptr && !out.append(plan.bootstrap->get())) return KITH_E_NO_MEMORY;
  for (size_t i = 0; i < plan.passed_count; ++i) {
    if (!out.append(plan.passed[i].handle->get())) return KITH_E_NO_MEMORY;
    *plan.passed[i].number = handle_number(*plan.passed[i].handle);
  }
  return KITH_OK;
}

}  // namespace

uint32_t own_pid() {
#if defined(__linux__) && !defined(KITH_PORTABLE)
  return static_cast<uint32_t>(bare_call(SYS_getpid));
#else
  return static_cast<uint32_t>(getpid());
#endif
}

kith_status make_absolute(text& path) {
  if (path[0] == '/') return KITH_OK;
  text folder;
  if (!folder.resize(PATH_MAX)) return KITH_E_NO_MEMORY;
  if (getcwd(folder.data(), folder.size()) == nullptr) return fail(errno);
  text joined;
  if (!join_path(joined, folder.data(), path.data())) return KITH_E_NO_MEMORY;
  return assign(path, joined.data()) ? KITH_OK : KITH_E_NO_MEMORY;
}

kith_status process_spawn(const spawn_plan& plan, process& out) {
  reap_unsupervised();
  text program;
  kith_status status = plan.argv == nullptr ? find_own_program(program)
                                            : find_program(plan.argv[0], plan.cwd != nullptr, program);
  buffer<int> kept;
  if (status == KITH_OK) status = list_kept(plan, kept);
  if (status != KITH_OK) return status;
  const char* const own_argv[] = {program.data(), nullptr};
  const char* const* argv = plan.argv == nullptr ? own_argv : plan.argv;
  // exec takes its texts as `char*` for history's sake, and changes none.
  char* const* env = const_cast<char* const*>(plan.env == nullptr ? own_variables() : plan.env);
  child_start start{program.data(),
                    const_cast<char* const*>(argv),
                    env,
                    plan.cwd,
                    kept.data(),
                    kept.size(),
                    {-1, -1, -1},
                    plan.child_pid,
                    plan.unwritten,
                    plan.unwritten_size,
                    plan.bootstrap == nullptr ? -1 : plan.bootstrap->get(),
                    plan.life};
  for (size_t i = 0; i < standard_streams; ++i) {
    if (plan.standard[i] != nullptr) start.standard[i] = plan.standard[i]->get();
  }
  out.tree = plan.life.tree;
  return start_program(start, out);
}

KITH_IN_FORKED_CHILD kith_status process_fork(const child_life& life, process& out, fork_side& side) {
  reap_unsupervised();
  const fork_bond bond = life.detached ? fork_bond{} : make_fork_bond();
  const pid_t pid = fork();
  if (pid == -1) return fail_to_start(errno);
  side = pid == 0 ? fork_side::child : fork_side::parent;
  if (life.tree) setpgid(pid, pid);  // by both: whoever goes on first relies on it
  if (pid == 0) {
    tie_forked_child(bond);
  } else {
    out.pid = pid;
    out.watch = watch_child(pid);
    out.collected = false;
    out.tree = life.tree;
  }
  return KITH_OK;
}

kith_status fail_to_start(int os_error) {
  const kith_status status = fail(os_error);
  return os_error == EAGAIN ? KITH_E_LIMIT : status;  // too many processes
}

kith_status fail_to_execute(int os_error, const char* program) {
  const kith_status status = fail_to_start(os_error);
  // The file was there when we looked. If it still is, what is missing is its interpreter or loader.
  if (os_error == ENOENT && access(program, F_OK) == 0) return KITH_E_NOT_A_PROGRAM;
  return os_error == EINVAL ? KITH_E_NOT_A_PROGRAM : status;  // a broken ELF file
}

kith_status fail_to_enter(int os_error) {
  const kith_status status = fail(os_error);
  return status == KITH_E_NO_MEMORY || status == KITH_E_LIMIT ? status : KITH_E_BAD_CWD;
}

// ---- its life and end

int64_t process_id(const process& self) { return self.pid; }

kith_status process_poll_handle(const process& self, int64_t& out) {
  if (!self.watch.valid()) return KITH_E_UNSUPPORTED;
  out = self.watch.get();
  return KITH_OK;
}

bool child_has_ended(pid_t pid) {
  siginfo_t info{};  // si_pid stays 0 when there is nothing to tell
  const auto look = [&] { return waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT | WNOHANG); };
  return restart(look) == -1 || info.si_pid != 0;
}

kith_status await_by_naps(pid_t pid, deadline until) {
  constexpr uint64_t longest = 5 * ns_per_ms;
  for (uint64_t length = ns_per_ms / 5;; length = length * 2 < longest ? length * 2 : longest) {
    if (child_has_ended(pid)) return KITH_OK;
    if (passed(until, clock_now())) return KITH_E_TIMEOUT;
    if (!nap(until, length)) return KITH_E_INTERRUPTED;
  }
}

void collect_by_pid(pid_t pid, kith_exit& out) {
  int status = 0;
  if (restart([&] { return waitpid(pid, &status, 0); }) != pid) {
    out = {KITH_EXIT_UNKNOWN, 0, 0};  // Somebody else took it, or the host ignores SIGCHLD.
  } else if (WIFEXITED(status)) {
    out = {KITH_EXIT_CODE, 0, WEXITSTATUS(status)};
  } else {
    out = {KITH_EXIT_SIGNAL, 0, WTERMSIG(status)};
  }
}

void look_how_it_ended(pid_t pid, kith_exit& out) {
  siginfo_t info{};
  if (restart([&] { return waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT); }) != 0) {
    out = {KITH_EXIT_UNKNOWN, 0, 0};
  } else if (info.si_code == CLD_EXITED) {
    out = {KITH_EXIT_CODE, 0, info.si_status & 0xFF};  // Darwin gives more bits
  } else {
    out = {KITH_EXIT_SIGNAL, 0, info.si_status};
  }
}

// A pid that was reaped behind our back may be a stranger's by now.
kith_status signal_by_pid(pid_t pid, int signal) {
  if (child_has_ended(pid) || kill(pid, signal) == 0 || errno == ESRCH) return KITH_OK;
  return fail(errno);
}

void process_collect(process& self, kith_exit& out) {
  if (self.foreign) {  // its parent reaps it, who may be us, through another handle
    out = {KITH_EXIT_UNKNOWN, 0, 0};
    self.collected = true;
    return;
  }
  if (self.tree) {  // stays, see tree.cpp
    look_how_it_ended(static_cast<pid_t>(self.pid), out);
    return;
  }
  collect_child(self, out);
  self.collected = true;
  // Other threads may still be waiting on the handle: it is closed by process_forget.
  reap_unsupervised();
}

kith_status process_terminate(const process& self) {
  return self.tree ? signal_tree(static_cast<pid_t>(self.pid), SIGTERM) : signal_child(self, SIGTERM);
}

kith_status process_kill(const process& self) {
  return self.tree ? kill_tree(static_cast<pid_t>(self.pid)) : signal_child(self, SIGKILL);
}

void process_forget(process& self) {
  const pid_t pid = static_cast<pid_t>(self.pid);
  const bool is_open = !self.foreign && pid > 0 && !self.collected;
  if (is_open && restart([&] { return waitpid(pid, nullptr, WNOHANG); }) == 0)
    supervise(pid, std::move(self.watch));
  self = process{};
  reap_unsupervised();
}

}  // namespace kith::platform
