// SPDX-License-Identifier: MIT
#include <windows.h>

#include "soak.h"

namespace soak {

const int64_t stuck_after_ms =
    30'000;  // under Wine starting a process alone may take seconds on a busy machine

// There is no documented call that suspends a process.
bool suspend(int64_t) { return false; }

void resume(int64_t) {}

size_t open_handles() {
  DWORD count = 0;
  return GetProcessHandleCount(GetCurrentProcess(), &count) != 0 ? count : 0;
}

// Wine 8 fails to start about one process in a thousand, whoever asks (ERROR_INTERNAL_ERROR: the new process died before it began).
bool may_spawn_again() {
  const bool is_wine = GetProcAddress(GetModuleHandleW(L"ntdll.dll"), "wine_get_version") != nullptr;
  return is_wine && kith_os_error() == ERROR_INTERNAL_ERROR;
}

bool has_children() { return false; }

}  // namespace soak
