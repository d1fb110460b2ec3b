// SPDX-License-Identifier: MIT
#include <algorithm>

#include "broadcasts.h"
#include "naming.h"

using test::create;
using test::either;
using test::generous;
using test::list_names;
using test::listed_name;
using test::named_kinds;
using test::named_object;
using test::naming;
using test::nothing_leaks;
using test::only_one;
using test::unique_name;
using test::visit;
using test::visit_of;

TEST_CASE_FIXTURE(nothing_leaks, "a list tells of each kind what there is to know") {
  const std::string name = unique_name("told");
  const kith_naming wanted = naming(name, create);
  test::array array;
  REQUIRE_OK(kith_array_open_named(&wanted, KITH_F32, 6, nullptr, array.out(), nullptr));
  REQUIRE_OK(kith_lock_acquire(kith_array_lock(array), 0));
  listed_name told = only_one(name);
  CHECK(told.info.kind == KITH_OBJECT_ARRAY);
  CHECK(told.info.type == KITH_F32);
  CHECK(told.info.size == 24);
  CHECK(told.info.element_size == 4);
  CHECK(told.info.owner_pid == test::own_id());
  CHECK(told.info.waiting == 0);
  CHECK(told.info.stale == 0);
  CHECK(told.info.flags == 0);
  std::thread waits([&] { CHECK_STATUS(kith_lock_acquire(kith_array_lock(array), 1500), KITH_E_TIMEOUT); });
  CHECK(test::becomes_true([&] {
    told = only_one(name);
    return told.info.waiting == 1 && told.info.owner_held_ms > 0;
  }));
  waits.join();
  CHECK_OK(kith_lock_release(kith_array_lock(array)));
  CHECK(only_one(name).info.owner_pid == 0);
  array.close();
}

TEST_CASE_FIXTURE(nothing_leaks, "a list tells how full a named object is") {
  const std::string name = unique_name("full");
  const kith_naming wanted = naming(name, create);
  listed_name told;
  test::semaphore semaphore;
  REQUIRE_OK(kith_semaphore_open_named(&wanted, 3, nullptr, semaphore.out(), nullptr));
  REQUIRE_OK(kith_semaphore_acquire(semaphore, 0));
  told = only_one(name);
  CHECK(told.info.used == 1);
  CHECK(told.info.capacity == 3);
  semaphore.close();

  auto signals = test::defaults<kith_semaphore_options>();
  signals.flags = KITH_SEMAPHORE_SIGNAL;
  signals.maximum = 10;
  REQUIRE_OK(kith_semaphore_open_named(&wanted, 4, &signals, semaphore.out(), nullptr));
  told = only_one(name);
  CHECK(told.info.used == 4);
  CHECK(told.info.capacity == 10);
  semaphore.close();

  test::event event;
  REQUIRE_OK(kith_event_open_named(&wanted, nullptr, event.out(), nullptr));
  CHECK(only_one(name).info.used == 0);
  CHECK_OK(kith_event_set(event));
  CHECK(only_one(name).info.used == 1);
  event.close();

  test::queue queue;
  REQUIRE_OK(kith_queue_open_named(&wanted, nullptr, queue.out(), nullptr));
  CHECK_OK(kith_queue_put(queue, "item", 4, 0));
  told = only_one(name);
  CHECK(told.info.used >= 4);
  CHECK(told.info.capacity == 65536);
  queue.close();
}

namespace {

// So many threads wait by `wait`; the list says so, and no longer when `release` has let them go.
void counts_waiters(const std::string& name, int threads, const std::function<void()>& wait,
                    const std::function<void()>& release) {
  CHECK(only_one(name).info.waiting == 0);
  std::vector<std::thread> waiters;
  for (int i = 0; i < threads; ++i) waiters.emplace_back(wait);
  CHECK(test::becomes_true([&] { return only_one(name).info.waiting == threads; }));
  release();
  for (std::thread& each : waiters) each.join();
  CHECK(only_one(name).info.waiting == 0);
}

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks, "a list tells how many threads wait for a lock or a semaphore") {
  const std::string name = unique_name("counted");
  const kith_naming wanted = naming(name, create);
  test::value value;
  REQUIRE_OK(kith_value_open_named(&wanted, KITH_I32, nullptr, nullptr, value.out(), nullptr));
  kith_lock* const lock = kith_value_lock(value);
  const auto acquire_and_release = [&] {
    CHECK_OK(kith_lock_acquire(lock, generous));
    CHECK_OK(kith_lock_release(lock));
  };
  REQUIRE_OK(kith_lock_acquire(lock, 0));
  counts_waiters(name, 3, acquire_and_release, [&] { CHECK_OK(kith_lock_release(lock)); });
  value.close();

  test::semaphore semaphore;
  REQUIRE_OK(kith_semaphore_open_named(&wanted, 1, nullptr, semaphore.out(), nullptr));
  const auto give_up = [&] { CHECK_STATUS(kith_semaphore_acquire(semaphore, 500), KITH_E_TIMEOUT); };
  REQUIRE_OK(kith_semaphore_acquire(semaphore, 0));
  counts_waiters(name, 2, give_up, [] {});
}

