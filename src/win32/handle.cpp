// SPDX-License-Identifier: MIT
#include "win32_error.h"

namespace kith::platform {

void native_handle::reset(void* handle) {
  if (handle_ != nullptr) CloseHandle(handle_);
  handle_ = handle;
}

uint64_t handle_number(const native_handle& handle) { return reinterpret_cast<uintptr_t>(handle.get()); }

kith_status handle_adopt(uint64_t number, native_handle& out) {
  // HANDLEs are multiples of 4 with 32 significant bits; the negative ones, as of the process itself, are no
  // handles that one could own, though the calls below take them.
  if (number == 0 || number > INT32_MAX || number % 4 != 0) return fail(ERROR_INVALID_HANDLE);
  void* const handle = reinterpret_cast<void*>(static_cast<uintptr_t>(number));
  DWORD flags = 0;
  if (!GetHandleInformation(handle, &flags)) return fail_with_last_error();
  native_handle adopted(handle);
  if (!SetHandleInformation(handle, HANDLE_FLAG_INHERIT, 0)) return fail_with_last_error();
  out = std::move(adopted);
  return KITH_OK;
}

kith_status handle_copy_in(int64_t number, native_handle& out) {
  // As in handle_adopt. A pseudo-handle would be copied as what it stands for in whatever process looks at it.
  if (number <= 0 || number > INT32_MAX) return fail(ERROR_INVALID_HANDLE);
  HANDLE copy = nullptr;
  const HANDLE here = GetCurrentProcess();
  void* const handle = reinterpret_cast<void*>(static_cast<uintptr_t>(number));
  if (!DuplicateHandle(here, handle, here, &copy, 0, FALSE, DUPLICATE_SAME_ACCESS))
    return fail_with_last_error();
  out.reset(copy);
  return KITH_OK;
}

// There is no fork here, so there is no child with handles that it was not given.
void close_all_handles_but(const uint64_t*, size_t) {}

}  // namespace kith::platform
