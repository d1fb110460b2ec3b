// SPDX-License-Identifier: MIT
// Pools: submitting tasks, and taking results.
#include <cstring>

#include "pool_access.h"

namespace kith {

namespace {

// ---- submitting --------------------------------------------------------------------------------------------------------------------

bool comes_in_parts(const pool_object& pool, uint64_t size) {
  return size > shm::lane_largest_frame(pool.ring_size);
}

// KITH_E_BUSY: no worker has room.
kith_status give(pool_object& pool, pool_lane* lane, const void* data, size_t size, submission& out) {
  if (lane == nullptr) return KITH_E_BUSY;
  uint32_t index = no_task;
  if (kith_status status = task_make(pool.table, index); status != KITH_OK) return status;
  pool_task& task = pool.table.tasks[index];
  task.size = size;
  if (comes_in_parts(pool, size)) {
    unsigned char* const copy = task_room(task, size);
    if (copy == nullptr) {
      task_free(pool.table, index);
      return KITH_E_NO_MEMORY;
    }
    std::memcpy(copy, data, size);
  }
  task.map = out.map;
  task.index = out.index;
  out.ticket = task.ticket;
  ++pool.unanswered;
  lane_give(pool, *lane, index, data);
  return KITH_OK;
}

}  // namespace

kith_status pool_submit_now(pool_object& pool, const void* data, size_t size, submission& out) {
  if (pool.ending != pool_ending::no) return KITH_E_CLOSED;
  if (pool.lanes_given_up == pool.lane_count) return KITH_E_WORKER_DIED;
  // What waits in this process goes first.
  if (pool.table.waiting.count != 0) pool_distribute(pool);
  kith_status status = pool.table.waiting.count != 0 ? kith_status{KITH_E_BUSY}
                                                     : give(pool, lane_choose(pool, size), data, size, out);
  if (status != KITH_E_BUSY) return status;
  status = collect_all(pool);  // answers make room
  pool_distribute(pool);
  if (status != KITH_OK || pool.table.waiting.count != 0)
    return status == KITH_OK ? kith_status{KITH_E_BUSY} : status;
  return give(pool, lane_choose(pool, size), data, size, out);
}

namespace {

// ---- taking ------------------------------------------------------------------------------------------------------------------------

bool place_is_valid(const answer_place& place, int64_t timeout_ms) {
  return place.out != nullptr && (place.buffer != nullptr || place.capacity == 0) &&
         timeout_is_valid(timeout_ms);
}

bool pool_is_over(const pool_object& pool) {
  const bool none_will_come = pool.ending != pool_ending::no || pool.lanes_given_up == pool.lane_count;
  return none_will_come && pool.unanswered == 0;
}

kith_status next(pool_object& pool, const answer_place& place) {
  kith_status status = take_any(pool, place);
  if (status == KITH_E_BUSY) {
    pool_distribute(pool);
    if (pool_is_over(pool)) return KITH_E_CLOSED;
  }
  return status;
}

kith_status result(pool_object& pool, uint64_t ticket, const answer_place& place) {
  kith_status status = take_one(pool, ticket, place);
  if (status != KITH_E_BUSY) return status;
  status = collect_all(pool);  // or the others would stop when their rings are full
  pool_distribute(pool);
  return status == KITH_OK ? take_one(pool, ticket, place) : status;
}

}  // namespace

}  // namespace kith

using namespace kith;

kith_status kith_pool_submit(kith_pool* pool, const void* data, size_t size, uint64_t* out_ticket,
                             int64_t timeout_ms) {
  const pool_access access(pool);
  if (access.status() != KITH_OK) return access.status();
  if (!timeout_is_valid(timeout_ms) || (data == nullptr && size != 0)) return KITH_E_INVALID;
  pool_object& self = *access;
  submission made;
  const kith_status status =
      pool_keep_trying(self, timeout_ms, [&] { return pool_submit_now(self, data, size, made); });
  if (status == KITH_OK && out_ticket != nullptr) *out_ticket = made.ticket;
  return status;
}

kith_status kith_pool_submit_many(kith_pool* pool, const void* data, const size_t* sizes, size_t count,
                                  uint64_t* tickets, size_t* out_count, int64_t timeout_ms) {
  const pool_access access(pool);
  if (access.status() != KITH_OK) return access.status();
  size_t total = 0;
  for (size_t i = 0; sizes != nullptr && i < count; ++i) {
    if (sizes[i] > SIZE_MAX - total) return KITH_E_INVALID;
    total += sizes[i];
  }
  if (!timeout_is_valid(timeout_ms) || (sizes == nullptr && count != 0) || (data == nullptr && total != 0))
    return KITH_E_INVALID;
  pool_object& self = *access;
  const unsigned char* from = static_cast<const unsigned char*>(data);
  size_t sent = 0;
  const kith_status status = pool_keep_trying(self, timeout_ms, [&] {
    for (; sent < count; ++sent) {
      submission made;
      const kith_status each = pool_submit_now(self, from, sizes[sent], made);
      if (each != KITH_OK) return each;
      if (tickets != nullptr) tickets[sent] = made.ticket;
      if (sizes[sent] != 0) from += sizes[sent];
    }
    return kith_status{KITH_OK};
  });
  if (out_count != nullptr) *out_count = sent;
  return status;
}

kith_status kith_pool_result(kith_pool* pool, uint64_t ticket, void* buffer, size_t capacity,
                             kith_answer* out, int64_t timeout_ms) {
  const pool_access access(pool);
  if (access.status() != KITH_OK) return access.status();
  const answer_place place{buffer, capacity, out};
  if (!place_is_valid(place, timeout_ms)) return KITH_E_INVALID;
  return pool_keep_trying(*access, timeout_ms, [&] { return result(*access, ticket, place); });
}

kith_status kith_pool_next(kith_pool* pool, void* buffer, size_t capacity, kith_answer* out,
                           int64_t timeout_ms) {
  const pool_access access(pool);
  if (access.status() != KITH_OK) return access.status();
  const answer_place place{buffer, capacity, out};
  if (!place_is_valid(place, timeout_ms)) return KITH_E_INVALID;
  return pool_keep_trying(*access, timeout_ms, [&] { return next(*access, place); });
}

kith_status kith_pool_next_many(kith_pool* pool, void* buffer, size_t capacity, kith_answer* answers,
                                size_t most, size_t* out_count, int64_t timeout_ms) {
  const pool_access access(pool);
  if (access.status() != KITH_OK) return access.status();
  answer_place place{buffer, capacity, answers};
  if (!place_is_valid(place, timeout_ms) || most == 0 || out_count == nullptr) return KITH_E_INVALID;
  pool_object& self = *access;
  const kith_status first = pool_keep_trying(self, timeout_ms, [&] { return next(self, place); });
  if (first != KITH_OK && first != KITH_E_WORKER_DIED) return first;
  size_t count = 1;
  kith_status status = KITH_OK;
  while (count < most && (status == KITH_OK || status == KITH_E_WORKER_DIED)) {
    const size_t used = static_cast<size_t>(place.out->size);
    kith_answer more{};
    if (used != 0) place.buffer = static_cast<unsigned char*>(place.buffer) + used;
    place.capacity -= used;
    place.out = &more;
    status = take_any(self, place);
    place.out = &answers[count - 1];
    if (status != KITH_OK && status != KITH_E_WORKER_DIED) break;
    answers[count] = more;
    place.out = &answers[count++];
  }
  *out_count = count;
  return KITH_OK;
}
