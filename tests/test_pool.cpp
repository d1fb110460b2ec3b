// SPDX-License-Identifier: MIT
// Pools: tasks and their results, while nobody dies.
#include <atomic>
#include <map>
#include <set>

#include "pools.h"

using test::nothing_leaks;

namespace {

using bytes = std::vector<unsigned char>;

int32_t fail_with(const void* task, size_t, kith_worker*) { return *static_cast<const int32_t*>(task); }

// Waits for the event "go".
int32_t wait_for_go(const void* task, size_t size, kith_worker* worker) {
  static test::event go;
  if (go.get() == nullptr) CHILD_NEEDS(test::take(go, "go"));
  CHILD_NEEDS(kith_event_wait(go, test::generous) == KITH_OK);
  return test::echo_task(task, size, worker);
}

// The first byte says whether to wait for "go".
int32_t wait_if_asked(const void* task, size_t size, kith_worker* worker) {
  return *static_cast<const int64_t*>(task) < 0 ? wait_for_go(task, size, worker)
                                                : test::process_id(task, size, worker);
}

// The size of the result is the task.
int32_t make_much(const void* task, size_t, kith_worker* worker) {
  const size_t size = static_cast<size_t>(*static_cast<const uint64_t*>(task));
  const bytes made = test::noise(size, size);
  return kith_worker_reply(worker, made.data(), made.size()) == KITH_OK ? 0 : 2;
}

kith_status take_bytes(kith_pool* pool, uint64_t ticket, bytes& out) {
  kith_answer answer{};
  out.clear();
  kith_status status = kith_pool_result(pool, ticket, nullptr, 0, &answer, test::generous);
  if (status == KITH_E_TOO_LARGE) {
    out.resize(static_cast<size_t>(answer.size));
    status = kith_pool_result(pool, ticket, out.data(), out.size(), &answer, test::generous);
  }
  return status;
}

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks, "tasks go to a pool and come back as results, by ticket or as they come") {
  const test::pool pool = test::make_pool({test::square});
  const uint64_t ticket = test::submit<int64_t>(pool, 7);
  const auto got = test::take_result<int64_t>(pool, ticket);
  CHECK_OK(got.status);
  CHECK((got.result == 49 && got.answer.ticket == ticket && got.answer.size == 8 && got.answer.code == 0));
  CHECK_STATUS(test::take_result<int64_t>(pool, ticket).status, KITH_E_NOT_FOUND);

  std::map<uint64_t, int64_t> expected;
  for (int64_t i = 0; i < 500; ++i) expected[test::submit(pool, i)] = i * i;
  int wrong = 0;
  for (int i = 0; i < 500; ++i) {
    const auto next = test::take_next<int64_t>(pool);
    wrong += next.status != KITH_OK || expected[next.answer.ticket] != next.result;
    expected.erase(next.answer.ticket);
  }
  CHECK(wrong == 0);
  CHECK(expected.empty());
  CHECK_STATUS(test::take_next<int64_t>(pool, 0).status, KITH_E_TIMEOUT);
  CHECK_STATUS(test::take_next<int64_t>(pool, 20).status, KITH_E_TIMEOUT);
  test::finish(pool);
}

TEST_CASE_FIXTURE(nothing_leaks, "what a task returns comes with its result") {
  const test::pool pool = test::make_pool({fail_with, 1});
  for (const int32_t code : {0, 1, -1, INT32_MIN, INT32_MAX}) {
    const auto got = test::take_result<int>(pool, test::submit(pool, code));
    CHECK_OK(got.status);
    CHECK((got.answer.code == code && got.answer.size == 0));
  }
  test::finish(pool);
}

