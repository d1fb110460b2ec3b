// SPDX-License-Identifier: MIT
#include <kith/kith.h>

#include "allocator.h"
#include "options.h"
#include "segment_object.h"

namespace kith {

namespace {

// Waiters see `closed` when they look again: at once if they are woken, else after their slice.
void begin_close(object& self) {
  lock_object& lock = static_cast<lock_object&>(self);
  platform::wake(lock.waiting(), lock.state->word, UINT32_MAX);
}

void destroy(object* self) {
  lock_object* lock = static_cast<lock_object*>(self);
  mapping_release(lock->shared);
  unmake(lock);
}

constexpr object_class lock_class{object_kind::lock, begin_close, destroy};

}  // namespace

kith_status lock_open(mapping* shared, bool borrowed, void** out) {
  lock_object* self = make<lock_object>();
  if (self == nullptr) {
    mapping_release(shared);
    return KITH_E_NO_MEMORY;
  }
  self->type = &lock_class;
  self->shared = shared;
  self->state = reinterpret_cast<shm::lock_state*>(shared->segment.state);
  self->borrowed = borrowed;
  void* handle = handle_open(self);
  if (handle == nullptr) {
    unmake(self);
    mapping_release(shared);
    return KITH_E_NO_MEMORY;
  }
  *out = handle;
  return KITH_OK;
}

// Apart from kith_lock_acquire, and not in the unnamed namespace, so that compilers keep it out of there: the registers it needs would
// cost the common path a fifth of its time.
kith_status lock_wait(kith_lock* lock, int64_t timeout_ms);

kith_status lock_wait(kith_lock* lock, int64_t timeout_ms) {
  pinned<lock_object> self(lock, object_kind::lock);
  if (self.status() != KITH_OK) return self.status();
  const deadline until = deadline_in(platform::clock_now(), timeout_ms);
  return shm::lock_acquire_slow(*self->state, self->waiting(), self->patience_until(until));
}

void lock_close_borrowed(kith_lock* lock) { handle_close(lock, object_kind::lock); }

}  // namespace kith

using namespace kith;

kith_status kith_lock_create(const kith_lock_options* options, kith_lock** out) {
  kith_lock_options wanted;
  if (kith_status status = read_options(options, wanted, 0); status != KITH_OK) return status;
  if (out == nullptr) return KITH_E_INVALID;
  void* made = nullptr;
  kith_status status = segment_object_create(object_kind::lock, {shm::segment_kind::lock}, &made);
  if (status == KITH_OK) *out = static_cast<kith_lock*>(made);
  return status;
}

kith_status kith_lock_inherit(const char* name, kith_lock** out) {
  if (out == nullptr) return KITH_E_INVALID;
  void* made = nullptr;
  kith_status status = segment_object_inherit(object_kind::lock, name, &made);
  if (status == KITH_OK) *out = static_cast<kith_lock*>(made);
  return status;
}

kith_status kith_lock_acquire(kith_lock* lock, int64_t timeout_ms) {
  object* found = nullptr;
  if (kith_status status = handle_find(lock, object_kind::lock, found); status != KITH_OK) return status;
  if (!timeout_is_valid(timeout_ms)) return KITH_E_INVALID;
  return shm::lock_try_fast(*static_cast<lock_object*>(found)->state) ? KITH_OK : lock_wait(lock, timeout_ms);
}

kith_status kith_lock_release(kith_lock* lock) {
  object* found = nullptr;
  if (kith_status status = handle_find(lock, object_kind::lock, found); status != KITH_OK) return status;
  lock_object& self = *static_cast<lock_object*>(found);
  return shm::lock_release(*self.state, self.waiting());
}

kith_status kith_lock_mark_consistent(kith_lock* lock) {
  object* found = nullptr;
  if (kith_status status = handle_find(lock, object_kind::lock, found); status != KITH_OK) return status;
  return shm::lock_mark_consistent(*static_cast<lock_object*>(found)->state);
}

void kith_lock_close(kith_lock* lock) {
  object* found = nullptr;
  if (handle_find(lock, object_kind::lock, found) != KITH_OK) return;
  if (!static_cast<lock_object*>(found)->borrowed) handle_close(lock, object_kind::lock);
}
