// SPDX-License-Identifier: MIT
// Queues between processes: each item once, in order, whole, whoever is killed; and nobody is left out.
#include <cstring>

#include "support.h"

using test::nothing_leaks;

namespace {

using bytes = std::vector<unsigned char>;

constexpr size_t small = 4096;

// An item that tells who made it and which it is; all of the rest follows from these.
struct mark {
  uint64_t maker;
  uint64_t number;
};

size_t size_of(const mark& is) { return sizeof(mark) + is.number % 50; }

bytes make_item(const mark& is) {
  bytes item = test::noise(size_of(is), is.number ^ (is.maker << 32));
  std::memcpy(item.data(), &is, sizeof is);
  return item;
}

kith_status put(kith_queue* queue, const mark& is, int64_t timeout_ms = test::generous) {
  const bytes item = make_item(is);
  return kith_queue_put(queue, item.data(), item.size(), timeout_ms);
}

// KITH_E_PROTOCOL: it is not whole.
kith_status get(kith_queue* queue, mark& is, int64_t timeout_ms = test::generous) {
  bytes item(200);
  size_t size = 0;
  const kith_status status = kith_queue_get(queue, item.data(), item.size(), &size, timeout_ms);
  if (status != KITH_OK) return status;
  if (size < sizeof is) return KITH_E_PROTOCOL;
  std::memcpy(&is, item.data(), sizeof is);
  item.resize(size);
  return item == make_item(is) ? KITH_OK : KITH_E_PROTOCOL;
}

// ---- children ------------------------------------------------------------------------------------------------------------

struct order {
  uint64_t who;
  uint64_t count;
};

int32_t put_many(const void* argument, size_t) {
  const order given = *static_cast<const order*>(argument);
  test::queue queue;
  CHILD_NEEDS(test::take(queue, "queue"));
  for (uint64_t i = 0; i < given.count; ++i) CHILD_NEEDS(put(queue, {given.who, i}) == KITH_OK);
  return 0;
}

constexpr uint64_t makers = 2;

// Marks each item that it gets. Those of one maker must come in order.
int32_t get_many(const void*, size_t) {
  test::queue queue;
  test::array seen;
  uint64_t next[makers] = {};
  mark is{};
  CHILD_NEEDS(test::take(queue, "queue") && test::take(seen, "seen"));
  const uint64_t count = kith_array_count(seen) / makers;
  kith_status status = KITH_OK;
  while ((status = get(queue, is)) == KITH_OK) {
    CHILD_NEEDS(is.maker < makers && is.number < count && is.number >= next[is.maker]);
    next[is.maker] = is.number + 1;
    CHILD_NEEDS(kith_array_add(seen, is.maker * count + is.number, 1, nullptr) == KITH_OK);
  }
  CHILD_NEEDS(status == KITH_E_CLOSED);
  return 0;
}

// Until it is killed.
int32_t put_for_ever(const void* argument, size_t) {
  test::queue queue;
  CHILD_NEEDS(test::take(queue, "queue"));
  for (uint64_t i = *static_cast<const uint64_t*>(argument);; ++i) CHILD_NEEDS(put(queue, {1, i}) == KITH_OK);
}

// Until it is killed. "got" is the number of the last item that it has.
int32_t get_for_ever(const void*, size_t) {
  test::queue queue;
  test::value got;
  mark is{};
  CHILD_NEEDS(test::take(queue, "queue") && test::take(got, "got"));
  for (;;) {
    CHILD_NEEDS(get(queue, is) == KITH_OK);
    CHILD_NEEDS(kith_value_exchange(got, static_cast<int64_t>(is.number), nullptr) == KITH_OK);
  }
}

int32_t count_gets(const void* argument, size_t) {
  const size_t index = *static_cast<const size_t*>(argument);
  test::queue queue;
  test::array counts;
  mark is{};
  CHILD_NEEDS(test::take(queue, "queue") && test::take(counts, "counts"));
  CHILD_NEEDS(kith_array_add(counts, 0, 1, nullptr) == KITH_OK);
  kith_status status = KITH_OK;
  while ((status = get(queue, is)) == KITH_OK)
    CHILD_NEEDS(kith_array_add(counts, index, 1, nullptr) == KITH_OK);
  CHILD_NEEDS(status == KITH_E_CLOSED);
  return 0;
}

int32_t answer_an_item(const void*, size_t) {
  test::queue there;
  test::queue back;
  mark is{};
  CHILD_NEEDS(test::take(there, "there") && test::take(back, "back"));
  CHILD_NEEDS(kith_queue_count(there) == 1);
  CHILD_NEEDS(get(there, is) == KITH_OK);
  CHILD_NEEDS(put(back, {is.maker + 1, is.number + 1}) == KITH_OK);
  CHILD_NEEDS(kith_queue_shutdown(back) == KITH_OK);
  return 0;
}

void end_by_kill(const test::process& child) {
  REQUIRE_OK(kith_process_kill(child));
  CHECK_EXIT(child, KITH_EXIT_KILLED, 9);
}

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks, "a child has the queues that it is given, spawned or forked") {
  for (const uint32_t start : {uint32_t{KITH_START_SPAWN}, uint32_t{KITH_START_FORK}}) {
    if (start == KITH_START_FORK && kith_has(KITH_HAS_FORK) == 0) continue;
    CAPTURE(start);
    const test::queue there = test::make_queue();
    const test::queue back = test::make_queue(small);
    CHECK_OK(put(there, {5, 7}));
    const test::shares given = {{"there", there}, {"back", back}};
    kith_process_options options = test::run_entry(answer_an_item, given);
    options.start = start;
    test::process child;
    REQUIRE_OK(test::spawn(options, child));
    mark is{};
    CHECK_OK(get(back, is));
    CHECK((is.maker == 6 && is.number == 8));
    CHECK_EXIT(child, KITH_EXIT_CODE, 0);
    CHECK_STATUS(get(back, is), KITH_E_CLOSED);
    CHECK(kith_queue_count(there) == 0);
  }
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "between two makers and two takers no item is lost, doubled, torn or overtaken") {
  for (const uint64_t capacity : {uint64_t{small}, uint64_t{65'536}}) {
    CAPTURE(capacity);
    const uint64_t count = static_cast<uint64_t>(test::repetitions(20'000));
    const test::queue queue = test::make_queue(capacity);
    const test::array seen = test::make_array(KITH_I64, makers * count);
    std::vector<test::process> putting;
    std::vector<test::process> taking;
    for (uint64_t i = 0; i < 2; ++i)
      taking.push_back(test::start(get_many, {{"queue", queue}, {"seen", seen}}));
    for (uint64_t i = 0; i < makers; ++i)
      putting.push_back(test::start_with(put_many, {{"queue", queue}}, order{i, count}));
    for (test::process& child : putting) CHECK_EXIT(child, KITH_EXIT_CODE, 0);
    CHECK_OK(kith_queue_shutdown(queue));
    for (test::process& child : taking) CHECK_EXIT(child, KITH_EXIT_CODE, 0);
    const auto* const times = static_cast<const int64_t*>(kith_array_data(seen));
    size_t not_once = 0;
    for (size_t i = 0; i < makers * count; ++i) not_once += times[i] != 1;
    CHECK(not_once == 0);
    CHECK(kith_queue_count(queue) == 0);
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "what a killed process has put is there, whole, in order, without gaps") {
  const test::queue queue = test::make_queue(small);
  uint64_t next = 0;
  uint64_t seed = 3;
  int failures = 0;
  for (int round = 0; round < test::repetitions(60); ++round) {
    const test::process child = test::start_with(put_for_ever, {{"queue", queue}}, next);
    const uint64_t takes = 64 + test::next_random(seed) % 200;
    mark is{};
    for (uint64_t i = 0; i < takes; ++i) failures += get(queue, is) != KITH_OK || is.number != next++;
    end_by_kill(child);
    // After the first call the counts are right, whatever the dead one left.
    bool first = true;
    for (uint64_t left = 0; get(queue, is, 0) == KITH_OK; first = false) {
      left = first ? kith_queue_count(queue) : left - 1;
      failures += is.number != next++ || kith_queue_count(queue) != left;
    }
    CHECK(kith_queue_count(queue) == 0);
  }
  CHECK(failures == 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "a killed process takes along no more than one item") {
  const test::queue queue = test::make_queue();  // has room for all of a round
  const test::value got = test::make_value(KITH_I64);
  uint64_t next_put = 1;
  int failures = 0;
  uint64_t seed = 4;
  for (int round = 0; round < test::repetitions(60); ++round) {
    const test::process child = test::start(get_for_ever, {{"queue", queue}, {"got", got}});
    const uint64_t puts = 100 + test::next_random(seed) % 200;
    for (uint64_t i = 0; i < puts; ++i) failures += put(queue, {1, next_put++}) != KITH_OK;
    end_by_kill(child);
    uint64_t next = static_cast<uint64_t>(test::count_in(got)) + 1;
    failures +=
        put(queue, {1, next_put++}) != KITH_OK;  // so that there is one, and the counts are right again
    uint64_t left = kith_queue_count(queue);
    mark is{};
    for (bool first = true; get(queue, is, 0) == KITH_OK; first = false) {
      if (first && is.number == next + 1) ++next;  // it had that one, and had not said so
      failures += is.number != next++ || kith_queue_count(queue) != --left;
    }
    failures += next != next_put || left != 0;
    CHECK_OK(kith_value_exchange(got, static_cast<int64_t>(next_put) - 1, nullptr));
  }
  CHECK(failures == 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "no taker is kept from the items by the others") {
  constexpr size_t takers = 4, apart = 8;
  const test::queue queue = test::make_queue();
  const test::array counts = test::make_array(KITH_I64, (takers + 1) * apart);
  std::vector<test::process> children;
  for (size_t i = 1; i <= takers; ++i)
    children.push_back(test::start_with(count_gets, {{"queue", queue}, {"counts", counts}}, i * apart));
  int64_t ready = 0;
  CHECK(test::becomes_true(
      [&] { return kith_array_add(counts, 0, 0, &ready) == KITH_OK && ready == int64_t{takers}; }));
  const uint64_t end = test::now_ms() + 1'000;
  int failures = 0;
  for (uint64_t i = 0; test::now_ms() < end; ++i) failures += put(queue, {1, i}) != KITH_OK;
  CHECK(failures == 0);
  CHECK_OK(kith_queue_shutdown(queue));
  int64_t total = 0;
  const auto* const shares = static_cast<const int64_t*>(kith_array_data(counts));
  for (size_t i = 1; i <= takers; ++i) {
    CHECK_EXIT(children[i - 1], KITH_EXIT_CODE, 0);
    total += shares[i * apart];
  }
  for (size_t i = 1; i <= takers; ++i) {
    CAPTURE(i);
    CHECK(shares[i * apart] * int64_t{takers} * 10 >= total);
  }
}
