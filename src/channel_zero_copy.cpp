// SPDX-License-Identifier: MIT
// Channels: messages that are written and read where they lie in the ring. The turn is kept between the two calls, by the real lock: other
// threads then wait for it with their deadlines.
//
// Nothing of a reservation is in shared memory but the lock, so a process that is killed with one has sent nothing; a message that is shown
// is taken when it is consumed, so one that is killed before leaves it to the next holder of a shared end.
#include "channel_reception.h"
#include "channel_turn.h"

namespace kith {

namespace {

// A larger copy is not kept for the next one.
constexpr size_t largest_copy_to_keep = size_t{1} << 20;

// ---- sending -------------------------------------------------------------------------------------------------------------------------

// Waits for room in one piece.
kith_status find_place(channel_object& self, uint64_t size, const shm::patience& limits) {
  if (kith_status status = look_at_receiver(self); status != KITH_OK) return status;
  shm::waiter sleep(limits);
  return when_there_is_room(self, limits, sleep, [&](uint64_t* needed) {
    bool published = false;
    const kith_status status = shm::ring_reserve(self.sender, size, self.reserved, needed, published);
    if (published) channel_tell_receiver(self);
    return status;
  });
}

void* place_of_reserved(const channel_object& self) {
  return self.sender.bytes.bytes + (self.reserved.position & (self.sender.bytes.size - 1));
}

// What would make the message one that nobody receives.
kith_status look_before_commit(channel_object& self) {
  if (const kith_status status = look_at_self(self); status != KITH_OK) return status;
  return closed_by_peer(self) ? KITH_E_CLOSED : KITH_OK;
}

kith_status send_reserved(channel_object& self, size_t size) {
  if (self.leaving.data == nullptr) {
    shm::ring_commit(self.sender, self.reserved, size);
  } else if (size != 0) {
    const call_patience limits(KITH_FOREVER, self);
    return channel_commit_memory(self, size, limits);
  } else {
    (void)shm::ring_send_whole(self.sender, "", 0);  // there is the room of a frame
  }
  channel_tell_receiver(self);
  return KITH_OK;
}

// What was reserved is sent, or given up.
void end_reservation(channel_object& self) {
  shm::segment_close(self.leaving);
  turn::end_kept(self, turn::way::send);
}

kith_status commit(channel_object& self, size_t size) {
  if (!turn::is_kept(self, turn::way::send)) return KITH_E_NOT_OWNER;
  if (size > self.reserved.size) return KITH_E_TOO_LARGE;
  kith_status status = look_before_commit(self);
  if (status == KITH_OK) status = send_reserved(self, size);
  end_reservation(self);
  return status;
}

// ---- receiving -----------------------------------------------------------------------------------------------------------------------

// Where the message that is shown lies in one piece: where it is, or a copy in the memory of the assembly, which is not in use then. nullptr:
// no memory.
const void* place_of_shown(channel_object& self) {
  if (self.shown.assembled) return self.assembly.data();
  if (self.arrived.segment.data != nullptr) return self.arrived.segment.data;
  const shm::byte_ring& bytes = self.receiver.bytes;
  const shm::frame_view& frame = self.shown.frame;
  const uint64_t at = frame.position & (bytes.size - 1);
  if (frame.header.payload <= bytes.size - at) return bytes.bytes + at;
  unsigned char* const copy = self.assembly.resize(frame.header.payload) ? self.assembly.data() : nullptr;
  if (copy == nullptr) return nullptr;
  self.shown.copied = true;
  shm::ring_copy_out(self.receiver, frame, copy);
  return copy;
}

kith_status show(channel_object& self, const void** out_data, size_t* out_size, const shm::patience& limits) {
  size_t size = 0;
  const destination nowhere{nullptr, 0, &size};
  reception next(self, nowhere);
  next.show_only();
  if (const kith_status status = next.run(limits, false); status != KITH_OK) return status;
  const void* const place = place_of_shown(self);
  if (place == nullptr) return KITH_E_NO_MEMORY;
  *out_data = place;
  *out_size = size;
  return KITH_OK;
}

void forget_copy(channel_object& self) {
  if (!self.shown.copied) return;
  if (self.shown.frame.header.payload > largest_copy_to_keep) {
    self.assembly.reset();
  } else {
    self.assembly.clear();
  }
}

void consume(channel_object& self) {
  if (self.shown.assembled) {
    forget_assembly(self);
    self.keeps_message.store(false, std::memory_order_relaxed);
    return;
  }
  if (self.arrived.segment.data != nullptr) return channel_close_arrived(self, self.shown.frame);
  forget_copy(self);
  shm::ring_consume_frame(self.receiver, self.shown.frame);
  channel_tell_sender(self);
}

}  // namespace

}  // namespace kith

