// SPDX-License-Identifier: MIT
// The workers of a pool: starting them, noticing their end, and keeping all of them busy.
#include "object_transfer.h"
#include "pool.h"
#include "segment_object.h"

namespace kith {

namespace {

constexpr uint64_t look_interval_ns = ns_per_ms;
constexpr uint32_t most_failed_starts = 5;
// Before the next try, after so many that failed in a row.
constexpr uint64_t delays_ns[most_failed_starts] = {0, 0, ns_per_ms, 10 * ns_per_ms, 100 * ns_per_ms};

// ---- starting ----------------------------------------------------------------------------------------------------------------------

identity identity_of(kith_process* process) {
  process_label label;
  object* found = nullptr;
  if (handle_pin(process, object_kind::process, found) != KITH_OK) return {};
  (void)process_describe(*found, label);
  handle_unpin(process);
  return label.who;
}

// Without the mutex: nobody else uses a lane where a worker is being started.
kith_status start_process(pool_object& pool, pool_lane& lane) {
  kith_status status = lane_allocate(pool, lane);
  if (status != KITH_OK) return status;
  buffer<kith_share> shares;
  if (!shares.append(pool.order.shares.data(), pool.order.shares.size()) ||
      !shares.append({pool_bell_name, pool.bell_handle}) || !shares.append({pool_lane_name, lane.segment}))
    return KITH_E_NO_MEMORY;
  kith_process_options wanted = pool.order.process;
  wanted.shares = shares.data();
  wanted.share_count = shares.size();
  status = kith_process_spawn(&wanted, &lane.process);
  if (status == KITH_OK) lane.worker = identity_of(lane.process);
  return status;
}

bool ends_early(const pool_object& pool) {
  return pool.ending == pool_ending::killed || pool.closed.load(std::memory_order_seq_cst);
}

void answer_all_that_wait(pool_object& pool) {
  while (pool.table.waiting.count != 0) {
    const uint32_t index = pool.table.waiting.first;
    task_remove(pool.table, pool.table.waiting, index);
    answer_without_result(pool, index, KITH_E_WORKER_DIED, pool.last_end);
  }
}

void note_failed_start(pool_object& pool, pool_lane& lane, const kith_exit& end) {
  pool.last_end = end;
  lane.phase = lane_phase::empty;
  if (++lane.failed_starts < most_failed_starts) {
    lane.start_after_ns = deadline_after(platform::clock_now(), delays_ns[lane.failed_starts]).at_ns;
    return;
  }
  lane.phase = lane_phase::given_up;
  if (++pool.lanes_given_up == pool.lane_count) answer_all_that_wait(pool);
  pool.news = true;
}

// With the mutex, which is let go while the process is started.
kith_status start_worker(pool_object& pool, pool_lane& lane) {
  lane.phase = lane_phase::starting;
  pool_unlock(pool);
  const kith_status status = start_process(pool, lane);
  pool_lock(pool);
  pool.news = true;
  if (status != KITH_OK) {
    lane_close(lane);
    ++pool.died;
    note_failed_start(pool, lane, {KITH_EXIT_UNKNOWN, 0, status});
    return status;
  }
  lane.phase = lane_phase::working;
  if (ends_early(pool)) (void)kith_process_kill(lane.process);
  return KITH_OK;
}

bool wants_worker(const pool_object& pool, const pool_lane& lane, uint64_t now) {
  if (lane.phase != lane_phase::empty || ends_early(pool)) return false;
  if (pool.ending == pool_ending::finishing && pool.unanswered == 0) return false;
  return now >= lane.start_after_ns;
}

// ---- the end of a worker ------------------------------------------------------------------------------------------------------------

// Of a task that fits a frame the bytes are in the ring only. They stay there until it is answered. false: no memory.
bool keep_bytes(const pool_lane& lane, const given_task& given, pool_task& task) {
  if (task.bytes != nullptr || task.size == 0) return true;
  unsigned char* const room = task_room(task, task.size);
  if (room == nullptr) return false;
  lane.shared.tasks.copy_out(given.position + sizeof(shm::pool_frame), room, task.size);
  return true;
}

// A task that the dead worker had not begun waits for another one.
void give_back(pool_object& pool, pool_lane& lane, const given_task& given) {
  pool_task& task = pool.table.tasks[given.task];
  if (task.is_unwanted) return answer_without_result(pool, given.task, KITH_E_WORKER_DIED, {});
  if (!keep_bytes(lane, given, task)) return answer_without_result(pool, given.task, KITH_E_NO_MEMORY, {});
  task.phase = task_phase::waiting;
  task_prepend(pool.table, pool.table.waiting, given.task);
}

// All that it answered has been collected. Oldest last, so that all wait in their order.
void look_after_tasks(pool_object& pool, pool_lane& lane, const kith_exit& end) {
  const given_task* const first = lane_oldest(lane);
  for (uint32_t age = lane.given_count; age-- != 0;) {
    const given_task given = lane_given(lane, age);
    if (given.ticket == 0) continue;
    if (&lane_given(lane, age) == first && shm::lane_has_begun(lane.shared, given.position)) {
      lane.has_begun = true;
      answer_without_result(pool, given.task, KITH_E_WORKER_DIED, end);
    } else {
      give_back(pool, lane, given);
    }
  }
  lane.given_count = lane.unanswered = 0;
}

void worker_died(pool_object& pool, pool_lane& lane, const kith_exit& end) {
  if (!lane.is_broken && collect_lane(pool, lane) != KITH_OK) return;  // no memory: the next look
  const bool was_told = (lane.last_told && lane.unanswered == 0) || ends_early(pool);
  const bool had_tasks = lane.unanswered != 0;
  const bool was_ready = lane.shared.state->ready.load(std::memory_order_relaxed) != 0;
  look_after_tasks(pool, lane, end);
  lane_close(lane);
  lane.phase = lane_phase::empty;
  lane.start_after_ns = 0;
  pool.news = true;
  if (!was_told) ++pool.died;
  if (lane.has_begun) lane.failed_starts = 0;
  if (!was_told && !lane.has_begun && (had_tasks || !was_ready)) note_failed_start(pool, lane, end);
  if (pool.lanes_given_up == pool.lane_count) answer_all_that_wait(pool);
}

// It ends by itself; a fresh one can come.
void let_it_leave(pool_object& pool, pool_lane& lane) {
  if (!pool.leaving.append(lane.process)) return;  // the next look
  lane.process = nullptr;
  lane_close(lane);
  lane.phase = lane_phase::empty;
  lane.start_after_ns = 0;
}

void reap_leaving(pool_object& pool) {
  for (size_t i = pool.leaving.size(); i-- != 0;) {
    kith_exit end;
    if (kith_process_wait(pool.leaving[i], 0, &end) != KITH_OK) continue;
    kith_process_close(pool.leaving[i]);
    pool.leaving[i] = pool.leaving.back();
    (void)pool.leaving.resize(pool.leaving.size() - 1);
  }
}

// ---- from the busy to the idle --------------------------------------------------------------------------------------------------------

bool is_idle(const pool_lane& lane) {
  return lane.phase == lane_phase::working && lane.unanswered == 0 && !lane.last_told && !lane.is_broken;
}

pool_lane* busiest(pool_object& pool) {
  pool_lane* found = nullptr;
  for (uint32_t i = 0; i < pool.lane_count; ++i) {
    pool_lane& each = pool.lanes[i];
    const bool has_some = each.phase == lane_phase::working && each.unanswered >= 2 && !each.is_broken;
    if (has_some && (found == nullptr || each.unanswered > found->unanswered)) found = &each;
  }
  return found;
}

// The youngest half of what the busiest worker has not begun, in its order.
void move_half(pool_object& pool, pool_lane& from) {
  const uint32_t most = from.unanswered / 2;
  uint32_t moved = 0;
  for (uint32_t age = from.given_count; age-- != 0 && moved < most;) {
    const given_task given = lane_given(from, age);
    if (given.ticket == 0) continue;
    pool_task& task = pool.table.tasks[given.task];
    if (!keep_bytes(from, given, task) || !lane_take_back(from, age, task)) return;
    task.phase = task_phase::waiting;
    task_prepend(pool.table, pool.table.waiting, given.task);
    ++moved;
  }
}

void give_what_waits(pool_object& pool) {
  task_list& waiting = pool.table.waiting;
  while (waiting.count != 0) {
    const uint32_t index = waiting.first;
    pool_task& task = pool.table.tasks[index];
    pool_lane* const lane = lane_choose(pool, task.size);
    if (lane == nullptr) return;
    task_remove(pool.table, waiting, index);
    lane_give(pool, *lane, index, task_bytes(task));
  }
}

}  // namespace

bool pool_wants_look(const pool_object& pool, uint64_t now) {
  return now - pool.looked_ns >= look_interval_ns;
}

void pool_look_after(pool_object& pool) {
  if (pool.closed.load(std::memory_order_seq_cst)) return;  // its workers were killed for that
  const uint64_t now = platform::clock_now();
  pool.looked_ns = now;
  for (uint32_t i = 0; i < pool.lane_count; ++i) {
    pool_lane& each = pool.lanes[i];
    kith_exit end;
    if (each.phase != lane_phase::working) continue;
    if (kith_process_wait(each.process, 0, &end) == KITH_OK) {
      worker_died(pool, each, end);
    } else if (each.last_told && each.unanswered == 0) {
      let_it_leave(pool, each);
    }
  }
  reap_leaving(pool);
  for (uint32_t i = 0; i < pool.lane_count; ++i) {
    if (wants_worker(pool, pool.lanes[i], now)) (void)start_worker(pool, pool.lanes[i]);
  }
  pool_distribute(pool);
}

kith_status pool_start_all(pool_object& pool) {
  for (uint32_t i = 0; i < pool.lane_count; ++i) {
    if (const kith_status status = start_worker(pool, pool.lanes[i]); status != KITH_OK) return status;
  }
  return KITH_OK;
}

void pool_distribute(pool_object& pool) {
  pool_lane* idle = nullptr;
  for (uint32_t i = 0; i < pool.lane_count; ++i) {
    pool_lane& each = pool.lanes[i];
    if (each.phase != lane_phase::working) continue;
    lane_send_parts(each, pool.table);
    if (each.tasks_left == 0 && each.sending == no_task && !each.last_told) pool_tell_last(each);
    if (idle == nullptr && is_idle(each)) idle = &each;
  }
  if (pool.table.waiting.count == 0 && idle != nullptr && pool.unanswered >= 2) {
    pool_lane* const from = busiest(pool);
    if (from != nullptr) move_half(pool, *from);
  }
  if (pool.table.waiting.count != 0) give_what_waits(pool);
}

void pool_tell_last(pool_lane& lane) {
  lane.last_told = true;
  // Release, with the acquire in the worker: it sees all tasks that came before.
  lane.shared.state->last.store(1, std::memory_order_release);
  shm::lane_tell(*lane.shared.state, *lane.waiting, shm::lane_sleeps_for_task);
}

void pool_kill_all(pool_object& pool) {
  for (uint32_t i = 0; i < pool.lane_count; ++i) {
    if (pool.lanes[i].phase == lane_phase::working) (void)kith_process_kill(pool.lanes[i].process);
  }
  for (kith_process* each : pool.leaving) (void)kith_process_kill(each);
}

identity pool_whom_to_watch(pool_object& pool, bool& others) {
  identity found;
  uint32_t working = 0;
  for (uint32_t i = 0; i < pool.lane_count; ++i) {
    const pool_lane& each = pool.lanes[(pool.watched + i) % pool.lane_count];
    if (each.phase != lane_phase::working) continue;
    if (++working == 1) found = each.worker;
  }
  pool.watched = (pool.watched + 1) % pool.lane_count;
  others = working != 1;
  return found;
}

}  // namespace kith
