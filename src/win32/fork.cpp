// SPDX-License-Identifier: MIT
// There is no fork on Windows: what only a forked child does is never called.
#include "../platform.h"
#include "windows_api.h"

namespace kith::platform {

kith_status handle_duplicate(const native_handle& handle, native_handle& out) {
  HANDLE copy = nullptr;
  const HANDLE here = GetCurrentProcess();
  if (!DuplicateHandle(here, handle.get(), here, &copy, 0, FALSE, DUPLICATE_SAME_ACCESS)) {
    return fail(static_cast<int32_t>(GetLastError()));
  }
  out.reset(copy);
  return KITH_OK;
}

void process_disown(process&) {}

void memory_keep_mapping_only(memory&) {}

}  // namespace kith::platform
