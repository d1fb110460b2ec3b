// SPDX-License-Identifier: MIT
#include <sys/sysctl.h>

#include <climits>

#include "identity_self.h"

namespace kith::platform {

namespace {

enum class presence { absent, present, hidden };

presence read_record(uint32_t pid, kinfo_proc& out) {
  int name[] = {CTL_KERN, KERN_PROC, KERN_PROC_PID, static_cast<int>(pid)};
  size_t size = sizeof out;
  if (sysctl(name, 4, &out, &size, nullptr, 0) != 0)
    return errno == ESRCH ? presence::absent : presence::hidden;
  return size == 0 ? presence::absent : presence::present;
}

uint64_t start_time(const kinfo_proc& record) {
  const timeval started = record.kp_proc.p_starttime;
  return static_cast<uint64_t>(started.tv_sec) * 1'000'000 + static_cast<uint64_t>(started.tv_usec);
}

bool has_start_time(identity who) { return (who.bits >> 34) != 0; }

}  // namespace

identity find_self() {
  kinfo_proc record{};
  const bool found = read_record(static_cast<uint32_t>(getpid()), record) == presence::present;
  return keep_self(found ? start_time(record) : 0);
}

identity identity_of(uint32_t pid) {
  kinfo_proc record{};
  return read_record(pid, record) == presence::present ? make_identity(pid, start_time(record)) : identity{};
}

liveness alive(identity who) {
  if (who == self()) return liveness::alive;
  if (who.pid() == 0 || who.pid() > INT_MAX) return liveness::dead;  // no process ever had that number
  kinfo_proc record{};
  const presence seen = read_record(who.pid(), record);
  if (seen == presence::hidden) return liveness::unknown;
  if (seen == presence::absent || record.kp_proc.p_stat == SZOMB) return liveness::dead;
  if (!has_start_time(who)) return liveness::alive;
  return make_identity(who.pid(), start_time(record)) == who ? liveness::alive : liveness::dead;
}

uint64_t pid_namespace() { return 1; }  // there is but one

}  // namespace kith::platform
