// SPDX-License-Identifier: MIT
// Pools: arrays of tasks, progress, and what ends tasks or the pool.
#include "pool_access.h"

namespace kith {

namespace {

// ---- map ---------------------------------------------------------------------------------------------------------------------------

struct task_array {
  const unsigned char* tasks;
  size_t size, count;
};

kith_status go_on_with_map(pool_object& pool, const task_array& from, map_call& map) {
  if (pool.ending == pool_ending::killed) return KITH_E_CLOSED;
  while (map.submitted < from.count) {
    submission next{&map, map.submitted};
    const unsigned char* const task = from.size == 0 ? nullptr : from.tasks + map.submitted * from.size;
    const kith_status status = pool_submit_now(pool, task, from.size, next);
    if (status == KITH_E_BUSY) break;
    if (status != KITH_OK) return status;
    ++map.submitted;
  }
  if (const kith_status status = collect_all(pool); status != KITH_OK) return status;
  if (map.answered == from.count) return KITH_OK;
  pool_distribute(pool);
  return KITH_E_BUSY;
}

// Takes a task back from where it waits; one that has begun goes on, for nobody.
void drop(pool_object& pool, uint32_t index) {
  pool_task& task = pool.table.tasks[index];
  task.map = nullptr;
  task.is_unwanted = true;
  if (task.phase == task_phase::done) {
    task_remove(pool.table, pool.table.done, index);
    return task_free(pool.table, index);
  }
  if (task.phase == task_phase::waiting) {
    task_remove(pool.table, pool.table.waiting, index);
  } else {
    pool_lane& lane = lane_of(pool, task);
    uint32_t age = lane.given_count;
    while (age != 0 && (lane_given(lane, age - 1).ticket == 0 || lane_given(lane, age - 1).task != index))
      --age;
    if (age == 0 || !lane_take_back(lane, age - 1, task)) return;
  }
  --pool.unanswered;
  pool.news = true;
  task_free(pool.table, index);
}

// The call ends: nobody may write to its arrays any more.
void give_up_map(pool_object& pool, map_call& map, size_t count, kith_status why) {
  for (uint32_t i = 0; i < pool.table.tasks.size(); ++i) {
    pool_task& task = pool.table.tasks[i];
    if (task.phase == task_phase::free || task.map != &map) continue;
    if (map.answers != nullptr) map.answers[task.index].status = why;
    drop(pool, i);
  }
  for (size_t i = map.submitted; map.answers != nullptr && i < count; ++i) map.answers[i].status = why;
}

// ---- progress ------------------------------------------------------------------------------------------------------------------------

void count_workers(const pool_object& pool, kith_pool_progress& out) {
  for (uint32_t i = 0; i < pool.lane_count; ++i) {
    const pool_lane& each = pool.lanes[i];
    if (each.phase != lane_phase::working) continue;
    ++out.workers;
    const given_task* const oldest = lane_oldest(each);
    if (oldest != nullptr && shm::lane_has_begun(each.shared, oldest->position)) ++out.running;
  }
}

// ---- the end -------------------------------------------------------------------------------------------------------------------------

// Tasks without an answer are gone; those of a map are its call's, which finds that all is over.
void give_up_tasks(pool_object& pool) {
  for (uint32_t i = 0; i < pool.table.tasks.size(); ++i) {
    pool_task& task = pool.table.tasks[i];
    if (task.phase != task_phase::waiting && task.phase != task_phase::given) continue;
    if (task.phase == task_phase::waiting) task_remove(pool.table, pool.table.waiting, i);
    if (task.map != nullptr && task.map->answers != nullptr)
      task.map->answers[task.index].status = KITH_E_CLOSED;
    task_free(pool.table, i);
  }
  pool.unanswered = 0;
  for (uint32_t i = 0; i < pool.lane_count; ++i) {
    pool_lane& each = pool.lanes[i];
    if (each.phase != lane_phase::working) continue;
    each.given_count = each.unanswered = 0;
    each.sending = no_task;
    each.is_broken = true;  // what it still says is of no interest
  }
  pool.news = true;
}

kith_status finish_tasks(pool_object& pool) {
  kith_status status = collect_all(pool);
  if (status == KITH_OK && pool.unanswered != 0) {
    pool_distribute(pool);
    status = KITH_E_BUSY;
  }
  for (uint32_t i = 0; i < pool.lane_count && status == KITH_OK; ++i) {
    if (pool.lanes[i].phase == lane_phase::starting) status = KITH_E_BUSY;
  }
  return status;
}

// Workers that have done all go to those that leave. false: no memory.
bool let_all_leave(pool_object& pool) {
  for (uint32_t i = 0; i < pool.lane_count; ++i) {
    pool_lane& each = pool.lanes[i];
    if (each.phase != lane_phase::working) continue;
    pool_tell_last(each);
    if (!pool.leaving.append(each.process)) return false;
    each.process = nullptr;
    lane_close(each);
    each.phase = lane_phase::empty;
  }
  return true;
}

kith_status await_leaving(pool_object& pool, const shm::patience& limits) {
  while (!pool.leaving.empty()) {
    kith_process* const first = pool.leaving[0];
    const uint64_t now = platform::clock_now();
    const int64_t left =
        limits.until.never() ? int64_t{KITH_FOREVER} : int64_t{remaining_ms(limits.until, now)};
    pool_unlock(pool);
    kith_exit end;
    const kith_status status = kith_process_wait(first, left, &end);
    pool_lock(pool);
    if (pool.closed.load(std::memory_order_seq_cst)) return KITH_E_CLOSED;
    const bool is_gone = pool.leaving.empty() || pool.leaving[0] != first;  // another thread was quicker
    if (is_gone) continue;
    if (status != KITH_OK) return status;
    kith_process_close(first);
    pool.leaving[0] = pool.leaving.back();
    (void)pool.leaving.resize(pool.leaving.size() - 1);
  }
  return KITH_OK;
}

}  // namespace

}  // namespace kith

