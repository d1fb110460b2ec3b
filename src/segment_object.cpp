// SPDX-License-Identifier: MIT
#include "segment_object.h"

#include <utility>

#include "allocator.h"
#include "named.h"
#include "share.h"

namespace kith {

namespace {

// With a reference of its own for the lock.
kith_status open_lock_of(segment_object& self) {
  self.shared->references.fetch_add(1, std::memory_order_relaxed);  // we hold one: it cannot go
  void* lock = nullptr;
  kith_status status = lock_open(self.shared, true, &lock);
  if (status == KITH_OK) self.lock = static_cast<kith_lock*>(lock);
  return status;
}

// Takes over the reference.
kith_status open_object(const segment_class& type, mapping* shared, platform::bells&& bells, void** out) {
  segment_object* self = make<segment_object>();
  if (self == nullptr) {
    mapping_release(shared);
    return KITH_E_NO_MEMORY;
  }
  self->type = &type;
  self->shared = shared;
  self->bells = std::move(bells);
  if (type.opened != nullptr) type.opened(*self);
  kith_status status = type.has_lock ? open_lock_of(*self) : KITH_OK;
  void* handle = status == KITH_OK ? handle_open(self) : nullptr;
  if (handle != nullptr) {
    *out = handle;
    return KITH_OK;
  }
  if (status == KITH_OK) status = KITH_E_NO_MEMORY;
  segment_object_begin_close(*self);
  segment_object_destroy(self);
  return status;
}

}  // namespace

void segment_object_begin_close(object& self) {
  segment_object& each = static_cast<segment_object&>(self);
  if (each.lock != nullptr) lock_close_borrowed(each.lock);
}

void segment_object_destroy(object* self) {
  segment_object* each = static_cast<segment_object*>(self);
  mapping_release(each->shared);
  unmake(each);
}

void mapping_release(mapping* self) {
  // Acquire and release: the last one closes the segment after everything that the others did in it.
  if (self->references.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  named_let_go(self->segment);
  unmake(self);
}

mapping* mapping_make(shm::segment&& segment) {
  mapping* shared = make<mapping>();
  if (shared == nullptr) {
    named_let_go(segment);
    return nullptr;
  }
  shared->segment = std::move(segment);
  return shared;
}

kith_status segment_object_open(const segment_class& type, shm::segment&& segment, platform::bells&& bells,
                                void** out) {
  mapping* shared = mapping_make(std::move(segment));
  return shared == nullptr ? KITH_E_NO_MEMORY : open_object(type, shared, std::move(bells), out);
}

kith_status segment_object_open_borrowed(const segment_class& type, mapping* shared, platform::bells&& bells,
                                         void** out) {
  const kith_status status = open_object(type, shared, std::move(bells), out);
  object* made = nullptr;
  if (status == KITH_OK && handle_find(*out, type.kind, made) == KITH_OK)
    static_cast<segment_object*>(made)->borrowed = true;
  return status;
}

kith_status segment_claim(shm::segment_kind kind, const char* name, shm::segment& out) {
  claimed_share claimed;
  if (kith_status status = share_claim(name, kind, claimed); status != KITH_OK) return status;
  return shm::segment_attach(std::move(claimed.handles[0]), kind, out);
}

kith_status segment_object_open_claimed(const segment_class& type, claimed_share& claimed, void** out) {
  shm::segment attached;
  kith_status status = shm::segment_attach(std::move(claimed.handles[0]), type.segment, attached);
  if (status != KITH_OK) return status;
  platform::bells bells;
  if (type.bells != 0)
    platform::bells_adopt(std::move(claimed.handles[1]), std::move(claimed.handles[2]), bells);
  return segment_object_open(type, std::move(attached), std::move(bells), out);
}

kith_status segment_object_inherit(const segment_class& type, const char* name, void** out) {
  claimed_share claimed;
  kith_status status = share_claim(name, type.segment, claimed);
  return status == KITH_OK ? segment_object_open_claimed(type, claimed, out) : status;
}

const segment_object* segment_object_find(const void* handle, object_kind kind) {
  object* found = nullptr;
  return handle_find(handle, kind, found) == KITH_OK ? static_cast<segment_object*>(found) : nullptr;
}

}  // namespace kith
