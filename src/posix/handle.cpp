// SPDX-License-Identifier: MIT
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <climits>
#include <cstdlib>
#if defined(__linux__) && !defined(KITH_PORTABLE)
#include "linux_calls.h"
#endif

#include "posix_internal.h"

namespace kith::platform {

namespace {

constexpr int first_free_descriptor = STDERR_FILENO + 1;

// The smallest kept descriptor from `from` on, or INT_MAX.
int next_kept(int from, const uint64_t* keep, size_t count) {
  int next = INT_MAX;
  for (size_t i = 0; i < count; ++i) {
    if (keep[i] < static_cast<uint64_t>(next) && keep[i] >= static_cast<uint64_t>(from))
      next = static_cast<int>(keep[i]);
  }
  return next;
}

bool close_range_of(int first, int last) {
#if defined(SYS_close_range) && !defined(KITH_PORTABLE)
  return bare_call(SYS_close_range, first, last) == 0;
#else
  static_cast<void>(first);
  static_cast<void>(last);
  return false;
#endif
}

KITH_IN_FORKED_CHILD bool close_by_ranges(const uint64_t* keep, size_t count) {
  for (int from = first_free_descriptor;;) {
    const int kept = next_kept(from, keep, count);
    if (kept > from && !close_range_of(from, kept - 1)) return false;
    if (kept == INT_MAX) return true;
    from = kept + 1;
  }
}

// The number that a directory entry names, or -1.
int descriptor_named(const char* name) {
  char* end = nullptr;
  const long number = std::strtol(name, &end, 10);
  return end == name || *end != '\0' || number < 0 || number > INT_MAX ? -1 : static_cast<int>(number);
}

// One pass over the directory of descriptors; tells how many were closed.
size_t close_by_walk(const uint64_t* keep, size_t count) {
  DIR* directory = opendir("/dev/fd");
  if (directory == nullptr) return 0;
  size_t closed = 0;
  while (const dirent* entry = readdir(directory)) {
    const int descriptor = descriptor_named(entry->d_name);
    if (descriptor < first_free_descriptor || descriptor == dirfd(directory)) continue;
    if (next_kept(descriptor, keep, count) == descriptor) continue;
    if (close(descriptor) == 0) ++closed;
  }
  closedir(directory);
  return closed;
}

}  // namespace

KITH_IN_FORKED_CHILD void native_handle::reset(int descriptor) {
  const int old = std::exchange(descriptor_, descriptor);
  if (old < 0) return;
  const int kept = errno;  // owners go out of scope on the way to whoever reports a failure
  // Never repeated: after EINTR the descriptor is gone, and may be another thread's new one. After a fork a page that is not written
  // to is not copied, so errno is set only where it has changed.
  if (close(old) != 0) errno = kept;
}

native_handle own_descriptor(int descriptor) {
  if (descriptor < 0 || descriptor >= first_free_descriptor) return native_handle(descriptor);
  native_handle low(descriptor);
  const int lifted = fcntl(descriptor, F_DUPFD_CLOEXEC, first_free_descriptor);
  if (lifted >= 0) low.reset(lifted);
  return low;
}

kith_status set_close_on_exec(int descriptor) {
  // There is no other flag.
#if defined(__linux__) && !defined(KITH_PORTABLE)
  const long result = bare_call(SYS_fcntl, descriptor, F_SETFD, FD_CLOEXEC);
  return result == 0 ? KITH_OK : fail(static_cast<int>(-result));
#else
  return fcntl(descriptor, F_SETFD, FD_CLOEXEC) == 0 ? KITH_OK : fail(errno);
#endif
}

uint64_t handle_number(const native_handle& handle) { return static_cast<uint64_t>(handle.get()); }

kith_status handle_adopt(uint64_t number, native_handle& out) {
  if (number > INT_MAX) return fail(EBADF);
  const int descriptor = static_cast<int>(number);
  if (const kith_status status = set_close_on_exec(descriptor); status != KITH_OK) return status;
  out.reset(descriptor);
  return KITH_OK;
}

kith_status handle_copy_in(int64_t number, native_handle& out) {
  if (number < 0 || number > INT_MAX) return fail(EBADF);
  const int copy = fcntl(static_cast<int>(number), F_DUPFD_CLOEXEC, first_free_descriptor);
  if (copy < 0) return fail(errno);
  out.reset(copy);
  return KITH_OK;
}

KITH_IN_FORKED_CHILD void close_all_handles_but(const uint64_t* keep, size_t count) {
  if (close_by_ranges(keep, count)) return;
  // Closing what a directory is listing may make the OS skip entries: until a pass finds nothing.
  while (close_by_walk(keep, count) != 0) {
  }
}

}  // namespace kith::platform
