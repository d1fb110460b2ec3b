// SPDX-License-Identifier: MIT
// Starts a program by posix_spawn, which is a system call here and can do what vfork must be used for
// elsewhere.
#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <unistd.h>

#include "posix_internal.h"

namespace kith::platform {

namespace {

class spawn_attributes {
 public:
  spawn_attributes() { error_ = posix_spawnattr_init(&attributes_); }
  ~spawn_attributes() { posix_spawnattr_destroy(&attributes_); }
  spawn_attributes(const spawn_attributes&) = delete;
  spawn_attributes& operator=(const spawn_attributes&) = delete;

  // Default actions for all signals, none blocked, and no descriptor but the listed.
  int fill(const child_life& life) {
    sigset_t all;
    sigset_t none;
    sigfillset(&all);
    sigemptyset(&none);
    int flags = POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_CLOEXEC_DEFAULT;
    if (life.tree) flags |= POSIX_SPAWN_SETPGROUP;
    if (error_ == 0) error_ = posix_spawnattr_setflags(&attributes_, static_cast<short>(flags));
    if (error_ == 0) error_ = posix_spawnattr_setsigdefault(&attributes_, &all);
    if (error_ == 0) error_ = posix_spawnattr_setsigmask(&attributes_, &none);
    if (error_ == 0 && life.tree) error_ = posix_spawnattr_setpgroup(&attributes_, 0);
    return error_;
  }
  const posix_spawnattr_t* get() const { return &attributes_; }

 private:
  posix_spawnattr_t attributes_{};
  int error_ = 0;
};

class spawn_actions {
 public:
  spawn_actions() { error_ = posix_spawn_file_actions_init(&actions_); }
  ~spawn_actions() { posix_spawn_file_actions_destroy(&actions_); }
  spawn_actions(const spawn_actions&) = delete;
  spawn_actions& operator=(const spawn_actions&) = delete;

  int fill(const child_start& start) {
    for (int i = STDIN_FILENO; i <= STDERR_FILENO; ++i) {
      if (start.standard[i] != -1) {
        if (error_ == 0) error_ = posix_spawn_file_actions_adddup2(&actions_, start.standard[i], i);
      } else if (fcntl(i, F_GETFD) != -1) {
        inherit(i);  // to list a closed one would make the call fail
      }
    }
    for (size_t i = 0; i < start.kept_count; ++i) inherit(start.kept[i]);
    if (error_ == 0 && start.cwd != nullptr)
      error_ = posix_spawn_file_actions_addchdir_np(&actions_, start.cwd);
    return error_;
  }
  const posix_spawn_file_actions_t* get() const { return &actions_; }

 private:
  void inherit(int descriptor) {
    if (error_ == 0) error_ = posix_spawn_file_actions_addinherit_np(&actions_, descriptor);
  }

  posix_spawn_file_actions_t actions_{};
  int error_ = 0;
};

// Looked at beforehand, because afterwards a cwd that is not there looks like a program that is not there.
int check_cwd(const char* cwd) {
  struct stat info;
  if (stat(cwd, &info) != 0) return errno;
  if (!S_ISDIR(info.st_mode)) return ENOTDIR;
  return faccessat(AT_FDCWD, cwd, X_OK, AT_EACCESS) == 0 ? 0 : errno;
}

}  // namespace

kith_status start_program(const child_start& start, process& out) {
  if (start.cwd != nullptr) {
    if (const int error = check_cwd(start.cwd); error != 0) return fail_to_enter(error);
  }
  spawn_attributes attributes;
  if (const int error = attributes.fill(start.life); error != 0) return fail_to_start(error);
  spawn_actions actions;
  if (const int error = actions.fill(start); error != 0) return fail_to_start(error);
  pid_t pid = -1;
  const int error = posix_spawn(&pid, start.program, actions.get(), attributes.get(), start.argv, start.env);
  if (error != 0) return fail_to_execute(error, start.program);
  // Release, pairs with the acquire of the child, which waits for it.
  if (start.child_pid != nullptr)
    start.child_pid->store(static_cast<uint32_t>(pid), std::memory_order_release);
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
