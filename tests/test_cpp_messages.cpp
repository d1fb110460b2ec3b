// SPDX-License-Identifier: MIT
// kith.hpp: broadcasts, endpoints, and handles of the OS.
#include "foreign.h"
#include "strangers.h"
#include "thrown.h"

using namespace std::chrono_literals;
using test::nothing_leaks;
using test::thrown_by;

namespace {

struct price {
  int32_t number, cents;
  bool operator==(const price&) const = default;
};

int64_t sums_what_it_hears(kith::broadcast<price> prices, kith::event ready) {
  kith::reader<price> reader = prices.subscribe();
  ready.set();
  int64_t sum = 0;
  for (auto& each : reader) sum += each.cents;
  return sum;
}

int connects(std::string name) {
  const kith::channel line = kith::connect(name, {.wait = true, .key = "open sesame"}, 60s);
  line.send("hello");
  return line.recv() == "welcome" ? 0 : 1;
}

int waits_for_handle(kith::os_handle given, kith::event looked) {
  const int64_t mine = given.copy();
  if (test::os_says_ready(mine, 0)) return 1;
  looked.set();
  const bool ready = test::os_says_ready(mine, test::generous);
  test::close_os_handle(mine);
  return ready ? 0 : 2;
}

}  // namespace

static_assert(kith::shareable<kith::broadcast<>> && kith::shareable<kith::os_handle> &&
              !kith::shareable<kith::reader<>> && !kith::shareable<kith::endpoint>);

TEST_CASE_FIXTURE(nothing_leaks,
                  "C++: a broadcast reaches each reader, which is a range until it is shut down") {
  const kith::broadcast<price> prices({.flags = KITH_BROADCAST_HOLD});
  const kith::event ready;
  kith::process child(sums_what_it_hears, prices, ready);
  ready.wait();
  kith::reader<price> mine = prices.subscribe();
  for (int32_t i = 1; i <= 10; ++i) prices.publish({i, i});
  prices.shutdown();
  CHECK(mine.pending() == 10);
  int32_t number = 0;
  for (auto& each : mine) CHECK(each == price{++number, number});
  CHECK(number == 10);
  CHECK(!mine.next());
  CHECK(mine.missed() == 0);
  CHECK(child.join().code == 55);
  CHECK(prices.count() == 10);
  CHECK(thrown_by([&] { prices.publish({}); }) == KITH_E_CLOSED);
}

TEST_CASE_FIXTURE(nothing_leaks, "C++: a hasty broadcast tells its readers what they missed") {
  const kith::broadcast<> news({.ring_size = 4096});
  kith::reader<> reader = news.subscribe();
  for (int i = 0; i < 1000; ++i) news.publish("number " + std::to_string(i));
  std::string text;
  CHECK(reader.try_next(text) == KITH_MISSED);
  CHECK(reader.missed() > 0);
  CHECK(text == "number " + std::to_string(reader.missed()));
  uint64_t got = 1;
  while (reader.try_next(text, kith::at_once).ok()) ++got;
  CHECK(got + reader.missed() == 1000);
  CHECK(thrown_by([&] { (void)reader.next(1ms); }) == KITH_E_TIMEOUT);
  kith::reader<> late = news.subscribe(1);
  CHECK(late.next() == "number 999");
  CHECK(thrown_by([&] { news.publish(std::string(5000, 'x')); }) == KITH_E_TOO_LARGE);
}

TEST_CASE_FIXTURE(nothing_leaks, "C++: messages of a broadcast are written and seen in place") {
  const kith::broadcast<> news;
  kith::reader<> reader = news.subscribe();
  { const auto dropped = news.reserve(100); }
  auto room = news.reserve(8);
  CHECK(thrown_by([&] { room.commit(9); }) == KITH_E_TOO_LARGE);
  std::memcpy(room.room().data(), "in place", 8);
  room.commit(8);
  { CHECK(reader.peek().bytes().size() == 8); }
  auto shown = reader.peek();
  CHECK(std::memcmp(shown.bytes().data(), "in place", 8) == 0);
  CHECK(shown.news() == KITH_OK);
  CHECK(shown.consume());
  CHECK(reader.try_peek(kith::at_once).why().timed_out());
  news.publish("odd");
  const kith::broadcast<int> other;
  auto numbers = other.subscribe();
  other.publish(7);
  CHECK(numbers.next() == 7);
}

TEST_CASE_FIXTURE(nothing_leaks, "C++: broadcasts and handles are sent, and taken as what they are") {
  auto [a, b] = kith::make_channel();
  const kith::broadcast<int> numbers;
  a.send_object(numbers);
  kith::received came = b.recv_object();
  CHECK(came.object.kind() == KITH_OBJECT_BROADCAST);
  CHECK(came.object.try_take<kith::queue>().why() == KITH_E_MISMATCH);
  const auto same = came.object.take<kith::broadcast<int>>();
  auto reader = numbers.subscribe();
  same.publish(5);
  CHECK(reader.next() == 5);

  test::foreign_handle theirs;
  a.send_object(kith::os_handle(theirs.handle()));
  const auto copy = b.recv_object().object.take<kith::os_handle>();
  const int64_t mine = copy.copy();
  theirs.make_ready();
  CHECK(test::os_says_ready(mine, test::generous));
  test::close_os_handle(mine);
  a.send_object(copy);
  (void)b.recv_object();  // closes it
}

TEST_CASE_FIXTURE(nothing_leaks, "C++: a handle of the OS is given to a child") {
  test::foreign_handle theirs;
  const kith::event looked;
  kith::process child(waits_for_handle, kith::os_handle(theirs.handle()), looked);
  looked.wait();
  theirs.make_ready();
  CHECK(child.join().ok());
  CHECK(thrown_by([] { (void)kith::os_handle(-1); }) == KITH_E_OS);
}

TEST_CASE_FIXTURE(nothing_leaks, "C++: strangers connect to an endpoint by its name") {
  const std::string name = test::unique_name("cpp");
  {
    const kith::endpoint place(name, {.key = "open sesame"});
    CHECK(thrown_by([&] { (void)kith::endpoint(name); }) == KITH_E_EXISTS);
    CHECK(place.try_accept(kith::at_once).why().timed_out());
    kith::process child(connects, name);
    const kith::channel line = place.accept(60s);
    CHECK(line.recv() == "hello");
    CHECK(line.peer().pid == child.id());
    CHECK(line.peer().told_by_os == 1);
    line.send("welcome");
    CHECK(child.join().ok());
  }
  CHECK(thrown_by([&] { (void)kith::connect(name); }) == KITH_E_NOT_FOUND);
  CHECK(thrown_by([&] { (void)kith::connect(name, {.wait = true}, 1ms); }) == KITH_E_TIMEOUT);
  CHECK(thrown_by([] { (void)kith::endpoint(""); }) == KITH_E_INVALID);
}
