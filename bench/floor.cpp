// SPDX-License-Identifier: MIT
// What the machine itself takes: the floor under everything that two processes do together.
#include <cstring>
#include <vector>

#include "bench.h"
#include "yardsticks.h"

namespace bench {

namespace {

// Waits until the other side has written `value`. Bounded: on one CPU the other side must get to run.
void await_value(const std::atomic<uint64_t>& word, uint64_t value, const std::atomic<uint32_t>& stop) {
  while (word.load(std::memory_order_acquire) != value && stop.load(std::memory_order_relaxed) == 0) {
  }
}

int32_t answer_pings(const void* argument, size_t) {
  if (*static_cast<const int32_t*>(argument) != 0) use_last_cpu();
  stage& s = inherited_stage();
  meet(s);
  for (uint64_t i = 1; s.stop.load(std::memory_order_relaxed) == 0; ++i) {
    await_value(s.ping, i, s.stop);
    s.pong.store(i, std::memory_order_release);
  }
  return 0;
}

}  // namespace

double cache_line_ns(uint64_t count, bool elsewhere) {
  const shared_stage s;
  const partner other(answer_pings, elsewhere ? 1 : 0, {s.share()});
  start_round(s.get());
  const stopwatch watch;
  for (uint64_t i = 1; i <= count; ++i) {
    s->ping.store(i, std::memory_order_release);
    await_value(s->pong, i, s->stop);
  }
  const double seconds = watch.seconds();
  s->stop.store(1);
  return seconds * 1e9 / static_cast<double>(count);
}

namespace {

// GB/s of memcpy between buffers that fit the cache of no CPU. They are given back: a fork copies what the parent has.
double copy_round() {
  constexpr size_t size = size_t{32} << 20;
  const std::vector<unsigned char> from(size, 1);
  std::vector<unsigned char> to(size, 2);
  const stopwatch watch;
  std::memcpy(to.data(), from.data(), size);
  return static_cast<double>(size) / watch.seconds() / 1e9;
}

}  // namespace

void bench_floor(table& out, const settings& how) {
  const uint64_t count = how.quick ? 1'000 : 200'000;
  const int rounds = how.quick ? 1 : 9;
  out.add(measure_in_turns({"floor.rtt", "ns", better::smaller, "", {}}, rounds,
                           {{"cache line", [=] { return cache_line_ns(count, false); }}}));
  out.add(measure_in_turns({"floor.copy", "GB/s", better::larger, "", {}}, rounds, {{"memcpy", copy_round}}));
}

}  // namespace bench
