// SPDX-License-Identifier: MIT
// There is no fork on Windows: what only a forked child does is never called.
#include "win32_error.h"

namespace kith::platform {

kith_status handle_duplicate(const native_handle& handle, native_handle& out) {
  HANDLE copy = nullptr;
  const HANDLE here = GetCurrentProcess();
  if (!DuplicateHandle(here, handle.get(), here, &copy, 0, FALSE, DUPLICATE_SAME_ACCESS)) {
    return fail_with_last_error();
  }
  out.reset(copy);
  return KITH_OK;
}

void process_close_handles(process&) {}

void process_disown(process&) {}

void memory_keep_mapping_only(memory&) {}

}  // namespace kith::platform
