// SPDX-License-Identifier: MIT
// Messages with an object, as far as the rest of the channel has to do with them.
#pragma once

#include "platform.h"
#include "shm/patience.h"
#include "shm/ring.h"
#include "shm/segment.h"

namespace kith {

struct channel_object;

// A parcel that was taken and could not be opened yet, for want of memory or of a descriptor. Guarded by the turn to receive.
struct parcel_in_hand {
  uint64_t ticket = 0;  // 0: none
  platform::native_handle handles[platform::most_handles_of_parcel];
};

// A message that came as memory of its own, mapped for as long as it is the next one. Guarded by the turn to receive.
struct arrived_memory {
  shm::segment segment;  // data == nullptr: there is none
  size_t size = 0;       // of the message
};

// What was sent to an end that nobody uses any more, and not taken: closed in good order. Before the stream is closed.
void channel_drop_objects(channel_object& self);

// ---- channel_object.cpp, for messages that go as memory of their own. With the turn. ------------------------------------------------

kith_status channel_send_memory(channel_object& self, const platform::memory& memory, uint64_t size,
                                const shm::patience& limits);
kith_status channel_await_room_for_memory(channel_object& self, const shm::patience& limits);
// Whether the message with an object is in truth a message that is memory.
bool channel_is_memory(const channel_object& self, const shm::frame_view& frame);
// A copy of its handle. What fails for ever takes the message away.
kith_status channel_take_memory(channel_object& self, const shm::frame_view& frame,
                                platform::native_handle& out, uint64_t& out_size);
void channel_drop_hand(channel_object& self,
                       bool is_ours);  // the parcel in hand; is_ours: it was what it should be
void channel_finish_object(channel_object& self, const shm::frame_view& frame);

// ---- channel_large.cpp ---------------------------------------------------------------------------------------------------------

bool channel_sends_as_memory(const channel_object& self, uint64_t size);
// KITH_E_NO_MEMORY, KITH_E_LIMIT, KITH_E_DENIED: nothing was done; it may go through the ring.
kith_status channel_send_as_memory(channel_object& self, const void* data, uint64_t size,
                                   const shm::patience& limits);
// Maps the message into self.arrived, unless it is there already.
kith_status channel_open_arrived(channel_object& self, const shm::frame_view& frame);
void channel_close_arrived(channel_object& self, const shm::frame_view& frame);  // it is taken
// Room that is not in the ring, in self.leaving; and sending it. Whoever ends the reservation closes self.leaving.
kith_status channel_reserve_memory(channel_object& self, uint64_t size, const shm::patience& limits);
kith_status channel_commit_memory(channel_object& self, uint64_t size, const shm::patience& limits);

}  // namespace kith
