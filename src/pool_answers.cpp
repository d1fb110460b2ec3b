// SPDX-License-Identifier: MIT
// What becomes of answers: they go to the caller who waits for them, to the array of a map, or are kept until somebody asks.
#include <cstring>

#include "pool.h"

namespace kith {

namespace {

kith_answer answer_of(const pool_object& pool, const arrived& came) {
  kith_answer answer{};
  answer.ticket = pool.table.tasks[came.task].ticket;
  answer.size = came.size;
  answer.code = came.code;
  return answer;
}

void note_in_map(map_call& map, size_t index, kith_answer answer) {
  answer.ticket = 0;
  if (answer.status != KITH_OK && index <= map.first_failed) {
    map.first_failed = index;
    map.failure = answer.status;
  }
  if (map.answers != nullptr) map.answers[index] = answer;
  ++map.answered;
}

void answer_map(pool_object& pool, pool_lane& lane, const arrived& came) {
  const pool_task& task = pool.table.tasks[came.task];
  kith_answer answer = answer_of(pool, came);
  if (came.size > task.map->result_size) {
    answer.status = KITH_E_TOO_LARGE;
  } else {
    lane_copy_answer(lane, came, task.map->results + task.index * task.map->result_size);
  }
  note_in_map(*task.map, task.index, answer);
}

// In the memory of the task itself, which is done.
kith_status keep(pool_object& pool, const pool_lane& lane, const arrived& came) {
  pool_task& task = pool.table.tasks[came.task];
  deallocate(task.bytes);  // of a task that came in parts
  task.bytes = nullptr;
  unsigned char* const room = task_room(task, came.size);
  if (room == nullptr) return KITH_E_NO_MEMORY;
  lane_copy_answer(lane, came, room);
  task.answer = answer_of(pool, came);
  task.phase = task_phase::done;
  task_append(pool.table, pool.table.done, came.task);
  return KITH_OK;
}

// An answer that is not for the caller.
kith_status put_away(pool_object& pool, pool_lane& lane, const arrived& came) {
  const pool_task& task = pool.table.tasks[came.task];
  const bool is_kept = task.map == nullptr && !task.is_unwanted;
  if (is_kept) {
    if (const kith_status status = keep(pool, lane, came); status != KITH_OK) return status;
  } else if (task.map != nullptr) {
    answer_map(pool, lane, came);
  }
  lane_take_answer(pool, lane, came);
  if (!is_kept) task_free(pool.table, came.task);
  pool.news = true;
  return KITH_OK;
}

// Straight from the ring to the caller.
kith_status take_from_lane(pool_object& pool, pool_lane& lane, const arrived& came,
                           const answer_place& place) {
  lane_copy_answer(lane, came, place.buffer);
  *place.out = answer_of(pool, came);
  lane_take_answer(pool, lane, came);
  task_free(pool.table, came.task);
  return KITH_OK;
}

bool is_for_anybody(const pool_task& task) { return task.map == nullptr && !task.is_unwanted; }

}  // namespace

void answer_without_result(pool_object& pool, uint32_t index, kith_status status, const kith_exit& end) {
  pool_task& task = pool.table.tasks[index];
  --pool.unanswered;
  ++pool.done;
  pool.news = true;
  kith_answer answer{};
  answer.ticket = task.ticket;
  answer.status = status;
  answer.end = end;
  if (task.map != nullptr) note_in_map(*task.map, task.index, answer);
  if (!is_for_anybody(task)) return task_free(pool.table, index);
  deallocate(task.bytes);
  task.bytes = nullptr;
  task.size = 0;
  task.answer = answer;
  task.phase = task_phase::done;
  task_append(pool.table, pool.table.done, index);
}

kith_status collect_lane(pool_object& pool, pool_lane& lane) {
  for (;;) {
    arrived came;
    const kith_status status = lane_next_answer(lane, came);
    if (status != KITH_OK) return status == KITH_E_TIMEOUT ? KITH_OK : status;
    if (const kith_status kept = put_away(pool, lane, came); kept != KITH_OK) return kept;
  }
}

kith_status collect_all(pool_object& pool) {
  for (uint32_t i = 0; i < pool.lane_count; ++i) {
    if (const kith_status status = collect_lane(pool, pool.lanes[i]); status != KITH_OK) return status;
  }
  return KITH_OK;
}

kith_status take_done(pool_object& pool, uint32_t index, const answer_place& place) {
  pool_task& task = pool.table.tasks[index];
  *place.out = task.answer;
  if (task.answer.size > place.capacity) return KITH_E_TOO_LARGE;
  if (task.answer.size != 0)
    std::memcpy(place.buffer, task_bytes(task), static_cast<size_t>(task.answer.size));
  const kith_status status = task.answer.status;
  task_remove(pool.table, pool.table.done, index);
  task_free(pool.table, index);
  return status;
}

kith_status take_any(pool_object& pool, const answer_place& place) {
  if (pool.table.done.count != 0) return take_done(pool, pool.table.done.first, place);
  for (uint32_t i = 0; i < pool.lane_count; ++i) {
    pool_lane& lane = pool.lanes[pool.cursor];
    arrived came;
    kith_status status = lane_next_answer(lane, came);
    while (status == KITH_OK) {
      const bool is_ours = is_for_anybody(pool.table.tasks[came.task]);
      if (is_ours && came.size <= place.capacity) {
        status = take_from_lane(pool, lane, came, place);
        // What is known to be there is taken first: looking at another lane costs a cache line.
        if (lane.shared.seen == lane.shared.taken) pool.cursor = (pool.cursor + 1) % pool.lane_count;
        return status;
      }
      status = put_away(pool, lane, came);
      if (status == KITH_OK && is_ours) return take_done(pool, came.task, place);
      if (status == KITH_OK) status = lane_next_answer(lane, came);
    }
    if (status != KITH_E_TIMEOUT) return status;
    pool.cursor = (pool.cursor + 1) % pool.lane_count;
  }
  return KITH_E_BUSY;
}

kith_status take_one(pool_object& pool, uint64_t ticket, const answer_place& place) {
  const uint32_t index = task_find(pool.table, ticket);
  if (index == no_task)
    return pool.ending == pool_ending::killed ? kith_status{KITH_E_CLOSED} : kith_status{KITH_E_NOT_FOUND};
  const pool_task& task = pool.table.tasks[index];
  if (task.phase == task_phase::done) return take_done(pool, index, place);
  if (task.phase == task_phase::waiting) return KITH_E_BUSY;
  pool_lane& lane = lane_of(pool, task);
  arrived came;
  kith_status status = lane_next_answer(lane, came);
  while (status == KITH_OK) {
    if (came.task == index && came.size <= place.capacity) return take_from_lane(pool, lane, came, place);
    status = put_away(pool, lane, came);
    if (status == KITH_OK && came.task == index) return take_done(pool, index, place);
    if (status == KITH_OK) status = lane_next_answer(lane, came);
  }
  return status == KITH_E_TIMEOUT ? kith_status{KITH_E_BUSY} : status;
}

}  // namespace kith
