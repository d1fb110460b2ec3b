// SPDX-License-Identifier: MIT
// Queues: two producers and two consumers, each a process.
#include <memory>
#include <thread>
#include <vector>

#include "bench.h"
#include "yardsticks.h"

namespace bench {

namespace {

constexpr size_t size = 64;
constexpr int producers = 2, consumers = 2;
constexpr int32_t kith_index = -1;

using item = unsigned char[size];  // the first byte: not 0 tells a consumer to end

// ---- the subjects ---------------------------------------------------------------------------------------------------------

// A queue of the kind `index`, in this process.
struct any_queue {
  int32_t index;
  kith_queue* own = nullptr;
  kith_memory* place = nullptr;

  void put(const item& from) const {
    if (index == kith_index) {
      check(kith_queue_put(own, from, sizeof from, KITH_FOREVER), "put");
    } else {
      queue_yardsticks()[static_cast<size_t>(index)].put(kith_memory_data(place), from);
    }
  }
  void get(item& to) const {
    size_t got = 0;
    if (index == kith_index) {
      check(kith_queue_get(own, to, sizeof to, &got, KITH_FOREVER), "get");
    } else {
      queue_yardsticks()[static_cast<size_t>(index)].get(kith_memory_data(place), to);
    }
  }
};

any_queue make_queue(int32_t index) {
  any_queue made{index};
  check(kith_queue_create(nullptr, &made.own), "create a queue");
  check(kith_memory_create(index == kith_index ? 1 : queue_yardsticks()[static_cast<size_t>(index)].size,
                           nullptr, &made.place),
        "create memory");
  if (index != kith_index)
    queue_yardsticks()[static_cast<size_t>(index)].create(kith_memory_data(made.place));
  return made;
}

any_queue inherited_queue(const void* argument) {
  any_queue taken{*static_cast<const int32_t*>(argument)};
  check(kith_queue_inherit("queue", &taken.own), "take the queue");
  check(kith_memory_inherit("place", &taken.place), "take the memory");
  return taken;
}

// ---- the partners ---------------------------------------------------------------------------------------------------------

void meet_all(stage& s) {
  s.ready.fetch_add(1);
  while (s.go.load() == 0) std::this_thread::yield();
}

int32_t produce(const void* argument, size_t) {
  const any_queue queue = inherited_queue(argument);
  stage& s = inherited_stage();
  constexpr int batch = 100;  // between two looks at `stop`
  const item full = {};
  meet_all(s);
  while (s.stop.load(std::memory_order_relaxed) == 0) {
    for (int i = 0; i < batch; ++i) queue.put(full);
  }
  return 0;
}

int32_t consume(const void* argument, size_t) {
  const any_queue queue = inherited_queue(argument);
  stage& s = inherited_stage();
  uint64_t count = 0;
  item got;
  meet_all(s);
  for (queue.get(got); got[0] == 0; queue.get(got)) ++count;
  s.partner_count.fetch_add(count);
  return 0;
}

using partners = std::vector<std::unique_ptr<partner>>;

// Millions of items a second, counted when all have been taken.
double stream(int32_t index, double seconds) {
  const shared_stage s;
  const any_queue queue = make_queue(index);
  const auto start = [&](kith_entry role, int count) {
    partners made;
    for (int i = 0; i < count; ++i) {
      made.push_back(std::make_unique<partner>(
          role, index,
          std::initializer_list<kith_share>{s.share(), {"queue", queue.own}, {"place", queue.place}}));
    }
    return made;
  };
  double took = 0;
  {
    const partners takers = start(consume, consumers);
    partners putters = start(produce, producers);
    while (s->ready.load() != producers + consumers) std::this_thread::yield();
    const stopwatch watch;
    s->go.store(1);
    std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
    s->stop.store(1);
    took = watch.seconds();
    putters.clear();  // waits for their end
    const item last = {1};
    for (int i = 0; i < consumers; ++i) queue.put(last);
  }
  kith_queue_close(queue.own);
  kith_memory_close(queue.place);
  return static_cast<double>(s->partner_count.load()) / took / 1e6;
}

}  // namespace

void bench_queue(table& out, const settings& how) {
  const double seconds = how.quick ? 0.01 : 0.2;
  std::vector<subject> subjects{{"kith", [=] { return stream(kith_index, seconds); }}};
  for (size_t i = 0; i < queue_yardsticks().size(); ++i) {
    subjects.push_back(
        {queue_yardsticks()[i].name, [=] { return stream(static_cast<int32_t>(i), seconds); }});
  }
  out.add(measure_in_turns({"queue64.2x2", "M/s", better::larger, "pthread ring", {}}, how.quick ? 1 : 9,
                           subjects));
}

}  // namespace bench
