// SPDX-License-Identifier: MIT
// Queues within one process: order, sizes, bounds, deadlines, the end.
#include <atomic>
#include <deque>

#include "support.h"

using test::nothing_leaks;

namespace {

using bytes = std::vector<unsigned char>;

constexpr size_t small = 4096;

kith_status create(uint64_t capacity) {
  auto options = test::defaults<kith_queue_options>();
  options.capacity = capacity;
  kith_queue* made = test::untouched<kith_queue>();
  const kith_status status = kith_queue_create(&options, &made);
  if (status == KITH_OK) {
    kith_queue_close(made);
  } else {
    CHECK(made == test::untouched<kith_queue>());
  }
  return status;
}

kith_status put(kith_queue* queue, const bytes& item, int64_t timeout_ms = 0) {
  return kith_queue_put(queue, item.data(), item.size(), timeout_ms);
}

kith_status put_number(kith_queue* queue, uint64_t number, int64_t timeout_ms = 0) {
  return kith_queue_put(queue, &number, sizeof number, timeout_ms);
}

// The next item; a last byte that is never written tells that no more was written than the item has.
kith_status get(kith_queue* queue, bytes& out, int64_t timeout_ms = 0) {
  out.assign(70'000, 0xEE);
  size_t size = 77;
  const kith_status status = kith_queue_get(queue, out.data(), out.size() - 1, &size, timeout_ms);
  if (status != KITH_OK) {
    CHECK(size == 77);
    return status;
  }
  CHECK(out[size] == 0xEE);
  out.resize(size);
  return status;
}

bytes got(kith_queue* queue) {
  bytes item;
  CHECK_OK(get(queue, item));
  return item;
}

uint64_t got_number(kith_queue* queue, int64_t timeout_ms = 0) {
  uint64_t number = 0;
  size_t size = 0;
  CHECK_OK(kith_queue_get(queue, &number, sizeof number, &size, timeout_ms));
  CHECK(size == sizeof number);
  return number;
}

// A call in a thread of its own, which has had the time to go to sleep in it.
class sleeping_call {
 public:
  explicit sleeping_call(std::function<kith_status()> call)
      : thread_([this, call = std::move(call)] { result_ = call(); }) {
    const test::event never = test::make_event();
    CHECK_STATUS(kith_event_wait(never, 30), KITH_E_TIMEOUT);
  }
  kith_status result() {
    thread_.join();
    return result_;
  }

 private:
  kith_status result_ = KITH_OK;
  std::thread thread_;
};

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks, "items of any size come out whole, in the order in which they went in") {
  const test::queue queue = test::make_queue();
  const size_t sizes[] = {0, 1, 15, 16, 17, 31, 32, 33, 1000, 4096, 10'000};
  for (const size_t size : sizes) CHECK_OK(put(queue, test::noise(size, size)));
  CHECK(kith_queue_count(queue) == std::size(sizes));
  for (const size_t size : sizes) {
    CAPTURE(size);
    CHECK(got(queue) == test::noise(size, size));
  }
  CHECK(kith_queue_count(queue) == 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "the largest item takes the queue, and what is larger can never be put") {
  const test::queue queue = test::make_queue(small);
  for (size_t filled = 0; filled < 64; filled += 16) {  // so that it begins at several places
    CAPTURE(filled);
    const bytes largest = test::noise(small - 16, filled);
    CHECK_OK(put(queue, largest));
    CHECK_STATUS(put(queue, {}), KITH_E_TIMEOUT);
    CHECK(got(queue) == largest);
    CHECK_OK(put(queue, {}));
    CHECK(got(queue).empty());
  }
  const bytes data(small + 16);
  for (const size_t size :
       {small - 15, small - 1, small, small + 1, small + 16, SIZE_MAX / 2, SIZE_MAX - 15, SIZE_MAX}) {
    CAPTURE(size);
    CHECK_STATUS(kith_queue_put(queue, data.data(), size, KITH_FOREVER), KITH_E_TOO_LARGE);
  }
  CHECK(kith_queue_count(queue) == 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "items of all sizes go around the ring many times") {
  const test::queue queue = test::make_queue(small);
  std::deque<bytes> model;
  uint64_t seed = 1;
  int failures = 0;
  size_t used = 0;
  const auto space = [](const bytes& item) { return 16 + (item.size() + 15) / 16 * 16; };
  for (int i = 0; i < test::repetitions(20'000); ++i) {
    const uint64_t chance = test::next_random(seed);
    if (chance % 2 == 0) {
      const bytes item = test::noise(test::next_random(seed) % (chance % 8 == 0 ? 3000 : 200), chance);
      const bool fits = used + space(item) <= small;
      failures += put(queue, item) != (fits ? KITH_OK : KITH_E_TIMEOUT);
      if (fits) {
        used += space(item);
        model.push_back(item);
      }
    } else if (!model.empty()) {
      failures += got(queue) != model.front();
      used -= space(model.front());
      model.pop_front();
    }
    failures += kith_queue_count(queue) != model.size();
  }
  CHECK(failures == 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "an item that is larger than the buffer stays, and its size is told") {
  const test::queue queue = test::make_queue();
  CHECK_OK(kith_queue_put(queue, "hello", 5, 0));
  char text[8] = "abcdefg";
  size_t size = 77;
  CHECK_STATUS(kith_queue_get(queue, text, 4, &size, 0), KITH_E_TOO_LARGE);
  CHECK(size == 5);
  size = 77;
  CHECK_STATUS(kith_queue_get(queue, nullptr, 0, &size, KITH_FOREVER), KITH_E_TOO_LARGE);
  CHECK(size == 5);
  CHECK(std::string_view(text) == "abcdefg");
  CHECK(kith_queue_count(queue) == 1);
  CHECK_OK(kith_queue_get(queue, text, 5, &size, 0));
  CHECK(std::string_view(text) == "hellofg");
}

TEST_CASE_FIXTURE(nothing_leaks, "an item without bytes needs no memory on either side") {
  const test::queue queue = test::make_queue();
  size_t size = 77;
  CHECK_OK(kith_queue_put(queue, nullptr, 0, 0));
  CHECK(kith_queue_count(queue) == 1);
  CHECK_OK(kith_queue_get(queue, nullptr, 0, &size, 0));
  CHECK(size == 0);
  CHECK_STATUS(kith_queue_get(queue, nullptr, 0, &size, 0), KITH_E_TIMEOUT);
}

TEST_CASE_FIXTURE(nothing_leaks, "a capacity is a power of two, from 4096 to 2^30") {
  for (const uint64_t capacity :
       {uint64_t{1}, uint64_t{2048}, uint64_t{4095}, uint64_t{4097}, uint64_t{4096 + 4096 + 64},
        uint64_t{12'288}, uint64_t{1} << 31, UINT64_MAX}) {
    CAPTURE(capacity);
    CHECK_STATUS(create(capacity), KITH_E_INVALID);
  }
  for (const uint64_t capacity : {uint64_t{0}, uint64_t{4096}, uint64_t{8192}, uint64_t{1} << 30})
    CHECK_OK(create(capacity));
  CHECK_STATUS(kith_queue_create(nullptr, nullptr), KITH_E_INVALID);
  const test::queue queue = test::make_queue();
  const bytes largest(65'536 - 16);
  CHECK_OK(put(queue, largest));
}

TEST_CASE_FIXTURE(nothing_leaks, "a queue holds no more items than most_items says") {
  for (const uint64_t most : {uint64_t{1}, uint64_t{3}}) {
    CAPTURE(most);
    const test::queue queue = test::make_queue(small, 0, most);
    for (uint64_t round = 0; round < 5; ++round) {
      for (uint64_t i = 0; i < most; ++i) CHECK_OK(put_number(queue, i));
      CHECK_STATUS(put_number(queue, 77), KITH_E_TIMEOUT);
      CHECK_STATUS(put_number(queue, 77, 10), KITH_E_TIMEOUT);
      CHECK(kith_queue_count(queue) == most);
      for (uint64_t i = 0; i < most; ++i) CHECK(got_number(queue) == i);
    }
  }
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "who waits for an item has it when it comes, who waits for room puts when there is some") {
  const test::queue queue = test::make_queue(small, 0, 1);
  sleeping_call taker([&] { return got_number(queue, KITH_FOREVER) == 1 ? KITH_OK : KITH_E_PROTOCOL; });
  CHECK_OK(put_number(queue, 1));
  CHECK_OK(taker.result());
  CHECK_OK(put_number(queue, 2));
  sleeping_call putter([&] { return put_number(queue, 3, test::generous); });
  CHECK(got_number(queue) == 2);
  CHECK_OK(putter.result());
  CHECK(got_number(queue) == 3);
}

TEST_CASE_FIXTURE(nothing_leaks, "of many who sleep each is woken when its turn comes") {
  constexpr int sleepers = 5;
  const test::queue queue = test::make_queue(small, 0, 1);
  std::vector<std::thread> threads;
  std::atomic<uint64_t> sum = 0;
  for (int i = 0; i < sleepers; ++i) threads.emplace_back([&] { sum += got_number(queue, test::generous); });
  for (uint64_t i = 1; i <= sleepers; ++i) CHECK_OK(put_number(queue, i, test::generous));
  for (std::thread& thread : threads) thread.join();
  CHECK(sum == 1 + 2 + 3 + 4 + 5);
  threads.clear();
  CHECK_OK(put_number(queue, 0));
  for (uint64_t i = 1; i <= sleepers; ++i)
    threads.emplace_back([&, i] { CHECK_OK(put_number(queue, i, test::generous)); });
  for (int i = 0; i <= sleepers; ++i) sum -= got_number(queue, test::generous);
  for (std::thread& thread : threads) thread.join();
  CHECK(sum == 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "a small item passes a large one that waits in vain") {
  const test::queue queue = test::make_queue(small);
  CHECK_OK(put(queue, bytes(1000)));
  CHECK_OK(put(queue, bytes(2900)));
  std::thread large([&] { CHECK_STATUS(put(queue, bytes(4000), 200), KITH_E_TIMEOUT); });
  std::thread little([&] { CHECK_OK(put(queue, bytes(300), test::generous)); });
  CHECK(got(queue).size() == 1000);
  little.join();
  large.join();
  CHECK(got(queue).size() == 2900);
  CHECK(got(queue).size() == 300);
}

TEST_CASE_FIXTURE(nothing_leaks, "after a shutdown what is there can be taken, and then comes the end") {
  const test::queue queue = test::make_queue();
  for (uint64_t i = 0; i < 3; ++i) CHECK_OK(put_number(queue, i));
  CHECK_OK(kith_queue_shutdown(queue));
  CHECK_OK(kith_queue_shutdown(queue));
  CHECK_STATUS(put_number(queue, 77, KITH_FOREVER), KITH_E_CLOSED);
  CHECK(kith_queue_count(queue) == 3);
  for (uint64_t i = 0; i < 3; ++i) CHECK(got_number(queue, KITH_FOREVER) == i);
  bytes item;
  CHECK_STATUS(get(queue, item, KITH_FOREVER), KITH_E_CLOSED);
  CHECK_STATUS(get(queue, item, 0), KITH_E_CLOSED);
}

TEST_CASE_FIXTURE(nothing_leaks, "a shutdown brings back whoever waits, at once") {
  const test::queue empty = test::make_queue();
  const test::queue full = test::make_queue(small, 0, 1);
  CHECK_OK(put_number(full, 1));
  for (int round = 0; round < test::repetitions(20); ++round) {
    const test::queue again = test::make_queue(small);
    std::atomic<bool> began = false;
    std::thread taker([&] {
      bytes item;
      began = true;
      CHECK_STATUS(get(again, item, KITH_FOREVER), KITH_E_CLOSED);
    });
    while (!began) std::this_thread::yield();
    CHECK_OK(kith_queue_shutdown(again));
    taker.join();
  }
  bytes item;
  sleeping_call taker([&] { return get(empty, item, KITH_FOREVER); });
  sleeping_call putter([&] { return put_number(full, 2, KITH_FOREVER); });
  CHECK_OK(kith_queue_shutdown(empty));
  CHECK_OK(kith_queue_shutdown(full));
  CHECK_STATUS(taker.result(), KITH_E_CLOSED);
  CHECK_STATUS(putter.result(), KITH_E_CLOSED);
  CHECK(got_number(full) == 1);
}

TEST_CASE_FIXTURE(nothing_leaks, "what is no argument for a queue is refused, and changes nothing") {
  const test::queue queue = test::make_queue();
  char text[8] = {};
  size_t size = 77;
  CHECK_OK(kith_queue_put(queue, "abc", 3, 0));
  CHECK_STATUS(kith_queue_put(queue, nullptr, 1, 0), KITH_E_INVALID);
  CHECK_STATUS(kith_queue_put(queue, text, 1, -2), KITH_E_INVALID);
  CHECK_STATUS(kith_queue_put(queue, text, 1, INT64_MIN), KITH_E_INVALID);
  CHECK_STATUS(kith_queue_get(queue, nullptr, 1, &size, 0), KITH_E_INVALID);
  CHECK_STATUS(kith_queue_get(queue, text, sizeof text, nullptr, 0), KITH_E_INVALID);
  CHECK_STATUS(kith_queue_get(queue, text, sizeof text, &size, -2), KITH_E_INVALID);
  CHECK_STATUS(kith_queue_join(queue, -2), KITH_E_INVALID);
  CHECK(size == 77);
  CHECK(kith_queue_count(queue) == 1);
  CHECK_OK(kith_queue_get(queue, text, sizeof text, &size, INT64_MAX));
  CHECK(size == 3);
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "of many threads each item is taken once, and those of one putter in order") {
  constexpr int putters = 3, takers = 3;
  const uint64_t count = static_cast<uint64_t>(test::repetitions(20'000));
  const test::queue queue = test::make_queue(small);
  std::vector<std::atomic<int>> seen(putters * count);
  std::atomic<int> failures = 0;
  std::vector<std::thread> getting;
  for (int t = 0; t < takers; ++t) {
    getting.emplace_back([&] {
      uint64_t last[putters] = {};
      uint64_t item[3] = {};
      size_t size = 0;
      while (kith_queue_get(queue, item, sizeof item, &size, test::generous) == KITH_OK) {
        failures += size < 16 || item[0] >= putters || item[1] >= count || item[1] + 1 <= last[item[0]];
        last[item[0]] = item[1] + 1;
        ++seen[item[0] * count + item[1]];
      }
    });
  }
  test::in_threads(putters, [&](int who) {
    for (uint64_t i = 0; i < count; ++i) {
      const uint64_t item[3] = {static_cast<uint64_t>(who), i, i};
      failures += kith_queue_put(queue, item, 16 + i % 9, test::generous) != KITH_OK;
    }
  });
  CHECK_OK(kith_queue_shutdown(queue));
  for (std::thread& thread : getting) thread.join();
  for (const std::atomic<int>& times : seen) failures += times != 1;
  CHECK(failures == 0);
}
