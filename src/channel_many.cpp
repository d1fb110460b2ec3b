// SPDX-License-Identifier: MIT
// Channels: several messages in one call. The other side's cache line is taken away, and the other side woken, once for many.
#include "channel_reception.h"
#include "channel_turn.h"

namespace kith {

namespace {

// Messages on their way out, and how many of them are in the ring.
struct batch {
  const unsigned char* data;
  const size_t* sizes;
  size_t count;
  size_t sent = 0;

  bool done() const { return sent == count; }
  size_t next_size() const { return sizes[sent]; }
  void pass() { data += sizes[sent++]; }
};

// Where messages go, one behind the other, and how many are there.
struct batch_destination {
  unsigned char* buffer;
  size_t capacity;
  size_t* sizes;
  size_t most;
  size_t count = 0;

  void pass(size_t size) {
    if (buffer != nullptr) buffer += size;
    capacity -= size;
    sizes[count++] = size;
  }
};

// Together they are no more than memory holds.
bool sizes_are_valid(const void* data, const size_t* sizes, size_t count) {
  if (count != 0 && sizes == nullptr) return false;
  size_t left = SIZE_MAX / 2;
  for (size_t i = 0; i < count; ++i) {
    if (sizes[i] > left) return false;
    left -= sizes[i];
  }
  return data != nullptr || left == SIZE_MAX / 2;
}

// Some messages before the other side sees them, so that its cache line moves seldom; not all, so that it can begin.
uint64_t bytes_at_once(const shm::ring_side& side) { return side.bytes.size / 8; }

// ---- in a turn, or inside the bias ---------------------------------------------------------------------------------------------------

bool write_next(shm::ring_side& sender, const batch& messages) {
  return shm::ring_write_whole(sender, messages.data, messages.next_size());
}

void publish(channel_object& self) {
  shm::ring_publish(self.sender);
  channel_tell_receiver(self);
}

// Sends those for which there is room, up to one that does not go as one small frame.
void send_what_fits(channel_object& self, batch& messages) {
  // Relaxed: the other way looks again.
  if (self.theirs().closed.load(std::memory_order_relaxed) != 0) return;
  shm::ring_side& sender = self.sender;
  uint64_t published = sender.position;
  for (; !messages.done(); messages.pass()) {
    const bool fits =
        write_next(sender, messages) || (shm::ring_look_at_receiver(sender) && write_next(sender, messages));
    if (!fits) break;
    if (sender.position - published < bytes_at_once(sender)) continue;
    publish(self);
    published = sender.position;
  }
  if (sender.position != published) publish(self);
}

void give_back(channel_object& self) {
  shm::ring_give_back(self.receiver);
  channel_tell_sender(self);
}

// Takes those that are there and fit, up to one that is not one plain frame.
void take_what_fits(channel_object& self, batch_destination& to) {
  shm::ring_side& receiver = self.receiver;
  if (!shm::ring_look_at_sender(receiver)) return;  // whoever looks next tells of it
  uint64_t given_back = receiver.position;
  while (to.count < to.most && receiver.seen != receiver.position) {
    shm::frame_view frame;
    if (shm::ring_peek_frame(receiver, frame) != KITH_OK) break;
    const bool is_message = frame.header.flags == shm::frame_whole;
    if (!is_message && frame.header.flags != shm::frame_skip) break;
    if (is_message && frame.header.payload > to.capacity) break;
    if (is_message) {
      shm::ring_copy_out(receiver, frame, to.buffer);
      to.pass(frame.header.payload);
    }
    shm::ring_pass_frame(receiver, frame);
    if (receiver.position - given_back < bytes_at_once(receiver)) continue;
    give_back(self);
    given_back = receiver.position;
  }
  if (receiver.position != given_back) give_back(self);
}

// Not for one message only, or each would wait for the receiver's last one.
void spin_for_some_room(channel_object& self, const shm::patience& limits) {
  (void)limits.spin_for([&] { return has_room(self, bytes_at_once(self.sender)); });
}

kith_status send_all(channel_object& self, batch& messages, const shm::patience& limits) {
  for (;;) {
    send_what_fits(self, messages);
    if (messages.done()) return KITH_OK;
    spin_for_some_room(self, limits);
    shm::outgoing message{messages.data, messages.next_size()};
    if (kith_status status = send_message(self, message, limits); status != KITH_OK) return status;
    messages.pass();
  }
}

// ---- calls that wait -----------------------------------------------------------------------------------------------------------------

// As in channel_send_slowly: pinned before the bias is left.
kith_status send_many_slowly(kith_channel* channel, batch& messages, int64_t timeout_ms,
                             channel_object* inside) {
  const pinned<channel_object> self(channel, object_kind::channel);
  if (inside != nullptr) inside->send_bias.leave();
  if (self.status() != KITH_OK) return inside != nullptr ? kith_status{KITH_E_CLOSED} : self.status();
  const call_patience limits(timeout_ms, *self, self->spinner_to_send());
  const turn mine(*self, turn::way::send, limits);
  return mine.status() == KITH_OK ? send_all(*self, messages, limits) : mine.status();
}

kith_status receive_many_slowly(kith_channel* channel, batch_destination& to, int64_t timeout_ms,
                                channel_object* inside) {
  const pinned<channel_object> self(channel, object_kind::channel);
  if (inside != nullptr) inside->receive_bias.leave();
  if (self.status() != KITH_OK) return inside != nullptr ? kith_status{KITH_E_CLOSED} : self.status();
  const call_patience limits(timeout_ms, *self, self->spinner_to_receive());
  const turn mine(*self, turn::way::receive, limits);
  if (mine.status() != KITH_OK) return mine.status();
  const destination first{to.buffer, to.capacity, &to.sizes[0]};
  const kith_status status = reception(*self, first).run(limits, inside != nullptr);
  if (status != KITH_OK) return status;
  to.pass(to.sizes[0]);
  take_what_fits(*self, to);
  return KITH_OK;
}

// Whether something was taken.
bool receive_many_at_once(channel_object& self, batch_destination& to, bool may_spin) {
  if (self.assembling || !self.assembly.empty()) return false;
  if (self.receiver.seen == self.receiver.position && !channel_find_message(self, may_spin)) return false;
  take_what_fits(self, to);
  return to.count != 0;
}

}  // namespace

}  // namespace kith

