// SPDX-License-Identifier: MIT
#include "ring.h"

namespace kith::shm {

namespace {

uint64_t smaller(uint64_t a, uint64_t b) { return a < b ? a : b; }

// How much of what is left goes into the next frame: all, or a part, so that the receiver begins to copy before we end. In parts it must
// not need room that it would not need whole: a call that does not wait would fail for it.
uint64_t next_part(const ring_side& sender, uint64_t left) {
  const uint64_t part = ring_largest_part(sender);
  const uint64_t parts = left / part + 1;
  const uint64_t room = ring_room(sender);
  const bool fits_whole = room >= sizeof(frame_header) + ring_padded(left);
  const bool fits_in_parts = room >= parts * sizeof(frame_header) + ring_padded(left);
  return fits_whole && !fits_in_parts ? left : smaller(left, part);
}

}  // namespace

bool ring_open_sender(ring_side& sender) {
  // Relaxed: the end was handed to us, and nobody else writes its head.
  sender.position = sender.state->head.load(std::memory_order_relaxed);
  return sender.position % ring_alignment == 0 && ring_look_at_receiver(sender);
}

bool ring_open_receiver(ring_side& receiver) {
  receiver.position = receiver.state->tail.load(std::memory_order_relaxed);
  return receiver.position % ring_alignment == 0 && ring_look_at_sender(receiver);
}

kith_status ring_send_frame(ring_side& sender, outgoing& message, uint64_t* needed) {
  const uint64_t left = message.size - message.sent;
  *needed = sizeof(frame_header) + ring_padded(smaller(left, ring_largest_part(sender)));
  // With the newest position where it matters: a message of several parts is sent as room comes.
  if (ring_room(sender) < sizeof(frame_header) + ring_padded(left) && !ring_look_at_receiver(sender))
    return KITH_E_PROTOCOL;
  if (ring_room(sender) < *needed) return KITH_E_TIMEOUT;

  frame_header header;
  header.payload = static_cast<uint32_t>(next_part(sender, left));
  header.flags =
      (message.begun ? 0u : uint32_t{frame_first}) | (header.payload == left ? uint32_t{frame_last} : 0u);
  header.total = message.size;
  ring_put_frame(sender, header, message.data + message.sent);
  message.sent += header.payload;
  message.begun = true;
  return KITH_OK;
}

}  // namespace kith::shm
