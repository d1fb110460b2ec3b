// SPDX-License-Identifier: MIT
// Queues whose items are tasks: done, joined, and lost with their workers.
#include <atomic>

#include "waits.h"

using test::nothing_leaks;

namespace {

test::queue make_tasks(int count) {
  test::queue queue = test::make_queue(0, KITH_QUEUE_TASKS);
  for (int i = 0; i < count; ++i) CHECK_OK(kith_queue_put(queue, &i, sizeof i, 0));
  return queue;
}

kith_status take_one(kith_queue* queue, int64_t timeout_ms = test::generous) {
  int task = 0;
  size_t size = 0;
  return kith_queue_get(queue, &task, sizeof task, &size, timeout_ms);
}

struct workload {
  int taken;
  int done;
};

// Takes tasks and does some of them; says so, and waits to be killed or told to end.
int32_t work(const void* argument, size_t) {
  const workload load = *static_cast<const workload*>(argument);
  test::queue queue;
  test::channel line;
  CHILD_NEEDS(test::take(queue, "queue") && test::take(line, "line"));
  for (int i = 0; i < load.taken; ++i) CHILD_NEEDS(take_one(queue) == KITH_OK);
  for (int i = 0; i < load.done; ++i) CHILD_NEEDS(kith_queue_task_done(queue) == KITH_OK);
  CHILD_NEEDS(test::tell(line, "worked"));
  CHILD_NEEDS(test::hear(line, "end"));
  return 0;
}

int32_t work_until_the_end(const void*, size_t) {
  test::queue queue;
  test::value done;
  CHILD_NEEDS(test::take(queue, "queue") && test::take(done, "done"));
  while (take_one(queue) == KITH_OK) {
    test::count_up(done);
    CHILD_NEEDS(kith_queue_task_done(queue) == KITH_OK);
  }
  return 0;
}

struct worker {
  test::channel_pair line = test::make_channel();
  test::process process;

  worker(kith_queue* queue, workload load)
      : process(test::start_with(work, {{"queue", queue}, {"line", line.b}}, load)) {
    REQUIRE(test::hear(line.a, "worked"));
  }
  void kill() {
    REQUIRE_OK(kith_process_kill(process));
    CHECK_EXIT(process, KITH_EXIT_KILLED, 9);
  }
  void end() {
    CHECK(test::tell(line.a, "end"));
    CHECK_EXIT(process, KITH_EXIT_CODE, 0);
  }
};

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks, "tasks are joined when as many are done as were put, not before") {
  const test::queue queue = make_tasks(0);
  CHECK_OK(kith_queue_join(queue, KITH_FOREVER));
  CHECK_STATUS(kith_queue_task_done(queue), KITH_E_NOT_OWNER);
  for (int i = 0; i < 2; ++i) CHECK_OK(kith_queue_put(queue, &i, sizeof i, 0));
  CHECK_STATUS(kith_queue_task_done(queue), KITH_E_NOT_OWNER);  // nobody has taken one
  for (int i = 0; i < 2; ++i) {
    CHECK_STATUS(kith_queue_join(queue, 0), KITH_E_TIMEOUT);
    CHECK_OK(take_one(queue));
    CHECK_STATUS(kith_queue_join(queue, 5), KITH_E_TIMEOUT);
    CHECK_OK(kith_queue_task_done(queue));
    CHECK_STATUS(kith_queue_task_done(queue), KITH_E_NOT_OWNER);
  }
  CHECK_OK(kith_queue_join(queue, 0));
  CHECK_OK(kith_queue_join(queue, KITH_FOREVER));
}

TEST_CASE_FIXTURE(nothing_leaks, "a queue without tasks knows of none") {
  const test::queue queue = test::make_queue();
  CHECK_STATUS(kith_queue_task_done(queue), KITH_E_MISMATCH);
  CHECK_STATUS(kith_queue_join(queue, 0), KITH_E_MISMATCH);
}

TEST_CASE_FIXTURE(nothing_leaks, "an item that stays because of its size is no task that was taken") {
  const test::queue queue = make_tasks(1);
  size_t size = 0;
  CHECK_STATUS(kith_queue_get(queue, nullptr, 0, &size, 0), KITH_E_TOO_LARGE);
  CHECK_STATUS(kith_queue_task_done(queue), KITH_E_NOT_OWNER);
}

