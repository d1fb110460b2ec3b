// SPDX-License-Identifier: MIT
// What workers are: functions with a start and an end, functions that serve by themselves, programs; and how they come and go.
#include <map>

#include "pools.h"

using test::nothing_leaks;

namespace {

// Adds to the array "seen": 0: starts, 1: ends, 2: what their argument was worth.
test::array seen_in_worker;

int32_t note(size_t index, int64_t more) {
  return kith_array_add(seen_in_worker, index, more, nullptr) == KITH_OK ? 0 : 1;
}

int32_t note_start(const void* argument, size_t size) {
  CHILD_NEEDS(test::take(seen_in_worker, "seen"));
  CHILD_NEEDS(size == 8 && reinterpret_cast<uintptr_t>(argument) % 16 == 0);
  CHILD_NEEDS(note(2, *static_cast<const int64_t*>(argument)) == 0);
  return note(0, 1);
}

int32_t note_end(const void*, size_t) { return note(1, 1); }

int32_t serve(const void* argument, size_t size) {
  test::worker worker;
  CHILD_NEEDS(size == 3 && std::memcmp(argument, "xyz", 3) == 0);
  CHILD_NEEDS(kith_worker_open(worker.out()) == KITH_OK);
  kith_worker* again = test::untouched<kith_worker>();
  CHILD_NEEDS(kith_worker_open(&again) == KITH_E_MOVED);
  const void* data = nullptr;
  size_t got = 0;
  CHILD_NEEDS(kith_worker_done(worker, 0) == KITH_E_NOT_OWNER);
  CHILD_NEEDS(kith_worker_reply(worker, "a", 1) == KITH_E_NOT_OWNER);
  CHILD_NEEDS(kith_worker_next(worker, nullptr, &got, 0) == KITH_E_INVALID);
  CHILD_NEEDS(kith_worker_next(worker, &data, &got, -2) == KITH_E_INVALID);
  kith_status status = KITH_OK;
  while ((status = kith_worker_next(worker, &data, &got, 5)) == KITH_OK || status == KITH_E_TIMEOUT) {
    if (status == KITH_E_TIMEOUT) continue;
    CHILD_NEEDS(reinterpret_cast<uintptr_t>(data) % 16 == 0 && (data == nullptr) == (got == 0));
    CHILD_NEEDS(kith_worker_next(worker, &data, &got, 0) == KITH_E_BUSY);
    CHILD_NEEDS(kith_worker_reply(worker, nullptr, 1) == KITH_E_INVALID);
    CHILD_NEEDS(kith_worker_reply(worker, nullptr, 0) == KITH_OK);
    for (size_t i = 0; i < got; ++i)
      CHILD_NEEDS(kith_worker_reply(worker, static_cast<const char*>(data) + i, 1) == KITH_OK);
    CHILD_NEEDS(kith_worker_done(worker, 9) == KITH_OK);
  }
  CHILD_NEEDS(status == KITH_E_CLOSED);
  return 0;
}

std::string answer_to(kith_pool* pool, std::string_view text, int32_t* code = nullptr) {
  uint64_t ticket = 0;
  REQUIRE_OK(kith_pool_submit(pool, text.data(), text.size(), &ticket, test::generous));
  std::string got(text.size() + 10, ' ');
  kith_answer answer{};
  const kith_status status = kith_pool_result(pool, ticket, got.data(), got.size(), &answer, test::generous);
  if (status != KITH_OK) return kith_status_name(status);
  if (code != nullptr) *code = answer.code;
  got.resize(static_cast<size_t>(answer.size));
  return got;
}

int64_t seen(kith_array* array, size_t index) {
  return static_cast<const int64_t*>(kith_array_data(array))[index];
}

// The pool's own process, as a child of the test.
int32_t has_a_pool(const void*, size_t) {
  test::channel line;
  CHILD_NEEDS(kith_channel_inherit("line", line.out()) == KITH_OK);
  const auto options = test::options_of({test::process_id, 2});
  test::pool pool;
  CHILD_NEEDS(kith_pool_create(&options, pool.out()) == KITH_OK);
  for (int i = 0; i < 2; ++i) {
    kith_answer answer{};
    int64_t id = 0;
    CHILD_NEEDS(kith_pool_submit(pool, &id, 8, nullptr, test::generous) == KITH_OK);
    CHILD_NEEDS(kith_pool_next(pool, &id, 8, &answer, test::generous) == KITH_OK);
    CHILD_NEEDS(test::tell(line, std::to_string(id)));
  }
  CHILD_NEEDS(test::hear(line, "this is never said"));
  return 0;
}

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks,
                  "each worker starts once and ends once, with the argument; the shares are the pool's own") {
  const test::array notes = test::make_array(KITH_I64, 3);
  auto options = test::options_of({test::process_id, 2});
  int64_t argument = 5;
  std::string name = "seen";
  kith_share given = {name.c_str(), notes};
  options.start = note_start;
  options.end = note_end;
  options.argument = &argument;
  options.argument_size = sizeof argument;
  options.shares = &given;
  options.share_count = 1;
  options.most_tasks = 10;
  test::pool pool;
  REQUIRE_OK(kith_pool_create(&options, pool.out()));
  argument = 100;  // what the pool was told is its own
  name = "gone";
  given = {};
  std::map<int64_t, int> tasks_of;
  for (int64_t i = 0; i < 50; ++i) {
    const auto got = test::take_result<int64_t>(pool, test::submit(pool, i));
    CHECK_OK(got.status);
    ++tasks_of[got.result];
  }
  for (const auto& [process, count] : tasks_of) CHECK(count <= 10);
  CHECK(tasks_of.size() >= 5);
  CHECK(test::progress_of(pool).died == 0);
  test::finish(pool);
  CHECK(!test::has_children());
  CHECK(seen(notes, 0) >= 5);
  CHECK(seen(notes, 1) == seen(notes, 0));
  CHECK(seen(notes, 2) == 5 * seen(notes, 0));
}

