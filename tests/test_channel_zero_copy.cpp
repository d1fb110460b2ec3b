// SPDX-License-Identifier: MIT
// Messages that are written and read where they lie: reserve, commit, abort; peek, consume, release.
#include <atomic>
#include <cstring>

#include "support.h"

using test::nothing_leaks;

namespace {

constexpr uint64_t small_ring = 4096;

kith_status reserve(kith_channel* channel, size_t size, void*& place, int64_t timeout_ms = 0) {
  return kith_channel_reserve(channel, size, &place, timeout_ms);
}

// Sends a message in place.
kith_status place(kith_channel* channel, const std::vector<unsigned char>& message, int64_t timeout_ms = 0) {
  void* at = nullptr;
  const kith_status status = reserve(channel, message.size(), at, timeout_ms);
  if (status != KITH_OK) return status;
  if (!message.empty()) std::memcpy(at, message.data(), message.size());
  return kith_channel_commit(channel, message.size());
}

// Whether the next message is that one, as it is shown; it is taken.
bool shows(kith_channel* channel, const std::vector<unsigned char>& expected, int64_t timeout_ms = 0) {
  const void* data = nullptr;
  size_t size = 0;
  if (kith_channel_peek(channel, &data, &size, timeout_ms) != KITH_OK) return false;
  const bool same = size == expected.size() && (size == 0 || std::memcmp(data, expected.data(), size) == 0);
  return kith_channel_consume(channel) == KITH_OK && same;
}

// Takes messages in place and sends them back in place, until the other end is closed.
int32_t send_back_in_place(const void*, size_t) {
  test::channel line;
  CHILD_NEEDS(kith_channel_inherit("line", line.out()) == KITH_OK);
  for (;;) {
    const void* data = nullptr;
    size_t size = 0;
    const kith_status status = kith_channel_peek(line, &data, &size, test::generous);
    if (status == KITH_E_CLOSED) return 0;
    CHILD_NEEDS(status == KITH_OK);
    const unsigned char* const from = static_cast<const unsigned char*>(data);
    CHILD_NEEDS(place(line, {from, from + size}, test::generous) == KITH_OK);
    CHILD_NEEDS(kith_channel_consume(line) == KITH_OK);
  }
}

// Holds a reservation, or a shown message, until it is killed.
int32_t hold_both(const void*, size_t) {
  test::channel line;
  CHILD_NEEDS(kith_channel_inherit("line", line.out()) == KITH_OK);
  const void* data = nullptr;
  size_t size = 0;
  CHILD_NEEDS(kith_channel_peek(line, &data, &size, test::generous) == KITH_OK);
  CHILD_NEEDS(test::tell(line, "peeked"));
  void* at = nullptr;
  CHILD_NEEDS(reserve(line, 100, at) == KITH_OK);
  std::memset(at, 'x', 100);
  CHILD_NEEDS(kith_channel_recv(line, nullptr, 0, &size, 0) == KITH_E_DEADLOCK);
  const test::event never = test::make_event();
  CHILD_NEEDS(kith_event_wait(never, test::generous) == KITH_OK);
  return 0;
}

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks, "a message that was written in place is received, by recv and by peek") {
  test::channel_pair line = test::make_channel();
  for (const size_t size : {size_t{0}, size_t{1}, size_t{16}, size_t{1000}, size_t{32'768}}) {
    CAPTURE(size);
    const std::vector<unsigned char> message = test::noise(size, size);
    std::vector<unsigned char> seen;
    CHECK_OK(place(line.a, message));
    CHECK_OK(test::receive(line.b, seen));
    CHECK((seen == message));
    CHECK_OK(place(line.a, message, test::generous));
    CHECK(shows(line.b, message));
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "messages in place come in order, whatever lies between, round and round") {
  test::channel_pair line = test::make_channel(small_ring);
  uint64_t state = 5;
  std::vector<unsigned char> seen;
  for (int round = 0; round < 3000; ++round) {
    const std::vector<unsigned char> one = test::noise(test::next_random(state) % 2049, state);
    const std::vector<unsigned char> other = test::noise(test::next_random(state) % 500, state);
    REQUIRE_OK(place(line.a, one));
    const kith_status second = kith_channel_send(line.a, other.data(), other.size(), 0);
    REQUIRE((second == KITH_OK || second == KITH_E_TIMEOUT));
    if (round % 2 == 0) {
      REQUIRE(shows(line.b, one));
    } else {
      REQUIRE_OK(test::receive(line.b, seen, 0));
      REQUIRE((seen == one));
    }
    if (second == KITH_OK) REQUIRE(shows(line.b, other));
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "half a ring can be reserved wherever the last message ended") {
  test::channel_pair line = test::make_channel(small_ring);
  const std::vector<unsigned char> half = test::noise(small_ring / 2, 1);
  // Each round moves on by half a ring, a header, and 16 bytes: so at each multiple of 16 once.
  for (uint64_t round = 0; round < small_ring / 16; ++round) {
    CAPTURE(round);
    kith_status status = place(line.a, half);
    // Where the two halves do not lie side by side, the empty end of the ring is to be taken first.
    if (status == KITH_E_TIMEOUT) {
      size_t size = 0;
      CHECK_STATUS(kith_channel_recv(line.b, nullptr, 0, &size, 0), KITH_E_TIMEOUT);
      status = place(line.a, half);
    }
    REQUIRE_OK(status);
    REQUIRE(shows(line.b, half));
    REQUIRE_OK(kith_channel_send(line.a, nullptr, 0, 0));
    REQUIRE(shows(line.b, {}));
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "what is reserved is aligned, and may be sent in part") {
  test::channel_pair line = test::make_channel(small_ring);
  for (size_t size = 0; size < 400; ++size) {
    void* at = nullptr;
    REQUIRE_OK(reserve(line.a, size, at));
    REQUIRE(reinterpret_cast<uintptr_t>(at) % 16 == 0);
    std::memset(at, static_cast<int>(size), size);
    CHECK_STATUS(kith_channel_commit(line.a, size + 1), KITH_E_TOO_LARGE);  // it stays reserved
    REQUIRE_OK(kith_channel_commit(line.a, size / 2));
    REQUIRE(shows(line.b, std::vector<unsigned char>(size / 2, static_cast<unsigned char>(size))));
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "more than half a ring of a shared end cannot be reserved") {
  test::channel_pair line = test::make_channel(small_ring, KITH_CHANNEL_SHARED_ENDS);
  void* at = test::untouched<void>();
  CHECK_STATUS(reserve(line.a, small_ring / 2 + 1, at), KITH_E_TOO_LARGE);
  CHECK_STATUS(reserve(line.a, SIZE_MAX, at), KITH_E_TOO_LARGE);
  CHECK(at == test::untouched<void>());
  CHECK_OK(reserve(line.a, small_ring / 2, at));
  CHECK_OK(kith_channel_abort(line.a));
}

TEST_CASE_FIXTURE(nothing_leaks, "what was aborted never appears, and its room is free again") {
  test::channel_pair line = test::make_channel(small_ring);
  for (int i = 0; i < 300; ++i) {
    void* at = nullptr;
    REQUIRE_OK(reserve(line.a, 1800, at));
    std::memset(at, 0xFF, 1800);
    REQUIRE_OK(kith_channel_abort(line.a));
    size_t size = 77;
    REQUIRE_STATUS(kith_channel_recv(line.b, nullptr, 0, &size, 0), KITH_E_TIMEOUT);
    REQUIRE(test::tell(line.a, "next"));
    REQUIRE(test::hear(line.b, "next"));
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "who has reserved nothing, or was shown nothing, is told so") {
  test::channel_pair line = test::make_channel();
  CHECK_STATUS(kith_channel_commit(line.a, 0), KITH_E_NOT_OWNER);
  CHECK_STATUS(kith_channel_abort(line.a), KITH_E_NOT_OWNER);
  CHECK_STATUS(kith_channel_consume(line.a), KITH_E_NOT_OWNER);
  CHECK_STATUS(kith_channel_release(line.a), KITH_E_NOT_OWNER);
  void* at = nullptr;
  REQUIRE_OK(reserve(line.a, 10, at));
  CHECK(test::tell(line.b, "message"));
  const void* data = nullptr;
  size_t size = 0;
  REQUIRE_OK(kith_channel_peek(line.a, &data, &size, 0));
  test::in_threads(1, [&](int) {
    CHECK_STATUS(kith_channel_commit(line.a, 0), KITH_E_NOT_OWNER);
    CHECK_STATUS(kith_channel_abort(line.a), KITH_E_NOT_OWNER);
    CHECK_STATUS(kith_channel_consume(line.a), KITH_E_NOT_OWNER);
    CHECK_STATUS(kith_channel_release(line.a), KITH_E_NOT_OWNER);
  });
  CHECK_OK(kith_channel_abort(line.a));
  CHECK_STATUS(kith_channel_abort(line.a), KITH_E_NOT_OWNER);
  CHECK_OK(kith_channel_consume(line.a));
  CHECK_STATUS(kith_channel_consume(line.a), KITH_E_NOT_OWNER);
  CHECK_STATUS(kith_channel_commit(nullptr, 0), KITH_E_INVALID);
  CHECK_STATUS(kith_channel_consume(nullptr), KITH_E_INVALID);
}

TEST_CASE_FIXTURE(nothing_leaks, "a thread that has its turn already is not made to wait for itself") {
  for (const uint32_t flags : {0u, uint32_t{KITH_CHANNEL_SHARED_ENDS}}) {
    CAPTURE(flags);
    test::channel_pair line = test::make_channel(0, flags);
    for (int i = 0; i < 3; ++i) {  // the favourite of the end, too
      CHECK(test::tell(line.a, "before"));
      CHECK(test::hear(line.b, "before"));
    }
    void* at = nullptr;
    const size_t one = 1;
    size_t sent = 77;
    REQUIRE_OK(reserve(line.a, 10, at));
    CHECK_STATUS(kith_channel_send(line.a, "x", 1, KITH_FOREVER), KITH_E_DEADLOCK);
    CHECK_STATUS(kith_channel_send_many(line.a, "x", &one, 1, &sent, KITH_FOREVER), KITH_E_DEADLOCK);
    CHECK_STATUS(reserve(line.a, 10, at, KITH_FOREVER), KITH_E_DEADLOCK);
    CHECK(sent == 0);
    std::memcpy(at, "in place", 8);
    CHECK_OK(kith_channel_commit(line.a, 8));
    CHECK(test::tell(line.a, "behind it"));

    const void* data = nullptr;
    size_t size = 0, count = 77;
    char buffer[16];
    REQUIRE_OK(kith_channel_peek(line.b, &data, &size, 0));
    CHECK_STATUS(kith_channel_recv(line.b, buffer, sizeof buffer, &size, KITH_FOREVER), KITH_E_DEADLOCK);
    CHECK_STATUS(kith_channel_recv_many(line.b, buffer, sizeof buffer, &size, 1, &count, KITH_FOREVER),
                 KITH_E_DEADLOCK);
    CHECK_STATUS(kith_channel_peek(line.b, &data, &size, KITH_FOREVER), KITH_E_DEADLOCK);
    CHECK(test::tell(line.b, "the other direction"));
    CHECK(test::hear(line.a, "the other direction"));
    CHECK_OK(kith_channel_release(line.b));
    CHECK(test::hear(line.b, "in place"));
    CHECK(test::hear(line.b, "behind it"));
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "another thread waits for the turn, up to its deadline") {
  test::channel_pair line = test::make_channel();
  CHECK(test::tell(line.a, "first"));
  const void* data = nullptr;
  size_t size = 0;
  void* at = nullptr;
  REQUIRE_OK(kith_channel_peek(line.b, &data, &size, 0));
  REQUIRE_OK(reserve(line.a, 6, at));
  test::in_threads(1, [&](int) {
    size_t other = 0;
    CHECK_STATUS(kith_channel_send(line.a, "x", 1, 0), KITH_E_TIMEOUT);
    CHECK_STATUS(kith_channel_send(line.a, "x", 1, 20), KITH_E_TIMEOUT);
    CHECK_STATUS(kith_channel_recv(line.b, nullptr, 0, &other, 20), KITH_E_TIMEOUT);
  });
  std::atomic<bool> began = false;
  std::thread third([&] {
    began = true;
    CHECK(test::tell(line.a, "third"));
    CHECK(test::hear(line.b, "second"));
  });
  while (!began) std::this_thread::yield();
  std::memcpy(at, "second", 6);
  CHECK_OK(kith_channel_commit(line.a, 6));
  CHECK_OK(kith_channel_consume(line.b));
  third.join();
  CHECK(test::hear(line.b, "third"));
}

TEST_CASE_FIXTURE(nothing_leaks, "a message that was shown and released is shown again") {
  test::channel_pair line = test::make_channel(small_ring);
  std::atomic<int> failures = 0;
  const std::vector<unsigned char> large = test::noise(100'000, 1);
  for (const size_t size : {size_t{5}, size_t{900}, size_t{100'000}}) {
    CAPTURE(size);
    const std::vector<unsigned char> message(large.begin(),
                                             large.begin() + static_cast<std::ptrdiff_t>(size));
    std::thread sender(
        [&] { failures += kith_channel_send(line.a, message.data(), size, test::generous) != KITH_OK; });
    for (int i = 0; i < 3; ++i) {
      const void* data = nullptr;
      size_t shown = 0;
      REQUIRE_OK(kith_channel_peek(line.b, &data, &shown, test::generous));
      REQUIRE(shown == size);
      CHECK(std::memcmp(data, message.data(), size) == 0);
      CHECK_OK(kith_channel_release(line.b));
    }
    std::vector<unsigned char> seen;
    CHECK_OK(test::receive(line.b, seen));
    CHECK((seen == message));
    sender.join();
  }
  CHECK(failures == 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "a message that wraps around the ring is shown in one piece") {
  test::channel_pair line = test::make_channel(small_ring);
  for (int i = 0; i < 500; ++i) {
    const std::vector<unsigned char> message = test::noise(700, static_cast<uint64_t>(i));
    REQUIRE_OK(kith_channel_send(line.a, message.data(), message.size(), 0));
    REQUIRE(shows(line.b, message));
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "messages in place go to a child and back") {
  for (const uint32_t flags : {0u, uint32_t{KITH_CHANNEL_LOW_CPU}, uint32_t{KITH_CHANNEL_SHARED_ENDS}}) {
    test::channel_pair line = test::make_channel(1 << 16, flags);
    test::process child = test::start(send_back_in_place, {{"line", line.b}});
    if (flags == KITH_CHANNEL_SHARED_ENDS) line.b.close();
    uint64_t state = 6;
    for (int i = test::repetitions(3000); i > 0; --i) {
      const std::vector<unsigned char> message = test::noise(test::next_random(state) % 32'769, state);
      REQUIRE_OK(place(line.a, message, test::generous));
      REQUIRE(shows(line.a, message, test::generous));
    }
    line.a.close();
    CHECK_EXIT(child, KITH_EXIT_CODE, 0);
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "an end is closed although something is reserved and shown") {
  for (const bool by_another_thread : {false, true}) {
    CAPTURE(by_another_thread);
    for (const uint32_t flags : {0u, uint32_t{KITH_CHANNEL_SHARED_ENDS}}) {
      test::channel_pair line = test::make_channel(small_ring, flags);
      CHECK(test::tell(line.b, "message"));
      void* at = nullptr;
      const void* data = nullptr;
      size_t size = 0;
      REQUIRE_OK(reserve(line.a, 100, at));
      REQUIRE_OK(kith_channel_peek(line.a, &data, &size, 0));
      kith_channel* const handle = line.a;
      if (by_another_thread) {
        test::in_threads(1, [&](int) { line.a.close(); });
      } else {
        line.a.close();
      }
      CHECK_STATUS(kith_channel_commit(handle, 100), KITH_E_INVALID);
      CHECK_STATUS(kith_channel_consume(handle), KITH_E_INVALID);
      CHECK_STATUS(kith_channel_recv(line.b, nullptr, 0, &size, test::generous), KITH_E_CLOSED);
    }
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "what is committed after the other end was closed is not sent") {
  test::channel_pair line = test::make_channel();
  void* at = nullptr;
  REQUIRE_OK(reserve(line.a, 10, at));
  line.b.close();
  CHECK_STATUS(kith_channel_commit(line.a, 10), KITH_E_CLOSED);
  CHECK_STATUS(kith_channel_commit(line.a, 10), KITH_E_NOT_OWNER);
  CHECK_STATUS(reserve(line.a, 10, at, test::generous), KITH_E_CLOSED);
  const void* data = nullptr;
  size_t size = 0;
  CHECK_STATUS(kith_channel_peek(line.a, &data, &size, test::generous), KITH_E_CLOSED);
}

TEST_CASE_FIXTURE(nothing_leaks, "an end with something reserved or shown cannot move") {
  test::channel_pair line = test::make_channel();
  CHECK(test::tell(line.a, "message"));
  const test::shares given = {{"line", line.b}};
  const kith_process_options options = test::run_entry(send_back_in_place, given);
  kith_process* out = nullptr;
  void* at = nullptr;
  REQUIRE_OK(reserve(line.b, 10, at));
  CHECK_STATUS(kith_process_spawn(&options, &out), KITH_E_BUSY);
  CHECK_OK(kith_channel_abort(line.b));
  const void* data = nullptr;
  size_t size = 0;
  REQUIRE_OK(kith_channel_peek(line.b, &data, &size, 0));
  CHECK_STATUS(kith_process_spawn(&options, &out), KITH_E_BUSY);
  CHECK_OK(kith_channel_release(line.b));
  test::process child = test::start(send_back_in_place, given);
  CHECK(test::hear(line.a, "message"));
  line.a.close();
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "who is killed with something reserved has sent nothing of it") {
  test::channel_pair line = test::make_channel();
  test::process child = test::start(hold_both, {{"line", line.b}});
  CHECK(test::tell(line.a, "to be shown"));
  CHECK(test::hear(line.a, "peeked"));
  REQUIRE_OK(kith_process_kill(child));
  CHECK(test::hear(line.a, "(KITH_E_PEER_DIED)"));
  CHECK_EXIT(child, KITH_EXIT_KILLED, 9);
}

TEST_CASE_FIXTURE(nothing_leaks, "a reservation that waits is told when the other end is closed") {
  test::channel_pair line = test::make_channel(small_ring);
  void* at = nullptr;
  while (place(line.a, std::vector<unsigned char>(500)) == KITH_OK) {
  }
  std::atomic<bool> began = false;
  kith_status status = KITH_OK;
  std::thread sender([&] {
    began = true;
    status = reserve(line.a, 2000, at, KITH_FOREVER);
  });
  while (!began) std::this_thread::yield();
  line.b.close();
  sender.join();
  CHECK_STATUS(status, KITH_E_CLOSED);
}

TEST_CASE_FIXTURE(nothing_leaks, "of what is reserved by eight threads nothing mixes") {
  test::channel_pair line = test::make_channel(small_ring);
  constexpr int threads = 8, each = 200;
  std::atomic<int> failures = 0;
  std::thread senders([&] {
    test::in_threads(threads, [&](int thread) {
      for (int i = 0; i < each; ++i) {
        const std::vector<unsigned char> message(static_cast<size_t>(300 + i),
                                                 static_cast<unsigned char>(thread));
        failures += place(line.a, message, test::generous) != KITH_OK;
      }
    });
  });
  int next[threads] = {};
  for (int i = 0; i < threads * each; ++i) {
    const void* data = nullptr;
    size_t size = 0;
    REQUIRE_OK(kith_channel_peek(line.b, &data, &size, test::generous));
    const unsigned char* const bytes = static_cast<const unsigned char*>(data);
    REQUIRE(bytes[0] < threads);
    failures += size != static_cast<size_t>(300 + next[bytes[0]]++);
    for (size_t at = 1; at < size; ++at) failures += bytes[at] != bytes[0];
    REQUIRE_OK(kith_channel_consume(line.b));
  }
  senders.join();
  CHECK(failures == 0);
}
