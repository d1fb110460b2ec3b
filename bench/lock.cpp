// SPDX-License-Identifier: MIT
// Locks: alone, against another process, and when the owner dies.
#include <algorithm>
#include <chrono>
#include <memory>
#include <thread>

#include "bench.h"
#include "yardsticks.h"

namespace bench {

namespace {

// ---- the subjects ---------------------------------------------------------------------------------------------------------

void work_with_kith(void* lock, volatile int64_t& counter, uint64_t times) {
  auto* const own = static_cast<kith_lock*>(lock);
  for (uint64_t i = 0; i < times; ++i) {
    check(kith_lock_acquire(own, KITH_FOREVER), "acquire");
    counter = counter + 1;
    check(kith_lock_release(own), "release");
  }
}

// The least that a lock can be: it can neither sleep nor find out who holds it.
void work_with_cas(void* place, volatile int64_t& counter, uint64_t times) {
  auto& word = *static_cast<std::atomic<uint64_t>*>(place);
  for (uint64_t i = 0; i < times; ++i) {
    for (uint64_t free = 0; !word.compare_exchange_weak(free, 1, std::memory_order_acquire); free = 0) {
      std::this_thread::yield();
    }
    counter = counter + 1;
    word.store(0, std::memory_order_release);
  }
}

constexpr lock_yardstick cas{"CAS", nullptr, work_with_cas, nullptr};
constexpr int32_t kith_index = -1, cas_index = -2;

const lock_yardstick& yardstick(int32_t index) {
  return index == cas_index ? cas : lock_yardsticks()[static_cast<size_t>(index)];
}

// A lock of the kind `index` in shared memory.
class shared_lock {
 public:
  explicit shared_lock(int32_t index) : index_(index) {
    check(kith_lock_create(nullptr, &lock_), "create a lock");
    if (index >= 0 && yardstick(index).create != nullptr) yardstick(index).create(stage_->lock);
  }
  ~shared_lock() { kith_lock_close(lock_); }
  shared_lock(const shared_lock&) = delete;
  shared_lock& operator=(const shared_lock&) = delete;

  stage& on() const { return stage_.get(); }
  kith_share share_stage() const { return stage_.share(); }
  kith_share share_lock() const { return {"lock", lock_}; }
  void work(uint64_t times) const;

