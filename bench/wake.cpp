// SPDX-License-Identifier: MIT
// Waking a process that waits: there and back, by each object that can be waited for; and what a process costs that only waits.
#include <thread>

#include "bench.h"
#include "yardsticks.h"

namespace bench {

namespace {

// ---- the objects that a ball is passed with ------------------------------------------------------------------------------------

// Two of each: one for the way there, one for the way back.
struct court {
  kith_event* events[2] = {};
  kith_semaphore* semaphores[2] = {};
  kith_condition* conditions[2] = {};
  kith_array* balls = nullptr;  // [i]: how often it was passed in direction i
};

using pass_call = void (*)(const court&, int direction);

void set_event(const court& c, int i) { check(kith_event_set(c.events[i]), "set"); }
void await_event(const court& c, int i) { check(kith_event_wait(c.events[i], KITH_FOREVER), "wait"); }

void release_semaphore(const court& c, int i) { check(kith_semaphore_release(c.semaphores[i]), "release"); }
void acquire_semaphore(const court& c, int i) {
  check(kith_semaphore_acquire(c.semaphores[i], KITH_FOREVER), "acquire");
}

volatile int32_t& ball(const court& c, int i) { return static_cast<int32_t*>(kith_array_data(c.balls))[i]; }

void notify(const court& c, int i) {
  kith_lock* const lock = kith_array_lock(c.balls);
  check(kith_lock_acquire(lock, KITH_FOREVER), "acquire");
  ball(c, i) = 1;
  check(kith_lock_release(lock), "release");
  check(kith_condition_notify(c.conditions[i], 1), "notify");
}

void await_notification(const court& c, int i) {
  kith_lock* const lock = kith_array_lock(c.balls);
  check(kith_lock_acquire(lock, KITH_FOREVER), "acquire");
  while (ball(c, i) == 0) check(kith_condition_wait(c.conditions[i], lock, KITH_FOREVER), "wait");
  ball(c, i) = 0;
  check(kith_lock_release(lock), "release");
}

struct means {
  const char* name;
  pass_call pass;
  pass_call await;
};

constexpr means all_means[] = {{"kith event", set_event, await_event},
                               {"kith semaphore", release_semaphore, acquire_semaphore},
                               {"kith condition", notify, await_notification}};

constexpr const char* event_names[] = {"event 0", "event 1"};
constexpr const char* semaphore_names[] = {"semaphore 0", "semaphore 1"};
constexpr const char* condition_names[] = {"condition 0", "condition 1"};

void make(court& c) {
  kith_event_options auto_reset{};
  auto_reset.struct_size = sizeof auto_reset;
  auto_reset.flags = KITH_EVENT_AUTO_RESET;
  kith_semaphore_options signal{};
  signal.struct_size = sizeof signal;
  signal.flags = KITH_SEMAPHORE_SIGNAL;
  for (int i = 0; i < 2; ++i) {
    check(kith_event_create(&auto_reset, &c.events[i]), "create an event");
    check(kith_semaphore_create(0, &signal, &c.semaphores[i]), "create a semaphore");
    check(kith_condition_create(nullptr, &c.conditions[i]), "create a condition");
  }
  check(kith_array_create(KITH_I32, 2, nullptr, &c.balls), "create an array");
}

void inherit(court& c) {
  for (int i = 0; i < 2; ++i) {
    check(kith_event_inherit(event_names[i], &c.events[i]), "take the event");
    check(kith_semaphore_inherit(semaphore_names[i], &c.semaphores[i]), "take the semaphore");
    check(kith_condition_inherit(condition_names[i], &c.conditions[i]), "take the condition");
  }
  check(kith_array_inherit("balls", &c.balls), "take the array");
}

void close(const court& c) {
  for (int i = 0; i < 2; ++i) {
    kith_event_close(c.events[i]);
    kith_semaphore_close(c.semaphores[i]);
    kith_condition_close(c.conditions[i]);
  }
  kith_array_close(c.balls);
}

// ---- there and back --------------------------------------------------------------------------------------------------------------

int32_t pass_back(const void* argument, size_t) {
  const means& how = all_means[*static_cast<const int32_t*>(argument)];
  court c;
  inherit(c);
  stage& s = inherited_stage();
  meet(s);
  for (;;) {
    how.await(c, 0);
    if (s.stop.load() != 0) break;
    how.pass(c, 1);
  }
  close(c);
  return 0;
}

// µs of each. `pause_us`: how long this side does something else before it passes, so that the other one sleeps deeply.
std::vector<double> kith_round_trips(int32_t index, int count, int pause_us) {
  const means& how = all_means[index];
  court c;
  make(c);
  std::vector<double> samples;
  {
    const shared_stage s;
    const partner other(pass_back, index,
                        {s.share(),
                         {event_names[0], c.events[0]},
                         {event_names[1], c.events[1]},
                         {semaphore_names[0], c.semaphores[0]},
                         {semaphore_names[1], c.semaphores[1]},
                         {condition_names[0], c.conditions[0]},
                         {condition_names[1], c.conditions[1]},
                         {"balls", c.balls}});
    start_round(s.get());
    for (int i = 0; i < count; ++i) {
      rest(pause_us);
      const stopwatch watch;
      how.pass(c, 0);
      how.await(c, 1);
      samples.push_back(watch.seconds() * 1e6);
    }
    s->stop.store(1);
    how.pass(c, 0);
  }
  close(c);
  return samples;
}

std::vector<subject> passers(int count, int pause_us) {
  std::vector<subject> all;
  for (int32_t i = 0; i < static_cast<int32_t>(std::size(all_means)); ++i)
    all.push_back({all_means[i].name, [=] { return median(kith_round_trips(i, count, pause_us)); }});
  for (const wake_yardstick& each : wake_yardsticks())
    all.push_back({each.name, [=] { return median(each.round_trips(count, pause_us)); }});
  return all;
}

// ---- only waiting -----------------------------------------------------------------------------------------------------------------

constexpr int64_t idle_ms = 5'000;

// Waits for what never comes, and tells which share of a core that took.
int32_t wait_idly(const void* argument, size_t) {
  const int32_t index = *static_cast<const int32_t*>(argument);
  court c;
  inherit(c);
  kith_lock* lock = nullptr;
  check(kith_lock_inherit("lock", &lock), "take the lock");
  stage& s = inherited_stage();
  const double before = cpu_seconds();
  kith_status status = KITH_OK;
  if (index == 0) status = kith_lock_acquire(lock, idle_ms);
  if (index == 1) status = kith_event_wait(c.events[0], idle_ms);
  if (index == 2) status = kith_semaphore_acquire(c.semaphores[0], idle_ms);
  s.partner_count.store(static_cast<uint64_t>((cpu_seconds() - before) * 1e9));
  kith_lock_close(lock);
  close(c);
  return status == KITH_E_TIMEOUT ? 0 : 1;
}

// %
double idle_share(int32_t index) {
  court c;
  make(c);
  kith_lock* lock = nullptr;
  check(kith_lock_create(nullptr, &lock), "create a lock");
  check(kith_lock_acquire(lock, KITH_FOREVER), "acquire");
  const shared_stage s;
  {
    const partner other(wait_idly, index,
                        {s.share(),
                         {event_names[0], c.events[0]},
                         {event_names[1], c.events[1]},
                         {semaphore_names[0], c.semaphores[0]},
                         {semaphore_names[1], c.semaphores[1]},
                         {condition_names[0], c.conditions[0]},
                         {condition_names[1], c.conditions[1]},
                         {"balls", c.balls},
                         {"lock", lock}});
  }
  kith_lock_close(lock);
  close(c);
  return static_cast<double>(s->partner_count.load()) / (static_cast<double>(idle_ms) * 1e6) * 100;
}

}  // namespace

void bench_wake(table& out, const settings& how) {
  const int count = how.quick ? 20 : 2'000, rounds = how.quick ? 1 : 9;
  const char* const floor = "futex";
  out.add(measure_in_turns({"wake", "us", better::smaller, floor, {}}, rounds, passers(count, 0)));
  constexpr int deep_us = 300;  // longer than any spin
  out.add(measure_in_turns({"wake.sleeping", "us", better::smaller, floor, {}}, rounds,
                           passers(count / 10 + 1, deep_us)));
  {
    const one_cpu both;
    out.add(measure_in_turns({"wake.one_core", "us", better::smaller, floor, {}}, rounds, passers(count, 0)));
  }
  if (how.quick) return;
  out.add(measure_in_turns({"idlecpu", "%", better::smaller, "", {}}, 3,
                           {{"kith lock", [] { return idle_share(0); }},
                            {"kith event", [] { return idle_share(1); }},
                            {"kith semaphore", [] { return idle_share(2); }}}));
}

}  // namespace bench
