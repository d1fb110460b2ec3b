// SPDX-License-Identifier: MIT
// A worker of a pool, in its own process: taking tasks, one at a time, and answering them.
#include <utility>

#include "allocator.h"
#include "pool.h"
#include "segment_object.h"
#include "share.h"

namespace kith {

namespace {

struct worker_object : object {
  void* bell_handle = nullptr;
  void* lane_handle = nullptr;
  shm::pool_bell_state* bell = nullptr;
  wait_area* bell_area = nullptr;
  const platform::bells* bells = nullptr;
  wait_area* lane_area = nullptr;
  identity pool;
  shm::lane_of_worker lane;
  shm::spinner spin{192, 512};

  bool has_task = false;
  uint64_t ticket = 0;
  shm::pool_frame
      frame{};  // of the task at hand, which lies in the ring until it is done; in parts: the last one
  bool is_assembling = false;  // a task in parts: more will come
  bool was_assembled = false;  // it is not in the ring any more
  uint64_t total = 0;
  // Of a task that does not lie in one piece in the ring.
  buffer<unsigned char> piece;
};

void begin_close(object& object) {
  worker_object& self = static_cast<worker_object&>(object);
  platform::wake(*self.lane_area, self.lane.state->asleep, UINT32_MAX);
}

void destroy(object* object) {
  worker_object* self = static_cast<worker_object*>(object);
  handle_close(self->bell_handle, object_kind::pool_bell);
  handle_close(self->lane_handle, object_kind::pool_lane);
  unmake(self);
}

constexpr object_class worker_class{object_kind::worker, begin_close, destroy};

// ---- waiting -----------------------------------------------------------------------------------------------------------------------

// Tries until it succeeds or must stop. `attempt` answers KITH_E_TIMEOUT for "not now".
template <class Attempt>
kith_status wait_for(worker_object& self, uint64_t flag, const shm::patience& limits, Attempt attempt) {
  kith_status status = attempt();
  if (status != KITH_E_TIMEOUT) return status;
  const auto is_there = [&] {
    status = attempt();
    return status != KITH_E_TIMEOUT;
  };
  if (limits.spin_for(is_there)) return status;
  shm::waiter waiting(limits);
  while (status == KITH_E_TIMEOUT) {
    const uint64_t now = platform::clock_now();
    if (const kith_status stop = waiting.must_stop(now); stop != KITH_OK) return stop;
    self.lane.state->asleep.store(flag);
    platform::heavy_fence();  // pairs with the light one in shm::lane_tell
    status = attempt();
    if (status != KITH_E_TIMEOUT) break;
    waiting.sleep(*self.lane_area, self.lane.state->asleep, flag, {self.pool, false}, now);
    status = attempt();
    const bool look = status == KITH_E_TIMEOUT && waiting.should_look_around();
    if (look && platform::alive(self.pool) == liveness::dead) status = KITH_E_PEER_DIED;
  }
  self.lane.state->asleep.store(0);
  return status;
}

void tell(worker_object& self) { shm::pool_tell(*self.bell, *self.bell_area, self.bells); }

// ---- tasks in parts ----------------------------------------------------------------------------------------------------------------

constexpr uint64_t size_of_total = 16;

// The first part, which is at hand from now on.
kith_status begin_assembly(worker_object& self, const shm::pool_frame& frame, uint64_t& skip) {
  if ((frame.size & shm::lane_size_mask) < size_of_total) return KITH_E_PROTOCOL;
  uint64_t total = 0;
  self.lane.tasks.copy_out(self.lane.next + sizeof frame, &total, sizeof total);
  if (total > SIZE_MAX || !self.piece.reserve(static_cast<size_t>(total))) return KITH_E_NO_MEMORY;
  self.piece.clear();
  self.total = total;
  self.ticket = frame.ticket;
  self.is_assembling = true;
  skip = size_of_total;
  return KITH_OK;
}

// KITH_E_TIMEOUT: more must come. The pool is told that there is room again.
kith_status take_part(worker_object& self, const shm::pool_frame& frame) {
  uint64_t skip = 0;
  if (!self.is_assembling) {
    if (kith_status status = begin_assembly(self, frame, skip); status != KITH_OK) return status;
  }
  const uint64_t size = (frame.size & shm::lane_size_mask) - skip;
  const size_t had = self.piece.size();
  const bool is_sound = frame.ticket == self.ticket && size <= self.total - had;
  if (!is_sound || !self.piece.resize(had + static_cast<size_t>(size))) return KITH_E_PROTOCOL;
  self.lane.tasks.copy_out(self.lane.next + sizeof frame + skip, self.piece.data() + had, size);
  shm::lane_pass(self.lane, frame);
  tell(self);
  if ((frame.size & shm::lane_more) != 0) return KITH_E_TIMEOUT;
  self.is_assembling = false;
  self.was_assembled = true;
  return self.piece.size() == self.total ? KITH_OK : KITH_E_PROTOCOL;
}

// ---- a task ------------------------------------------------------------------------------------------------------------------------

kith_status take_task(worker_object& self) {
  for (;;) {
    shm::pool_frame frame;
    const kith_status found = shm::lane_find_task(self.lane, frame);
    if (found == KITH_E_TIMEOUT && !self.is_assembling) {
      // Acquire, with the release of the pool: what it gave before is seen now.
      if (self.lane.state->last.load(std::memory_order_acquire) == 0) return found;
      if (shm::lane_find_task(self.lane, frame) == KITH_E_TIMEOUT) return KITH_E_CLOSED;
      continue;
    }
    if (found != KITH_OK) return found;
    if (!self.is_assembling && !shm::lane_begin(self.lane)) continue;  // it was taken back meanwhile
    if ((frame.size & shm::lane_part) == 0) {
      self.frame = frame;
      self.ticket = frame.ticket;
      self.was_assembled = false;
      return KITH_OK;
    }
    const kith_status taken = take_part(self, frame);
    if (taken != KITH_E_TIMEOUT) return taken;
  }
}

// In place, where it lies there in one piece.
kith_status show(worker_object& self, const void** out_data, size_t* out_size) {
  const uint64_t size = self.was_assembled ? self.piece.size() : self.frame.size & shm::lane_size_mask;
  const unsigned char* data = self.piece.data();
  if (!self.was_assembled && size != 0) {
    const uint64_t at = self.lane.next + sizeof self.frame;
    data = shm::lane_place(self.lane.tasks, at);
    if ((at & (self.lane.tasks.size - 1)) + size > self.lane.tasks.size) {
      if (!self.piece.resize(static_cast<size_t>(size))) return KITH_E_NO_MEMORY;
      self.lane.tasks.copy_out(at, self.piece.data(), size);
      data = self.piece.data();
    }
  }
  *out_data = size == 0 ? nullptr : data;
  *out_size = static_cast<size_t>(size);
  return KITH_OK;
}

// Waits as long as it takes: only a cancel, a signal, a close, or the end of the pool's process ends it.
kith_status await_room(worker_object& self, uint64_t& room) {
  kith_status status = shm::lane_find_room(self.lane, room);
  if (status == KITH_OK && room != 0) return status;
  if (status == KITH_OK && self.lane.unsent != 0) {
    // The frame is full: it goes as a part.
    shm::lane_send(self.lane, shm::lane_more, 0, self.ticket);
    tell(self);
  } else if (status == KITH_E_PROTOCOL) {
    return status;
  }
  const call_patience limits(KITH_FOREVER, self, &self.spin);
  return wait_for(self, shm::lane_sleeps_for_room, limits, [&] {
    const kith_status found = shm::lane_find_room(self.lane, room);
    return found == KITH_OK && room == 0 ? kith_status{KITH_E_TIMEOUT} : found;
  });
}

kith_status open_shared(const segment_class& type, const char* name, void** out,
                        segment_object** out_object) {
  const kith_status status = segment_object_inherit(type, name, out);
  object* found = nullptr;
  if (status == KITH_OK && handle_find(*out, type.kind, found) == KITH_OK)
    *out_object = static_cast<segment_object*>(found);
  return status;
}

kith_status set_up(worker_object& self) {
  segment_object *bell = nullptr, *lane = nullptr;
  kith_status status = open_shared(pool_lane_class, pool_lane_name, &self.lane_handle, &lane);
  if (status != KITH_OK) return status;
  const shm::segment& segment = lane->segment();
  const uint64_t size = segment.element_size;
  const bool is_sound = size >= shm::lane_smallest_ring && size <= shm::lane_largest_ring &&
                        (size & (size - 1)) == 0 && segment.data_size / 2 == size;
  if (!is_sound) return KITH_E_MISMATCH;
  self.lane_area = &lane->shared->segment.waiting;
  self.lane.state = reinterpret_cast<shm::pool_lane_state*>(segment.state);
  self.lane.tasks = {segment.data, size};
  self.lane.results = {segment.data + size, size};
  status = open_shared(pool_bell_class, pool_bell_name, &self.bell_handle, &bell);
  if (status != KITH_OK) return status;
  self.bell = reinterpret_cast<shm::pool_bell_state*>(bell->segment().state);
  self.bell_area = &bell->shared->segment.waiting;
  self.bells = &bell->bells;
  self.pool = {self.bell->pool.load(std::memory_order_relaxed)};
  return KITH_OK;
}

}  // namespace

}  // namespace kith