TEST_CASE_FIXTURE(nothing_leaks, "wrong arguments are refused, and out parameters stay as they were") {
  auto options = test::options_of({test::square});
  kith_pool* out = test::untouched<kith_pool>();
  CHECK_STATUS(kith_pool_create(nullptr, &out), KITH_E_INVALID);
  CHECK_STATUS(kith_pool_create(&options, nullptr), KITH_E_INVALID);
  auto wrong = options;
  wrong.ring_size = 5000;
  CHECK_STATUS(kith_pool_create(&wrong, &out), KITH_E_INVALID);
  wrong = options;
  wrong.entry_name = "square";
  CHECK_STATUS(kith_pool_create(&wrong, &out), KITH_E_INVALID);
  wrong = options;
  wrong.workers = KITH_POOL_MOST_WORKERS + 1;
  CHECK_STATUS(kith_pool_create(&wrong, &out), KITH_E_INVALID);
  wrong = options;
  wrong.flags = 1;
  CHECK_STATUS(kith_pool_create(&wrong, &out), KITH_E_UNSUPPORTED);
  wrong = options;
  wrong.task = nullptr;
  CHECK_STATUS(kith_pool_create(&wrong, &out), KITH_E_INVALID);
  wrong.entry_name = "there is no such function";
  CHECK_STATUS(kith_pool_create(&wrong, &out), KITH_E_NOT_FOUND);
  const test::channel_pair ends = test::make_channel();
  const test::value number = test::make_value(KITH_I64);
  const kith_share channel = {"end", ends.a};
  wrong = options;
  wrong.shares = &channel;
  wrong.share_count = 1;
  CHECK_STATUS(kith_pool_create(&wrong, &out), KITH_E_MISMATCH);
  const kith_share twice[] = {{"number", number}, {"number", number}};
  wrong.shares = twice;
  wrong.share_count = 2;
  CHECK_STATUS(kith_pool_create(&wrong, &out), KITH_E_EXISTS);
  CHECK(out == test::untouched<kith_pool>());

  const test::pool pool = test::make_pool({test::square, 1});
  kith_answer answer{};
  size_t count = 77;
  const size_t sizes[] = {SIZE_MAX, 2};
  int64_t number_to_square = 3;
  CHECK_STATUS(kith_pool_submit(pool, nullptr, 1, nullptr, 0), KITH_E_INVALID);
  CHECK_STATUS(kith_pool_submit(pool, &number_to_square, 8, nullptr, -2), KITH_E_INVALID);
  CHECK_STATUS(kith_pool_submit(nullptr, &number_to_square, 8, nullptr, 0), KITH_E_INVALID);
  CHECK_STATUS(kith_pool_submit_many(pool, &number_to_square, sizes, 2, nullptr, &count, 0), KITH_E_INVALID);
  CHECK_STATUS(kith_pool_result(pool, 1, nullptr, 0, nullptr, 0), KITH_E_INVALID);
  for (const uint64_t ticket : {uint64_t{0}, uint64_t{1}, UINT64_MAX})
    CHECK_STATUS(kith_pool_result(pool, ticket, nullptr, 0, &answer, 0), KITH_E_NOT_FOUND);
  CHECK_STATUS(kith_pool_next(pool, nullptr, 4, &answer, 0), KITH_E_INVALID);
  CHECK_STATUS(kith_pool_next_many(pool, nullptr, 0, &answer, 0, &count, 0), KITH_E_INVALID);
  CHECK_STATUS(kith_pool_map(pool, nullptr, 8, 1, nullptr, 0, nullptr, 0), KITH_E_INVALID);
  CHECK_STATUS(kith_pool_map(pool, &number_to_square, SIZE_MAX, 2, nullptr, 0, nullptr, 0), KITH_E_INVALID);
  CHECK_STATUS(kith_pool_drop(pool, 5), KITH_E_NOT_FOUND);
  CHECK_STATUS(kith_pool_get_progress(pool, nullptr), KITH_E_INVALID);
  CHECK_STATUS(kith_pool_shutdown(pool, 2, 0), KITH_E_INVALID);
  CHECK(count == 77);
  test::finish(pool);
  kith_worker* worker = test::untouched<kith_worker>();
  CHECK_STATUS(kith_worker_open(&worker), KITH_E_NOT_FOUND);
  CHECK_STATUS(kith_worker_next(nullptr, nullptr, nullptr, 0), KITH_E_INVALID);
}

