// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "identity_self.h"
#include "linux_calls.h"

namespace kith::platform {

namespace {

struct process_record {
  char state;  // a letter; 'Z' for a zombie, also for one whose first thread has ended while others run
  uint64_t thread_count;
  uint64_t start_time;  // clock ticks since the machine started
};

// The text behind `count` blanks, or nullptr.
const char* skip_fields(const char* text, int count) {
  for (; text != nullptr && count > 0; --count) {
    text = std::strchr(text, ' ');
    if (text != nullptr) ++text;
  }
  return text;
}

// /proc/<pid>/stat as proc(5) counts its fields: 2 the name in brackets, 3 the state, 20 the threads, 22 the
// start time. The name is the program's own choice, so the fields are counted from the last bracket.
bool parse_record(const char* line, process_record& out) {
  const char* name_end = std::strrchr(line, ')');
  if (name_end == nullptr || name_end[1] != ' ') return false;
  const char* state = name_end + 2;
  const char* threads = skip_fields(state, 20 - 3);
  const char* start = skip_fields(state, 22 - 3);
  if (start == nullptr) return false;
  out = {*state, std::strtoull(threads, nullptr, 10), std::strtoull(start, nullptr, 10)};
  return out.start_time != 0;
}

bool read_record(const char* path, process_record& out) {
  const native_handle file(open(path, O_RDONLY | O_CLOEXEC));
  if (!file.valid()) return false;
  char line[1024];  // the kernel gives the line in one piece, and it has some 50 numbers
  const ssize_t length = restart([&] { return read(file.get(), line, sizeof line - 1); });
  if (length <= 0) return false;
  line[length] = '\0';
  return parse_record(line, out);
}

bool read_record(uint32_t pid, process_record& out) {
  char path[32];
  std::snprintf(path, sizeof path, "/proc/%u/stat", pid);
  return read_record(path, out);
}

// /proc may be missing, or show another pid namespace: then its records are of other processes than our pids.
bool proc_is_ours() {
  char link[16];
  const ssize_t length = readlink("/proc/self", link, sizeof link - 1);
  if (length <= 0) return false;
  link[length] = '\0';
  return std::strtol(link, nullptr, 10) == getpid();
}

bool has_start_time(identity who) { return (who.bits >> 34) != 0; }

enum class presence { absent, present, in_record };  // in_record: the record must say whether it is a zombie

presence look_for(pid_t pid) {
  const native_handle handle(pidfd_open(pid));
  if (handle.valid()) {
    pollfd item{handle.get(), POLLIN, 0};
    // Readable once all threads have ended, reaped or not.
    return restart([&] { return poll(&item, 1, 0); }) == 1 ? presence::absent : presence::present;
  }
  if (errno == ESRCH) return presence::absent;
  // No pidfd on this kernel, or no descriptor left, or the pid is that of a mere thread now.
  return kill(pid, 0) == -1 && errno == ESRCH ? presence::absent : presence::in_record;
}

uint64_t namespace_number(const char* path) {
  struct stat info;
  return stat(path, &info) == 0 ? static_cast<uint64_t>(info.st_ino) : 0;
}

}  // namespace

identity find_self() {
  process_record record;
  return keep_self(proc_is_ours() && read_record("/proc/self/stat", record) ? record.start_time : 0);
}

identity identity_of(uint32_t pid) {
  process_record record;
  // With a start time only where we have one: others must find the same.
  if (!read_record(pid, record)) return {};
  return make_identity(pid, has_start_time(self()) ? record.start_time : 0);
}

liveness alive(identity who) {
  const identity me = self();
  if (who == me) return liveness::alive;
  if (who.pid() == 0 || who.pid() > INT_MAX) return liveness::dead;  // no process ever had that number
  const presence seen = look_for(static_cast<pid_t>(who.pid()));
  if (seen == presence::absent) return liveness::dead;
  // Without start times, its or ours (then our /proc cannot be trusted), the pid is all there is to go by.
  if (!has_start_time(who) || !has_start_time(me)) return liveness::alive;
  process_record record;
  if (!read_record(who.pid(), record)) return liveness::unknown;  // hidden from us (hidepid), or just gone
  if (!(make_identity(who.pid(), record.start_time) == who)) return liveness::dead;
  const bool zombie = record.state == 'Z' && record.thread_count <= 1;
  return seen == presence::in_record && zombie ? liveness::dead : liveness::alive;
}

// A time namespace shifts the start times that its members see, so it belongs to what makes identities
// comparable. Asked of this thread: what /proc/self tells of a process whose main thread has ended lacks the time namespace.
static uint64_t ask_pid_namespace() {
  const uint64_t pids = namespace_number("/proc/thread-self/ns/pid");
  return pids == 0 ? 0 : pids | (namespace_number("/proc/thread-self/ns/time") << 32);
}

// A process stays in its own for good; only its children go into others. Two looks into /proc cost more than a segment.
uint64_t pid_namespace() {
  static constinit std::atomic<uint64_t> known{0}, known_to{0};
  const uint64_t me = self().bits;
  // Acquire, with the release below: who sees for whom it is known sees what is.
  if (known_to.load(std::memory_order_acquire) == me) return known.load(std::memory_order_relaxed);
  const uint64_t found = ask_pid_namespace();
  known.store(found, std::memory_order_relaxed);
  known_to.store(me, std::memory_order_release);
  return found;
}

}  // namespace kith::platform