 private:
  int32_t index_;
  shared_stage stage_;
  kith_lock* lock_ = nullptr;
};

void work(int32_t index, kith_lock* lock, stage& s, uint64_t times) {
  if (index == kith_index) {
    work_with_kith(lock, s.counter, times);
  } else {
    yardstick(index).work(s.lock, s.counter, times);
  }
}

void shared_lock::work(uint64_t times) const { bench::work(index_, lock_, on(), times); }

kith_lock* inherited_lock() {
  kith_lock* lock = nullptr;
  check(kith_lock_inherit("lock", &lock), "take the lock");
  return lock;
}

// ---- alone ----------------------------------------------------------------------------------------------------------------

double uncontended_round(const shared_lock& lock, uint64_t times) {
  const stopwatch watch;
  lock.work(times);
  return watch.seconds() * 1e9 / static_cast<double>(times);
}

// ---- two processes ----------------------------------------------------------------------------------------------------------

constexpr uint64_t batch = 100;  // between two looks at `stop`

int32_t contend(const void* argument, size_t) {
  const int32_t index = *static_cast<const int32_t*>(argument);
  kith_lock* const lock = inherited_lock();
  stage& s = inherited_stage();
  meet(s);
  uint64_t count = 0;
  for (; s.stop.load(std::memory_order_relaxed) == 0; count += batch) work(index, lock, s, batch);
  s.partner_count.store(count);
  return 0;
}

struct contention {
  double millions_a_second;
  double fairness;  // of the slower to the faster
};

contention contended_round(int32_t index, double seconds) {
  const shared_lock lock(index);
  uint64_t count = 0;
  double took = 0;
  {
    const partner other(contend, index, {lock.share_stage(), lock.share_lock()});
    start_round(lock.on());
    const stopwatch watch;
    for (; watch.seconds() < seconds; count += batch) lock.work(batch);
    lock.on().stop.store(1);
    took = watch.seconds();
  }
  const auto mine = static_cast<double>(count), others = static_cast<double>(lock.on().partner_count.load());
  return {(mine + others) / took / 1e6, mine < others ? mine / others : others / mine};
}

// ---- the owner dies -----------------------------------------------------------------------------------------------------------

int32_t hold_until_killed(const void* argument, size_t) {
  const int32_t index = *static_cast<const int32_t*>(argument);
  kith_lock* const lock = inherited_lock();
  stage& s = inherited_stage();
  if (index == kith_index) {
    check(kith_lock_acquire(lock, KITH_FOREVER), "acquire");
  } else {
    yardstick(index).acquire(s.lock);
  }
  s.ready.store(1);
  for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
}

void acquire_from_the_dead(int32_t index, kith_lock* lock, stage& s) {
  if (index != kith_index) {
    yardstick(index).acquire(s.lock);
  } else if (kith_lock_acquire(lock, KITH_FOREVER) != KITH_OWNER_DIED) {
    check(KITH_E_PROTOCOL, "be told that the owner died");
  }
}

// ms from the kill of the owner until a thread that has waited for a while has the lock.
double owner_died_round(int32_t index, int waited_ms) {
  shared_stage s;
  kith_lock* lock = nullptr;
  check(kith_lock_create(nullptr, &lock), "create a lock");
  if (index >= 0) yardstick(index).create(s->lock);
  double took = 0;
  {
    partner owner(hold_until_killed, index, {s.share(), {"lock", lock}});
    while (s->ready.load() == 0) std::this_thread::yield();
    std::chrono::steady_clock::time_point got_it;
    std::thread waiter([&] {
      acquire_from_the_dead(index, lock, s.get());
      got_it = std::chrono::steady_clock::now();
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(waited_ms));
    const auto killed = std::chrono::steady_clock::now();
    owner.kill();
    waiter.join();
    took = std::chrono::duration<double, std::milli>(got_it - killed).count();
  }
  kith_lock_close(lock);
  return took;
}

// ---- the metrics ----------------------------------------------------------------------------------------------------------------

void uncontended(table& out, const settings& how) {
  const uint64_t times = how.quick ? 1'000 : 1'000'000;
  const shared_lock own(kith_index), bare(cas_index);
  std::vector<subject> subjects{{"kith", [&] { return uncontended_round(own, times); }},
                                {"CAS", [&] { return uncontended_round(bare, times); }}};
  std::vector<std::unique_ptr<shared_lock>> others;
  for (size_t i = 0; i < lock_yardsticks().size(); ++i) {
    others.push_back(std::make_unique<shared_lock>(static_cast<int32_t>(i)));
    subjects.push_back({lock_yardsticks()[i].name,
                        [&lock = *others.back(), times] { return uncontended_round(lock, times); }});
  }
  out.add(measure_in_turns({"lock.uncontended", "ns", better::smaller, "pthread robust", {}},
                           how.quick ? 1 : 31, subjects));
}

void contended(table& out, const settings& how) {
  const double seconds = how.quick ? 0.01 : 0.1;
  metric fairness{"lock.fairness", "1", better::larger, "", {}};
  std::vector<subject> subjects;
  const auto add = [&](const char* name, int32_t index) {
    const size_t place = fairness.figures.size();
    fairness.figures.push_back({name, {}});
    subjects.push_back({name, [&fairness, place, index, seconds] {
                          const contention seen = contended_round(index, seconds);
                          fairness.figures[place].samples.push_back(seen.fairness);
                          return seen.millions_a_second;
                        }});
  };
  add("kith", kith_index);
  add("CAS", cas_index);
  for (size_t i = 0; i < lock_yardsticks().size(); ++i)
    add(lock_yardsticks()[i].name, static_cast<int32_t>(i));
  out.add(measure_in_turns({"lock.contended", "M/s", better::larger, "pthread robust", {}}, how.quick ? 1 : 9,
                           subjects));
  out.add(fairness);
}

// Both on one CPU: whoever spins keeps the other one from going on.
void one_core(table& out, const settings& how) {
  const one_cpu both;
  const double seconds = how.quick ? 0.01 : 0.1;
  std::vector<subject> subjects{
      {"kith", [=] { return contended_round(kith_index, seconds).millions_a_second; }}};
  for (size_t i = 0; i < lock_yardsticks().size(); ++i)
    subjects.push_back({lock_yardsticks()[i].name,
                        [=] { return contended_round(static_cast<int32_t>(i), seconds).millions_a_second; }});
  out.add(measure_in_turns({"lock.one_core", "M/s", better::larger, "pthread robust", {}}, how.quick ? 1 : 9,
                           subjects));
}

void owner_died(table& out, const settings& how) {
  // The longer a waiter has waited, the longer its slices are: all phases of a slice are met.
  int waited_ms = 20;
  const auto wait_longer = [&waited_ms] { return waited_ms = 20 + (waited_ms + 7) % 120; };
  std::vector<subject> subjects{{"kith", [&] { return owner_died_round(kith_index, wait_longer()); }}};
  for (size_t i = 0; i < lock_yardsticks().size(); ++i) {
    if (lock_yardsticks()[i].acquire == nullptr) continue;
    subjects.push_back(
        {lock_yardsticks()[i].name, [&, i] { return owner_died_round(static_cast<int32_t>(i), waited_ms); }});
  }
  metric died = measure_in_turns({"owner_died", "ms", better::smaller, "pthread robust", {}},
                                 how.quick ? 1 : 25, subjects);
  metric worst{"owner_died.worst", "ms", better::smaller, "pthread robust", {}};
  for (const figure& each : died.figures)
    worst.figures.push_back({each.subject, {*std::max_element(each.samples.begin(), each.samples.end())}});
  out.add(std::move(died));
  out.add(std::move(worst));
}

}  // namespace

void bench_lock(table& out, const settings& how) {
  uncontended(out, how);
  contended(out, how);
  one_core(out, how);
  owner_died(out, how);
}

}  // namespace bench
