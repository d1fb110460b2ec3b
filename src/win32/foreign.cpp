// SPDX-License-Identifier: MIT
// Processes that others have started: a handle is as good here as there.
#include "watched_process.h"
#include "win32_error.h"

namespace kith::platform {

const native_handle* process_handle(const process& self) { return &self.handle; }

identity process_identity(const process& self) { return identity_of(self.handle.get()); }

kith_status process_open(identity who, native_handle&& handle, process& out) {
  if (handle.get() == nullptr || GetProcessId(handle.get()) == 0) return KITH_E_MISMATCH;
  if (!(identity_of(handle.get()) == who)) return KITH_E_MISMATCH;
  out.pid = who.pid();
  out.handle = std::move(handle);
  return KITH_OK;
}

}  // namespace kith::platform
