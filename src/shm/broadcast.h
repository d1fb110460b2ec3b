// SPDX-License-Identifier: MIT
// Broadcasts: messages in a ring, written in turns, read by any number of readers, each from a position of its own.
//
// A message is a frame in one piece: a header of its size and its number, then its bytes. It exists from the store of `head` on. The header
// behind the newest message has its number already: so whoever stands at `head` knows the number of the message that will come, and a
// writer that is killed leaves nothing to be repaired. Where a frame would wrap around, an empty one fills the ring up.
//
// What lies before `tail` may be overwritten at any time. Writers raise it first, in steps of an eighth of the ring, to one of the frames that they
// have noted for that (`marks`), and write then; a reader copies first, and looks at it then: what it has copied is good if `tail` has not passed it. So readers write nothing that others see, and
// a reader that was overtaken goes on at `tail`, where the number of the message tells it how many it has missed. Words of the ring
// are read and written one by one, relaxed, as reading while another one writes is in order here.
//
// Where readers hold the writers back, each has a seat with its position, which no writer overwrites. The seat names its process, so that of
// a dead one is taken away. A reader that sits down says where, then looks at `tail`; a writer raises `tail`, then looks at the seats; with a
// full fence between on both sides, one of them sees the other.
#pragma once

#include <kith/kith.h>

#include <atomic>
#include <bit>
#include <cstdint>
#include <cstring>

#include "../platform.h"
#include "byte_ring.h"
#include "lock_word.h"
#include "patience.h"
#include "poll_flag.h"
#include "shared_bias.h"

namespace kith::shm {

struct broadcast_state {
  lock_state lock;  // of the writers
  bias_state bias;  // beside it

  std::atomic<uint64_t> head;  // bytes ever published
  uint64_t head_line[7];

  std::atomic<uint64_t> tail;     // where the oldest message begins
  std::atomic<uint64_t> granted;  // no seat is before it. Guarded by the lock; only where there are seats
  uint64_t tail_line[6];

  std::atomic<uint64_t> readers;       // 1: somebody may sleep, on this word, until there is a message
  std::atomic<uint64_t> writers;       // the same, until there is room
  std::atomic<uint64_t> shut;          // 1: nothing can be published any more
  std::atomic<uint64_t> poll_readers;  // who waits on bells for a message: see poll_flag.h
  std::atomic<uint64_t> poll_writers;  // the same, for room
  std::atomic<uint64_t> wanted;        // who sleeps on `writers` waits until all seats are here
  uint64_t flag_line[2];

  // Of each sixteenth of the ring: the first frame that begins there. Guarded by the lock.
  std::atomic<uint64_t> marks[16];

