// SPDX-License-Identifier: MIT
// Channels: what waits, looks whether the other side is there, or takes a message apart.
//
// Who finds nothing to do raises a flag for the other side (receiver_asleep, sender_needs), looks again, and sleeps on that flag; the other
// side moves its position, then looks at the flag. Both have a fence between, the heavy one on the side of the sleeper, so one of the two
// sees the other. Sleepers sleep on the flag, not on the position: the side that has read it may be slow to take it down. Only the
// holder of the turn sleeps, so there is one sleeper to a flag, and it may take it down itself.
//
// A close wakes without moving a position. A death does not wake at all: it is seen after a slice at the latest.
#include <cstring>
#include <utility>

#include "channel.h"
#include "waiting.h"

namespace kith {

namespace {

// By which the buffer for a large message grows ahead of its bytes, and how much of it is kept for the next one.
constexpr size_t largest_step = size_t{1} << 20;

uint64_t larger(uint64_t a, uint64_t b) { return a > b ? a : b; }

// ---- sleeping ----------------------------------------------------------------------------------------------------------------

// Hints, for who spins; whoever then looks into the ring pairs with the other side's release.
bool something_came(const channel_object& self) {
  return self.receiver.state->head.load(std::memory_order_relaxed) != self.receiver.position;
}

bool has_room(const channel_object& self, uint64_t needed) {
  const uint64_t used = self.sender.position - self.sender.state->tail.load(std::memory_order_relaxed);
  return used <= self.sender.bytes.size && self.sender.bytes.size - used >= needed;
}

// After the heavy fence of a sleeper; pairs with the fence in channel_wake_all.
bool is_closing(channel_object& self) {
  return self.closed.load(std::memory_order_seq_cst) ||
         self.theirs().closed.load(std::memory_order_relaxed) != 0;
}

// Saves the other side a needless wake.
void take_down(std::atomic<uint64_t>& flag) {
  if (flag.load(std::memory_order_relaxed) != 0) flag.store(0, std::memory_order_relaxed);
}

void sleep_until_sent(channel_object& self, shm::waiter& sleep, uint64_t now) {
  std::atomic<uint64_t>& asleep = self.receiver.state->receiver_asleep;
  asleep.store(1, std::memory_order_relaxed);
  platform::heavy_fence();  // pairs with the light one after a send
  if (!something_came(self) && !is_closing(self)) sleep.sleep(self.segment.waiting, asleep, 1, {}, now);
  take_down(asleep);
}

// A sender that were woken for each little message would sleep again after each: it is woken when a quarter of the ring is free. A
// receiver that stops reading before that leaves it to the slice.
void sleep_until_received(channel_object& self, uint64_t needed, shm::waiter& sleep, uint64_t now) {
  std::atomic<uint64_t>& needs = self.sender.state->sender_needs;
  const uint64_t enough = larger(needed, self.sender.bytes.size / 4);
  needs.store(enough, std::memory_order_relaxed);
  platform::heavy_fence();  // pairs with the light one after a receive
  if (!has_room(self, enough) && !is_closing(self)) sleep.sleep(self.segment.waiting, needs, enough, {}, now);
  take_down(needs);
}

// ---- the other end -----------------------------------------------------------------------------------------------------------

bool closed_by_peer(channel_object& self) {
  // Acquire, with the release in begin_close: what was sent before the close is in the ring when we look there again.
  return self.theirs().closed.load(std::memory_order_acquire) != 0;
}

// KITH_OK: the other holder is there. A system call.
kith_status look_at_peer(channel_object& self) {
  if (closed_by_peer(self)) return KITH_E_CLOSED;
  switch (platform::stream_look(self.stream)) {
    case platform::stream_state::open: return KITH_OK;
    case platform::stream_state::has_data: return KITH_E_PROTOCOL;  // nobody writes to it in this version
    case platform::stream_state::ended: break;
  }
  // It may have closed in good order between the two looks: it raises its flag before it ends its stream.
  return closed_by_peer(self) ? KITH_E_CLOSED : KITH_E_PEER_DIED;
}

kith_status look_at_self(const channel_object& self) {
  if (self.closed.load(std::memory_order_seq_cst)) return KITH_E_CLOSED;
  return self.moved.load(std::memory_order_acquire) ? KITH_E_MOVED : KITH_OK;
}

// Threads of the holder take turns at an end. A thread can only have died together with the process, so nothing is to be repaired.
class turn {
 public:
  turn(channel_object& self, shm::lock_state& lock, bias& favourite, const shm::patience& limits)
      : self_(self), lock_(lock), favourite_(favourite) {
    // First: once the end has moved, its new holder may have the lock for as long as it likes.
    if (status_ = look_at_self(self); status_ != KITH_OK) return;
    status_ = shm::lock_acquire(lock_, self.segment.waiting, limits);
    if (status_ == KITH_OWNER_DIED) status_ = shm::lock_mark_consistent(lock_);
    // No thread of ours ever comes here with the lock in its hands: somebody else has written to it.
    if (status_ == KITH_E_DEADLOCK || status_ == KITH_E_LIMIT || status_ == KITH_E_NOT_OWNER)
      status_ = KITH_E_PROTOCOL;
    taken_ = status_ == KITH_OK;
    if (taken_) status_ = look_at_self(self);
    if (status_ == KITH_OK && !favourite.is_mine()) favourite.dismiss([&] { channel_nap(self); });
  }
  ~turn() {
    // Of an end that has moved nobody becomes the favourite.
    if (status_ == KITH_OK) favourite_.end_turn();
    if (taken_) (void)shm::lock_release(lock_, self_.segment.waiting);
  }
  turn(const turn&) = delete;
  turn& operator=(const turn&) = delete;
  kith_status status() const { return status_; }

