// SPDX-License-Identifier: MIT
// What a pool and its workers share: a bell for all of them, and for each worker a lane of its own, with a ring of tasks and one of results.
//
// A lane has one writer and one reader in each direction. Tasks are done in the order in which they lie there, one at a time, and answered
// in that order, so the first task without an answer is the only one that the worker can have begun. Whether it has is written in the
// task's own frame: by one compare-and-swap the worker takes it, or the pool takes it back, to give it to another worker. So when a worker is killed, at
// whatever instruction, the pool finds of each task that it was answered (the whole answer is in the ring), begun (it is lost), or neither.
//
// The pool frees the room of a task when it has the answer; the worker need not say how far it is, but for tasks that it passes because they
// were taken back, and for those that come in parts.
#pragma once

#include <kith/kith.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "../platform.h"
#include "byte_ring.h"
#include "poll_flag.h"

namespace kith::shm {

// All workers of a pool have it.
struct pool_bell_state {
  std::atomic<uint64_t> asleep;   // 1: threads of the pool's process may sleep, on this word
  std::atomic<uint64_t> pollers;  // see poll_flag.h
  std::atomic<uint64_t> pool;  // identity of the pool's process. Written before anybody else has the segment
  uint64_t reserved[5];
};
static_assert(sizeof(pool_bell_state) == 64);

struct pool_lane_state {
  std::atomic<uint64_t> tasks_head;  // bytes of tasks ever given; the pool writes it
  std::atomic<uint64_t> last;        // 1: none will come after those that are there; the pool writes it
  uint64_t pool_line[6];
  std::atomic<uint64_t> results_tail;  // bytes of results ever taken; the pool writes it
  uint64_t taken_line[7];
  std::atomic<uint64_t> results_head;  // bytes of results ever given; the worker writes it
  std::atomic<uint64_t> tasks_tail;    // bytes of tasks that the worker has passed; the worker writes it
  std::atomic<uint64_t> ready;         // 1: the worker has asked for its first task
  uint64_t worker_line[5];
  std::atomic<uint64_t> asleep;  // the worker may sleep, on this word: lane_sleeps_...
  uint64_t flag_line[7];
};
static_assert(sizeof(pool_lane_state) == 256);

// In `asleep`.
inline constexpr uint64_t lane_sleeps_for_task = 1, lane_sleeps_for_room = 2;

// Frames begin at a multiple of 16; what they carry follows, padded to 16.
struct pool_frame {
  uint32_t size;  // bytes that follow, and flags
  uint32_t word;  // of a task: lane_task_..., atomic; of a result: the code of the task
  uint64_t ticket;
};
static_assert(sizeof(pool_frame) == ring_alignment);

enum lane_frame_flags : uint32_t {
  lane_part = 1u << 31,  // of a task that comes in parts; the first begins with the size of all, in 16 bytes
  lane_more = 1u << 30   // another part follows
};
inline constexpr uint32_t lane_size_mask = lane_more - 1;

enum lane_task_word : uint32_t { lane_task_queued = 0, lane_task_begun = 1, lane_task_taken_back = 2 };

inline constexpr uint64_t lane_smallest_ring = 4096, lane_largest_ring = uint64_t{1} << 30;

// What goes in one frame; more goes in several.
inline uint64_t lane_largest_frame(uint64_t ring_size) { return ring_size / 4 - sizeof(pool_frame); }
inline uint64_t lane_bytes_of(uint64_t size) { return sizeof(pool_frame) + ring_padded(size); }

inline unsigned char* lane_place(const byte_ring& ring, uint64_t position) {
  return ring.bytes + (position & (ring.size - 1));
}
inline std::atomic<uint32_t>& lane_word(const byte_ring& ring, uint64_t position) {
  return *reinterpret_cast<std::atomic<uint32_t>*>(lane_place(ring, position) + offsetof(pool_frame, word));
}
// How far one side can be ahead of the other.
inline bool lane_distance_is_sound(const byte_ring& ring, uint64_t distance) {
  return distance <= ring.size && distance % ring_alignment == 0;
}

// ---- the pool's side; local to its process ---------------------------------------------------------------------------------------

struct lane_of_pool {
  pool_lane_state* state = nullptr;
  byte_ring tasks, results;
  uint64_t head = 0;   // of tasks: our own
  uint64_t freed = 0;  // of tasks: room behind this is used again
  uint64_t taken = 0;  // of results: our own
  uint64_t seen = 0;   // of results: the worker's as last looked at
};

inline uint64_t lane_room(const lane_of_pool& lane) { return lane.tasks.size - (lane.head - lane.freed); }

// There is room. `total`: of the first of several parts, the size of all; otherwise 0. Nobody sees it before lane_publish.
void lane_write(lane_of_pool& lane, const pool_frame& frame, uint64_t total, const void* data);
// Release, with the acquire in lane_find_task.
inline void lane_publish(lane_of_pool& lane) {
  lane.state->tasks_head.store(lane.head, std::memory_order_release);
}
bool lane_take_back(const lane_of_pool& lane, uint64_t position);  // false: it is begun
bool lane_has_begun(const lane_of_pool& lane, uint64_t position);
// How far the worker has passed; `freed` where it says what cannot be.
uint64_t lane_passed(const lane_of_pool& lane);

// KITH_OK: a frame of a result; KITH_E_TIMEOUT: there is none; KITH_E_PROTOCOL: what is there is none of ours.
kith_status lane_peek(lane_of_pool& lane, pool_frame& out);
inline bool lane_has_news(const lane_of_pool& lane) {
  // Relaxed: a hint; lane_peek looks again.
  return lane.state->results_head.load(std::memory_order_relaxed) != lane.taken;
}
inline void lane_copy(const lane_of_pool& lane, const pool_frame& frame, void* out) {
  lane.results.copy_out(lane.taken + sizeof frame, out, frame.size & lane_size_mask);
}
// Release, with the acquire in lane_find_room: we have read what is overwritten then.
inline void lane_consume(lane_of_pool& lane, const pool_frame& frame) {
  lane.taken += lane_bytes_of(frame.size & lane_size_mask);
  lane.state->results_tail.store(lane.taken, std::memory_order_release);
}
// After a publish, a consume, or `last`.
void lane_wake(pool_lane_state& lane, wait_area& area);
inline void lane_tell(pool_lane_state& lane, wait_area& area, uint64_t whom) {
  platform::light_fence();  // pairs with the heavy one of the worker that goes to sleep
  if ((lane.asleep.load(std::memory_order_relaxed) & whom) != 0) lane_wake(lane, area);
}

// ---- the worker's side -------------------------------------------------------------------------------------------------------------

struct lane_of_worker {
  pool_lane_state* state = nullptr;
  byte_ring tasks, results;
  uint64_t next = 0;    // of tasks: our own
  uint64_t seen = 0;    // of tasks: the pool's as last looked at
  uint64_t put = 0;     // of results: our own
  uint64_t taken = 0;   // of results: the pool's as last looked at
  uint64_t unsent = 0;  // bytes of the result that lie behind `put`, where its next frame begins
};

// The next frame of a task, those taken back being passed. As lane_peek.
kith_status lane_find_task(lane_of_worker& lane, pool_frame& out);
inline bool lane_begin(const lane_of_worker& lane) {
  uint32_t queued = lane_task_queued;
  // Acquire and release: what the pool wrote for us comes before what we do; it takes back nothing that we have.
  return lane_word(lane.tasks, lane.next)
      .compare_exchange_strong(queued, lane_task_begun, std::memory_order_acq_rel, std::memory_order_relaxed);
}
// Release, with the acquire in lane_passed: we have read what is overwritten then.
inline void lane_pass(lane_of_worker& lane, const pool_frame& frame) {
  lane.next += lane_bytes_of(frame.size & lane_size_mask);
  lane.state->tasks_tail.store(lane.next, std::memory_order_release);
}
// Room for so many bytes of the result in the frame that is being written, its header not counted. KITH_E_PROTOCOL: impossible.
kith_status lane_find_room(lane_of_worker& lane, uint64_t& out);
inline void lane_add(lane_of_worker& lane, const void* data, uint64_t size) {
  lane.results.copy_in(lane.put + sizeof(pool_frame) + lane.unsent, data, size);
  lane.unsent += size;
}
// Sends the frame. Release, with the acquire in lane_peek.
void lane_send(lane_of_worker& lane, uint32_t flags, int32_t code, uint64_t ticket);

void pool_ring(pool_bell_state& bell, wait_area& area, const platform::bells* bells);  // wakes all
// After a send, or a part that was passed.
inline void pool_tell(pool_bell_state& bell, wait_area& area, const platform::bells* bells) {
  platform::light_fence();  // pairs with the heavy one of who goes to sleep, or polls
  if ((bell.asleep.load(std::memory_order_relaxed) | bell.pollers.load(std::memory_order_relaxed)) != 0)
    pool_ring(bell, area, bells);
}

}  // namespace kith::shm
