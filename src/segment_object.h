// SPDX-License-Identifier: MIT
// What memory, arrays, values and locks have in common: an object that is one shared segment.
#pragma once

#include <kith/kith.h>

#include <atomic>

#include "object.h"
#include "shm/lock_word.h"
#include "shm/segment.h"

namespace kith {

// A mapped segment. An array and the lock that is borrowed from it each hold a reference: whoever still waits for the lock while the
// array is being closed must not lose the memory it waits on.
struct mapping {
  std::atomic<uint32_t> references{1};
  shm::segment segment;
};

struct segment_object : object {
  mapping* shared = nullptr;
  kith_lock* lock = nullptr;  // of an array or value, borrowed by the user

  const shm::segment& segment() const { return shared->segment; }
  void* data() const { return shared->segment.data; }
};

struct lock_object : object {
  shm::lock_state* state = nullptr;  // in the segment
  mapping* shared = nullptr;
  bool borrowed = false;
  std::atomic<uint64_t> last_probe_ns{0};

  wait_area& waiting() { return shared->segment.waiting; }
  shm::patience patience_until(deadline until) { return {until, &closed, &last_probe_ns}; }
};

void mapping_release(mapping* self);

// Makes a handle for a segment of that kind, which it takes over; with a lock where the kind has one.
kith_status segment_object_open(object_kind kind, shm::segment&& segment, void** out);
kith_status segment_object_create(object_kind kind, const shm::segment_plan& plan, void** out);
kith_status segment_object_inherit(object_kind kind, const char* name, void** out);

// The segment behind a handle without pinning it; nullptr: NULL, closed or another kind.
const segment_object* segment_object_find(const void* handle, object_kind kind);

// A handle for the lock in a segment. Takes over a reference, also when it fails.
kith_status lock_open(mapping* shared, bool borrowed, void** out);
void lock_close_borrowed(kith_lock* lock);

}  // namespace kith