TEST_CASE_FIXTURE(nothing_leaks, "a result that is too large for the buffer stays") {
  const test::pool pool = test::make_pool({make_much, 1});
  const uint64_t ticket = test::submit<uint64_t>(pool, 1000);
  bytes small(10);
  kith_answer answer{};
  CHECK_STATUS(kith_pool_next(pool, small.data(), small.size(), &answer, test::generous), KITH_E_TOO_LARGE);
  CHECK((answer.ticket == ticket && answer.size == 1000));
  size_t count = 0;
  CHECK_STATUS(kith_pool_next_many(pool, small.data(), small.size(), &answer, 1, &count, 0),
               KITH_E_TOO_LARGE);
  CHECK(test::progress_of(pool).unread == 1);
  bytes got;
  CHECK_OK(take_bytes(pool, ticket, got));
  CHECK(got == test::noise(1000, 1000));
  test::finish(pool);
}

TEST_CASE_FIXTURE(nothing_leaks, "tasks and results of any size, through small rings") {
  const test::pool pool = test::make_pool({test::echo_task, 2, {}, 4096});
  const size_t largest = static_cast<size_t>(test::repetitions(3'000'000));
  std::vector<std::pair<uint64_t, bytes>> sent;
  for (const size_t size :
       {size_t{0}, size_t{1}, size_t{15}, size_t{16}, size_t{1007}, size_t{1008}, size_t{1009}, size_t{4096},
        size_t{5000}, size_t{70'000}, largest, size_t{8}, size_t{1008}}) {
    bytes task = test::noise(size, size);
    uint64_t ticket = 0;
    REQUIRE_OK(kith_pool_submit(pool, task.data(), task.size(), &ticket, test::generous));
    sent.emplace_back(ticket, std::move(task));
  }
  for (auto& [ticket, task] : sent) {
    bytes got;
    CHECK_OK(take_bytes(pool, ticket, got));
    CHECK(got == task);
  }
  test::finish(pool);
}

TEST_CASE_FIXTURE(nothing_leaks, "more tasks than the rings hold can be submitted before a result is taken") {
  const test::pool pool = test::make_pool({test::square, 2, {}, 4096});
  const int64_t count = test::repetitions(20'000);
  std::vector<uint64_t> tickets;
  for (int64_t i = 0; i < count; ++i) tickets.push_back(test::submit(pool, i));
  int wrong = 0;
  for (int64_t i = count; i-- != 0;) {
    const auto got = test::take_result<int64_t>(pool, tickets[static_cast<size_t>(i)]);
    wrong += got.status != KITH_OK || got.result != i * i;
  }
  CHECK(wrong == 0);
  const kith_pool_progress progress = test::progress_of(pool);
  CHECK((progress.done == static_cast<uint64_t>(count) && progress.unread == 0 && progress.waiting == 0));
  CHECK((progress.running == 0 && progress.workers == 2 && progress.died == 0));
  test::finish(pool);
}

TEST_CASE_FIXTURE(nothing_leaks, "many tasks in one call, and many results") {
  const test::pool pool = test::make_pool({test::square});
  constexpr size_t count = 300;
  std::vector<int64_t> tasks(count);
  std::vector<size_t> sizes(count, 8);
  std::vector<uint64_t> tickets(count);
  for (size_t i = 0; i < count; ++i) tasks[i] = static_cast<int64_t>(i);
  size_t sent = 0;
  REQUIRE_OK(
      kith_pool_submit_many(pool, tasks.data(), sizes.data(), count, tickets.data(), &sent, test::generous));
  CHECK(sent == count);
  std::map<uint64_t, int64_t> results;
  std::vector<int64_t> got(100);
  std::vector<kith_answer> answers(64);
  size_t most = 0;
  while (results.size() < count) {
    size_t n = 0;
    REQUIRE_OK(kith_pool_next_many(pool, got.data(), got.size() * 8, answers.data(), answers.size(), &n,
                                   test::generous));
    most = n > most ? n : most;
    for (size_t i = 0; i < n; ++i) results[answers[i].ticket] = answers[i].size == 8 ? got[i] : -1;
  }
  int wrong = 0;
  for (size_t i = 0; i < count; ++i) wrong += results[tickets[i]] != static_cast<int64_t>(i * i);
  CHECK(wrong == 0);
  CHECK(most <= 64);
  test::finish(pool);
}

TEST_CASE_FIXTURE(nothing_leaks, "an array of tasks becomes an array of results, in order") {
  const test::pool pool = test::make_pool({test::square, 3, {}, 4096});
  const size_t count = static_cast<size_t>(test::repetitions(10'000));
  std::vector<int64_t> tasks(count), results(count, -1);
  for (size_t i = 0; i < count; ++i) tasks[i] = static_cast<int64_t>(i);
  const uint64_t other = test::submit<int64_t>(pool, 5);  // of somebody else
  CHECK_OK(kith_pool_map(pool, tasks.data(), 8, count, results.data(), 8, nullptr, test::generous));
  int wrong = 0;
  for (size_t i = 0; i < count; ++i) wrong += results[i] != tasks[i] * tasks[i];
  CHECK(wrong == 0);
  const auto next = test::take_next<int64_t>(pool);
  CHECK((next.result == 25 && next.answer.ticket == other));
  CHECK_STATUS(test::take_next<int64_t>(pool, 0).status, KITH_E_TIMEOUT);

  // Each answer has its own status.
  std::vector<kith_answer> answers(3);
  CHECK_STATUS(kith_pool_map(pool, tasks.data(), 8, 3, results.data(), 4, answers.data(), test::generous),
               KITH_E_TOO_LARGE);
  for (const kith_answer& each : answers)
    CHECK((each.status == KITH_E_TOO_LARGE && each.size == 8 && each.ticket == 0));
  CHECK_OK(kith_pool_map(pool, nullptr, 8, 0, nullptr, 8, nullptr, 0));
  test::finish(pool);
}

TEST_CASE_FIXTURE(nothing_leaks, "a map that is given up writes nothing any more, and the pool goes on") {
  const test::event go = test::make_event();
  const test::pool pool = test::make_pool({wait_for_go, 2, {{"go", go}}});
  std::vector<int64_t> tasks(50, 4), results(50, -1);
  std::vector<kith_answer> answers(50);
  CHECK_STATUS(kith_pool_map(pool, tasks.data(), 8, 50, results.data(), 8, answers.data(), 30),
               KITH_E_TIMEOUT);
  for (const kith_answer& each : answers) CHECK_STATUS(each.status, KITH_E_TIMEOUT);
  const std::vector<int64_t> before = results;
  CHECK(test::progress_of(pool).waiting == 0);
  CHECK_OK(kith_event_set(go));
  const auto got = test::take_result<int64_t>(pool, test::submit<int64_t>(pool, 9));
  CHECK((got.status == KITH_OK && got.result == 9));
  CHECK(results == before);
  test::finish(pool);
  CHECK(test::progress_of(pool).unread == 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "deadlines: a full pool, a result that does not come") {
  const test::event go = test::make_event();
  const test::pool pool = test::make_pool({wait_for_go, 1, {{"go", go}}, 4096});
  uint64_t first = 0;
  int64_t number = 0;
  int sent = 0;
  kith_status status = KITH_OK;
  while ((status = kith_pool_submit(pool, &number, 8, sent == 0 ? &first : nullptr, 20)) == KITH_OK) ++sent;
  CHECK_STATUS(status, KITH_E_TIMEOUT);
  CHECK(sent > 50);
  CHECK_STATUS(kith_pool_submit(pool, &number, 8, nullptr, 0), KITH_E_TIMEOUT);
  const bytes large(100'000);
  CHECK_STATUS(kith_pool_submit(pool, large.data(), large.size(), nullptr, 0), KITH_E_TIMEOUT);
  const uint64_t began = test::now_ms();
  CHECK_STATUS(test::take_result<int64_t>(pool, first, 30).status, KITH_E_TIMEOUT);
  CHECK(test::now_ms() - began >= 29);
  CHECK_STATUS(kith_pool_shutdown(pool, KITH_POOL_FINISH, 10), KITH_E_TIMEOUT);
  CHECK_STATUS(kith_pool_submit(pool, &number, 8, nullptr, 0), KITH_E_CLOSED);
  CHECK_OK(kith_event_set(go));
  int got = 0;
  while (test::take_next<int64_t>(pool).status == KITH_OK) ++got;
  CHECK(got == sent);
  CHECK_STATUS(test::take_next<int64_t>(pool).status, KITH_E_CLOSED);
  test::finish(pool);
}

TEST_CASE_FIXTURE(nothing_leaks, "a task that takes long does not hold up those behind it") {
  const test::event go = test::make_event();
  const test::pool pool = test::make_pool({wait_if_asked, 2, {{"go", go}}});
  const uint64_t slow = test::submit<int64_t>(pool, -1);
  for (int64_t i = 0; i < 100; ++i) (void)test::submit(pool, i);
  int failures = 0;
  for (int i = 0; i < 100; ++i) failures += test::take_next<int64_t>(pool).status != KITH_OK;
  CHECK(failures == 0);
  CHECK(test::becomes_true([&] { return test::progress_of(pool).running == 1; }));
  CHECK_STATUS(test::take_result<int64_t>(pool, slow, 0).status, KITH_E_TIMEOUT);
  CHECK_OK(kith_event_set(go));
  CHECK_OK(test::take_result<int64_t>(pool, slow).status);
  test::finish(pool);
}

TEST_CASE_FIXTURE(nothing_leaks, "a task that was dropped is not done, or its result is dropped") {
  const test::event go = test::make_event();
  const test::pool pool = test::make_pool({wait_if_asked, 1, {{"go", go}}});
  const uint64_t running = test::submit<int64_t>(pool, -1);
  CHECK(test::becomes_true([&] { return test::progress_of(pool).running == 1; }));
  const uint64_t waiting = test::submit<int64_t>(pool, -1);
  const uint64_t last = test::submit<int64_t>(pool, 1);
  CHECK(test::progress_of(pool).waiting == 2);
  CHECK_OK(kith_pool_drop(pool, waiting));
  CHECK_OK(kith_pool_drop(pool, running));
  CHECK_STATUS(kith_pool_drop(pool, running), KITH_E_NOT_FOUND);
  CHECK(test::progress_of(pool).waiting == 1);
  CHECK_OK(kith_event_set(go));
  CHECK_OK(test::take_result<int64_t>(pool, last).status);
  CHECK_STATUS(test::take_next<int64_t>(pool, 0).status, KITH_E_TIMEOUT);
  const uint64_t done = test::submit<int64_t>(pool, 1);
  CHECK(test::becomes_true([&] { return test::progress_of(pool).unread == 1; }));
  CHECK_OK(kith_pool_drop(pool, done));
  CHECK(test::progress_of(pool).unread == 0);
  test::finish(pool);
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "many threads submit and take at once: each ticket is answered once, to whom it belongs") {
  const test::pool pool = test::make_pool({test::square, 2, {}, 4096});
  const int64_t count = test::repetitions(5'000);
  std::atomic<int> wrong = 0;
  test::in_threads(4, [&](int thread) {
    for (int64_t i = 0; i < count; ++i) {
      uint64_t ticket = 0;
      const int64_t number = i * 4 + thread;
      wrong += kith_pool_submit(pool, &number, 8, &ticket, test::generous) != KITH_OK;
      const auto got = test::take_result<int64_t>(pool, ticket);
      wrong += got.status != KITH_OK || got.result != number * number || got.answer.ticket != ticket;
    }
  });
  CHECK(wrong == 0);
  std::atomic<int64_t> sum = 0, taken = 0;
  test::in_threads(4, [&](int thread) {
    for (int64_t i = 0; i < count; ++i) {
      if (thread < 2) {
        wrong += kith_pool_submit(pool, &i, 8, nullptr, test::generous) != KITH_OK;
      } else {
        const auto got = test::take_next<int64_t>(pool);
        wrong += got.status != KITH_OK;
        sum += got.result;
        ++taken;
      }
    }
  });
  CHECK(wrong == 0);
  CHECK(sum == 2 * (count - 1) * count * (2 * count - 1) / 6);
  test::finish(pool);
}

TEST_CASE_FIXTURE(nothing_leaks, "an array of tasks in several threads at once") {
  const test::pool pool = test::make_pool({test::square});
  const size_t count = static_cast<size_t>(test::repetitions(3'000));
  std::atomic<int> wrong = 0;
  test::in_threads(3, [&](int thread) {
    std::vector<int64_t> tasks(count), results(count, -1);
    for (size_t i = 0; i < count; ++i) tasks[i] = static_cast<int64_t>(i) + thread;
    wrong +=
        kith_pool_map(pool, tasks.data(), 8, count, results.data(), 8, nullptr, test::generous) != KITH_OK;
    for (size_t i = 0; i < count; ++i) wrong += results[i] != tasks[i] * tasks[i];
  });
  CHECK(wrong == 0);
  test::finish(pool);
}

TEST_CASE_FIXTURE(nothing_leaks, "closing a pool ends the waits on it, and is harmless twice") {
  const test::event go = test::make_event();
  test::pool pool = test::make_pool({wait_for_go, 1, {{"go", go}}});
  kith_pool* const handle = pool;
  const uint64_t ticket = test::submit<int64_t>(pool, 1);
  std::atomic<kith_status> of_result = KITH_OK, of_next = KITH_OK;
  std::thread one([&] { of_result = test::take_result<int64_t>(handle, ticket).status; });
  std::thread two([&] { of_next = test::take_next<int64_t>(handle).status; });
  CHECK_STATUS(test::take_result<int64_t>(pool, ticket, 30).status, KITH_E_TIMEOUT);
  kith_pool_close(pool);
  one.join();
  two.join();
  CHECK_STATUS(of_result, KITH_E_CLOSED);
  CHECK_STATUS(of_next, KITH_E_CLOSED);
  kith_pool_close(handle);
  CHECK_STATUS(kith_pool_submit(handle, nullptr, 0, nullptr, 0), KITH_E_INVALID);
  // Its killed workers are reaped by a later call on processes.
  CHECK(test::becomes_true([] {
    const test::process other = test::start_role({"exit", "0"});
    (void)test::end_of(other);
    return !test::has_children();
  }));
}

TEST_CASE_FIXTURE(nothing_leaks, "a kith_cancel ends the waits on a pool") {
  const test::event go = test::make_event();
  const test::cancel cancel = test::make_cancel();
  const test::pool pool = test::make_pool({wait_for_go, 1, {{"go", go}}});
  const uint64_t ticket = test::submit<int64_t>(pool, 1);
  REQUIRE_OK(kith_cancel_use(cancel));
  std::thread firing([&] { (void)kith_cancel_fire(cancel); });
  CHECK_STATUS(test::take_result<int64_t>(pool, ticket).status, KITH_E_CANCELLED);
  firing.join();
  CHECK_STATUS(kith_pool_shutdown(pool, KITH_POOL_FINISH, test::generous), KITH_E_CANCELLED);
  REQUIRE_OK(kith_cancel_use(nullptr));
  CHECK_OK(kith_event_set(go));
  CHECK_OK(test::take_result<int64_t>(pool, ticket).status);
  test::finish(pool);
}

TEST_CASE_FIXTURE(nothing_leaks, "a pool can be waited for together with other things") {
  const test::event go = test::make_event();
  const test::pool pool = test::make_pool({wait_for_go, 1, {{"go", go}}});
  (void)test::submit<int64_t>(pool, 1);
  int64_t handle = 0;
  REQUIRE_OK(kith_pool_poll_handle(pool, &handle));
  CHECK_OK(kith_poll_arm(pool, 0));
  CHECK(!test::handle_is_ready(handle, 0));
  kith_wait_item item{};
  item.object = pool;
  size_t ready = 0;
  CHECK_STATUS(kith_wait_any(&item, 1, &ready, 20), KITH_E_TIMEOUT);
  CHECK_OK(kith_event_set(go));
  CHECK_OK(kith_wait_any(&item, 1, &ready, test::generous));
  CHECK((ready == 1 && item.ready == KITH_WAIT_READ));
  CHECK(test::handle_is_ready(handle, 5'000));
  CHECK_STATUS(kith_poll_arm(pool, 0), KITH_E_BUSY);
  CHECK_OK(test::take_next<int64_t>(pool, 0).status);
  CHECK_OK(kith_poll_arm(pool, 0));
  (void)test::submit<int64_t>(pool, 2);
  CHECK(test::handle_is_ready(handle, 5'000));
  CHECK_OK(test::take_next<int64_t>(pool).status);
  test::finish(pool);
}

TEST_CASE_FIXTURE(nothing_leaks, "a pool without a number of workers has one for each core") {
  const test::pool pool = test::make_pool({test::square, 0});
  CHECK(test::progress_of(pool).workers >= 1);
  const auto got = test::take_result<int64_t>(pool, test::submit<int64_t>(pool, 3));
  CHECK((got.status == KITH_OK && got.result == 9));
  test::finish(pool);
  CHECK(test::progress_of(pool).workers == 0);
}
