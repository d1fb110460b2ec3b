// SPDX-License-Identifier: MIT
#include "broadcast.h"

namespace kith::shm {

namespace {

constexpr uint64_t size_of_header = ring_alignment;

uint64_t relaxed(const std::atomic<uint64_t>& word) { return word.load(std::memory_order_relaxed); }
void set(std::atomic<uint64_t>& word, uint64_t value) { word.store(value, std::memory_order_relaxed); }

// ---- the lock ----------------------------------------------------------------------------------------------------------------------

// A call that does not wait waits for the lock all the same: it is held for the time of a copy, but by one who has reserved room.
constexpr uint64_t lock_patience_ns = 20 * ns_per_ms;

kith_status acquire(const broadcast_view& self, const patience& limits) {
  if (lock_try_fast(self.state->lock)) return KITH_OK;
  const kith_status status = lock_acquire_slow(self.state->lock, *self.waiting, limits);
  // What the dead one has written lies behind `head`: nobody has seen it.
  return status == KITH_OWNER_DIED ? lock_mark_consistent(self.state->lock) : status;
}

// And nobody is inside the bias then.
kith_status take_lock(const broadcast_view& self, const patience& limits) {
  patience own = limits;
  if (limits.until.at_ns == at_once.at_ns)
    own.until = deadline_after(platform::clock_now(), lock_patience_ns);
  kith_status status = acquire(self, own);
  if (status != KITH_OK) return status;
  status = bias_of(self).dismiss(*self.waiting, own);
  if (status != KITH_OK) (void)lock_release(self.state->lock, *self.waiting);
  return status;
}

void release_lock(const broadcast_view& self) { (void)lock_release(self.state->lock, *self.waiting); }

// ---- room --------------------------------------------------------------------------------------------------------------------------

constexpr uint64_t mark_count = 16;

uint64_t piece_of(const broadcast_view& self, uint64_t position) {
  return position >> (std::countr_zero(self.ring.size) - 4);  // the size is a power of two
}

// A frame that is there, or that will be there before there is one behind it: where a ring begins anew there always is one, and elsewhere
// frames follow upon each other. So a mark of a writer that was killed before it had published is none the worse.
void note_frame(const broadcast_view& self, uint64_t begin) {
  const uint64_t piece = piece_of(self, begin);
  std::atomic<uint64_t>& mark = self.state->marks[piece % mark_count];
  if (piece_of(self, relaxed(mark)) != piece) set(mark, begin);
}

// A frame at or behind `wanted`, not far behind; false: there is none, as what is noted is none of ours. The newest message is at most a quarter of
// the ring, and the piece of the ring in which it begins has a mark behind `wanted`.
bool find_frame(const broadcast_view& self, uint64_t head, uint64_t wanted, uint64_t& out) {
  for (uint64_t i = 0; i < mark_count; ++i) {
    const uint64_t piece = piece_of(self, wanted) + i, mark = relaxed(self.state->marks[piece % mark_count]);
    if (piece_of(self, mark) != piece || is_before(mark, wanted)) continue;
    out = mark;
    return is_before(mark, head) && mark % ring_alignment == 0;
  }
  return false;
}

struct slowest {
  uint64_t position;  // `head`: nobody is slow
  identity who;
  uint32_t readers;  // in all
};

slowest find_slowest(const broadcast_view& self, uint64_t head) {
  slowest found{head, {}, 0};
  for (uint32_t i = 0; i < self.seat_count; ++i) {
    const broadcast_seat& seat = self.seats[i];
    const identity who{relaxed(seat.process)};
    if (who.nobody()) continue;
    // Acquire, with the release of the reader: it has read what lies before it.
    const uint64_t position = seat.position.load(std::memory_order_acquire);
    ++found.readers;
    if (is_before(position, found.position)) found = {position, who, found.readers};
  }
  return found;
}

// Those that are in the way, and dead. The compare-and-swap names the very process that was found dead.
void clear_seats_of_the_dead(const broadcast_view& self, uint64_t before) {
  for (uint32_t i = 0; i < self.seat_count; ++i) {
    broadcast_seat& seat = self.seats[i];
    uint64_t process = relaxed(seat.process);
    if (process == 0 || !is_before(relaxed(seat.position), before)) continue;
    if (platform::alive(identity{process}) == liveness::dead)
      (void)seat.process.compare_exchange_strong(process, 0, std::memory_order_relaxed);
  }
}

// One who wants to publish a message. What is guarded by the lock is so for the favourite inside the bias, too.
class writer {
 public:
  writer(const broadcast_view& self, uint64_t size, const patience& limits)
      : self_(self), limits_(limits), size_(size) {}

