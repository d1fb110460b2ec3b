// SPDX-License-Identifier: MIT
// Pools: tiny tasks for two workers, each task and each result a message of its own, and one task there and back. "bare rings" is what the
// machine allows: two processes with a ring of slots in each direction, which see neither tickets nor deaths, and yield where they wait.
#include <cstring>
#include <thread>
#include <vector>

#include "bench.h"

namespace bench {

namespace {

constexpr uint32_t workers = 2;
constexpr uint64_t window = 512;  // tasks on their way, at most
constexpr size_t batch = 64;

int32_t answer(const void* task, size_t size, kith_worker* worker) {
  uint64_t number = 0;
  if (size != sizeof number) return 1;
  std::memcpy(&number, task, size);
  ++number;
  return kith_worker_reply(worker, &number, sizeof number);
}

// ---- bare rings ------------------------------------------------------------------------------------------------------------------

struct slot_ring {
  static constexpr uint64_t slots = 1024;
  alignas(64) std::atomic<uint64_t> head;
  alignas(64) uint64_t numbers[slots];
};

struct slot_rings {
  slot_ring tasks, results;
};

// One side of one. Nobody puts more than the window, so nothing is ever full.
struct slot_side {
  slot_ring& ring;
  uint64_t position = 0, seen = 0;

  void put(uint64_t number) {
    ring.numbers[position++ % slot_ring::slots] = number;
    ring.head.store(position, std::memory_order_release);
  }
  bool get(uint64_t& number) {
    if (position == seen) seen = ring.head.load(std::memory_order_acquire);
    if (position == seen) return false;
    number = ring.numbers[position++ % slot_ring::slots];
    return true;
  }
};

// Some looks, then the other process may run here.
class patience_of_bare {
 public:
  void wait() {
    if (++looks_ % 2000 == 0) std::this_thread::yield();
  }

 private:
  uint64_t looks_ = 0;
};

int32_t serve_slots(const void*, size_t) {
  kith_memory* memory = nullptr;
  check(kith_memory_inherit("rings", &memory), "take the rings");
  slot_rings& rings = *static_cast<slot_rings*>(kith_memory_data(memory));
  stage& s = inherited_stage();
  slot_side in{rings.tasks}, out{rings.results};
  patience_of_bare patience;
  s.ready.fetch_add(1);
  uint64_t number = 0;
  while (s.stop.load(std::memory_order_relaxed) == 0) {
    if (in.get(number)) {
      out.put(number + 1);
    } else {
      patience.wait();
    }
  }
  return 0;
}

struct slot_worker {
  shared_stage s;
  kith_memory* memory = nullptr;
  partner* process = nullptr;

  slot_worker() {
    check(kith_memory_create(sizeof(slot_rings), nullptr, &memory), "create memory");
    process = new partner(serve_slots, 0, {s.share(), {"rings", memory}});
    while (s->ready.load() == 0) std::this_thread::yield();
  }
  ~slot_worker() {
    s->stop.store(1);
    delete process;
    kith_memory_close(memory);
  }
  slot_worker(const slot_worker&) = delete;
  slot_worker& operator=(const slot_worker&) = delete;
  slot_rings& rings() const { return *static_cast<slot_rings*>(kith_memory_data(memory)); }
};

double bare_tasks(uint64_t count) {
  slot_worker both[workers];
  slot_side tasks[workers] = {{both[0].rings().tasks}, {both[1].rings().tasks}};
  slot_side results[workers] = {{both[0].rings().results}, {both[1].rings().results}};
  patience_of_bare patience;
  const stopwatch watch;
  uint64_t sent = 0, got = 0, number = 0, out[workers] = {};
  while (got < count) {
    bool any = false;
    if (sent < count && sent - got < window) {
      const int to = out[0] <= out[1] ? 0 : 1;
      tasks[to].put(sent++);
      ++out[to];
      any = true;
    }
    for (uint32_t i = 0; i < workers; ++i) {
      if (!results[i].get(number)) continue;
      ++got;
      --out[i];
      any = true;
    }
    if (!any) patience.wait();
  }
  return static_cast<double>(count) / watch.seconds() / 1e3;
}

double bare_one(uint64_t count) {
  slot_worker worker;
  slot_side tasks{worker.rings().tasks}, results{worker.rings().results};
  patience_of_bare patience;
  const stopwatch watch;
  for (uint64_t i = 0; i < count; ++i) {
    uint64_t number = 0;
    tasks.put(i);
    while (!results.get(number)) patience.wait();
  }
  return watch.seconds() * 1e6 / static_cast<double>(count);
}

// ---- kith ------------------------------------------------------------------------------------------------------------------------

class pool_of_two {
 public:
  pool_of_two() {
    kith_pool_options options{};
    options.struct_size = sizeof options;
    options.task = answer;
    options.workers = workers;
    check(kith_pool_create(&options, &pool_), "create a pool");
    for (int i = 0; i < 100; ++i) (void)one(1);  // until both are there
  }
  ~pool_of_two() {
    check(kith_pool_shutdown(pool_, KITH_POOL_FINISH, KITH_FOREVER), "shut the pool down");
    kith_pool_close(pool_);
  }
  pool_of_two(const pool_of_two&) = delete;
  pool_of_two& operator=(const pool_of_two&) = delete;

