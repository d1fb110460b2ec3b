// SPDX-License-Identifier: MIT
#include "ring.h"

#include <cstring>

namespace kith::shm {

namespace {

uint64_t smaller(uint64_t a, uint64_t b) { return a < b ? a : b; }

// How many bytes lie between the two positions; false: more than the ring holds, or in the middle of a frame's alignment.
bool distance(const ring_side& ring, uint64_t head, uint64_t tail, uint64_t& out) {
  out = head - tail;
  return out <= ring.size && out % ring_alignment == 0;
}

byte_ring bytes_of(const ring_side& ring) { return {ring.bytes, ring.size}; }

bool header_is_sound(const frame_header& header, uint64_t available) {
  if ((header.flags & ~uint32_t{frame_first | frame_last}) != 0) return false;
  if (ring_padded(header.payload) > available - sizeof header || header.payload > header.total) return false;
  const bool whole = header.flags == (frame_first | frame_last);
  return !whole || header.payload == header.total;
}

}  // namespace

bool ring_open_sender(ring_side& sender) {
  sender.position =
      sender.state->head.load(std::memory_order_relaxed);  // the end was handed to us: nobody else writes it
  return sender.position % ring_alignment == 0;
}

bool ring_open_receiver(ring_side& receiver) {
  receiver.position = receiver.state->tail.load(std::memory_order_relaxed);
  return receiver.position % ring_alignment == 0;
}

kith_status ring_send_frame(ring_side& sender, outgoing& message, uint64_t* needed) {
  // Acquire, with the release in ring_consume_frame: the receiver has read what we are about to overwrite.
  const uint64_t tail = sender.state->tail.load(std::memory_order_acquire);
  uint64_t used;
  if (!distance(sender, sender.position, tail, used)) return KITH_E_PROTOCOL;
  const uint64_t left = message.size - message.sent;
  const uint64_t room = sender.size - used;
  // A frame of less than a quarter of the ring would cost more than it moves, unless it is all that is left.
  *needed = sizeof(frame_header) + ring_padded(smaller(left, sender.size / 4));
  if (room < *needed) return KITH_E_TIMEOUT;

  frame_header header;
  header.payload = static_cast<uint32_t>(smaller(left, room - sizeof header));
  header.flags =
      (message.begun ? 0u : uint32_t{frame_first}) | (header.payload == left ? uint32_t{frame_last} : 0u);
  header.total = message.size;
  bytes_of(sender).copy_in(sender.position, &header, sizeof header);
  bytes_of(sender).copy_in(sender.position + sizeof header, message.data + message.sent, header.payload);
  sender.position += sizeof header + ring_padded(header.payload);
  // Release, with the acquire in ring_peek_frame: who sees the head sees the frame. This store is the commit.
  sender.state->head.store(sender.position, std::memory_order_release);
  message.sent += header.payload;
  message.begun = true;
  return KITH_OK;
}

kith_status ring_peek_frame(const ring_side& receiver, frame_view& out) {
  const uint64_t head =
      receiver.state->head.load(std::memory_order_acquire);  // pairs with the release in ring_send_frame
  uint64_t available;
  if (!distance(receiver, head, receiver.position, available)) return KITH_E_PROTOCOL;
  if (available == 0) return KITH_E_TIMEOUT;
  frame_view frame;
  // Once, into a local: a hostile sender may write while we check. A header never wraps: sizes and positions are multiples of 16.
  bytes_of(receiver).copy_out(receiver.position, &frame.header, sizeof frame.header);
  frame.position = receiver.position + sizeof frame.header;
  if (!header_is_sound(frame.header, available)) return KITH_E_PROTOCOL;
  out = frame;
  return KITH_OK;
}

void ring_copy_out(const ring_side& receiver, const frame_view& frame, unsigned char* out) {
  bytes_of(receiver).copy_out(frame.position, out, frame.header.payload);
}

void ring_consume_frame(ring_side& receiver, const frame_view& frame) {
  receiver.position = frame.position + ring_padded(frame.header.payload);
  // Release, with the acquire in ring_send_frame: we are done reading before the room is used again.
  receiver.state->tail.store(receiver.position, std::memory_order_release);
}

}  // namespace kith::shm
