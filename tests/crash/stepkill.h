// SPDX-License-Identifier: MIT
// The parts of the kill test: a world of shared memory with a lock in it, helper processes, and scenarios.
#pragma once

#include <kith/kith.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "platform.h"
#include "shm/lock_word.h"
#include "shm/parking_lot.h"

namespace stepkill {

inline constexpr uint32_t slot_count = 16;
inline constexpr uint64_t patience_ns =
    100 * kith::ns_per_ms;  // in which the next process must have the lock

// What all of the processes see.
struct shared_state {
  kith::shm::lock_state lock;
  kith::shm::parking_slot slots[slot_count];
  std::atomic<uint64_t> victim;       // its identity
  std::atomic<uint64_t> dead_holder;  // identity of a holder that was killed before the victim came
  std::atomic<uint32_t> victim_finished;
  std::atomic<uint32_t> holder_ready;
  std::atomic<uint32_t> holder_may_release;
  std::atomic<uint32_t> waiter_done;
  std::atomic<int32_t> waiter_status;
  std::atomic<uint64_t> waiter_got_it_at;
};

struct recovery {
  kith_status status = KITH_E_TIMEOUT;
  uint64_t took_ns = 0;
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
  const scenario* plan = nullptr;
  uint64_t stride = 1;
  std::vector<pid_t> helpers;  // of this kill point
};

struct scenario {
  const char* name;
  bool one_cpu;
  uint64_t stride;  // 1: after every instruction
  uint64_t
      quick_stride;  // with --quick, for builds without optimisation, which have several times the instructions
  void (*prepare)(world&);                          // before the victim is there
  void (*before)(world&);                           // in the victim, not stepped
  void (*when_stopped)(world&);                     // when the victim stands in front of the operation
  void (*operation)(world&);                        // in the victim, stepped
  recovery (*recover)(world&, uint64_t killed_at);  // the next process takes the lock
};

enum class drive_result { there, at_system_call, finished, took_another_way, late, no_ptrace };

// Drives a victim that stands in front of its operation.
drive_result drive(world& w, pid_t victim, const kill_point& point);

bool open_world(world& w);
void reset(world& w);

// Forks a process that runs `role` and dies with this one.
pid_t start_helper(const std::function<void()>& role);
void end_helpers(world& w);

kith_status acquire(world& w, kith::deadline until);
void release(world& w);
// Looks again and again, without end: whoever calls it is killed when it takes too long.
void await(const std::function<bool()>& condition);

std::span<const scenario> scenarios();

}  // namespace stepkill
