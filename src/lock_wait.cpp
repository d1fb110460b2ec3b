// SPDX-License-Identifier: MIT
// The parts of kith_lock_acquire and kith_lock_release that wait and wake. In a file of its own, so that compilers keep it out of there: the registers it needs would
// cost the common path a fifth of its time.
#include "segment_object.h"
#include "waiting.h"

namespace kith {

namespace {

// Who holds the lock waits for nobody, so the object need not be pinned: half of the time of acquiring it again.
bool is_mine(kith_lock* lock, shm::lock_state*& out) {
  void* state = nullptr;
  if (handle_find_shortcut(lock, object_kind::lock, state) != KITH_OK) return false;
  out = static_cast<shm::lock_state*>(state);
  return shm::lock_held_by_me(*out);
}

}  // namespace

kith_status lock_wait(kith_lock* lock, int64_t timeout_ms) {
  if (shm::lock_state* mine = nullptr; is_mine(lock, mine)) return shm::lock_acquire_again(*mine);
  const pinned<lock_object> self(lock, object_kind::lock);
  if (self.status() != KITH_OK) return self.status();
  call_patience limits(timeout_ms, *self, &self->spin);
  limits.last_probe_ns = &self->last_probe_ns;
  return shm::lock_acquire_slow(*self->state, self->waiting(), limits);
}

kith_status lock_wake(kith_lock* lock) {
  object* found = nullptr;
  // Closed meanwhile by another thread: then nobody of us sleeps, and the others' slices end.
  if (handle_find(lock, object_kind::lock, found) != KITH_OK) return KITH_OK;
  lock_object& self = *static_cast<lock_object*>(found);
  shm::lock_wake_one(*self.state, self.waiting());
  return KITH_OK;
}

}  // namespace kith
