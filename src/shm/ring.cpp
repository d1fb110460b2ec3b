// SPDX-License-Identifier: MIT
#include "ring.h"

#include <cstring>

namespace kith::shm {

namespace {

uint64_t padded(uint64_t bytes) { return (bytes + frame_alignment - 1) & ~(frame_alignment - 1); }

uint64_t smaller(uint64_t a, uint64_t b) { return a < b ? a : b; }

// How many bytes lie between the two positions; false: more than the ring holds, or in the middle of a frame's alignment.
bool distance(const ring_side& ring, uint64_t head, uint64_t tail, uint64_t& out) {
  out = head - tail;
  return out <= ring.size && out % frame_alignment == 0;
}

void copy_in(const ring_side& ring, uint64_t position, const unsigned char* data, uint64_t size) {
  const uint64_t at = position & (ring.size - 1);
  const uint64_t first = smaller(size, ring.size - at);
  if (first != 0) std::memcpy(ring.bytes + at, data, static_cast<size_t>(first));
  if (size != first) std::memcpy(ring.bytes, data + first, static_cast<size_t>(size - first));
}

bool header_is_sound(const frame_header& header, uint64_t available) {
  if ((header.flags & ~uint32_t{frame_first | frame_last}) != 0) return false;
  if (padded(header.payload) > available - sizeof header || header.payload > header.total) return false;
  const bool whole = header.flags == (frame_first | frame_last);
  return !whole || header.payload == header.total;
}

}  // namespace

bool ring_open_sender(ring_side& sender) {
  sender.position =
      sender.state->head.load(std::memory_order_relaxed);  // the end was handed to us: nobody else writes it
  return sender.position % frame_alignment == 0;
}

bool ring_open_receiver(ring_side& receiver) {
  receiver.position = receiver.state->tail.load(std::memory_order_relaxed);
  return receiver.position % frame_alignment == 0;
}

kith_status ring_send_frame(ring_side& sender, outgoing& message, uint64_t* needed) {
  // Acquire, with the release in ring_consume_frame: the receiver has read what we are about to overwrite.
  const uint64_t tail = sender.state->tail.load(std::memory_order_acquire);
  uint64_t used;
  if (!distance(sender, sender.position, tail, used)) return KITH_E_PROTOCOL;
  const uint64_t left = message.size - message.sent;
  const uint64_t room = sender.size - used;
  // A frame of less than a quarter of the ring would cost more than it moves, unless it is all that is left.
  *needed = sizeof(frame_header) + padded(smaller(left, sender.size / 4));
  if (room < *needed) return KITH_E_TIMEOUT;

  frame_header header;
  header.payload = static_cast<uint32_t>(smaller(left, room - sizeof header));
  header.flags =
      (message.begun ? 0u : uint32_t{frame_first}) | (header.payload == left ? uint32_t{frame_last} : 0u);
  header.total = message.size;
  unsigned char encoded[sizeof header];
  std::memcpy(encoded, &header, sizeof header);
  copy_in(sender, sender.position, encoded, sizeof header);
  copy_in(sender, sender.position + sizeof header, message.data + message.sent, header.payload);
  sender.position += sizeof header + padded(header.payload);
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
  std::memcpy(&frame.header, receiver.bytes + (receiver.position & (receiver.size - 1)), sizeof frame.header);
  frame.position = receiver.position + sizeof frame.header;
  if (!header_is_sound(frame.header, available)) return KITH_E_PROTOCOL;
  out = frame;
  return KITH_OK;
}

void ring_copy_out(const ring_side& receiver, const frame_view& frame, unsigned char* out) {
  const uint64_t at = frame.position & (receiver.size - 1);
  const uint64_t first = smaller(frame.header.payload, receiver.size - at);
  if (first != 0) std::memcpy(out, receiver.bytes + at, static_cast<size_t>(first));
  if (frame.header.payload != first) {
    std::memcpy(out + first, receiver.bytes, static_cast<size_t>(frame.header.payload - first));
  }
}

void ring_consume_frame(ring_side& receiver, const frame_view& frame) {
  receiver.position = frame.position + padded(frame.header.payload);
  // Release, with the acquire in ring_send_frame: we are done reading before the room is used again.
  receiver.state->tail.store(receiver.position, std::memory_order_release);
}

}  // namespace kith::shm
