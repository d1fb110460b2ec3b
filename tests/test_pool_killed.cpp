// SPDX-License-Identifier: MIT
// Pools whose workers die: the task that one was doing is told of, all others are done, once, and a fresh worker comes.
#include <uv.h>

#include <atomic>
#include <set>

#include "pools.h"
#include "segment_object.h"
#include "shm/pool_lane.h"

using test::nothing_leaks;

namespace {

using bytes = std::vector<unsigned char>;

constexpr int64_t deadly = -1;

// What comes back from a task that counts how often it was begun.
struct counted {
  int64_t number;
  int64_t process;
};

test::array counts_in_worker;

int32_t take_counts(const void*, size_t) { return test::take(counts_in_worker, "counts") ? 0 : 1; }

int32_t count_and_answer(const void* task, size_t, kith_worker* worker) {
  const int64_t number = *static_cast<const int64_t*>(task);
  CHILD_NEEDS(kith_array_add(counts_in_worker, static_cast<size_t>(number), 1, nullptr) == KITH_OK);
  const counted answer{number, uv_os_getpid()};
  return kith_worker_reply(worker, &answer, sizeof answer) == KITH_OK ? 0 : 2;
}

int32_t die_if_asked(const void* task, size_t size, kith_worker* worker) {
  if (size == sizeof deadly && std::memcmp(task, &deadly, size) == 0) test::end_at_once(42);
  return test::square(task, size, worker);
}

int32_t crash_task(const void*, size_t, kith_worker*) { test::crash(); }

// Gives the first half of a large result, and dies.
int32_t die_in_the_middle(const void* task, size_t size, kith_worker* worker) {
  const bytes half(100'000, 7);
  if (kith_worker_reply(worker, half.data(), half.size()) != KITH_OK) return 2;
  return die_if_asked(task, size, worker);
}

int32_t wait_for_ever(const void*, size_t, kith_worker*) {
  for (;;) std::this_thread::sleep_for(std::chrono::seconds(1));
}

int32_t never_starts(const void* argument, size_t) { return *static_cast<const int32_t*>(argument); }

// What is seen of one test with random kills.
struct tally {
  std::set<uint64_t> open;  // tickets without an answer
  std::set<int64_t> killed;
  int lost = 0, done = 0, wrong = 0;
  int64_t last_process = 0;

  void take(const test::taken<counted>& got) {
    wrong += open.erase(got.answer.ticket) != 1;
    if (got.status == KITH_E_WORKER_DIED) {
      ++lost;
    } else {
      ++done;
      wrong += got.status != KITH_OK || got.answer.code != 0;
      last_process = got.result.process;
    }
  }
  // Each once: its number may be another's a little later.
  void kill_somebody() {
    if (last_process == 0 || !killed.insert(last_process).second) return;
    test::kill_by_id(last_process);
    last_process = 0;
  }
};

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks, "a worker that dies over a task takes no other with it, and is replaced") {
  const test::pool pool = test::make_pool({die_if_asked, 2});
  std::set<uint64_t> dead;
  std::vector<std::pair<uint64_t, int64_t>> others;
  for (int64_t i = 0; i < 60; ++i) {
    if (i % 10 == 5) dead.insert(test::submit(pool, deadly));
    others.emplace_back(test::submit(pool, i), i);
  }
  for (const uint64_t ticket : dead) {
    const auto got = test::take_result<int64_t>(pool, ticket);
    CHECK_STATUS(got.status, KITH_E_WORKER_DIED);
    CHECK_STATUS(got.answer.status, KITH_E_WORKER_DIED);
    CHECK((got.answer.ticket == ticket && got.answer.size == 0));
    CHECK(test::shown_exit{got.answer.end.kind, got.answer.end.code} == test::shown_exit{KITH_EXIT_CODE, 42});
  }
  for (const auto& [ticket, number] : others) {
    const auto got = test::take_result<int64_t>(pool, ticket);
    CHECK_OK(got.status);
    CHECK(got.result == number * number);
  }
  const kith_pool_progress progress = test::progress_of(pool);
  CHECK((progress.died == 6 && progress.done == 66 && progress.unread == 0));
  CHECK(test::becomes_true([&] { return test::progress_of(pool).workers == 2; }));
  test::finish(pool);
}

TEST_CASE_FIXTURE(nothing_leaks, "how a worker crashed comes with the answer") {
  const test::pool pool = test::make_pool({crash_task, 1});
  const auto got = test::take_result<int>(pool, test::submit(pool, 1));
  CHECK_STATUS(got.status, KITH_E_WORKER_DIED);
  CHECK(test::shown_exit{got.answer.end.kind, got.answer.end.code} == test::crashed);
  int32_t task = 1;
  kith_answer answer{};
  CHECK_STATUS(kith_pool_map(pool, &task, 4, 1, nullptr, 0, &answer, test::generous), KITH_E_WORKER_DIED);
  CHECK_STATUS(answer.status, KITH_E_WORKER_DIED);
  test::finish(pool);
}

TEST_CASE_FIXTURE(
    nothing_leaks,
    "workers killed at random under load: each ticket is answered once, and no task is begun twice") {
  const int count = test::repetitions(40'000);
  const test::array counts = test::make_array(KITH_I32, static_cast<size_t>(count));
  auto options = test::options_of({count_and_answer, 3, {}, 4096});
  const kith_share given = {"counts", counts};
  options.shares = &given;
  options.share_count = 1;
  options.start = take_counts;
  test::pool pool;
  REQUIRE_OK(kith_pool_create(&options, pool.out()));
  tally seen;
  uint64_t random = 11;
  const int between_kills = count / 25 + 1;
  int to_next_kill = between_kills;
  for (int64_t i = 0; i < count; ++i) {
    const uint64_t ticket = test::submit(pool, i);
    CHECK(seen.open.insert(ticket).second);
    if (test::next_random(random) % 8 != 0) continue;
    while (seen.open.size() > test::next_random(random) % 200) seen.take(test::take_next<counted>(pool));
    to_next_kill -= 8;
    if (to_next_kill > 0) continue;
    seen.kill_somebody();
    to_next_kill = static_cast<int>(test::next_random(random) % (2 * static_cast<uint64_t>(between_kills)));
  }
  while (!seen.open.empty()) seen.take(test::take_next<counted>(pool));
  CHECK(seen.wrong == 0);
  CHECK(seen.killed.size() >= 3);
  CHECK(seen.lost <= static_cast<int>(seen.killed.size()));
  CHECK(seen.lost + seen.done == count);
  const auto* const begun = static_cast<const int32_t*>(kith_array_data(counts));
  int twice = 0, never = 0;
  for (int i = 0; i < count; ++i) {
    twice += begun[i] > 1;
    never += begun[i] == 0;
  }
  CHECK(twice == 0);
  CHECK(never <= seen.lost);
  CHECK(test::becomes_true([&] { return test::progress_of(pool).died == seen.killed.size(); }));
  CHECK_STATUS(test::take_next<counted>(pool, 0).status, KITH_E_TIMEOUT);
  test::finish(pool);
}

TEST_CASE_FIXTURE(nothing_leaks, "a worker that is killed while it has nothing to do is replaced") {
  const test::pool pool = test::make_pool({test::process_id, 1});
  int64_t last = 0;
  for (int i = 0; i < 3; ++i) {
    const auto got = test::take_result<int64_t>(pool, test::submit(pool, 0));
    CHECK_OK(got.status);
    CHECK(got.result != last);
    last = got.result;
    test::kill_by_id(last);
    CHECK(test::becomes_true([&] { return test::progress_of(pool).died == static_cast<uint64_t>(i + 1); }));
  }
  test::finish(pool);
}

TEST_CASE_FIXTURE(nothing_leaks, "a death in the middle of a large result, or a large task") {
  const test::pool pool = test::make_pool({die_in_the_middle, 1, {}, 4096});
  bytes room(200'000);
  kith_answer answer{};
  for (int round = 0; round < 3; ++round) {
    const uint64_t dies = test::submit(pool, deadly);
    const uint64_t lives = test::submit<int64_t>(pool, 3);
    const bytes large(300'000, 1);
    uint64_t ticket = 0;
    REQUIRE_OK(kith_pool_submit(pool, large.data(), large.size(), &ticket, test::generous));
    CHECK_STATUS(kith_pool_result(pool, dies, room.data(), room.size(), &answer, test::generous),
                 KITH_E_WORKER_DIED);
    CHECK_OK(kith_pool_result(pool, lives, room.data(), room.size(), &answer, test::generous));
    CHECK(answer.size == 100'008);
    CHECK_OK(kith_pool_result(pool, ticket, room.data(), room.size(), &answer, test::generous));
    CHECK((answer.size == 100'000 && answer.code == 1));
  }
  CHECK(test::progress_of(pool).died == 3);
  test::finish(pool);
}

TEST_CASE_FIXTURE(nothing_leaks, "workers that cannot start are given up, and nobody waits for ever") {
  auto options = test::options_of({test::square, 2});
  const int32_t code = 17;
  options.start = never_starts;
  options.argument = &code;
  options.argument_size = sizeof code;
  test::pool pool;
  REQUIRE_OK(kith_pool_create(&options, pool.out()));
  int64_t number = 3;
  std::vector<uint64_t> tickets(3);
  for (uint64_t& each : tickets) {
    const kith_status status = kith_pool_submit(pool, &number, 8, &each, test::generous);
    if (status != KITH_OK) CHECK_STATUS(status, KITH_E_WORKER_DIED);
  }
  const auto got = test::take_result<int64_t>(pool, tickets[0]);
  CHECK_STATUS(got.status, KITH_E_WORKER_DIED);
  CHECK(test::shown_exit{got.answer.end.kind, got.answer.end.code} == test::shown_exit{KITH_EXIT_CODE, 17});
  CHECK(test::becomes_true(
      [&] { return kith_pool_submit(pool, &number, 8, nullptr, 0) == KITH_E_WORKER_DIED; }));
  while (test::take_next<int64_t>(pool).status == KITH_E_WORKER_DIED) {
  }
  CHECK_STATUS(test::take_next<int64_t>(pool).status, KITH_E_CLOSED);
  CHECK_STATUS(kith_pool_map(pool, &number, 8, 1, nullptr, 0, nullptr, test::generous), KITH_E_WORKER_DIED);
  const kith_pool_progress progress = test::progress_of(pool);
  CHECK((progress.workers == 0 && progress.died == 10 && progress.waiting == 0 && progress.running == 0));
  test::finish(pool);
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "an immediate end: what runs and what waits is given up, what is done can be taken") {
  const test::pool pool = test::make_pool({wait_for_ever, 2});
  std::vector<uint64_t> tickets;
  for (int64_t i = 0; i < 20; ++i) tickets.push_back(test::submit(pool, i));
  CHECK(test::becomes_true([&] { return test::progress_of(pool).running == 2; }));
  std::vector<int64_t> tasks(5, 1);
  kith_answer answers[5] = {};
  std::atomic<kith_status> of_map = KITH_OK, of_result = KITH_OK;
  std::thread mapping(
      [&] { of_map = kith_pool_map(pool, tasks.data(), 8, 5, nullptr, 0, answers, test::generous); });
  std::thread waiting([&] { of_result = test::take_result<int64_t>(pool, tickets[3]).status; });
  CHECK(test::becomes_true([&] { return test::progress_of(pool).waiting == 23; }));
  CHECK_OK(kith_pool_shutdown(pool, KITH_POOL_AT_ONCE, test::generous));
  mapping.join();
  waiting.join();
  CHECK_STATUS(of_map, KITH_E_CLOSED);
  CHECK_STATUS(of_result, KITH_E_CLOSED);
  for (const kith_answer& each : answers) CHECK_STATUS(each.status, KITH_E_CLOSED);
  for (const uint64_t ticket : tickets)
    CHECK_STATUS(test::take_result<int64_t>(pool, ticket).status, KITH_E_CLOSED);
  CHECK_STATUS(test::take_next<int64_t>(pool).status, KITH_E_CLOSED);
  const kith_pool_progress progress = test::progress_of(pool);
  CHECK((progress.workers == 0 && progress.waiting == 0 && progress.running == 0 && progress.died == 0));
  CHECK_OK(kith_pool_shutdown(pool, KITH_POOL_FINISH, 0));
  CHECK(!test::has_children());
}

// ---- workers that write rubbish ------------------------------------------------------------------------------------------------------

namespace {

// The first worker writes into its lane what kith never writes, and stays; later ones do their tasks.
enum : int64_t { wild_head, wrong_ticket, wrong_size, empty_parts, unasked_answer, count_of_mischiefs };

int32_t serve_some(kith_worker* worker) {
  const void* data = nullptr;
  size_t size = 0;
  kith_status status = KITH_OK;
  while ((status = kith_worker_next(worker, &data, &size, test::generous)) == KITH_OK) {
    CHILD_NEEDS(kith_worker_reply(worker, data, size) == KITH_OK);
    CHILD_NEEDS(kith_worker_done(worker, 5) == KITH_OK);
  }
  return status == KITH_E_CLOSED ? 0 : 1;
}

int32_t is_mad(const void* argument, size_t) {
  const int64_t what = *static_cast<const int64_t*>(argument);
  test::value turn;
  int64_t before = 0;
  CHILD_NEEDS(test::take(turn, "turn") && kith_value_add(turn, 1, &before) == KITH_OK);
  if (before != 0) {
    test::worker worker;
    CHILD_NEEDS(kith_worker_open(worker.out()) == KITH_OK);
    return serve_some(worker);
  }
  void* handle = nullptr;
  CHILD_NEEDS(kith::segment_object_inherit(kith::pool_lane_class, "kith.pool.lane", &handle) == KITH_OK);
  const kith::shm::segment& segment =
      kith::segment_object_find(handle, kith::object_kind::pool_lane)->segment();
  auto& lane = *reinterpret_cast<kith::shm::pool_lane_state*>(segment.state);
  const kith::shm::byte_ring tasks{segment.data, segment.element_size};
  const kith::shm::byte_ring results{segment.data + segment.element_size, segment.element_size};
  lane.ready.store(1);
  while (lane.tasks_head.load() == 0) std::this_thread::yield();
  kith::shm::pool_frame frame{};
  std::memcpy(&frame, tasks.bytes, sizeof frame);
  uint64_t head = 32;
  if (what == wild_head) head = uint64_t{1} << 60;
  if (what == wrong_ticket) ++frame.ticket;
  if (what == wrong_size) frame.size = 1'000'000;
  if (what == empty_parts) frame.size = kith::shm::lane_more;
  if (what == unasked_answer) {
    frame.size = 0;
    head = 64;  // four answers to one task
    for (uint64_t i = 0; i < 4; ++i) std::memcpy(results.bytes + i * 16, &frame, sizeof frame);
  } else {
    std::memcpy(results.bytes, &frame, sizeof frame);
  }
  lane.results_head.store(head);
  for (;;) std::this_thread::sleep_for(std::chrono::seconds(1));
}

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks,
                  "a worker that writes rubbish is replaced, and its tasks are done by the next") {
  for (int64_t what = 0; what < count_of_mischiefs; ++what) {
    CAPTURE(what);
    const test::value turn = test::make_value(KITH_I64);
    const kith_share given = {"turn", turn};
    auto options = test::options_of({nullptr, 1});
    options.entry = is_mad;
    options.argument = &what;
    options.argument_size = sizeof what;
    options.shares = &given;
    options.share_count = 1;
    test::pool pool;
    REQUIRE_OK(kith_pool_create(&options, pool.out()));
    const uint64_t first = test::submit<int64_t>(pool, 8);
    const uint64_t second = test::submit<int64_t>(pool, 9);
    const auto got = test::take_result<int64_t>(pool, first);
    CHECK_OK(got.status);  // it had begun none; but one answer looked well
    CHECK(got.answer.size == (what == unasked_answer ? 0 : 8));
    const auto other = test::take_result<int64_t>(pool, second);
    CHECK_OK(other.status);
    CHECK((other.result == 9 && other.answer.code == 5));
    CHECK(test::progress_of(pool).died == 1);
    test::finish(pool);
  }
}