 private:
  channel_object& self_;
  shm::lock_state& lock_;
  bias& favourite_;
  kith_status status_ = KITH_OK;
  bool taken_ = false;
};

// ---- sending -----------------------------------------------------------------------------------------------------------------

// A death that was told once is told by every send from then on.
kith_status look_for_sender(channel_object& self) {
  const kith_status status = look_at_peer(self);
  self.sends_unread = 0;
  if (status == KITH_OK) return KITH_OK;
  (void)shm::ring_look_at_receiver(self.sender);
  self.tail_at_look = self.sender.seen;
  self.sends_unread = sends_between_looks;
  return status;
}

kith_status look_at_receiver(channel_object& self) {
  if (closed_by_peer(self)) return KITH_E_CLOSED;
  const bool is_time = ++self.sends_unread >= sends_between_looks;
  return is_time && !channel_receiver_reads(self) ? look_for_sender(self) : KITH_OK;
}

kith_status wait_for_room(channel_object& self, uint64_t needed, shm::waiter& sleep) {
  if (kith_status status = look_at_self(self); status != KITH_OK) return status;
  if (kith_status status = look_for_sender(self); status != KITH_OK) return status;
  const uint64_t now = platform::clock_now();
  if (kith_status status = sleep.must_stop(now); status != KITH_OK) return status;
  sleep_until_received(self, needed, sleep, now);
  return KITH_OK;
}

kith_status send(channel_object& self, shm::outgoing& message, const shm::patience& limits) {
  if (kith_status status = look_at_receiver(self); status != KITH_OK) return status;
  shm::waiter sleep(limits);
  bool may_spin = true;  // once for each wait
  while (!message.done()) {
    uint64_t needed = 0;
    kith_status status = shm::ring_send_frame(self.sender, message, &needed);
    if (status == KITH_OK) {
      platform::light_fence();  // pairs with the heavy one in sleep_until_sent
      if (self.sender.state->receiver_asleep.load(std::memory_order_relaxed) != 0)
        channel_wake_receiver(self);
      sleep.begin_again();
      may_spin = true;
    } else if (status == KITH_E_TIMEOUT) {
      const bool came =
          std::exchange(may_spin, false) && limits.spin_for([&] { return has_room(self, needed); });
      status = came ? KITH_OK : wait_for_room(self, needed, sleep);
    }
    if (status != KITH_OK) return status;
  }
  return KITH_OK;
}

// ---- receiving ---------------------------------------------------------------------------------------------------------------

// One receive. The parts of a message that fits go into the caller's buffer at once; if the call ends before the last one has come, what
// there is moves to the assembly, where room for it was reserved before the first was taken.
class reception {
 public:
  reception(channel_object& self, const destination& to) : self_(self), to_(to) {}
  // `has_spun`: the caller has waited a little already.
  kith_status run(const shm::patience& limits, bool has_spun);

 private:
  kith_status take_what_is_there();
  kith_status take_whole(const shm::frame_view& frame);
  kith_status take_part(const shm::frame_view& frame);
  kith_status take_assembled();
  bool part_is_sound(const shm::frame_header& header) const;
  unsigned char* place_of(const shm::frame_header& header);
  void consume(const shm::frame_view& frame);
  void forget_parts();
  void keep_parts();
  kith_status look_around();

