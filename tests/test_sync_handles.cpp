// SPDX-License-Identifier: MIT
// Handles of the synchronisation objects: closed, of another kind, closed while others wait, given to children.
#include <cstring>

#include "waits.h"

using test::nothing_leaks;

namespace {

int32_t nothing(const void*, size_t) { return 0; }

// One of each kind; handles that are closed stay known.
struct one_of_each {
  test::lock lock = test::make_lock();
  test::semaphore semaphore = test::make_semaphore(2);
  test::condition condition = test::make_condition();
  test::event event = test::make_event(KITH_EVENT_INITIALLY_SET);
  test::barrier barrier = test::make_barrier(3);
  test::queue queue = test::make_queue(0, KITH_QUEUE_TASKS);

  std::vector<void*> handles() const {
    return {lock.get(), semaphore.get(), condition.get(), event.get(), barrier.get(), queue.get()};
  }

  test::shares shares() const {
    return {{"lock", lock},   {"semaphore", semaphore}, {"condition", condition},
            {"event", event}, {"barrier", barrier},     {"queue", queue}};
  }

  void close_all() const {
    kith_lock_close(lock);
    kith_semaphore_close(semaphore);
    kith_condition_close(condition);
    kith_event_close(event);
    kith_barrier_close(barrier);
    kith_queue_close(queue);
  }
};

// What each function answers to a handle that it must refuse.
void check_lock(void* handle, kith_status expected) {
  auto* const lock = static_cast<kith_lock*>(handle);
  kith_owner owner{-77, -77, -77, -77};
  CHECK_STATUS(kith_lock_acquire(lock, 0), expected);
  CHECK_STATUS(kith_lock_release(lock), expected);
  CHECK_STATUS(kith_lock_mark_consistent(lock), expected);
  CHECK_STATUS(kith_lock_owner(lock, &owner), expected);
  CHECK((owner.pid == -77 && owner.held_ms == -77 && owner.alive == -77));
}

void check_semaphore(void* handle, kith_status expected) {
  auto* const semaphore = static_cast<kith_semaphore*>(handle);
  CHECK_STATUS(kith_semaphore_acquire(semaphore, 0), expected);
  CHECK_STATUS(kith_semaphore_release(semaphore), expected);
  CHECK(kith_semaphore_available(semaphore) == 0);
}

void check_condition(void* handle, kith_status expected) {
  auto* const condition = static_cast<kith_condition*>(handle);
  test::lock guard = test::make_lock();
  CHECK_OK(kith_lock_acquire(guard, 0));
  CHECK_STATUS(kith_condition_wait(condition, guard, 0), expected);
  CHECK_STATUS(kith_condition_notify(condition, 1), expected);
  CHECK_STATUS(kith_condition_notify_all(condition), expected);
  CHECK_OK(kith_lock_release(guard));  // it is held, as before
}

void check_event(void* handle, kith_status expected) {
  auto* const event = static_cast<kith_event*>(handle);
  CHECK_STATUS(kith_event_set(event), expected);
  CHECK_STATUS(kith_event_clear(event), expected);
  CHECK_STATUS(kith_event_wait(event, 0), expected);
  CHECK(kith_event_is_set(event) == 0);
}

void check_barrier(void* handle, kith_status expected) {
  auto* const barrier = static_cast<kith_barrier*>(handle);
  uint32_t place = 77;
  CHECK_STATUS(kith_barrier_wait(barrier, 0, &place), expected);
  CHECK_STATUS(kith_barrier_abort(barrier), expected);
  CHECK_STATUS(kith_barrier_reset(barrier), expected);
  CHECK(kith_barrier_parties(barrier) == 0);
  CHECK(kith_barrier_waiting(barrier) == 0);
  CHECK(kith_barrier_is_broken(barrier) == 0);
  CHECK(place == 77);
}

void check_queue(void* handle, kith_status expected) {
  auto* const queue = static_cast<kith_queue*>(handle);
  char buffer[4] = {};
  size_t size = 77;
  CHECK_STATUS(kith_queue_put(queue, buffer, sizeof buffer, 0), expected);
  CHECK_STATUS(kith_queue_get(queue, buffer, sizeof buffer, &size, 0), expected);
  CHECK_STATUS(kith_queue_shutdown(queue), expected);
  CHECK_STATUS(kith_queue_task_done(queue), expected);
  CHECK_STATUS(kith_queue_join(queue, 0), expected);
  CHECK(kith_queue_count(queue) == 0);
  CHECK(size == 77);
}

// In the order of one_of_each::handles().
constexpr void (*checks[])(void*, kith_status) = {check_lock,  check_semaphore, check_condition,
                                                  check_event, check_barrier,   check_queue};

template <class T, class Inherit>
bool inherit_gives(Inherit inherit, const char* name, kith_status expected) {
  T* out = test::untouched<T>();
  return inherit(name, &out) == expected && out == test::untouched<T>();
}

int32_t each_inherit_gives(const char* name, const char* not_this_kind, kith_status expected) {
  const auto skipped = [&](const char* kind) { return std::strcmp(kind, not_this_kind) == 0; };
  CHILD_NEEDS(skipped("lock") || inherit_gives<kith_lock>(kith_lock_inherit, name, expected));
  CHILD_NEEDS(skipped("semaphore") || inherit_gives<kith_semaphore>(kith_semaphore_inherit, name, expected));
  CHILD_NEEDS(skipped("condition") || inherit_gives<kith_condition>(kith_condition_inherit, name, expected));
  CHILD_NEEDS(skipped("event") || inherit_gives<kith_event>(kith_event_inherit, name, expected));
  CHILD_NEEDS(skipped("barrier") || inherit_gives<kith_barrier>(kith_barrier_inherit, name, expected));
  CHILD_NEEDS(skipped("queue") || inherit_gives<kith_queue>(kith_queue_inherit, name, expected));
  return 0;
}

constexpr const char* kinds[] = {"lock", "semaphore", "condition", "event", "barrier", "queue"};

int32_t takes_wrongly_then_rightly(const void*, size_t) {
  for (const char* kind : kinds) {
    CHILD_NEEDS(each_inherit_gives(kind, kind, KITH_E_MISMATCH) == 0);
    CHILD_NEEDS(inherit_gives<kith_memory>(kith_memory_inherit, kind, KITH_E_MISMATCH));
    CHILD_NEEDS(inherit_gives<kith_array>(kith_array_inherit, kind, KITH_E_MISMATCH));
    CHILD_NEEDS(inherit_gives<kith_channel>(kith_channel_inherit, kind, KITH_E_MISMATCH));
  }
  CHILD_NEEDS(each_inherit_gives("unknown", "", KITH_E_NOT_FOUND) == 0);
  CHILD_NEEDS(each_inherit_gives("", "", KITH_E_INVALID) == 0);
  CHILD_NEEDS(each_inherit_gives(nullptr, "", KITH_E_INVALID) == 0);
  CHILD_NEEDS(kith_semaphore_inherit("semaphore", nullptr) == KITH_E_INVALID);
  CHILD_NEEDS(kith_condition_inherit("condition", nullptr) == KITH_E_INVALID);
  CHILD_NEEDS(kith_event_inherit("event", nullptr) == KITH_E_INVALID);
  CHILD_NEEDS(kith_barrier_inherit("barrier", nullptr) == KITH_E_INVALID);
  CHILD_NEEDS(kith_queue_inherit("queue", nullptr) == KITH_E_INVALID);

  test::lock lock;
  test::semaphore semaphore;
  test::condition condition;
  test::event event;
  test::barrier barrier;
  test::queue queue;
  CHILD_NEEDS(test::take(lock, "lock") && test::take(semaphore, "semaphore") &&
              test::take(condition, "condition") && test::take(event, "event") &&
              test::take(barrier, "barrier") && test::take(queue, "queue"));
  CHILD_NEEDS(kith_barrier_parties(barrier) == 3);
  CHILD_NEEDS(kith_semaphore_available(semaphore) == 2);
  CHILD_NEEDS(kith_event_is_set(event) == 1);
  CHILD_NEEDS(kith_queue_join(queue, 0) == KITH_OK);
  for (const char* kind : kinds) {
    test::semaphore again;
    const bool same_kind = std::strcmp(kind, "semaphore") == 0;
    const kith_status status = kith_semaphore_inherit(kind, again.out());
    CHILD_NEEDS(status == (same_kind ? KITH_E_MOVED : KITH_E_MISMATCH) || status == KITH_E_MOVED);
  }
  return 0;
}

kith_status spawn_with(const test::shares& given) {
  const kith_process_options options = test::run_entry(nothing, given);
  kith_process* out = test::untouched<kith_process>();
  const kith_status status = kith_process_spawn(&options, &out);
  CHECK(out == test::untouched<kith_process>());
  return status;
}

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks, "a synchronisation object that was closed is told to be closed") {
  const one_of_each objects;
  objects.close_all();
  for (size_t i = 0; i < std::size(checks); ++i) checks[i](objects.handles()[i], KITH_E_INVALID);
  objects.close_all();  // once more harms nobody
  for (const auto check : checks) check(nullptr, KITH_E_INVALID);
}

