// SPDX-License-Identifier: MIT
// Several messages in one call.
#include <atomic>
#include <cstring>

#include "support.h"

using test::nothing_leaks;

namespace {

constexpr uint64_t small_ring = 4096;

struct batch {
  std::vector<unsigned char> bytes;
  std::vector<size_t> sizes;

  void add(const std::vector<unsigned char>& message) {
    bytes.insert(bytes.end(), message.begin(), message.end());
    sizes.push_back(message.size());
  }
  std::vector<unsigned char> at(size_t index) const {
    std::ptrdiff_t begin = 0;
    for (size_t i = 0; i < index; ++i) begin += static_cast<std::ptrdiff_t>(sizes[i]);
    return {bytes.begin() + begin, bytes.begin() + begin + static_cast<std::ptrdiff_t>(sizes[index])};
  }
  kith_status send(kith_channel* channel, size_t& sent, int64_t timeout_ms) const {
    return kith_channel_send_many(channel, bytes.data(), sizes.data(), sizes.size(), &sent, timeout_ms);
  }
};

batch numbered(size_t count, size_t size) {
  batch made;
  for (size_t i = 0; i < count; ++i) made.add(test::noise(size, i));
  return made;
}

// Receives in batches, and sends back in batches, until the other end is closed.
int32_t send_batches_back(const void*, size_t) {
  test::channel line;
  CHILD_NEEDS(kith_channel_inherit("line", line.out()) == KITH_OK);
  std::vector<unsigned char> bytes(1 << 16);
  std::vector<size_t> sizes(50);
  for (;;) {
    size_t count = 0;
    kith_status status = kith_channel_recv_many(line, bytes.data(), bytes.size(), sizes.data(), sizes.size(),
                                                &count, test::generous);
    if (status == KITH_E_CLOSED) return 0;
    if (status == KITH_E_TOO_LARGE) {
      bytes.resize(sizes[0]);
      continue;
    }
    CHILD_NEEDS(status == KITH_OK);
    CHILD_NEEDS(count > 0 && count <= sizes.size());
    CHILD_NEEDS(kith_channel_send_many(line, bytes.data(), sizes.data(), count, nullptr, test::generous) ==
                KITH_OK);
  }
}

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks, "a batch arrives as the messages that it is made of") {
  test::channel_pair line = test::make_channel();
  const batch messages = numbered(100, 100);
  for (int round = 0; round < 20; ++round) {
    size_t sent = 77;
    REQUIRE_OK(messages.send(line.a, sent, 0));
    CHECK(sent == 100);
    std::vector<unsigned char> seen;
    for (size_t i = 0; i < 100; ++i) {
      REQUIRE_OK(test::receive(line.b, seen, 0));
      REQUIRE((seen == messages.at(i)));
    }
  }
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "a batch is received at once, as far as it is there, fits, and was asked for") {
  test::channel_pair line = test::make_channel();
  const batch messages = numbered(10, 100);
  for (int round = 0; round < 3; ++round) {
    size_t sent = 0;
    REQUIRE_OK(messages.send(line.a, sent, 0));
    std::vector<unsigned char> bytes(1000);
    size_t sizes[20] = {};
    size_t count = 77;
    REQUIRE_OK(kith_channel_recv_many(line.b, bytes.data(), 1000, sizes, 3, &count, 0));
    CHECK(count == 3);
    REQUIRE_OK(kith_channel_recv_many(line.b, bytes.data(), 499, sizes, 20, &count, 0));
    CHECK(count == 4);
    CHECK(std::memcmp(bytes.data(), messages.at(3).data(), 100) == 0);
    CHECK(std::memcmp(bytes.data() + 300, messages.at(6).data(), 100) == 0);
    REQUIRE_OK(kith_channel_recv_many(line.b, bytes.data(), 1000, sizes, 20, &count, 0));
    CHECK(count == 3);
    for (size_t i = 0; i < 3; ++i) CHECK(sizes[i] == 100);
    count = 77;
    CHECK_STATUS(kith_channel_recv_many(line.b, bytes.data(), 1000, sizes, 20, &count, 0), KITH_E_TIMEOUT);
    CHECK_STATUS(kith_channel_recv_many(line.b, bytes.data(), 1000, sizes, 20, &count, 20), KITH_E_TIMEOUT);
    CHECK(count == 77);
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "a first message larger than the buffer is kept, and its size told") {
  test::channel_pair line = test::make_channel(small_ring);
  for (const size_t length : {size_t{100}, size_t{2000}}) {
    CAPTURE(length);
    const std::vector<unsigned char> message = test::noise(length, 1);
    REQUIRE_OK(kith_channel_send(line.a, message.data(), length, 0));
    CHECK(test::tell(line.a, "next"));
    std::vector<unsigned char> bytes(length + 4);
    size_t sizes[4] = {};
    size_t count = 77;
    CHECK_STATUS(kith_channel_recv_many(line.b, bytes.data(), length - 1, sizes, 4, &count, 0),
                 KITH_E_TOO_LARGE);
    CHECK(sizes[0] == length);
    CHECK(count == 77);
    REQUIRE_OK(kith_channel_recv_many(line.b, bytes.data(), bytes.size(), sizes, 4, &count, 0));
    CHECK(count == 2);
    CHECK(std::memcmp(bytes.data(), message.data(), length) == 0);
    CHECK(std::memcmp(bytes.data() + length, "next", 4) == 0);
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "a batch that finds no room is sent in part, and the part is told") {
  for (const int64_t timeout : {0, 50}) {
    CAPTURE(timeout);
    test::channel_pair line = test::make_channel(small_ring);
    const batch messages = numbered(100, 100);
    size_t sent = 77;
    CHECK_STATUS(messages.send(line.a, sent, timeout), KITH_E_TIMEOUT);
    CHECK(sent == small_ring / 128);
    std::vector<unsigned char> seen;
    for (size_t i = 0; i < sent; ++i) {
      REQUIRE_OK(test::receive(line.b, seen, 0));
      CHECK((seen == messages.at(i)));
    }
    size_t size = 0;
    CHECK_STATUS(kith_channel_recv(line.b, nullptr, 0, &size, 0), KITH_E_TIMEOUT);
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "batches of messages of every size go to a child and back") {
  for (const uint32_t flags : {0u, uint32_t{KITH_CHANNEL_LOW_CPU}}) {
    for (const uint64_t ring : {small_ring, uint64_t{0}}) {
      CAPTURE(ring);
      test::channel_pair line = test::make_channel(ring, flags);
      test::process child = test::start(send_batches_back, {{"line", line.b}});
      batch messages;
      for (const size_t size :
           std::initializer_list<size_t>{0, 1, small_ring - 1, small_ring, small_ring + 1, 65'535, 65'536,
                                         65'537, size_t{1} << 20, size_t{1} << 24}) {
        messages.add(test::noise(size, size));
      }
      for (size_t i = 0; i < 3000; ++i) messages.add(test::noise(i % 300, i));
      std::thread sender([&] {
        size_t sent = 0;
        CHECK_OK(messages.send(line.a, sent, test::generous));
        CHECK(sent == messages.sizes.size());
      });
      std::vector<unsigned char> seen;
      size_t offset = 0;
      int wrong = 0;
      for (const size_t size : messages.sizes) {
        REQUIRE_OK(test::receive(line.a, seen));
        wrong += seen.size() != size ||
                 (size != 0 && std::memcmp(seen.data(), messages.bytes.data() + offset, size) != 0);
        offset += size;
      }
      sender.join();
      CHECK(wrong == 0);
      line.a.close();
      CHECK_EXIT(child, KITH_EXIT_CODE, 0);
    }
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "a batch whose sizes make no sense is refused") {
  test::channel_pair line = test::make_channel();
  const size_t too_many[] = {SIZE_MAX / 4, SIZE_MAX / 4, SIZE_MAX / 4, SIZE_MAX / 4};
  const size_t wraps[] = {SIZE_MAX, 2};
  const size_t one[] = {1};
  size_t sent = 77;
  CHECK_STATUS(kith_channel_send_many(line.a, "x", too_many, 4, &sent, 0), KITH_E_INVALID);
  CHECK_STATUS(kith_channel_send_many(line.a, "x", wraps, 2, &sent, 0), KITH_E_INVALID);
  CHECK_STATUS(kith_channel_send_many(line.a, nullptr, one, 1, &sent, 0), KITH_E_INVALID);
  CHECK_STATUS(kith_channel_send_many(line.a, "x", nullptr, 1, &sent, 0), KITH_E_INVALID);
  CHECK_STATUS(kith_channel_send_many(line.a, "x", one, 1, &sent, -2), KITH_E_INVALID);
  CHECK(sent == 77);
  CHECK_OK(kith_channel_send_many(line.a, nullptr, nullptr, 0, &sent, 0));
  CHECK(sent == 0);
  char buffer[8];
  size_t sizes[1] = {}, count = 77;
  CHECK_STATUS(kith_channel_recv_many(line.b, buffer, 8, sizes, 0, &count, 0), KITH_E_INVALID);
  CHECK_STATUS(kith_channel_recv_many(line.b, buffer, 8, nullptr, 1, &count, 0), KITH_E_INVALID);
  CHECK_STATUS(kith_channel_recv_many(line.b, nullptr, 8, sizes, 1, &count, 0), KITH_E_INVALID);
  CHECK_STATUS(kith_channel_recv_many(line.b, buffer, 8, sizes, 1, nullptr, 0), KITH_E_INVALID);
  CHECK(count == 77);
}

TEST_CASE_FIXTURE(nothing_leaks, "a batch learns of the end of the other side") {
  test::channel_pair line = test::make_channel(small_ring);
  const batch messages = numbered(1000, 100);
  std::atomic<bool> began = false;
  size_t sent = 77;
  kith_status status = KITH_OK;
  std::thread sender([&] {
    began = true;
    status = messages.send(line.a, sent, KITH_FOREVER);
  });
  while (!began) std::this_thread::yield();
  line.b.close();
  sender.join();
  CHECK_STATUS(status, KITH_E_CLOSED);
  CHECK(sent <= small_ring / 128);
  CHECK_STATUS(messages.send(line.a, sent, test::generous), KITH_E_CLOSED);
  CHECK(sent == 0);
  char buffer[8];
  size_t sizes[1] = {}, count = 77;
  CHECK_STATUS(kith_channel_recv_many(line.a, buffer, 8, sizes, 1, &count, test::generous), KITH_E_CLOSED);
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "of the batches of four threads and four that receive nothing is lost or doubled") {
  constexpr int threads = 4;
  constexpr uint32_t batches = 100, in_a_batch = 50;
  test::channel_pair line = test::make_channel(small_ring);
  std::vector<std::atomic<int>> seen(threads * batches * in_a_batch);
  std::atomic<int> failures = 0;
  std::thread receivers([&] {
    test::in_threads(threads, [&](int) {
      uint32_t numbers[64];
      size_t sizes[64], count = 0;
      kith_status status;
      while ((status = kith_channel_recv_many(line.b, numbers, sizeof numbers, sizes, 64, &count,
                                              test::generous)) == KITH_OK) {
        for (size_t i = 0; i < count; ++i) ++seen[numbers[i]];
      }
      failures += status != KITH_E_CLOSED;
    });
  });
  test::in_threads(threads, [&](int thread) {
    uint32_t next = static_cast<uint32_t>(thread) * batches * in_a_batch;
    const std::vector<size_t> sizes(in_a_batch, sizeof next);
    for (uint32_t i = 0; i < batches; ++i) {
      uint32_t numbers[in_a_batch];
      for (uint32_t& each : numbers) each = next++;
      failures += kith_channel_send_many(line.a, numbers, sizes.data(), in_a_batch, nullptr,
                                         test::generous) != KITH_OK;
    }
  });
  line.a.close();
  receivers.join();
  CHECK(failures == 0);
  for (const std::atomic<int>& times : seen) CHECK(times == 1);
}