using namespace kith;

kith_status kith_channel_reserve(kith_channel* channel, size_t size, void** out_data, int64_t timeout_ms) {
  if (out_data == nullptr || !timeout_is_valid(timeout_ms)) return KITH_E_INVALID;
  const pinned<channel_object> self(channel, object_kind::channel);
  if (self.status() != KITH_OK) return self.status();
  const call_patience limits(timeout_ms, *self, self->spinner_to_send());
  turn mine(*self, turn::way::send, limits);
  if (mine.status() != KITH_OK) return mine.status();
  if (size > self->sender.bytes.size / 2) {
    const kith_status status = channel_reserve_memory(*self, size, limits);
    if (status != KITH_OK) return status;
    self->reserved = {0, size, 0};
    mine.keep();
    *out_data = self->leaving.data;
    return KITH_OK;
  }
  if (const kith_status status = find_place(*self, size, limits); status != KITH_OK) return status;
  mine.keep();
  *out_data = place_of_reserved(*self);
  return KITH_OK;
}

kith_status kith_channel_commit(kith_channel* channel, size_t size) {
  const pinned<channel_object> self(channel, object_kind::channel);
  return self.status() == KITH_OK ? commit(*self, size) : self.status();
}

kith_status kith_channel_abort(kith_channel* channel) {
  const pinned<channel_object> self(channel, object_kind::channel);
  if (self.status() != KITH_OK) return self.status();
  if (!turn::is_kept(*self, turn::way::send)) return KITH_E_NOT_OWNER;
  end_reservation(*self);
  return KITH_OK;
}

kith_status kith_channel_peek(kith_channel* channel, const void** out_data, size_t* out_size,
                              int64_t timeout_ms) {
  if (out_data == nullptr || out_size == nullptr || !timeout_is_valid(timeout_ms)) return KITH_E_INVALID;
  const pinned<channel_object> self(channel, object_kind::channel);
  if (self.status() != KITH_OK) return self.status();
  const call_patience limits(timeout_ms, *self, self->spinner_to_receive());
  turn mine(*self, turn::way::receive, limits);
  if (mine.status() != KITH_OK) return mine.status();
  if (const kith_status status = show(*self, out_data, out_size, limits); status != KITH_OK) return status;
  mine.keep();
  return KITH_OK;
}

kith_status kith_channel_consume(kith_channel* channel) {
  const pinned<channel_object> self(channel, object_kind::channel);
  if (self.status() != KITH_OK) return self.status();
  if (!turn::is_kept(*self, turn::way::receive)) return KITH_E_NOT_OWNER;
  consume(*self);
  turn::end_kept(*self, turn::way::receive);
  return KITH_OK;
}

kith_status kith_channel_release(kith_channel* channel) {
  const pinned<channel_object> self(channel, object_kind::channel);
  if (self.status() != KITH_OK) return self.status();
  if (!turn::is_kept(*self, turn::way::receive)) return KITH_E_NOT_OWNER;
  forget_copy(*self);
  turn::end_kept(*self, turn::way::receive);
  return KITH_OK;
}
