// SPDX-License-Identifier: MIT
// The desks of a queue of tasks, all taken; counts as a process that was killed leaves them; and the end while somebody still puts.
#include <future>

#include "../support.h"
#include "segment_object.h"
#include "shm/queue.h"

using namespace kith;
using test::nothing_leaks;

namespace {

struct insides {
  explicit insides(kith_queue* queue) : pin(queue, object_kind::queue) { REQUIRE_OK(pin.status()); }
  pinned<segment_object> pin;

  shm::queue_state& state() { return *reinterpret_cast<shm::queue_state*>(pin->segment().state); }
  shm::queue_desk* desks() { return reinterpret_cast<shm::queue_desk*>(pin->segment().data); }
};

// Takes a task, says so, and waits to be killed.
int32_t take_and_stay(const void*, size_t) {
  test::queue queue;
  test::channel line;
  size_t size = 0;
  CHILD_NEEDS(test::take(queue, "queue") && test::take(line, "line"));
  CHILD_NEEDS(kith_queue_get(queue, nullptr, 0, &size, test::generous) == KITH_OK);
  CHILD_NEEDS(test::tell(line, "taken"));
  return test::hear(line, "end") ? 0 : 1;
}

struct worker {
  test::channel_pair line = test::make_channel();
  test::process process;

  explicit worker(kith_queue* queue)
      : process(test::start(take_and_stay, {{"queue", queue}, {"line", line.b}})) {
    REQUIRE(test::hear(line.a, "taken"));
  }
  void kill() {
    REQUIRE_OK(kith_process_kill(process));
    CHECK_EXIT(process, KITH_EXIT_KILLED, 9);
  }
};

test::queue make_tasks(int count) {
  test::queue queue = test::make_queue(0, KITH_QUEUE_TASKS);
  for (int i = 0; i < count; ++i) REQUIRE_OK(kith_queue_put(queue, nullptr, 0, 0));
  return queue;
}

kith_status take_one(kith_queue* queue) {
  size_t size = 0;
  return kith_queue_get(queue, nullptr, 0, &size, 0);
}

// As if so many processes more, which live and die with the one that has a desk, had taken a task each.
void give_all_desks_to_its_owner(insides& inside) {
  shm::queue_desk* const desks = inside.desks();
  uint64_t owner = 0;
  for (uint32_t i = 0; i < shm::queue_desks; ++i) {
    if (desks[i].tasks.load() != 0) owner = desks[i].process.load();
  }
  REQUIRE(owner != 0);
  for (uint32_t i = 0; i < shm::queue_desks; ++i) {
    desks[i].process.store(owner);
    desks[i].tasks.store(1);
  }
  inside.state().takes.store(shm::queue_desks);
  inside.state().next_takes.store(shm::queue_desks);
  inside.state().puts.fetch_add(shm::queue_desks - 1);
}

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks, "a task more than there are desks is not taken, until a worker dies") {
  const test::queue queue = make_tasks(2);
  insides inside(queue);
  worker other(queue);
  give_all_desks_to_its_owner(inside);
  CHECK_STATUS(take_one(queue), KITH_E_LIMIT);
  CHECK(kith_queue_count(queue) == 1);
  other.kill();
  CHECK_OK(take_one(queue));
  CHECK_STATUS(kith_queue_join(queue, 0), KITH_E_TIMEOUT);
  CHECK_OK(kith_queue_task_done(queue));
  CHECK_STATUS(kith_queue_join(queue, 0), KITH_OWNER_DIED);
}

TEST_CASE_FIXTURE(nothing_leaks, "the desk of a worker that has done its tasks is free for another one") {
  const test::queue queue = make_tasks(2);
  insides inside(queue);
  worker other(queue);
  give_all_desks_to_its_owner(inside);
  inside.desks()[77].tasks.store(0);
  inside.state().done.store(1);
  CHECK_OK(take_one(queue));
  CHECK(inside.desks()[77].process.load() == platform::self().bits);
  CHECK(inside.desks()[77].tasks.load() == 1);
  other.kill();
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "counts that a death left one off are right at once, and after the next call") {
  const test::queue queue = test::make_queue(4096);
  insides inside(queue);
  shm::queue_state& state = inside.state();
  REQUIRE_OK(kith_queue_put(queue, "a", 1, 0));
  REQUIRE_OK(kith_queue_put(queue, "b", 1, 0));
  test::process gone = test::start_role({"exit", "0"});
  const int64_t pid = kith_process_id(gone);
  CHECK_EXIT(gone, KITH_EXIT_CODE, 0);
  const auto hold_as_the_dead = [&](shm::lock_state& lock) {
    lock.word.store(make_identity(static_cast<uint32_t>(pid), 77).bits);
  };
  char text[8];
  size_t size = 0;
  uint64_t left = 0;
  SUBCASE("it had begun to put") {
    state.next_puts.store(3);
    left = 2;
    SUBCASE("and not said where") {}
    SUBCASE("and not counted") { state.next_head.fetch_add(32); }
    SUBCASE("and counted") {
      state.next_head.fetch_add(32);
      state.puts.store(3);
    }
    hold_as_the_dead(state.put_lock);
  }
  SUBCASE("it had taken, and not counted, and there are more") {
    REQUIRE_OK(kith_queue_get(queue, text, sizeof text, &size, 0));
    state.takes.store(0);
    left = 1;
    hold_as_the_dead(state.take_lock);
  }
  SUBCASE("it had taken the last, and not counted") {
    for (int i = 0; i < 2; ++i) REQUIRE_OK(kith_queue_get(queue, text, sizeof text, &size, 0));
    state.takes.store(1);
    hold_as_the_dead(state.take_lock);
  }
  SUBCASE("it had begun to take") {
    state.next_tail.fetch_add(32);
    left = 2;
    SUBCASE("and not said how many") {}
    SUBCASE("and said how many") { state.next_takes.fetch_add(1); }
    hold_as_the_dead(state.take_lock);
  }
  CHECK(kith_queue_count(queue) == left);
  REQUIRE_OK(kith_queue_put(queue, "c", 1, test::generous));
  CHECK(kith_queue_count(queue) == left + 1);
  REQUIRE_OK(kith_queue_get(queue, text, sizeof text, &size, test::generous));
  CHECK(kith_queue_count(queue) == left);
  CHECK(state.puts.load() - state.takes.load() == left);
}

TEST_CASE_FIXTURE(nothing_leaks, "a queue that was shut down has not ended before who was putting has put") {
  const test::queue queue = test::make_queue(4096);
  insides inside(queue);
  shm::lock_state& lock = inside.state().put_lock;
  wait_area& waiting = inside.pin->shared->segment.waiting;
  const auto get_at_once = [&] {
    size_t size = 0;
    return std::async(std::launch::async, [&] { return kith_queue_get(queue, nullptr, 0, &size, 0); }).get();
  };
  REQUIRE_OK(shm::lock_acquire(lock, waiting, {}));
  CHECK_OK(kith_queue_shutdown(queue));
  CHECK_STATUS(get_at_once(), KITH_E_TIMEOUT);
  CHECK_OK(shm::lock_release(lock, waiting));
  CHECK_STATUS(get_at_once(), KITH_E_CLOSED);
}
