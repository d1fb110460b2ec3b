// SPDX-License-Identifier: MIT
// Shared memory by POSIX shared memory objects, whose names live for two system calls.
#include "memory_common.h"

namespace kith::platform {

namespace {

// macOS sizes an object once and for all, and a read-only descriptor bounds what its mapping may ever become.
// Elsewhere such an object is a file of its user.
#if defined(__APPLE__)
constexpr bool kernel_guards_objects = true;
#else
constexpr bool kernel_guards_objects = false;
#endif

kith_status commit_object(int object, size_t size) {
#if defined(__APPLE__)
  static_cast<void>(object);  // There is no such call for these objects.
  static_cast<void>(size);
  return KITH_OK;
#else
  if (const kith_status status = check_free_memory(size); status != KITH_OK) return status;
  int error = EINTR;  // This call gives the number as its result, and leaves errno alone.
  while (error == EINTR) error = posix_fallocate(object, 0, static_cast<off_t>(size));
  return error == 0 || error == EOPNOTSUPP || error == EINVAL ? KITH_OK : fail(error);
#endif
}

}  // namespace

bool memory_is_sealed() { return kernel_guards_objects; }
bool memory_share_is_read_only() { return kernel_guards_objects; }

kith_status memory_fill(memory& made, size_t size, bool commit) {
  made.size = whole_pages(size);
  if (made.size == 0) return KITH_E_TOO_LARGE;
  kith_status status = set_object_size(made.object.get(), made.size);
  if (status == KITH_OK && commit) status = commit_object(made.object.get(), made.size);
  return status == KITH_OK ? map_object(made, PROT_READ | PROT_WRITE) : status;
}

kith_status memory_create(size_t size, bool commit, bool may_restrict, memory& out) {
  memory made;
  kith_status status = shm_object_create(made.object, made.read_only);
  if (!may_restrict) made.read_only.reset();
  if (status == KITH_OK) status = memory_fill(made, size, commit);
  if (status == KITH_OK) out = std::move(made);
  return status;
}

kith_status memory_attach(native_handle&& object, memory& out) {
  memory made;
  made.object = std::move(object);
  const kith_status status = map_foreign_object(made);
  if (status == KITH_OK) out = std::move(made);
  return status;
}

kith_status memory_create_unwritten(size_t, memory&) { return KITH_E_UNSUPPORTED; }
size_t memory_peek(const native_handle&, void*, size_t) { return 0; }
bool memory_poke(const native_handle&, size_t, uint32_t) { return false; }

kith_status memory_restrict(memory& self) {
  if (!self.read_only.valid()) return KITH_E_UNSUPPORTED;  // it was attached, not created here
  self.restricted = true;
  return KITH_OK;
}

const native_handle& memory_handle(const memory& self) { return handle_for_others(self); }

void memory_close(memory& self) { unmap_object(self); }

}  // namespace kith::platform
