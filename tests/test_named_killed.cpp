// SPDX-License-Identifier: MIT
// Processes that create, open, use and remove named objects are killed at random. There is never more than one object of a name, it is initialised once,
// and nothing is left after the last.
//
// How two objects of one name would be seen: whoever has opened one puts a token into it, unless there is one already, and says in a table that all
// have which name he holds, with which token; he takes that back before he closes it. Who finds another token for his name in the table, of one
// whom the test has not been about to kill, has found two.
#include <atomic>
#include <chrono>

#include "naming.h"

using test::naming;

namespace {

constexpr size_t most_workers = 6, names = 3;
constexpr int64_t initial = 1'000'000;

struct seat {
  std::atomic<uint64_t> held;  // 0: nothing; otherwise its token, with the number of its name in the low bits
  std::atomic<uint64_t> dies;  // the test is about to kill it
};

struct table {
  seat seats[most_workers];
  std::atomic<uint64_t> creations;
  std::atomic<uint64_t> openings;
};

struct task {
  char name[200];
  uint64_t seat;
  uint64_t random;
};

// For a child, which has no other way to say what went wrong.
bool is_one_of(kith_status status, std::initializer_list<kith_status> expected) {
  for (const kith_status each : expected) {
    if (status == each) return true;
  }
  std::fprintf(stderr, "%s, of the OS: %d\n", kith_status_name(status), kith_os_error());
  return false;
}

bool is_not_there(kith_status status) { return status == KITH_E_EXISTS || status == KITH_E_NOT_FOUND; }

std::string name_of(const task& given, uint64_t number) {
  return std::string(given.name) + " " + std::to_string(number);
}

uint32_t random_flags(uint64_t& random) {
  constexpr uint32_t choices[] = {test::either, test::either, test::either,
                                  test::create, test::open,   test::either | KITH_NAME_PERSISTENT};
  return choices[test::next_random(random) % 6];
}

bool is_alone(const table& all, uint64_t own_seat, uint64_t held) {
  for (size_t i = 0; i < most_workers; ++i) {
    const uint64_t other = all.seats[i].held.load();
    const bool differs = other != 0 && other % names == held % names && other != held;
    // Read after `held`: it was alive and had the other one.
    if (i != own_seat && differs && all.seats[i].dies.load() == 0) return false;
  }
  return true;
}

// An array: who created it, its token, and how many have used it.
int32_t use_array(table& all, const task& given, uint64_t number, uint64_t& random) {
  const std::string name = name_of(given, number);
  const kith_naming wanted = naming(name, random_flags(random));
  test::array numbers;
  int32_t created = 0;
  const kith_status status = kith_array_open_named(&wanted, KITH_I64, 3, nullptr, numbers.out(), &created);
  if (is_not_there(status)) return 0;
  CHILD_NEEDS(is_one_of(status, {KITH_OK}));
  all.openings.fetch_add(1);
  all.creations.fetch_add(static_cast<uint64_t>(created));
  int64_t before = 0;
  if (created != 0) {
    CHILD_NEEDS(kith_array_add(numbers, 0, 1, &before) == KITH_OK);
    CHILD_NEEDS(before == 0);
  }
  const int64_t mine = static_cast<int64_t>((test::next_random(random) >> 8) / names * names + number);
  int64_t token = 0;
  CHILD_NEEDS(kith_array_compare_exchange(numbers, 1, &token, mine) >= KITH_OK);
  if (token == 0) token = mine;
  CHILD_NEEDS(static_cast<uint64_t>(token) % names == number);
  std::atomic<uint64_t>& held = all.seats[given.seat].held;
  held.store(static_cast<uint64_t>(token));
  for (int i = 0; i < 20; ++i) {
    CHILD_NEEDS(is_alone(all, given.seat, static_cast<uint64_t>(token)));
    CHILD_NEEDS(kith_array_add(numbers, 2, 1, &before) == KITH_OK);
    kith_lock* const guard = kith_array_lock(numbers);
    const kith_status locked = kith_lock_acquire(guard, test::generous);
    CHILD_NEEDS(locked >= KITH_OK);
    if (locked == KITH_OWNER_DIED) CHILD_NEEDS(kith_lock_mark_consistent(guard) == KITH_OK);
    CHILD_NEEDS(kith_lock_release(guard) == KITH_OK);
  }
  held.store(0);
  return 0;
}

// A value is seen with what it begins with, by all.
int32_t use_value(const task& given, uint64_t number, uint64_t& random) {
  const std::string name = name_of(given, number);
  const kith_naming wanted = naming(name, random_flags(random));
  test::value counter;
  const kith_status status =
      kith_value_open_named(&wanted, KITH_I64, &initial, nullptr, counter.out(), nullptr);
  if (is_not_there(status)) return 0;
  CHILD_NEEDS(is_one_of(status, {KITH_OK}));
  int64_t before = 0;
  CHILD_NEEDS(kith_value_add(counter, 1, &before) == KITH_OK);
  CHILD_NEEDS(before >= initial);
  return 0;
}

// With bells.
int32_t use_queue(const task& given, uint64_t number, uint64_t& random) {
  const std::string name = name_of(given, number);
  const kith_naming wanted = naming(name, random_flags(random));
  test::queue queue;
  const kith_status status = kith_queue_open_named(&wanted, nullptr, queue.out(), nullptr);
  if (is_not_there(status)) return 0;
  CHILD_NEEDS(is_one_of(status, {KITH_OK}));
  int64_t handle = 0;
  CHILD_NEEDS(kith_queue_poll_handle(queue, &handle) == KITH_OK);
  const kith_status put = kith_queue_put(queue, name.data(), name.size(), 0);
  CHILD_NEEDS(put == KITH_OK || put == KITH_E_TIMEOUT);
  char item[256];
  size_t size = 0;
  const kith_status got = kith_queue_get(queue, item, sizeof item, &size, 0);
  CHILD_NEEDS(got == KITH_E_TIMEOUT || (got == KITH_OK && std::string(item, size) == name));
  return 0;
}

int32_t remove_one(const task& given, uint64_t number, uint64_t& random) {
  constexpr int32_t kinds[] = {KITH_OBJECT_ARRAY, KITH_OBJECT_VALUE, KITH_OBJECT_QUEUE};
  const kith_status status =
      test::next_random(random) % 4 == 0
          ? kith_collect(nullptr)
          : kith_name_remove(kinds[test::next_random(random) % 3], name_of(given, number).c_str());
  CHILD_NEEDS(is_one_of(status, {KITH_OK, KITH_E_NOT_FOUND}));
  return 0;
}

int32_t works_until_the_end(const void* argument, size_t) {
  const task given = *static_cast<const task*>(argument);
  test::memory memory;
  test::event end;
  CHILD_NEEDS(test::take(memory, "table") && test::take(end, "end"));
  table& all = *static_cast<table*>(kith_memory_data(memory));
  uint64_t random = given.random;
  while (kith_event_is_set(end) == 0) {
    const uint64_t number = test::next_random(random) % names;
    const uint64_t what = test::next_random(random) % 8;
    int32_t code = 0;
    if (what < 4) code = use_array(all, given, number, random);
    if (what == 4) code = use_value(given, number, random);
    if (what == 5) code = use_queue(given, number, random);
    if (what >= 6) code = remove_one(given, number, random);
    if (code != 0) return code;
  }
  return 0;
}

void let_pass(uint64_t microseconds) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::microseconds(microseconds);
  while (std::chrono::steady_clock::now() < until) std::this_thread::yield();
}

