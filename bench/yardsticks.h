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
  void (*start)(const char* program);
};
std::span<const start_yardstick> function_yardsticks();
std::span<const start_yardstick> program_yardsticks();

struct message_yardstick {
  const char* name;
  std::vector<double> (*round_trips)(int count);  // of 64 bytes, in µs
  double (*stream)(double seconds);               // millions of messages of 64 bytes a second; nullptr: none
};
std::span<const message_yardstick> message_yardsticks();

}  // namespace bench