TEST_CASE_FIXTURE(nothing_leaks, "a synchronisation object of another kind is told to be of another kind") {
  const one_of_each objects;
  test::array array = test::make_array(KITH_I32, 1);
  test::cancel cancel = test::make_cancel();
  std::vector<void*> handles = objects.handles();
  handles.push_back(array.get());
  handles.push_back(cancel.get());
  for (size_t is = 0; is < handles.size(); ++is) {
    for (size_t expected = 0; expected < std::size(checks); ++expected) {
      if (is != expected) checks[expected](handles[is], KITH_E_MISMATCH);
    }
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "what is closed as another kind stays open") {
  const one_of_each objects;
  for (void* handle : objects.handles()) {
    if (handle != objects.semaphore.get()) kith_semaphore_close(static_cast<kith_semaphore*>(handle));
    if (handle != objects.condition.get()) kith_condition_close(static_cast<kith_condition*>(handle));
    if (handle != objects.event.get()) kith_event_close(static_cast<kith_event*>(handle));
    if (handle != objects.barrier.get()) kith_barrier_close(static_cast<kith_barrier*>(handle));
    if (handle != objects.queue.get()) kith_queue_close(static_cast<kith_queue*>(handle));
  }
  CHECK(kith_semaphore_available(objects.semaphore) == 2);
  CHECK_OK(kith_condition_notify_all(objects.condition));
  CHECK(kith_event_is_set(objects.event) == 1);
  CHECK(kith_barrier_parties(objects.barrier) == 3);
  CHECK_OK(kith_queue_join(objects.queue, 0));
  kith_semaphore_close(nullptr);
  kith_condition_close(nullptr);
  kith_event_close(nullptr);
  kith_barrier_close(nullptr);
  kith_queue_close(nullptr);
}

TEST_CASE_FIXTURE(nothing_leaks, "to close what a thread waits for brings it back, whatever it waits for") {
  for (const test::wait_kind& kind : test::kinds_of_waits) {
    CAPTURE(kind.name);
    test::endless_waits waits;
    test::waiting_thread thread(waits, kind);
    test::let_it_sleep();
    kind.close(waits);
    CHECK_STATUS(thread.result(), KITH_E_CLOSED);
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "a synchronisation object is taken as what it is, or not at all") {
  const one_of_each objects;
  test::process child = test::start(takes_wrongly_then_rightly, objects.shares());
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "a cancel is not given to a child, nor an object that was closed") {
  test::cancel cancel = test::make_cancel();
  CHECK_STATUS(spawn_with({{"cancel", cancel}}), KITH_E_MISMATCH);
  const one_of_each objects;
  objects.close_all();
  for (const void* handle : objects.handles()) CHECK_STATUS(spawn_with({{"closed", handle}}), KITH_E_INVALID);
}

// The wall clock does not come into any of this: all deadlines are of the monotonic clock (src/platform.h, clock_now), and no test
// could set the other one without harm to its machine.
TEST_CASE_FIXTURE(nothing_leaks, "a timeout comes, never early, whatever is waited for") {
  test::endless_waits waits;
  for (const test::wait_kind& kind : test::kinds_of_waits) {
    CAPTURE(kind.name);
    test::in_threads(1, [&](int) {
      CHECK_STATUS(kind.call(waits, 0), KITH_E_TIMEOUT);
      CHECK_OK(kith_barrier_reset(waits.lonely));
      const uint64_t began = test::now_ms();
      CHECK_STATUS(kind.call(waits, 17), KITH_E_TIMEOUT);
      CHECK(test::now_ms() - began + 1 >= 17);
      CHECK_OK(kith_barrier_reset(waits.lonely));
      CHECK_STATUS(kind.call(waits, -2), KITH_E_INVALID);
      CHECK_STATUS(kind.call(waits, INT64_MIN), KITH_E_INVALID);
      CHECK(kith_barrier_is_broken(waits.lonely) == 0);
    });
  }
}