TEST_CASE_FIXTURE(nothing_leaks, "three processes do all tasks, and whoever joins comes back") {
  const test::queue queue = make_tasks(0);
  const test::value done = test::make_value(KITH_I64);
  std::vector<test::process> workers;
  for (int i = 0; i < 3; ++i)
    workers.push_back(test::start(work_until_the_end, {{"queue", queue}, {"done", done}}));
  int64_t expected = 0;
  for (int round = 0; round < 5; ++round) {
    for (int i = 0; i < test::repetitions(1'000); ++i) {
      REQUIRE_OK(kith_queue_put(queue, &i, sizeof i, test::generous));
      ++expected;
    }
    test::in_threads(2, [&](int) { CHECK_OK(kith_queue_join(queue, test::generous)); });
    CHECK(test::count_in(done) == expected);
  }
  CHECK_OK(kith_queue_shutdown(queue));
  for (test::process& each : workers) CHECK_EXIT(each, KITH_EXIT_CODE, 0);
  CHECK_OK(kith_queue_join(queue, 0));
}

TEST_CASE_FIXTURE(nothing_leaks, "any process may call a task done") {
  const test::queue queue = make_tasks(3);
  worker other(queue, {3, 0});
  for (int i = 0; i < 3; ++i) CHECK_OK(kith_queue_task_done(queue));
  CHECK_OK(kith_queue_join(queue, 0));
  other.kill();
  CHECK_OK(kith_queue_join(queue, 0));
  // Nothing of the dead is left over that would count as the task of a living one.
  CHECK_OK(kith_queue_put(queue, nullptr, 0, 0));
  CHECK_OK(take_one(queue));
  CHECK_STATUS(kith_queue_join(queue, 100), KITH_E_TIMEOUT);
  CHECK_OK(kith_queue_task_done(queue));
  CHECK_OK(kith_queue_join(queue, 0));
}

TEST_CASE_FIXTURE(nothing_leaks, "who joins is told of tasks that died with their worker, once") {
  const test::queue queue = make_tasks(3);
  worker other(queue, {3, 1});
  CHECK_STATUS(kith_queue_join(queue, 20), KITH_E_TIMEOUT);
  other.kill();
  CHECK_STATUS(kith_queue_join(queue, test::generous), KITH_OWNER_DIED);
  CHECK_OK(kith_queue_join(queue, 0));
}

TEST_CASE_FIXTURE(nothing_leaks, "a worker that ends without calling its task done has lost it") {
  const test::queue queue = make_tasks(1);
  worker other(queue, {1, 0});
  other.end();
  CHECK_STATUS(kith_queue_join(queue, test::generous), KITH_OWNER_DIED);
}

TEST_CASE_FIXTURE(nothing_leaks, "a worker that dies with nothing undone is not missed") {
  const test::queue queue = make_tasks(2);
  worker other(queue, {2, 2});
  other.kill();
  CHECK_OK(kith_queue_join(queue, test::generous));
}

// A thread that begins to wait only after the other one was told has nothing to be told: such a round says nothing.
TEST_CASE_FIXTURE(nothing_leaks, "all who wait for the tasks are told that a worker was killed") {
  constexpr int joiners = 2, rounds = 5;
  int told = 0;
  for (int round = 0; round < rounds && told != joiners; ++round) {
    const test::queue queue = make_tasks(1);
    worker other(queue, {1, 0});
    std::atomic<int> began = 0;
    std::atomic<int> died = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < joiners; ++i) {
      threads.emplace_back([&] {
        ++began;
        died += kith_queue_join(queue, KITH_FOREVER) == KITH_OWNER_DIED;
      });
    }
    CHECK(test::becomes_true([&] { return began == joiners; }));
    test::let_it_sleep();
    other.kill();
    for (std::thread& thread : threads) thread.join();
    told = died;
    CHECK(told >= 1);
  }
  CHECK(told == joiners);
}

TEST_CASE_FIXTURE(nothing_leaks, "one who joins by asking again and again learns of a death, too") {
  const test::queue queue = make_tasks(1);
  worker other(queue, {1, 0});
  other.kill();
  kith_status status = KITH_E_TIMEOUT;
  CHECK(test::becomes_true([&] { return (status = kith_queue_join(queue, 0)) != KITH_E_TIMEOUT; }));
  CHECK_STATUS(status, KITH_OWNER_DIED);
}

TEST_CASE_FIXTURE(nothing_leaks, "a loss is told by the first join that succeeds, whenever it was noticed") {
  const test::queue queue = make_tasks(2);
  CHECK_OK(take_one(queue));
  worker other(queue, {1, 0});
  other.kill();
  CHECK_STATUS(kith_queue_join(queue, 200), KITH_E_TIMEOUT);  // ours is open
  CHECK_OK(kith_queue_task_done(queue));
  CHECK_STATUS(kith_queue_join(queue, 0), KITH_OWNER_DIED);
  CHECK_OK(kith_queue_join(queue, 0));
}

// tests/unit/test_queue_desks.cpp has them at once.
TEST_CASE_FIXTURE(nothing_leaks, "more processes than there are desks work one after the other") {
  const int count = test::is_windows || test::sanitized ? 20 : KITH_QUEUE_MOST_WORKERS + 10;
  const test::queue queue = make_tasks(0);
  for (int i = 0; i < count; ++i) {
    CHECK_OK(kith_queue_put(queue, &i, sizeof i, 0));
    worker other(queue, {1, 1});
    other.end();
  }
  CHECK_OK(kith_queue_join(queue, 0));
}
