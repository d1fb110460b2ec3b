// SPDX-License-Identifier: MIT
// kith.hpp: that the types fit, that owners own, and that failures are what they should be. What the calls do is tested elsewhere.
#include <array>
#include <mutex>
#include <numeric>

#include "strangers.h"
#include "thrown.h"

using namespace std::chrono_literals;
using test::nothing_leaks;
using test::thrown_by;

namespace {

struct point {
  double x, y;
  bool operator==(const point&) const = default;
};

// ---- functions that children run --------------------------------------------------------------------------------------------------

int returns_its_arguments(int a, unsigned char b, point c) { return a + b + static_cast<int>(c.x * c.y); }

// Text with a NUL in it.
std::string odd_text() { return std::string("a\0b", 3); }

int checks_what_it_got(std::span<const point> points, std::string text, std::string_view view,
                       kith::array<point> out) {
  CHILD_NEEDS(points.size() == 3 && text == odd_text() && view.size() == 100'000);
  CHILD_NEEDS(reinterpret_cast<uintptr_t>(points.data()) % alignof(point) == 0);
  for (std::size_t i = 0; i < points.size(); ++i) out[i] = points[i];
  return 0;
}

void adds_its_number(int64_t number, kith::value<int64_t> sum) { sum += number; }

void hears_and_answers(kith::channel parent) { parent.send("heard " + parent.recv()); }

void sends_objects(kith::channel parent) {
  const kith::event bell;
  parent.send_object(bell, "a bell");
  parent.send("no object");
  bell.wait();
}

void dies_with_the_lock(kith::mutex lock, kith::event held) {
  lock.lock();
  held.set();
  kith::event().wait();
}

uint64_t takes_items(kith::queue items) {
  uint64_t sum = 0;
  for (const uint64_t each : items.items<uint64_t>()) sum += each;
  return sum;
}

}  // namespace

static_assert(!std::is_copy_constructible_v<kith::event> &&
              std::is_nothrow_move_constructible_v<kith::event>);
static_assert(kith::shareable<kith::array<point>> && !kith::shareable<kith::process> &&
              !kith::shareable<int>);
static_assert(kith::detail::parameter<int> && kith::detail::parameter<std::span<const int>>);
static_assert(!kith::detail::parameter<int*> && !kith::detail::parameter<std::span<int>> &&
              !kith::detail::parameter<const int&>);
static_assert(kith::timeout(1500us).ms() == 2 && kith::timeout(-1s).ms() == 0 &&
              kith::forever.ms() == KITH_FOREVER);
static_assert(kith::timeout(std::chrono::hours::max()).ms() == KITH_FOREVER);

TEST_CASE_FIXTURE(nothing_leaks, "C++: a function runs in a child with typed arguments") {
  kith::process child(returns_its_arguments, 3, 'a', point{2, 0.5});
  const kith::exit_status how = child.join();
  CHECK(how.kind == KITH_EXIT_CODE);
  CHECK(how.code == 3 + 'a' + 1);
  CHECK(child.id() > 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "C++: spans and texts arrive whole, and objects are shared") {
  const std::vector<point> points{{1, 2}, {3, 4}, {5, 6}};
  const kith::array<point> out(3);
  kith::process child(checks_what_it_got, points, odd_text(), std::string(100'000, 'x'), out);
  CHECK(child.join().ok());
  CHECK(std::vector<point>(out.begin(), out.end()) == points);
}

TEST_CASE_FIXTURE(nothing_leaks, "C++: a forked child runs its function, too") {
  if (kith_has(KITH_HAS_FORK) == 0) return;
  kith::spawn_options options;
  options.start = KITH_START_FORK;
  const kith::value<int64_t> sum;
  kith::process child(options, adds_its_number, 42, sum);
  CHECK(child.join().ok());
  CHECK(sum.load() == 42);
}

TEST_CASE_FIXTURE(nothing_leaks, "C++: values and arrays are what their type says") {
  kith::value<int64_t> sum(40);
  CHECK(kith_value_type(sum.get()) == KITH_I64);
  CHECK(sum.add(2) == 40);
  int64_t expected = 41;
  CHECK(!sum.compare_exchange(expected, 7));
  CHECK(expected == 42);
  CHECK(sum.compare_exchange(expected, 7));
  CHECK(sum == 7);
  sum = 8;
  CHECK(sum.load() == 8);

  const kith::value<point> place({1, 2});
  CHECK(kith_value_type(place.get()) == KITH_STRUCT);
  place.store({3, 4});
  CHECK(place.load() == point{3, 4});
  CHECK(kith_array_type(kith::array<uint16_t>(1).get()) == KITH_U16);
  CHECK(kith_array_type(kith::array<float>(1).get()) == KITH_F32);

  const kith::array<int32_t> numbers(100);
  std::iota(numbers.begin(), numbers.end(), 0);
  CHECK(numbers.add(99, 1) == 99);
  CHECK(numbers[99] == 100);
  CHECK(thrown_by([&] { numbers.add(100, 1); }) == KITH_E_INVALID);
  CHECK(kith::memory(1000).bytes().size() == 1000);
}

TEST_CASE_FIXTURE(nothing_leaks, "C++: an array is not taken for one of another type") {
  const kith::array<double> doubles(2);
  const auto takes = [](const void*, size_t) -> int32_t {
    return thrown_by([] { (void)kith::array<float>::inherit("0"); }) == KITH_E_MISMATCH ? 0 : 1;
  };
  test::process child = test::start(+takes, {{"0", doubles.get()}});
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "C++: a channel end moves to the child, and messages are of any type") {
  auto [ours, theirs] = kith::make_channel();
  kith::process child(hears_and_answers, std::move(theirs));
  CHECK(thrown_by([&end = theirs] { end.send("moved"); }) == KITH_E_MOVED);
  ours.send("hello");
  CHECK(ours.recv() == "heard hello");
  CHECK(thrown_by([&end = ours] { (void)end.recv(); }) == KITH_E_CLOSED);
  CHECK(child.join().ok());

  auto [a, b] = kith::make_channel({.ring_size = 4096});
  a.send(std::vector{1, 2, 3});
  CHECK(b.recv<std::vector<int>>() == std::vector{1, 2, 3});
  a.send_value(point{1, 2});
  CHECK(b.recv_value<point>() == point{1, 2});
  a.send("odd");
  CHECK(thrown_by([&end = b] { (void)end.recv<std::vector<int>>(); }) == KITH_E_MISMATCH);
  a.send(std::string(1'000, 'l'));
  CHECK(b.recv().size() == 1'000);
  CHECK(thrown_by([&end = b] { (void)end.recv(10ms); }) == KITH_E_TIMEOUT);
  std::string text;
  CHECK(b.try_recv(text, kith::at_once).timed_out());
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "C++: room that is not committed is given back, and a message that is not consumed stays") {
  auto [a, b] = kith::make_channel();
  { const auto dropped = a.reserve(100); }
  auto room = a.reserve(100);
  std::memcpy(room.room().data(), "in place", 8);
  CHECK(thrown_by([&] { room.commit(101); }) == KITH_E_TOO_LARGE);
  room.commit(8);
  { CHECK(b.peek().bytes().size() == 8); }
  auto shown = b.peek();
  CHECK(std::memcmp(shown.bytes().data(), "in place", 8) == 0);
  shown.consume();
  std::string text;
  CHECK(b.try_recv(text, kith::at_once).timed_out());
}

TEST_CASE_FIXTURE(nothing_leaks, "C++: an object that comes is taken as what it is, or closed") {
  auto [ours, theirs] = kith::make_channel();
  kith::process child(sends_objects, std::move(theirs));
  kith::received first = ours.recv_object();
  CHECK(first.message == "a bell");
  REQUIRE(first.object.kind() == KITH_OBJECT_EVENT);
  CHECK(first.object.try_take<kith::mutex>().why() == KITH_E_MISMATCH);
  const kith::event bell = first.object.take<kith::event>();
  CHECK(!first.object);
  CHECK(ours.recv_object().message == "no object");
  bell.set();
  CHECK(child.join().ok());

  auto [a, b] = kith::make_channel();
  a.send_object(kith::array<int>(3));
  a.send_object(kith::array<int>(3));
  (void)b.recv_object();  // closes it
  kith::received second = b.recv_object();
  CHECK(second.object.try_take<kith::array<float>>().why() == KITH_E_MISMATCH);
  CHECK(second.object.take<kith::array<int>>().size() == 3);
}

TEST_CASE_FIXTURE(nothing_leaks, "C++: a lock fits the standard's guards, and tells of a dead owner") {
  const kith::mutex lock;
  {
    const std::scoped_lock hold(lock);
    CHECK(lock.holder().pid != 0);
    CHECK(thrown_by([&] { lock.lock(); }) == KITH_E_DEADLOCK);
  }
  std::unique_lock maybe(lock, std::defer_lock);
  CHECK(maybe.try_lock_for(10ms));
  maybe.unlock();
  CHECK(maybe.try_lock_until(std::chrono::steady_clock::now() + 10ms));
  maybe.unlock();

  const kith::event held;
  kith::process child(dies_with_the_lock, lock, held);
  held.wait();
  CHECK(lock.try_acquire(kith::at_once).timed_out());
  child.kill();
  CHECK(child.join().kind == KITH_EXIT_KILLED);
  CHECK_THROWS_AS(lock.lock(), kith::owner_died);
  CHECK(!lock.try_lock());
  CHECK(lock.acquire().owner_died());
  lock.mark_consistent();
  lock.release();
  const std::scoped_lock hold(lock);
  CHECK(thrown_by([] { kith::mutex().release(); }) == KITH_E_NOT_OWNER);
}

TEST_CASE_FIXTURE(nothing_leaks, "C++: an array is locked, and a condition waits for what changes") {
  const kith::array<int> numbers(1);
  const kith::condition changed;
  std::thread writer([&] {
    const auto lock = numbers.mutex();
    const std::scoped_lock hold(lock);
    numbers[0] = 7;
    changed.notify_all();
  });
  const auto lock = numbers.mutex();
  {
    const std::scoped_lock hold(lock);
    CHECK(changed.wait_until(lock, [&] { return numbers[0] == 7; }) == KITH_OK);
    CHECK(changed.try_wait(lock, 1ms).timed_out());
  }
  writer.join();
}

TEST_CASE_FIXTURE(nothing_leaks, "C++: events, semaphores and barriers") {
  const kith::event bell(KITH_EVENT_AUTO_RESET);
  bell.set();
  CHECK(bell.wait(1s));
  CHECK(!bell.wait(1ms));
  const kith::semaphore permits(1);
  CHECK(permits.acquire() == KITH_OK);
  CHECK(permits.try_acquire(kith::at_once).timed_out());
  permits.release();
  CHECK(permits.available() == 1);
  const kith::barrier alone(1);
  CHECK(alone.wait() == KITH_LAST);
  CHECK(!alone.is_broken());
  CHECK(thrown_by([] { (void)kith::barrier(0); }) == KITH_E_INVALID);
}

TEST_CASE_FIXTURE(nothing_leaks, "C++: a queue is a range until it is shut down") {
  const kith::queue items;
  kith::process child(takes_items, items);
  for (uint64_t i = 1; i <= 10; ++i) items.put_value(i);
  items.shutdown();
  CHECK(child.join().code == 55);
  CHECK(!items.get_item());
  CHECK(thrown_by([&] { items.put("late"); }) == KITH_E_CLOSED);
  const kith::queue tasks({.flags = KITH_QUEUE_TASKS});
  tasks.put("one");
  CHECK(tasks.get_item() == "one");
  tasks.task_done();
  CHECK(tasks.join(1s) == KITH_OK);
}

TEST_CASE_FIXTURE(nothing_leaks, "C++: waiting for many things tells which is ready") {
  const kith::event first, second;
  auto [a, b] = kith::make_channel();
  CHECK(kith::wait_any(kith::at_once, first, second, b) == std::nullopt);
  a.send("x");
  CHECK(kith::wait_any(1s, first, second, b) == 2);
  second.set();
  CHECK(kith::wait_any(1s, first, second, b) == 1);
}

TEST_CASE_FIXTURE(nothing_leaks, "C++: a wait ends when it is cancelled, and a program is run") {
  const kith::cancel stop;
  const kith::event never;
  {
    const kith::cancel::use mine(stop);
    stop.fire();
    CHECK(thrown_by([&] { never.wait(); }) == KITH_E_CANCELLED);
  }
  CHECK(!never.wait(1ms));
  kith::process child = kith::process::run({test::role({"exit"}).argv()[0], "--child=exit", "9"});
  CHECK(child.join(60s)->code == 9);
  CHECK(thrown_by([] { (void)kith::process::run({"no such program"}); }) == KITH_E_NOT_FOUND);
}

TEST_CASE_FIXTURE(nothing_leaks, "C++: objects are opened by their names") {
  const std::string name = test::unique_name("cpp");
  const kith::naming either(name.c_str()), look(name.c_str(), KITH_NAME_OPEN);
  CHECK(kith::memory::try_open(look, 64).why() == KITH_E_NOT_FOUND);
  auto memory = kith::memory::open(either, 64);
  CHECK(kith::memory::open(look, 0).bytes().size() == 64);
  auto array = kith::array<int>::open(either, 3);
  array[1] = 5;
  CHECK(kith::array<int>::open(look, 3)[1] == 5);
  CHECK(kith::array<float>::try_open(look, 3).why() == KITH_E_MISMATCH);
  auto value = kith::value<int>::open(either, 7);
  CHECK(kith::value<int>::open(either, 8).load() == 7);
  auto mutex = kith::mutex::open(either);
  const std::scoped_lock hold(mutex);
  CHECK_FALSE(kith::mutex::open(look).try_lock());
  auto semaphore = kith::semaphore::open(either, 2);
  CHECK(kith::semaphore::open(look, 2).available() == 2);
  auto condition = kith::condition::open(either);
  CHECK(kith::condition::try_open(look).ok());
  auto event = kith::event::open(either, KITH_EVENT_INITIALLY_SET);
  CHECK(kith::event::open(look).is_set());
  auto barrier = kith::barrier::open(either, 2);
  CHECK(kith::barrier::try_open(look, 3).why() == KITH_E_MISMATCH);
  auto queue = kith::queue::open(either);
  queue.put("item");
  CHECK(kith::queue::open(look).count() == 1);
}

TEST_CASE_FIXTURE(nothing_leaks, "C++: owners move, and are closed once") {
  kith::event first;
  kith_event* const handle = first.get();
  kith::event second(std::move(first));
  CHECK(!first);
  CHECK(second.get() == handle);
  kith::event third;
  third = std::move(second);
  CHECK(third.get() == handle);
  CHECK(thrown_by([&] { second.wait(); }) == KITH_E_INVALID);
  third.reset();
  CHECK_STATUS(kith_event_set(handle), KITH_E_INVALID);
}
