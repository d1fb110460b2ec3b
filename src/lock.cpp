// SPDX-License-Identifier: MIT
#include <kith/kith.h>

#include "allocator.h"
#include "named.h"
#include "options.h"
#include "segment_object.h"

namespace kith {

namespace {

// Waiters see `closed` when they look again: at once if they are woken, else after their slice.
void begin_close(object& self) {
  lock_object& lock = static_cast<lock_object&>(self);
  platform::wake(lock.waiting(), lock.state->waiters, UINT32_MAX);
}

void destroy(object* self) {
  lock_object* lock = static_cast<lock_object*>(self);
  mapping_release(lock->shared);
  unmake(lock);
}

constexpr object_class lock_class{object_kind::lock, begin_close, destroy};

// Of a segment that holds nothing but the lock. Takes it over.
kith_status open_own(shm::segment& segment, kith_lock** out) {
  mapping* shared = mapping_make(static_cast<shm::segment&&>(segment));
  void* handle = nullptr;
  const kith_status status = shared == nullptr ? KITH_E_NO_MEMORY : lock_open(shared, false, &handle);
  if (status == KITH_OK) *out = static_cast<kith_lock*>(handle);
  return status;
}

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
  self->shortcut = self->state;
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

void lock_set_options(shm::segment& made, uint32_t flags) {
  shm::lock_state& state = *reinterpret_cast<shm::lock_state*>(made.state);
  const bool recursive = (flags & KITH_LOCK_RECURSIVE) != 0;
  state.options.store(recursive ? shm::lock_recursive : 0, std::memory_order_relaxed);
  // Strangers who meet at a name have nobody but kith_names_list to tell them who holds them up.
  state.depth.store(made.name.card != nullptr ? shm::lock_noted : 0, std::memory_order_relaxed);
}

shm::lock_view lock_view_of(lock_object& self) { return {self.state, &self.waiting()}; }

void lock_close_borrowed(kith_lock* lock) { handle_close(lock, object_kind::lock); }

}  // namespace kith

using namespace kith;

kith_status kith_lock_create(const kith_lock_options* options, kith_lock** out) {
  kith_lock_options wanted;
  if (kith_status status = read_options(options, wanted, KITH_LOCK_RECURSIVE); status != KITH_OK)
    return status;
  if (out == nullptr) return KITH_E_INVALID;
  shm::segment made;
  if (kith_status status = shm::segment_create({shm::segment_kind::lock}, made); status != KITH_OK)
    return status;
  lock_set_options(made, wanted.flags);
  return open_own(made, out);
}

kith_status kith_lock_open_named(const kith_naming* naming, const kith_lock_options* options, kith_lock** out,
                                 int32_t* out_created) {
  kith_lock_options wanted;
  named_wish wish;
  if (kith_status status = named_read_wish(naming, shm::segment_kind::lock, wish); status != KITH_OK)
    return status;
  if (kith_status status = read_options(options, wanted, KITH_LOCK_RECURSIVE); status != KITH_OK)
    return status;
  if (out == nullptr) return KITH_E_INVALID;
  shm::segment segment;
  platform::bells none;
  int32_t created = 0;
  kith_status status = segment_open_named(
      wish, {shm::segment_kind::lock}, 0, segment, none, &created, [](const shm::segment&) { return true; },
      [&](shm::segment& made) { lock_set_options(made, wanted.flags); });
  if (status == KITH_OK) status = open_own(segment, out);
  if (status == KITH_OK && out_created != nullptr) *out_created = created;
  return status;
}

kith_status kith_lock_inherit(const char* name, kith_lock** out) {
  if (out == nullptr) return KITH_E_INVALID;
  shm::segment attached;
  const kith_status status = segment_claim(shm::segment_kind::lock, name, attached);
  return status == KITH_OK ? open_own(attached, out) : status;
}

kith_status kith_lock_acquire(kith_lock* lock, int64_t timeout_ms) {
  void* state = nullptr;
  if (kith_status status = handle_find_shortcut(lock, object_kind::lock, state); status != KITH_OK)
    return status;
  if (!timeout_is_valid(timeout_ms)) return KITH_E_INVALID;
  return shm::lock_try_fast(*static_cast<shm::lock_state*>(state)) ? KITH_OK : lock_wait(lock, timeout_ms);
}

kith_status kith_lock_release(kith_lock* lock) {
  void* state = nullptr;
  if (kith_status status = handle_find_shortcut(lock, object_kind::lock, state); status != KITH_OK)
    return status;
  bool wake = false;
  const kith_status status = shm::lock_let_go(*static_cast<shm::lock_state*>(state), wake);
  return wake ? lock_wake(lock) : status;
}

kith_status kith_lock_mark_consistent(kith_lock* lock) {
  object* found = nullptr;
  if (kith_status status = handle_find(lock, object_kind::lock, found); status != KITH_OK) return status;
  return shm::lock_mark_consistent(*static_cast<lock_object*>(found)->state);
}

kith_status kith_lock_owner(kith_lock* lock, kith_owner* out) {
  object* found = nullptr;
  if (kith_status status = handle_find(lock, object_kind::lock, found); status != KITH_OK) return status;
  if (out == nullptr) return KITH_E_INVALID;
  const shm::lock_owner owner = shm::lock_look(*static_cast<lock_object*>(found)->state);
  *out = {};
  if (owner.who.nobody()) return KITH_OK;
  out->pid = owner.who.pid();
  out->held_ms = static_cast<int64_t>(owner.held_ns / ns_per_ms);
  out->alive = platform::alive(owner.who) == liveness::dead ? 0 : 1;
  return KITH_OK;
}

void kith_lock_close(kith_lock* lock) {
  object* found = nullptr;
  if (handle_find(lock, object_kind::lock, found) != KITH_OK) return;
  if (!static_cast<lock_object*>(found)->borrowed) handle_close(lock, object_kind::lock);
}
