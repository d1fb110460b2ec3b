// SPDX-License-Identifier: MIT
#include "exit_codes.h"
#include "win32_error.h"

namespace kith::platform {
namespace {

// An unhandled exception ends a process with its NTSTATUS. Those are errors (the upper two bits), and have
// bit 28 clear, which tells them from small negative numbers, as in exit(-1). A breakpoint without a debugger
// is the one warning that counts.
bool is_exception(uint32_t code) {
  return (code >= 0xC000'0000 && (code & 0x1000'0000) == 0) ||
         code == static_cast<uint32_t>(STATUS_BREAKPOINT);
}

}  // namespace

kith_status process_await(const process& self, deadline until) {
  for (;;) {
    const DWORD ms = static_cast<DWORD>(remaining_ms(until, clock_now()));
    const DWORD result = WaitForSingleObject(self.handle.get(), ms);
    if (result == WAIT_OBJECT_0) return KITH_OK;
    if (result == WAIT_FAILED) return fail_with_last_error();
    // Looked up again, because the wait may end a little early, and takes a day at most.
    if (passed(until, clock_now())) return KITH_E_TIMEOUT;
  }
}

kith_status process_poll_handle(const process& self, int64_t& out) {
  out = static_cast<int64_t>(handle_number(self.handle));
  return KITH_OK;
}

void process_collect(process& self, kith_exit& out) {
  out = {};
  DWORD code = 0;
  if (!GetExitCodeProcess(self.handle.get(), &code)) {
    out.kind = KITH_EXIT_UNKNOWN;
  } else if (code == exit_code_terminated || code == exit_code_killed) {
    out.kind = KITH_EXIT_SIGNAL;
    out.code = code & 0xFF;
  } else if (is_exception(code)) {
    out.kind = KITH_EXIT_EXCEPTION;
    out.code = code;
  } else {
    out.kind = KITH_EXIT_CODE;
    out.code = static_cast<int32_t>(code);  // what the program said: -1 is -1
  }
}

}  // namespace kith::platform
