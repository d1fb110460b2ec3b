// SPDX-License-Identifier: MIT
#include "channel_turn.h"

#include <utility>

namespace kith {

namespace {

// What belongs to one direction of an end.
struct turn_place {
  shm::lock_state& lock;
  bias& favourite;
  std::atomic<uint64_t>& kept_by;
};

turn_place place_of(channel_object& self, turn::way direction) {
  if (direction == turn::way::send) return {self.mine().sending, self.send_bias, self.sends_on};
  return {self.mine().receiving, self.receive_bias, self.receives_on};
}

// Where the last turn of another process ended.
bool read_positions(channel_object& self, turn::way direction) {
  return direction == turn::way::send ? shm::ring_open_sender(self.sender)
                                      : shm::ring_open_receiver(self.receiver);
}

// Of a shared end no other process can go on with what this one has begun to receive.
bool must_keep_turn(const channel_object& self, turn::way direction) {
  return direction == turn::way::receive && self.terms.shared_ends &&
         (self.assembling || !self.assembly.empty());
}

// The lock stays ours, of no thread. Release, with the acquire of the thread that goes on.
void keep_turn(channel_object& self, const turn_place& place) {
  place.lock.holder.store(0, std::memory_order_relaxed);
  self.keeps_turn.store(true, std::memory_order_release);
}

bool take_kept_turn(channel_object& self, const turn_place& place) {
  if (!self.keeps_turn.load(std::memory_order_relaxed) ||
      !self.keeps_turn.exchange(false, std::memory_order_acquire))
    return false;
  place.lock.holder.store(shm::thread_token(platform::self()), std::memory_order_relaxed);
  return true;
}

// How often a thread that waits for the lock looks whether another thread of this process has left the turn to it.
constexpr int64_t look_for_kept_turn_ms = 100;

bool is_later(deadline a, deadline b) { return a.at_ns > b.at_ns; }

}  // namespace

turn::turn(channel_object& self, way direction, const shm::patience& limits)
    : self_(self), direction_(direction) {
  status_ = begin(limits);
}

kith_status turn::acquire(const shm::patience& limits) {
  const turn_place place = place_of(self_, direction_);
  if (direction_ == way::send || !self_.terms.shared_ends)
    return shm::lock_acquire(place.lock, self_.segment.waiting, limits);
  for (;;) {
    if (take_kept_turn(self_, place) || shm::lock_try_fast(place.lock)) return KITH_OK;
    shm::patience slice = limits;
    const deadline look = deadline_in(platform::clock_now(), look_for_kept_turn_ms);
    const bool is_last = !is_later(limits.until, look);
    if (!is_last) slice.until = look;
    const kith_status status = shm::lock_acquire(place.lock, self_.segment.waiting, slice);
    if (status != KITH_E_TIMEOUT || is_last) return status;
  }
}

kith_status turn::begin(const shm::patience& limits) {
  // First: once the end has moved, its new holder may have the lock for as long as it likes.
  if (kith_status status = look_at_self(self_); status != KITH_OK) return status;
  // By our own note, not by what stands in the segment.
  if (is_kept(self_, direction_)) return KITH_E_DEADLOCK;
  const turn_place place = place_of(self_, direction_);
  kith_status status = acquire(limits);
  if (status == KITH_OWNER_DIED) status = shm::lock_mark_consistent(place.lock);
  // No thread of ours ever comes here with the lock in its hands: somebody else has written to it.
  if (status == KITH_E_DEADLOCK || status == KITH_E_LIMIT || status == KITH_E_NOT_OWNER)
    return KITH_E_PROTOCOL;
  if (status != KITH_OK) return status;
  taken_ = true;
  if (status = look_at_self(self_); status != KITH_OK) return status;
  if (self_.terms.shared_ends) return read_positions(self_, direction_) ? KITH_OK : KITH_E_PROTOCOL;
  if (!place.favourite.is_mine()) place.favourite.dismiss([&] { channel_nap(self_); });
  return KITH_OK;
}

turn::~turn() {
  if (!taken_) return;
  const turn_place place = place_of(self_, direction_);
  if (must_keep_turn(self_, direction_)) {
    keep_turn(self_, place);
    return;
  }
  // Of an end that has moved nobody becomes the favourite.
  if (status_ == KITH_OK && !self_.terms.shared_ends) place.favourite.end_turn();
  (void)shm::lock_release(place.lock, self_.segment.waiting);
}

// The favourite would not see that its turn goes on. So there is none for as long as it does.
void turn::keep() {
  const turn_place place = place_of(self_, direction_);
  place.favourite.resign();
  place.kept_by.store(platform::current_thread(), std::memory_order_relaxed);
  taken_ = false;
}

// Relaxed: only this thread ever writes its own name.
bool turn::is_kept(const channel_object& self, way direction) {
  const std::atomic<uint64_t>& kept_by = direction == way::send ? self.sends_on : self.receives_on;
  return kept_by.load(std::memory_order_relaxed) == platform::current_thread();
}

void turn::end_kept(channel_object& self, way direction) {
  const turn_place place = place_of(self, direction);
  place.kept_by.store(0, std::memory_order_relaxed);
  if (must_keep_turn(self, direction)) return keep_turn(self, place);
  if (!self.terms.shared_ends && look_at_self(self) == KITH_OK) place.favourite.end_turn();
  (void)shm::lock_release(place.lock, self.segment.waiting);
}

// The lock may be that of a shared end, whose other holders wait for it; and the thread that has it need not be this one.
void turn::end_forsaken(channel_object& self, way direction) {
  const turn_place place = place_of(self, direction);
  const bool by_process = direction == way::receive && self.keeps_turn.exchange(false);
  if (!by_process && place.kept_by.load(std::memory_order_relaxed) == 0) return;
  place.kept_by.store(0, std::memory_order_relaxed);
  place.lock.holder.store(0, std::memory_order_relaxed);
  place.lock.word.store(0, std::memory_order_release);  // pairs with the acquires of the next owner
  platform::heavy_fence();                              // as the light one in lock_let_go
  shm::lock_wake_one(place.lock, self.segment.waiting);
}

// ---- looking around --------------------------------------------------------------------------------------------------------------

bool closed_by_peer(channel_object& self) {
  // Acquire, with the release in begin_close: what was sent before the close is in the ring when we look there again.
  return self.theirs().closed.load(std::memory_order_acquire) != 0;
}

kith_status look_at_peer(channel_object& self) {
  if (closed_by_peer(self)) return KITH_E_CLOSED;
  if (platform::stream_look(self.stream) != platform::stream_state::ended) return KITH_OK;
  // It may have closed in good order between the two looks: it raises its flag before it ends its stream.
  return closed_by_peer(self) ? KITH_E_CLOSED : KITH_E_PEER_DIED;
}

kith_status look_at_self(const channel_object& self) {
  if (self.closed.load(std::memory_order_seq_cst)) return KITH_E_CLOSED;
  return self.moved.load(std::memory_order_acquire) ? KITH_E_MOVED : KITH_OK;
}

}  // namespace kith
