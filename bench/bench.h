// SPDX-License-Identifier: MIT
// The topics of the benchmark, one file each, and what they have in common.
#pragma once

#include <kith/kith.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <string>

#include "table.h"

namespace bench {

struct settings {
  bool quick = false;   // only shows that everything runs
  std::string program;  // a small program that does nothing, to be started
  std::string self;     // this program
};

// This program ends at once when it is its argument.
inline constexpr const char* do_nothing_argument = "--nothing";

void bench_floor(table& out, const settings& how);
void bench_lock(table& out, const settings& how);
void bench_wake(table& out, const settings& how);
void bench_start(table& out, const settings& how);
void bench_channel(table& out, const settings& how);
void bench_ways(table& out, const settings& how);
void bench_queue(table& out, const settings& how);
void bench_pool(table& out, const settings& how);
void bench_broadcast(table& out, const settings& how);
void bench_connect(table& out, const settings& how);
void bench_many(table& out, const settings& how);

[[noreturn]] void fail(kith_status status, const char* what);

// Ends the program when a call did not succeed. Inline: it stands in the loops that are measured.
inline void check(kith_status status, const char* what) {
  if (status != KITH_OK) fail(status, what);
}

class stopwatch {
 public:
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

void rest(int us);  // keeps the core busy for so long

// A second process that runs a function of this program. It is waited for at the end.
class partner {
 public:
  partner(kith_entry role, int32_t argument, std::initializer_list<kith_share> shares);
  ~partner();
  partner(const partner&) = delete;
  partner& operator=(const partner&) = delete;

  void kill() { check(kith_process_kill(process_), "kill the partner"); }

 private:
  kith_process* process_ = nullptr;
};

// What two processes that are measured together see.
struct stage {
  alignas(64) std::atomic<uint32_t> ready;
  alignas(64) std::atomic<uint32_t> go;
  alignas(64) std::atomic<uint32_t> stop;
  alignas(64) std::atomic<uint64_t> ping;
  alignas(64) std::atomic<uint64_t> pong;
  alignas(64) std::atomic<uint64_t> partner_count;
  alignas(64) volatile int64_t counter;
  alignas(64) unsigned char lock[256];  // a lock of the OS
};

// Zeroed shared memory with a stage in it.
class shared_stage {
 public:
  shared_stage();
  ~shared_stage() { kith_memory_close(memory_); }
  shared_stage(const shared_stage&) = delete;
  shared_stage& operator=(const shared_stage&) = delete;

  stage& get() const { return *static_cast<stage*>(kith_memory_data(memory_)); }
  stage* operator->() const { return &get(); }
  kith_share share() const { return {"stage", memory_}; }

 private:
  kith_memory* memory_ = nullptr;
};

stage& inherited_stage();  // the partner's side; good until the process ends

// Both sides: both begin at once.
void meet(stage& s);         // the partner: says that it is ready, and waits for the start
void start_round(stage& s);  // this side: waits until the partner is ready, and starts it

}  // namespace bench