  kith_status find_room();
  // KITH_OK: there is room, and the lock is held. KITH_E_BUSY: there is none now.
  kith_status take_room();
  kith_status wait_for_room();
  const broadcast_room& room() const { return room_; }

 private:
  kith_status raise_tail(uint64_t end);
  kith_status ask_the_seats(uint64_t end);
  bool fits(uint64_t from, uint64_t end) const { return end - from <= self_.ring.size; }

  const broadcast_view& self_;
  const patience& limits_;
  const uint64_t size_;
  broadcast_room room_{};
  watched laggards_;
  uint64_t wanted_ = 0;  // where all seats must be for it to be worth while to come
};

// More than is needed: an eighth of the ring, so that it need not be done for each message, and the word that all readers look at
// changes rarely.
kith_status writer::raise_tail(uint64_t end) {
  const uint64_t size = self_.ring.size;
  uint64_t tail = 0;
  if (!find_frame(self_, room_.head, end - size + size / 8, tail)) return KITH_E_PROTOCOL;
  set(self_.state->tail, tail);
  // Before the bytes that we are about to write: a reader that has read one of them then sees that it was overtaken. Release, with the
  // acquire fence of the reader.
  std::atomic_thread_fence(std::memory_order_release);
  return KITH_OK;
}

kith_status writer::ask_the_seats(uint64_t end) {
  const uint64_t tail = relaxed(self_.state->tail);
  std::atomic_thread_fence(
      std::memory_order_seq_cst);  // pairs with the one in sit_down (broadcast_reader.cpp)
  const slowest last = find_slowest(self_, tail);
  // No wake comes of one that dies, and another one may be last by then.
  laggards_ = {last.who, last.readers > 1};
  const uint64_t needed = end - self_.ring.size, better = room_.head - self_.ring.size + self_.ring.size / 4;
  wanted_ = is_before(needed, better) ? better : needed;
  const uint64_t granted = relaxed(self_.state->granted);
  if (is_before(granted, last.position) && room_.head - last.position <= self_.ring.size)
    set(self_.state->granted, last.position);
  return fits(relaxed(self_.state->granted), end) ? KITH_OK : KITH_E_BUSY;
}

kith_status writer::find_room() {
  broadcast_state& state = *self_.state;
  if (relaxed(state.shut) != 0) return KITH_E_CLOSED;
  const uint64_t head = relaxed(state.head);
  if (head % ring_alignment != 0) return KITH_E_PROTOCOL;
  const uint64_t bytes = broadcast_bytes_of(size_), left = self_.ring.size - (head & (self_.ring.size - 1));
  room_ = {head, bytes <= left ? head : head + left, size_, relaxed(broadcast_number(self_, head))};
  // With the header of the message after it.
  const uint64_t end = room_.begin + bytes + size_of_header;
  const uint64_t free_from = relaxed(self_.seats == nullptr ? state.tail : state.granted);
  if (head - free_from <= self_.ring.size && fits(free_from, end)) return KITH_OK;
  if (!fits(relaxed(state.tail), end)) {
    if (const kith_status status = raise_tail(end); status != KITH_OK) return status;
  }
  return self_.seats == nullptr ? KITH_OK : ask_the_seats(end);
}

kith_status writer::take_room() {
  kith_status status = take_lock(self_, limits_);
  if (status != KITH_OK) return status;
  status = find_room();
  if (status != KITH_OK) release_lock(self_);
  return status;
}

kith_status writer::wait_for_room() {
  return broadcast_keep_trying(
      self_, self_.state->writers, limits_, [&] { return take_room(); },
      [&] { return broadcast_ready(self_, KITH_WAIT_WRITE) != 0; }, [&] { return laggards_; },
      [&] { clear_seats_of_the_dead(self_, relaxed(self_.state->tail)); },
      [&] { set(self_.state->wanted, wanted_); });
}

// ---- publishing --------------------------------------------------------------------------------------------------------------------

// All but the bytes.
void finish(const broadcast_view& self, const broadcast_room& room, uint64_t size) {
  const uint64_t end = room.begin + broadcast_bytes_of(size);
  if (room.begin != room.head)
    set(broadcast_word(self, room.head, 0), broadcast_empty_frame | (room.begin - room.head));
  set(broadcast_word(self, room.begin, 0), size);
  set(broadcast_number(self, room.begin), room.number);
  set(broadcast_number(self, end), room.number + 1);
  note_frame(self, room.begin);
  self.state->head.store(end, std::memory_order_release);  // pairs with the acquires of the readers
}

void wake_and_ring(const broadcast_view& self) {
  if (relaxed(self.state->readers) != 0) broadcast_wake(self, self.state->readers);
  if (relaxed(self.state->poll_readers) != 0) ring_pollers(self.state->poll_readers, self.bells);
}

void tell_readers(const broadcast_view& self) {
  if (broadcast_readers_wait(self)) wake_and_ring(self);
}

void copy_in(const broadcast_view& self, const broadcast_room& room, const void* data, uint64_t size) {
  broadcast_copy_in(&broadcast_word(self, room.begin + size_of_header, 0), data, size);
}

// Behind the message that was just published, inside the bias. The next frame begins there, so it may be the mark of its piece.
void find_run(broadcast_writing& writing, const broadcast_room& done, uint64_t size) {
  const broadcast_view& self = writing.view;
  const uint64_t position = done.begin + broadcast_bytes_of(size), piece = self.ring.size / mark_count;
  const uint64_t used = position - relaxed(self.seats == nullptr ? self.state->tail : self.state->granted);
  // A piece ends where the ring does, or before.
  const uint64_t left = piece - (position & (piece - 1)),
                 room = used > self.ring.size ? 0 : self.ring.size - used;
  note_frame(self, position);
  writing.run = {position, position + (left < room ? left : room), done.number + 1};
}

kith_status publish_inside(broadcast_writing& writing, const void* data, uint64_t size) {
  const broadcast_view& self = writing.view;
  if (size > broadcast_largest_message(self.ring.size)) return KITH_E_TOO_LARGE;
  const patience none;
  writer one(self, size, none);
  const kith_status status = one.find_room();
  if (status != KITH_OK) return status;
  copy_in(self, one.room(), data, size);
  finish(self, one.room(), size);
  find_run(writing, one.room(), size);
  tell_readers(self);
  return KITH_OK;
}

}  // namespace

void broadcast_tell_readers_and_leave(const broadcast_view& self, uint32_t desk) {
  wake_and_ring(self);
  bias_of(self).leave(desk);
}

kith_status broadcast_publish_and_leave(broadcast_writing& writing, uint32_t desk, const void* data,
                                        uint64_t size) {
  const kith_status status = publish_inside(writing, data, size);
  bias_of(writing.view).leave(desk);
  return status;
}

kith_status broadcast_publish(const broadcast_view& self, const void* data, uint64_t size,
                              const patience& limits) {
  if (size > broadcast_largest_message(self.ring.size)) return KITH_E_TOO_LARGE;
  writer one(self, size, limits);
  if (const kith_status status = one.wait_for_room(); status != KITH_OK) return status;
  copy_in(self, one.room(), data, size);
  finish(self, one.room(), size);
  bias_of(self).end_turn();
  release_lock(self);
  tell_readers(self);
  return KITH_OK;
}

kith_status broadcast_reserve(const broadcast_view& self, uint64_t size, broadcast_room& out,
                              const patience& limits) {
  if (size > broadcast_largest_message(self.ring.size)) return KITH_E_TOO_LARGE;
  writer one(self, size, limits);
  if (const kith_status status = one.wait_for_room(); status != KITH_OK) return status;
  bias_of(self).have_none();  // it would not see that this turn goes on
  out = one.room();
  return KITH_OK;
}

void broadcast_commit(const broadcast_view& self, const broadcast_room& room, uint64_t size) {
  finish(self, room, size);
  bias_of(self).end_turn();
  release_lock(self);
  tell_readers(self);
}

void broadcast_abort(const broadcast_view& self) { release_lock(self); }

// With the lock, if it is to be had, so that nothing is published behind what readers take for the end.
void broadcast_shut(const broadcast_view& self) {
  patience limits;
  limits.until = at_once;
  const kith_status status = take_lock(self, limits);
  self.state->shut.store(1, std::memory_order_seq_cst);
  if (status == KITH_OK) release_lock(self);
  broadcast_wake_all(self);
}

void broadcast_wake_all(const broadcast_view& self) {
  broadcast_wake(self, self.state->readers);
  broadcast_wake(self, self.state->writers);
  tell_pollers(self.state->poll_readers, self.bells);
  tell_pollers(self.state->poll_writers, self.bells);
}

uint32_t broadcast_ready(const broadcast_view& self, uint32_t events) {
  const uint32_t wanted = events & KITH_WAIT_WRITE;
  if (self.seats == nullptr || self.state->shut.load(std::memory_order_acquire) != 0) return wanted;
  const uint64_t head = self.state->head.load(std::memory_order_acquire);
  return head - find_slowest(self, head).position <= self.ring.size / 2 ? wanted : 0;
}

}  // namespace kith::shm
