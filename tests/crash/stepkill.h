// SPDX-License-Identifier: MIT
// The parts of the kill test: a world of shared memory with one object of each kind in it, helper processes, and scenarios.
#pragma once

#include <kith/kith.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "platform.h"
#include "shm/barrier.h"
#include "shm/broadcast.h"
#include "shm/condition.h"
#include "shm/event.h"
#include "shm/lock_word.h"
#include "shm/parking_lot.h"
#include "shm/pool_lane.h"
#include "shm/queue.h"
#include "shm/semaphore.h"

namespace stepkill {

inline constexpr uint32_t slot_count = 16;
inline constexpr uint32_t permit_count = 2;
inline constexpr uint32_t most_parties = 3;
inline constexpr uint32_t most_survivors = 3;
inline constexpr uint32_t watched_condition_words = 4;          // no scenario uses more
inline constexpr uint64_t patience_ns = 100 * kith::ns_per_ms;  // in which every survivor must be back

// What a survivor tells.
struct report {
  std::atomic<uint64_t> identity;
  std::atomic<uint32_t> ready;
  std::atomic<uint32_t> may_go;  // how far, where a survivor does several things
  std::atomic<uint32_t> done;    // how often it came back
  std::atomic<int32_t> status;
  std::atomic<uint32_t> place;
  std::atomic<uint64_t> done_at;
};

// What all of the processes see.
struct shared_state {
  kith::shm::lock_state lock;
  kith::shm::semaphore_state semaphore;
  std::atomic<uint64_t> permits[permit_count];
  kith::shm::condition_state condition;
  std::atomic<uint64_t> condition_words[KITH_CONDITION_MOST_WAITERS];
  kith::shm::event_state event;
  kith::shm::barrier_state barrier;
  kith::shm::barrier_seat seats[most_parties];
  kith::shm::queue_state queue;
  kith::shm::queue_desk desks[kith::shm::queue_desks];
  kith::shm::broadcast_state broadcast;
  kith::shm::broadcast_seat broadcast_seats[2];
  alignas(64) unsigned char ring[kith::shm::queue_smallest];  // of the queue, or of a pool's tasks
  alignas(64) unsigned char results[kith::shm::lane_smallest_ring];
  kith::shm::pool_lane_state lane;
  kith::shm::pool_bell_state bell;
  kith::shm::parking_slot slots[slot_count];
  std::atomic<uint64_t> victim;       // its identity
  std::atomic<uint64_t> dead_holder;  // identity of a process that was killed before the victim came
  std::atomic<uint32_t> victim_finished;
  std::atomic<uint32_t> victim_returned;  // from a wait in the middle of its operation
  std::atomic<uint32_t> holder_ready;
  std::atomic<uint32_t> holder_may_release;  // and must
  std::atomic<uint32_t> notified;            // a survivor has notified one waiter
  std::atomic<uint32_t> deaths_told;         // to survivors, since the kill
  report reports[most_survivors];
};

// The words as they were when the victim stood still for the last time. Nobody else can make a word name the victim, or unname it while
// the victim lives, so verdicts can be computed from them.
struct frozen {
  uint64_t killed_at;
  uint64_t lock;
  uint64_t permits[permit_count];
  uint64_t count;
  uint64_t condition_words[watched_condition_words];
  uint32_t notified;
  bool victim_returned;
  uint64_t event;
  uint64_t phase;
  uint64_t table_lock;
  uint64_t seat_process[most_parties];
  uint64_t seat_arrived[most_parties];
  uint64_t queue_head;
  uint64_t queue_tail;
  uint64_t tasks_done;
  bool queue_shut;
  uint64_t broadcast_head;
  bool broadcast_shut;
};

struct recovery {
  kith_status status = KITH_E_TIMEOUT;
  uint64_t took_ns = 0;
};

// What one kill led to.
class judgement {
 public:
  // A survivor is back, or is not.
  void came_back(const char* who, const recovery& seen, kith_status expected);
  void must(bool truth, const char* what);
  void must_tell(uint32_t deaths) { deaths_ += deaths; }
  void too_slow(const char* what);

  bool stuck() const { return stuck_; }
  bool wrong() const { return wrong_; }
  uint32_t deaths() const { return deaths_; }
  uint64_t slowest_ns() const { return slowest_ns_; }
  const std::string& complaints() const { return complaints_; }

