// SPDX-License-Identifier: MIT
// Channels: messages with an object.
//
// The message is one frame, which begins with a record; the handles go beside it, as a parcel (platform.h). First the parcel is sent, then
// the frame, for which there was room before; so a frame never waits for its parcel. What is under way when a process
// dies is closed by the OS, or, where the OS has put it into the receiver's process already, by the receiver when it closes its end.
//
// An end that moves takes no object with it: who sends says so in objects_sent, then looks who the receiver is; who moves an end
// says that it is nobody's, then looks at objects_sent. See leave_end.
#include "channel_object.h"

#include <utility>

#include "channel_reception.h"
#include "object_transfer.h"

namespace kith {

namespace {

// The first bytes of the frame.
struct object_record {
  uint32_t kind;  // KITH_OBJECT_...
  uint32_t end;
  uint64_t ticket;
  uint64_t numbers[platform::most_handles_of_parcel];
  uint64_t who;   // of a process
  uint64_t size;  // of a message that goes as memory
  uint32_t handle_count;
  uint32_t reserved;
};
static_assert(sizeof(object_record) == 64);

// Of a quarter of the ring, as kith.h says.
constexpr uint64_t taken_from_message = 96;
static_assert(taken_from_message >= sizeof(object_record) + 2 * sizeof(shm::frame_header));

shm::parcel_slot& slot_to_send(channel_object& self) { return self.state().parcels[self.end]; }
shm::parcel_slot& slot_to_receive(channel_object& self) { return self.state().parcels[1 - self.end]; }

// Of any kind, for the time of a call.
class pinned_any {
 public:
  explicit pinned_any(const void* handle) : handle_(handle), status_(handle_pin_any(handle, object_)) {}
  ~pinned_any() {
    if (object_ != nullptr) handle_unpin(handle_);
  }
  pinned_any(const pinned_any&) = delete;
  pinned_any& operator=(const pinned_any&) = delete;
  kith_status status() const { return status_; }
  object& operator*() const { return *object_; }

 private:
  const void* handle_;
  object* object_ = nullptr;
  kith_status status_;
};

// ---- sending -----------------------------------------------------------------------------------------------------------------

// An object that is being given away: what share.cpp does for a spawn.
class departure {
 public:
  departure() = default;
  departure(const departure&) = delete;
  departure& operator=(const departure&) = delete;
  ~departure() {
    if (reserved_) channel_end_move(static_cast<channel_object&>(*given.given), moved_);
  }

  kith_status begin(object& sent) {
    given.given = &sent;
    if (sent.type->kind == object_kind::process) return begin_process(sent);
    const kith_status status = share_describe(sent, given);
    reserved_ = status == KITH_OK && sent.type->kind == object_kind::channel;
    return status;
  }
  void moved() { moved_ = true; }

  given_share given{};
  identity who;

 private:
  kith_status begin_process(object& sent) {
    process_label label;
    const kith_status status = process_describe(sent, label);
    given.handles[0] = label.handle;
    who = label.who;
    return status;
  }

  bool reserved_ = false;
  bool moved_ = false;
};

// The other end, or this one itself: whoever receives it there would talk to itself.
bool is_of_same_channel(const channel_object& self, const object& sent) {
  if (sent.type->kind != object_kind::channel) return false;
  const uint64_t* const id = static_cast<const channel_object&>(sent).segment.waiting.id;
  return id[0] == self.segment.waiting.id[0] && id[1] == self.segment.waiting.id[1];
}

platform::parcel pack(const given_share& given, uint64_t ticket) {
  platform::parcel packed;
  packed.ticket = ticket;
  for (const platform::native_handle* each : given.handles) {
    if (each != nullptr) packed.handles[packed.count++] = each;
  }
  return packed;
}

class delivery {
 public:
  delivery(channel_object& self, object& sent, const void* data, size_t size)
      : self_(self), sent_(&sent), kind_(static_cast<uint32_t>(sent.type->kind)), data_(data), size_(size) {}
  // A message that is memory.
  delivery(channel_object& self, const platform::memory& memory, uint64_t message_size)
      : self_(self), message_size_(message_size) {
    departure_.given.handles[0] = &platform::memory_handle(memory);
  }

