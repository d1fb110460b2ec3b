// SPDX-License-Identifier: MIT
#include <sched.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include <cstdio>
#include <cstring>
#include <initializer_list>
#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>
#endif

#if defined(__APPLE__)
#include <crt_externs.h>
#endif

#if defined(__linux__) && !defined(KITH_PORTABLE)
#include "linux_calls.h"
#endif
#include "posix_internal.h"

namespace kith::platform {

uint64_t clock_now() { return uv_hrtime(); }

#if defined(CLOCK_MONOTONIC_COARSE)
// libuv reads CLOCK_MONOTONIC, of which this is the value at the last tick of the kernel, at a fifth of the cost.
uint64_t clock_rough() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1000 * ns_per_ms + static_cast<uint64_t>(now.tv_nsec);
}
#else
uint64_t clock_rough() { return clock_now(); }
#endif

kith_status random_bytes(void* out, size_t size) {
  const int result = uv_random(nullptr, nullptr, out, size, 0, nullptr);
  return result == 0 ? KITH_OK : fail(-result);  // libuv's numbers are negative errno on POSIX
}

void pause_cpu() {
#if defined(__x86_64__) || defined(__i386__)
  _mm_pause();
#elif defined(__aarch64__) || defined(__arm__)
  __asm__ __volatile__("yield");
#endif
}

void yield_cpu() { sched_yield(); }

bool has(int32_t feature) {
  switch (feature) {
    case KITH_HAS_FORK: return true;
    case KITH_HAS_SEALED_MEMORY: return memory_is_sealed();
    case KITH_HAS_READ_ONLY_SHARE: return memory_share_is_read_only();
    case KITH_HAS_PROCESS_HANDLE: return watch_works();
    default: return false;
  }
}

bool same_variable(const char* a, size_t a_length, const char* b, size_t b_length) {
  return a_length == b_length && std::memcmp(a, b, a_length) == 0;
}

const char* const* own_variables() {
  static constexpr const char* none[] = {nullptr};
#if defined(__APPLE__)
  char* const* const own = *_NSGetEnviron();  // A shared library has no `environ` there.
#else
  char* const* const own = environ;
#endif
  return own == nullptr ? none : own;  // after clearenv
}

// What comes behind the name and the '=' in a line of the environment; nullptr: it is another variable.
static const char* value_in(const char* line, const char* name) {
  while (*name != '\0' && *line == *name) ++line, ++name;
  return *name == '\0' && *line == '=' ? line + 1 : nullptr;
}

// By itself: every function that a new process is the first to call is looked for by the dynamic linker, which costs more than this takes.
bool variable_take(const char* name, char* out, size_t size) {
  for (const char* const* each = own_variables(); *each != nullptr; ++each) {
    const char* const value = value_in(*each, name);
    if (value == nullptr) continue;
    for (size_t i = 0; i < size; ++i) {
      out[i] = value[i];
      if (value[i] != '\0') continue;
      unsetenv(name);
      return true;
    }
    return false;
  }
  return false;
}

namespace {

// Whether a stream holds nothing to be written, as far as can be told by looking: in a forked child fflush costs six page faults, a tenth
// of the time of the fork, and even the call of __fpending one. These members of a FILE are part of glibc's binary interface.
bool is_flushed(const std::FILE* stream) {
#if defined(__GLIBC__)
  return stream->_IO_write_ptr == stream->_IO_write_base;
#else
  static_cast<void>(stream);
  return false;
#endif
}

}  // namespace

KITH_IN_FORKED_CHILD void flush_standard_streams() {
  for (std::FILE* each : {stdout, stderr}) {
    if (!is_flushed(each)) std::fflush(each);
  }
}

// The last thing that a forked child does is what no parent ever does before: to find _exit would cost it a dozen page faults.
KITH_IN_FORKED_CHILD void exit_now(int code) {
#if defined(__linux__) && !defined(KITH_PORTABLE)
  (void)bare_call(SYS_exit_group, code);
#endif
  _exit(code);
}

}  // namespace kith::platform
