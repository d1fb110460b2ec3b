// SPDX-License-Identifier: MIT
// Clock and random bytes come from Windows and not from libuv: uv_hrtime and uv_random initialise all of
// libuv first, which sets the error mode and the C runtime's invalid-parameter handler of the whole process
// and starts winsock (libuv 1.44, src/win/core.c). A quiet guest does none of these.
#include <uv.h>

#include <cstdio>
#include <cstring>

#include "utf16.h"
#include "win32_error.h"

// RtlGenRandom by its real name. Microsoft's own declaration, in ntsecapi.h, lacks the calling convention.
extern "C" BOOLEAN NTAPI SystemFunction036(void* buffer, ULONG size);

namespace kith::platform {

uint64_t clock_now() {
  constexpr uint64_t ns_per_second = 1'000'000'000;
  LARGE_INTEGER ticks, per_second;  // neither call fails since Windows XP
  QueryPerformanceCounter(&ticks);
  QueryPerformanceFrequency(&per_second);
  const uint64_t count = static_cast<uint64_t>(ticks.QuadPart);
  const uint64_t rate = static_cast<uint64_t>(per_second.QuadPart);
  // Seconds and the rest apart, because count * 10^9 would overflow after half an hour.
  return count / rate * ns_per_second + count % rate * ns_per_second / rate;
}

// GetTickCount64 would cost less, but is of another clock.
uint64_t clock_rough() { return clock_now(); }

// This function is in a library that is linked anyway, and is what libuv and most C runtimes call.
kith_status random_bytes(void* out, size_t size) {
  constexpr size_t most_at_once = 1u << 20;
  unsigned char* next = static_cast<unsigned char*>(out);
  while (size > 0) {
    const size_t now = size < most_at_once ? size : most_at_once;
    if (!SystemFunction036(next, static_cast<ULONG>(now))) return fail(ERROR_GEN_FAILURE);
    next += now;
    size -= now;
  }
  return KITH_OK;
}

void pause_cpu() { YieldProcessor(); }

void yield_cpu() { SwitchToThread(); }

bool has(int32_t feature) {
  switch (feature) {
    case KITH_HAS_SEALED_MEMORY:  // a section keeps its size
    case KITH_HAS_READ_ONLY_SHARE:
    case KITH_HAS_PROCESS_HANDLE: return true;
    default: return false;
  }
}

const char* const* own_variables() { return nullptr; }

bool variable_take(const char* name, char* out, size_t size) {
  if (uv_os_getenv(name, out, &size) != 0) return false;
  uv_os_unsetenv(name);
  return true;
}

bool same_variable(const char* a, size_t a_length, const char* b, size_t b_length) {
  if (a_length == b_length && std::memcmp(a, b, a_length) == 0) return true;
  wide_text wide_a, wide_b;
  if (to_utf16(a, a_length, wide_a) != KITH_OK || to_utf16(b, b_length, wide_b) != KITH_OK) return false;
  return compare_ignoring_case(wide_a.data(), wide_a.size() - 1, wide_b.data(), wide_b.size() - 1) == 0;
}

void flush_standard_streams() {
  std::fflush(stdout);
  std::fflush(stderr);
}

// Not ExitProcess, which tells every DLL, and may wait for ever for a lock that another thread held when it
// was stopped.
void exit_now(int code) {
  TerminateProcess(GetCurrentProcess(), static_cast<UINT>(code));
  for (;;) Sleep(INFINITE);  // never reached: the call above does not come back
}

}  // namespace kith::platform
