// SPDX-License-Identifier: MIT
#include "pool_lane.h"

namespace kith::shm {

namespace {

// Once, into a local: the other side may write while we check.
pool_frame read_frame(const byte_ring& ring, uint64_t position) {
  pool_frame frame;
  std::memcpy(&frame, lane_place(ring, position), sizeof frame);
  return frame;
}

bool fits(const pool_frame& frame, uint64_t available) {
  return lane_bytes_of(frame.size & lane_size_mask) <= available;
}

}  // namespace

// ---- the pool's side ---------------------------------------------------------------------------------------------------------------

void lane_write(lane_of_pool& lane, const pool_frame& frame, uint64_t total, const void* data) {
  const uint64_t size = frame.size & lane_size_mask;
  std::memcpy(lane_place(lane.tasks, lane.head), &frame, sizeof frame);
  uint64_t at = lane.head + sizeof frame, prefix = 0;
  if (total != 0) {
    const uint64_t words[2] = {total, 0};
    lane.tasks.copy_in(at, words, prefix = sizeof words);
    at += prefix;
  }
  if (size != prefix) lane.tasks.copy_in(at, data, size - prefix);
  lane.head += lane_bytes_of(size);
}

bool lane_take_back(const lane_of_pool& lane, uint64_t position) {
  uint32_t queued = lane_task_queued;
  return lane_word(lane.tasks, position)
      .compare_exchange_strong(queued, lane_task_taken_back, std::memory_order_acq_rel,
                               std::memory_order_relaxed);
}

// Relaxed: of a living worker it is for people, of a dead one the OS told us after its last write.
bool lane_has_begun(const lane_of_pool& lane, uint64_t position) {
  return lane_word(lane.tasks, position).load(std::memory_order_relaxed) == lane_task_begun;
}

uint64_t lane_passed(const lane_of_pool& lane) {
  const uint64_t tail = lane.state->tasks_tail.load(std::memory_order_acquire);
  const bool is_sound = tail - lane.freed <= lane.head - lane.freed && tail % ring_alignment == 0;
  return is_sound ? tail : lane.freed;
}

kith_status lane_peek(lane_of_pool& lane, pool_frame& out) {
  if (lane.seen == lane.taken) {
    const uint64_t head = lane.state->results_head.load(std::memory_order_acquire);
    if (!lane_distance_is_sound(lane.results, head - lane.taken)) return KITH_E_PROTOCOL;
    lane.seen = head;
  }
  if (lane.seen == lane.taken) return KITH_E_TIMEOUT;
  out = read_frame(lane.results, lane.taken);
  return fits(out, lane.seen - lane.taken) ? KITH_OK : KITH_E_PROTOCOL;
}

// The worker sleeps on the flag. Seq_cst, as every step around a sleep.
void lane_wake(pool_lane_state& lane, wait_area& area) {
  lane.asleep.store(0);
  platform::wake(area, lane.asleep, 1);
}

// ---- the worker's side -------------------------------------------------------------------------------------------------------------

kith_status lane_find_task(lane_of_worker& lane, pool_frame& out) {
  for (;;) {
    if (lane.seen == lane.next) lane.seen = lane.state->tasks_head.load(std::memory_order_acquire);
    const uint64_t available = lane.seen - lane.next;
    if (!lane_distance_is_sound(lane.tasks, available)) return KITH_E_PROTOCOL;
    if (available == 0) return KITH_E_TIMEOUT;
    out = read_frame(lane.tasks, lane.next);
    if (!fits(out, available)) return KITH_E_PROTOCOL;
    if (out.word != lane_task_taken_back) return KITH_OK;
    lane_pass(lane, out);
  }
}

kith_status lane_find_room(lane_of_worker& lane, uint64_t& out) {
  const uint64_t largest = lane_largest_frame(lane.results.size);
  const uint64_t wanted = lane_bytes_of(largest);
  if (lane.results.size - (lane.put - lane.taken) < wanted) {
    const uint64_t tail = lane.state->results_tail.load(std::memory_order_acquire);
    if (!lane_distance_is_sound(lane.results, lane.put - tail)) return KITH_E_PROTOCOL;
    lane.taken = tail;
  }
  const uint64_t room = lane.results.size - (lane.put - lane.taken);
  if (room < sizeof(pool_frame)) return KITH_E_TIMEOUT;
  const uint64_t payload = room - sizeof(pool_frame) < largest ? room - sizeof(pool_frame) : largest;
  if (payload < lane.unsent) return KITH_E_PROTOCOL;
  out = payload - lane.unsent;
  return KITH_OK;
}

void lane_send(lane_of_worker& lane, uint32_t flags, int32_t code, uint64_t ticket) {
  const pool_frame frame{static_cast<uint32_t>(lane.unsent) | flags, static_cast<uint32_t>(code), ticket};
  std::memcpy(lane_place(lane.results, lane.put), &frame, sizeof frame);
  lane.put += lane_bytes_of(lane.unsent);
  lane.unsent = 0;
  lane.state->results_head.store(lane.put, std::memory_order_release);
}

void pool_ring(pool_bell_state& bell, wait_area& area, const platform::bells* bells) {
  // Seq_cst, as every step around a sleep. All are woken: each waits for something else.
  if (bell.asleep.load() != 0) {
    bell.asleep.store(0);
    platform::wake(area, bell.asleep, UINT32_MAX);
  }
  if (bell.pollers.load(std::memory_order_relaxed) != 0) ring_pollers(bell.pollers, bells);
}

}  // namespace kith::shm