  // The most that a new reader begins with; 0: all. Written before anybody else has the segment.
  std::atomic<uint64_t> history;
  uint64_t option_line[7];
};
static_assert(sizeof(broadcast_state) == 1024);

struct broadcast_seat {
  std::atomic<uint64_t> process;   // identity; 0: nobody sits here
  std::atomic<uint64_t> position;  // of the message that the reader reads next
  uint64_t reserved[6];
};
static_assert(sizeof(broadcast_seat) == 64);

// The data of the segment is the seats, where readers hold the writers back, and the ring behind them, whose size is the segment's
// element_size.
inline constexpr uint64_t broadcast_smallest = 4096, broadcast_largest = uint64_t{1} << 30;

inline bool broadcast_fits(uint64_t size_of_data, uint64_t size_of_ring) {
  if (size_of_ring < broadcast_smallest || size_of_ring > broadcast_largest ||
      (size_of_ring & (size_of_ring - 1)) != 0 || size_of_data < size_of_ring)
    return false;
  const uint64_t seats = size_of_data - size_of_ring;
  return seats % sizeof(broadcast_seat) == 0 && seats <= KITH_BROADCAST_MOST_READERS * sizeof(broadcast_seat);
}

// Of a message. With a quarter of the ring, and what is lost by not wrapping around, the newest message is never overwritten.
inline uint64_t broadcast_largest_message(uint64_t size_of_ring) {
  return size_of_ring / 4 - 2 * ring_alignment;
}

struct broadcast_view {
  broadcast_state* state = nullptr;
  broadcast_seat* seats = nullptr;  // nullptr: readers hold nobody back
  uint32_t seat_count = 0;
  byte_ring ring;
  wait_area* waiting = nullptr;
  const platform::bells* bells = nullptr;  // nullptr: nobody is told who waits on handles
  bias_threads* threads = nullptr;         // of this handle; for those who write
};

inline shared_bias bias_of(const broadcast_view& self) { return {self.state->bias, *self.threads}; }

// ---- writing: broadcast.cpp ----------------------------------------------------------------------------------------------------------

// Room for a message, for the one who holds the lock.
struct broadcast_room {
  uint64_t head;    // as it is until the message is published
  uint64_t begin;   // of the frame
  uint64_t size;    // of the message, at most
  uint64_t number;  // of the message
};

// For the shortest way of publishing: where messages may be written one after another without a look at anything but `head`. All of them
// lie in one piece, before `until` with the header behind them, there is room, and their sixteenth of the ring has its mark. Nothing that
// others do makes less of it, as long as `head` stands at `position`: `tail` and `granted` only grow. Guarded by the lock, or the
// bias.
struct broadcast_run {
  uint64_t position = 0;
  uint64_t until = 0;
  uint64_t number = 0;  // of the message that begins at the position
};

// What a handle of a process that publishes has beside the segment.
struct broadcast_writing {
  broadcast_view view;
  broadcast_run run;
  bias_threads threads;
  std::atomic<uint64_t> reserved_by{0};  // the thread that has reserved room; 0: none
  broadcast_room room{};                 // that thread's
};

// Without waiting for anybody, if this thread is the writers' favourite. KITH_E_BUSY: it is not, or there is no room now.
kith_status broadcast_publish_fast(broadcast_writing& writing, const void* data, uint64_t size);
kith_status broadcast_publish(const broadcast_view& self, const void* data, uint64_t size,
                              const patience& limits);
// KITH_OK: the calling thread holds the lock, until it commits or aborts.
kith_status broadcast_reserve(const broadcast_view& self, uint64_t size, broadcast_room& out,
                              const patience& limits);
void broadcast_commit(const broadcast_view& self, const broadcast_room& room, uint64_t size);
void broadcast_abort(const broadcast_view& self);

void broadcast_shut(const broadcast_view& self);
void broadcast_wake_all(const broadcast_view& self);
// Which of the events are true now for those who write: KITH_WAIT_WRITE, or nothing. A hint.
uint32_t broadcast_ready(const broadcast_view& self, uint32_t events);

// ---- reading: broadcast_reader.cpp -----------------------------------------------------------------------------------------------------

inline constexpr uint32_t no_seat = UINT32_MAX;

// Local to a process.
struct broadcast_reader {
  uint64_t position = 0;  // of the frame that it reads next
  uint64_t number = 0;    // of the message that it has not seen yet
  uint64_t seen = 0;      // `head`, when it was last looked at
  uint64_t straight =
      0;  // for the shortest way of reading: in so many bytes from the position on there are frames, and none wraps
  uint32_t seat = no_seat;
};

struct broadcast_message {
  uint64_t begin;  // of the frame
  uint64_t end;
  uint64_t size;
  uint64_t number;
};

// Begins with the last `history` messages, or as many of them as there are. KITH_E_LIMIT: no seat is free; KITH_E_PROTOCOL.
kith_status broadcast_join(const broadcast_view& self, uint64_t history, broadcast_reader& out);
void broadcast_leave(const broadcast_view& self, broadcast_reader& reader);

struct broadcast_item {
  void* buffer;
  uint64_t capacity;
  uint64_t size;  // of the message: also when it is larger than the buffer, and stays
  uint64_t missed;
};

// A little message, when none was missed before it, and it was not overwritten meanwhile. false: another way must do it.
bool broadcast_take_little(const broadcast_view& self, broadcast_reader& reader, void* buffer,
                           uint64_t capacity, size_t& out_size);
// After a message was taken in another way: those that were published with it may be taken by that one.
void broadcast_find_straight(const broadcast_view& self, broadcast_reader& reader);
// KITH_E_BUSY: there is none now.
kith_status broadcast_take(const broadcast_view& self, broadcast_reader& reader, broadcast_item& item);
kith_status broadcast_look(const broadcast_view& self, broadcast_reader& reader, broadcast_message& out);
// The same, with patience.
kith_status broadcast_next(const broadcast_view& self, broadcast_reader& reader, broadcast_item& item,
                           const patience& limits);
// Where the next message is. It is the reader's until broadcast_consume where the reader has a seat; else it may be overwritten.
kith_status broadcast_peek(const broadcast_view& self, broadcast_reader& reader, broadcast_message& out,
                           const patience& limits);
// KITH_MISSED: it was overwritten meanwhile. It will be among those that were missed.
kith_status broadcast_consume(const broadcast_view& self, broadcast_reader& reader,
                              const broadcast_message& seen);

bool broadcast_has_more(const broadcast_view& self, const broadcast_reader& reader);  // or the end
// How many messages were ever published; false: it cannot be told, as what is there is rubbish.
bool broadcast_count(const broadcast_view& self, uint64_t& out);

// ---- both ---------------------------------------------------------------------------------------------------------------------------------

struct broadcast_frame {
  uint64_t bytes;  // of all of it
  uint64_t size;   // of the message
  uint64_t number;
  bool is_empty;  // fills the ring up
};

inline std::atomic<uint64_t>& broadcast_word(const broadcast_view& self, uint64_t position, uint64_t index) {
  unsigned char* const at = self.ring.bytes + (position & (self.ring.size - 1));
  return reinterpret_cast<std::atomic<uint64_t>*>(at)[index];
}

// Of the message in the frame that begins there.
inline unsigned char* broadcast_bytes(const broadcast_view& self, uint64_t begin) {
  return self.ring.bytes + ((begin + ring_alignment) & (self.ring.size - 1));
}

// The number in the header at a position.
inline std::atomic<uint64_t>& broadcast_number(const broadcast_view& self, uint64_t position) {
  return broadcast_word(self, position, 1);
}

inline constexpr uint64_t broadcast_empty_frame =
    uint64_t{1} << 63;  // a flag in the first word of a header, beside its bytes

inline uint64_t broadcast_bytes_of(uint64_t size) { return ring_alignment + ring_padded(size); }

// What is at a position, if that can be a frame that ends at `head` or before.
inline bool broadcast_frame_at(const broadcast_view& self, uint64_t head, uint64_t position,
                               broadcast_frame& out) {
  const uint64_t used = head - position;
  if (used > self.ring.size || ((used | position) & (ring_alignment - 1)) != 0) return false;
  const uint64_t first = broadcast_word(self, position, 0).load(std::memory_order_relaxed);
  out.number = broadcast_number(self, position).load(std::memory_order_relaxed);
  out.is_empty = (first & broadcast_empty_frame) != 0;
  const uint64_t left = self.ring.size - (position & (self.ring.size - 1));
  if (out.is_empty) {
    out.size = 0;
    out.bytes = first & ~broadcast_empty_frame;
    return out.bytes == left && out.bytes <= used;
  }
  if (first > broadcast_largest_message(self.ring.size)) return false;
  out.size = first;
  out.bytes = broadcast_bytes_of(first);
  return out.bytes <= left && out.bytes <= used;
}

// Whether a lies before b. Positions are counted for ever.
inline bool is_before(uint64_t a, uint64_t b) { return static_cast<int64_t>(a - b) < 0; }

// Whether what was read from that position on was not being overwritten. Acquire, with the release fence in writer::raise_tail.
inline bool broadcast_was_intact(const broadcast_view& self, uint64_t position) {
  std::atomic_thread_fence(std::memory_order_acquire);
  return !is_before(position, self.state->tail.load(std::memory_order_relaxed));
}

// ---- the shortest ways --------------------------------------------------------------------------------------------------------------------

// Of the ring, one by one and relaxed: others may write there while we read, or read while we write.
inline void broadcast_copy_in(std::atomic<uint64_t>* to, const void* data, uint64_t size) {
  const unsigned char* from = static_cast<const unsigned char*>(data);
  const auto one = [&](uint64_t index) {
    uint64_t word = 0;
    std::memcpy(&word, from + index * sizeof word, sizeof word);
    to[index].store(word, std::memory_order_relaxed);
  };
  for (; size >= 4 * sizeof(uint64_t); size -= 4 * sizeof(uint64_t), from += 4 * sizeof(uint64_t), to += 4) {
    one(0), one(1), one(2), one(3);
  }
  for (; size >= sizeof(uint64_t); size -= sizeof(uint64_t), from += sizeof(uint64_t)) {
    one(0);
    ++to;
  }
  if (size == 0) return;
  uint64_t word = 0;
  std::memcpy(&word, from, static_cast<size_t>(size));
  to->store(word, std::memory_order_relaxed);
}

inline void broadcast_copy_out(const std::atomic<uint64_t>* from, void* data, uint64_t size) {
  unsigned char* to = static_cast<unsigned char*>(data);
  const auto one = [&](uint64_t index) {
    const uint64_t word = from[index].load(std::memory_order_relaxed);
    std::memcpy(to + index * sizeof word, &word, sizeof word);
  };
  for (; size >= 4 * sizeof(uint64_t); size -= 4 * sizeof(uint64_t), to += 4 * sizeof(uint64_t), from += 4) {
    one(0), one(1), one(2), one(3);
  }
  for (; size >= sizeof(uint64_t); size -= sizeof(uint64_t), to += sizeof(uint64_t)) {
    one(0);
    ++from;
  }
  if (size == 0) return;
  const uint64_t word = from->load(std::memory_order_relaxed);
  std::memcpy(to, &word, static_cast<size_t>(size));
}

// Inside the bias: publishes a little message, as `finish` in broadcast.cpp does, but for what the run spares. false: another way must do it.
inline bool broadcast_publish_little(broadcast_writing& writing, const void* data, uint64_t size) {
  const broadcast_view& self = writing.view;
  broadcast_run& run = writing.run;
  const uint64_t bytes = broadcast_bytes_of(size), end = run.position + bytes;
  if (size > most_of_a_little || end + ring_alignment > run.until) return false;
  // Relaxed, both: by the lock or the bias, what the last writer did comes before. Another one may have gone on from our position.
  if (self.state->head.load(std::memory_order_relaxed) != run.position ||
      self.state->shut.load(std::memory_order_relaxed) != 0)
    return false;
  std::atomic<uint64_t>* const words = &broadcast_word(self, run.position, 0);
  broadcast_copy_in(words + ring_alignment / sizeof(uint64_t), data, size);
  words[0].store(size, std::memory_order_relaxed);
  words[1].store(run.number, std::memory_order_relaxed);
  words[bytes / sizeof(uint64_t) + 1].store(run.number + 1, std::memory_order_relaxed);
  run.position = end;
  ++run.number;
  self.state->head.store(end, std::memory_order_release);  // pairs with the acquires of the readers
  return true;
}

// After a message was published: whether anybody must be told of it.
inline bool broadcast_readers_wait(const broadcast_view& self) {
  platform::light_fence();  // pairs with the heavy ones of who sleeps, and of who raises a poll flag
  return (self.state->readers.load(std::memory_order_relaxed) |
          self.state->poll_readers.load(std::memory_order_relaxed)) != 0;
}

// The rest of a call, inside the bias at that desk.
void broadcast_tell_readers_and_leave(const broadcast_view& self, uint32_t desk);
kith_status broadcast_publish_and_leave(broadcast_writing& writing, uint32_t desk, const void* data,
                                        uint64_t size);

inline kith_status broadcast_publish_fast(broadcast_writing& writing, const void* data, uint64_t size) {
  const shared_bias bias = bias_of(writing.view);
  const uint32_t desk = bias.enter();
  if (desk == shared_bias::no_desk) [[unlikely]]
    return KITH_E_BUSY;
  if (!broadcast_publish_little(writing, data, size)) [[unlikely]]
    return broadcast_publish_and_leave(writing, desk, data, size);
  if (broadcast_readers_wait(writing.view)) [[unlikely]] {
    broadcast_tell_readers_and_leave(writing.view, desk);
    return KITH_OK;
  }
  bias.leave(desk);
  return KITH_OK;
}

// `before`: where the seat was.
void broadcast_tell_writers(const broadcast_view& self, const broadcast_reader& reader, uint64_t before);

// With a seat: from now on writers may overwrite what lies before the position.
inline void broadcast_give_back(const broadcast_view& self, const broadcast_reader& reader, uint64_t before) {
  // Release, with the acquire in find_slowest (broadcast.cpp): we have read it.
  self.seats[reader.seat].position.store(reader.position, std::memory_order_release);
  platform::light_fence();  // pairs with the heavy ones of who sleeps, and of who raises a poll flag
  const uint64_t flags = self.state->writers.load(std::memory_order_relaxed) |
                         self.state->poll_writers.load(std::memory_order_relaxed);
  if (flags != 0) [[unlikely]]
    broadcast_tell_writers(self, reader, before);
}

inline bool broadcast_take_little(const broadcast_view& self, broadcast_reader& reader, void* buffer,
                                  uint64_t capacity, size_t& out_size) {
  const uint64_t position = reader.position;
  if (reader.straight == 0) return false;  // a writer may be writing there, or it is no position
  const std::atomic<uint64_t>* const words = &broadcast_word(self, position, 0);
  // Each once, into a local.
  const uint64_t size = words[0].load(std::memory_order_relaxed);
  const uint64_t number = words[1].load(std::memory_order_relaxed);
  if (size > most_of_a_little || size > capacity || number != reader.number) return false;
  const uint64_t bytes = broadcast_bytes_of(size);
  if (bytes > reader.straight) return false;
  broadcast_copy_out(words + ring_alignment / sizeof(uint64_t), buffer, size);
  if (reader.seat == no_seat && !broadcast_was_intact(self, position)) return false;
  reader.position = position + bytes;
  reader.straight -= bytes;
  reader.number = number + 1;
  out_size = static_cast<size_t>(size);
  if (reader.seat != no_seat) broadcast_give_back(self, reader, position);
  return true;
}

// ---- waiting ------------------------------------------------------------------------------------------------------------------------------

// Wakes all that sleep on a flag: each of them has something to look at.
inline void broadcast_wake(const broadcast_view& self, std::atomic<uint64_t>& flag) {
  flag.store(0);
  platform::wake(*self.waiting, flag, UINT32_MAX);
}

// Tries until it succeeds or must stop. `attempt()` answers KITH_E_BUSY for "not now", `possible()` tells those who spin that it is time to
// try, and `whom()` says whose death matters, if anybody's; `look_around()` comes before an attempt when it may be that one is dead, and `say()` before the flag
// is raised. Sleepers are all woken together, so whoever goes owes the others nothing.
template <class Attempt, class Possible, class Whom, class LookAround, class Say>
kith_status broadcast_keep_trying(const broadcast_view& self, std::atomic<uint64_t>& flag,
                                  const patience& limits, Attempt attempt, Possible possible, Whom whom,
                                  LookAround look_around, Say say) {
  kith_status status = attempt();
  if (status != KITH_E_BUSY) return status;
  if (limits.spin_for(possible, pace::rare)) status = attempt();
  waiter waiting(limits);
  while (status == KITH_E_BUSY) {
    const uint64_t now = platform::clock_now();
    if (passed(limits.until, now) && !whom().one.nobody() && waiting.should_look_around_when_polling(now)) {
      look_around();
      status = attempt();
      if (status != KITH_E_BUSY) break;
    }
    if (const kith_status stop = waiting.must_stop(now); stop != KITH_OK) return stop;
    say();
    flag.store(1, std::memory_order_relaxed);
    platform::heavy_fence();  // pairs with the light one of who changes something
    status = attempt();
    if (status != KITH_E_BUSY) break;
    waiting.sleep(*self.waiting, flag, 1, whom(), now);
    if (waiting.should_look_around()) look_around();
    status = attempt();
  }
  return status;
}

}  // namespace kith::shm
