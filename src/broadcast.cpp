// SPDX-License-Identifier: MIT
#include "shm/broadcast.h"

#include <kith/kith.h>

#include "broadcast_object.h"
#include "memory_flags.h"
#include "named.h"
#include "options.h"
#include "readiness.h"
#include "waiting.h"

using namespace kith;

namespace {

constexpr uint64_t default_ring_size = uint64_t{1} << 20;
constexpr uint32_t default_most_readers = 64;

shm::broadcast_view& view_of(object& self) { return static_cast<segment_object&>(self).writing.view; }

void opened(segment_object& self) {
  const shm::segment& segment = self.segment();
  const size_t size_of_seats = segment.data_size - segment.element_size;
  shm::broadcast_view& view = view_of(self);
  view.state = reinterpret_cast<shm::broadcast_state*>(segment.state);
  view.seats = size_of_seats == 0 ? nullptr : reinterpret_cast<shm::broadcast_seat*>(segment.data);
  view.seat_count = static_cast<uint32_t>(size_of_seats / sizeof(shm::broadcast_seat));
  view.ring = {segment.data + size_of_seats, segment.element_size};
  view.waiting = &self.shared->segment.waiting;
  view.bells = &self.bells;
  view.threads = &self.writing.threads;
  self.shortcut = &self.writing;
}

uint64_t token_of_this_thread() { return shm::thread_token(platform::self()); }

// Whether the room that this thread has reserved is its to end: a close may have given it back.
bool end_reservation(segment_object& self) {
  uint64_t me = token_of_this_thread();
  return self.writing.reserved_by.compare_exchange_strong(me, 0);
}

// The other writers wait for the lock, and the thread that has it need not be this one.
void give_back_forsaken_room(segment_object& self) {
  if (self.writing.reserved_by.exchange(0) == 0) return;
  shm::lock_state& lock = view_of(self).state->lock;
  lock.holder.store(0, std::memory_order_relaxed);
  lock.word.store(0, std::memory_order_release);  // pairs with the acquires of the next owner
  platform::heavy_fence();                        // as the light one in lock_let_go
  shm::lock_wake_one(lock, self.shared->segment.waiting);
}

void begin_close(object& object) {
  segment_object& self = static_cast<segment_object&>(object);
  give_back_forsaken_room(self);
  shm::broadcast_wake_all(view_of(self));
}

// A call on the common path does not pin: one that began before the close may be copying its message.
void destroy(object* self) {
  static_cast<segment_object*>(self)->writing.threads.await_nobody_inside();
  segment_object_destroy(self);
}

bool is_shut(segment_object& self) { return view_of(self).state->shut.load(std::memory_order_relaxed) != 0; }

kith_status check(const kith_broadcast_options& wanted, uint64_t ring_size, uint64_t seats) {
  if (wanted.reserved != 0 || (wanted.most_readers != 0 && (wanted.flags & KITH_BROADCAST_HOLD) == 0))
    return KITH_E_INVALID;
  const uint64_t all = ring_size + seats * sizeof(shm::broadcast_seat);
  return ring_size <= shm::broadcast_largest && shm::broadcast_fits(all, ring_size) ? KITH_OK
                                                                                    : KITH_E_INVALID;
}

kith_status plan_broadcast(const kith_broadcast_options& wanted, shm::segment_plan& out) {
  const uint64_t ring_size = wanted.ring_size == 0 ? default_ring_size : wanted.ring_size;
  const uint32_t most = wanted.most_readers == 0 ? default_most_readers : wanted.most_readers;
  const uint32_t seats = (wanted.flags & KITH_BROADCAST_HOLD) != 0 ? most : 0;
  if (const kith_status status = check(wanted, ring_size, seats); status != KITH_OK) return status;
  out.element_size = static_cast<size_t>(ring_size);
  out.data_size = static_cast<size_t>(ring_size + seats * sizeof(shm::broadcast_seat));
  out.commit = out.data_size <= largest_commit_by_default;
  return KITH_OK;
}

void prepare(shm::segment& made, const kith_broadcast_options& wanted) {
  shm::broadcast_state& state = *reinterpret_cast<shm::broadcast_state*>(made.state);
  state.history.store(wanted.history, std::memory_order_relaxed);
}

// Whether one that was found is what these options ask for; 0 asks for nothing.
bool agrees(const kith_broadcast_options& wanted, const shm::segment_plan& plan, const shm::segment& found) {
  const size_t seats = found.data_size - found.element_size;
  const bool holds = (wanted.flags & KITH_BROADCAST_HOLD) != 0;
  if (holds != (seats != 0)) return false;
  if (wanted.ring_size != 0 && found.element_size != plan.element_size) return false;
  return wanted.most_readers == 0 || seats == plan.data_size - plan.element_size;
}

kith_status publish_slowly(kith_broadcast* broadcast, const void* data, size_t size, int64_t timeout_ms) {
  const pinned<segment_object> self(broadcast, object_kind::broadcast);
  if (self.status() != KITH_OK) return self.status();
  call_patience limits(timeout_ms, *self, &self->spin);
  limits.last_probe_ns = &self->last_probe_ns;
  return shm::broadcast_publish(view_of(*self), data, size, limits);
}

}  // namespace

constexpr segment_class kith::broadcast_class{
    {object_kind::broadcast, begin_close, destroy}, shm::segment_kind::broadcast, false, 2, opened};

