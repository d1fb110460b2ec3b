// SPDX-License-Identifier: MIT
// The parts of memory_*.cpp that all kernels share: POSIX shared memory objects, their size, and mapping
// them.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include <cstdint>
#include <cstdio>

#include "posix_internal.h"

namespace kith::platform {

#if defined(MAP_POPULATE)
inline constexpr int map_with_pages = MAP_POPULATE;
#else
inline constexpr int map_with_pages = 0;
#endif

// 0: larger than can be addressed.
inline size_t whole_pages(size_t size) {
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  return size > static_cast<size_t>(PTRDIFF_MAX) - page ? 0 : (size + page - 1) / page * page;
}

// Above the limit for files the kernel would not only fail but send SIGXFSZ, which ends the host.
inline kith_status check_size_limit(size_t size) {
  rlimit limit{};
  if (getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY || size <= limit.rlim_cur)
    return KITH_OK;
  fail(EFBIG);
  return KITH_E_LIMIT;
}

// macOS allows exactly one call per object.
inline kith_status set_object_size(int object, size_t size) {
  if (const kith_status status = check_size_limit(size); status != KITH_OK) return status;
  return restart([&] { return ftruncate(object, static_cast<off_t>(size)); }) == 0 ? KITH_OK : fail(errno);
}

// Before memory is committed. Asked for more than there is, Linux does not refuse but calls the OOM killer,
// which may choose anybody. Up to 16 MiB the look costs more than it tells.
inline kith_status check_free_memory(size_t size) {
  constexpr size_t worth_a_look = size_t{16} << 20;
  if (size <= worth_a_look) return KITH_OK;
  const uint64_t limit = uv_get_constrained_memory();  // of our container; 0: none, or not known
  return size < uv_get_free_memory() && (limit == 0 || size < limit) ? KITH_OK : fail(ENOMEM);
}

// A POSIX shared memory object whose name is gone already. `read_only` is a second descriptor of it, opened
// while it had the name.
inline kith_status shm_object_create(native_handle& object, native_handle& read_only) {
  uint64_t random[2];
  if (const kith_status status = random_bytes(random, sizeof random); status != KITH_OK) return status;
  char name[32];  // macOS takes 31 characters
  std::snprintf(name, sizeof name, "/kith-%016llx%08x", static_cast<unsigned long long>(random[0]),
                static_cast<unsigned>(random[1] & UINT32_MAX));
  // shm_open sets close-on-exec by itself.
  native_handle made =
      own_descriptor(restart([&] { return shm_open(name, O_CREAT | O_EXCL | O_RDWR, 0600); }));
  if (!made.valid()) return fail(errno);
  native_handle second = own_descriptor(restart([&] { return shm_open(name, O_RDONLY, 0); }));
  const int second_error = errno;
  shm_unlink(name);
  if (!second.valid()) return fail(second_error);
  object = std::move(made);
  read_only = std::move(second);
  return KITH_OK;
}

inline kith_status map_object(memory& self, int protection) {
  // What is small is looked at at once, and whole: a page fault costs more.
  constexpr size_t small = size_t{64} << 10;
  const int flags = self.size <= small ? MAP_SHARED | map_with_pages : MAP_SHARED;
  void* base = mmap(nullptr, self.size, protection, flags, self.object.get(), 0);
  if (base == MAP_FAILED) return fail(errno);
  self.base = base;
  self.writable = (protection & PROT_WRITE) != 0;
  return KITH_OK;
}

// Maps what was handed over; made.object is set.
inline kith_status map_foreign_object(memory& made) {
  struct stat info;
  if (fstat(made.object.get(), &info) != 0) return fail(errno);
  if (info.st_size <= 0) return KITH_E_MISMATCH;
  if (static_cast<uint64_t>(info.st_size) > static_cast<uint64_t>(PTRDIFF_MAX)) return KITH_E_TOO_LARGE;
  made.size = static_cast<size_t>(info.st_size);
  kith_status status = map_object(made, PROT_READ | PROT_WRITE);
  if (status == KITH_E_DENIED) status = map_object(made, PROT_READ);
  // What has a size but cannot be mapped is a directory, a pipe or the like.
  return status == KITH_OK || status == KITH_E_NO_MEMORY ? status : KITH_E_MISMATCH;
}

inline const native_handle& handle_for_others(const memory& self) {
  return self.restricted && self.read_only.valid() ? self.read_only : self.object;
}

inline void unmap_object(memory& self) {
  if (self.base != nullptr) munmap(self.base, self.size);
  self = memory{};
}

}  // namespace kith::platform
