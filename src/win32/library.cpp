// SPDX-License-Identifier: MIT
#include "library.h"

#include "program.h"
#include "win32_error.h"

namespace kith::platform {
namespace {

bool is_path(const wide_text& library) { return last_part(library.data()) != library.data(); }

bool is_there(const wide_text& library) {
  return is_path(library) && GetFileAttributesW(library.data()) != INVALID_FILE_ATTRIBUTES;
}

}  // namespace

kith_status load_library(const wide_text& path, HMODULE& out) {
  DWORD mode = 0;
  // Of this thread only: a library that is missing another one is our error to report, not a dialog box.
  SetThreadErrorMode(SEM_FAILCRITICALERRORS | SEM_NOOPENFILEERRORBOX, &mode);
  // Libraries that it needs are looked for beside it; nothing is looked for in the working directory or in PATH.
  const DWORD search = LOAD_LIBRARY_SEARCH_DEFAULT_DIRS;
  const HMODULE loaded =
      LoadLibraryExW(path.data(), nullptr, is_path(path) ? LOAD_WITH_ALTERED_SEARCH_PATH : search);
  const DWORD error = GetLastError();
  SetThreadErrorMode(mode, nullptr);
  if (loaded == nullptr) return fail(static_cast<int32_t>(error));
  out = loaded;
  return KITH_OK;
}

kith_status library_path(const char* library, text& out) {
  wide_text wide, full;
  kith_status status = to_utf16(library, wide);
  if (status != KITH_OK) return status;
  if (!is_path(wide)) return assign(out, library) ? KITH_OK : KITH_E_NO_MEMORY;
  status = full_path(wide.data(), full);
  return status == KITH_OK ? to_utf8(full.data(), full.size() - 1, out) : status;
}

kith_status symbol_resolve(const char* library, const char* symbol, kith_entry& out) {
  wide_text wide;
  if (const kith_status status = to_utf16(library, wide); status != KITH_OK) return status;
  HMODULE loaded = nullptr;
  if (const kith_status status = load_library(wide, loaded); status != KITH_OK) {
    const bool missing = !is_there(wide) && status == KITH_E_NOT_FOUND;
    return status == KITH_E_NO_MEMORY ? status : missing ? KITH_E_NOT_FOUND : KITH_E_NOT_A_PROGRAM;
  }
  const FARPROC found = GetProcAddress(loaded, symbol);
  if (found == nullptr) {
    fail_with_last_error();
    FreeLibrary(loaded);
    return KITH_E_NO_FUNCTION;
  }
  out = reinterpret_cast<kith_entry>(reinterpret_cast<uintptr_t>(found));
  return KITH_OK;
}

}  // namespace kith::platform