namespace kith {

uint32_t broadcast_is_ready(object& self, uint32_t events) {
  return shm::broadcast_ready(view_of(self), events);
}

void broadcast_raise(object& self) {
  shm::raise_poll_flag(view_of(self).state->poll_writers, shm::hears_bell_1);
}

}  // namespace kith

kith_status kith_broadcast_create(const kith_broadcast_options* options, kith_broadcast** out) {
  kith_broadcast_options wanted;
  if (kith_status status = read_options(options, wanted, KITH_BROADCAST_HOLD); status != KITH_OK)
    return status;
  shm::segment_plan plan{shm::segment_kind::broadcast};
  if (out == nullptr || plan_broadcast(wanted, plan) != KITH_OK) return KITH_E_INVALID;
  return segment_make(broadcast_class, plan, out, [&](shm::segment& made) { prepare(made, wanted); });
}

kith_status kith_broadcast_open_named(const kith_naming* naming, const kith_broadcast_options* options,
                                      kith_broadcast** out, int32_t* out_created) {
  kith_broadcast_options wanted;
  named_wish wish;
  if (kith_status status = named_read_wish(naming, shm::segment_kind::broadcast, wish); status != KITH_OK)
    return status;
  if (kith_status status = read_options(options, wanted, KITH_BROADCAST_HOLD); status != KITH_OK)
    return status;
  shm::segment_plan plan{shm::segment_kind::broadcast};
  if (out == nullptr || plan_broadcast(wanted, plan) != KITH_OK) return KITH_E_INVALID;
  return object_open_named(
      broadcast_class, wish, plan, out, out_created,
      [&](const shm::segment& found) { return options == nullptr || agrees(wanted, plan, found); },
      [&](shm::segment& made) { prepare(made, wanted); });
}

kith_status kith_broadcast_inherit(const char* name, kith_broadcast** out) {
  return segment_inherit(broadcast_class, name, out);
}

kith_status kith_broadcast_publish(kith_broadcast* broadcast, const void* data, size_t size,
                                   int64_t timeout_ms) {
  void* found = nullptr;
  if (kith_status status = handle_find_shortcut(broadcast, object_kind::broadcast, found); status != KITH_OK)
    return status;
  if (!timeout_is_valid(timeout_ms) || (data == nullptr && size != 0)) return KITH_E_INVALID;
  const kith_status status =
      shm::broadcast_publish_fast(*static_cast<shm::broadcast_writing*>(found), data, size);
  return status == KITH_E_BUSY ? publish_slowly(broadcast, data, size, timeout_ms) : status;
}

kith_status kith_broadcast_reserve(kith_broadcast* broadcast, size_t size, void** out_data,
                                   int64_t timeout_ms) {
  const pinned<segment_object> self(broadcast, object_kind::broadcast);
  if (self.status() != KITH_OK) return self.status();
  if (!timeout_is_valid(timeout_ms) || out_data == nullptr) return KITH_E_INVALID;
  call_patience limits(timeout_ms, *self, &self->spin);
  limits.last_probe_ns = &self->last_probe_ns;
  const shm::broadcast_view& view = view_of(*self);
  shm::broadcast_room room{};
  const kith_status status = shm::broadcast_reserve(view, size, room, limits);
  if (status != KITH_OK) return status;
  self->writing.room = room;
  self->writing.reserved_by.store(token_of_this_thread());
  // Seq_cst, both: a close that has not seen what we have reserved is seen by us.
  if (self->closed.load() && end_reservation(*self)) {
    shm::broadcast_abort(view);
    return KITH_E_CLOSED;
  }
  *out_data = shm::broadcast_bytes(view, room.begin);
  return KITH_OK;
}

kith_status kith_broadcast_commit(kith_broadcast* broadcast, size_t size) {
  const pinned<segment_object> self(broadcast, object_kind::broadcast);
  if (self.status() != KITH_OK) return self.status();
  if (self->writing.reserved_by.load() != token_of_this_thread()) return KITH_E_NOT_OWNER;
  const shm::broadcast_room room = self->writing.room;
  if (size > room.size) return KITH_E_TOO_LARGE;
  if (!end_reservation(*self)) return KITH_E_CLOSED;
  const shm::broadcast_view& view = view_of(*self);
  const bool may = !is_shut(*self);
  if (may) {
    shm::broadcast_commit(view, room, size);
  } else {
    shm::broadcast_abort(view);
  }
  return may ? KITH_OK : KITH_E_CLOSED;
}

kith_status kith_broadcast_abort(kith_broadcast* broadcast) {
  const pinned<segment_object> self(broadcast, object_kind::broadcast);
  if (self.status() != KITH_OK) return self.status();
  if (!end_reservation(*self)) return KITH_E_NOT_OWNER;
  shm::broadcast_abort(view_of(*self));
  return KITH_OK;
}

kith_status kith_broadcast_shutdown(kith_broadcast* broadcast) {
  const pinned<segment_object> self(broadcast, object_kind::broadcast);
  if (self.status() == KITH_OK) shm::broadcast_shut(view_of(*self));
  return self.status();
}

uint64_t kith_broadcast_count(const kith_broadcast* broadcast) {
  const pinned<segment_object> self(broadcast, object_kind::broadcast);
  uint64_t count = 0;
  return self.status() == KITH_OK && shm::broadcast_count(view_of(*self), count) ? count : 0;
}

void kith_broadcast_close(kith_broadcast* broadcast) { handle_close(broadcast, object_kind::broadcast); }
