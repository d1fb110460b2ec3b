// SPDX-License-Identifier: MIT
// Handles for loops of the user's own.
#include <kith/kith.h>

#include "readiness.h"
#include "segment_object.h"

using namespace kith;

namespace {

kith_status handle_of(const void* handle, object_kind kind, int64_t* out) {
  const pinned<object> self(handle, kind);
  if (self.status() != KITH_OK) return self.status();
  if (out == nullptr || (kind == object_kind::process && !process_is_ours(*self))) return KITH_E_INVALID;
  return object_poll_handle(*self, listener::loop, KITH_WAIT_READ, *out);
}

// Relaxed: who arms for room has been given the handle, or has it from who was.
listener listener_of(const object& self) {
  const bool has_each = self.type->kind == object_kind::queue &&
                        static_cast<const segment_object&>(self).room_apart.load(std::memory_order_relaxed);
  return has_each ? listener::call : listener::loop;
}

kith_status arm(object& self, uint32_t events) {
  const listener who = listener_of(self);
  int64_t handle = 0;
  if (self.type->kind == object_kind::process && !process_is_ours(self)) return KITH_E_INVALID;
  const kith_status status = object_poll_handle(self, who, events, handle);
  if (status != KITH_OK) return status == KITH_E_UNSUPPORTED ? KITH_E_MISMATCH : status;
  // These look themselves, when they are armed.
  const bool arms_itself = self.type->kind == object_kind::channel || self.type->kind == object_kind::stream;
  if (arms_itself) return object_raise(self, who, events);
  if (object_ready(self, events) != 0) return KITH_E_BUSY;
  const bool quieted = object_quiet(self, who, events);
  (void)object_raise(self, who, events);
  platform::heavy_fence();  // pairs with the light one in shm::tell_pollers
  if (object_ready(self, events) == 0) return KITH_OK;
  if (quieted) object_ring_again(self, who, events);
  return KITH_E_BUSY;
}

// The object behind a handle of any kind, for the time of a call.
template <class Call>
kith_status with_object(const void* handle, Call call) {
  object* self = nullptr;
  if (const kith_status status = handle_pin_any(handle, self); status != KITH_OK) return status;
  const kith_status status = events_of(*self) == 0 ? KITH_E_MISMATCH : call(*self);
  handle_unpin(handle);
  return status;
}

}  // namespace

kith_status kith_channel_poll_handle(kith_channel* channel, int64_t* out_handle) {
  return handle_of(channel, object_kind::channel, out_handle);
}

kith_status kith_queue_poll_handle(kith_queue* queue, int64_t* out_handle) {
  return handle_of(queue, object_kind::queue, out_handle);
}

kith_status kith_queue_room_handle(kith_queue* queue, int64_t* out_handle) {
  const pinned<segment_object> self(queue, object_kind::queue);
  if (self.status() != KITH_OK) return self.status();
  if (out_handle == nullptr) return KITH_E_INVALID;
  const kith_status status = object_poll_handle(*self, listener::call, KITH_WAIT_WRITE, *out_handle);
  if (status == KITH_OK) self->room_apart.store(true, std::memory_order_relaxed);
  return status;
}

kith_status kith_broadcast_poll_handle(kith_broadcast* broadcast, int64_t* out_handle) {
  return handle_of(broadcast, object_kind::broadcast, out_handle);
}

kith_status kith_reader_poll_handle(kith_reader* reader, int64_t* out_handle) {
  return handle_of(reader, object_kind::reader, out_handle);
}

kith_status kith_event_poll_handle(kith_event* event, int64_t* out_handle) {
  return handle_of(event, object_kind::event, out_handle);
}

kith_status kith_process_poll_handle(kith_process* process, int64_t* out_handle) {
  return handle_of(process, object_kind::process, out_handle);
}

kith_status kith_pool_poll_handle(kith_pool* pool, int64_t* out_handle) {
  return handle_of(pool, object_kind::pool, out_handle);
}

kith_status kith_endpoint_poll_handle(kith_endpoint* endpoint, int64_t* out_handle) {
  return handle_of(endpoint, object_kind::endpoint, out_handle);
}

kith_status kith_stream_poll_handle(kith_stream* stream, int64_t* out_handle) {
  return handle_of(stream, object_kind::stream, out_handle);
}

kith_status kith_poll_arm(const void* object, uint32_t events) {
  if ((events & ~both_events) != 0) return KITH_E_INVALID;
  const uint32_t wanted = events == 0 ? uint32_t{KITH_WAIT_READ} : events;
  return with_object(object, [&](kith::object& self) {
    return (wanted & ~events_of(self)) != 0 ? KITH_E_MISMATCH : arm(self, wanted);
  });
}

kith_status kith_poll_disarm(const void* object) {
  return with_object(object, [](kith::object& self) {
    object_disarm(self);
    return KITH_OK;
  });
}
