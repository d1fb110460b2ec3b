// SPDX-License-Identifier: MIT
// Broadcasts within one process: order, sizes, what is missed, history, holding back, in place, deadlines, the end.
#include <atomic>

#include "broadcasts.h"

using test::bytes;
using test::make_broadcast;
using test::mark;
using test::nothing_leaks;
using test::subscribe;

namespace {

constexpr size_t small = 4096;
constexpr size_t largest_of_small = small / 4 - 32;

kith_status publish(kith_broadcast* broadcast, const bytes& message, int64_t timeout_ms = 0) {
  return kith_broadcast_publish(broadcast, message.data(), message.size(), timeout_ms);
}

// The next message; a last byte that is never written tells that no more was written than the message has.
kith_status next(kith_reader* reader, bytes& out, uint64_t* missed = nullptr, int64_t timeout_ms = 0) {
  out.assign(300'000, 0xEE);
  size_t size = 77;
  const kith_status status = kith_reader_next(reader, out.data(), out.size() - 1, &size, missed, timeout_ms);
  if (status < KITH_OK) {
    CHECK(size == 77);
    return status;
  }
  CHECK(out[size] == 0xEE);
  out.resize(size);
  return status;
}

bytes got(kith_reader* reader) {
  bytes message;
  CHECK_OK(next(reader, message));
  return message;
}

uint64_t number_of(kith_reader* reader, kith_status expected = KITH_OK, uint64_t* missed = nullptr) {
  mark is{77, 77};
  uint64_t lost = 0;
  CHECK_STATUS(test::next(reader, is, lost, 0), expected);
  if (missed != nullptr) *missed = lost;
  return is.number;
}

void publish_numbers(kith_broadcast* broadcast, uint64_t from, uint64_t to) {
  for (uint64_t i = from; i < to; ++i) CHECK_OK(test::publish(broadcast, {1, i}, 0));
}

kith_status create(uint64_t ring_size, uint32_t flags = 0, uint32_t most_readers = 0) {
  auto options = test::defaults<kith_broadcast_options>();
  options.ring_size = ring_size;
  options.flags = flags;
  options.most_readers = most_readers;
  kith_broadcast* made = test::untouched<kith_broadcast>();
  const kith_status status = kith_broadcast_create(&options, &made);
  if (status == KITH_OK) {
    kith_broadcast_close(made);
  } else {
    CHECK(made == test::untouched<kith_broadcast>());
  }
  return status;
}

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks, "each reader gets each message whole, in order, of any size") {
  for (const uint32_t flags : {uint32_t{0}, uint32_t{KITH_BROADCAST_HOLD}}) {
    CAPTURE(flags);
    const test::broadcast broadcast = make_broadcast(0, flags);
    const test::reader one = subscribe(broadcast), other = subscribe(broadcast);
    const size_t sizes[] = {0, 1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 1000, 4096, 10'000, (1 << 18) - 32};
    for (const size_t size : sizes) CHECK_OK(publish(broadcast, test::noise(size, size)));
    CHECK(kith_broadcast_count(broadcast) == std::size(sizes));
    for (kith_reader* const reader : {one.get(), other.get()}) {
      CHECK(kith_reader_pending(reader) == std::size(sizes));
      for (const size_t size : sizes) {
        CAPTURE(size);
        CHECK(got(reader) == test::noise(size, size));
      }
      CHECK(kith_reader_pending(reader) == 0);
      bytes none;
      CHECK_STATUS(next(reader, none), KITH_E_TIMEOUT);
    }
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "a message is at most a quarter of the ring, less 32 bytes") {
  for (const uint32_t flags : {uint32_t{0}, uint32_t{KITH_BROADCAST_HOLD}}) {
    const test::broadcast broadcast = make_broadcast(small, flags);
    const test::reader reader = subscribe(broadcast);
    for (size_t filled = 0; filled < 200; ++filled) {  // so that it begins at all places
      const bytes largest = test::noise(largest_of_small - filled % 3, filled);
      CHECK_OK(publish(broadcast, largest));
      CHECK(got(reader) == largest);
      CHECK_OK(publish(broadcast, test::noise(filled, filled)));
      CHECK(got(reader) == test::noise(filled, filled));
    }
    const bytes data(small);
    void* room = nullptr;
    for (const size_t size : {largest_of_small + 1, small / 4, small, SIZE_MAX - 15, SIZE_MAX}) {
      CHECK_STATUS(kith_broadcast_publish(broadcast, data.data(), size, KITH_FOREVER), KITH_E_TOO_LARGE);
      CHECK_STATUS(kith_broadcast_reserve(broadcast, size, &room, KITH_FOREVER), KITH_E_TOO_LARGE);
    }
    CHECK(kith_broadcast_count(broadcast) == 400);
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "what a slow reader got and what it missed add up to what was published") {
  for (const size_t ring : {small, 2 * small}) {
    CAPTURE(ring);
    const test::broadcast broadcast = make_broadcast(ring);
    const test::reader slow = subscribe(broadcast), fast = subscribe(broadcast);
    uint64_t seed = 5, published = 0, received = 0, missed = 0, seen_by_fast = 0;
    int failures = 0;
    for (int round = 0; round < test::repetitions(400); ++round) {
      for (uint64_t count = test::next_random(seed) % 60; count > 0; --count) {
        failures += test::publish(broadcast, {1, published++}, 0) != KITH_OK;
        failures += number_of(fast) != seen_by_fast++;
      }
      for (uint64_t count = test::next_random(seed) % 30; count > 0; --count) {
        mark is{};
        uint64_t lost = 0;
        const kith_status status = test::next(slow, is, lost, 0);
        if (status == KITH_E_TIMEOUT) break;
        failures += status != (lost == 0 ? KITH_OK : KITH_MISSED);
        missed += lost;
        failures += is.number != received + missed;
        ++received;
      }
      failures += kith_reader_pending(slow) != published - received - missed;
    }
    mark is{};
    for (uint64_t lost = 0; test::next(slow, is, lost, 0) >= KITH_OK; ++received) missed += lost;
    CHECK(failures == 0);
    CHECK(received + missed == published);
    CHECK(missed != 0);
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "a reader that was overtaken goes on with the oldest message that is left") {
  const test::broadcast broadcast = make_broadcast(small);
  const test::reader paused = subscribe(broadcast);
  for (uint64_t i = 0; i < 1000; ++i) CHECK_OK(publish(broadcast, test::noise(48, i)));  // 64 bytes each
  uint64_t missed = 77;
  bytes message;
  CHECK_STATUS(next(paused, message, &missed), KITH_MISSED);
  CHECK(message == test::noise(48, missed));
  CHECK(
      (missed >= 1000 - 64 && missed <= 1000 - 64 * 3 / 4));  // at least three quarters of the ring are there
  for (uint64_t i = missed + 1; i < 1000; ++i) CHECK(got(paused) == test::noise(48, i));
  CHECK_STATUS(next(paused, message), KITH_E_TIMEOUT);
  CHECK_OK(publish(broadcast, test::noise(1, 1)));
  CHECK_OK(next(paused, message, &missed));
  CHECK(missed == 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "the newest message is always there, however large the next ones are") {
  const test::broadcast broadcast = make_broadcast(small);
  uint64_t seed = 3;
  int failures = 0;
  const test::reader behind = subscribe(broadcast);
  uint64_t received = 0, lost = 0;
  const uint64_t count = static_cast<uint64_t>(test::repetitions(2'000));
  for (uint64_t i = 0; i < count; ++i) {
    const size_t size = i % 3 == 0 ? largest_of_small - i % 40 : test::next_random(seed) % largest_of_small;
    failures += publish(broadcast, test::noise(size, i)) != KITH_OK;
    const test::reader late = subscribe(broadcast, 1);
    failures += got(late) != test::noise(size, i);
    uint64_t missed = 0;
    bytes message;
    if (i % 7 != 0) continue;
    failures += next(behind, message, &missed) < KITH_OK;
    ++received, lost += missed;
  }
  CHECK(failures == 0);
  CHECK(received + lost + kith_reader_pending(behind) == count);
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "a late reader begins from now, with the last messages, or with all that are left") {
  for (const uint32_t flags : {uint32_t{0}, uint32_t{KITH_BROADCAST_HOLD}}) {
    CAPTURE(flags);
    const test::broadcast broadcast = make_broadcast(small, flags);
    const test::reader at_once = subscribe(broadcast, KITH_HISTORY_ALL);
    publish_numbers(broadcast, 0, 10);
    const test::reader from_now = subscribe(broadcast), last_3 = subscribe(broadcast, 3);
    const test::reader more = subscribe(broadcast, 1000), all = subscribe(broadcast, KITH_HISTORY_ALL);
    publish_numbers(broadcast, 10, 11);
    CHECK(number_of(from_now) == 10);
    for (uint64_t i = 7; i < 11; ++i) CHECK(number_of(last_3) == i);
    for (uint64_t i = 0; i < 11; ++i) {
      CHECK(number_of(more) == i);
      CHECK(number_of(all) == i);
      CHECK(number_of(at_once) == i);
    }
    publish_numbers(broadcast, 11, 70);  // the ring goes around
    const test::reader late = subscribe(broadcast, KITH_HISTORY_ALL);
    const uint64_t first = number_of(late);
    CHECK((first > 0 && first < 60));
    CHECK(kith_reader_pending(late) == 69 - first);
    for (uint64_t i = first + 1; i < 70; ++i) CHECK(number_of(late) == i);
    const test::reader last_2 = subscribe(broadcast, 2);
    CHECK(number_of(last_2) == 68);
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "`history` bounds what a late reader begins with") {
  const test::broadcast broadcast = make_broadcast(0, 0, 0, 4);
  publish_numbers(broadcast, 0, 10);
  for (const int64_t wanted : {int64_t{KITH_HISTORY_ALL}, int64_t{100}, int64_t{4}})
    CHECK(number_of(subscribe(broadcast, wanted)) == 6);
  CHECK(number_of(subscribe(broadcast, 2)) == 8);
  CHECK_STATUS(number_of(subscribe(broadcast, 0), KITH_E_TIMEOUT) == 77 ? KITH_OK : KITH_E_INVALID, KITH_OK);
}

TEST_CASE_FIXTURE(nothing_leaks, "a slow reader holds the writers back, where that was asked for") {
  const test::broadcast broadcast = make_broadcast(small, KITH_BROADCAST_HOLD);
  const test::reader slow = subscribe(broadcast);
  const test::reader fast = subscribe(broadcast);
  uint64_t published = 0, next_of_fast = 0, next_of_slow = 0;
  for (int round = 0; round < 20; ++round) {
    while (test::publish(broadcast, {1, published}, 0) == KITH_OK) ++published;
    CHECK_STATUS(test::publish(broadcast, {1, published}, 5), KITH_E_TIMEOUT);
    while (next_of_fast < published) CHECK(number_of(fast) == next_of_fast++);
    CHECK_STATUS(test::publish(broadcast, {1, published}, 0), KITH_E_TIMEOUT);
    for (int i = 0; i < 30; ++i) CHECK(number_of(slow) == next_of_slow++);
  }
  CHECK(published > 500);
  while (next_of_slow < published) CHECK(number_of(slow) == next_of_slow++);
}

TEST_CASE_FIXTURE(nothing_leaks, "who waits for room goes on when the slow reader reads, or leaves") {
  const test::broadcast broadcast = make_broadcast(small, KITH_BROADCAST_HOLD);
  for (const bool leaves : {false, true}) {
    test::reader slow = subscribe(broadcast);
    uint64_t published = 0;
    while (test::publish(broadcast, {1, published}, 0) == KITH_OK) ++published;
    test::sleeping_call waits([&] { return test::publish(broadcast, {1, published}); });
    if (leaves) {
      slow.close();
    } else {
      for (uint64_t i = 0; i < published; ++i) CHECK(number_of(slow) == i);
    }
    CHECK_OK(waits.result());
    if (!leaves) CHECK(number_of(slow) == published);
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "there are as many seats as were asked for, and they are used again") {
  const test::broadcast broadcast = make_broadcast(small, KITH_BROADCAST_HOLD, 2);
  for (int round = 0; round < 5; ++round) {
    const test::reader one = subscribe(broadcast), other = subscribe(broadcast);
    kith_reader* third = test::untouched<kith_reader>();
    CHECK_STATUS(kith_broadcast_subscribe(broadcast, 0, &third), KITH_E_LIMIT);
    CHECK(third == test::untouched<kith_reader>());
    publish_numbers(broadcast, 0, 3);
    CHECK(number_of(one) == 0);
    CHECK(number_of(other) == 0);
  }
  const test::broadcast open_to_all = make_broadcast(small);
  std::vector<test::reader> many;
  for (int i = 0; i < 100; ++i) many.push_back(subscribe(open_to_all));
  publish_numbers(open_to_all, 0, 1);
  for (const test::reader& each : many) CHECK(number_of(each) == 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "a message is written in place, and published by the commit") {
  for (const uint32_t flags : {uint32_t{0}, uint32_t{KITH_BROADCAST_HOLD}}) {
    const test::broadcast broadcast = make_broadcast(small, flags);
    const test::reader reader = subscribe(broadcast);
    CHECK_STATUS(kith_broadcast_commit(broadcast, 0), KITH_E_NOT_OWNER);
    CHECK_STATUS(kith_broadcast_abort(broadcast), KITH_E_NOT_OWNER);
    for (size_t i = 0; i < 60; ++i) {
      void* room = nullptr;
      const bytes message = test::noise(i * 10, i);
      REQUIRE_OK(kith_broadcast_reserve(broadcast, 600, &room, 0));
      CHECK(reinterpret_cast<uintptr_t>(room) % 16 == 0);
      if (!message.empty()) std::memcpy(room, message.data(), message.size());
      CHECK_STATUS(kith_broadcast_publish(broadcast, "x", 1, 0), KITH_E_DEADLOCK);
      CHECK_STATUS(kith_broadcast_reserve(broadcast, 1, &room, 0), KITH_E_DEADLOCK);
      CHECK_STATUS(kith_broadcast_commit(broadcast, 601), KITH_E_TOO_LARGE);
      bytes none;
      CHECK_STATUS(next(reader, none), KITH_E_TIMEOUT);
      if (i % 4 == 3) {
        CHECK_OK(kith_broadcast_abort(broadcast));
        CHECK_STATUS(next(reader, none), KITH_E_TIMEOUT);
        continue;
      }
      CHECK_OK(kith_broadcast_commit(broadcast, message.size()));
      CHECK(got(reader) == message);
    }
    CHECK(kith_broadcast_count(broadcast) == 45);
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "other writers wait for who has reserved room, and a close gives it back") {
  test::broadcast broadcast = make_broadcast(small);
  const test::reader reader = subscribe(broadcast);
  void* room = nullptr;
  REQUIRE_OK(kith_broadcast_reserve(broadcast, 8, &room, 0));
  test::in_threads(1, [&](int) {
    CHECK_STATUS(kith_broadcast_publish(broadcast, "x", 1, 0), KITH_E_TIMEOUT);
    CHECK_STATUS(kith_broadcast_publish(broadcast, "x", 1, 10), KITH_E_TIMEOUT);
    CHECK_STATUS(kith_broadcast_commit(broadcast, 1), KITH_E_NOT_OWNER);
    CHECK_STATUS(kith_broadcast_abort(broadcast), KITH_E_NOT_OWNER);
  });
  test::sleeping_call waits([&] { return test::publish(broadcast, {1, 5}); });
  CHECK_OK(kith_broadcast_abort(broadcast));
  CHECK_OK(waits.result());
  CHECK(number_of(reader) == 5);
  REQUIRE_OK(kith_broadcast_reserve(broadcast, 8, &room, 0));
  kith_broadcast* const handle = broadcast;
  test::sleeping_call comes_back([handle] { return test::publish(handle, {1, 5}); });
  broadcast.close();
  const kith_status status = comes_back.result();  // its handle is closed; or it had the turn first
  CHECK((status == KITH_E_CLOSED || status == KITH_OK));
}

TEST_CASE_FIXTURE(nothing_leaks, "a message is shown where it lies, and taken, or left") {
  for (const uint32_t flags : {uint32_t{0}, uint32_t{KITH_BROADCAST_HOLD}}) {
    const test::broadcast broadcast = make_broadcast(small, flags);
    const test::reader reader = subscribe(broadcast);
    const void* data = nullptr;
    size_t size = 0;
    uint64_t missed = 77;
    mark is{};
    CHECK_STATUS(kith_reader_consume(reader), KITH_E_NOT_OWNER);
    CHECK_STATUS(kith_reader_release(reader), KITH_E_NOT_OWNER);
    CHECK_STATUS(kith_reader_peek(reader, &data, &size, &missed, 0), KITH_E_TIMEOUT);
    publish_numbers(broadcast, 0, 2);
    for (const bool take : {false, true}) {
      REQUIRE_OK(kith_reader_peek(reader, &data, &size, &missed, 0));
      CHECK(missed == 0);
      CHECK_OK(test::check_message(static_cast<const unsigned char*>(data), size, is));
      CHECK(is.number == 0);
      uint64_t lost = 0;
      CHECK_STATUS(test::next(reader, is, lost, 0), KITH_E_DEADLOCK);
      CHECK_STATUS(kith_reader_peek(reader, &data, &size, &missed, 0), KITH_E_DEADLOCK);
      CHECK_OK(take ? kith_reader_consume(reader) : kith_reader_release(reader));
    }
    CHECK(number_of(reader) == 1);
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "who looks too long is told so, and the message counts as missed") {
  const test::broadcast broadcast = make_broadcast(small);
  const test::reader reader = subscribe(broadcast);
  const void* data = nullptr;
  size_t size = 0;
  uint64_t missed = 77;
  publish_numbers(broadcast, 0, 2);
  CHECK(number_of(reader) == 0);
  REQUIRE_OK(kith_reader_peek(reader, &data, &size, &missed, 0));
  publish_numbers(broadcast, 2, 500);
  CHECK_STATUS(kith_reader_consume(reader), KITH_MISSED);
  const uint64_t number = number_of(reader, KITH_MISSED, &missed);
  CHECK(missed == number - 1);
  REQUIRE_OK(kith_reader_peek(reader, &data, &size, &missed, 0));
  publish_numbers(broadcast, 500, 1000);
  CHECK_OK(kith_reader_release(reader));
  REQUIRE_STATUS(kith_reader_peek(reader, &data, &size, &missed, 0), KITH_MISSED);
  CHECK_OK(kith_reader_consume(reader));
  mark is{};
  CHECK_OK(test::check_message(static_cast<const unsigned char*>(data), size, is));
  CHECK(is.number == number + 1 + missed);
}

TEST_CASE_FIXTURE(nothing_leaks, "with holding back, nobody writes where a reader looks") {
  const test::broadcast broadcast = make_broadcast(small, KITH_BROADCAST_HOLD);
  const test::reader reader = subscribe(broadcast);
  const void* data = nullptr;
  size_t size = 0;
  uint64_t published = 0;
  while (test::publish(broadcast, {1, published}, 0) == KITH_OK) ++published;
  REQUIRE_OK(kith_reader_peek(reader, &data, &size, nullptr, 0));
  CHECK_STATUS(test::publish(broadcast, {1, published}, 5), KITH_E_TIMEOUT);
  mark is{};
  CHECK_OK(test::check_message(static_cast<const unsigned char*>(data), size, is));
  CHECK(is.number == 0);
  CHECK_OK(kith_reader_consume(reader));
}

TEST_CASE_FIXTURE(nothing_leaks, "a message that is larger than the buffer stays, and its size is told") {
  const test::broadcast broadcast = make_broadcast();
  const test::reader reader = subscribe(broadcast);
  CHECK_OK(kith_broadcast_publish(broadcast, "hello", 5, 0));
  char text[8] = "abcdefg";
  size_t size = 77;
  CHECK_STATUS(kith_reader_next(reader, text, 4, &size, nullptr, 0), KITH_E_TOO_LARGE);
  CHECK(size == 5);
  size = 77;
  CHECK_STATUS(kith_reader_next(reader, nullptr, 0, &size, nullptr, KITH_FOREVER), KITH_E_TOO_LARGE);
  CHECK(size == 5);
  CHECK(std::string_view(text) == "abcdefg");
  CHECK_OK(kith_reader_next(reader, text, 5, &size, nullptr, 0));
  CHECK(std::string_view(text) == "hellofg");
  CHECK_OK(kith_broadcast_publish(broadcast, nullptr, 0, 0));
  CHECK_OK(kith_reader_next(reader, nullptr, 0, &size, nullptr, 0));
  CHECK(size == 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "all that sleep have the message when it comes") {
  for (const uint32_t flags : {uint32_t{0}, uint32_t{KITH_BROADCAST_HOLD}}) {
    constexpr int sleepers = 4;
    const test::broadcast broadcast = make_broadcast(small, flags);
    std::vector<test::reader> readers;
    for (int i = 0; i < sleepers; ++i) readers.push_back(subscribe(broadcast));
    std::atomic<uint64_t> received = 0;
    std::atomic<int> failures = 0;
    test::in_threads(sleepers + 1, [&](int who) {
      mark is{};
      uint64_t missed = 0;
      for (uint64_t i = 0; i < 100; ++i) {
        if (who == sleepers) {
          failures += !test::becomes_true([&] { return received == i * sleepers; });
          failures += test::publish(broadcast, {1, i}) != KITH_OK;
        } else {
          failures += test::next(readers[static_cast<size_t>(who)], is, missed) != KITH_OK || is.number != i;
          ++received;
        }
      }
    });
    CHECK(failures == 0);
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "after a shutdown readers have what is there, and then the end") {
  const test::broadcast broadcast = make_broadcast();
  const test::reader reader = subscribe(broadcast);
  publish_numbers(broadcast, 0, 2);
  void* room = nullptr;
  REQUIRE_OK(kith_broadcast_reserve(broadcast, 8, &room, 0));
  CHECK_OK(kith_broadcast_shutdown(broadcast));
  CHECK_OK(kith_broadcast_shutdown(broadcast));
  CHECK_STATUS(kith_broadcast_commit(broadcast, 8), KITH_E_CLOSED);
  CHECK_STATUS(test::publish(broadcast, {1, 2}), KITH_E_CLOSED);
  CHECK_STATUS(kith_broadcast_reserve(broadcast, 8, &room, KITH_FOREVER), KITH_E_CLOSED);
  mark is{};
  uint64_t missed = 0;
  for (uint64_t i = 0; i < 2; ++i) CHECK(number_of(reader) == i);
  CHECK_STATUS(test::next(reader, is, missed), KITH_E_CLOSED);
  CHECK_STATUS(test::next(reader, is, missed, 0), KITH_E_CLOSED);
  const test::reader late = subscribe(broadcast, 1);
  CHECK(number_of(late) == 1);
  CHECK_STATUS(test::next(late, is, missed), KITH_E_CLOSED);
}

TEST_CASE_FIXTURE(nothing_leaks, "a shutdown, and a close, bring back whoever waits") {
  const test::broadcast broadcast = make_broadcast(small, KITH_BROADCAST_HOLD);
  test::reader reader = subscribe(broadcast), slow = subscribe(broadcast);
  uint64_t published = 0;
  while (test::publish(broadcast, {1, published}, 0) == KITH_OK) ++published;
  for (uint64_t i = 0; i < published; ++i) CHECK(number_of(reader) == i);
  const auto wait_in = [](kith_reader* by) {
    mark is{};
    uint64_t missed = 0;
    return test::next(by, is, missed, KITH_FOREVER);
  };
  test::reader closed = subscribe(broadcast);
  test::sleeping_call closes([&, handle = closed.get()] { return wait_in(handle); });
  closed.close();
  CHECK_STATUS(closes.result(), KITH_E_CLOSED);
  test::sleeping_call reads([&] { return wait_in(reader); });
  test::sleeping_call writes([&] { return test::publish(broadcast, {1, 0}, KITH_FOREVER); });
  CHECK_OK(kith_broadcast_shutdown(broadcast));
  CHECK_STATUS(reads.result(), KITH_E_CLOSED);
  CHECK_STATUS(writes.result(), KITH_E_CLOSED);
}

TEST_CASE_FIXTURE(nothing_leaks, "a wait of a reader, and of a writer, can be cancelled") {
  const test::broadcast broadcast = make_broadcast(small, KITH_BROADCAST_HOLD);
  const test::reader reader = subscribe(broadcast);
  const test::cancel cancel = test::make_cancel();
  const auto by = [&](const std::function<kith_status()>& call) {
    return [&cancel, call] {
      CHECK_OK(kith_cancel_use(cancel));
      return call();
    };
  };
  mark is{};
  uint64_t missed = 0;
  test::sleeping_call reads(by([&] { return test::next(reader, is, missed, KITH_FOREVER); }));
  CHECK_OK(kith_cancel_fire(cancel));
  CHECK_STATUS(reads.result(), KITH_E_CANCELLED);
  CHECK_OK(kith_cancel_reset(cancel));
  uint64_t published = 0;
  while (test::publish(broadcast, {1, published}, 0) == KITH_OK) ++published;
  test::sleeping_call writes(by([&] { return test::publish(broadcast, {1, published}, KITH_FOREVER); }));
  CHECK_OK(kith_cancel_fire(cancel));
  CHECK_STATUS(writes.result(), KITH_E_CANCELLED);
  for (uint64_t i = 0; i < published; ++i) CHECK(number_of(reader) == i);
}

TEST_CASE_FIXTURE(nothing_leaks, "readers outlive the handle of their broadcast") {
  for (const uint32_t flags : {uint32_t{0}, uint32_t{KITH_BROADCAST_HOLD}}) {
    test::broadcast broadcast = make_broadcast(small, flags);
    const test::reader reader = subscribe(broadcast);
    publish_numbers(broadcast, 0, 3);
    kith_broadcast* const handle = broadcast.get();
    broadcast.close();
    for (uint64_t i = 0; i < 3; ++i) CHECK(number_of(reader) == i);
    CHECK(number_of(reader, KITH_E_TIMEOUT) == 77);
    CHECK_STATUS(test::publish(handle, {1, 1}), KITH_E_INVALID);
    CHECK(kith_broadcast_count(handle) == 0);
  }
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "a ring is a power of two, from 4096 to 2^30, and seats are for those who hold back") {
  for (const uint64_t size : {uint64_t{1}, uint64_t{2048}, uint64_t{4097}, uint64_t{12'288},
                              uint64_t{1} << 31, uint64_t{1} << 63, UINT64_MAX})
    CHECK_STATUS(create(size), KITH_E_INVALID);
  for (const uint64_t size : {uint64_t{0}, uint64_t{4096}, uint64_t{1} << 30}) CHECK_OK(create(size));
  CHECK_OK(create(4096, KITH_BROADCAST_HOLD, KITH_BROADCAST_MOST_READERS));
  CHECK_STATUS(create(4096, KITH_BROADCAST_HOLD, KITH_BROADCAST_MOST_READERS + 1), KITH_E_INVALID);
  CHECK_STATUS(create(4096, 0, 1), KITH_E_INVALID);
  CHECK_STATUS(create(4096, 2), KITH_E_UNSUPPORTED);
  CHECK_STATUS(kith_broadcast_create(nullptr, nullptr), KITH_E_INVALID);
}

TEST_CASE_FIXTURE(nothing_leaks, "what is no argument for a broadcast is refused, and changes nothing") {
  test::broadcast broadcast = make_broadcast();
  test::reader reader = subscribe(broadcast);
  char text[8] = {};
  size_t size = 77;
  void* room = test::untouched<void>();
  const void* data = test::untouched<void>();
  kith_reader* made = test::untouched<kith_reader>();
  CHECK_OK(kith_broadcast_publish(broadcast, "abc", 3, 0));
  CHECK_STATUS(kith_broadcast_publish(broadcast, nullptr, 1, 0), KITH_E_INVALID);
  CHECK_STATUS(kith_broadcast_publish(broadcast, text, 1, -2), KITH_E_INVALID);
  CHECK_STATUS(kith_broadcast_publish(nullptr, text, 1, 0), KITH_E_INVALID);
  CHECK_STATUS(kith_broadcast_reserve(broadcast, 1, nullptr, 0), KITH_E_INVALID);
  CHECK_STATUS(kith_broadcast_reserve(broadcast, 1, &room, -2), KITH_E_INVALID);
  CHECK_STATUS(kith_broadcast_subscribe(broadcast, -2, &made), KITH_E_INVALID);
  CHECK_STATUS(kith_broadcast_subscribe(broadcast, 0, nullptr), KITH_E_INVALID);
  CHECK_STATUS(kith_broadcast_subscribe(reinterpret_cast<kith_broadcast*>(reader.get()), 0, &made),
               KITH_E_MISMATCH);
  CHECK_STATUS(kith_reader_next(reader, nullptr, 1, &size, nullptr, 0), KITH_E_INVALID);
  CHECK_STATUS(kith_reader_next(reader, text, sizeof text, nullptr, nullptr, 0), KITH_E_INVALID);
  CHECK_STATUS(kith_reader_next(reader, text, sizeof text, &size, nullptr, -2), KITH_E_INVALID);
  CHECK_STATUS(kith_reader_peek(reader, nullptr, &size, nullptr, 0), KITH_E_INVALID);
  CHECK_STATUS(kith_reader_peek(reader, &data, nullptr, nullptr, 0), KITH_E_INVALID);
  CHECK_STATUS(kith_reader_next(reinterpret_cast<kith_reader*>(broadcast.get()), text, 8, &size, nullptr, 0),
               KITH_E_MISMATCH);
  CHECK((made == test::untouched<kith_reader>() && room == test::untouched<void>()));
  CHECK((data == test::untouched<void>() && size == 77));
  CHECK_OK(kith_reader_next(reader, text, sizeof text, &size, nullptr, INT64_MAX));
  CHECK(size == 3);
  kith_reader* const stale = reader.get();
  reader.close();
  kith_reader_close(stale);
  kith_reader_close(nullptr);
  kith_broadcast_close(nullptr);
  CHECK_STATUS(kith_reader_next(stale, text, sizeof text, &size, nullptr, 0), KITH_E_INVALID);
  CHECK_STATUS(kith_reader_consume(stale), KITH_E_INVALID);
  CHECK_STATUS(kith_reader_release(stale), KITH_E_INVALID);
  CHECK(kith_reader_pending(stale) == 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "of many threads that publish each reader gets all, those of one in order") {
  constexpr int writers = 3, readers = 2;
  const uint64_t count = static_cast<uint64_t>(test::repetitions(10'000));
  for (const uint32_t flags : {uint32_t{0}, uint32_t{KITH_BROADCAST_HOLD}}) {
    CAPTURE(flags);
    const test::broadcast broadcast = make_broadcast(16'384, flags);
    std::vector<test::reader> reading;
    for (int i = 0; i < readers; ++i) reading.push_back(subscribe(broadcast));
    std::atomic<int> failures = 0, writers_left = writers;
    test::in_threads(writers + readers, [&](int who) {
      if (who < writers) {
        for (uint64_t i = 0; i < count; ++i)
          failures += test::publish(broadcast, {static_cast<uint64_t>(who), i}) != KITH_OK;
        if (--writers_left == 0) CHECK_OK(kith_broadcast_shutdown(broadcast));
        return;
      }
      uint64_t least[writers] = {}, total = 0, missed = 0;
      mark is{};
      kith_status status = KITH_OK;
      kith_reader* const own = reading[static_cast<size_t>(who - writers)];
      while ((status = test::next(own, is, missed)) >= KITH_OK) {
        failures += is.maker >= writers || is.number < least[is.maker % writers];
        least[is.maker % writers] = is.number + 1;
        total += 1 + missed;
        failures += flags != 0 && missed != 0;
      }
      failures += status != KITH_E_CLOSED || total != writers * count;
    });
    CHECK(failures == 0);
  }
}
