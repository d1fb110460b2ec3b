// SPDX-License-Identifier: MIT
#include "pipe_name.h"
#include "utf16.h"
#include "win32_error.h"

namespace kith::platform {

namespace {

constexpr DWORD share_all = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;

kith_status open_path(const wchar_t* path, DWORD access, DWORD disposition, native_handle& out) {
  native_handle opened =
      own_file(CreateFileW(path, access, share_all, nullptr, disposition, FILE_ATTRIBUTE_NORMAL, nullptr));
  if (!opened.valid()) return fail_with_last_error();
  out = std::move(opened);
  return KITH_OK;
}

bool is_directory(const wchar_t* path) {
  const DWORD attributes = GetFileAttributesW(path);
  return attributes != INVALID_FILE_ATTRIBUTES && (attributes & FILE_ATTRIBUTE_DIRECTORY) != 0;
}

kith_status copy_handle(HANDLE handle, native_handle& out) {
  const HANDLE me = GetCurrentProcess();
  HANDLE copy = nullptr;
  if (!DuplicateHandle(me, handle, me, &copy, 0, FALSE, DUPLICATE_SAME_ACCESS)) return fail_with_last_error();
  out.reset(copy);
  return KITH_OK;
}

}  // namespace

kith_status stdio_open_null(size_t which, native_handle& out) {
  return open_path(L"NUL", which == KITH_STDIN ? GENERIC_READ : GENERIC_WRITE, OPEN_EXISTING, out);
}

kith_status stdio_open_file(size_t which, const char* path, bool append, native_handle& out) {
  wide_text wide;
  if (const kith_status status = to_utf16(path, wide); status != KITH_OK) return status;
  if (is_directory(wide.data())) return KITH_E_INVALID;  // Windows would say that access is denied
  if (which == KITH_STDIN) return open_path(wide.data(), GENERIC_READ, OPEN_EXISTING, out);
  // Without the right to write elsewhere each write goes to the end, whoever writes.
  constexpr DWORD appending = FILE_APPEND_DATA | FILE_READ_ATTRIBUTES | FILE_WRITE_ATTRIBUTES | SYNCHRONIZE;
  return append ? open_path(wide.data(), appending, OPEN_ALWAYS, out)
                : open_path(wide.data(), GENERIC_WRITE, CREATE_ALWAYS, out);
}

kith_status stdio_copy(int64_t handle, native_handle& out) {
  const HANDLE given = reinterpret_cast<HANDLE>(static_cast<intptr_t>(handle));
  if (handle == 0 || handle == -1 || GetFileType(given) == FILE_TYPE_UNKNOWN) return KITH_E_MISMATCH;
  return copy_handle(given, out);
}

kith_status stdio_copy_own(size_t which, native_handle& out) {
  constexpr DWORD names[standard_streams] = {STD_INPUT_HANDLE, STD_OUTPUT_HANDLE, STD_ERROR_HANDLE};
  const HANDLE ours = GetStdHandle(names[which]);
  if (ours == nullptr || ours == INVALID_HANDLE_VALUE) return KITH_E_NOT_FOUND;
  return copy_handle(ours, out);
}

// There is no fork here.
void stdio_install(const native_handle* const (&)[standard_streams]) {}

}  // namespace kith::platform