TEST_CASE_FIXTURE(nothing_leaks, "fresh workers get the shares also when the user has closed them") {
  test::event go = test::make_event();
  auto options = test::options_of({test::process_id, 1});
  test::array notes = test::make_array(KITH_I64, 3);
  const kith_share given[] = {{"go", go}, {"seen", notes}};
  const int64_t argument = 1;
  options.start = note_start;
  options.argument = &argument;
  options.argument_size = sizeof argument;
  options.shares = given;
  options.share_count = 2;
  options.most_tasks = 1;
  test::pool pool;
  REQUIRE_OK(kith_pool_create(&options, pool.out()));
  go.close();
  notes.close();
  for (int i = 0; i < 3; ++i) CHECK_OK(test::take_result<int64_t>(pool, test::submit(pool, 1)).status);
  test::finish(pool);
}

TEST_CASE_FIXTURE(nothing_leaks, "with a limit of tasks for a worker, many tasks at once") {
  test::pool_plan plan{test::process_id, 2};
  plan.most_tasks = 25;
  const test::pool pool = test::make_pool(plan);
  std::map<int64_t, int> tasks_of;
  for (int64_t i = 0; i < 200; ++i) (void)test::submit(pool, i);
  for (int i = 0; i < 200; ++i) ++tasks_of[test::take_next<int64_t>(pool).result];
  for (const auto& [process, count] : tasks_of) CHECK(count <= 25);
  CHECK(tasks_of.size() >= 8);
  test::finish(pool);
}

TEST_CASE_FIXTURE(nothing_leaks, "a function can serve a pool by itself") {
  auto options = test::options_of({nullptr, 1});
  options.entry = serve;
  options.argument = "xyz";
  options.argument_size = 3;
  test::pool pool;
  REQUIRE_OK(kith_pool_create(&options, pool.out()));
  int32_t code = 0;
  CHECK(answer_to(pool, "hello", &code) == "hello");
  CHECK(code == 9);
  CHECK(answer_to(pool, "") == "");
  CHECK_STATUS(test::take_next<int64_t>(pool, 20).status, KITH_E_TIMEOUT);
  CHECK(answer_to(pool, "again") == "again");
  test::finish(pool);
}

TEST_CASE_FIXTURE(nothing_leaks, "a program can serve a pool") {
  const test::argument_list program = test::role({"serve_pool"});
  auto options = test::options_of({nullptr, 2});
  options.argv = program.argv();
  test::pool pool;
  REQUIRE_OK(kith_pool_create(&options, pool.out()));
  CHECK(answer_to(pool, "stressed") == "desserts");
  CHECK(answer_to(pool, "pool") == "loop");
  test::finish(pool);
}

TEST_CASE_FIXTURE(nothing_leaks, "a program that is no worker is given up") {
  const test::argument_list program = test::role({"exit", "3"});
  auto options = test::options_of({nullptr, 1});
  options.argv = program.argv();
  test::pool pool;
  REQUIRE_OK(kith_pool_create(&options, pool.out()));
  CHECK(answer_to(pool, "hello") == "KITH_E_WORKER_DIED");
  test::finish(pool);
}

TEST_CASE_FIXTURE(nothing_leaks, "a worker that cannot be started is an error of the creation") {
  const test::argument_list program({"./there is no such program"});
  auto options = test::options_of({nullptr, 2});
  options.argv = program.argv();
  kith_pool* out = test::untouched<kith_pool>();
  CHECK_STATUS(kith_pool_create(&options, &out), KITH_E_NOT_FOUND);
  CHECK(out == test::untouched<kith_pool>());
}

TEST_CASE("when the pool's process is killed, no worker is left") {
  const test::heir_of_grandchildren heir;
  const test::channel_pair line = test::make_channel();
  const test::process parent = test::start(has_a_pool, {{"line", line.b}});
  const int64_t workers[] = {std::atoll(test::heard(line.a).c_str()),
                             std::atoll(test::heard(line.a).c_str())};
  CHECK(workers[0] > 0);
  CHECK_OK(kith_process_kill(parent));
  CHECK_EXIT(parent, KITH_EXIT_KILLED, 9);
  for (const int64_t each : workers) CHECK(test::becomes_true([&] { return test::has_ended(each); }));
  heir.await_all();
}

TEST_CASE_FIXTURE(nothing_leaks, "a forked child has no pool") {
  if (kith_has(KITH_HAS_FORK) == 0) SKIP_CASE("this OS does not fork");
  static kith_pool* of_parent = nullptr;
  const test::pool pool = test::make_pool({test::square, 1});
  of_parent = pool;
  auto options = test::run_entry(
      [](const void*, size_t) -> int32_t {
        CHILD_NEEDS(kith_pool_submit(of_parent, nullptr, 0, nullptr, 0) == KITH_E_INVALID);
        kith_pool_close(of_parent);
        return 0;
      },
      {});
  options.start = KITH_START_FORK;
  test::process child;
  REQUIRE_OK(test::spawn(options, child));
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
  const auto got = test::take_result<int64_t>(pool, test::submit<int64_t>(pool, 4));
  CHECK((got.status == KITH_OK && got.result == 16));
  test::finish(pool);
}
