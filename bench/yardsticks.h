// SPDX-License-Identifier: MIT
// What the OS itself offers for the same purposes. Each port has its own; where it has none, the list is empty.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace bench {

// Locks, adds one, unlocks, so many times.
struct lock_yardstick {
  const char* name;
  void (*create)(void* place);  // in zeroed shared memory
  void (*work)(void* place, volatile int64_t& counter, uint64_t times);
  void (*acquire)(void* place);  // also from an owner that died; nullptr: it would wait for ever
};
std::span<const lock_yardstick> lock_yardsticks();

// Starts a process and waits for its end.
struct start_yardstick {
  const char* name;
  void (*start)(const char* program, const char* argument);  // argument may be nullptr
};
std::span<const start_yardstick> function_yardsticks();
std::span<const start_yardstick> program_yardsticks();

struct message_yardstick {
  const char* name;
  std::vector<double> (*round_trips)(int count);  // of 64 bytes, in µs
  double (*stream)(double seconds);               // millions of messages of 64 bytes a second; nullptr: none
};
std::span<const message_yardstick> message_yardsticks();

// A queue of items of 64 bytes, for many producers and consumers. Waits while it is full or empty.
struct queue_yardstick {
  const char* name;
  size_t size;  // of the place, in zeroed shared memory
  void (*create)(void* place);
  void (*put)(void* place, const void* item);
  void (*get)(void* place, void* item);
};
std::span<const queue_yardstick> queue_yardsticks();

// Connecting to a process that waits for that, sending 64 bytes, receiving them back, and hanging up.
struct connect_yardstick {
  const char* name;
  void (*serve)(const char* address, int32_t count);  // in a process of its own; so many times
  void (*connect)(const char* address);               // once
};
std::span<const connect_yardstick> connect_yardsticks();

// A thread that waits for any of so many connections and answers, and this one, which says something through one after the other.
struct many_yardstick {
  const char* name;
  std::vector<double> (*round_trips)(size_t ends, int count);  // of 64 bytes, in µs
};
std::span<const many_yardstick> many_yardsticks();
// Which of them comes next: not the neighbour of the last one.
inline size_t nth_of(int turn, size_t ends) { return static_cast<size_t>(turn) * 7'919 % ends; }

// Whether this process may have so many descriptors or handles from now on.
bool allow_handles(size_t count);

// Passing a ball between two processes, each of which sleeps meanwhile.
struct wake_yardstick {
  const char* name;
  std::vector<double> (*round_trips)(int count, int pause_us);  // in µs; see kith_round_trips
};
std::span<const wake_yardstick> wake_yardsticks();

// ns for a cache line to go there and back between two processes that spin, wherever the OS puts them or the other one on the last CPU.
double cache_line_ns(uint64_t count, bool elsewhere);

double cpu_seconds();  // that this process has used

// This process runs on the last CPU of the machine from now on. Where the OS cannot do that, nothing happens.
void use_last_cpu();

// While it lives, this process, and those that it starts, run on one CPU. Where the OS cannot do that, nothing happens.
class one_cpu {
 public:
  one_cpu();
  ~one_cpu();
  one_cpu(const one_cpu&) = delete;
  one_cpu& operator=(const one_cpu&) = delete;

 private:
  uint64_t before_ = 0;  // a bit a CPU; 0: not known
};

}  // namespace bench
