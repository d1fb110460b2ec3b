// SPDX-License-Identifier: MIT
// A pool's lane to one worker: giving tasks, taking them back, and taking answers.
#include "allocator.h"
#include "pool.h"
#include "segment_object.h"

namespace kith {

namespace {

// Tasks in a lane at once, answered or not; a power of two.
constexpr uint32_t most_given = 1024;
// Before the first part of a task that comes in parts: its size.
constexpr uint64_t size_of_total = 16;

given_task& entry(const pool_lane& lane, uint32_t age) {
  return lane.given[(lane.first_given + age) & (most_given - 1)];
}

// The age of the oldest that has no answer; given_count: there is none.
uint32_t oldest(const pool_lane& lane) {
  uint32_t age = 0;
  while (age < lane.given_count && entry(lane, age).ticket == 0) ++age;
  return age;
}

void drop_oldest(pool_lane& lane, uint32_t count) {
  lane.shared.freed = entry(lane, count - 1).end;
  lane.first_given += count;
  lane.given_count -= count;
}

// Where the worker has passed all that was taken back, the room is free.
void free_what_was_taken_back(pool_lane& lane) {
  if (lane.given_count == 0 || lane.unanswered != 0) return;
  if (shm::lane_passed(lane.shared) == lane.shared.head) drop_oldest(lane, lane.given_count);
}

// A task in parts that is the oldest gives room back as the worker takes it.
void free_parts(pool_lane& lane) {
  const uint32_t age = oldest(lane);
  if (age < lane.given_count && entry(lane, age).task == lane.sending)
    lane.shared.freed = shm::lane_passed(lane.shared);
}

uint64_t largest_frame(const pool_lane& lane) { return shm::lane_largest_frame(lane.shared.tasks.size); }

bool is_in_parts(const pool_lane& lane, const pool_task& task) { return task.size > largest_frame(lane); }

bool can_have(pool_lane& lane, uint64_t size) {
  if (lane.last_told || lane.is_broken || lane.sending != no_task || lane.tasks_left == 0) return false;
  free_what_was_taken_back(lane);
  const uint64_t frame = size < largest_frame(lane) ? size : largest_frame(lane);
  return lane.given_count < most_given && shm::lane_room(lane.shared) >= shm::lane_bytes_of(frame);
}

// The worker is killed; when it has ended, its tasks are looked after.
kith_status break_off(pool_lane& lane) {
  lane.is_broken = true;
  (void)kith_process_kill(lane.process);
  return KITH_E_TIMEOUT;
}

kith_status keep_part(pool_lane& lane, const shm::pool_frame& frame) {
  const size_t had = lane.parts.size(), more = frame.size & shm::lane_size_mask;
  if (more == 0) return break_off(lane);
  if (more > SIZE_MAX - had || !lane.parts.resize(had + more)) return KITH_E_NO_MEMORY;
  shm::lane_copy(lane.shared, frame, lane.parts.data() + had);
  shm::lane_consume(lane.shared, frame);
  shm::lane_tell(*lane.shared.state, *lane.waiting, shm::lane_sleeps_for_room);
  return KITH_OK;
}

}  // namespace

constexpr segment_class pool_lane_class{
    {object_kind::pool_lane, segment_object_begin_close, segment_object_destroy},
    shm::segment_kind::pool_lane,
    false,
    0};

kith_status lane_allocate(pool_object& pool, pool_lane& lane) {
  if (lane.given == nullptr) lane.given = static_cast<given_task*>(allocate(most_given * sizeof(given_task)));
  if (lane.given == nullptr) return KITH_E_NO_MEMORY;
  shm::segment_plan plan{shm::segment_kind::pool_lane};
  plan.element_size = static_cast<size_t>(pool.ring_size);
  plan.data_size = 2 * plan.element_size;
  plan.commit = false;
  const kith_status status = segment_make(pool_lane_class, plan, &lane.segment, [](shm::segment&) {});
  if (status != KITH_OK) return status;
  const segment_object& made = *segment_object_find(lane.segment, object_kind::pool_lane);
  const shm::segment& segment = made.segment();
  lane.waiting = &made.shared->segment.waiting;
  lane.shared = {};
  lane.shared.state = reinterpret_cast<shm::pool_lane_state*>(segment.state);
  lane.shared.tasks = {segment.data, pool.ring_size};
  lane.shared.results = {segment.data + pool.ring_size, pool.ring_size};
  lane.first_given = lane.given_count = lane.unanswered = 0;
  lane.tasks_left = pool.most_tasks == 0 ? UINT64_MAX : pool.most_tasks;
  lane.last_told = lane.is_broken = lane.has_begun = false;
  lane.sending = no_task;
  lane.parts.clear();
  return KITH_OK;
}

void lane_close(pool_lane& lane) {
  handle_close(lane.segment, object_kind::pool_lane);
  kith_process_close(lane.process);
  lane.segment = nullptr;
  lane.process = nullptr;
  lane.shared.state = nullptr;
}

// ---- giving ----------------------------------------------------------------------------------------------------------------------

// The first of those that have the least to do: where few tasks come, they go to the worker that is warm.
pool_lane* lane_choose(pool_object& pool, uint64_t size) {
  pool_lane* best = nullptr;
  for (uint32_t i = 0; i < pool.lane_count; ++i) {
    pool_lane& each = pool.lanes[i];
    if (each.phase != lane_phase::working) continue;
    if ((best != nullptr && each.unanswered >= best->unanswered) || !can_have(each, size)) continue;
    best = &each;
    if (each.unanswered == 0) break;
  }
  return best;
}

void lane_give(pool_object& pool, pool_lane& lane, uint32_t index, const void* data) {
  pool_task& task = pool.table.tasks[index];
  task.phase = task_phase::given;
  task.lane = static_cast<uint32_t>(&lane - pool.lanes);
  given_task& given = entry(lane, lane.given_count++);
  given = {lane.shared.head, 0, task.ticket, index};
  ++lane.unanswered;
  if (lane.tasks_left != UINT64_MAX) --lane.tasks_left;
  if (is_in_parts(lane, task)) {
    lane.sending = index;
    lane.sent = 0;
    lane_send_parts(lane, pool.table);
  } else {
    shm::lane_write(lane.shared, {static_cast<uint32_t>(task.size), shm::lane_task_queued, task.ticket}, 0,
                    data);
    given.end = lane.shared.head;
    shm::lane_publish(lane.shared);
    shm::lane_tell(*lane.shared.state, *lane.waiting, shm::lane_sleeps_for_task);
  }
  if (lane.tasks_left == 0 && lane.sending == no_task) pool_tell_last(lane);
}

void lane_send_parts(pool_lane& lane, task_table& table) {
  if (lane.sending == no_task) return;
  pool_task& task = table.tasks[lane.sending];
  given_task& given = entry(lane, lane.given_count - 1);  // nothing comes behind it
  bool sent_any = false;
  while (lane.sending != no_task) {
    free_parts(lane);
    const uint64_t total = lane.sent == 0 ? task.size : 0, prefix = total != 0 ? size_of_total : 0;
    const uint64_t most = largest_frame(lane) - prefix, left = task.size - lane.sent;
    const uint64_t part = left < most ? left : most;
    if (shm::lane_room(lane.shared) < shm::lane_bytes_of(prefix + part)) break;
    const uint32_t flags = shm::lane_part | (part < left ? uint32_t{shm::lane_more} : 0u);
    shm::lane_write(lane.shared,
                    {static_cast<uint32_t>(prefix + part) | flags, shm::lane_task_queued, task.ticket}, total,
                    task_bytes(task) + lane.sent);
    lane.sent += part;
    given.end = lane.shared.head;
    if (part == left) lane.sending = no_task;
    shm::lane_publish(lane.shared);
    sent_any = true;
  }
  if (sent_any) shm::lane_tell(*lane.shared.state, *lane.waiting, shm::lane_sleeps_for_task);
}

bool lane_take_back(pool_lane& lane, uint32_t age, const pool_task& task) {
  given_task& given = entry(lane, age);
  if (is_in_parts(lane, task) || !shm::lane_take_back(lane.shared, given.position)) return false;
  given.ticket = 0;
  given.task = no_task;
  --lane.unanswered;
  if (lane.tasks_left != UINT64_MAX) ++lane.tasks_left;
  return true;
}

const given_task* lane_oldest(const pool_lane& lane) {
  const uint32_t age = oldest(lane);
  return age < lane.given_count ? &entry(lane, age) : nullptr;
}

const given_task& lane_given(const pool_lane& lane, uint32_t age) { return entry(lane, age); }

// ---- answers ---------------------------------------------------------------------------------------------------------------------

kith_status lane_next_answer(pool_lane& lane, arrived& out) {
  if (lane.phase != lane_phase::working || lane.is_broken) return KITH_E_TIMEOUT;
  for (;;) {
    shm::pool_frame frame;
    const kith_status status = shm::lane_peek(lane.shared, frame);
    if (status == KITH_E_TIMEOUT) return status;
    const given_task* const expected = lane_oldest(lane);
    const bool is_sound = status == KITH_OK && expected != nullptr && expected->ticket == frame.ticket &&
                          (frame.size & shm::lane_part) == 0;
    if (!is_sound || expected->task == lane.sending) return break_off(lane);
    if ((frame.size & shm::lane_more) == 0) {
      out = {expected->task, static_cast<int32_t>(frame.word),
             lane.parts.size() + uint64_t{frame.size & shm::lane_size_mask}, frame};
      return KITH_OK;
    }
    if (const kith_status kept = keep_part(lane, frame); kept != KITH_OK) return kept;
  }
}

void lane_copy_answer(const pool_lane& lane, const arrived& answer, void* out) {
  const size_t before = lane.parts.size();
  unsigned char* const to = static_cast<unsigned char*>(out);
  if (before != 0) std::memcpy(to, lane.parts.data(), before);
  if ((answer.frame.size & shm::lane_size_mask) != 0) shm::lane_copy(lane.shared, answer.frame, to + before);
}

void lane_take_answer(pool_object& pool, pool_lane& lane, const arrived& answer) {
  if (!lane.parts.empty()) lane.parts.reset();
  shm::lane_consume(lane.shared, answer.frame);
  shm::lane_tell(*lane.shared.state, *lane.waiting, shm::lane_sleeps_for_room);
  drop_oldest(lane, oldest(lane) + 1);
  lane.has_begun = true;
  lane.failed_starts = 0;
  --lane.unanswered;
  --pool.unanswered;
  ++pool.done;
  if (lane.last_told && lane.unanswered == 0) pool.looked_ns = 0;  // it goes, and a fresh one comes
}

}  // namespace kith