class killing {
 public:
  explicit killing(const std::string& name) : name_(name) {
    REQUIRE_OK(kith_memory_create(sizeof(table), nullptr, memory_.out()));
    for (size_t i = 0; i < most_workers; ++i) start(i);
  }

  void kill_one() {
    const size_t victim = test::next_random(random_) % most_workers;
    let_pass(test::next_random(random_) % 2'000);
    seat& its = all().seats[victim];
    its.dies.store(1);
    CHECK_OK(kith_process_kill(workers_[victim]));
    CHECK_EXIT(workers_[victim], KITH_EXIT_KILLED, 9);
    its.held.store(0);
    its.dies.store(0);
    start(victim);
  }

  void end() {
    CHECK_OK(kith_event_set(end_));
    for (test::process& each : workers_) CHECK_EXIT(each, KITH_EXIT_CODE, 0);
  }

  table& all() { return *static_cast<table*>(kith_memory_data(memory_)); }

 private:
  void start(size_t seat) {
    task given{};
    std::snprintf(given.name, sizeof given.name, "%s", name_.c_str());
    given.seat = seat;
    given.random = test::next_random(random_);
    workers_[seat] = test::start_with(works_until_the_end, {{"table", memory_}, {"end", end_}}, given);
  }

  const std::string name_;
  uint64_t random_ = 20'26;
  test::memory memory_;
  test::event end_ = test::make_event();
  test::process workers_[most_workers];
};

}  // namespace

TEST_CASE_FIXTURE(test::nothing_leaks,
                  "300 kills of processes that create, open, use and remove named objects") {
  const test::own_names place;
  const std::string name = test::unique_name("killed");
  {
    killing run(name);
    for (int i = 0; i < 300; ++i) run.kill_one();
    run.end();
    MESSAGE("openings: ", run.all().openings.load(), ", creations: ", run.all().creations.load());
    CHECK(run.all().openings.load() > run.all().creations.load());
    CHECK(run.all().creations.load() > 0);
  }
  CHECK_OK(kith_collect(nullptr));
  for (const test::listed_name& each : test::list_names(name)) {
    CHECK(each.info.flags == KITH_NAME_PERSISTENT);
    CHECK(each.users.empty());
    CHECK(each.info.stale == 0);
    CHECK_OK(kith_name_remove(each.info.kind, each.name.c_str()));
  }
  CHECK(test::list_names(name).empty());
  CHECK(place.files().empty());
}