using namespace kith;

kith_status kith_channel_send_many(kith_channel* channel, const void* data, const size_t* sizes, size_t count,
                                   size_t* out_sent, int64_t timeout_ms) {
  void* found = nullptr;
  if (kith_status status = handle_find_shortcut(channel, object_kind::channel, found); status != KITH_OK)
    return status;
  if (!timeout_is_valid(timeout_ms) || !sizes_are_valid(data, sizes, count)) return KITH_E_INVALID;
  channel_object& self = *static_cast<channel_object*>(found);
  batch messages{static_cast<const unsigned char*>(data), sizes, count};
  kith_status status = KITH_OK;
  if (self.send_bias.enter()) {
    if (!channel_must_look(self) || channel_receiver_reads(self)) send_what_fits(self, messages);
    if (messages.done()) {
      self.send_bias.leave();
    } else {
      status = send_many_slowly(channel, messages, timeout_ms, &self);
    }
  } else {
    status = send_many_slowly(channel, messages, timeout_ms, nullptr);
  }
  if (out_sent != nullptr) *out_sent = messages.sent;
  return status;
}

kith_status kith_channel_recv_many(kith_channel* channel, void* buffer, size_t capacity, size_t* sizes,
                                   size_t most, size_t* out_count, int64_t timeout_ms) {
  void* found = nullptr;
  if (kith_status status = handle_find_shortcut(channel, object_kind::channel, found); status != KITH_OK)
    return status;
  if (!timeout_is_valid(timeout_ms) || sizes == nullptr || most == 0 || out_count == nullptr ||
      (buffer == nullptr && capacity != 0))
    return KITH_E_INVALID;
  channel_object& self = *static_cast<channel_object*>(found);
  batch_destination to{static_cast<unsigned char*>(buffer), capacity, sizes, most};
  kith_status status = KITH_OK;
  if (!self.receive_bias.enter()) {
    status = receive_many_slowly(channel, to, timeout_ms, nullptr);
  } else if (receive_many_at_once(self, to, timeout_ms != 0)) {
    self.receive_bias.leave();
  } else {
    status = receive_many_slowly(channel, to, timeout_ms, &self);
  }
  if (status == KITH_OK) *out_count = to.count;
  return status;
}
