// SPDX-License-Identifier: MIT
// Messages that go as memory of their own.
#include <atomic>
#include <cstring>

#include "support.h"

using test::nothing_leaks;

namespace {

constexpr size_t threshold = 65536;
using bytes = std::vector<unsigned char>;

test::channel_pair make_large_channel(uint64_t ring_size = 4096, uint64_t large_message = threshold) {
  test::channel_pair made;
  auto options = test::defaults<kith_channel_options>();
  options.ring_size = ring_size;
  options.large_message = large_message;
  REQUIRE_OK(kith_channel_create(&options, made.a.out(), made.b.out()));
  return made;
}

kith_status send(kith_channel* line, const bytes& message, int64_t timeout_ms = test::generous) {
  return kith_channel_send(line, message.data(), message.size(), timeout_ms);
}

bool receive_same(kith_channel* line, const bytes& expected) {
  bytes came;
  return test::receive(line, came) == KITH_OK && came == expected;
}

int32_t send_back(const void*, size_t) {
  test::channel line;
  CHILD_NEEDS(test::take(line, "line"));
  for (;;) {
    bytes message;
    const kith_status status = test::receive(line, message);
    if (status == KITH_E_CLOSED) return 0;
    CHILD_NEEDS(status == KITH_OK);
    CHILD_NEEDS(send(line, message) == KITH_OK);
  }
}

int32_t send_large_until_the_end(const void*, size_t) {
  test::channel line;
  CHILD_NEEDS(test::take(line, "line"));
  CHILD_NEEDS(test::tell(line, "ready"));
  const bytes message = test::noise(100'000, 1);
  kith_status status = KITH_OK;
  while (status == KITH_OK) status = send(line, message);
  CHILD_NEEDS(status == KITH_E_CLOSED || status == KITH_E_PEER_DIED);
  return 0;
}

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks, "large messages and small ones go to another process and back, in order") {
  test::channel_pair line = make_large_channel();
  test::process child = test::start(send_back, {{"line", line.b}});
  const size_t sizes[] = {
      0, 100, threshold - 1, threshold, threshold + 1, 3, size_t{1} << 20, size_t{8} << 20};
  for (size_t size : sizes) {
    const bytes message = test::noise(size, size);
    CHECK_OK(send(line.a, message));
    CHECK(receive_same(line.a, message));
  }
  line.a.close();
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "who sends large messages does not wait for the receiver") {
  test::channel_pair line = make_large_channel();
  const bytes one = test::noise(threshold, 1), two = test::noise(1'000'000, 2);
  CHECK_OK(send(line.a, one, 0));
  CHECK(test::tell(line.a, "between"));
  CHECK_OK(send(line.a, two, 0));
  CHECK(receive_same(line.b, one));
  CHECK(test::hear(line.b, "between"));
  CHECK(receive_same(line.b, two));
}

TEST_CASE_FIXTURE(nothing_leaks, "a threshold below a quarter of the ring counts, too") {
  test::channel_pair line = make_large_channel(1 << 20, 4096);
  for (size_t size : {size_t{4095}, size_t{4096}, size_t{4097}, size_t{300'000}}) {
    const bytes message = test::noise(size, size);
    CHECK_OK(send(line.a, message, 0));
    const void* shown = nullptr;
    size_t shown_size = 0;
    REQUIRE_OK(kith_channel_peek(line.b, &shown, &shown_size, 0));
    REQUIRE(shown_size == size);
    CHECK(std::memcmp(shown, message.data(), size) == 0);
    CHECK_OK(kith_channel_consume(line.b));
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "a large message that does not fit the buffer stays") {
  test::channel_pair line = make_large_channel();
  const bytes message = test::noise(threshold, 1);
  CHECK_OK(send(line.a, message, 0));
  size_t size = 0;
  for (int i = 0; i < 3; ++i) {
    CHECK_STATUS(kith_channel_recv(line.b, nullptr, 0, &size, 0), KITH_E_TOO_LARGE);
    CHECK(size == threshold);
  }
  CHECK(receive_same(line.b, message));
  CHECK_STATUS(kith_channel_recv(line.b, nullptr, 0, &size, 0), KITH_E_TIMEOUT);
}

TEST_CASE_FIXTURE(nothing_leaks, "a large message is shown where it lies, and can be left for later") {
  test::channel_pair line = make_large_channel();
  const bytes message = test::noise(threshold, 1);
  CHECK_OK(send(line.a, message, 0));
  CHECK(test::tell(line.a, "after"));
  for (int i = 0; i < 2; ++i) {
    const void* shown = nullptr;
    size_t size = 0;
    REQUIRE_OK(kith_channel_peek(line.b, &shown, &size, 0));
    REQUIRE(size == message.size());
    CHECK(std::memcmp(shown, message.data(), size) == 0);
    CHECK_OK(i == 0 ? kith_channel_release(line.b) : kith_channel_consume(line.b));
  }
  CHECK(test::hear(line.b, "after"));
}

TEST_CASE_FIXTURE(nothing_leaks, "room for more than half a ring is reserved, written in place, and sent") {
  test::channel_pair line = test::make_channel(4096);
  const bytes message = test::noise(1'000'000, 1);
  void* room = nullptr;
  REQUIRE_OK(kith_channel_reserve(line.a, message.size() + 100, &room, 0));
  CHECK(reinterpret_cast<uintptr_t>(room) % 16 == 0);
  std::memcpy(room, message.data(), message.size());
  CHECK_STATUS(kith_channel_commit(line.a, message.size() + 101), KITH_E_TOO_LARGE);
  CHECK_OK(kith_channel_commit(line.a, message.size()));
  CHECK_STATUS(kith_channel_commit(line.a, 1), KITH_E_NOT_OWNER);
  CHECK(receive_same(line.b, message));

  REQUIRE_OK(kith_channel_reserve(line.a, 100'000, &room, 0));
  CHECK_OK(kith_channel_abort(line.a));
  REQUIRE_OK(kith_channel_reserve(line.a, 100'000, &room, 0));
  CHECK_OK(kith_channel_commit(line.a, 0));
  CHECK(test::hear(line.b, ""));
  CHECK(test::tell(line.a, "after"));
  CHECK(test::hear(line.b, "after"));
}

TEST_CASE_FIXTURE(nothing_leaks, "large messages that nobody took, showed or sent go with their channel") {
  for (int i = 0; i < 4; ++i) {
    test::channel_pair line = make_large_channel();
    const bytes message = test::noise(threshold, 1);
    const void* shown = nullptr;
    void* room = nullptr;
    size_t size = 0;
    CHECK_OK(send(line.a, message, 0));
    CHECK_OK(send(line.a, message, 0));
    if (i == 1) CHECK_OK(kith_channel_peek(line.b, &shown, &size, 0));
    if (i == 2) CHECK_STATUS(kith_channel_recv(line.b, nullptr, 0, &size, 0), KITH_E_TOO_LARGE);
    if (i == 3) CHECK_OK(kith_channel_reserve(line.a, 100'000, &room, 0));
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "one who is killed while it sends large messages leaves nothing behind") {
  const int rounds = test::repetitions(100);
  for (int i = 0; i < rounds; ++i) {
    test::channel_pair line = make_large_channel(1 << 16);
    test::process child = test::start(send_large_until_the_end, {{"line", line.b}});
    CHECK(test::hear(line.a, "ready"));
    const bytes expected = test::noise(100'000, 1);
    for (int taken = 0; taken < i % 10; ++taken) CHECK(receive_same(line.a, expected));
    REQUIRE_OK(kith_process_kill(child));
    CHECK_EXIT(child, KITH_EXIT_KILLED, 9);
    bytes came;
    kith_status status = KITH_OK;
    while ((status = test::receive(line.a, came)) == KITH_OK) CHECK((came == expected));
    CHECK_STATUS(status, KITH_E_PEER_DIED);
  }
}
