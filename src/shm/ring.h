// SPDX-License-Identifier: MIT
// A ring of framed messages in shared memory: one sender, one receiver. No call here waits.
//
// Each side remembers the position of the other as it last saw it, and looks again only when by that one the ring is full, or empty: a
// look at what the other core has just written costs as much as dozens of instructions. The common case of each side is inline.
//
// Positions count bytes for ever; a frame begins at a multiple of 16. A frame exists from the store of `head` on: a sender that is
// killed before has sent nothing. A message larger than the room goes as several frames; the receiver puts them
// together. A message that its sender gave up simply lacks its last frame: the first frame of the next one makes the receiver
// drop what it has. A frame that only fills the end of the ring (frame_skip) is nothing: what must lie in one piece begins behind it.
#pragma once

#include <kith/kith.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "../platform.h"
#include "byte_ring.h"
#include "lock_word.h"
#include "parcel_slot.h"

namespace kith::shm {

// One direction; what the two sides write lies on cache lines of their own.
struct ring_state {
  std::atomic<uint64_t> head;  // bytes ever sent; the sender writes it
  std::atomic<uint64_t>
      objects_sent;  // messages with an object ever sent; the sender writes it, before the message
  uint64_t sender_line[6];
  std::atomic<uint64_t> tail;           // bytes ever received; the receiver writes it
  std::atomic<uint64_t> objects_taken;  // messages with an object ever received; the receiver writes it
  uint64_t receiver_line[6];
  // Flags for the other side; who acts upon them takes them down. Not 0: sleeper_flag, poller_flag, or both.
  std::atomic<uint64_t> receiver_asleep;
  // So many bytes must be free for the sender that sleeps on this word, and poller_of_room.
  std::atomic<uint64_t> sender_needs;
  uint64_t sleep_line[6];
};
static_assert(sizeof(ring_state) == 192);

// A thread sleeps on the word receiver_asleep.
inline constexpr uint64_t sleeper_flag = 1;
// A poller has armed: it is told by the control stream. Nobody holds a turn while a loop polls, so this flag outlives calls, and a
// thread that sleeps takes down its own one only.
inline constexpr uint64_t poller_flag = 2;                     // in receiver_asleep
inline constexpr uint64_t poller_of_room = uint64_t{1} << 63;  // in sender_needs

// One end: its holder sends into ring[end] and receives from ring[1 - end].
struct end_state {
  lock_state sending;  // threads of the holder take turns
  lock_state receiving;
  std::atomic<uint64_t> closed;  // 1: in good order
  // Whose end it is; 0: nobody's, because it is on its way to another process. Not used by shared ends.
  std::atomic<uint64_t> holder;
  std::atomic<uint64_t> holders;  // of a shared end; who dies leaves it as it is
  uint64_t reserved[5];
};
static_assert(sizeof(end_state) == 192);

// What the creator has chosen. Written before anybody else has the segment.
struct written_terms {
  std::atomic<uint64_t> flags;  // KITH_CHANNEL_...
  std::atomic<uint64_t> large_message;
  uint64_t reserved[6];
};
static_assert(sizeof(written_terms) == 64);

struct channel_state {
  ring_state rings[2];
  end_state ends[2];
  written_terms terms;
  parcel_slot parcels[2];  // of the direction of the same number
};
static_assert(sizeof(channel_state) == 960);

struct frame_header {
  uint32_t payload;  // bytes that follow, padded to 16
  uint32_t flags;
  uint64_t total;  // bytes of the whole message
};
static_assert(sizeof(frame_header) == 16);

enum frame_flags : uint32_t {
  frame_first = 1,
  frame_last = 2,
  frame_object =
      4,  // an object comes with it; always a whole message, which begins with a record (channel_object.cpp)
  frame_skip = 8  // nothing; alone
};
inline constexpr uint32_t frame_whole = frame_first | frame_last;

inline constexpr uint64_t smallest_ring = 4096;
inline constexpr uint64_t largest_ring = uint64_t{1} << 30;

// One side of a ring, local to this process. Our own position is kept here; the shared one is only published.
struct ring_side {
  ring_state* state = nullptr;
  byte_ring bytes;
  uint64_t position = 0;
  uint64_t seen = 0;           // the other side's position as last looked at; it was possible
  uint64_t largest_whole = 0;  // a sender's: what is larger goes in another way than as one frame