  channel_object& self_;
  const destination& to_;
  bool direct_ = false;  // the parts go into the caller's buffer
  bool done_ = false;
};

bool is_first(const shm::frame_header& header) { return (header.flags & shm::frame_first) != 0; }
bool is_last(const shm::frame_header& header) { return (header.flags & shm::frame_last) != 0; }

void reception::consume(const shm::frame_view& frame) {
  shm::ring_consume_frame(self_.receiver, frame);
  platform::light_fence();  // pairs with the heavy one in sleep_until_received
  if (self_.receiver.state->sender_needs.load(std::memory_order_relaxed) != 0) channel_wake_sender(self_);
}

kith_status reception::take_whole(const shm::frame_view& frame) {
  *to_.out_size = frame.header.payload;
  if (frame.header.payload > to_.capacity) return KITH_E_TOO_LARGE;
  shm::ring_copy_out(self_.receiver, frame, static_cast<unsigned char*>(to_.buffer));
  consume(frame);
  done_ = true;
  return KITH_OK;
}

bool reception::part_is_sound(const shm::frame_header& header) const {
  const bool first = is_first(header);
  if (!first && !self_.assembling) return false;
  const uint64_t before = first ? 0 : self_.assembly_got;
  if (!first && header.total != self_.assembly_total) return false;
  if (header.total > SIZE_MAX / 2 || header.payload > header.total - before) return false;
  return is_last(header) == (before + header.payload == header.total);
}

// Where a part is to be copied; nullptr: no memory. Of the assembly, the size is what the sender says: memory is taken in steps as bytes
// really come, or at once where it is little.
unsigned char* reception::place_of(const shm::frame_header& header) {
  const size_t before = is_first(header) ? 0 : static_cast<size_t>(self_.assembly_got);
  const size_t total = static_cast<size_t>(header.total), known = before + header.payload;
  if (is_first(header)) direct_ = total <= to_.capacity && self_.assembly.reserve(total);
  if (direct_) return static_cast<unsigned char*>(to_.buffer) + before;
  if (!self_.assembly.reserve(total - known < largest_step ? total : known)) return nullptr;
  (void)self_.assembly.resize(known);
  return self_.assembly.data() + before;
}

// A frame that is a part of a larger message. KITH_E_NO_MEMORY: it stays in the ring.
kith_status reception::take_part(const shm::frame_view& frame) {
  if (!part_is_sound(frame.header)) return KITH_E_PROTOCOL;
  unsigned char* const place = place_of(frame.header);
  if (place == nullptr) return KITH_E_NO_MEMORY;
  shm::ring_copy_out(self_.receiver, frame, place);
  self_.assembly_total = frame.header.total;
  self_.assembly_got = (is_first(frame.header) ? 0 : self_.assembly_got) + frame.header.payload;
  self_.assembling = !is_last(frame.header);
  consume(frame);
  if (self_.assembling || !direct_) return KITH_OK;
  *to_.out_size = static_cast<size_t>(self_.assembly_total);
  done_ = true;
  forget_parts();
  return KITH_OK;
}

void reception::forget_parts() {
  self_.assembling = direct_ = false;
  if (self_.assembly_total > largest_step) {
    self_.assembly.reset();
  } else {
    self_.assembly.clear();
  }
}

void reception::keep_parts() {
  if (!direct_ || !self_.assembling) return;
  const size_t got = static_cast<size_t>(self_.assembly_got);
  (void)self_.assembly.resize(got);  // it was reserved
  std::memcpy(self_.assembly.data(), to_.buffer, got);
  direct_ = false;
}

kith_status reception::take_assembled() {
  *to_.out_size = self_.assembly.size();
  if (self_.assembly.size() > to_.capacity) return KITH_E_TOO_LARGE;
  std::memcpy(to_.buffer, self_.assembly.data(), self_.assembly.size());
  done_ = true;
  forget_parts();
  return KITH_OK;
}

// KITH_E_TIMEOUT: no whole message yet.
kith_status reception::take_what_is_there() {
  kith_status status = KITH_OK;
  while (!done_ && status == KITH_OK) {
    if (!self_.assembling && !self_.assembly.empty()) return take_assembled();
    shm::frame_view frame;
    if (status = shm::ring_peek_frame(self_.receiver, frame); status != KITH_OK) return status;
    // Its sender gave up the message that we have a part of.
    if (is_first(frame.header) && self_.assembling) forget_parts();
    const bool whole = is_first(frame.header) && is_last(frame.header);
    status = whole ? take_whole(frame) : take_part(frame);
  }
  return status;
}

kith_status reception::look_around() {
  if (kith_status status = look_at_self(self_); status != KITH_OK) return status;
  const kith_status status = look_at_peer(self_);
  if (status == KITH_OK) return KITH_OK;
  // It may have sent between our look into the ring and the one at it: what was sent comes before the end.
  const kith_status late = take_what_is_there();
  return late == KITH_E_TIMEOUT ? status : late;
}

kith_status reception::run(const shm::patience& limits, bool has_spun) {
  constexpr uint64_t nowhere = 1;  // no position is odd
  shm::waiter sleep(limits);
  uint64_t spun_at = has_spun && !something_came(self_) ? self_.receiver.position : nowhere;
  kith_status status = KITH_OK;
  while (!done_ && status == KITH_OK) {
    status = take_what_is_there();
    if (status != KITH_E_TIMEOUT) break;
    // Once at each place: after a slice without a message it would burn the core for nothing.
    const bool may_spin = std::exchange(spun_at, self_.receiver.position) != self_.receiver.position;
    if (may_spin && limits.spin_for([&] { return something_came(self_); })) {
      status = KITH_OK;
      continue;
    }
    status = look_around();
    if (done_ || status != KITH_OK) break;
    const uint64_t now = platform::clock_now();
    if (status = sleep.must_stop(now); status != KITH_OK) break;
    sleep_until_sent(self_, sleep, now);
  }
  keep_parts();
  return status;
}

// ---- waiting a little --------------------------------------------------------------------------------------------------------

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
  if (!may_spin) return false;
  (void)self.spin_to_send.spin([&] { return has_room(self, enough) || !self.send_bias.is_mine(); });
  return shm::ring_look_at_receiver(self.sender) && shm::ring_room(self.sender) >= needed;
}

bool channel_find_message(channel_object& self, bool may_spin) {
  if (something_came(self)) return true;
  if (!may_spin) return false;
  let_some_come(self);
  (void)self.spin_to_receive.spin([&] { return something_came(self) || !self.receive_bias.is_mine(); });
  return something_came(self);
}

void channel_wake_receiver(channel_object& self) {
  shm::ring_state& ring = *self.sender.state;
  ring.receiver_asleep.store(0, std::memory_order_seq_cst);
  platform::wake(self.segment.waiting, ring.receiver_asleep, UINT32_MAX);
}

void channel_wake_sender(channel_object& self) {
  shm::ring_state& ring = *self.receiver.state;
  const uint64_t needs = ring.sender_needs.load(std::memory_order_relaxed);
  const uint64_t used = ring.head.load(std::memory_order_relaxed) - self.receiver.position;
  if (used <= self.receiver.bytes.size && self.receiver.bytes.size - used < needs) return;
  ring.sender_needs.store(0, std::memory_order_seq_cst);
  platform::wake(self.segment.waiting, ring.sender_needs, UINT32_MAX);
}

void channel_wake_all(channel_object& self) {
  // Pairs with the heavy ones of the sleepers: whoever does not see that the end is closed has raised its flag before, and is woken.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  for (shm::ring_state& ring : self.state().rings) {
    for (std::atomic<uint64_t>* flag : {&ring.receiver_asleep, &ring.sender_needs}) {
      flag->store(0, std::memory_order_seq_cst);
      platform::wake(self.segment.waiting, *flag, UINT32_MAX);
    }
  }
}

