// SPDX-License-Identifier: MIT
// kith::pool and its futures: types, exceptions, workers that die. What pools do beneath is tested elsewhere.
#include <array>
#include <cstdlib>
#include <list>

#include "thrown.h"

using namespace std::chrono_literals;
using test::nothing_leaks;
using test::thrown_by;

namespace {

struct point {
  double x, y;
  bool operator==(const point&) const = default;
};

int add(int a, unsigned char b) { return a + b; }
void does_nothing() {}
point mirrored(point p) { return {p.y, p.x}; }
int64_t square(int32_t x) { return int64_t{x} * x; }
std::vector<int> doubled(std::span<const int> all) {
  std::vector<int> twice(all.begin(), all.end());
  for (int& each : twice) each *= 2;
  return twice;
}
std::string repeated(std::string_view text, std::size_t times) {
  std::string all;
  while (times-- != 0) all += text;
  return all;
}

void counts(const kith::value<int64_t>& sum, int64_t number) { sum += number; }
int sum_of(const kith::array<int>& numbers, const kith::value<int64_t>& sum, std::size_t from,
           std::size_t to) {
  int found = 0;
  for (std::size_t i = from; i < to; ++i) found += numbers[i];
  sum += found;
  return found;
}
void waits(const kith::event& bell) { bell.wait(); }

int exits(int code) { std::_Exit(code); }
int fails(std::string why) { throw std::out_of_range(why); }
int fails_oddly() { throw 7; }

int32_t refuses_to_start(const void*, size_t) { return 1; }

}  // namespace

static_assert(!kith::shareable<kith::pool> && !std::is_copy_constructible_v<kith::future<int>> &&
              std::is_nothrow_move_constructible_v<kith::future<int>>);
static_assert(kith::detail::task_parameter<const kith::array<int>&> &&
              !kith::detail::task_parameter<kith::array<int>> &&
              !kith::detail::task_parameter<const kith::channel&> && !kith::detail::task_parameter<int*>);
static_assert(kith::detail::task_result<void> && kith::detail::task_result<std::string> &&
              !kith::detail::task_result<int*> && !kith::detail::task_result<std::list<int>>);