using namespace kith;

kith_status kith_pool_map(kith_pool* pool, const void* tasks, size_t task_size, size_t count, void* results,
                          size_t result_size, kith_answer* answers, int64_t timeout_ms) {
  const pool_access access(pool);
  if (access.status() != KITH_OK) return access.status();
  const bool is_sound = task_size == 0 || count <= SIZE_MAX / task_size;
  const bool has_room = result_size == 0 || count <= SIZE_MAX / result_size;
  if (!timeout_is_valid(timeout_ms) || !is_sound || !has_room ||
      (tasks == nullptr && task_size != 0 && count != 0) ||
      (results == nullptr && result_size != 0 && count != 0))
    return KITH_E_INVALID;
  pool_object& self = *access;
  const task_array from{static_cast<const unsigned char*>(tasks), task_size, count};
  map_call map{static_cast<unsigned char*>(results), result_size, answers, 0, 0, SIZE_MAX, KITH_OK};
  const kith_status status =
      pool_keep_trying(self, timeout_ms, [&] { return go_on_with_map(self, from, map); });
  if (status == KITH_OK) return map.failure;
  give_up_map(self, map, count, status);
  return status;
}

kith_status kith_pool_drop(kith_pool* pool, uint64_t ticket) {
  const pool_access access(pool);
  if (access.status() != KITH_OK) return access.status();
  const uint32_t index = task_find((*access).table, ticket);
  if (index == no_task) return KITH_E_NOT_FOUND;
  drop(*access, index);
  return KITH_OK;
}

kith_status kith_pool_get_progress(kith_pool* pool, kith_pool_progress* out) {
  const pool_access access(pool);
  if (access.status() != KITH_OK) return access.status();
  if (out == nullptr) return KITH_E_INVALID;
  pool_object& self = *access;
  if (kith_status status = collect_all(self); status != KITH_OK) return status;
  if (pool_wants_look(self, platform::clock_now())) pool_look_after(self);
  kith_pool_progress progress{};
  count_workers(self, progress);
  progress.done = self.done;
  progress.unread = self.table.done.count;
  progress.waiting = self.unanswered - progress.running;
  progress.died = self.died;
  *out = progress;
  return KITH_OK;
}

kith_status kith_pool_shutdown(kith_pool* pool, uint32_t how, int64_t timeout_ms) {
  const pool_access access(pool);
  if (access.status() != KITH_OK) return access.status();
  if (how > KITH_POOL_AT_ONCE || !timeout_is_valid(timeout_ms)) return KITH_E_INVALID;
  pool_object& self = *access;
  if (how == KITH_POOL_AT_ONCE && self.ending != pool_ending::killed) {
    self.ending = pool_ending::killed;
    pool_kill_all(self);
    give_up_tasks(self);
  } else if (self.ending == pool_ending::no) {
    self.ending = pool_ending::finishing;
    self.news = true;
  }
  const call_patience limits(timeout_ms, self);
  const kith_status status = pool_keep_trying(self, timeout_ms, [&] { return finish_tasks(self); });
  if (status != KITH_OK) return status;
  if (!let_all_leave(self)) return KITH_E_NO_MEMORY;
  return await_leaving(self, limits);
}
