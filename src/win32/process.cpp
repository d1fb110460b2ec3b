// SPDX-License-Identifier: MIT
#include "exit_codes.h"
#include "job.h"
#include "win32_error.h"

namespace kith::platform {
namespace {

kith_status end_process(const process& self, uint32_t exit_code) {
  if (self.job.valid())
    return TerminateJobObject(self.job.get(), exit_code) ? KITH_OK : fail_with_last_error();
  if (TerminateProcess(self.handle.get(), exit_code)) return KITH_OK;
  // We made the process, so our handle has every right: this says that it has ended, or is about to.
  if (GetLastError() == ERROR_ACCESS_DENIED) return KITH_OK;
  return fail_with_last_error();
}

}  // namespace

kith_status process_fork(const child_life&, process&, fork_side&) { return KITH_E_UNSUPPORTED; }

uint32_t own_pid() { return GetCurrentProcessId(); }

int64_t process_id(const process& self) { return self.pid; }

kith_status process_terminate(const process& self) { return end_process(self, exit_code_terminated); }

kith_status process_kill(const process& self) { return end_process(self, exit_code_killed); }

// There are no zombies: what is left of a process goes with the last handle to it.
void process_forget(process& self) {
  // A tree that is let go of lives on.
  if (self.job.valid()) job_limit(self.job, 0);
  self.job.reset();
  self.handle.reset();
}

}  // namespace kith::platform
