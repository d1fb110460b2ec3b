// SPDX-License-Identifier: MIT
// A ring of framed messages in shared memory: one sender, one receiver. No call here waits.
//
// Positions count bytes for ever; a frame begins at a multiple of 16. A frame exists from the store of `head` on: a sender that is
// killed before has sent nothing. A message larger than the room goes as several frames; the receiver puts them
// together. A message that its sender gave up simply lacks its last frame: the first frame of the next one makes the receiver
// drop what it has.
#pragma once

#include <kith/kith.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "../platform.h"
#include "byte_ring.h"
#include "lock_word.h"

namespace kith::shm {

// One direction; what the two sides write lies on cache lines of their own.
struct ring_state {
  std::atomic<uint64_t> head;  // bytes ever sent; the sender writes it
  uint64_t sender_line[7];
  std::atomic<uint64_t> tail;  // bytes ever received; the receiver writes it
  uint64_t receiver_line[7];
  std::atomic<uint64_t> receiver_asleep;  // 1: wake it at head
  std::atomic<uint64_t> sender_needs;     // not 0: the sender sleeps at tail until so many bytes are free
  uint64_t sleep_line[6];
};
static_assert(sizeof(ring_state) == 192);

// One end: its holder sends into ring[end] and receives from ring[1 - end].
struct end_state {
  lock_state sending;  // threads of the holder take turns
  lock_state receiving;
  std::atomic<uint64_t> closed;  // 1: in good order
  uint64_t reserved[7];
};
static_assert(sizeof(end_state) == 192);

struct channel_state {
  ring_state rings[2];
  end_state ends[2];
};
static_assert(sizeof(channel_state) == 768);

struct frame_header {
  uint32_t payload;  // bytes that follow, padded to 16
  uint32_t flags;
  uint64_t total;  // bytes of the whole message
};
static_assert(sizeof(frame_header) == 16);

enum frame_flags : uint32_t { frame_first = 1, frame_last = 2 };

inline constexpr uint64_t smallest_ring = 4096;
inline constexpr uint64_t largest_ring = uint64_t{1} << 30;

// One side of a ring, local to this process. Our own position is kept here; the shared one is only published.
struct ring_side {
  ring_state* state = nullptr;
  unsigned char* bytes = nullptr;
  uint64_t size = 0;
  uint64_t position = 0;
};

// Takes our position over from shared memory; false: it is not one that kith would have written.
bool ring_open_sender(ring_side& sender);
bool ring_open_receiver(ring_side& receiver);

// A message on its way out, and how much of it is in the ring.
struct outgoing {
  const unsigned char* data;
  uint64_t size;
  uint64_t sent = 0;
  bool begun = false;
  bool done() const { return begun && sent == size; }
};

// Writes one frame if there is room for a sensible one. KITH_OK; KITH_E_TIMEOUT: no room yet (*needed bytes must be free);
// KITH_E_PROTOCOL: the receiver's position is impossible.
kith_status ring_send_frame(ring_side& sender, outgoing& message, uint64_t* needed);

struct frame_view {
  frame_header header;
  uint64_t position;  // of the payload
};

// Looks at the next frame. KITH_OK; KITH_E_TIMEOUT: there is none; KITH_E_PROTOCOL: what is there is no frame of ours.
kith_status ring_peek_frame(const ring_side& receiver, frame_view& out);
void ring_copy_out(const ring_side& receiver, const frame_view& frame, unsigned char* out);
void ring_consume_frame(ring_side& receiver, const frame_view& frame);

}  // namespace kith::shm
