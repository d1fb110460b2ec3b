// SPDX-License-Identifier: MIT
// Channels: what the common paths call when they must wait, or look closer.
#include <utility>

#include "channel_reception.h"
#include "channel_turn.h"

namespace kith {

namespace {

uint64_t larger(uint64_t a, uint64_t b) { return a > b ? a : b; }

// A receiver that takes each message the moment it comes takes the cache line of the head away from the sender each time, and the two go
// on in step, at a tenth of the speed that they have with some messages between them. So where waits have brought little some times
// in a row, and we send nothing, so that nobody waits for an answer, we look away for a moment, as long as that brings more.
void let_some_come(channel_object& self) {
  constexpr uint64_t little_bytes = 512;
  constexpr int32_t suspicious = 8, hopeless = 16, rest_waits = 1'000;
  constexpr int pauses = 48;
  stream_habit& habit = self.stream_in;
  // Relaxed: we wrote it.
  const uint64_t sent = self.sender.state->head.load(std::memory_order_relaxed);
  const uint64_t brought = self.receiver.position - std::exchange(habit.received, self.receiver.position);
  if (std::exchange(habit.sent, sent) != sent) habit.little = 0;
  if (brought < little_bytes) {
    habit.little = habit.little < hopeless ? habit.little + 1 : -rest_waits;
  } else if (habit.little > suspicious) {
    habit.little = suspicious;
  }
  for (int i = 0; habit.little >= suspicious && i < pauses; ++i) platform::pause_cpu();
}

}  // namespace

// ---- what the common paths call ----------------------------------------------------------------------------------------------

bool channel_receiver_reads(channel_object& self) {
  shm::ring_side& sender = self.sender;
  if (sender.seen == self.tail_at_look &&
      (!shm::ring_look_at_receiver(sender) || sender.seen == self.tail_at_look))
    return false;
  self.tail_at_look = sender.seen;
  self.look_at = sender.position + bytes_between_looks;
  return true;
}

namespace {

// Inside the bias, when no room is known of: looks, and spins if it may. Whether there is some now.
bool find_room(channel_object& self, uint64_t size, bool may_spin) {
  if (size > shm::ring_largest_part(self.sender) || !shm::ring_look_at_receiver(self.sender)) return false;
  const uint64_t needed = sizeof(shm::frame_header) + shm::ring_padded(size);
  if (shm::ring_room(self.sender) >= needed) return true;
  // For more than is needed now: or the next message would find the ring full again, and each would wait for the receiver's last one.
  const uint64_t enough = larger(needed, self.sender.bytes.size / 8);
  if (!may_spin || self.terms.low_cpu) return false;
  (void)self.spin_to_send.spin([&] { return has_room(self, enough) || !self.send_bias.is_mine(); });
  return shm::ring_look_at_receiver(self.sender) && shm::ring_room(self.sender) >= needed;
}

// Sends a message that is one frame. KITH_E_BUSY: it takes more than that.
kith_status send_at_once(channel_object& self, const void* data, size_t size, bool may_spin) {
  // Relaxed: the other way looks again.
  if (self.theirs().closed.load(std::memory_order_relaxed) != 0) return KITH_E_BUSY;
  if (channel_must_look(self) && !channel_receiver_reads(self)) return KITH_E_BUSY;
  if (!shm::ring_send_whole(self.sender, data, size) &&
      (!find_room(self, size, may_spin) || !shm::ring_send_whole(self.sender, data, size)))
    return KITH_E_BUSY;
  const uint64_t room_end = self.sender.seen + self.sender.bytes.size;
  shm::ring_find_straight(self.sender, room_end < self.look_at ? room_end : self.look_at);
  channel_tell_receiver(self);
  return KITH_OK;
}

// Receives a message that is one frame and fits the buffer. KITH_E_BUSY: it takes more than that.
kith_status receive_at_once(channel_object& self, const destination& to, bool may_spin) {
  if (self.assembling || !self.assembly.empty()) return KITH_E_BUSY;
  if (self.receiver.seen == self.receiver.position && !channel_find_message(self, may_spin))
    return KITH_E_BUSY;
  shm::ring_prefetch(self.receiver);
  shm::frame_view frame;
  if (shm::ring_peek_frame(self.receiver, frame) != KITH_OK) return KITH_E_BUSY;
  if (frame.header.flags != shm::frame_whole || frame.header.payload > to.capacity) return KITH_E_BUSY;
  shm::ring_copy_out(self.receiver, frame, static_cast<unsigned char*>(to.buffer));
  shm::ring_consume_frame(self.receiver, frame);
  shm::ring_find_straight(self.receiver, self.receiver.seen);
  channel_tell_sender(self);
  *to.out_size = frame.header.payload;
  return KITH_OK;
}

}  // namespace

bool channel_find_message(channel_object& self, bool may_spin) {
  if (something_came(self)) return true;
  if (!may_spin || self.terms.low_cpu) return false;
  let_some_come(self);
  (void)self.spin_to_receive.spin([&] { return something_came(self) || !self.receive_bias.is_mine(); });
  return something_came(self);
}

// ---- calls that wait ---------------------------------------------------------------------------------------------------------

kith_status channel_send_inside(kith_channel* channel, channel_object& self, const void* data, size_t size,
                                int64_t timeout_ms) {
  const kith_status status = send_at_once(self, data, size, timeout_ms != 0);
  if (status == KITH_E_BUSY) return channel_send_slowly(channel, data, size, timeout_ms, &self);
  self.send_bias.leave();
  return status;
}

kith_status channel_receive_inside(kith_channel* channel, channel_object& self, void* buffer, size_t capacity,
                                   size_t* out_size, int64_t timeout_ms) {
  const kith_status status = receive_at_once(self, {buffer, capacity, out_size}, timeout_ms != 0);
  if (status == KITH_E_BUSY)
    return channel_receive_slowly(channel, buffer, capacity, out_size, timeout_ms, &self);
  self.receive_bias.leave();
  return status;
}

kith_status channel_send_slowly(kith_channel* channel, const void* data, size_t size, int64_t timeout_ms,
                                channel_object* inside) {
  // Pinned before the bias is left: a close that comes between finds either the one or the other.
  const pinned<channel_object> self(channel, object_kind::channel);
  const bool was_inside = inside != nullptr;
  if (was_inside) inside->send_bias.leave();
  if (self.status() != KITH_OK) return was_inside ? kith_status{KITH_E_CLOSED} : self.status();
  if (size > SIZE_MAX / 2) return KITH_E_TOO_LARGE;
  const call_patience limits(timeout_ms, *self, self->spinner_to_send());
  const turn mine(*self, turn::way::send, limits);
  if (mine.status() != KITH_OK) return mine.status();
  shm::outgoing message{static_cast<const unsigned char*>(data), size};
  return send_message(*self, message, limits);
}

kith_status channel_receive_slowly(kith_channel* channel, void* buffer, size_t capacity, size_t* out_size,
                                   int64_t timeout_ms, channel_object* inside) {
  // As above.
  const pinned<channel_object> self(channel, object_kind::channel);
  const bool was_inside = inside != nullptr;
  if (was_inside) inside->receive_bias.leave();
  if (self.status() != KITH_OK) return was_inside ? kith_status{KITH_E_CLOSED} : self.status();
  const call_patience limits(timeout_ms, *self, self->spinner_to_receive());
  const turn mine(*self, turn::way::receive, limits);
  return mine.status() == KITH_OK ? reception(*self, {buffer, capacity, out_size}).run(limits, was_inside)
                                  : mine.status();
}

}  // namespace kith
