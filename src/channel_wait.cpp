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
  self.sends_unread = 0;
  return true;
}

bool channel_find_room(channel_object& self, uint64_t size, bool may_spin) {
  if (size > shm::ring_largest_part(self.sender) || !shm::ring_look_at_receiver(self.sender)) return false;
  const uint64_t needed = sizeof(shm::frame_header) + shm::ring_padded(size);
  if (shm::ring_room(self.sender) >= needed) return true;
  // For more than is needed now: or the next message would find the ring full again, and each would wait for the receiver's last one.
  const uint64_t enough = larger(needed, self.sender.bytes.size / 8);
  if (!may_spin || self.terms.low_cpu) return false;
  (void)self.spin_to_send.spin([&] { return has_room(self, enough) || !self.send_bias.is_mine(); });
  return shm::ring_look_at_receiver(self.sender) && shm::ring_room(self.sender) >= needed;
}

bool channel_find_message(channel_object& self, bool may_spin) {
  if (something_came(self)) return true;
  if (!may_spin || self.terms.low_cpu) return false;
  let_some_come(self);
  (void)self.spin_to_receive.spin([&] { return something_came(self) || !self.receive_bias.is_mine(); });
  return something_came(self);
}

// ---- calls that wait ---------------------------------------------------------------------------------------------------------

kith_status channel_send_slowly(kith_channel* channel, shm::outgoing message, int64_t timeout_ms,
                                channel_object* inside) {
  // Pinned before the bias is left: a close that comes between finds either the one or the other.
  const pinned<channel_object> self(channel, object_kind::channel);
  const bool was_inside = inside != nullptr;
  if (was_inside) inside->send_bias.leave();
  if (self.status() != KITH_OK) return was_inside ? kith_status{KITH_E_CLOSED} : self.status();
  if (message.size > SIZE_MAX / 2) return KITH_E_TOO_LARGE;
  const call_patience limits(timeout_ms, *self, self->spinner_to_send());
  const turn mine(*self, turn::way::send, limits);
  return mine.status() == KITH_OK ? send_message(*self, message, limits) : mine.status();
}

kith_status channel_receive_slowly(kith_channel* channel, destination to, int64_t timeout_ms,
                                   channel_object* inside) {
  // As above.
  const pinned<channel_object> self(channel, object_kind::channel);
  const bool was_inside = inside != nullptr;
  if (was_inside) inside->receive_bias.leave();
  if (self.status() != KITH_OK) return was_inside ? kith_status{KITH_E_CLOSED} : self.status();
  const call_patience limits(timeout_ms, *self, self->spinner_to_receive());
  const turn mine(*self, turn::way::receive, limits);
  return mine.status() == KITH_OK ? reception(*self, to).run(limits, was_inside) : mine.status();
}

}  // namespace kith
