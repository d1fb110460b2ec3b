// SPDX-License-Identifier: MIT
// A pool, as the process that has it keeps it. docs/internals.md tells how it works; shm/pool_lane.h has what it shares with its workers.
//
// All of it is guarded by its mutex, which is held for microseconds: never while a thread sleeps, or starts a process.
#pragma once

#include <kith/kith.h>
#include <uv.h>

#include <atomic>

#include "buffer.h"
#include "object.h"
#include "shm/pool_lane.h"
#include "shm/spin.h"
#include "waiting.h"

namespace kith {

// The names by which a worker asks for what it shares with the pool.
inline constexpr const char* pool_bell_name = "kith.pool.bell";
inline constexpr const char* pool_lane_name = "kith.pool.lane";

// ---- what workers are (pool_order.cpp) -----------------------------------------------------------------------------------------------

// What the user asked for, kept for the workers that are started later.
struct pool_order {
  kith_process_options process{};
  buffer<kith_share> shares;  // handles of our own; room for two more
  buffer<char> names;         // all text, each with its NUL
  buffer<const char*> argv, env;
  buffer<unsigned char> argument;
};

kith_status pool_order_keep(const kith_pool_options& wanted, pool_order& out);
void pool_order_forget(pool_order& self);
// Another handle of ours for the same object.
kith_status pool_share_again(const void* object, const void** out);

// ---- tasks (pool_tasks.cpp) ----------------------------------------------------------------------------------------------------------

inline constexpr uint32_t no_task = UINT32_MAX;

enum class task_phase : uint32_t { free, waiting, given, done };

struct map_call;

// From submission until the answer is taken. A ticket is the place in the table, and how often that was used.
struct pool_task {
  uint64_t ticket;
  task_phase phase;
  uint32_t previous, next;  // in the list of those that wait, are done, or are free
  uint32_t lane;            // given
  unsigned char*
      bytes;  // of the task, where the ring does not have them; done: of the result. nullptr: in `small`
  uint64_t size;
  bool is_unwanted;  // its answer is dropped
  map_call* map;     // whose answer it is; nullptr: that of whoever comes
  size_t index;      // in the map
  kith_answer answer;
  unsigned char small[40];
};

struct task_list {
  uint32_t first = no_task, last = no_task;
  uint64_t count = 0;
};

struct task_table {
  buffer<pool_task> tasks;
  uint32_t first_free = no_task;
  task_list waiting, done;
};

kith_status task_make(task_table& table, uint32_t& out);
void task_free(task_table& table, uint32_t index);
uint32_t task_find(const task_table& table, uint64_t ticket);  // no_task: there is none
void task_append(task_table& table, task_list& list, uint32_t index);
void task_prepend(task_table& table, task_list& list, uint32_t index);
void task_remove(task_table& table, task_list& list, uint32_t index);
// Room for so many bytes in the task's own memory; nullptr: none.
unsigned char* task_room(pool_task& task, uint64_t size);
inline unsigned char* task_bytes(pool_task& task) { return task.bytes != nullptr ? task.bytes : task.small; }

// ---- lanes (pool_give.cpp) -----------------------------------------------------------------------------------------------------------

// A task in a lane, from the time when it is written there until its room is free again.
struct given_task {
  uint64_t position;  // of its frame, the first if it comes in parts
  uint64_t end;
  uint64_t ticket;  // 0: taken back
  uint32_t task;
};

enum class lane_phase : uint32_t {
  empty,     // wants a worker
  starting,  // a thread is starting one
  working,
  given_up
};

struct pool_lane {
  lane_phase phase = lane_phase::empty;
  kith_process* process = nullptr;
  void* segment = nullptr;  // its handle
  identity worker;
  wait_area* waiting = nullptr;
  shm::lane_of_pool shared;

  // Those in the lane, oldest first; a ring.
  given_task* given = nullptr;
  uint32_t first_given = 0, given_count = 0, unanswered = 0;
  uint64_t tasks_left = 0;  // that this worker may be given
  bool last_told = false;   // it gets no more, and ends
  bool is_broken = false;   // wrote rubbish, and was killed for it
  bool has_begun = false;   // any task, ever

  uint32_t sending = no_task;  // a task in parts, of which so much was sent
  uint64_t sent = 0;
  buffer<unsigned char> parts;  // of a result that comes in parts

  uint32_t failed_starts = 0;  // in a row
  uint64_t start_after_ns = 0;
};

// ---- the pool ------------------------------------------------------------------------------------------------------------------------

enum class pool_ending : uint32_t { no, finishing, killed };

struct pool_object : object {
  uv_mutex_t mutex;
  identity owner;  // in a forked child the copy of the pool is good for nothing
  pool_order order;
  uint64_t most_tasks = 0, ring_size = 0;
  void* bell_handle = nullptr;
  shm::pool_bell_state* bell = nullptr;
  wait_area* bell_area = nullptr;
  const platform::bells* bells = nullptr;

