// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <climits>
#include <cstdio>
#if __has_include(<stdio_ext.h>)
#include <stdio_ext.h>
#define KITH_HAS_STDIO_EXT 1
#endif

#include "posix_internal.h"

namespace kith::platform {

namespace {

constexpr mode_t mode_of_new_files = 0666;  // less what the umask takes away, as everywhere

kith_status copy_descriptor(int descriptor, native_handle& out) {
  const int copy = fcntl(descriptor, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  if (copy == -1) return fail(errno);
  out.reset(copy);
  return KITH_OK;
}

kith_status open_path(const char* path, int flags, native_handle& out) {
  const int opened = restart([&] { return open(path, flags | O_CLOEXEC | O_NOCTTY, mode_of_new_files); });
  if (opened == -1) return errno == EISDIR ? KITH_E_INVALID : fail(errno);
  out = own_descriptor(opened);
  struct stat info;
  if (fstat(out.get(), &info) == 0 && S_ISDIR(info.st_mode)) return KITH_E_INVALID;
  return KITH_OK;
}

// What this process has read ahead of its own stdin is not the child's to see.
void forget_read_ahead() {
#if defined(KITH_HAS_STDIO_EXT)
  __fpurge(stdin);
#else
  fpurge(stdin);
#endif
}

}  // namespace

kith_status stdio_open_null(size_t which, native_handle& out) {
  return open_path("/dev/null", which == KITH_STDIN ? O_RDONLY : O_WRONLY, out);
}

kith_status stdio_open_file(size_t which, const char* path, bool append, native_handle& out) {
  if (which == KITH_STDIN) return open_path(path, O_RDONLY, out);
  return open_path(path, O_WRONLY | O_CREAT | (append ? O_APPEND : O_TRUNC), out);
}

kith_status stdio_copy(int64_t handle, native_handle& out) {
  if (handle < 0 || handle > INT_MAX) return KITH_E_MISMATCH;
  const kith_status status = copy_descriptor(static_cast<int>(handle), out);
  return status != KITH_OK && last_os_error() == EBADF ? KITH_E_MISMATCH : status;
}

kith_status stdio_copy_own(size_t which, native_handle& out) {
  const kith_status status = copy_descriptor(static_cast<int>(which), out);
  return status != KITH_OK && last_os_error() == EBADF ? KITH_E_NOT_FOUND : status;
}

KITH_IN_FORKED_CHILD void stdio_install(const native_handle* const (&standard)[standard_streams]) {
  for (size_t i = 0; i < standard_streams; ++i) {
    if (standard[i] == nullptr) continue;
    (void)restart([&] { return dup2(standard[i]->get(), static_cast<int>(i)); });
    if (i == KITH_STDIN) forget_read_ahead();
  }
}

}  // namespace kith::platform
