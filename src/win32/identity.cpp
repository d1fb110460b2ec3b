// SPDX-License-Identifier: MIT
#include "watched_process.h"
#include "windows_api.h"

namespace kith::platform {
namespace {

// When the process was created, in units of 100 ns; its own kind of clock, so only good for comparing. 0:
// unknown.
uint64_t creation_time(HANDLE process) {
  FILETIME created, exited, kernel, user;
  if (!GetProcessTimes(process, &created, &exited, &kernel, &user)) return 0;
  return static_cast<uint64_t>(created.dwHighDateTime) << 32 | created.dwLowDateTime;
}

bool has_ended(HANDLE process) { return WaitForSingleObject(process, 0) == WAIT_OBJECT_0; }

}  // namespace

identity identity_of(void* process) { return make_identity(GetProcessId(process), creation_time(process)); }

identity find_self() {
  const identity found = identity_of(GetCurrentProcess());
  join_fences();
  // Relaxed, as in self(): the word is the same whoever writes it.
  self_bits.store(found.bits, std::memory_order_relaxed);
  return found;
}

liveness open_if_alive(identity who, unsigned long rights, native_handle& out) {
  rights |= SYNCHRONIZE | PROCESS_QUERY_LIMITED_INFORMATION;
  native_handle process(OpenProcess(rights, FALSE, who.pid()));
  if (!process.valid()) {
    return GetLastError() == ERROR_INVALID_PARAMETER ? liveness::dead : liveness::unknown;
  }
  // A process can be opened after its end for as long as anybody has a handle to it.
  if (has_ended(process.get())) return liveness::dead;
  const uint64_t created = creation_time(process.get());
  if (created == 0) return liveness::unknown;
  if (!(make_identity(who.pid(), created) == who)) return liveness::dead;
  out = std::move(process);
  return liveness::alive;
}

liveness alive(identity who) {
  native_handle ignored;
  return open_if_alive(who, 0, ignored);
}

// Containers of the isolated kind are virtual machines or silos, which cannot hand each other sections by
// inheritance.
uint64_t pid_namespace() { return 0; }

}  // namespace kith::platform
