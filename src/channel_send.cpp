// SPDX-License-Identifier: MIT
// Channels: sending, with the turn.
#include "channel_turn.h"

namespace kith {

namespace {

// A death that was told once is told by every send from then on.
kith_status look_for_sender(channel_object& self) {
  const kith_status status = look_at_peer(self);
  self.look_at = self.sender.position + bytes_between_looks;
  if (status == KITH_OK) return KITH_OK;
  (void)shm::ring_look_at_receiver(self.sender);
  self.tail_at_look = self.sender.seen;
  self.look_at = self.sender.straight_until = 0;
  return status;
}

// A call that does not wait begins nothing that it cannot end. The receiver would throw the parts away, and the room that this makes would
// look like progress to who tries again whenever there is room.
bool fits_now(channel_object& self, uint64_t size) {
  const uint64_t needed = shm::ring_bytes_of_frame(size);
  return shm::ring_room(self.sender) >= needed ||
         (shm::ring_look_at_receiver(self.sender) && shm::ring_room(self.sender) >= needed);
}

}  // namespace

kith_status look_at_receiver(channel_object& self) {
  if (closed_by_peer(self)) return KITH_E_CLOSED;
  return channel_must_look(self) && !channel_receiver_reads(self) ? look_for_sender(self) : KITH_OK;
}

kith_status wait_for_room(channel_object& self, uint64_t needed, shm::waiter& sleep) {
  if (kith_status status = look_at_self(self); status != KITH_OK) return status;
  if (kith_status status = look_for_sender(self); status != KITH_OK) return status;
  const uint64_t now = platform::clock_now();
  if (kith_status status = sleep.must_stop(now); status != KITH_OK) return status;
  sleep_until_received(self, needed, sleep, now);
  return KITH_OK;
}

kith_status await_room(channel_object& self, uint64_t needed, const shm::patience& limits) {
  if (kith_status status = look_at_receiver(self); status != KITH_OK) return status;
  shm::waiter sleep(limits);
  return when_there_is_room(self, limits, sleep, [&](uint64_t* wanted) -> kith_status {
    *wanted = needed;
    if (shm::ring_room(self.sender) >= needed) return KITH_OK;
    if (!shm::ring_look_at_receiver(self.sender)) return KITH_E_PROTOCOL;
    return shm::ring_room(self.sender) >= needed ? KITH_OK : KITH_E_TIMEOUT;
  });
}

kith_status send_message(channel_object& self, shm::outgoing& message, const shm::patience& limits) {
  if (kith_status status = look_at_receiver(self); status != KITH_OK) return status;
  if (channel_sends_as_memory(self, message.size)) {
    const kith_status status = channel_send_as_memory(self, message.data, message.size, limits);
    const bool only_that_way =
        status == KITH_E_NO_MEMORY || status == KITH_E_LIMIT || status == KITH_E_DENIED;
    if (!only_that_way) return status;
  }
  // At a shared end whose sender may be killed in the middle, as long as that is possible.
  message.in_one_frame = self.terms.shared_ends && message.size <= self.sender.bytes.size / 2;
  shm::waiter sleep(limits);
  if (limits.until.at_ns == at_once.at_ns && !fits_now(self, message.size))
    return wait_for_room(self, shm::ring_bytes_of_frame(message.size), sleep);
  while (!message.done()) {
    const kith_status status = when_there_is_room(self, limits, sleep, [&](uint64_t* needed) {
      return shm::ring_send_frame(self.sender, message, needed);
    });
    if (status != KITH_OK) return status;
    channel_tell_receiver(self);
    sleep.begin_again();
  }
  return KITH_OK;
}

}  // namespace kith