  pool_lane* lanes = nullptr;
  uint32_t lane_count = 0, lanes_given_up = 0;
  uint32_t cursor = 0;  // the lane that next looks at first
  uint32_t watched = 0;
  task_table table;
  uint64_t unanswered = 0, done = 0, died = 0;
  pool_ending ending = pool_ending::no;
  kith_exit last_end{};           // of a worker that failed to start
  buffer<kith_process*> leaving;  // workers that end in good order
  uint32_t sleepers = 0;          // threads that wait, for anything
  bool news = false;              // for other threads than the one that made it
  uint32_t calls = 0;
  uint64_t looked_ns = 0;  // when we last looked after the workers
  shm::spinner spin{192, 64};
};

inline pool_lane& lane_of(pool_object& pool, const pool_task& task) { return pool.lanes[task.lane]; }

kith_status lane_allocate(pool_object& pool, pool_lane& lane);
void lane_close(pool_lane& lane);  // lets go of a worker and what it shared
// The lane that should get a task of that size, with room for it; nullptr: none.
pool_lane* lane_choose(pool_object& pool, uint64_t size);
void lane_give(pool_object& pool, pool_lane& lane, uint32_t index, const void* data);
void lane_send_parts(pool_lane& lane, task_table& table);
bool lane_take_back(pool_lane& lane, uint32_t age,
                    const pool_task& task);            // false: it has begun, or comes in parts
const given_task* lane_oldest(const pool_lane& lane);  // without an answer; nullptr: there is none
const given_task& lane_given(const pool_lane& lane, uint32_t age);

// A result that has come whole.
struct arrived {
  uint32_t task;
  int32_t code;
  uint64_t size;
  shm::pool_frame frame;
};
// KITH_OK; KITH_E_TIMEOUT: there is none; KITH_E_NO_MEMORY: it stays. A worker that writes rubbish is killed.
kith_status lane_next_answer(pool_lane& lane, arrived& out);
void lane_copy_answer(const pool_lane& lane, const arrived& answer, void* out);
void lane_take_answer(pool_object& pool, pool_lane& lane, const arrived& answer);

// ---- answers (pool_answers.cpp) ------------------------------------------------------------------------------------------------------

// One call of kith_pool_map.
struct map_call {
  unsigned char* results;
  size_t result_size;
  kith_answer* answers;
  size_t submitted, answered;
  size_t first_failed;
  kith_status failure;
};

// A task that is submitted: for whom, and its ticket.
struct submission {
  map_call* map = nullptr;
  size_t index = 0;
  uint64_t ticket = 0;
};
kith_status pool_submit_now(pool_object& pool, const void* data, size_t size,
                            submission& out);  // KITH_E_BUSY: no room

// Where the answer goes that a call waits for.
struct answer_place {
  void* buffer;
  size_t capacity;
  kith_answer* out;
};

// The task has an answer that is no result of a worker: it is done.
void answer_without_result(pool_object& pool, uint32_t index, kith_status status, const kith_exit& end);
kith_status collect_lane(pool_object& pool, pool_lane& lane);
kith_status collect_all(pool_object& pool);
// KITH_E_BUSY: there is none.
kith_status take_done(pool_object& pool, uint32_t index, const answer_place& place);
kith_status take_any(pool_object& pool, const answer_place& place);
kith_status take_one(pool_object& pool, uint64_t ticket, const answer_place& place);

// ---- workers (pool_workers.cpp) --------------------------------------------------------------------------------------------------------

// Looks which workers have ended, and starts fresh ones. The mutex is let go meanwhile.
void pool_look_after(pool_object& pool);
bool pool_wants_look(const pool_object& pool, uint64_t now);
kith_status pool_start_all(pool_object& pool);
// Gives what waits in this process to workers, from the busy to the idle too, and sends what comes in parts.
void pool_distribute(pool_object& pool);
void pool_tell_last(pool_lane& lane);
void pool_kill_all(pool_object& pool);
identity pool_whom_to_watch(pool_object& pool, bool& others);

// ---- the mutex (pool.cpp) ----------------------------------------------------------------------------------------------------------------

void pool_lock(pool_object& pool);
void pool_unlock(pool_object& pool);  // wakes the others if there is news for them

// readiness.cpp
bool pool_is_ready(object& self);
void pool_raise(object& self);

// ---- the worker's process (worker.cpp, worker_loop.cpp) -----------------------------------------------------------------------------------

// For `argument` of a worker that runs `task`: where its functions are, and what the user gives to them.
kith_status worker_order_write(const kith_pool_options& wanted, buffer<unsigned char>& out);
int32_t worker_main(const void* argument, size_t size);

}  // namespace kith
