// SPDX-License-Identifier: MIT
#include "ring.h"

namespace kith::shm {

namespace {

uint64_t smaller(uint64_t a, uint64_t b) { return a < b ? a : b; }

// How much of what is left goes into the next frame: all, or a part, so that the receiver begins to copy before we end. In parts it must
// not need room that it would not need whole: a call that does not wait would fail for it.
uint64_t next_part(const ring_side& sender, const outgoing& message) {
  const uint64_t left = message.size - message.sent;
  if (message.in_one_frame) return left;
  const uint64_t part = ring_largest_part(sender);
  const uint64_t parts = left / part + 1;
  const uint64_t room = ring_room(sender);
  const bool fits_whole = room >= sizeof(frame_header) + ring_padded(left);
  const bool fits_in_parts = room >= parts * sizeof(frame_header) + ring_padded(left);
  return fits_whole && !fits_in_parts ? left : smaller(left, part);
}

// An empty frame of so many bytes in all.
void write_skip(const ring_side& sender, uint64_t bytes) {
  const uint64_t payload = bytes - sizeof(frame_header);
  const frame_header header{static_cast<uint32_t>(payload), frame_skip, payload};
  std::memcpy(ring_place_of_header(sender), &header, sizeof header);
}

}  // namespace

bool ring_open_sender(ring_side& sender) {
  // Relaxed: the end was handed to us, and nobody else writes its head.
  sender.position = sender.state->head.load(std::memory_order_relaxed);
  sender.largest_whole = ring_largest_part(sender);
  return sender.position % ring_alignment == 0 && ring_look_at_receiver(sender);
}

bool ring_open_receiver(ring_side& receiver) {
  receiver.position = receiver.state->tail.load(std::memory_order_relaxed);
  return receiver.position % ring_alignment == 0 && ring_look_at_sender(receiver);
}

kith_status ring_send_frame(ring_side& sender, outgoing& message, uint64_t* needed) {
  const uint64_t left = message.size - message.sent;
  *needed = ring_bytes_of_frame(message.in_one_frame ? left : smaller(left, ring_largest_part(sender)));
  // With the newest position where it matters: a message of several parts is sent as room comes.
  if (ring_room(sender) < ring_bytes_of_frame(left) && !ring_look_at_receiver(sender)) return KITH_E_PROTOCOL;
  if (ring_room(sender) < *needed) return KITH_E_TIMEOUT;

  frame_header header;
  header.payload = static_cast<uint32_t>(next_part(sender, message));
  header.flags =
      (message.begun ? 0u : uint32_t{frame_first}) | (header.payload == left ? uint32_t{frame_last} : 0u);
  header.total = message.size;
  ring_put_frame(sender, header, message.data + message.sent);
  message.sent += header.payload;
  message.begun = true;
  return KITH_OK;
}

kith_status ring_reserve(ring_side& sender, uint64_t size, reservation& out, uint64_t* needed,
                         bool& published) {
  const uint64_t ring = sender.bytes.size;
  const uint64_t frame = ring_bytes_of_frame(size);
  const uint64_t to_the_end = ring - (sender.position & (ring - 1));
  uint64_t skip = frame <= to_the_end ? 0 : to_the_end;
  // Half a ring with its header may be more than what is left beside the empty end, even of an empty ring: then the end goes first.
  const bool skip_first = skip != 0 && skip + frame > ring;
  *needed = skip_first ? skip : skip + frame;
  if (ring_room(sender) < *needed && !ring_look_at_receiver(sender)) return KITH_E_PROTOCOL;
  if (ring_room(sender) < *needed) return KITH_E_TIMEOUT;
  if (skip_first) {
    write_skip(sender, skip);
    sender.position += skip;
    ring_publish(sender);
    published = true;
    *needed = frame;
    skip = 0;
    if (ring_room(sender) < frame) return KITH_E_TIMEOUT;
  }
  out = {sender.position + skip + sizeof(frame_header), size, skip};
  return KITH_OK;
}

void ring_commit(ring_side& sender, const reservation& place, uint64_t size) {
  if (place.skipped != 0) write_skip(sender, place.skipped);
  sender.position += place.skipped;
  const frame_header header{static_cast<uint32_t>(size), frame_whole, size};
  std::memcpy(ring_place_of_header(sender), &header, sizeof header);
  sender.position += ring_bytes_of_frame(size);
  ring_publish(sender);
}

}  // namespace kith::shm
