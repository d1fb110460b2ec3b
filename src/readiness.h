// SPDX-License-Identifier: MIT
// What kith_wait_any and the poll calls need of each kind of object.
#pragma once

#include <kith/kith.h>

#include "object.h"
#include "platform.h"
#include "shm/spin.h"

namespace kith {

inline constexpr uint32_t both_events = KITH_WAIT_READ | KITH_WAIT_WRITE;

// The events that an object has; 0: it cannot be waited for together with others.
uint32_t events_of(const object& self);

// Its handle is ready exactly while it is: nothing needs to be armed.
inline bool has_faithful_handle(object_kind kind) {
  return kind == object_kind::process || kind == object_kind::endpoint;
}

// Which of the events are there. Takes nothing. Of a process or endpoint, and of a channel where there is nothing: a system call.
uint32_t object_ready(object& self, uint32_t events);
// The same without one, for who spins.
bool object_hint(object& self, uint32_t events);

// Who listens: a call of kith_wait_any has a handle for each event, as has a loop of the user's that wants it; others have one for the object.
enum class listener { call, loop };

// The handle that becomes ready once it is armed. KITH_E_UNSUPPORTED: there is none.
kith_status object_poll_handle(object& self, listener who, uint32_t event, int64_t& out);

// The steps of arming, in this order: quieting, raising, a heavy fence, a look; see shm/poll_flag.h. A channel and a stream
// take all of them in object_raise, so that KITH_E_BUSY may be the answer; the others answer KITH_OK.
bool object_quiet(object& self, listener who, uint32_t events);  // whether it had been rung
kith_status object_raise(object& self, listener who, uint32_t events);
// Something is there, though it was quieted: others may not have heard the ring.
void object_ring_again(object& self, listener who, uint32_t events);
void object_disarm(object& self);

// Where those who wait for it are counted, if it has a name; nullptr: it never has one.
const wait_area* object_wait_area(const object& self);

// Of a handle; nullptr: it is not worth while, as looking costs a system call.
shm::spinner* object_spinner(object& self);

// ---- the kinds themselves ---------------------------------------------------------------------------------------------------------

// event.cpp
bool event_is_ready(object& self);
void event_raise(object& self);

// queue.cpp
uint32_t queue_is_ready(object& self, uint32_t events);
void queue_raise(object& self, listener who, uint32_t events);

// broadcast.cpp: of those who write
uint32_t broadcast_is_ready(object& self, uint32_t events);
void broadcast_raise(object& self);

// reader.cpp. Each reader has an ear of its own: the bell is not quieted, as others may have more to hear of it.
bool reader_is_ready(object& self);
void reader_raise(object& self);
kith_status reader_handle_to_poll(object& self, int64_t& out);
bool reader_quiet(object& self);
shm::spinner* reader_spinner(object& self);

// endpoint.cpp
bool endpoint_is_ready(object& self);
int64_t endpoint_handle_to_poll(const object& self);

// stream_object.cpp
uint32_t stream_events(const object& self);  // the one that it has: it goes one way
bool stream_is_ready(object& self);
kith_status stream_handle_to_poll(object& self, int64_t& out);

// process.cpp
bool process_is_ours(const object& self);
bool process_has_ended(object& self);
kith_status process_handle_to_poll(object& self, int64_t& out);

}  // namespace kith
