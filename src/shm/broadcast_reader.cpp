// SPDX-License-Identifier: MIT
#include "broadcast.h"

namespace kith::shm {

namespace {

uint64_t relaxed(const std::atomic<uint64_t>& word) { return word.load(std::memory_order_relaxed); }
uint64_t acquired(const std::atomic<uint64_t>& word) { return word.load(std::memory_order_acquire); }

// No honest writer is so fast that one who looks so often never finds anything in peace.
constexpr int most_tries = 100;

// One with a seat is never overtaken.
bool is_intact(const broadcast_view& self, const broadcast_reader& reader, uint64_t position) {
  return reader.seat != no_seat || broadcast_was_intact(self, position);
}

// `head`, and the number of the message that will be there.
bool find_end(const broadcast_view& self, uint64_t& head, uint64_t& number) {
  for (int i = 0; i < most_tries; ++i) {
    head = acquired(self.state->head);
    if (head % ring_alignment != 0) return false;
    number = relaxed(broadcast_number(self, head));
    if (broadcast_was_intact(self, head)) return true;
  }
  return false;
}

// ---- seats -----------------------------------------------------------------------------------------------------------------------

uint32_t claim_seat(const broadcast_view& self) {
  const uint64_t me = platform::self().bits;
  for (const bool look_around : {false, true}) {
    for (uint32_t i = 0; i < self.seat_count; ++i) {
      std::atomic<uint64_t>& process = self.seats[i].process;
      uint64_t occupant = relaxed(process);
      const auto is_free = [&] {
        return occupant == 0 || (look_around && platform::alive(identity{occupant}) == liveness::dead);
      };
      // Once more where it failed: a writer may just have taken the seat from the dead one. Acquire, with the release of who left it. The seat
      // of a dead one keeps its old position until we write ours: it holds the writers back for that moment.
      for (int tries = 0; tries < most_tries && is_free(); ++tries) {
        if (process.compare_exchange_strong(occupant, me, std::memory_order_acquire,
                                            std::memory_order_relaxed))
          return i;
      }
    }
  }
  return no_seat;
}

void seats_have_changed(const broadcast_view& self) {
  platform::light_fence();  // pairs with the heavy ones of who waits for room
  if (relaxed(self.state->writers) != 0) broadcast_wake(self, self.state->writers);
  if (relaxed(self.state->poll_writers) != 0) ring_pollers(self.state->poll_writers, self.bells);
}

// At the oldest message that no writer is about to overwrite.
bool sit_down(const broadcast_view& self, broadcast_seat& seat, uint64_t& position) {
  for (int i = 0; i < most_tries; ++i) {
    position = acquired(self.state->tail);
    seat.position.store(position, std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_seq_cst);  // pairs with the one in writer::ask_the_seats
    if (relaxed(self.state->tail) == position) return true;
  }
  return false;
}

// Of those that arrive while the writer sleeps, the last one sees all others: each has said where it is, then looks, with a full fence between.
// And those that had arrived before it slept: who did not see its flag was there before its heavy fence, and we, whom it did not see, came after
// that.
bool all_are_at(const broadcast_view& self, uint64_t wanted) {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  for (uint32_t i = 0; i < self.seat_count; ++i) {
    const broadcast_seat& seat = self.seats[i];
    if (relaxed(seat.process) != 0 && is_before(relaxed(seat.position), wanted)) return false;
  }
  return true;
}

void move_on(const broadcast_view& self, broadcast_reader& reader, uint64_t position) {
  reader.position = position;
  if (reader.seat == no_seat) return;
  broadcast_give_back(self, reader, relaxed(self.seats[reader.seat].position));
}

// ---- where to begin --------------------------------------------------------------------------------------------------------------

// From `reader.position` on to the message of that number, or to the end, or as far as `until`. KITH_E_BUSY: it was overtaken on the way.
kith_status walk(const broadcast_view& self, broadcast_reader& reader, uint64_t number, uint64_t until) {
  while (reader.position != reader.seen && is_before(reader.position, until)) {
    broadcast_frame frame{};
    const bool is_frame = broadcast_frame_at(self, reader.seen, reader.position, frame);
    if (!is_intact(self, reader, reader.position)) return KITH_E_BUSY;
    if (!is_frame) return KITH_E_PROTOCOL;
    if (!frame.is_empty && !is_before(frame.number, number)) return KITH_OK;
    reader.position += frame.bytes;
  }
  return KITH_OK;
}

// One with a seat begins there at the earliest.
kith_status find_beginning(const broadcast_view& self, uint64_t history, broadcast_reader& reader) {
  const uint64_t place_of_seat = reader.position;
  for (int i = 0; i < most_tries; ++i) {
    uint64_t next = 0;
    if (!find_end(self, reader.seen, next)) return KITH_E_PROTOCOL;
    const uint64_t oldest = reader.seat == no_seat ? acquired(self.state->tail) : place_of_seat;
    reader.position = history == 0 ? reader.seen : oldest;
    if (is_before(reader.seen, reader.position)) continue;
    const kith_status status = walk(self, reader, next < history ? 0 : next - history, reader.seen);
    if (status == KITH_E_BUSY) continue;
    if (status != KITH_OK) return status;
    reader.number = relaxed(broadcast_number(self, reader.position));
    if (is_intact(self, reader, reader.position)) return KITH_OK;
  }
  return KITH_E_PROTOCOL;
}

// ---- the next message ------------------------------------------------------------------------------------------------------------

// To the oldest message; from the second time on, as the reader is slow, with more and more of a start on the writers.
// KITH_E_BUSY: overtaken again.
kith_status catch_up(const broadcast_view& self, broadcast_reader& reader, int times) {
  const uint64_t tail = acquired(self.state->tail);
  if (!is_before(reader.position, tail)) return KITH_E_PROTOCOL;
  reader.position = tail;
  reader.seen = acquired(self.state->head);
  if (reader.seen % ring_alignment != 0 || is_before(reader.seen, tail)) return KITH_E_PROTOCOL;
  const uint64_t start = self.ring.size / 8 * static_cast<uint64_t>(times < 4 ? times : 4);
  return times == 0 ? KITH_OK : walk(self, reader, UINT64_MAX / 2 + reader.number, tail + start);
}

// KITH_OK: a frame of a message, which was intact when it was looked at. KITH_E_BUSY: there is none; KITH_E_TIMEOUT: overtaken.
kith_status look_once(const broadcast_view& self, broadcast_reader& reader, broadcast_message& out) {
  for (;;) {
    if (reader.position == reader.seen) reader.seen = acquired(self.state->head);
    if (reader.position == reader.seen) return KITH_E_BUSY;
    broadcast_frame frame{};
    const bool is_frame = broadcast_frame_at(self, reader.seen, reader.position, frame);
    if (!is_intact(self, reader, reader.position)) return KITH_E_TIMEOUT;
    if (!is_frame) return KITH_E_PROTOCOL;
    if (!frame.is_empty) {
      out = {reader.position, reader.position + frame.bytes, frame.size, frame.number};
      return is_before(frame.number, reader.number) ? KITH_E_PROTOCOL : KITH_OK;
    }
    reader.position += frame.bytes;  // it ends where the ring does, so the next one is none of these
  }
}

// `times`: how often it has been overtaken in this call.
kith_status look(const broadcast_view& self, broadcast_reader& reader, broadcast_message& out, int& times) {
  while (times < most_tries) {
    kith_status status = look_once(self, reader, out);
    if (status != KITH_E_TIMEOUT) return status;
    status = catch_up(self, reader, times++);
    if (status != KITH_OK && status != KITH_E_BUSY) return status;
  }
  return KITH_E_PROTOCOL;
}

bool is_shut(const broadcast_view& self) { return self.state->shut.load(std::memory_order_seq_cst) != 0; }

// The end is told when there is nothing before it: `head` is looked at once more after `shut`.
kith_status look_to_the_end(const broadcast_view& self, broadcast_reader& reader, broadcast_message& out,
                            int& times) {
  kith_status status = look(self, reader, out, times);
  if (status != KITH_E_BUSY || !is_shut(self)) return status;
  status = look(self, reader, out, times);
  return status == KITH_E_BUSY ? KITH_E_CLOSED : status;
}

template <class Attempt>
kith_status wait_for_message(const broadcast_view& self, broadcast_reader& reader, const patience& limits,
                             Attempt attempt) {
  return broadcast_keep_trying(
      self, self.state->readers, limits, attempt, [&] { return broadcast_has_more(self, reader); },
      [] { return watched{}; }, [] {}, [] {});
}

}  // namespace

kith_status broadcast_join(const broadcast_view& self, uint64_t history, broadcast_reader& out) {
  broadcast_reader made;
  const uint64_t most = relaxed(self.state->history);
  const uint64_t wanted = most != 0 && most < history ? most : history;
  if (self.seats != nullptr) {
    made.seat = claim_seat(self);
    if (made.seat == no_seat) return KITH_E_LIMIT;
    if (!sit_down(self, self.seats[made.seat], made.position)) {
      broadcast_leave(self, made);
      return KITH_E_PROTOCOL;
    }
  }
  const kith_status status = find_beginning(self, wanted, made);
  if (status != KITH_OK) {
    broadcast_leave(self, made);
    return status;
  }
  move_on(self, made, made.position);
  // Until it sat down it looked like one who lags far behind.
  if (self.seats != nullptr) seats_have_changed(self);
  out = made;
  return KITH_OK;
}

// In a forked child the seat is the parent's.
void broadcast_leave(const broadcast_view& self, broadcast_reader& reader) {
  if (reader.seat == no_seat) return;
  std::atomic<uint64_t>& process = self.seats[reader.seat].process;
  uint64_t me = platform::self().bits;
  reader.seat = no_seat;
  if (!process.compare_exchange_strong(me, 0, std::memory_order_release, std::memory_order_relaxed)) return;
  seats_have_changed(self);
}

// Who sleeps is woken when all readers are where he wants them, by the last of them that comes there.
void broadcast_tell_writers(const broadcast_view& self, const broadcast_reader& reader, uint64_t before) {
  if (relaxed(self.state->writers) != 0) {
    const uint64_t wanted = relaxed(self.state->wanted);
    const bool arrives = is_before(before, wanted) && !is_before(reader.position, wanted);
    if (arrives && all_are_at(self, wanted)) broadcast_wake(self, self.state->writers);
  }
  const uint64_t unread = reader.seen - reader.position;
  if (unread <= self.ring.size / 2 && relaxed(self.state->poll_writers) != 0)
    ring_pollers(self.state->poll_writers, self.bells);
}

// `seen` is possible: a message was found before it.
void broadcast_find_straight(const broadcast_view& self, broadcast_reader& reader) {
  const uint64_t known = reader.seen - reader.position;
  const uint64_t left = self.ring.size - (reader.position & (self.ring.size - 1));
  reader.straight = known < left ? known : left;
}

kith_status broadcast_take(const broadcast_view& self, broadcast_reader& reader, broadcast_item& item) {
  for (int times = 0; times < most_tries;) {
    broadcast_message found{};
    const kith_status status = look_to_the_end(self, reader, found, times);
    if (status != KITH_OK) return status;
    item.size = found.size;
    if (found.size > item.capacity) return KITH_E_TOO_LARGE;
    broadcast_copy_out(&broadcast_word(self, found.begin + ring_alignment, 0), item.buffer, found.size);
    if (!is_intact(self, reader, found.begin)) continue;
    item.missed = found.number - reader.number;
    reader.number = found.number + 1;
    move_on(self, reader, found.end);
    return item.missed == 0 ? KITH_OK : KITH_MISSED;
  }
  return KITH_E_PROTOCOL;
}

kith_status broadcast_look(const broadcast_view& self, broadcast_reader& reader, broadcast_message& out) {
  int times = 0;
  return look_to_the_end(self, reader, out, times);
}

kith_status broadcast_next(const broadcast_view& self, broadcast_reader& reader, broadcast_item& item,
                           const patience& limits) {
  return wait_for_message(self, reader, limits, [&] { return broadcast_take(self, reader, item); });
}

kith_status broadcast_peek(const broadcast_view& self, broadcast_reader& reader, broadcast_message& out,
                           const patience& limits) {
  return wait_for_message(self, reader, limits, [&] { return broadcast_look(self, reader, out); });
}

kith_status broadcast_consume(const broadcast_view& self, broadcast_reader& reader,
                              const broadcast_message& seen) {
  if (!is_intact(self, reader, seen.begin)) return KITH_MISSED;
  reader.number = seen.number + 1;
  move_on(self, reader, seen.end);
  return KITH_OK;
}

bool broadcast_has_more(const broadcast_view& self, const broadcast_reader& reader) {
  return acquired(self.state->head) != reader.position || is_shut(self);
}

bool broadcast_count(const broadcast_view& self, uint64_t& out) {
  uint64_t head = 0;
  return find_end(self, head, out);
}

}  // namespace kith::shm
