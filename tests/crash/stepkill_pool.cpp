// SPDX-License-Identifier: MIT
// A worker of a pool, killed while it takes a task, does it, and answers it; or while it looks for one that was taken back.
#include <cstring>

#include "shm/patience.h"
#include "stepkill.h"

namespace stepkill {

namespace {

using kith::no_deadline;
using kith::platform::clock_now;
using kith::shm::lane_of_pool;
using kith::shm::lane_of_worker;
using kith::shm::pool_frame;

constexpr uint64_t ring_size = kith::shm::lane_smallest_ring;
constexpr uint64_t task_size = 40;  // not more: some processors copy a byte a step
constexpr uint64_t first_ticket = 101, second_ticket = 102;

// The pool's side, in the process that judges.
lane_of_pool pool;
uint64_t first_place, second_place;

lane_of_pool pool_side(world& w) {
  lane_of_pool side;
  side.state = &w.shared->lane;
  side.tasks = {w.shared->ring, ring_size};
  side.results = {w.shared->results, ring_size};
  return side;
}

uint64_t give(uint64_t ticket, char letter) {
  char task[task_size];
  std::memset(task, letter, sizeof task);
  const uint64_t place = pool.head;
  kith::shm::lane_write(pool, {task_size, kith::shm::lane_task_queued, ticket}, 0, task);
  kith::shm::lane_publish(pool);
  return place;
}

// ---- before ------------------------------------------------------------------------------------------------------------------------

void give_two(world& w) {
  pool = pool_side(w);
  first_place = give(first_ticket, 'A');
  second_place = give(second_ticket, 'B');
}

// A thread of the pool's process that sleeps until an answer comes.
void let_the_pool_sleep(world& w) {
  give_two(w);
  start_survivor(w, 0, [&w] {
    const kith::shm::patience limits{no_deadline};
    kith::shm::waiter waiting(limits);
    while (w.shared->lane.results_head.load() == 0) {
      w.shared->bell.asleep.store(1);
      kith::platform::heavy_fence();
      if (w.shared->lane.results_head.load() == 0)
        waiting.sleep(w.area, w.shared->bell.asleep, 1, {}, clock_now());
    }
    return kith_status{KITH_OK};
  });
  await([&w] { return w.shared->bell.asleep.load() != 0 && is_asleep(w, 0); });
}

void give_two_and_take_one_back(world& w) {
  give_two(w);
  (void)kith::shm::lane_take_back(pool, first_place);
}

// ---- the operation: what kith_worker_next, _reply and _done do -------------------------------------------------------------------------

void do_a_task(world& w) {
  lane_of_worker lane;
  lane.state = &w.shared->lane;
  lane.tasks = {w.shared->ring, ring_size};
  lane.results = {w.shared->results, ring_size};
  pool_frame frame;
  if (kith::shm::lane_find_task(lane, frame) != KITH_OK || !kith::shm::lane_begin(lane)) return;
  w.shared->notified.store(1);  // the task's function runs
  unsigned char task[task_size];
  lane.tasks.copy_out(lane.next + sizeof frame, task, task_size);
  uint64_t room = 0;
  if (kith::shm::lane_find_room(lane, room) != KITH_OK) return;
  kith::shm::lane_add(lane, task, task_size);
  kith::shm::lane_pass(lane, frame);
  kith::shm::lane_send(lane, 0, 7, frame.ticket);
  kith::shm::pool_tell(w.shared->bell, w.area, nullptr);
}

// ---- afterwards --------------------------------------------------------------------------------------------------------------------

bool is_whole(const pool_frame& frame, char letter) {
  unsigned char result[task_size];
  if ((frame.size & kith::shm::lane_size_mask) != task_size || frame.word != 7) return false;
  kith::shm::lane_copy(pool, frame, result);
  for (const unsigned char each : result) {
    if (each != static_cast<unsigned char>(letter)) return false;
  }
  return true;
}

// Answered, begun, or neither: of the task that the victim was to do. The other one it had not touched.
void judge(world& w, uint64_t place, uint64_t ticket, char letter, judgement& verdict) {
  pool_frame answer;
  const kith_status found = kith::shm::lane_peek(pool, answer);
  const bool has_begun = kith::shm::lane_has_begun(pool, place);
  verdict.must(found == KITH_OK || found == KITH_E_TIMEOUT, "there is an answer, or none");
  if (found == KITH_OK) {
    verdict.must(has_begun && answer.ticket == ticket && is_whole(answer, letter), "an answer is whole");
    kith::shm::lane_consume(pool, answer);
    verdict.must(kith::shm::lane_peek(pool, answer) == KITH_E_TIMEOUT, "there is no other");
  } else if (!has_begun) {
    verdict.must(w.shared->notified.load() == 0, "a task that counts as not begun was not begun");
    verdict.must(kith::shm::lane_take_back(pool, place), "a task that was not begun can be given to another");
  }
}

void judge_the_first(world& w, const frozen&, judgement& verdict) {
  judge(w, first_place, first_ticket, 'A', verdict);
  verdict.must(!kith::shm::lane_has_begun(pool, second_place), "the next task was not begun");
}

void judge_the_second(world& w, const frozen&, judgement& verdict) {
  judge(w, second_place, second_ticket, 'B', verdict);
  verdict.must(!kith::shm::lane_has_begun(pool, first_place), "what was taken back was not begun");
}

void judge_and_await_the_pool(world& w, const frozen& then, judgement& verdict) {
  const bool answered = w.shared->lane.results_head.load() != 0;
  if (answered) {
    verdict.came_back("the pool's thread", await_survivor(w, 0, then.killed_at), KITH_OK);
  } else {
    verdict.must(!is_back(w, 0), "nobody comes back without an answer");
  }
  judge_the_first(w, then, verdict);
}

constexpr scenario all[] = {
    {"pool: do a task", true, 1, give_two, nullptr, nullptr, do_a_task, judge_the_first},
    {"pool: do a task, while the pool sleeps", true, 1, let_the_pool_sleep, nullptr, nullptr, do_a_task,
     judge_and_await_the_pool},
    {"pool: do a task behind one that was taken back", true, 1, give_two_and_take_one_back, nullptr, nullptr,
     do_a_task, judge_the_second},
};

}  // namespace

std::span<const scenario> pool_scenarios() { return all; }

}  // namespace stepkill
