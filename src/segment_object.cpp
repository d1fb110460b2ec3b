// SPDX-License-Identifier: MIT
#include "segment_object.h"

#include <utility>

#include "allocator.h"
#include "share.h"

namespace kith {

namespace {

void begin_close(object& self) {
  segment_object& each = static_cast<segment_object&>(self);
  if (each.lock != nullptr) lock_close_borrowed(each.lock);
}

void destroy(object* self) {
  segment_object* each = static_cast<segment_object*>(self);
  mapping_release(each->shared);
  unmake(each);
}

constexpr object_class memory_class{object_kind::memory, begin_close, destroy};
constexpr object_class array_class{object_kind::array, begin_close, destroy};
constexpr object_class value_class{object_kind::value, begin_close, destroy};

const object_class& class_of(object_kind kind) {
  if (kind == object_kind::memory) return memory_class;
  return kind == object_kind::array ? array_class : value_class;
}

shm::segment_kind segment_kind_of(object_kind kind) {
  switch (kind) {
    case object_kind::memory: return shm::segment_kind::memory;
    case object_kind::array: return shm::segment_kind::array;
    case object_kind::value: return shm::segment_kind::value;
    default: return shm::segment_kind::lock;
  }
}

// With a reference of its own for the lock.
kith_status open_lock_of(segment_object& self) {
  self.shared->references.fetch_add(1, std::memory_order_relaxed);  // we hold one: it cannot go
  void* lock = nullptr;
  kith_status status = lock_open(self.shared, true, &lock);
  if (status == KITH_OK) self.lock = static_cast<kith_lock*>(lock);
  return status;
}

// Takes over the reference.
kith_status open_object(object_kind kind, mapping* shared, void** out) {
  segment_object* self = make<segment_object>();
  if (self == nullptr) {
    mapping_release(shared);
    return KITH_E_NO_MEMORY;
  }
  self->type = &class_of(kind);
  self->shared = shared;
  kith_status status = kind == object_kind::memory ? KITH_OK : open_lock_of(*self);
  void* handle = status == KITH_OK ? handle_open(self) : nullptr;
  if (handle != nullptr) {
    *out = handle;
    return KITH_OK;
  }
  if (status == KITH_OK) status = KITH_E_NO_MEMORY;
  begin_close(*self);
  destroy(self);
  return status;
}

}  // namespace

void mapping_release(mapping* self) {
  // Acquire and release: the last one closes the segment after everything that the others did in it.
  if (self->references.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  shm::segment_close(self->segment);
  unmake(self);
}

kith_status segment_object_open(object_kind kind, shm::segment&& segment, void** out) {
  mapping* shared = make<mapping>();
  if (shared == nullptr) {
    shm::segment_close(segment);
    return KITH_E_NO_MEMORY;
  }
  shared->segment = std::move(segment);
  return kind == object_kind::lock ? lock_open(shared, false, out) : open_object(kind, shared, out);
}

kith_status segment_object_create(object_kind kind, const shm::segment_plan& plan, void** out) {
  shm::segment made;
  if (kith_status status = shm::segment_create(plan, made); status != KITH_OK) return status;
  return segment_object_open(kind, std::move(made), out);
}

kith_status segment_object_inherit(object_kind kind, const char* name, void** out) {
  claimed_share claimed;
  if (kith_status status = share_claim(name, segment_kind_of(kind), claimed); status != KITH_OK)
    return status;
  shm::segment attached;
  kith_status status = shm::segment_attach(std::move(claimed.handles[0]), segment_kind_of(kind), attached);
  return status == KITH_OK ? segment_object_open(kind, std::move(attached), out) : status;
}

const segment_object* segment_object_find(const void* handle, object_kind kind) {
  object* found = nullptr;
  return handle_find(handle, kind, found) == KITH_OK ? static_cast<segment_object*>(found) : nullptr;
}

}  // namespace kith
