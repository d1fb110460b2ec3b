// SPDX-License-Identifier: MIT
// Broadcasts between processes: each reader gets all, or knows how much it missed, whoever is killed.
#include "broadcasts.h"

using test::make_broadcast;
using test::mark;
using test::nothing_leaks;
using test::subscribe;

namespace {

constexpr size_t small = 4096;
constexpr uint64_t makers = 2;

struct order {
  uint64_t who;
  uint64_t count;
};

int32_t publish_many(const void* argument, size_t) {
  const order given = *static_cast<const order*>(argument);
  test::broadcast broadcast;
  CHILD_NEEDS(test::take(broadcast, "broadcast"));
  for (uint64_t i = 0; i < given.count; ++i) CHILD_NEEDS(test::publish(broadcast, {given.who, i}) == KITH_OK);
  return 0;
}

// Counts up "ready", reads to the end, and notes how many it got and missed together. Those of one maker must come in order.
int32_t read_to_the_end(const void* argument, size_t) {
  const size_t who = *static_cast<const size_t*>(argument);
  test::broadcast broadcast;
  test::value ready;
  test::array sums;
  test::reader reader;
  CHILD_NEEDS(test::take(broadcast, "broadcast") && test::take(ready, "ready") && test::take(sums, "sums"));
  CHILD_NEEDS(kith_broadcast_subscribe(broadcast, 0, reader.out()) == KITH_OK);
  test::count_up(ready);
  uint64_t least[makers] = {}, missed = 0;
  int64_t sum = 0;
  mark is{};
  kith_status status = KITH_OK;
  while ((status = test::next(reader, is, missed)) >= KITH_OK) {
    CHILD_NEEDS(is.maker < makers && is.number >= least[is.maker]);
    least[is.maker] = is.number + 1;
    sum += 1 + static_cast<int64_t>(missed);
  }
  CHILD_NEEDS(status == KITH_E_CLOSED);
  CHILD_NEEDS(kith_array_exchange(sums, who, sum, nullptr) == KITH_OK);
  return 0;
}

// Until it is killed. The argument is the number to begin with; every fifth message is written in place.
int32_t publish_for_ever(const void* argument, size_t) {
  test::broadcast broadcast;
  CHILD_NEEDS(test::take(broadcast, "broadcast"));
  for (uint64_t i = *static_cast<const uint64_t*>(argument);; ++i) {
    if (i % 5 != 0) {
      CHILD_NEEDS(test::publish(broadcast, {1, i}) == KITH_OK);
      continue;
    }
    const test::bytes message = test::make_message({1, i});
    void* room = nullptr;
    CHILD_NEEDS(kith_broadcast_reserve(broadcast, message.size(), &room, test::generous) == KITH_OK);
    std::memcpy(room, message.data(), message.size());
    CHILD_NEEDS(kith_broadcast_commit(broadcast, message.size()) == KITH_OK);
  }
}

int32_t reserve_and_wait(const void*, size_t) {
  test::broadcast broadcast;
  test::value ready;
  void* room = nullptr;
  CHILD_NEEDS(test::take(broadcast, "broadcast") && test::take(ready, "ready"));
  CHILD_NEEDS(kith_broadcast_reserve(broadcast, 900, &room, 0) == KITH_OK);
  std::memset(room, 0xEE, 900);
  test::count_up(ready);
  for (;;) std::this_thread::sleep_for(std::chrono::seconds(1));
}

int32_t read_for_ever(const void*, size_t) {
  test::broadcast broadcast;
  test::value ready;
  test::reader reader;
  mark is{};
  uint64_t missed = 0;
  CHILD_NEEDS(test::take(broadcast, "broadcast") && test::take(ready, "ready"));
  CHILD_NEEDS(kith_broadcast_subscribe(broadcast, 0, reader.out()) == KITH_OK);
  test::count_up(ready);
  for (;;) CHILD_NEEDS(test::next(reader, is, missed) >= KITH_OK);
}

int32_t sit_and_read_nothing(const void*, size_t) {
  test::broadcast broadcast;
  test::value ready;
  test::reader reader;
  CHILD_NEEDS(test::take(broadcast, "broadcast") && test::take(ready, "ready"));
  CHILD_NEEDS(kith_broadcast_subscribe(broadcast, 0, reader.out()) == KITH_OK);
  test::count_up(ready);
  for (;;) std::this_thread::sleep_for(std::chrono::seconds(1));
}

int32_t answer_a_message(const void*, size_t) {
  test::broadcast there, back;
  mark is{};
  uint64_t missed = 0;
  CHILD_NEEDS(test::take(there, "there") && test::take(back, "back"));
  const test::reader reader = subscribe(there, KITH_HISTORY_ALL);
  CHILD_NEEDS(test::next(reader, is, missed) == KITH_OK);
  CHILD_NEEDS(test::publish(back, {is.maker + 1, is.number + 1}) == KITH_OK);
  CHILD_NEEDS(kith_broadcast_shutdown(back) == KITH_OK);
  return 0;
}

void end_by_kill(const test::process& child) {
  REQUIRE_OK(kith_process_kill(child));
  CHECK_EXIT(child, KITH_EXIT_KILLED, 9);
}

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks, "a child has the broadcasts that it is given, spawned or forked") {
  for (const uint32_t start : {uint32_t{KITH_START_SPAWN}, uint32_t{KITH_START_FORK}}) {
    if (start == KITH_START_FORK && kith_has(KITH_HAS_FORK) == 0) continue;
    CAPTURE(start);
    const test::broadcast there = make_broadcast(), back = make_broadcast(small, KITH_BROADCAST_HOLD);
    const test::reader reader = subscribe(back);
    CHECK_OK(test::publish(there, {5, 7}));
    const test::shares given = {{"there", there}, {"back", back}};
    kith_process_options options = test::run_entry(answer_a_message, given);
    options.start = start;
    test::process child;
    REQUIRE_OK(test::spawn(options, child));
    mark is{};
    uint64_t missed = 0;
    CHECK_OK(test::next(reader, is, missed));
    CHECK((is.maker == 6 && is.number == 8));
    CHECK_EXIT(child, KITH_EXIT_CODE, 0);
    CHECK_STATUS(test::next(reader, is, missed), KITH_E_CLOSED);
  }
  kith_process_options options{};
  const test::broadcast broadcast = make_broadcast();
  const test::reader reader = subscribe(broadcast);
  const test::shares given = {{"reader", reader}};
  options = test::run_entry(answer_a_message, given);
  kith_process* none = nullptr;
  CHECK_STATUS(kith_process_spawn(&options, &none), KITH_E_MISMATCH);
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "four readers get all that two writers publish, or know how much they missed") {
  constexpr size_t readers = 4;
  const uint64_t count = static_cast<uint64_t>(test::repetitions(20'000));
  for (const uint32_t flags : {uint32_t{0}, uint32_t{KITH_BROADCAST_HOLD}}) {
    CAPTURE(flags);
    const test::broadcast broadcast = make_broadcast(16'384, flags);
    const test::array sums = test::make_array(KITH_I64, readers);
    const test::value ready = test::make_value(KITH_I64);
    std::vector<test::process> reading, writing;
    for (size_t i = 0; i < readers; ++i)
      reading.push_back(
          test::start_with(read_to_the_end, {{"broadcast", broadcast}, {"sums", sums}, {"ready", ready}}, i));
    CHECK(test::reaches(ready, readers));
    for (uint64_t i = 0; i < makers; ++i)
      writing.push_back(test::start_with(publish_many, {{"broadcast", broadcast}}, order{i, count}));
    for (test::process& child : writing) CHECK_EXIT(child, KITH_EXIT_CODE, 0);
    CHECK_OK(kith_broadcast_shutdown(broadcast));
    for (test::process& child : reading) CHECK_EXIT(child, KITH_EXIT_CODE, 0);
    const auto* const sum = static_cast<const int64_t*>(kith_array_data(sums));
    for (size_t i = 0; i < readers; ++i) CHECK(sum[i] == static_cast<int64_t>(makers * count));
    CHECK(kith_broadcast_count(broadcast) == makers * count);
  }
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "what a killed writer has published is there, whole, in order, without gaps") {
  const test::broadcast broadcast = make_broadcast(small, KITH_BROADCAST_HOLD);
  const test::reader reader = subscribe(broadcast);
  uint64_t next = 0, seed = 3;
  int failures = 0;
  mark is{};
  uint64_t missed = 0;
  for (int round = 0; round < test::repetitions(60); ++round) {
    const test::process child = test::start_with(publish_for_ever, {{"broadcast", broadcast}}, next);
    for (uint64_t i = 64 + test::next_random(seed) % 300; i > 0; --i)
      failures += test::next(reader, is, missed) != KITH_OK || is.number != next++;
    end_by_kill(child);
    failures +=
        test::publish(broadcast, {1, UINT64_MAX}, 0) == KITH_E_PROTOCOL;  // repairs what the dead one left
    while (test::next(reader, is, missed, 0) == KITH_OK) {
      if (is.number != UINT64_MAX) failures += is.number != next++;
    }
    CHECK_OK(test::publish(broadcast, {1, UINT64_MAX}));
    CHECK_OK(test::next(reader, is, missed));
    CHECK(is.number == UINT64_MAX);
  }
  CHECK(failures == 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "a writer that is killed with room reserved holds nobody up") {
  for (const uint32_t flags : {uint32_t{0}, uint32_t{KITH_BROADCAST_HOLD}}) {
    const test::broadcast broadcast = make_broadcast(small, flags);
    const test::reader reader = subscribe(broadcast);
    const test::value ready = test::make_value(KITH_I64);
    for (int round = 1; round <= 3; ++round) {
      const test::process child = test::start(reserve_and_wait, {{"broadcast", broadcast}, {"ready", ready}});
      CHECK(test::reaches(ready, round));
      CHECK_STATUS(test::publish(broadcast, {1, 1}, 0), KITH_E_TIMEOUT);
      end_by_kill(child);
      CHECK_OK(test::publish(broadcast, {1, 7}));
      mark is{};
      uint64_t missed = 0;
      CHECK_OK(test::next(reader, is, missed));
      CHECK(is.number == 7);
      CHECK_STATUS(test::next(reader, is, missed, 0), KITH_E_TIMEOUT);
    }
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "the death of a reader changes nothing for the others") {
  for (const uint32_t flags : {uint32_t{0}, uint32_t{KITH_BROADCAST_HOLD}}) {
    CAPTURE(flags);
    const test::broadcast broadcast = make_broadcast(small, flags, flags != 0 ? 4 : 0);
    const test::reader reader = subscribe(broadcast);
    const test::value ready = test::make_value(KITH_I64);
    uint64_t next = 0, seed = 9, missed = 0;
    mark is{};
    int failures = 0;
    for (int round = 1; round <= test::repetitions(40); ++round) {
      const test::process child = test::start(read_for_ever, {{"broadcast", broadcast}, {"ready", ready}});
      REQUIRE(test::reaches(ready, round));
      const uint64_t kill_at = test::next_random(seed) % 200;
      for (uint64_t i = 0; i < 300; ++i) {
        if (i == kill_at) REQUIRE_OK(kith_process_kill(child));
        failures += test::publish(broadcast, {1, next}) != KITH_OK;
        failures += test::next(reader, is, missed) != KITH_OK || is.number != next++;
      }
      CHECK_EXIT(child, KITH_EXIT_KILLED, 9);
    }
    CHECK(failures == 0);
  }
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "a dead reader holds the writers back no longer, nor does it keep its seat") {
  const test::broadcast broadcast = make_broadcast(small, KITH_BROADCAST_HOLD, 2);
  const test::value ready = test::make_value(KITH_I64);
  std::vector<test::process> children;
  for (int i = 0; i < 2; ++i)
    children.push_back(test::start(sit_and_read_nothing, {{"broadcast", broadcast}, {"ready", ready}}));
  REQUIRE(test::reaches(ready, 2));
  uint64_t published = 0;
  while (test::publish(broadcast, {1, published}, 0) == KITH_OK) ++published;
  kith_reader* none = nullptr;
  CHECK_STATUS(kith_broadcast_subscribe(broadcast, 0, &none), KITH_E_LIMIT);
  test::sleeping_call waits([&] { return test::publish(broadcast, {1, published}); });
  end_by_kill(children[0]);
  const test::reader instead = subscribe(broadcast);
  CHECK_STATUS(test::publish(broadcast, {1, 0}, 20), KITH_E_TIMEOUT);
  end_by_kill(children[1]);
  CHECK_OK(waits.result());
  mark is{};
  uint64_t missed = 0;
  CHECK_OK(test::next(instead, is, missed));
  CHECK(is.number == published);
}