  // For the shortest way: up to this position frames may be written, or are there to be read, and none of them wraps. It may be too
  // small, never too large: positions only grow. Then another way is taken, which calls ring_find_straight.
  uint64_t straight_until = 0;
  uintptr_t straight_base = 0;  // the address of a position before that is this and the position
};

// Takes the positions over from shared memory; false: they are not what kith would have written.
bool ring_open_sender(ring_side& sender);
bool ring_open_receiver(ring_side& receiver);

// How many bytes lie between two positions is possible: no more than the ring holds, and whole units of alignment.
inline bool ring_distance_is_sound(const ring_side& side, uint64_t distance) {
  return distance <= side.bytes.size && distance % ring_alignment == 0;
}

// A header never wraps: sizes and positions are multiples of 16. So its copy has a fixed size, which is two instructions and no call.
inline unsigned char* ring_place_of_header(const ring_side& side) {
  return side.bytes.bytes + (side.position & (side.bytes.size - 1));
}

// `until`: at most to there, which is at most where the other side is.
inline void ring_find_straight(ring_side& side, uint64_t until) {
  const uint64_t round = side.position & ~(side.bytes.size - 1), end = round + side.bytes.size;
  side.straight_until = until < end ? until : end;
  side.straight_base = reinterpret_cast<uintptr_t>(side.bytes.bytes) - static_cast<uintptr_t>(round);
}

inline unsigned char* ring_straight_place(const ring_side& side) {
  return reinterpret_cast<unsigned char*>(side.straight_base + static_cast<uintptr_t>(side.position));
}

// ---- sending -----------------------------------------------------------------------------------------------------------------

// Looks how far the receiver is. false: its position is impossible.
inline bool ring_look_at_receiver(ring_side& sender) {
  // Acquire, with the release in ring_consume_frame: the receiver has read what we are about to overwrite.
  const uint64_t tail = sender.state->tail.load(std::memory_order_acquire);
  if (!ring_distance_is_sound(sender, sender.position - tail)) return false;
  sender.seen = tail;
  return true;
}

inline uint64_t ring_room(const ring_side& sender) {
  return sender.bytes.size - (sender.position - sender.seen);
}

// The largest frame of a message of several: four of them are in the ring at once, so that sender and receiver copy at the same time.
inline uint64_t ring_largest_part(const ring_side& sender) {
  return sender.bytes.size / 4 - sizeof(frame_header);
}

inline uint64_t ring_bytes_of_frame(uint64_t payload) { return ring_padded(sizeof(frame_header) + payload); }

// Writes a frame that nobody sees yet.
inline void ring_write_frame(ring_side& sender, const frame_header& header, const void* payload) {
  std::memcpy(ring_place_of_header(sender), &header, sizeof header);
  sender.bytes.copy_in(sender.position + sizeof header, payload, header.payload);
  sender.position += ring_bytes_of_frame(header.payload);
}

// Release, with the acquire in ring_look_at_sender: who sees the head sees the frames. This store is the commit.
inline void ring_publish(ring_side& sender) {
  sender.state->head.store(sender.position, std::memory_order_release);
}

inline void ring_put_frame(ring_side& sender, const frame_header& header, const void* payload) {
  ring_write_frame(sender, header, payload);
  ring_publish(sender);
}

// Writes a message as one frame, which nobody sees yet. false: it is too large for that, or there is no room for it that we know of.
inline bool ring_write_whole(ring_side& sender, const void* data, uint64_t size) {
  if (size > sender.largest_whole || ring_bytes_of_frame(size) > ring_room(sender)) return false;
  ring_write_frame(sender, {static_cast<uint32_t>(size), frame_whole, size}, data);
  return true;
}

// Sends a message as one frame.
inline bool ring_send_whole(ring_side& sender, const void* data, uint64_t size) {
  if (!ring_write_whole(sender, data, size)) return false;
  ring_publish(sender);
  return true;
}

// The shortest way, without a call: a little message. false: another way must do it.
inline bool ring_send_little(ring_side& sender, const void* data, uint64_t size) {
  const uint64_t end = sender.position + ring_bytes_of_frame(size);
  if (size > most_of_a_little || end > sender.straight_until) return false;
  unsigned char* const place = ring_straight_place(sender);
  const frame_header header{static_cast<uint32_t>(size), frame_whole, size};
  std::memcpy(place, &header, sizeof header);
  copy_little(place + sizeof header, data, size);
  sender.position = end;
  sender.state->head.store(end, std::memory_order_release);  // as in ring_publish
  return true;
}

// A place in the ring for a message in one piece, before it is sent. `skipped`: bytes at the end of the ring that stay empty before it.
struct reservation {
  uint64_t position = 0;  // of the payload
  uint64_t size = 0;
  uint64_t skipped = 0;
};

// Finds such a place, for at most half a ring. KITH_OK; KITH_E_TIMEOUT: no room yet (*needed bytes must be free); KITH_E_PROTOCOL: the
// receiver's position is impossible. `published`: the receiver was given an empty frame to take, and must perhaps be woken.
kith_status ring_reserve(ring_side& sender, uint64_t size, reservation& out, uint64_t* needed,
                         bool& published);
// Sends the first `size` bytes of it.
void ring_commit(ring_side& sender, const reservation& place, uint64_t size);

// A message on its way out, and how much of it is in the ring.
struct outgoing {
  const unsigned char* data;
  uint64_t size;
  uint64_t sent = 0;
  bool begun = false;
  bool in_one_frame = false;  // it must not go in parts
  bool done() const { return begun && sent == size; }
};

// Writes one frame if there is room for a sensible one. KITH_OK; KITH_E_TIMEOUT: no room yet (*needed bytes must be free);
// KITH_E_PROTOCOL: the receiver's position is impossible.
kith_status ring_send_frame(ring_side& sender, outgoing& message, uint64_t* needed);

// ---- receiving ---------------------------------------------------------------------------------------------------------------

struct frame_view {
  frame_header header;
  uint64_t position;  // of the payload
};

// Looks how far the sender is. false: its position is impossible.
inline bool ring_look_at_sender(ring_side& receiver) {
  // Acquire, with the release in ring_put_frame: the frames before this position are whole.
  const uint64_t head = receiver.state->head.load(std::memory_order_acquire);
  if (!ring_distance_is_sound(receiver, head - receiver.position)) return false;
  receiver.seen = head;
  return true;
}

// For who copies what has just come. How long it is stands in its first cache line, and a line that another core has written takes 100 ns:
// without this the next ones would be asked for when the first has come. Of a longer message the core sees by itself that there are more.
inline void ring_prefetch(const ring_side& receiver) {
  constexpr int line = 64, most = 4;
  const unsigned char* const place = ring_place_of_header(receiver);
  for (int i = 1; i < most; ++i) platform::prefetch_line(place + i * line);
}

inline bool ring_header_is_sound(const frame_header& header, uint64_t available) {
  if (ring_padded(header.payload) > available - sizeof header || header.payload > header.total) return false;
  if (header.flags < frame_whole) return true;
  const bool known = header.flags == frame_whole || header.flags == (frame_whole | frame_object) ||
                     header.flags == frame_skip;
  return known && header.payload == header.total;
}

// Once, into a local: a hostile sender may write while we check. Atomic loads, as of others a compiler might make two.
inline frame_header ring_read_header(const unsigned char* place) {
  static_assert(sizeof(frame_header) == 16);
  const std::atomic<uint64_t>* const words = reinterpret_cast<const std::atomic<uint64_t>*>(place);
  const uint64_t read[2] = {words[0].load(std::memory_order_relaxed),
                            words[1].load(std::memory_order_relaxed)};
  frame_header header;
  std::memcpy(&header, read, sizeof header);
  return header;
}

// Looks at the next frame. KITH_OK; KITH_E_TIMEOUT: there is none; KITH_E_PROTOCOL: what is there is no frame of ours.
inline kith_status ring_peek_frame(ring_side& receiver, frame_view& out) {
  if (receiver.seen == receiver.position && !ring_look_at_sender(receiver)) return KITH_E_PROTOCOL;
  const uint64_t available = receiver.seen - receiver.position;
  if (available == 0) return KITH_E_TIMEOUT;
  const frame_header header = ring_read_header(ring_place_of_header(receiver));
  if (!ring_header_is_sound(header, available)) return KITH_E_PROTOCOL;
  out = {header, receiver.position + sizeof header};
  return KITH_OK;
}

inline void ring_copy_out(const ring_side& receiver, const frame_view& frame, unsigned char* out) {
  receiver.bytes.copy_out(frame.position, out, frame.header.payload);
}

inline void ring_pass_frame(ring_side& receiver, const frame_view& frame) {
  receiver.position = frame.position + ring_padded(frame.header.payload);
}

// Release, with the acquire in ring_look_at_receiver: we are done reading before the room is used again.
inline void ring_give_back(ring_side& receiver) {
  receiver.state->tail.store(receiver.position, std::memory_order_release);
}

inline void ring_consume_frame(ring_side& receiver, const frame_view& frame) {
  ring_pass_frame(receiver, frame);
  ring_give_back(receiver);
}

// The counterpart of ring_send_little.
inline bool ring_receive_little(ring_side& receiver, void* buffer, uint64_t capacity, size_t& size) {
  if (receiver.position >= receiver.straight_until) return false;
  const unsigned char* const place = ring_straight_place(receiver);
  const frame_header header = ring_read_header(place);
  const uint64_t payload = header.payload, end = receiver.position + ring_bytes_of_frame(payload);
  if (header.flags != frame_whole || payload != header.total || payload > capacity) return false;
  if (payload > most_of_a_little || end > receiver.straight_until) return false;
  copy_little(buffer, place + sizeof header, payload);
  size = static_cast<size_t>(payload);
  receiver.position = end;
  receiver.state->tail.store(end, std::memory_order_release);  // as in ring_give_back
  return true;
}

}  // namespace kith::shm
