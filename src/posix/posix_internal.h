// SPDX-License-Identifier: MIT
// What the files of the POSIX port give to each other.
#pragma once

#include <sys/types.h>

#include <cerrno>
#include <csignal>
#include <ctime>

#include "../platform.h"

namespace kith::platform {

// Repeats a call for as long as signals interrupt it.
template <class Call>
auto restart(Call call) {
  auto result = call();
  while (result == -1 && errno == EINTR) result = call();
  return result;
}

// Sleeps for `ns`, or up to the deadline if that is earlier. False: a signal handler ran, and ended it early.
inline bool nap(deadline until, uint64_t ns) {
  const uint64_t left = remaining_ns(until, clock_now());
  if (left < ns) ns = left;
  timespec time{};
  time.tv_sec = static_cast<time_t>(ns / 1'000'000'000);
  time.tv_nsec = static_cast<long>(ns % 1'000'000'000);
  return nanosleep(&time, nullptr) == 0 || errno != EINTR;
}

// ---- handle.cpp

// Owns a descriptor that the OS has just made, and moves it out of the range of the standard streams: where
// the host has closed those, its next printf would write into our socket.
native_handle own_descriptor(int descriptor);
kith_status set_close_on_exec(int descriptor);

// ---- identity_*.cpp

identity identity_of(uint32_t pid);  // of a process that has not been reaped; nobody: it cannot be told

// ---- foreign.cpp

kith_status await_foreign(const process& self, deadline until);

// ---- memory_*.cpp

// Gives made.object, an empty file, its size and memory, and maps it.
kith_status memory_fill(memory& made, size_t size, bool commit);

// Asked by has().

bool memory_is_sealed();
bool memory_share_is_read_only();

// ---- spawn_*.cpp

struct child_start {
  const char* program;  // the path of the file; absolute when there is a cwd
  char* const* argv;
  char* const* env;
  const char* cwd;  // or nullptr
  const int* kept;  // descriptors that the child gets, beside the standard streams
  size_t kept_count;
  int standard[standard_streams];    // what become its standard streams, all above those; -1: ours
  std::atomic<uint32_t>* child_pid;  // or nullptr
  const unsigned char* unwritten;    // what the child writes to its bootstrap segment, or nullptr
  size_t unwritten_size;
  int bootstrap;  // the segment; -1: none
  child_life life;
};

kith_status start_program(const child_start& start, process& out);

// What a child made by fork must know to end with its parent. Made before the fork.
struct fork_bond {
  identity parent;  // nobody: it lives on
};
fork_bond make_fork_bond();
void tie_forked_child(const fork_bond& bond);  // in the child; ends it when the parent is gone already

// ---- process.cpp, for the variants of spawn and exit, and for library.cpp

// Of a path from our working directory, which the child may leave.
kith_status make_absolute(text& path);
// Why no process could be made, or why it could not run its program.
kith_status fail_to_start(int os_error);
kith_status fail_to_execute(int os_error, const char* program);
kith_status fail_to_enter(int os_error);
// Whether our child has ended; it is not reaped. A child whose status was taken by somebody else has ended.
bool child_has_ended(pid_t pid);
kith_status await_by_naps(pid_t pid, deadline until);
void collect_by_pid(pid_t pid, kith_exit& out);
void look_how_it_ended(pid_t pid, kith_exit& out);  // the same, and it stays to be reaped
kith_status signal_by_pid(pid_t pid, int signal);

// ---- tree.cpp

kith_status signal_tree(pid_t leader, int signal);
kith_status kill_tree(pid_t leader);

// ---- exit_*.cpp: the child of a process, by its handle where there is one

bool watch_works();
native_handle watch_child(pid_t pid);  // invalid: there is no handle to be had
void collect_child(const process& child, kith_exit& out);
kith_status signal_child(const process& child, int signal);

}  // namespace kith::platform