  uint64_t one(uint64_t number) const {
    uint64_t ticket = 0;
    kith_answer answer;
    check(kith_pool_submit(pool_, &number, sizeof number, &ticket, KITH_FOREVER), "submit");
    check(kith_pool_result(pool_, ticket, &number, sizeof number, &answer, KITH_FOREVER), "take a result");
    return number;
  }
  void submit(uint64_t number) const {
    check(kith_pool_submit(pool_, &number, sizeof number, nullptr, KITH_FOREVER), "submit");
  }
  void next() const {
    uint64_t number = 0;
    kith_answer answer;
    check(kith_pool_next(pool_, &number, sizeof number, &answer, KITH_FOREVER), "take a result");
  }
  void submit_many(const uint64_t* numbers, size_t count) const {
    size_t sizes[batch];
    for (size_t i = 0; i < count; ++i) sizes[i] = sizeof numbers[i];
    check(kith_pool_submit_many(pool_, numbers, sizes, count, nullptr, nullptr, KITH_FOREVER), "submit");
  }
  size_t next_many() const {
    uint64_t numbers[batch];
    kith_answer answers[batch];
    size_t count = 0;
    check(kith_pool_next_many(pool_, numbers, sizeof numbers, answers, batch, &count, KITH_FOREVER),
          "take results");
    return count;
  }
  void map(const uint64_t* numbers, uint64_t* results, size_t count) const {
    check(kith_pool_map(pool_, numbers, sizeof *numbers, count, results, sizeof *results, nullptr,
                        KITH_FOREVER),
          "map");
  }

 private:
  kith_pool* pool_ = nullptr;
};

double kith_tasks(uint64_t count) {
  const pool_of_two pool;
  const stopwatch watch;
  uint64_t sent = 0;
  for (uint64_t got = 0; got < count; ++got) {
    while (sent < count && sent - got < window) pool.submit(sent++);
    pool.next();
  }
  return static_cast<double>(count) / watch.seconds() / 1e3;
}

double kith_batches(uint64_t count) {
  const pool_of_two pool;
  const uint64_t numbers[batch] = {};
  const stopwatch watch;
  uint64_t sent = 0;
  for (uint64_t got = 0; got < count; got += pool.next_many()) {
    for (; sent < count && sent - got < window; sent += batch) pool.submit_many(numbers, batch);
  }
  return static_cast<double>(count) / watch.seconds() / 1e3;
}

double kith_map(uint64_t count) {
  const pool_of_two pool;
  const std::vector<uint64_t> numbers(count);
  std::vector<uint64_t> results(count);
  const stopwatch watch;
  pool.map(numbers.data(), results.data(), count);
  return static_cast<double>(count) / watch.seconds() / 1e3;
}

double kith_one(uint64_t count) {
  const pool_of_two pool;
  const stopwatch watch;
  for (uint64_t i = 0; i < count; ++i) (void)pool.one(i);
  return watch.seconds() * 1e6 / static_cast<double>(count);
}

}  // namespace

void bench_pool(table& out, const settings& how) {
  const uint64_t count = how.quick ? 6'400 : 640'000, ones = how.quick ? 1'000 : 100'000;
  const int rounds = how.quick ? 1 : 9;
  out.add(measure_in_turns({"pool", "k/s", better::larger, "bare rings", {}}, rounds,
                           {{"kith", [=] { return kith_tasks(count); }},
                            {"kith batches", [=] { return kith_batches(count); }},
                            {"kith map", [=] { return kith_map(count); }},
                            {"bare rings", [=] { return bare_tasks(count); }}}));
  out.add(measure_in_turns(
      {"pool.one", "us", better::smaller, "bare rings", {}}, rounds,
      {{"kith", [=] { return kith_one(ones); }}, {"bare rings", [=] { return bare_one(ones); }}}));
}

}  // namespace bench