void channel_nap(channel_object& self) {
  platform::long_sleep memory;
  // On a word that nobody wakes but a close.
  (void)platform::wait(self.segment.waiting, self.mine().closed,
                       self.mine().closed.load(std::memory_order_relaxed),
                       deadline_after(platform::clock_now(), ns_per_ms), {}, memory);
  platform::long_sleep_end(memory);
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
  const call_patience limits(timeout_ms, *self, &self->spin_to_send);
  const turn mine(*self, self->mine().sending, self->send_bias, limits);
  return mine.status() == KITH_OK ? send(*self, message, limits) : mine.status();
}

kith_status channel_receive_slowly(kith_channel* channel, destination to, int64_t timeout_ms,
                                   channel_object* inside) {
  // As above.
  const pinned<channel_object> self(channel, object_kind::channel);
  const bool was_inside = inside != nullptr;
  if (was_inside) inside->receive_bias.leave();
  if (self.status() != KITH_OK) return was_inside ? kith_status{KITH_E_CLOSED} : self.status();
  const call_patience limits(timeout_ms, *self, &self->spin_to_receive);
  const turn mine(*self, self->mine().receiving, self->receive_bias, limits);
  return mine.status() == KITH_OK ? reception(*self, to).run(limits, was_inside) : mine.status();
}

}  // namespace kith
