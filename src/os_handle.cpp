// SPDX-License-Identifier: MIT
// A descriptor or HANDLE that is not kith's, as an object that can be given and sent.
#include <kith/kith.h>

#include <utility>

#include "allocator.h"
#include "object_transfer.h"

namespace kith {

namespace {

struct os_handle_object : object {
  platform::native_handle handle;
  identity owner;  // in a forked child the number may be another handle's
};

void destroy(object* object) {
  os_handle_object* self = static_cast<os_handle_object*>(object);
  if (!(self->owner == platform::self())) (void)self->handle.release();
  unmake(self);
}

constexpr object_class os_handle_class{object_kind::os_handle, nullptr, destroy};

}  // namespace

kith_status os_handle_describe(object& object, const platform::native_handle*& out) {
  os_handle_object& self = static_cast<os_handle_object&>(object);
  if (!(self.owner == platform::self())) return KITH_E_INVALID;
  out = &self.handle;
  return KITH_OK;
}

kith_status os_handle_open(platform::native_handle&& handle, void** out) {
  os_handle_object* self = make<os_handle_object>();
  if (self == nullptr) return KITH_E_NO_MEMORY;
  self->type = &os_handle_class;
  self->handle = std::move(handle);
  self->owner = platform::self();
  void* const opened = handle_open(self);
  if (opened == nullptr) {
    destroy(self);
    return KITH_E_NO_MEMORY;
  }
  *out = opened;
  return KITH_OK;
}

// They are copies of ours, and of no use in a forked child: kith_os_handle_copy refuses there.
KITH_IN_FORKED_CHILD void os_handle_forget_all() {
  handle_for_each(
      object_kind::os_handle,
      [](void*, object& object, void*) { static_cast<os_handle_object&>(object).handle.reset(); }, nullptr);
}

}  // namespace kith

using namespace kith;

kith_status kith_os_handle_create(int64_t number, kith_os_handle** out) {
  if (out == nullptr) return KITH_E_INVALID;
  platform::native_handle copy;
  if (kith_status status = platform::handle_copy_in(number, copy); status != KITH_OK) return status;
  void* opened = nullptr;
  const kith_status status = os_handle_open(std::move(copy), &opened);
  if (status == KITH_OK) *out = static_cast<kith_os_handle*>(opened);
  return status;
}

kith_status kith_os_handle_inherit(const char* name, kith_os_handle** out) {
  if (out == nullptr) return KITH_E_INVALID;
  claimed_share claimed;
  kith_status status = share_claim(name, shm::segment_kind::os_handle, claimed);
  if (status != KITH_OK) return status;
  void* opened = nullptr;
  status = os_handle_open(std::move(claimed.handles[0]), &opened);
  if (status == KITH_OK) *out = static_cast<kith_os_handle*>(opened);
  return status;
}

kith_status kith_pipe_create(kith_os_handle** out_read, kith_os_handle** out_write) {
  if (out_read == nullptr || out_write == nullptr || out_read == out_write) return KITH_E_INVALID;
  platform::native_handle read_end, write_end;
  if (kith_status status = platform::pipe_create_for_children(read_end, write_end); status != KITH_OK)
    return status;
  void* opened[2] = {};
  kith_status status = os_handle_open(std::move(read_end), &opened[0]);
  if (status == KITH_OK) status = os_handle_open(std::move(write_end), &opened[1]);
  if (status != KITH_OK) {
    handle_close(opened[0], object_kind::os_handle);
    return status;
  }
  *out_read = static_cast<kith_os_handle*>(opened[0]);
  *out_write = static_cast<kith_os_handle*>(opened[1]);
  return KITH_OK;
}

// In a forked child the number may be another handle's.
int64_t kith_os_handle_number(const kith_os_handle* handle) {
  const pinned<os_handle_object> self(handle, object_kind::os_handle);
  if (self.status() != KITH_OK || !(self->owner == platform::self())) return -1;
  return static_cast<int64_t>(platform::handle_number(self->handle));
}

kith_status kith_os_handle_copy(kith_os_handle* handle, int64_t* out_number) {
  const pinned<os_handle_object> self(handle, object_kind::os_handle);
  if (self.status() != KITH_OK) return self.status();
  if (out_number == nullptr || !(self->owner == platform::self())) return KITH_E_INVALID;
  platform::native_handle copy;
  if (kith_status status = platform::handle_duplicate(self->handle, copy); status != KITH_OK) return status;
  *out_number = static_cast<int64_t>(platform::handle_number(copy));
  (void)copy.release();
  return KITH_OK;
}

void kith_os_handle_close(kith_os_handle* handle) { handle_close(handle, object_kind::os_handle); }
