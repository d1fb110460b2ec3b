// SPDX-License-Identifier: MIT
#include <sys/stat.h>

#include "module_common.h"

namespace kith::platform {

namespace {

bool is_path(const char* library) { return std::strchr(library, '/') != nullptr; }

// dlopen tells why in words only.
kith_status why_not_loaded(const char* library) {
  struct stat info;
  if (!is_path(library)) return KITH_E_NOT_FOUND;
  if (stat(library, &info) == 0) return KITH_E_NOT_A_PROGRAM;
  fail(errno);
  return errno == ENOENT || errno == ENOTDIR ? KITH_E_NOT_FOUND : KITH_E_NOT_A_PROGRAM;
}

}  // namespace

kith_status library_path(const char* library, text& out) {
  if (!assign(out, library)) return KITH_E_NO_MEMORY;
  return is_path(library) ? make_absolute(out) : KITH_OK;
}

kith_status symbol_resolve(const char* library, const char* symbol, kith_entry& out) {
  kept_library* const loaded = load_library(library);
  if (loaded == nullptr) return why_not_loaded(library);
  void* found = nullptr;
  if (uv_dlsym(&loaded->library, symbol, &found) != 0 || found == nullptr) {
    unload_library(loaded);
    return KITH_E_NO_FUNCTION;
  }
  keep_library(loaded);
  out = reinterpret_cast<kith_entry>(reinterpret_cast<uintptr_t>(found));
  return KITH_OK;
}

}  // namespace kith::platform