using namespace kith;

kith_status kith_worker_open(kith_worker** out) {
  if (out == nullptr) return KITH_E_INVALID;
  worker_object* self = make<worker_object>();
  if (self == nullptr) return KITH_E_NO_MEMORY;
  self->type = &worker_class;
  kith_status status = set_up(*self);
  void* handle = status == KITH_OK ? handle_open(self) : nullptr;
  if (handle == nullptr) {
    destroy(self);
    return status == KITH_OK ? kith_status{KITH_E_NO_MEMORY} : status;
  }
  *out = static_cast<kith_worker*>(handle);
  return KITH_OK;
}

kith_status kith_worker_next(kith_worker* worker, const void** out_data, size_t* out_size,
                             int64_t timeout_ms) {
  const pinned<worker_object> self(worker, object_kind::worker);
  if (self.status() != KITH_OK) return self.status();
  if (out_data == nullptr || out_size == nullptr || !timeout_is_valid(timeout_ms)) return KITH_E_INVALID;
  if (self->has_task) return KITH_E_BUSY;
  // Relaxed: read when this process has ended.
  self->lane.state->ready.store(1, std::memory_order_relaxed);
  const call_patience limits(timeout_ms, *self, &self->spin);
  kith_status status = wait_for(*self, shm::lane_sleeps_for_task, limits, [&] { return take_task(*self); });
  if (status == KITH_OK) status = show(*self, out_data, out_size);
  if (status == KITH_OK) self->has_task = true;
  return status;
}