  kith_status run(const shm::patience& limits);

 private:
  kith_status send_parcel();
  kith_status wait_a_moment(const shm::waiter& sleep);
  void send_frame();

  channel_object& self_;
  object* sent_ = nullptr;
  uint32_t kind_ = KITH_OBJECT_NONE;
  const void* data_ = nullptr;
  size_t size_ = 0;
  uint64_t message_size_ = 0;
  departure departure_;
  platform::parcel_label label_;
};

// KITH_E_TIMEOUT: not yet.
kith_status delivery::send_parcel() {
  shm::ring_state& ring = *self_.sender.state;
  shm::parcel_slot& slot = slot_to_send(self_);
  const uint64_t before = ring.objects_sent.load(std::memory_order_relaxed);
  const platform::parcel packed = pack(departure_.given, before + 1);
  ring.objects_sent.store(packed.ticket, std::memory_order_relaxed);
  slot.kind.store(kind_, std::memory_order_relaxed);
  slot.end.store(departure_.given.end, std::memory_order_relaxed);
  for (std::atomic<uint64_t>& number : slot.numbers) number.store(0, std::memory_order_relaxed);
  slot.ticket.store(packed.ticket, std::memory_order_relaxed);
  // Pairs with the one in leave_end, for the holder; and with that of a close, whose receiver then looks into the slot.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  const identity receiver{self_.theirs().holder.load(std::memory_order_acquire)};
  const kith_status status = closed_by_peer(self_)
                                 ? KITH_E_CLOSED
                                 : platform::parcel_send(self_.stream, receiver, packed, slot, label_);
  if (status == KITH_OK) return KITH_OK;
  ring.objects_sent.store(before, std::memory_order_release);
  slot.ticket.store(0, std::memory_order_release);
  return status;
}

kith_status delivery::wait_a_moment(const shm::waiter& sleep) {
  if (kith_status status = look_at_self(self_); status != KITH_OK) return status;
  if (kith_status status = look_at_peer(self_); status != KITH_OK) return status;
  if (kith_status status = sleep.must_stop(platform::clock_now()); status != KITH_OK) return status;
  channel_nap(self_);
  return KITH_OK;
}

void delivery::send_frame() {
  object_record record{};
  record.kind = kind_;
  record.size = message_size_;
  record.end = departure_.given.end;
  record.ticket = label_.ticket;
  record.who = departure_.who.bits;
  record.handle_count = static_cast<uint32_t>(label_.count);
  for (size_t i = 0; i < label_.count; ++i) record.numbers[i] = label_.numbers[i];
  shm::ring_side& sender = self_.sender;
  const uint64_t payload = sizeof record + size_;
  const shm::frame_header header{static_cast<uint32_t>(payload), shm::frame_whole | shm::frame_object,
                                 payload};
  std::memcpy(shm::ring_place_of_header(sender), &header, sizeof header);
  sender.bytes.copy_in(sender.position + sizeof header, &record, sizeof record);
  sender.bytes.copy_in(sender.position + sizeof header + sizeof record, data_, size_);
  sender.position += shm::ring_bytes_of_frame(payload);
  shm::ring_publish(sender);
  // Release: who finds the slot empty finds the message in the ring.
  slot_to_send(self_).ticket.store(0, std::memory_order_release);
  channel_tell_receiver(self_);
}

kith_status delivery::run(const shm::patience& limits) {
  kith_status status = look_at_peer(self_);
  const uint64_t needed = shm::ring_bytes_of_frame(sizeof(object_record) + size_);
  if (status == KITH_OK) status = await_room(self_, needed, limits);
  if (status != KITH_OK) return status;
  // With the turn at this channel already, and without waiting: two threads that send each other's end would wait for each other.
  if (sent_ != nullptr) {
    if (status = departure_.begin(*sent_); status != KITH_OK) return status;
  }
  const shm::waiter sleep(limits);
  status = send_parcel();
  while (status == KITH_E_TIMEOUT) {
    if (status = wait_a_moment(sleep); status != KITH_OK) return status;
    status = send_parcel();
  }
  // It may have closed in good order just before it ended.
  if (status == KITH_E_PEER_DIED && closed_by_peer(self_)) return KITH_E_CLOSED;
  if (status != KITH_OK) return status;
  send_frame();
  departure_.moved();
  return KITH_OK;
}

// ---- receiving ---------------------------------------------------------------------------------------------------------------

struct arrival {
  void** out_object;
  int32_t* out_kind;
};

void finish(channel_object& self, const shm::frame_view& frame) {
  self.hand.ticket = 0;
  shm::ring_consume_frame(self.receiver, frame);
  std::atomic<uint64_t>& taken = self.receiver.state->objects_taken;
  taken.store(taken.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  channel_tell_sender(self);
}

void refuse_hand(channel_object& self) {
  for (platform::native_handle& each : self.hand.handles) {
    if (each.valid()) platform::parcel_refuse(std::move(each));
  }
  self.hand.ticket = 0;
}

// A process may come without a handle, an end of a channel comes with two.
bool record_is_sound(const object_record& record) {
  const uint32_t count = record.handle_count;
  if (record.ticket == 0 || count > platform::most_handles_of_parcel) return false;
  if (record.kind == KITH_OBJECT_CHANNEL) return count == 2;
  return count != 0 || record.kind == KITH_OBJECT_PROCESS;
}

// The parcel of the message, unless an earlier call has it in hand.
kith_status take_parcel(channel_object& self, const object_record& record) {
  if (self.hand.ticket == record.ticket) return KITH_OK;
  platform::parcel_label label{record.ticket, record.handle_count, {}};
  for (size_t i = 0; i < label.count; ++i) label.numbers[i] = record.numbers[i];
  bool took_bells = false;
  const kith_status status = platform::parcel_take(self.stream, label, self.hand.handles, took_bells);
  if (status == KITH_OK) self.hand.ticket = record.ticket;
  // Rings for a poller of this end: it has armed in vain, and the next message rings again.
  if (took_bells) self.receiver.state->receiver_asleep.fetch_or(shm::poller_flag, std::memory_order_seq_cst);
  return status;
}

// With copies of the handles, so that what fails for want of something can be tried again.
kith_status open_hand(channel_object& self, const object_record& record, void** out) {
  claimed_share copies;
  copies.end = record.end;
  for (size_t i = 0; i < record.handle_count; ++i) {
    const kith_status status = platform::handle_duplicate(self.hand.handles[i], copies.handles[i]);
    if (status != KITH_OK) return status;
  }
  const kith_status status = object_open(static_cast<object_kind>(record.kind), {record.who}, copies, out);
  if (status != KITH_OK) return status;
  for (platform::native_handle& each : self.hand.handles) each.reset();
  return KITH_OK;
}

bool may_succeed_later(kith_status status) { return status == KITH_E_LIMIT || status == KITH_E_NO_MEMORY; }

// With the turn. The record is read once.
kith_status take_object(channel_object& self, const shm::frame_view& frame, const destination& to,
                        const arrival& came) {
  object_record record;
  const size_t payload = frame.header.payload;
  if (payload < sizeof record) {
    finish(self, frame);
    return KITH_E_PROTOCOL;
  }
  self.receiver.bytes.copy_out(frame.position, &record, sizeof record);
  const size_t size = payload - sizeof record;
  *to.out_size = size;
  if (size > to.capacity) return KITH_E_TOO_LARGE;
  void* opened = nullptr;
  kith_status status = record_is_sound(record) ? take_parcel(self, record) : KITH_E_PROTOCOL;
  if (status == KITH_OK) status = open_hand(self, record, &opened);
  if (may_succeed_later(status)) return status;
  if (status == KITH_OK) {
    self.receiver.bytes.copy_out(frame.position + sizeof record, to.buffer, size);
    *came.out_object = opened;
    *came.out_kind = static_cast<int32_t>(record.kind);
  } else {
    refuse_hand(self);
  }
  finish(self, frame);
  return status;
}

// ---- an end that is closed before all objects were taken ---------------------------------------------------------------------------

void drop_object(channel_object& self, const object_record& record) {
  void* opened = nullptr;
  if (!record_is_sound(record)) return;
  object_record opens_as = record;
  if (record.kind == KITH_OBJECT_NONE) opens_as.kind = KITH_OBJECT_MEMORY;
  kith_status status = take_parcel(self, record);
  if (status == KITH_OK) status = open_hand(self, opens_as, &opened);
  if (status == KITH_OK) handle_close(opened, static_cast<object_kind>(opens_as.kind));
  refuse_hand(self);
}

// Of all messages that are there. A sender that writes on and on is not followed for longer than a ring.
uint64_t drop_messages(channel_object& self) {
  uint64_t last = 0;
  const uint64_t begin = self.receiver.position;
  shm::frame_view frame;
  while (self.receiver.position - begin < self.receiver.bytes.size &&
         shm::ring_peek_frame(self.receiver, frame) == KITH_OK) {
    object_record record;
    if ((frame.header.flags & shm::frame_object) != 0 && frame.header.payload >= sizeof record) {
      self.receiver.bytes.copy_out(frame.position, &record, sizeof record);
      drop_object(self, record);
      last = record.ticket;
    }
    shm::ring_pass_frame(self.receiver, frame);
  }
  return last;
}

// What a sender that died has put into our process, and told nobody.
void drop_left_behind(channel_object& self, uint64_t last) {
  const shm::parcel_slot& slot = slot_to_receive(self);
  object_record record{};
  record.ticket = slot.ticket.load(std::memory_order_acquire);
  record.kind = static_cast<uint32_t>(slot.kind.load(std::memory_order_relaxed));
  record.end = static_cast<uint32_t>(slot.end.load(std::memory_order_relaxed));
  for (const std::atomic<uint64_t>& number : slot.numbers) {
    const uint64_t known = number.load(std::memory_order_relaxed);
    if (known == 0) break;
    record.numbers[record.handle_count++] = known;
  }
  const uint64_t taken = self.receiver.state->objects_taken.load(std::memory_order_relaxed);
  if (record.handle_count != 0 && record.ticket > last && record.ticket > taken) drop_object(self, record);
}

// A sender that began before it saw our close needs some microseconds for the rest. One that stands still, or only pretends to pack, does
// not hold up the close for longer than a moment: what it hands over later is ours until this process ends.
void await_packer(channel_object& self) {
  if (!platform::parcels_lie_in_slots) return;
  constexpr int longest_ms = 20;
  const shm::parcel_slot& slot = slot_to_receive(self);
  for (int i = 0; i < longest_ms && slot.ticket.load(std::memory_order_acquire) != 0; ++i) {
    if (platform::stream_look(self.stream) == platform::stream_state::ended) return;
    channel_nap(self);
  }
}

}  // namespace

kith_status channel_send_memory(channel_object& self, const platform::memory& memory, uint64_t size,
                                const shm::patience& limits) {
  return delivery(self, memory, size).run(limits);
}

kith_status channel_await_room_for_memory(channel_object& self, const shm::patience& limits) {
  if (kith_status status = look_at_peer(self); status != KITH_OK) return status;
  return await_room(self, shm::ring_bytes_of_frame(sizeof(object_record)), limits);
}

bool channel_is_memory(const channel_object& self, const shm::frame_view& frame) {
  object_record record;
  if (frame.header.payload != sizeof record) return false;
  self.receiver.bytes.copy_out(frame.position, &record, sizeof record);
  return record.kind == KITH_OBJECT_NONE;
}

kith_status channel_take_memory(channel_object& self, const shm::frame_view& frame,
                                platform::native_handle& out, uint64_t& out_size) {
  object_record record;
  self.receiver.bytes.copy_out(frame.position, &record, sizeof record);
  const bool sound = record_is_sound(record) && record.handle_count == 1;
  kith_status status = sound ? take_parcel(self, record) : KITH_E_PROTOCOL;
  if (status == KITH_OK) status = platform::handle_duplicate(self.hand.handles[0], out);
  if (status == KITH_OK) {
    out_size = record.size;
  } else if (!may_succeed_later(status)) {
    refuse_hand(self);
    finish(self, frame);
  }
  return status;
}

void channel_drop_hand(channel_object& self, bool is_ours) {
  if (!is_ours) return refuse_hand(self);
  for (platform::native_handle& each : self.hand.handles) each.reset();
  self.hand.ticket = 0;
}

void channel_finish_object(channel_object& self, const shm::frame_view& frame) { finish(self, frame); }

void channel_drop_objects(channel_object& self) {
  const bool has_arrived = self.arrived.segment.data != nullptr;
  shm::segment_close(self.leaving);
  shm::segment_close(self.arrived.segment);
  // One that was never open here has nothing, and one that has moved is somebody else's.
  const bool was_open = self.closed.load(std::memory_order_relaxed);
  if (!was_open || self.moved.load(std::memory_order_acquire) || self.terms.shared_ends) return;
  // What has arrived is the next message, and its parcel was taken.
  shm::frame_view frame;
  if (has_arrived && shm::ring_peek_frame(self.receiver, frame) == KITH_OK) finish(self, frame);
  const shm::ring_state& ring = *self.receiver.state;
  // The close has said that the end is closed, with a full fence after it: see send_parcel.
  await_packer(self);
  const bool none =
      ring.objects_sent.load(std::memory_order_acquire) == ring.objects_taken.load(std::memory_order_relaxed);
  if (none && slot_to_receive(self).ticket.load(std::memory_order_relaxed) == 0) return;
  drop_left_behind(self, drop_messages(self));
}

}  // namespace kith

using namespace kith;

kith_status kith_channel_send_object(kith_channel* channel, const void* sent, const void* data, size_t size,
                                     int64_t timeout_ms) {
  const pinned<channel_object> self(channel, object_kind::channel);
  if (self.status() != KITH_OK) return self.status();
  if (!timeout_is_valid(timeout_ms) || (data == nullptr && size != 0)) return KITH_E_INVALID;
  const pinned_any given(sent);
  if (given.status() != KITH_OK) return given.status();
  if (self->terms.shared_ends) return KITH_E_UNSUPPORTED;
  if (is_of_same_channel(*self, *given)) return KITH_E_MISMATCH;
  if (size > self->sender.bytes.size / 4 - taken_from_message) return KITH_E_TOO_LARGE;
  const call_patience limits(timeout_ms, *self, self->spinner_to_send());
  const turn mine(*self, turn::way::send, limits);
  if (mine.status() != KITH_OK) return mine.status();
  return delivery(*self, *given, data, size).run(limits);
}

kith_status kith_channel_recv_object(kith_channel* channel, void** out_object, int32_t* out_kind,
                                     void* buffer, size_t capacity, size_t* out_size, int64_t timeout_ms) {
  const pinned<channel_object> self(channel, object_kind::channel);
  if (self.status() != KITH_OK) return self.status();
  if (!timeout_is_valid(timeout_ms) || out_object == nullptr || out_kind == nullptr || out_size == nullptr ||
      (buffer == nullptr && capacity != 0))
    return KITH_E_INVALID;
  const call_patience limits(timeout_ms, *self, self->spinner_to_receive());
  const turn mine(*self, turn::way::receive, limits);
  if (mine.status() != KITH_OK) return mine.status();
  const destination to{buffer, capacity, out_size};
  shm::frame_view frame;
  reception taking(*self, to);
  taking.show_object(&frame);
  if (kith_status status = taking.run(limits, false); status != KITH_OK) return status;
  if (taking.met_object()) return take_object(*self, frame, to, {out_object, out_kind});
  *out_object = nullptr;
  *out_kind = KITH_OBJECT_NONE;
  return KITH_OK;
}
