// SPDX-License-Identifier: MIT
#include "object_transfer.h"

#include <utility>

#include "channel.h"
#include "segment_object.h"

namespace kith {

namespace {

const segment_class* class_of(object_kind kind) {
  for (const segment_class* each :
       {&array_class, &barrier_class, &broadcast_class, &condition_class, &event_class, &memory_class,
        &queue_class, &semaphore_class, &value_class}) {
    if (each->kind == kind) return each;
  }
  return nullptr;
}

kith_status open_lock(claimed_share& came, void** out) {
  shm::segment segment;
  kith_status status = shm::segment_attach(std::move(came.handles[0]), shm::segment_kind::lock, segment);
  if (status != KITH_OK) return status;
  mapping* shared = mapping_make(std::move(segment));
  return shared == nullptr ? KITH_E_NO_MEMORY : lock_open(shared, false, out);
}

}  // namespace

kith_status object_open(object_kind kind, identity who, claimed_share& came, void** out) {
  if (kind == object_kind::process) return process_open_foreign(who, std::move(came.handles[0]), out);
  if (kind == object_kind::channel) return channel_open_claimed(came, out);
  if (kind == object_kind::os_handle) return os_handle_open(std::move(came.handles[0]), out);
  if (kind == object_kind::lock) return open_lock(came, out);
  const segment_class* type = class_of(kind);
  return type == nullptr ? KITH_E_MISMATCH : segment_object_open_claimed(*type, came, out);
}

}  // namespace kith