 private:
  bool stuck_ = false;
  bool wrong_ = false;
  uint32_t deaths_ = 0;
  uint64_t slowest_ns_ = 0;
  std::string complaints_;
};

// Where the victim is killed: after so many system calls, which it runs through at full speed, and so many instructions more.
struct kill_point {
  uint64_t system_calls;
  uint64_t instructions;
};

struct checkpoint {
  uint64_t instructions = 0;  // from the last system call; 0: none
  uint64_t address = 0;
};

// The way from one system call to the next, as earlier victims went it. A checkpoint is an instruction on it that the victim meets
// for the first time there: the next victims run up to it, and are stepped only from there on. Otherwise the number of
// steps would be the square of that of instructions.
class route {
 public:
  void start_at(uint64_t system_calls);
  void note(uint64_t instructions, uint64_t address);
  checkpoint last_checkpoint() const { return checkpoint_; }
  void forget_checkpoint() { checkpoint_ = {}; }

 private:
  uint64_t system_calls_ = UINT64_MAX;
  std::vector<uint64_t> addresses_;  // [i]: of the instruction that is next after i instructions
  checkpoint checkpoint_;
};

struct scenario;

struct world {
  route way;
  shared_state* shared = nullptr;
  kith::wait_area area;
  std::atomic<uint32_t> hint{0};  // of a semaphore's handle
  const scenario* plan = nullptr;
  std::vector<pid_t> helpers;  // of this kill point
  pid_t survivors[most_survivors] = {};
};

struct scenario {
  const char* name;
  // On one CPU a waiter does not spin, so that its way is short; and steps are cheap there.
  bool one_cpu;
  // From one kill point to the next, where a way without system calls is long: its first instructions are all tried. Such
  // ways are those of the C library that reads /proc/<pid>/stat, and of spinning, which repeats itself.
  uint64_t stride;
  void (*prepare)(world&);       // before the victim is there
  void (*before)(world&);        // in the victim, not stepped
  void (*when_stopped)(world&);  // when the victim stands in front of the operation
  void (*operation)(world&);     // in the victim, stepped
  void (*recover)(world&, const frozen& then, judgement&);  // the survivors go on
  // 1, but where one kill point takes long: then only every so many instructions.
  uint64_t step = 1;
};

enum class drive_result { there, at_system_call, finished, took_another_way, late, no_ptrace };

// Drives a victim that stands in front of its operation.
drive_result drive(world& w, pid_t victim, const kill_point& point);

// ---- the world -----------------------------------------------------------------------------------------------------------------

bool open_world(world& w);
void reset(world& w);
frozen look(const world& w);
bool names_dead(const world& w, uint64_t bits);  // the victim, or who was killed before it

// Forks a process that runs `role` and dies with this one.
pid_t start_helper(const std::function<void()>& role);
void end_helpers(world& w);
// A helper that is waited for in prepare: it says that it is ready.
void start_holder(world& w, const std::function<void()>& role);
void let_holder_die(world& w);

// A process that goes on after the victim's death, and says how its call ended. It lives until the kill point is done.
void start_survivor(world& w, uint32_t index, const std::function<kith_status()>& role);
void finish(world& w, uint32_t index, kith_status status);
bool is_back(const world& w, uint32_t index);
bool is_asleep(const world& w, uint32_t index);
bool is_process_asleep(pid_t process);
// Its answer number `nth`, if it comes soon enough after `since`.
recovery await_survivor(world& w, uint32_t index, uint64_t since, uint32_t nth = 1);

// Looks again and again, without end: whoever calls it is killed when it takes too long.
void await(const std::function<bool()>& condition);
bool await_in_time(uint64_t since, const std::function<bool()>& condition);
void pass_time(uint64_t ns);
// By then a sleeper is in the middle of a long slice, and finds what was lost only at its end, unless it is told otherwise.
inline constexpr uint64_t long_wait_ns = 130 * kith::ns_per_ms;
// Returns soon after the victim, who is not being stepped, has fallen asleep, or when the holder must release.
void await_sleeping_victim(world& w);

// ---- the lock --------------------------------------------------------------------------------------------------------------------

kith_status acquire(world& w, kith::deadline until);
void release(world& w);
// Counts a death that it is told of, and repairs.
kith_status acquire_and_repair(world& w, kith::deadline until);
uint32_t deaths_of_lock(const world& w, uint64_t word);

// ---- the scenarios -----------------------------------------------------------------------------------------------------------------

std::span<const scenario> lock_scenarios();
std::span<const scenario> semaphore_scenarios();
std::span<const scenario> condition_scenarios();
std::span<const scenario> event_scenarios();
std::span<const scenario> barrier_scenarios();
std::span<const scenario> queue_scenarios();
std::span<const scenario> broadcast_scenarios();
std::span<const scenario> channel_scenarios();
std::span<const scenario> pool_scenarios();

}  // namespace stepkill
