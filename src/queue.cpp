// SPDX-License-Identifier: MIT
#include "shm/queue.h"

#include <kith/kith.h>

#include "memory_flags.h"
#include "named.h"
#include "options.h"
#include "readiness.h"
#include "segment_object.h"
#include "waiting.h"

using namespace kith;

namespace {

constexpr uint64_t default_capacity = 65536;

shm::queue_view view_of(segment_object& self) {
  const shm::segment& segment = self.segment();
  const bool has_desks = shm::queue_has_desks(segment.data_size);
  shm::queue_view view;
  view.state = reinterpret_cast<shm::queue_state*>(segment.state);
  view.desks = has_desks ? reinterpret_cast<shm::queue_desk*>(segment.data) : nullptr;
  view.ring.bytes = segment.data + (has_desks ? shm::size_of_queue_desks : 0);
  view.ring.size = shm::queue_capacity(segment.data_size);
  view.waiting = &self.shared->segment.waiting;
  view.bells = &self.bells;
  return view;
}

shm::segment_plan plan_of(uint64_t capacity, uint32_t flags) {
  const bool has_tasks = (flags & KITH_QUEUE_TASKS) != 0;
  shm::segment_plan plan{shm::segment_kind::queue};
  plan.data_size = static_cast<size_t>(capacity + (has_tasks ? shm::size_of_queue_desks : 0));
  plan.commit = plan.data_size <= largest_commit_by_default;
  return plan;
}

void prepare(shm::segment& made, const kith_queue_options& wanted) {
  shm::queue_state& state = *reinterpret_cast<shm::queue_state*>(made.state);
  state.most_items.store(wanted.most_items, std::memory_order_relaxed);
}

void begin_close(object& self) { shm::queue_wake_all(view_of(static_cast<segment_object&>(self))); }

}  // namespace

constexpr segment_class kith::queue_class{
    {object_kind::queue, begin_close, segment_object_destroy}, shm::segment_kind::queue, false, 2};

namespace kith {

uint32_t queue_is_ready(object& self, uint32_t events) {
  return shm::queue_ready(view_of(static_cast<segment_object&>(self)), events);
}

void queue_raise(object& self, listener who, uint32_t events) {
  shm::queue_state& state = *view_of(static_cast<segment_object&>(self)).state;
  if ((events & KITH_WAIT_READ) != 0) shm::raise_poll_flag(state.poll_takers, shm::hears_bell_0);
  const uint64_t bell = who == listener::call ? shm::hears_bell_1 : shm::hears_bell_0;
  if ((events & KITH_WAIT_WRITE) != 0) shm::raise_poll_flag(state.poll_putters, bell);
}

}  // namespace kith

kith_status kith_queue_create(const kith_queue_options* options, kith_queue** out) {
  kith_queue_options wanted;
  if (kith_status status = read_options(options, wanted, KITH_QUEUE_TASKS); status != KITH_OK) return status;
  const uint64_t capacity = wanted.capacity == 0 ? default_capacity : wanted.capacity;
  if (out == nullptr || shm::queue_capacity(capacity) != capacity) return KITH_E_INVALID;
  return segment_make(queue_class, plan_of(capacity, wanted.flags), out,
                      [&](shm::segment& made) { prepare(made, wanted); });
}

kith_status kith_queue_open_named(const kith_naming* naming, const kith_queue_options* options,
                                  kith_queue** out, int32_t* out_created) {
  kith_queue_options wanted;
  named_wish wish;
  if (kith_status status = named_read_wish(naming, shm::segment_kind::queue, wish); status != KITH_OK)
    return status;
  if (kith_status status = read_options(options, wanted, KITH_QUEUE_TASKS); status != KITH_OK) return status;
  const uint64_t capacity = wanted.capacity == 0 ? default_capacity : wanted.capacity;
  if (out == nullptr || shm::queue_capacity(capacity) != capacity) return KITH_E_INVALID;
  const shm::segment_plan plan = plan_of(capacity, wanted.flags);
  return object_open_named(
      queue_class, wish, plan, out, out_created,
      [&](const shm::segment& found) {
        if (options == nullptr) return true;
        const bool has_tasks = (wanted.flags & KITH_QUEUE_TASKS) != 0;
        if (wanted.capacity == 0) return shm::queue_has_desks(found.data_size) == has_tasks;
        return found.data_size == plan.data_size;
      },
      [&](shm::segment& made) { prepare(made, wanted); });
}

kith_status kith_queue_inherit(const char* name, kith_queue** out) {
  return segment_inherit(queue_class, name, out);
}

kith_status kith_queue_put(kith_queue* queue, const void* data, size_t size, int64_t timeout_ms) {
  const pinned<segment_object> self(queue, object_kind::queue);
  if (self.status() != KITH_OK) return self.status();
  if (!timeout_is_valid(timeout_ms) || (data == nullptr && size != 0)) return KITH_E_INVALID;
  const call_patience limits(timeout_ms, *self, &self->spin);
  return shm::queue_put(view_of(*self), data, size, limits);
}

kith_status kith_queue_get(kith_queue* queue, void* buffer, size_t capacity, size_t* out_size,
                           int64_t timeout_ms) {
  const pinned<segment_object> self(queue, object_kind::queue);
  if (self.status() != KITH_OK) return self.status();
  if (!timeout_is_valid(timeout_ms) || out_size == nullptr || (buffer == nullptr && capacity != 0))
    return KITH_E_INVALID;
  const call_patience limits(timeout_ms, *self, &self->spin);
  shm::queue_item item{buffer, capacity, 0};
  const kith_status status = shm::queue_get(view_of(*self), item, limits);
  if (status == KITH_OK || status == KITH_E_TOO_LARGE) *out_size = static_cast<size_t>(item.size);
  return status;
}

kith_status kith_queue_shutdown(kith_queue* queue) {
  const pinned<segment_object> self(queue, object_kind::queue);
  if (self.status() == KITH_OK) shm::queue_shut(view_of(*self));
  return self.status();
}

uint64_t kith_queue_count(const kith_queue* queue) {
  const pinned<segment_object> self(queue, object_kind::queue);
  return self.status() == KITH_OK ? shm::queue_count(view_of(*self)) : 0;
}

kith_status kith_queue_task_done(kith_queue* queue) {
  const pinned<segment_object> self(queue, object_kind::queue);
  if (self.status() != KITH_OK) return self.status();
  shm::patience limits;  // no call with a timeout: only a close ends it
  limits.closed = &self->closed;
  return shm::queue_task_done(view_of(*self), limits);
}

kith_status kith_queue_join(kith_queue* queue, int64_t timeout_ms) {
  const pinned<segment_object> self(queue, object_kind::queue);
  if (self.status() != KITH_OK) return self.status();
  if (!timeout_is_valid(timeout_ms)) return KITH_E_INVALID;
  call_patience limits(timeout_ms, *self);
  limits.last_probe_ns = &self->last_probe_ns;
  return shm::queue_join(view_of(*self), limits);
}

void kith_queue_close(kith_queue* queue) { handle_close(queue, object_kind::queue); }
