// SPDX-License-Identifier: MIT
// Channels: messages that go as memory of their own. On the way they are messages with an object, the memory, whose kind is
// KITH_OBJECT_NONE: so the receiver need not have read one for the next to be sent, and maps it instead of copying it out of the ring.
#include <cstring>
#include <utility>

#include "channel.h"
#include "channel_object.h"

namespace kith {

namespace {

// All of it is taken from the OS now: for memory that there is not, its first use would end this process.
kith_status make_memory(uint64_t size, shm::segment& out) {
  shm::segment_plan plan{shm::segment_kind::memory};
  plan.data_size = static_cast<size_t>(size);
  plan.waited_on = false;
  return shm::segment_create(plan, out);
}

}  // namespace

bool channel_sends_as_memory(const channel_object& self, uint64_t size) {
  const uint64_t least = self.terms.large_message;
  return least != 0 && size >= least && size <= SIZE_MAX / 2 && !self.terms.shared_ends;
}

kith_status channel_send_as_memory(channel_object& self, const void* data, uint64_t size,
                                   const shm::patience& limits) {
  shm::segment made;
  kith_status status = make_memory(size, made);
  if (status != KITH_OK) return status;
  std::memcpy(made.data, data, static_cast<size_t>(size));
  status = channel_send_memory(self, made.memory, size, limits);
  shm::segment_close(made);
  return status;
}

kith_status channel_open_arrived(channel_object& self, const shm::frame_view& frame) {
  arrived_memory& arrived = self.arrived;
  if (arrived.segment.data != nullptr) return KITH_OK;
  platform::native_handle handle;
  uint64_t size = 0;
  kith_status status = channel_take_memory(self, frame, handle, size);
  if (status != KITH_OK) return status;
  shm::segment opened;
  status = shm::segment_attach(std::move(handle), shm::segment_kind::memory, opened);
  if (status == KITH_OK && (size == 0 || size > opened.data_size)) {
    shm::segment_close(opened);
    status = KITH_E_PROTOCOL;
  }
  if (status == KITH_E_NO_MEMORY || status == KITH_E_LIMIT) return status;  // the parcel is in hand still
  channel_drop_hand(self, status == KITH_OK);
  if (status != KITH_OK) {
    channel_finish_object(self, frame);
    return status;
  }
  arrived.segment = std::move(opened);
  arrived.size = static_cast<size_t>(size);
  return KITH_OK;
}

void channel_close_arrived(channel_object& self, const shm::frame_view& frame) {
  shm::segment_close(self.arrived.segment);
  self.arrived = {};
  channel_finish_object(self, frame);
}

// Room for the frame now, so that the commit need not wait for it: nobody else has the turn until then.
kith_status channel_reserve_memory(channel_object& self, uint64_t size, const shm::patience& limits) {
  if (self.terms.shared_ends || size > SIZE_MAX / 2) return KITH_E_TOO_LARGE;
  if (kith_status status = channel_await_room_for_memory(self, limits); status != KITH_OK) return status;
  return make_memory(size, self.leaving);
}

kith_status channel_commit_memory(channel_object& self, uint64_t size, const shm::patience& limits) {
  return channel_send_memory(self, self.leaving.memory, size, limits);
}

}  // namespace kith
