// SPDX-License-Identifier: MIT
// What memory, arrays, values and locks have in common: an object that is one shared segment.
#pragma once

#include <kith/kith.h>

#include <atomic>

#include "object.h"
#include "shm/broadcast.h"
#include "shm/lock_word.h"
#include "shm/segment.h"

namespace kith {

struct claimed_share;

// A mapped segment. An array and the lock that is borrowed from it each hold a reference: whoever still waits for the lock while the
// array is being closed must not lose the memory it waits on.
struct mapping {
  std::atomic<uint32_t> references{1};
  shm::segment segment;
};

struct segment_object;

// The class of an object that is one segment, and nothing else.
struct segment_class : object_class {
  shm::segment_kind segment;
  bool has_lock;       // one that the user borrows: of an array or value
  uint32_t bells = 0;  // what can be waited for together with other things, see platform.h
  void (*opened)(segment_object& self) = nullptr;  // before the object has a handle
};

// Each stands beside the functions of its kind.
extern const segment_class array_class, barrier_class, broadcast_class, condition_class, event_class,
    memory_class, pool_bell_class, pool_lane_class, queue_class, semaphore_class, value_class;

struct segment_object : object {
  mapping* shared = nullptr;
  platform::bells bells;                   // of an event, queue or broadcast
  std::atomic<bool> room_apart{false};     // of a queue: a loop waits for room by a handle of its own
  kith_lock* lock = nullptr;               // of an array or value, borrowed by the user
  bool borrowed = false;                   // the user can neither close it nor give it away
  std::atomic<uint64_t> last_probe_ns{0};  // of a semaphore: when it was last seen to whether holders live
  shm::spinner spin;
  std::atomic<uint32_t> hint{0};   // of a semaphore: where the last permit was found
  shm::broadcast_writing writing;  // of a broadcast

  const shm::segment& segment() const { return shared->segment; }
  void* data() const { return shared->segment.data; }
};

struct lock_object : object {
  shm::lock_state* state = nullptr;  // in the segment
  mapping* shared = nullptr;
  bool borrowed = false;
  std::atomic<uint64_t> last_probe_ns{0};
  shm::spinner spin;

  wait_area& waiting() { return shared->segment.waiting; }
};

// Takes over the segment; nullptr: no memory.
mapping* mapping_make(shm::segment&& segment);
void mapping_release(mapping* self);

// For the table of functions of a segment_class. A class that is waited on has a begin_close of its own.
void segment_object_begin_close(object& self);
void segment_object_destroy(object* self);

// Makes a handle for a segment of that class, which it takes over, also when it fails.
kith_status segment_object_open(const segment_class& type, shm::segment&& segment, platform::bells&& bells,
                                void** out);
// For a mapping that is part of something else.
kith_status segment_object_open_borrowed(const segment_class& type, mapping* shared, platform::bells&& bells,
                                         void** out);
// From the handles that another process gave, which it takes over, also when it fails.
kith_status segment_object_open_claimed(const segment_class& type, claimed_share& claimed, void** out);
kith_status segment_object_inherit(const segment_class& type, const char* name, void** out);

// The segment behind a handle without pinning it; nullptr: NULL, closed or another kind.
const segment_object* segment_object_find(const void* handle, object_kind kind);

// What all `inherit` functions do.
template <class Handle>
kith_status segment_inherit(const segment_class& type, const char* name, Handle** out) {
  if (out == nullptr) return KITH_E_INVALID;
  void* made = nullptr;
  const kith_status status = segment_object_inherit(type, name, &made);
  if (status == KITH_OK) *out = static_cast<Handle*>(made);
  return status;
}

// What all `create` functions end with. `prepare(segment)` writes what the object begins with, before anybody else has it.
template <class Handle, class Prepare>
kith_status segment_make(const segment_class& type, const shm::segment_plan& plan, Handle** out,
                         Prepare prepare) {
  platform::bells bells;
  kith_status status = type.bells == 0 ? KITH_OK : platform::bells_create(type.bells, bells);
  if (status != KITH_OK) return status;
  shm::segment made;
  status = shm::segment_create(plan, made);
  if (status != KITH_OK) return status;
  prepare(made);
  void* handle = nullptr;
  status = segment_object_open(type, static_cast<shm::segment&&>(made), static_cast<platform::bells&&>(bells),
                               &handle);
  if (status == KITH_OK) *out = static_cast<Handle*>(handle);
  return status;
}

// A segment that another process gave to this one under a name.
kith_status segment_claim(shm::segment_kind kind, const char* name, shm::segment& out);

// KITH_LOCK_... of a segment that nobody else has yet.
void lock_set_options(shm::segment& made, uint32_t flags);
// The lock behind a handle, pinned by the caller.
shm::lock_view lock_view_of(lock_object& self);

// What kith_lock_acquire does when the lock is not free, and kith_lock_release when somebody may sleep.
kith_status lock_wait(kith_lock* lock, int64_t timeout_ms);
kith_status lock_wake(kith_lock* lock);

// A handle for the lock in a segment. Takes over a reference, also when it fails.
kith_status lock_open(mapping* shared, bool borrowed, void** out);
void lock_close_borrowed(kith_lock* lock);

}  // namespace kith