TEST_CASE_FIXTURE(nothing_leaks, "a list tells how many threads wait for an event, alone or among others") {
  const std::string name = unique_name("counted");
  const kith_naming wanted = naming(name, create);
  test::event event;
  REQUIRE_OK(kith_event_open_named(&wanted, nullptr, event.out(), nullptr));
  const auto set = [&] { CHECK_OK(kith_event_set(event)); };
  const auto wait = [&] { CHECK_OK(kith_event_wait(event, generous)); };
  const auto wait_any = [&] {
    kith_wait_item item{};
    item.object = event;
    size_t ready = 0;
    CHECK_OK(kith_wait_any(&item, 1, &ready, generous));
  };
  counts_waiters(name, 4, wait, set);
  CHECK_OK(kith_event_clear(event));
  counts_waiters(name, 2, wait_any, set);
}

TEST_CASE_FIXTURE(nothing_leaks, "a list tells how many threads wait for a queue or a broadcast") {
  const std::string name = unique_name("counted");
  const kith_naming wanted = naming(name, create);
  size_t size = 0;
  test::queue queue;
  REQUIRE_OK(kith_queue_open_named(&wanted, nullptr, queue.out(), nullptr));
  const auto get = [&] {
    size_t of_item = 0;
    CHECK_STATUS(kith_queue_get(queue, nullptr, 0, &of_item, generous), KITH_E_CLOSED);
  };
  counts_waiters(name, 3, get, [&] { CHECK_OK(kith_queue_shutdown(queue)); });
  queue.close();

  test::broadcast broadcast;
  test::reader reader;
  REQUIRE_OK(kith_broadcast_open_named(&wanted, nullptr, broadcast.out(), nullptr));
  REQUIRE_OK(kith_broadcast_subscribe(broadcast, 0, reader.out()));
  const auto next = [&] { CHECK_OK(kith_reader_next(reader, nullptr, 0, &size, nullptr, generous)); };
  counts_waiters(name, 1, next, [&] { CHECK_OK(kith_broadcast_publish(broadcast, nullptr, 0, 0)); });
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "a list tells since when a lock with a name is held, also if nobody wants it") {
  const std::string name = unique_name("since");
  const kith_naming wanted = naming(name, create);
  test::lock lock;
  REQUIRE_OK(kith_lock_open_named(&wanted, nullptr, lock.out(), nullptr));
  for (int round = 0; round < 2; ++round) {
    const uint64_t began = test::now_ms();
    REQUIRE_OK(kith_lock_acquire(lock, 0));
    CHECK(test::becomes_true([&] { return only_one(name).info.owner_held_ms >= 30; }));
    kith_owner owner{};
    CHECK_OK(kith_lock_owner(lock, &owner));
    CHECK(owner.held_ms >= 30);
    constexpr int64_t tick = 11;  // of the rough clock
    CHECK(owner.held_ms <= static_cast<int64_t>(test::now_ms() - began) + tick);
    CHECK_OK(kith_lock_release(lock));
    CHECK(only_one(name).info.owner_held_ms == 0);
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "a list tells who waits, and who listens") {
  const std::string name = unique_name("waits");
  const kith_naming wanted = naming(name, create);
  test::condition condition;
  REQUIRE_OK(kith_condition_open_named(&wanted, nullptr, condition.out(), nullptr));
  test::lock lock = test::make_lock();
  std::thread sleeps([&] {
    CHECK_OK(kith_lock_acquire(lock, generous));
    CHECK_OK(kith_condition_wait(condition, lock, generous));
    CHECK_OK(kith_lock_release(lock));
  });
  CHECK(test::becomes_true([&] { return only_one(name).info.waiting == 1; }));
  CHECK_OK(kith_condition_notify_all(condition));
  sleeps.join();
  CHECK(only_one(name).info.waiting == 0);
  condition.close();

  test::barrier barrier;
  REQUIRE_OK(kith_barrier_open_named(&wanted, 2, nullptr, barrier.out(), nullptr));
  std::thread arrives([&] { CHECK(kith_barrier_wait(barrier, generous, nullptr) >= KITH_OK); });
  CHECK(test::becomes_true([&] { return only_one(name).info.waiting == 1; }));
  CHECK(only_one(name).info.capacity == 2);
  CHECK(kith_barrier_wait(barrier, generous, nullptr) >= KITH_OK);
  arrives.join();
  barrier.close();

  const test::endpoint place = test::listen(name);
  const listed_name told = only_one(name);
  CHECK(told.info.kind == KITH_OBJECT_ENDPOINT);
  CHECK(told.users == std::vector<int64_t>{test::own_id()});
  CHECK(told.info.stale == 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "a list is a handle as all others") {
  const std::string name = unique_name("handle");
  named_object one;
  REQUIRE_OK(one.open(KITH_OBJECT_LOCK, naming(name, create)));
  kith_names* list = nullptr;
  CHECK_STATUS(kith_names_list(nullptr), KITH_E_INVALID);
  REQUIRE_OK(kith_names_list(&list));
  one.close();  // a snapshot minds nothing
  const size_t count = kith_names_count(list);
  REQUIRE(count >= 1);
  kith_name_info info = test::defaults<kith_name_info>();
  CHECK_OK(kith_names_at(list, count - 1, &info));
  CHECK_STATUS(kith_names_at(list, count, &info), KITH_E_NOT_FOUND);
  CHECK_STATUS(kith_names_at(list, 0, nullptr), KITH_E_INVALID);
  info.struct_size = 8;
  CHECK_STATUS(kith_names_at(list, 0, &info), KITH_E_INVALID);
  test::channel_pair ends = test::make_channel();
  CHECK_STATUS(kith_channel_send_object(ends.a, list, "", 0, 0), KITH_E_MISMATCH);
  kith_names_close(list);
  kith_names_close(list);
  kith_names_close(nullptr);
  CHECK(kith_names_count(list) == 0);
  CHECK(kith_names_count(nullptr) == 0);
  info = test::defaults<kith_name_info>();
  CHECK_STATUS(kith_names_at(list, 0, &info), KITH_E_INVALID);
}

namespace {

enum class sight { none, right, wrong };

// How a list shows to a process an object that it has open.
sight look_for_own(int32_t kind, const std::string& name) {
  sight seen = sight::none;
  for (const listed_name& each : list_names(name)) {
    if (each.info.kind != kind || each.name != name) continue;
    const bool is_user = std::find(each.users.begin(), each.users.end(), test::own_id()) != each.users.end();
    if (!is_user || each.info.stale != 0) return sight::wrong;
    seen = sight::right;
  }
  return seen;
}

// Opens and closes objects of some names, in no order. Every list it sees meanwhile is true about itself.
int32_t comes_and_goes(const void* argument, size_t) {
  const std::string begin = static_cast<const visit*>(argument)->name;
  test::event end;
  CHILD_NEEDS(test::take(end, "end"));
  uint64_t random = static_cast<uint64_t>(test::own_id()) * 77 + 1;
  for (int i = 0; i < test::repetitions(40); ++i) {
    const std::string name = begin + " " + std::to_string(test::next_random(random) % 8);
    const int32_t kind = named_kinds[test::next_random(random) % 10];
    named_object opened;
    CHILD_NEEDS(opened.open(kind, naming(name, either)) == KITH_OK);
    if (i % 8 != 0) continue;
    sight seen = look_for_own(kind, name);
    if (!test::lists_names_in_one_step())
      CHILD_NEEDS(test::becomes_true([&] { return (seen = look_for_own(kind, name)) != sight::none; }));
    CHILD_NEEDS(seen == sight::right);
  }
  return kith_event_is_set(end) != 0 ? 1 : 0;
}

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks, "a list is true while 50 processes come and go") {
  const std::string name = unique_name("fifty");
  const test::event end = test::make_event();
  const visit wish = visit_of(name, 0, 0);
  std::vector<test::process> all;
  std::set<int64_t> ids;
  for (int i = 0; i < 50; ++i) {
    all.push_back(test::start_with(comes_and_goes, {{"end", end}}, wish));
    ids.insert(kith_process_id(all.back()));
  }
  bool are_running = true;
  while (are_running) {
    for (const listed_name& each : list_names(name)) {
      for (const int64_t user : each.users) CHECK(ids.count(user) == 1);
      CHECK(each.info.stale == 0);  // nobody is killed here
    }
    are_running = false;
    for (test::process& each : all) {
      kith_exit how{};
      if (kith_process_wait(each, 0, &how) == KITH_E_TIMEOUT) are_running = true;
    }
  }
  for (test::process& each : all) CHECK_EXIT(each, KITH_EXIT_CODE, 0);
  CHECK(list_names(name).empty());
}
