// SPDX-License-Identifier: MIT
// Channels: for who waits for several things at once, or with a loop of his own. Nobody here has a turn, so all that is looked at is
// shared, or atomic.
#include "channel_turn.h"

namespace kith {

namespace {

// Hints: who then uses the channel pairs with the other side's release.
bool may_receive(const channel_object& self) {
  const shm::ring_state& ring = *self.receiver.state;
  return ring.head.load(std::memory_order_relaxed) != ring.tail.load(std::memory_order_relaxed) ||
         self.keeps_message.load(std::memory_order_relaxed);
}

bool may_send(const channel_object& self) {
  const shm::ring_state& ring = *self.sender.state;
  const uint64_t ring_size = self.sender.bytes.size;
  const uint64_t used = ring.head.load(std::memory_order_relaxed) - ring.tail.load(std::memory_order_relaxed);
  return used > ring_size || ring_size - used >= channel_room_for_pollers(self);
}

// Without a system call: all but the death of the other side.
uint32_t known_to_be_ready(channel_object& self, uint32_t events) {
  if (look_at_self(self) != KITH_OK || closed_by_peer(self)) return events;
  uint32_t ready = 0;
  if ((events & KITH_WAIT_READ) != 0 && may_receive(self)) ready |= KITH_WAIT_READ;
  if ((events & KITH_WAIT_WRITE) != 0 && may_send(self)) ready |= KITH_WAIT_WRITE;
  return ready;
}

// Whether it was down: then a heavy fence must follow. Of one that is still up the fence has been run, and nobody has rung for it since.
bool raise(std::atomic<uint64_t>& flags, uint64_t flag) {
  return (flags.fetch_or(flag, std::memory_order_relaxed) & flag) == 0;
}

void take_down(std::atomic<uint64_t>& flags, uint64_t flag) {
  if ((flags.load(std::memory_order_relaxed) & flag) != 0)
    (void)flags.fetch_and(~flag, std::memory_order_relaxed);
}

}  // namespace

uint32_t channel_ready(channel_object& self, uint32_t events) {
  if (const uint32_t ready = known_to_be_ready(self, events); ready != 0) return ready;
  const stream_looker look(self);
  if (!look.may()) return events;
  return platform::stream_look(self.stream) == platform::stream_state::ended ? events : 0;
}

uint32_t channel_hint(channel_object& self, uint32_t events) { return known_to_be_ready(self, events); }

// The rings are taken back before the flags are raised: whoever took a flag down since has rung, or will.
kith_status channel_raise(channel_object& self, uint32_t events, bool rung, bool& fence) {
  if (rung) {
    const stream_looker look(self);
    if (!look.may()) return KITH_E_BUSY;
    if (const kith_status status = platform::stream_arm(self.stream); status != KITH_OK) return status;
  }
  if ((events & KITH_WAIT_READ) != 0) fence |= raise(self.receiver.state->receiver_asleep, shm::poller_flag);
  if ((events & KITH_WAIT_WRITE) != 0) fence |= raise(self.sender.state->sender_needs, shm::poller_of_room);
  return KITH_OK;
}

// Where several pollers share an end one may take back the ring of another, or its flag: that one finds out when it looks by itself.
kith_status channel_arm(channel_object& self, uint32_t events) {
  if (channel_ready(self, events) != 0) return KITH_E_BUSY;
  bool fence = false;
  if (const kith_status status = channel_raise(self, events, true, fence); status != KITH_OK) return status;
  if (fence)
    platform::heavy_fence();  // pairs with the light ones in channel_tell_receiver, channel_tell_sender
  if (known_to_be_ready(self, events) == 0) return KITH_OK;
  channel_disarm(self);
  return KITH_E_BUSY;
}

void channel_disarm(channel_object& self) {
  take_down(self.receiver.state->receiver_asleep, shm::poller_flag);
  take_down(self.sender.state->sender_needs, shm::poller_of_room);
}

}  // namespace kith
