// SPDX-License-Identifier: MIT
// Messages: order, sizes, deadlines. How a channel ends is in test_channel_end.cpp.
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <set>

#include "support.h"

using test::nothing_leaks;

namespace {

constexpr uint64_t small_ring = 4096;

// Sends back what it receives, until the other end is closed.
int32_t send_back(const void*, size_t) {
  test::channel line;
  CHILD_NEEDS(kith_channel_inherit("line", line.out()) == KITH_OK);
  std::vector<unsigned char> message;
  for (;;) {
    const kith_status status = test::receive(line, message);
    if (status == KITH_E_CLOSED) return 0;
    CHILD_NEEDS(status == KITH_OK);
    CHILD_NEEDS(kith_channel_send(line, message.data(), message.size(), test::generous) == KITH_OK);
  }
}

constexpr int flood = 2000;

size_t flood_size(uint64_t& state) { return test::next_random(state) % 3000; }

// Sends `flood` messages of random sizes, whose first bytes are their number, and receives as many at the same time.
std::string flood_both_ways(kith_channel* line, uint64_t seed_out, uint64_t seed_in) {
  std::string wrong;
  std::thread sender([&] {
    for (uint64_t i = 0, state = seed_out; i < flood; ++i) {
      const std::vector<unsigned char> message = test::noise(flood_size(state), i + seed_out);
      if (kith_channel_send(line, message.data(), message.size(), test::generous) != KITH_OK)
        wrong = "send failed";
    }
  });
  std::vector<unsigned char> message;
  std::string wrong_here;
  for (uint64_t i = 0, state = seed_in; i < flood && wrong_here.empty(); ++i) {
    const kith_status status = test::receive(line, message);
    if (status != KITH_OK) wrong_here = kith_status_name(status);
    if (message != test::noise(flood_size(state), i + seed_in)) wrong_here += " message " + std::to_string(i);
  }
  sender.join();
  return wrong + wrong_here;
}

int32_t flood_child(const void*, size_t) {
  test::channel line;
  CHILD_NEEDS(kith_channel_inherit("line", line.out()) == KITH_OK);
  CHILD_NEEDS(flood_both_ways(line, 2, 1) == "");
  return 0;
}

kith_status send_number(kith_channel* channel, uint32_t number, int64_t timeout_ms) {
  return kith_channel_send(channel, &number, sizeof number, timeout_ms);
}

kith_status receive_number(kith_channel* channel, uint32_t& number, int64_t timeout_ms = test::generous) {
  size_t size = 0;
  return kith_channel_recv(channel, &number, sizeof number, &size, timeout_ms);
}

// Fills the way from a to b with numbers from 0 on. Gives how many went in.
uint32_t fill(kith_channel* channel) {
  uint32_t sent = 0;
  while (send_number(channel, sent, 0) == KITH_OK) ++sent;
  return sent;
}

void check_sizes_to_a_child(const std::vector<size_t>& sizes, uint64_t ring_size) {
  test::channel_pair line = test::make_channel(ring_size);
  test::process child = test::start(send_back, {{"line", line.b}});
  std::vector<unsigned char> back;
  for (const size_t size : sizes) {
    CAPTURE(size);
    const std::vector<unsigned char> message = test::noise(size, size);
    REQUIRE_OK(kith_channel_send(line.a, message.data(), message.size(), test::generous));
    REQUIRE_OK(test::receive(line.a, back));
    CHECK((back == message));
  }
  line.a.close();
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
}

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks, "messages arrive in order, whole, once, in both directions") {
  test::channel_pair line = test::make_channel();
  for (uint32_t i = 0; i < 100; ++i) {
    CHECK_OK(send_number(line.a, i, 0));
    CHECK_OK(send_number(line.b, 1000 + i, 0));
  }
  uint32_t number = 0;
  for (uint32_t i = 0; i < 100; ++i) {
    CHECK_OK(receive_number(line.b, number));
    CHECK(number == i);
    CHECK_OK(receive_number(line.a, number));
    CHECK(number == 1000 + i);
  }
  CHECK_STATUS(receive_number(line.a, number, 0), KITH_E_TIMEOUT);
  CHECK_STATUS(receive_number(line.b, number, 0), KITH_E_TIMEOUT);
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "messages of every size reach a child and come back, through the smallest ring") {
  check_sizes_to_a_child({0, 1, 15, 16, 17, small_ring - 17, small_ring - 16, small_ring - 15, small_ring - 1,
                          small_ring, small_ring + 1, 2 * small_ring, 65'535, 65'536, 65'537, 1 << 20},
                         small_ring);
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "messages of every size reach a child and come back, through the usual ring") {
  check_sizes_to_a_child(
      {0, 1, 65'519, 65'520, 65'521, 65'535, 65'536, 65'537, 1 << 20, (1 << 20) + 1, 1 << 24}, 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "messages around two gigabytes reach the other end") {
  if (std::getenv("KITH_TEST_BIG") == nullptr)
    SKIP_CASE("takes 4 GiB of memory: set KITH_TEST_BIG to run it");
  for (const size_t size : {(size_t{1} << 31) - 1, size_t{1} << 31, (size_t{1} << 31) + 1}) {
    CAPTURE(size);
    test::channel_pair line = test::make_channel(1 << 20);
    std::vector<unsigned char> message(size);
    for (size_t i = 0; i < size; i += 4093) message[i] = static_cast<unsigned char>(i);
    std::thread sender([&] { kith_channel_send(line.a, message.data(), size, KITH_FOREVER); });
    std::vector<unsigned char> seen;
    CHECK_OK(test::receive(line.b, seen, KITH_FOREVER));
    sender.join();
    CHECK((seen == message));
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "two processes that flood each other lose nothing") {
  for (const uint64_t ring_size : {uint64_t{0}, small_ring}) {
    test::channel_pair line = test::make_channel(ring_size);
    test::process child = test::start(flood_child, {{"line", line.b}});
    CHECK(flood_both_ways(line.a, 1, 2) == "");
    CHECK_EXIT(child, KITH_EXIT_CODE, 0);
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "a message of no bytes is a message") {
  test::channel_pair line = test::make_channel();
  CHECK_OK(kith_channel_send(line.a, nullptr, 0, 0));
  CHECK_OK(kith_channel_send(line.a, "x", 0, 0));
  CHECK_OK(kith_channel_send(line.a, "x", 1, 0));
  size_t size = 77;
  CHECK_OK(kith_channel_recv(line.b, nullptr, 0, &size, test::generous));
  CHECK(size == 0);
  CHECK_OK(kith_channel_recv(line.b, nullptr, 0, &size, test::generous));
  CHECK(size == 0);
  CHECK(test::hear(line.b, "x"));
}

TEST_CASE_FIXTURE(nothing_leaks, "a message larger than the buffer is kept, and its size told") {
  for (const size_t length : {size_t{100}, size_t{10'000}, size_t{100'000}}) {
    CAPTURE(length);
    test::channel_pair line = test::make_channel(small_ring);
    const std::vector<unsigned char> message = test::noise(length, 1);
    std::thread sender([&] {
      kith_channel_send(line.a, message.data(), message.size(), test::generous);
      test::tell(line.a, "next");
    });
    std::vector<unsigned char> buffer(length + 1, 0xAA);
    for (const size_t capacity : {size_t{0}, size_t{1}, length - 1}) {
      size_t size = 0;
      CHECK_STATUS(
          kith_channel_recv(line.b, capacity == 0 ? nullptr : buffer.data(), capacity, &size, test::generous),
          KITH_E_TOO_LARGE);
      CHECK(size == length);
    }
    CHECK(buffer[0] == 0xAA);  // nothing was written
    size_t size = 0;
    CHECK_OK(kith_channel_recv(line.b, buffer.data(), length, &size, test::generous));
    CHECK(size == length);
    CHECK(std::memcmp(buffer.data(), message.data(), length) == 0);
    CHECK(buffer[length] == 0xAA);
    CHECK(test::hear(line.b, "next"));
    sender.join();
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "a receive polls, or waits until the deadline") {
  test::channel_pair line = test::make_channel();
  size_t size = 77;
  char buffer[8];
  CHECK_STATUS(kith_channel_recv(line.a, buffer, sizeof buffer, &size, 0), KITH_E_TIMEOUT);
  const uint64_t began = test::now_ms();
  CHECK_STATUS(kith_channel_recv(line.a, buffer, sizeof buffer, &size, 50), KITH_E_TIMEOUT);
  CHECK(test::now_ms() - began >= 49);
  CHECK(size == 77);
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "a message that found no room by its deadline never appears, and the channel goes on") {
  for (const int64_t timeout : {0, 50}) {
    CAPTURE(timeout);
    test::channel_pair line = test::make_channel(small_ring);
    const uint32_t sent = fill(line.a);
    CHECK(sent > 50);
    const uint64_t began = test::now_ms();
    CHECK_STATUS(send_number(line.a, 123'456, timeout), KITH_E_TIMEOUT);
    CHECK(test::now_ms() - began + 1 >= static_cast<uint64_t>(timeout));

    uint32_t number = 0;
    CHECK_OK(receive_number(line.b, number));
    CHECK(number == 0);
    CHECK_OK(send_number(line.a, sent, test::generous));
    for (uint32_t i = 1; i <= sent; ++i) {
      REQUIRE_OK(receive_number(line.b, number));
      CHECK(number == i);
    }
    CHECK_STATUS(receive_number(line.b, number, 0), KITH_E_TIMEOUT);
  }
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "a large message that was given up half way never appears, and the channel goes on") {
  for (const int64_t timeout : {0, 50}) {
    CAPTURE(timeout);
    test::channel_pair line = test::make_channel(small_ring);
    const std::vector<unsigned char> large = test::noise(100'000, 1);
    CHECK(test::tell(line.a, "before"));
    CHECK_STATUS(kith_channel_send(line.a, large.data(), large.size(), timeout), KITH_E_TIMEOUT);
    CHECK(test::hear(line.b, "before"));
    uint32_t number = 0;
    CHECK_STATUS(receive_number(line.b, number, 0), KITH_E_TIMEOUT);
    CHECK(test::tell(line.a, "after"));
    CHECK(test::hear(line.b, "after"));

    // And a second large one right behind a part of a first one.
    CHECK_STATUS(kith_channel_send(line.a, large.data(), large.size(), 1), KITH_E_TIMEOUT);
    std::thread sender([&] { kith_channel_send(line.a, large.data(), large.size() - 1, test::generous); });
    std::vector<unsigned char> seen;
    CHECK_OK(test::receive(line.b, seen));
    sender.join();
    CHECK((seen == std::vector<unsigned char>(large.begin(), large.end() - 1)));
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "a send that does not wait begins no message that it cannot end") {
  test::channel_pair line = test::make_channel(4096);
  kith_wait_item item{};
  item.object = line.b;
  for (const size_t size : {size_t{4'081}, size_t{5'000}, size_t{200'000}}) {
    CAPTURE(size);
    const std::vector<unsigned char> large(size);
    CHECK_STATUS(kith_channel_send(line.a, large.data(), size, 0), KITH_E_TIMEOUT);
    size_t ready = 0;
    CHECK_STATUS(kith_wait_any(&item, 1, &ready, 0), KITH_E_TIMEOUT);
  }
  const std::vector<unsigned char> fits = test::noise(4'080, 1);
  REQUIRE_OK(kith_channel_send(line.a, fits.data(), fits.size(), 0));
  std::vector<unsigned char> got;
  REQUIRE_OK(test::receive(line.b, got));
  CHECK(got == fits);
}

TEST_CASE_FIXTURE(nothing_leaks, "a receive that gives up amid a large message gets it whole later") {
  test::channel_pair line = test::make_channel(small_ring);
  const std::vector<unsigned char> large = test::noise(1 << 20, 1);
  std::vector<unsigned char> seen(large.size());
  size_t size = 0;
  std::thread sender([&] { kith_channel_send(line.a, large.data(), large.size(), test::generous); });
  int given_up = 0;
  kith_status status = KITH_E_TIMEOUT;
  for (const uint64_t end = test::now_ms() + test::generous; test::now_ms() < end;) {
    status = kith_channel_recv(line.b, seen.data(), seen.size(), &size, 0);
    if (status != KITH_E_TIMEOUT) break;
    ++given_up;
  }
  sender.join();
  CHECK_OK(status);
  CHECK(given_up > 0);
  CHECK(size == large.size());
  CHECK((seen == large));
}

TEST_CASE_FIXTURE(nothing_leaks, "the messages of eight threads do not mix") {
  constexpr int threads = 8;
  constexpr uint32_t each = 300;
  test::channel_pair line = test::make_channel(small_ring);
  std::atomic<int> failures = 0;
  std::thread senders([&] {
    test::in_threads(threads, [&](int thread) {
      for (uint32_t i = 0; i < each; ++i) {
        // Every seventh does not fit into the ring.
        const size_t size = i % 7 == 0 ? 10'000 : 100;
        std::vector<uint32_t> message(size / 4, i);
        message[0] = static_cast<uint32_t>(thread);
        failures += kith_channel_send(line.a, message.data(), size, test::generous) != KITH_OK;
      }
    });
  });
  uint32_t next[threads] = {};
  std::vector<unsigned char> bytes;
  for (uint32_t i = 0; i < threads * each; ++i) {
    REQUIRE_OK(test::receive(line.b, bytes));
    std::vector<uint32_t> message(bytes.size() / 4);
    std::memcpy(message.data(), bytes.data(), bytes.size());
    REQUIRE(message.at(0) < threads);
    const uint32_t expected = next[message[0]]++;
    CHECK(message.size() == (expected % 7 == 0 ? 2500 : 25));
    for (size_t word = 1; word < message.size(); ++word) failures += message[word] != expected;
  }
  senders.join();
  CHECK(failures == 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "of eight threads that receive, each message goes to one") {
  constexpr uint32_t messages = 4000;
  test::channel_pair line = test::make_channel(small_ring);
  std::vector<std::atomic<int>> seen(messages);
  std::atomic<int> failures = 0;
  std::thread receivers([&] {
    test::in_threads(8, [&](int) {
      uint32_t number = 0;
      kith_status status;
      while ((status = receive_number(line.b, number)) == KITH_OK) ++seen[number];
      failures += status != KITH_E_CLOSED;
    });
  });
  for (uint32_t i = 0; i < messages; ++i) CHECK_OK(send_number(line.a, i, test::generous));
  line.a.close();
  receivers.join();
  CHECK(failures == 0);
  for (const std::atomic<int>& times : seen) CHECK(times == 1);
}

TEST_CASE_FIXTURE(nothing_leaks, "what is no ring size is refused") {
  auto options = test::defaults<kith_channel_options>();
  kith_channel* a = test::untouched<kith_channel>();
  kith_channel* b = test::untouched<kith_channel>();
  for (const uint64_t size : {uint64_t{1}, uint64_t{2048}, uint64_t{4095}, uint64_t{4097}, uint64_t{12'288},
                              uint64_t{1} << 31, uint64_t{1} << 63, UINT64_MAX}) {
    CAPTURE(size);
    options.ring_size = size;
    CHECK_STATUS(kith_channel_create(&options, &a, &b), KITH_E_INVALID);
  }
  CHECK_STATUS(kith_channel_create(nullptr, nullptr, &b), KITH_E_INVALID);
  CHECK_STATUS(kith_channel_create(nullptr, &a, nullptr), KITH_E_INVALID);
  CHECK(a == test::untouched<kith_channel>());
  CHECK(b == test::untouched<kith_channel>());
}

TEST_CASE_FIXTURE(nothing_leaks, "rings from the smallest to a large one work") {
  for (const uint64_t size : {small_ring, uint64_t{1} << 16, uint64_t{1} << 22}) {
    test::channel_pair line = test::make_channel(size);
    CHECK(test::tell(line.a, "hello"));
    CHECK(test::hear(line.b, "hello"));
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "a send or receive without what it needs is refused") {
  test::channel_pair line = test::make_channel();
  char buffer[8] = "";
  size_t size = 77;
  CHECK_STATUS(kith_channel_send(nullptr, buffer, 1, 0), KITH_E_INVALID);
  CHECK_STATUS(kith_channel_send(line.a, nullptr, 1, 0), KITH_E_INVALID);
  CHECK_STATUS(kith_channel_send(line.a, buffer, 1, -2), KITH_E_INVALID);
  CHECK_STATUS(kith_channel_recv(nullptr, buffer, 8, &size, 0), KITH_E_INVALID);
  CHECK_STATUS(kith_channel_recv(line.b, nullptr, 8, &size, 0), KITH_E_INVALID);
  CHECK_STATUS(kith_channel_recv(line.b, buffer, 8, nullptr, 0), KITH_E_INVALID);
  CHECK_STATUS(kith_channel_recv(line.b, buffer, 8, &size, INT64_MIN), KITH_E_INVALID);
  CHECK(size == 77);
  CHECK_STATUS(kith_channel_recv(line.b, buffer, 8, &size, 0), KITH_E_TIMEOUT);  // and nothing was sent
  kith_channel_close(nullptr);
}
