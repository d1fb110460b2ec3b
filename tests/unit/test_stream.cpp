// SPDX-License-Identifier: MIT
// The control stream of a channel: bells and its end.
#include "../support.h"
#include "platform.h"

using namespace kith;
using platform::stream_state;
using test::nothing_leaks;

namespace {

struct stream_pair {
  stream_pair() { REQUIRE_OK(platform::stream_create(a, b)); }
  ~stream_pair() {
    platform::stream_close(a);
    platform::stream_close(b);
  }
  stream_pair(const stream_pair&) = delete;
  stream_pair& operator=(const stream_pair&) = delete;

  platform::stream a;
  platform::stream b;
};

bool is_ready(platform::stream& self, int timeout_ms = 0) {
  int64_t handle = -1;
  REQUIRE_OK(platform::stream_poll_handle(self, handle));
  return test::handle_is_ready(handle, timeout_ms);
}

constexpr int enough_ms = 60'000;

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks, "a ring makes the poll handle ready until it is armed again") {
  stream_pair line;
  CHECK_OK(platform::stream_arm(line.b));
  CHECK(!is_ready(line.b));
  for (int i = 0; i < 3; ++i) {
    platform::stream_ring(line.a);
    CHECK(is_ready(line.b, enough_ms));
    CHECK(is_ready(line.b));
    CHECK_OK(platform::stream_arm(line.b));
    CHECK(!is_ready(line.b));
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "rings that came before do not make an armed poll handle ready") {
  stream_pair line;
  for (int i = 0; i < 5; ++i) platform::stream_ring(line.a);
  CHECK_OK(platform::stream_arm(line.b));
  CHECK(!is_ready(line.b));
  CHECK_OK(platform::stream_arm(line.b));  // twice is once
  CHECK(!is_ready(line.b));
  platform::stream_ring(line.a);
  CHECK(is_ready(line.b, enough_ms));
}

TEST_CASE_FIXTURE(nothing_leaks, "both sides of a stream ring each other") {
  stream_pair line;
  CHECK_OK(platform::stream_arm(line.a));
  CHECK_OK(platform::stream_arm(line.b));
  platform::stream_ring(line.a);
  CHECK(is_ready(line.b, enough_ms));
  CHECK(!is_ready(line.a));
  platform::stream_ring(line.b);
  CHECK(is_ready(line.a, enough_ms));
}

TEST_CASE_FIXTURE(nothing_leaks, "the end of a stream makes an armed poll handle ready, for good") {
  stream_pair line;
  CHECK_OK(platform::stream_arm(line.b));
  CHECK(platform::stream_look(line.b) == stream_state::open);
  platform::stream_close(line.a);
  CHECK(is_ready(line.b, enough_ms));
  CHECK(platform::stream_look(line.b) == stream_state::ended);
  CHECK_OK(platform::stream_arm(line.b));
  CHECK(is_ready(line.b, enough_ms));
  platform::stream_ring(line.b);  // nobody hears it
}

TEST_CASE_FIXTURE(nothing_leaks, "the end of a stream is seen behind rings that nobody took") {
  for (int rings : {1, 2, 100}) {
    stream_pair line;
    for (int i = 0; i < rings; ++i) platform::stream_ring(line.a);
    CHECK(platform::stream_look(line.b) == stream_state::open);
    for (int i = 0; i < rings; ++i) platform::stream_ring(line.a);
    platform::stream_close(line.a);
    CHECK(platform::stream_look(line.b) == stream_state::ended);
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "one who rings on and on is never held up") {
  stream_pair line;
  const int rings = test::is_windows ? 5'000 : 100'000;
  for (int i = 0; i < rings; ++i) platform::stream_ring(line.a);
  CHECK(platform::stream_look(line.b) == stream_state::open);
  CHECK_OK(platform::stream_arm(line.b));
  CHECK(!is_ready(line.b));
  platform::stream_ring(line.a);
  CHECK(is_ready(line.b, enough_ms));
}

TEST_CASE_FIXTURE(nothing_leaks, "a poll handle that was armed by a thread which ended can be armed again") {
  stream_pair line;
  test::in_threads(1, [&](int) { CHECK_OK(platform::stream_arm(line.b)); });
  // On Windows the read ends with its thread, which makes the handle ready.
  CHECK_OK(platform::stream_arm(line.b));
  platform::stream_ring(line.a);
  CHECK(is_ready(line.b, enough_ms));
}

TEST_CASE_FIXTURE(nothing_leaks, "a stream that is disarmed leaves the next ring to others") {
  stream_pair line;
  CHECK_OK(platform::stream_arm(line.b));
  platform::stream_disarm(line.b);
  platform::stream_ring(line.a);
  CHECK(platform::stream_look(line.b) == stream_state::open);
  CHECK_OK(platform::stream_arm(line.b));
  CHECK(!is_ready(line.b));
  platform::stream_ring(line.a);
  CHECK(is_ready(line.b, enough_ms));
}
