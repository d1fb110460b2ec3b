// SPDX-License-Identifier: MIT
// The shortest ways of a broadcast (broadcast_publish_little, broadcast_take_little) leave out what is known already. What they must not leave out,
// check by check; and who is woken when.
#include <atomic>

#include "../broadcasts.h"
#include "broadcast_object.h"
#include "segment_object.h"
#include "shm/broadcast.h"

using namespace kith;
using test::bytes;
using test::make_broadcast;
using test::mark;
using test::nothing_leaks;
using test::subscribe;

namespace {

constexpr size_t small = 4096;
constexpr uint64_t frame = 64;
constexpr size_t fills_a_frame = 48;
constexpr uint32_t both[] = {0, KITH_BROADCAST_HOLD};

// The memory behind a handle of this process.
struct insides {
  explicit insides(kith_broadcast* broadcast) : pin(broadcast, object_kind::broadcast) {
    REQUIRE_OK(pin.status());
  }
  pinned<segment_object> pin;

  shm::broadcast_state& state() { return *reinterpret_cast<shm::broadcast_state*>(pin->segment().state); }
  // Of the header of the frame with that number, where all have the same size and none has wrapped.
  uint64_t* header(uint64_t number) {
    unsigned char* const ring = pin->segment().data + pin->segment().data_size - small;
    return reinterpret_cast<uint64_t*>(ring + number * frame);
  }
};

bytes message(uint64_t number, size_t size = fills_a_frame) { return test::noise(size, number); }

void publish(kith_broadcast* broadcast, uint64_t number, size_t size = fills_a_frame) {
  const bytes sent = message(number, size);
  CHECK_OK(kith_broadcast_publish(broadcast, sent.data(), sent.size(), 0));
}

void publish_many(kith_broadcast* broadcast, uint64_t from, uint64_t count) {
  for (uint64_t i = from; i < from + count; ++i) publish(broadcast, i);
}

kith_status take(kith_reader* reader, bytes& out, uint64_t* missed = nullptr, size_t capacity = 200) {
  out.resize(capacity);
  size_t size = 0;
  const kith_status status = kith_reader_next(reader, out.data(), out.size(), &size, missed, 0);
  out.resize(status >= KITH_OK ? size : 0);
  return status;
}

void take_many(kith_reader* reader, uint64_t from, uint64_t count) {
  bytes taken;
  uint64_t missed = 77;
  for (uint64_t i = from; i < from + count; ++i) {
    CHECK_OK(take(reader, taken, &missed));
    CHECK(taken == message(i));
    CHECK(missed == 0);
  }
}

void expect_nothing(kith_reader* reader) {
  bytes none;
  CHECK_STATUS(take(reader, none), KITH_E_TIMEOUT);
}

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks, "known messages that were looked at, and taken so, are not taken again") {
  for (const uint32_t flags : both) {
    const test::broadcast broadcast = make_broadcast(small, flags);
    const test::reader reader = subscribe(broadcast);
    publish_many(broadcast, 0, 4);
    take_many(reader, 0, 1);
    const void* data = nullptr;
    size_t size = 0;
    CHECK_OK(kith_reader_peek(reader, &data, &size, nullptr, 0));
    bytes none;
    CHECK_STATUS(take(reader, none), KITH_E_DEADLOCK);
    CHECK_OK(kith_reader_consume(reader));
    take_many(reader, 2, 2);
    expect_nothing(reader);
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "a known message that is larger than the buffer stays") {
  for (const uint32_t flags : both) {
    const test::broadcast broadcast = make_broadcast(small, flags);
    const test::reader reader = subscribe(broadcast);
    publish_many(broadcast, 0, 3);
    take_many(reader, 0, 1);
    bytes none;
    CHECK_STATUS(take(reader, none, nullptr, fills_a_frame - 1), KITH_E_TOO_LARGE);
    take_many(reader, 1, 2);
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "known messages that are overwritten are counted as missed") {
  const test::broadcast broadcast = make_broadcast(small);
  for (uint64_t known = 2; known < 40; ++known) {
    const test::reader reader = subscribe(broadcast);
    const uint64_t first = kith_broadcast_count(broadcast);
    publish_many(broadcast, first, known);
    take_many(reader, first, 1);
    publish_many(broadcast, first + known, 200);
    bytes taken;
    uint64_t missed = 0;
    CHECK_STATUS(take(reader, taken, &missed), KITH_MISSED);
    CHECK(missed >= 1 + known + 200 - 1 - small / frame - 1);
    CHECK(taken == message(first + 1 + missed));
    take_many(reader, first + 2 + missed, known + 200 - 2 - missed);
    expect_nothing(reader);
  }
}

// A writer raises `tail` before it writes: what is being written has an old number still, or a new one already, or neither.
TEST_CASE_FIXTURE(nothing_leaks, "a known message that is just being overwritten is not taken") {
  const test::broadcast broadcast = make_broadcast(small);
  insides inside(broadcast);
  const test::reader reader = subscribe(broadcast);
  publish_many(broadcast, 0, 4);
  take_many(reader, 0, 1);
  inside.state().tail.store(3 * frame);
  bytes taken;
  uint64_t missed = 0;
  CHECK_STATUS(take(reader, taken, &missed), KITH_MISSED);
  CHECK(missed == 2);
  CHECK(taken == message(3));
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "what a known message has become in bad hands is told, and no byte too many is read") {
  // Two frames of 64 bytes are there: too small for 120 bytes and a header. Then what is no size, and what is no number of a message that comes now.
  const std::pair<uint64_t, uint64_t> headers[] = {
      {120, 1}, {4096, 1}, {UINT64_MAX, 1}, {UINT64_MAX - 15, 1}, {uint64_t{1} << 63, 1}, {fills_a_frame, 0}};
  for (const uint32_t flags : both) {
    for (const auto& [claimed, number] : headers) {
      CAPTURE(claimed);
      const test::broadcast broadcast = make_broadcast(small, flags);
      insides inside(broadcast);
      const test::reader reader = subscribe(broadcast);
      publish_many(broadcast, 0, 3);
      take_many(reader, 0, 1);
      inside.header(1)[0] = claimed;
      inside.header(1)[1] = number;
      unsigned char buffer[256] = {};
      size_t size = 77;
      // The buffer is said to have room for anything.
      CHECK_STATUS(kith_reader_next(reader, buffer, SIZE_MAX, &size, nullptr, 0), KITH_E_PROTOCOL);
      CHECK(size == 77);
      CHECK(std::all_of(buffer, buffer + sizeof buffer, [](unsigned char each) { return each == 0; }));
      inside.header(1)[0] = fills_a_frame;
      inside.header(1)[1] = 12;
      bytes taken;
      uint64_t missed = 0;
      CHECK_STATUS(take(reader, taken, &missed), KITH_MISSED);
      CHECK(missed == 11);
    }
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "a known message does not go on behind the end of the ring") {
  for (const uint32_t flags : both) {
    const test::broadcast broadcast = make_broadcast(small, flags);
    insides inside(broadcast);
    const test::reader reader = subscribe(broadcast);
    constexpr uint64_t last = small / frame - 1;
    publish_many(broadcast, 0, last - 1);
    take_many(reader, 0, last - 1);
    publish_many(broadcast, last - 1, 6);
    take_many(reader, last - 1, 1);
    inside.header(last)[0] = 120;  // so many are there, but not in one piece
    unsigned char buffer[256];
    size_t size = 77;
    CHECK_STATUS(kith_reader_next(reader, buffer, sizeof buffer, &size, nullptr, 0), KITH_E_PROTOCOL);
    CHECK(size == 77);
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "a writer that others have overtaken goes on behind them") {
  for (const uint32_t flags : both) {
    const test::broadcast broadcast = make_broadcast(2 * small, flags);
    const test::reader reader = subscribe(broadcast);
    uint64_t published = 0, read = 0;
    const auto publish_some = [&](uint64_t count) {
      publish_many(broadcast, published, count);
      published += count;
      take_many(reader, read, published - read);
      read = published;
    };
    for (uint64_t round = 0; round < 4; ++round) {
      for (int i = 0; i < 50; ++i) publish_some(1 + static_cast<uint64_t>(i % 7));
      // The favour is withdrawn, and won again with the last of these turns.
      std::thread([&] { publish_some(round + 1); }).join();
    }
    expect_nothing(reader);
    CHECK(kith_broadcast_count(broadcast) == published);
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "one who is at the common paths finds the broadcast shut down") {
  for (const uint32_t flags : both) {
    const test::broadcast broadcast = make_broadcast(small, flags);
    const test::reader reader = subscribe(broadcast);
    publish_many(broadcast, 0, 8);
    CHECK_OK(kith_broadcast_shutdown(broadcast));
    CHECK_STATUS(kith_broadcast_publish(broadcast, "x", 1, 0), KITH_E_CLOSED);
    take_many(reader, 0, 8);
    bytes none;
    CHECK_STATUS(take(reader, none), KITH_E_CLOSED);
  }
}

// Each of them with all sizes that the shortest ways take, and some that they leave to others.
TEST_CASE_FIXTURE(nothing_leaks, "each writer keeps to the room that there is, to the byte") {
  const test::broadcast broadcast = make_broadcast(small, KITH_BROADCAST_HOLD);
  const test::reader reader = subscribe(broadcast);
  uint64_t seed = 11, published = 0, read = 0;
  std::vector<size_t> sizes;
  for (int round = 0; round < 3'000; ++round) {
    const size_t size = static_cast<size_t>(test::next_random(seed) % 140);
    const bytes sent = message(published, size);
    const kith_status status = kith_broadcast_publish(broadcast, sent.data(), size, 0);
    if (status == KITH_OK) {
      sizes.push_back(size);
      ++published;
      continue;
    }
    CHECK_STATUS(status, KITH_E_TIMEOUT);
    for (uint64_t count = 1 + test::next_random(seed) % 20; count != 0 && read != published; --count) {
      bytes taken;
      CHECK_OK(take(reader, taken));
      CHECK(taken == message(read, sizes[read]));
      ++read;
    }
  }
  CHECK(read > 100);
}

TEST_CASE_FIXTURE(nothing_leaks, "two threads that share a reader have each message once") {
  const uint64_t count = static_cast<uint64_t>(test::repetitions(20'000));
  const test::broadcast broadcast = make_broadcast(0, KITH_BROADCAST_HOLD);
  const test::reader reader = subscribe(broadcast);
  std::atomic<uint64_t> sum{0}, taken{0}, failures{0};
  test::in_threads(3, [&](int who) {
    for (uint64_t i = 0; who == 0 && i < count; ++i) failures += test::publish(broadcast, {1, i}) != KITH_OK;
    if (who == 0) {
      CHECK_OK(kith_broadcast_shutdown(broadcast));
      return;
    }
    for (;;) {
      mark is{};
      uint64_t missed = 0;
      const kith_status status = test::next(reader, is, missed, 0);
      if (status == KITH_E_CLOSED) break;
      if (status == KITH_E_BUSY || status == KITH_E_TIMEOUT) continue;
      failures += status != KITH_OK || missed != 0;
      sum += is.number;
      ++taken;
    }
  });
  CHECK(failures == 0);
  CHECK(taken == count);
  CHECK(sum == count * (count - 1) / 2);
}

// The favourite of a reader copies without a lock.
TEST_CASE_FIXTURE(nothing_leaks,
                  "whoever else takes a turn, or closes the reader, waits for one that copies") {
  const test::broadcast broadcast = make_broadcast(small);
  test::reader reader = subscribe(broadcast);
  publish_many(broadcast, 0, 3);
  take_many(reader, 0, 1);
  object* found = nullptr;
  REQUIRE_OK(handle_find(reader, object_kind::reader, found));
  bias& turns = static_cast<reader_object*>(found)->turns;
  const auto waits_for_us = [&](auto call) {
    bias::seat* seat = nullptr;
    REQUIRE(turns.enter(seat));
    std::atomic<bool> is_over{false};
    std::thread other([&] {
      call();
      is_over.store(true);
    });
    test::let_it_sleep();
    CHECK(!is_over.load());
    seat->leave();
    other.join();
  };
  waits_for_us([&] { take_many(reader, 1, 1); });
  take_many(reader, 2, 1);
  for (int i = 0; i < 20; ++i) expect_nothing(reader);  // the favourite again
  waits_for_us([&] { reader.close(); });
}

// A reader that is ahead of the others would wake the writers with each message that it reads, for nothing.
TEST_CASE_FIXTURE(nothing_leaks, "who waits for room is left to sleep until the last reader has made it") {
  const test::broadcast broadcast = make_broadcast(small, KITH_BROADCAST_HOLD);
  insides inside(broadcast);
  const test::reader fast = subscribe(broadcast), slow = subscribe(broadcast);
  uint64_t published = 0;
  for (; kith_broadcast_publish(broadcast, message(published).data(), fills_a_frame, 0) == KITH_OK;)
    ++published;
  std::thread waits([&] {
    const bytes sent = message(published);
    CHECK_OK(kith_broadcast_publish(broadcast, sent.data(), sent.size(), test::generous));
  });
  while (inside.state().writers.load() == 0) std::this_thread::yield();
  for (uint64_t i = 0; i < published; ++i) {
    take_many(fast, i, 1);
    CHECK(inside.state().writers.load() == 1);
  }
  take_many(slow, 0, published);
  waits.join();
  take_many(slow, published, 1);
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "who waits for room is woken when it is worth while, and not before there is room") {
  struct {
    uint64_t filled;                           // frames
    size_t size;                               // of the message that finds no room
    uint64_t enough;                           // frames to be read
  } const cases[] = {{63, fills_a_frame, 15},  // a quarter of the ring is free
                     {50, 992, 16}};           // it must lie in one piece, so it begins where the ring does
  for (const auto& each : cases) {
    const test::broadcast broadcast = make_broadcast(small, KITH_BROADCAST_HOLD);
    insides inside(broadcast);
    const test::reader reader = subscribe(broadcast);
    publish_many(broadcast, 0, each.filled);
    const bytes sent = message(each.filled, each.size);
    CHECK_STATUS(kith_broadcast_publish(broadcast, sent.data(), sent.size(), 0), KITH_E_TIMEOUT);
    inside.state().writers.store(0);
    std::thread waits(
        [&] { CHECK_OK(kith_broadcast_publish(broadcast, sent.data(), sent.size(), test::generous)); });
    while (inside.state().writers.load() == 0) std::this_thread::yield();
    for (uint64_t i = 0; i < each.enough - 1; ++i) {
      take_many(reader, i, 1);
      CHECK(inside.state().writers.load() == 1);
    }
    take_many(reader, each.enough - 1, 1);
    waits.join();
  }
}