TEST_CASE_FIXTURE(nothing_leaks,
                  "C++: a pool runs functions of many types, and futures have what they return") {
  const kith::pool pool({.workers = 2});
  auto sum = pool.submit(add, 3, 'a');
  auto nothing = pool.submit(does_nothing);
  auto there = pool.submit(mirrored, point{1, 2});
  auto twice = pool.submit(doubled, std::vector{1, 2, 3});
  auto large = pool.submit(repeated, std::string("abc\0", 4), 100'000);
  auto empty = pool.submit(repeated, "", 3);
  CHECK(sum.get() == 3 + 'a');
  nothing.get();
  CHECK(there.get() == point{2, 1});
  CHECK(twice.get() == std::vector{2, 4, 6});
  const std::string text = large.get();
  CHECK(text.size() == 400'000);
  CHECK(text.substr(399'996) == std::string("abc\0", 4));
  CHECK(empty.get().empty());
  CHECK(!sum.valid());
  CHECK(thrown_by([&] { (void)sum.get(); }) == KITH_E_NOT_FOUND);
  pool.shutdown();
  CHECK(thrown_by([&] { (void)pool.submit(does_nothing); }) == KITH_E_CLOSED);
  CHECK(pool.progress().workers == 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "C++: the workers of a pool share the objects that it was given") {
  const kith::array<int> numbers(1000);
  for (int i = 0; i < 1000; ++i) numbers[static_cast<std::size_t>(i)] = i;
  const kith::value<int64_t> sum;
  {
    const kith::pool pool({.workers = 2}, numbers, sum);
    std::vector<kith::future<int>> parts;
    for (std::size_t i = 0; i < 1000; i += 100)
      parts.push_back(pool.submit(sum_of, numbers, sum, i, i + 100));
    int found = 0;
    for (auto& each : parts) found += each.get();
    CHECK(found == 499'500);
    CHECK(sum.load() == 499'500);
    const kith::value<int64_t> stranger;
    CHECK(thrown_by([&] { (void)pool.submit(counts, stranger, 1); }) == KITH_E_NOT_FOUND);
  }
  CHECK(numbers[999] == 999);
}

TEST_CASE_FIXTURE(nothing_leaks, "C++: a map over a range is in order") {
  const kith::pool pool({.workers = 2});
  const std::vector<int64_t> squares = pool.map(square, std::views::iota(0, 500));
  REQUIRE(squares.size() == 500);
  for (int64_t i = 0; i < 500; ++i) CHECK(squares[static_cast<std::size_t>(i)] == i * i);
  CHECK(pool.map(square, std::list<int>{}).empty());
  const std::vector<std::vector<int>> lists{{1}, {}, {2, 3}};
  CHECK(pool.map(doubled, lists) == std::vector<std::vector<int>>{{2}, {}, {4, 6}});
  CHECK(thrown_by([&] { (void)pool.map(exits, std::array{9, 9}); }) == KITH_E_WORKER_DIED);
  CHECK(pool.map(square, std::array{3}) == std::vector<int64_t>{9});
}

TEST_CASE_FIXTURE(nothing_leaks, "C++: a worker that dies fails its task alone, and says how it ended") {
  const kith::pool pool({.workers = 1});
  auto dies = pool.submit(exits, 7);
  auto lives = pool.submit(add, 1, 2);
  CHECK(thrown_by([&] { (void)dies.get(); }) == KITH_E_WORKER_DIED);
  CHECK(dies.end().kind == KITH_EXIT_CODE);
  CHECK(dies.end().code == 7);
  CHECK(dies.failure().empty());
  CHECK(lives.get() == 3);
  CHECK(pool.submit(exits, 8).try_get().why() == KITH_E_WORKER_DIED);
  CHECK(pool.progress().died == 2);
}

TEST_CASE_FIXTURE(nothing_leaks, "C++: what a task throws comes out of its future, and the worker goes on") {
  const kith::pool pool({.workers = 1});
  auto failed = pool.submit(fails, "no such thing");
  try {
    (void)failed.get();
    FAIL("it did not throw");
  } catch (const kith::task_failed& why) {
    CHECK(std::string(why.what()) == "no such thing");
  }
  auto again = pool.submit(fails, std::string(100'000, 'w'));
  CHECK(again.try_get().why() == KITH_E_MISMATCH);
  CHECK(again.failure() == std::string(100'000, 'w'));
  CHECK_THROWS_AS((void)pool.submit(fails_oddly).get(), kith::task_failed);
  CHECK_THROWS_AS((void)pool.map(fails, std::array{"a", "b"}), kith::task_failed);
  CHECK(pool.progress().died == 0);
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "C++: a future has a deadline, is asked again, and can be waited for with other things") {
  const kith::event bell;
  const kith::pool pool({.workers = 1}, bell);
  auto late = pool.submit(waits, bell);
  CHECK(!late.ready());
  CHECK(thrown_by([&] { late.get(10ms); }) == KITH_E_TIMEOUT);
  CHECK(late.try_get(kith::at_once).timed_out());
  CHECK(!late.wait(1ms));
  CHECK(kith::wait_any(kith::at_once, pool) == std::nullopt);
  auto moved = std::move(late);
  CHECK(!late.valid());
  CHECK(moved.valid());
  bell.set();
  CHECK(kith::wait_any(60s, pool) == 0);
  moved.wait();
  CHECK(moved.ready());
  CHECK(pool.progress().unread == 0);
  moved.get();
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "C++: a future that is destroyed drops its task, and one outlives its pool") {
  const kith::event bell;
  const kith::value<int64_t> sum;
  kith::pool pool({.workers = 1}, bell, sum);
  auto first = pool.submit(waits, bell);
  { auto dropped = pool.submit(counts, sum, 1); }
  auto replaced = pool.submit(counts, sum, 10);
  replaced = pool.submit(counts, sum, 100);
  bell.set();
  replaced.get();
  first.get();
  CHECK(sum.load() == 100);
  auto orphan = pool.submit(add, 1, 2);
  pool.reset();
  CHECK(thrown_by([&] { (void)orphan.get(); }) == KITH_E_INVALID);
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "C++: a pool whose workers cannot start says so, and so does one that is none") {
  const kith::pool pool({.workers = 1, .start = refuses_to_start});
  auto task = pool.try_submit(1min, add, 1, 2);
  if (task) {
    CHECK(task->try_get(1min).why() == KITH_E_WORKER_DIED);
  } else {
    CHECK(task.why() == KITH_E_WORKER_DIED);
  }
  CHECK(kith::pool::try_create({.ring_size = 5}).why() == KITH_E_INVALID);
  const kith::pool none(kith::adopt, nullptr);
  CHECK(thrown_by([&] { (void)none.submit(add, 1, 2); }) == KITH_E_INVALID);
  kith::future<int> empty;
  CHECK(empty.try_get().why() == KITH_E_NOT_FOUND);
}
