// SPDX-License-Identifier: MIT
// Channels: how those who wait are told.
//
// Who finds nothing to do raises a flag for the other side (receiver_asleep, sender_needs), looks again, and sleeps on that flag; the other
// side moves its position, then looks at the flag. Both have a fence between, the heavy one on the side of the sleeper, so one of the two
// sees the other. Sleepers sleep on the flag, not on the position: the side that has read it may be slow to take it down. Only the
// holder of the turn sleeps, so there is one sleeper to a flag, and it may take its own bit down itself.
//
// A close wakes without moving a position; only where a flag is up, as whoever took it down is about to wake, or a thread of ours sleeps.
// A death does not wake: it is seen at once where the OS lets a sleeper watch the stream, and otherwise after a slice. With it is seen what
// a sender did that was killed before it could wake us. Shared ends have several senders, and the stream ends with the last of them, so it
// tells too little.
#include "channel_turn.h"

namespace kith {

namespace {

// After the heavy fence of a sleeper; pairs with the fence in channel_wake_all.
bool is_closing(channel_object& self) {
  return self.closed.load(std::memory_order_seq_cst) ||
         self.theirs().closed.load(std::memory_order_relaxed) != 0;
}

// Saves the other side a needless wake. What a poller has raised stays.
void take_down(std::atomic<uint64_t>& flags, uint64_t pollers) {
  if ((flags.load(std::memory_order_relaxed) & ~pollers) != 0)
    (void)flags.fetch_and(pollers, std::memory_order_relaxed);
}

// Takes all flags down. Whether a poller had raised one. Whether threads of ours sleep we know ourselves: the other side may write to the flag.
bool wake_all(channel_object& self, std::atomic<uint64_t>& flags, uint64_t pollers, bool is_slept_on) {
  const uint64_t seen = flags.exchange(0, std::memory_order_seq_cst);
  if ((seen & ~pollers) != 0 || is_slept_on) platform::wake(self.segment.waiting, flags, UINT32_MAX);
  return (seen & pollers) != 0;
}

// For as long as a thread sleeps, or is about to. The heavy fence of the sleeper comes after it.
class counted_sleeper {
 public:
  explicit counted_sleeper(channel_object& self) : count_(self.sleepers) {
    (void)count_.fetch_add(1, std::memory_order_relaxed);
  }
  ~counted_sleeper() { (void)count_.fetch_sub(1, std::memory_order_relaxed); }
  counted_sleeper(const counted_sleeper&) = delete;
  counted_sleeper& operator=(const counted_sleeper&) = delete;

 private:
  std::atomic<uint32_t>& count_;
};

}  // namespace

void sleep_until_sent(channel_object& self, shm::waiter& sleep, uint64_t now) {
  if (!self.terms.shared_ends) sleep.watch_end_of(self.stream);
  const counted_sleeper counted(self);
  std::atomic<uint64_t>& asleep = self.receiver.state->receiver_asleep;
  const uint64_t raised = asleep.fetch_or(shm::sleeper_flag, std::memory_order_relaxed) | shm::sleeper_flag;
  platform::heavy_fence();  // pairs with the light one in channel_tell_receiver
  if (!something_came(self) && !is_closing(self)) sleep.sleep(self.segment.waiting, asleep, raised, {}, now);
  take_down(asleep, shm::poller_flag);
}

// A sender that were woken for each little message would sleep again after each: it is woken when a quarter of the ring is free. A
// receiver that stops reading before that leaves it to the slice: so it does not watch the stream, which would make that a second.
void sleep_until_received(channel_object& self, uint64_t needed, shm::waiter& sleep, uint64_t now) {
  const counted_sleeper counted(self);
  std::atomic<uint64_t>& needs = self.sender.state->sender_needs;
  const uint64_t quarter = self.sender.bytes.size / 4;
  const uint64_t enough = needed > quarter ? needed : quarter;
  uint64_t before = needs.load(std::memory_order_relaxed);
  while (!needs.compare_exchange_weak(before, (before & shm::poller_of_room) | enough,
                                      std::memory_order_relaxed)) {
  }
  const uint64_t raised = (before & shm::poller_of_room) | enough;
  platform::heavy_fence();  // pairs with the light one in channel_tell_sender
  if (!has_room(self, enough) && !is_closing(self)) sleep.sleep(self.segment.waiting, needs, raised, {}, now);
  take_down(needs, shm::poller_of_room);
}

void channel_wake_receiver(channel_object& self) {
  std::atomic<uint64_t>& asleep = self.sender.state->receiver_asleep;
  const uint64_t seen = asleep.exchange(0, std::memory_order_seq_cst);
  if ((seen & shm::sleeper_flag) != 0) platform::wake(self.segment.waiting, asleep, UINT32_MAX);
  if ((seen & shm::poller_flag) != 0) platform::stream_ring(self.stream);
}

void channel_wake_sender(channel_object& self) {
  shm::ring_state& ring = *self.receiver.state;
  const uint64_t ring_size = self.receiver.bytes.size;
  const uint64_t seen = ring.sender_needs.load(std::memory_order_relaxed);
  const uint64_t used = ring.head.load(std::memory_order_relaxed) - self.receiver.position;
  const uint64_t room = used <= ring_size ? ring_size - used : ring_size;
  const uint64_t needs = seen & ~shm::poller_of_room;
  if (needs != 0 && room >= needs) {
    const uint64_t taken = ring.sender_needs.exchange(0, std::memory_order_seq_cst);
    platform::wake(self.segment.waiting, ring.sender_needs, UINT32_MAX);
    if ((taken & shm::poller_of_room) != 0) platform::stream_ring(self.stream);
  } else if ((seen & shm::poller_of_room) != 0 && room >= channel_room_for_pollers(self)) {
    const uint64_t taken = ring.sender_needs.fetch_and(~shm::poller_of_room, std::memory_order_seq_cst);
    if ((taken & shm::poller_of_room) != 0) platform::stream_ring(self.stream);
  }
}

kith_status channel_wake_receiver_and_leave(channel_object& self, bias::seat& seat) {
  channel_wake_receiver(self);
  seat.leave();
  return KITH_OK;
}

kith_status channel_wake_sender_and_leave(channel_object& self, bias::seat& seat) {
  channel_wake_sender(self);
  seat.leave();
  return KITH_OK;
}

void channel_wake_all(channel_object& self) {
  // Pairs with the heavy ones of the sleepers: whoever does not see that the end is closed has raised its flag before, and is woken.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  // Relaxed: after the fence, as the flags are. One that was counted down since is awake.
  const bool we_sleep = self.sleepers.load(std::memory_order_relaxed) != 0;
  (void)wake_all(self, self.receiver.state->receiver_asleep, shm::poller_flag, we_sleep);
  (void)wake_all(self, self.sender.state->sender_needs, shm::poller_of_room, we_sleep);
  // The stream rings on the other side, where they wait for what this one sends, and for room to send to it.
  const bool for_messages = wake_all(self, self.sender.state->receiver_asleep, shm::poller_flag, false);
  const bool for_room = wake_all(self, self.receiver.state->sender_needs, shm::poller_of_room, false);
  const stream_looker look(self);
  if ((for_messages || for_room) && look.may()) platform::stream_ring(self.stream);
}

void channel_nap(channel_object& self) {
  platform::long_sleep memory;
  // On a word that nobody wakes but a close.
  (void)platform::wait(self.segment.waiting, self.mine().closed,
                       self.mine().closed.load(std::memory_order_relaxed),
                       deadline_after(platform::clock_now(), ns_per_ms), {}, memory);
  platform::long_sleep_end(memory);
}

}  // namespace kith
