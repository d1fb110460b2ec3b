// SPDX-License-Identifier: MIT
#include "readiness.h"

#include "broadcast_object.h"
#include "channel_turn.h"
#include "pool.h"
#include "segment_object.h"

namespace kith {

namespace {

// A queue has a bell for those who take and one for those who put: a queue that runs full rings the first and is waited for by the
// second at the same time, who must not silence it before it was heard. A loop has one handle for both, and so only the first. Of a broadcast
// the first is the readers'.
uint32_t bell_for(object_kind kind, listener who, uint32_t event) {
  if (kind == object_kind::broadcast) return 1;
  return who == listener::call && event == KITH_WAIT_WRITE ? 1 : 0;
}

// nullptr: it has none.
const platform::bells* bells_of(const object& self) {
  switch (self.type->kind) {
    case object_kind::event:
    case object_kind::broadcast:
    case object_kind::queue: return &static_cast<const segment_object&>(self).bells;
    case object_kind::pool: return static_cast<const pool_object&>(self).bells;
    default: return nullptr;
  }
}

template <class Visit>
void for_each_bell(object_kind kind, listener who, uint32_t events, Visit visit) {
  bool visited[platform::most_bells] = {};
  for (const uint32_t event : {uint32_t{KITH_WAIT_READ}, uint32_t{KITH_WAIT_WRITE}}) {
    const uint32_t bell = bell_for(kind, who, event);
    if ((events & event) == 0 || visited[bell]) continue;
    visited[bell] = true;
    visit(bell);
  }
}

kith_status bell_handle(const platform::bells& bells, uint32_t which, int64_t& out) {
  const platform::native_handle& handle = platform::bells_handle(bells, which);
  if (!handle.valid()) return KITH_E_UNSUPPORTED;
  out = static_cast<int64_t>(platform::handle_number(handle));
  return KITH_OK;
}

kith_status stream_handle_of(channel_object& self, int64_t& out) {
  const stream_looker look(self);
  return look.may() ? platform::stream_poll_handle(self.stream, out) : KITH_E_MOVED;
}

}  // namespace

uint32_t events_of(const object& self) {
  switch (self.type->kind) {
    case object_kind::stream: return stream_events(self);
    case object_kind::process:
    case object_kind::pool:
    case object_kind::reader:
    case object_kind::endpoint:
    case object_kind::event: return KITH_WAIT_READ;
    case object_kind::broadcast: return KITH_WAIT_WRITE;
    case object_kind::channel:
    case object_kind::queue: return both_events;
    default: return 0;
  }
}

uint32_t object_ready(object& self, uint32_t events) {
  // Seq_cst, as every look that goes before a sleep: see object.h. The next call on the object tells of the close.
  if (self.closed.load(std::memory_order_seq_cst)) return events;
  switch (self.type->kind) {
    case object_kind::process: return process_has_ended(self) ? events : 0;
    case object_kind::endpoint: return endpoint_is_ready(self) ? events : 0;
    case object_kind::event: return event_is_ready(self) ? events : 0;
    case object_kind::queue: return queue_is_ready(self, events);
    case object_kind::pool: return pool_is_ready(self) ? events : 0;
    case object_kind::broadcast: return broadcast_is_ready(self, events);
    case object_kind::reader: return reader_is_ready(self) ? events : 0;
    case object_kind::stream: return stream_is_ready(self) ? events : 0;
    case object_kind::channel: return channel_ready(static_cast<channel_object&>(self), events);
    default: return 0;
  }
}

bool object_hint(object& self, uint32_t events) {
  switch (self.type->kind) {
    case object_kind::event:
    case object_kind::broadcast:
    case object_kind::reader:
    case object_kind::queue: return object_ready(self, events) != 0;
    case object_kind::channel: return channel_hint(static_cast<channel_object&>(self), events) != 0;
    default: return false;
  }
}

kith_status object_poll_handle(object& self, listener who, uint32_t event, int64_t& out) {
  switch (self.type->kind) {
    case object_kind::process: return process_handle_to_poll(self, out);
    case object_kind::endpoint: out = endpoint_handle_to_poll(self); return KITH_OK;
    case object_kind::stream: return stream_handle_to_poll(self, out);
    case object_kind::channel: return stream_handle_of(static_cast<channel_object&>(self), out);
    case object_kind::reader: return reader_handle_to_poll(self, out);
    default: return bell_handle(*bells_of(self), bell_for(self.type->kind, who, event), out);
  }
}

bool object_quiet(object& self, listener who, uint32_t events) {
  if (self.type->kind == object_kind::reader) return reader_quiet(self);
  const platform::bells* const bells = bells_of(self);
  bool rung = false;
  if (bells == nullptr) return false;
  for_each_bell(self.type->kind, who, events,
                [&](uint32_t bell) { rung = platform::bell_quiet(*bells, bell) || rung; });
  return rung;
}

kith_status object_raise(object& self, listener who, uint32_t events) {
  switch (self.type->kind) {
    case object_kind::event: event_raise(self); return KITH_OK;
    case object_kind::queue: queue_raise(self, who, events); return KITH_OK;
    case object_kind::pool: pool_raise(self); return KITH_OK;
    case object_kind::broadcast: broadcast_raise(self); return KITH_OK;
    case object_kind::reader: reader_raise(self); return KITH_OK;
    case object_kind::stream: return stream_is_ready(self) ? KITH_E_BUSY : KITH_OK;
    case object_kind::channel: return channel_arm(static_cast<channel_object&>(self), events);
    default: return KITH_OK;
  }
}

void object_ring_again(object& self, listener who, uint32_t events) {
  const platform::bells* const bells = bells_of(self);
  if (bells == nullptr) return;
  for_each_bell(self.type->kind, who, events, [&](uint32_t bell) { platform::bell_ring(*bells, bell); });
}

void object_disarm(object& self) {
  if (self.type->kind == object_kind::channel) channel_disarm(static_cast<channel_object&>(self));
}

const wait_area* object_wait_area(const object& self) {
  switch (self.type->kind) {
    case object_kind::event:
    case object_kind::broadcast:
    case object_kind::queue: return &static_cast<const segment_object&>(self).segment().waiting;
    case object_kind::reader: return &static_cast<const reader_object&>(self).source->segment().waiting;
    default: return nullptr;
  }
}

shm::spinner* object_spinner(object& self) {
  switch (self.type->kind) {
    case object_kind::reader: return reader_spinner(self);
    case object_kind::event:
    case object_kind::broadcast:
    case object_kind::queue: return &static_cast<segment_object&>(self).spin;
    case object_kind::channel: return static_cast<channel_object&>(self).spinner_to_receive();
    default: return nullptr;
  }
}

}  // namespace kith