kith_status kith_worker_reply(kith_worker* worker, const void* data, size_t size) {
  const pinned<worker_object> self(worker, object_kind::worker);
  if (self.status() != KITH_OK) return self.status();
  if (data == nullptr && size != 0) return KITH_E_INVALID;
  if (!self->has_task) return KITH_E_NOT_OWNER;
  const unsigned char* from = static_cast<const unsigned char*>(data);
  while (size != 0) {
    uint64_t room = 0;
    if (const kith_status status = await_room(*self, room); status != KITH_OK) return status;
    const size_t piece = size < room ? size : static_cast<size_t>(room);
    shm::lane_add(self->lane, from, piece);
    from += piece;
    size -= piece;
  }
  return KITH_OK;
}

kith_status kith_worker_done(kith_worker* worker, int32_t code) {
  const pinned<worker_object> self(worker, object_kind::worker);
  if (self.status() != KITH_OK) return self.status();
  if (!self->has_task) return KITH_E_NOT_OWNER;
  uint64_t room = 0;
  // A frame that has begun has room for its header.
  kith_status status = self->lane.unsent != 0 ? kith_status{KITH_OK} : shm::lane_find_room(self->lane, room);
  if (status == KITH_E_TIMEOUT) status = await_room(*self, room);
  if (status != KITH_OK) return status;
  self->has_task = false;
  if (!self->was_assembled) {
    shm::lane_pass(self->lane, self->frame);
  } else {
    self->piece.reset();
  }
  shm::lane_send(self->lane, 0, code, self->ticket);
  tell(*self);
  return KITH_OK;
}

void kith_worker_close(kith_worker* worker) { handle_close(worker, object_kind::worker); }
