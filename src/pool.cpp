// SPDX-License-Identifier: MIT
// Pools: making and ending them. pool.h names the other parts.
#include "pool.h"

#include <new>

#include "allocator.h"
#include "options.h"
#include "readiness.h"
#include "segment_object.h"

namespace kith {

namespace {

constexpr uint64_t default_ring_size = 65536;

void begin_close(object& object) {
  pool_object& self = static_cast<pool_object&>(object);
  if (!(self.owner == platform::self())) return;
  pool_lock(self);
  pool_kill_all(self);
  self.news = true;
  pool_unlock(self);
  shm::ring_pollers(self.bell->pollers, self.bells);
}

void destroy(object* object) {
  pool_object* self = static_cast<pool_object*>(object);
  if (!(self->owner == platform::self())) return;  // a forked child's copy: nothing of it is ours
  for (uint32_t i = 0; i < self->lane_count; ++i) {
    lane_close(self->lanes[i]);
    deallocate(self->lanes[i].given);
    self->lanes[i].~pool_lane();
  }
  deallocate(self->lanes);
  for (kith_process* each : self->leaving) kith_process_close(each);
  for (uint32_t i = 0; i < self->table.tasks.size(); ++i) deallocate(self->table.tasks[i].bytes);
  pool_order_forget(self->order);
  handle_close(self->bell_handle, object_kind::pool_bell);
  uv_mutex_destroy(&self->mutex);
  unmake(self);
}

constexpr object_class pool_class{object_kind::pool, begin_close, destroy};

bool ring_size_is_valid(uint64_t size) {
  return size >= shm::lane_smallest_ring && size <= shm::lane_largest_ring && (size & (size - 1)) == 0;
}

kith_status check(const kith_pool_options& wanted) {
  const int kinds = (wanted.task != nullptr) + (wanted.entry != nullptr) + (wanted.entry_name != nullptr) +
                    (wanted.argv != nullptr) + (wanted.library != nullptr || wanted.symbol != nullptr);
  if (kinds != 1 || wanted.reserved != 0 || !ring_size_is_valid(wanted.ring_size)) return KITH_E_INVALID;
  if (wanted.task == nullptr && (wanted.start != nullptr || wanted.end != nullptr)) return KITH_E_INVALID;
  if (wanted.argument == nullptr && wanted.argument_size != 0) return KITH_E_INVALID;
  if (wanted.shares == nullptr && wanted.share_count != 0) return KITH_E_INVALID;
  return wanted.workers <= KITH_POOL_MOST_WORKERS ? KITH_OK : KITH_E_INVALID;
}

kith_status make_bell(pool_object& self) {
  const shm::segment_plan plan{shm::segment_kind::pool_bell};
  const kith_status status = segment_make(pool_bell_class, plan, &self.bell_handle, [&](shm::segment& made) {
    reinterpret_cast<shm::pool_bell_state*>(made.state)
        ->pool.store(self.owner.bits, std::memory_order_relaxed);
  });
  if (status != KITH_OK) return status;
  object* found = nullptr;
  (void)handle_find(self.bell_handle, object_kind::pool_bell, found);  // we have just made it
  segment_object& bell = *static_cast<segment_object*>(found);
  self.bell = reinterpret_cast<shm::pool_bell_state*>(bell.segment().state);
  self.bell_area = &bell.shared->segment.waiting;
  self.bells = &bell.bells;
  return KITH_OK;
}

kith_status make_lanes(pool_object& self, uint32_t count) {
  self.lanes = static_cast<pool_lane*>(allocate(count * sizeof(pool_lane)));
  if (self.lanes == nullptr) return KITH_E_NO_MEMORY;
  for (; self.lane_count < count; ++self.lane_count) ::new (&self.lanes[self.lane_count]) pool_lane{};
  return KITH_OK;
}

kith_status set_up(pool_object& self, const kith_pool_options& wanted) {
  kith_status status = pool_order_keep(wanted, self.order);
  if (status == KITH_OK) status = make_bell(self);
  if (status == KITH_OK)
    status = make_lanes(self, wanted.workers == 0 ? uv_available_parallelism() : wanted.workers);
  return status;
}

kith_status make_pool(const kith_pool_options& wanted, void** out_handle, pool_object** out) {
  pool_object* self = make<pool_object>();
  if (self == nullptr) return KITH_E_NO_MEMORY;
  if (uv_mutex_init(&self->mutex) != 0) {
    unmake(self);
    return KITH_E_NO_MEMORY;
  }
  self->type = &pool_class;
  self->owner = platform::self();
  self->most_tasks = wanted.most_tasks;
  self->ring_size = wanted.ring_size;
  kith_status status = set_up(*self, wanted);
  *out_handle = status == KITH_OK ? handle_open(self) : nullptr;
  *out = self;
  if (*out_handle != nullptr) return KITH_OK;
  destroy(self);
  return status == KITH_OK ? kith_status{KITH_E_NO_MEMORY} : status;
}

// After a worker that could not be started: the others are ended, and waited for.
void end_all(pool_object& self) {
  pool_kill_all(self);
  for (uint32_t i = 0; i < self.lane_count; ++i) {
    kith_exit end;
    if (self.lanes[i].phase == lane_phase::working)
      (void)kith_process_wait(self.lanes[i].process, KITH_FOREVER, &end);
  }
}

}  // namespace

constexpr segment_class pool_bell_class{
    {object_kind::pool_bell, segment_object_begin_close, segment_object_destroy},
    shm::segment_kind::pool_bell,
    false,
    1};

void pool_lock(pool_object& pool) { uv_mutex_lock(&pool.mutex); }

void pool_unlock(pool_object& pool) {
  const bool tell = pool.news && pool.sleepers != 0;
  pool.news = false;
  uv_mutex_unlock(&pool.mutex);
  if (!tell) return;
  // They sleep on the word: first it changes. Seq_cst, as every step around a sleep.
  pool.bell->asleep.store(0);
  platform::wake(*pool.bell_area, pool.bell->asleep, UINT32_MAX);
}

bool pool_is_ready(object& object) {
  pool_object& self = static_cast<pool_object&>(object);
  pool_lock(self);
  bool is_ready = self.table.done.count != 0 || (self.ending != pool_ending::no && self.unanswered == 0);
  if (pool_wants_look(self, platform::clock_now())) pool_look_after(self);
  for (uint32_t i = 0; i < self.lane_count && !is_ready; ++i) {
    const pool_lane& each = self.lanes[i];
    is_ready = each.phase == lane_phase::working && !each.is_broken && shm::lane_has_news(each.shared);
  }
  pool_unlock(self);
  return is_ready;
}

void pool_raise(object& self) {
  shm::raise_poll_flag(static_cast<pool_object&>(self).bell->pollers, shm::hears_bell_0);
}

}  // namespace kith

using namespace kith;

kith_status kith_pool_create(const kith_pool_options* options, kith_pool** out) {
  if (options == nullptr || out == nullptr) return KITH_E_INVALID;
  kith_pool_options wanted;
  if (kith_status status = read_options(options, wanted, 0); status != KITH_OK) return status;
  if (wanted.ring_size == 0) wanted.ring_size = default_ring_size;
  if (kith_status status = check(wanted); status != KITH_OK) return status;
  void* handle = nullptr;
  pool_object* self = nullptr;
  kith_status status = make_pool(wanted, &handle, &self);
  if (status != KITH_OK) return status;
  pool_lock(*self);
  status = pool_start_all(*self);
  pool_unlock(*self);
  if (status == KITH_OK) {
    *out = static_cast<kith_pool*>(handle);
  } else {
    end_all(*self);
    handle_close(handle, object_kind::pool);
  }
  return status;
}

void kith_pool_close(kith_pool* pool) { handle_close(pool, object_kind::pool); }
