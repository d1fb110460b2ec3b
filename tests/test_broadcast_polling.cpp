// SPDX-License-Identifier: MIT
// Broadcasts together with other things: kith_wait_any, handles of loops, and on their way through a channel.
#include "broadcasts.h"
#include "foreign.h"
#include "send_object.h"

using test::make_broadcast;
using test::mark;
using test::nothing_leaks;
using test::os_says_ready;
using test::subscribe;

namespace {

constexpr size_t small = 4096;
constexpr int64_t soon = 20;

uint32_t ready_of(const void* object, uint32_t events, int64_t timeout_ms) {
  kith_wait_item item{};
  item.object = object;
  item.events = events;
  size_t count = 0;
  const kith_status status = kith_wait_any(&item, 1, &count, timeout_ms);
  CHECK((status == KITH_OK || status == KITH_E_TIMEOUT));
  return status == KITH_OK ? item.ready : 0;
}

uint64_t read_all(kith_reader* reader) {
  mark is{};
  uint64_t missed = 0, count = 0;
  while (test::next(reader, is, missed, 0) >= KITH_OK) ++count;
  return count;
}

void fill(kith_broadcast* broadcast) {
  while (test::publish(broadcast, {1, 1}, 0) == KITH_OK) continue;
}

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks,
                  "kith_wait_any waits for messages, for room, and for the end of a broadcast") {
  for (const uint32_t flags : {uint32_t{0}, uint32_t{KITH_BROADCAST_HOLD}}) {
    CAPTURE(flags);
    const test::broadcast broadcast = make_broadcast(small, flags);
    const test::reader one = subscribe(broadcast), other = subscribe(broadcast);
    CHECK(ready_of(one, 0, 0) == 0);
    CHECK(ready_of(broadcast, KITH_WAIT_WRITE, 0) == KITH_WAIT_WRITE);
    for (uint64_t i = 0; i < 5; ++i) {
      test::in_threads(3, [&](int who) {
        if (who == 2) {
          test::let_it_sleep();
          CHECK_OK(test::publish(broadcast, {1, i}));
        } else {
          kith_reader* const own = who == 0 ? one : other;
          CHECK(ready_of(own, KITH_WAIT_READ, test::generous) == KITH_WAIT_READ);
          CHECK(read_all(own) == 1);
        }
      });
    }
    if (flags != 0) {
      fill(broadcast);
      CHECK(ready_of(broadcast, KITH_WAIT_WRITE, 0) == 0);
      CHECK(read_all(other) != 0);
      test::in_threads(2, [&](int who) {
        if (who == 0) CHECK(ready_of(broadcast, KITH_WAIT_WRITE, test::generous) == KITH_WAIT_WRITE);
        if (who == 1) test::let_it_sleep();
        if (who == 1) CHECK(read_all(one) != 0);
      });
    }
    CHECK_OK(kith_broadcast_shutdown(broadcast));
    CHECK(ready_of(one, KITH_WAIT_READ, 0) == KITH_WAIT_READ);
    CHECK(ready_of(broadcast, KITH_WAIT_WRITE, 0) == KITH_WAIT_WRITE);
  }
  const test::broadcast broadcast = make_broadcast();
  const test::reader reader = subscribe(broadcast);
  kith_wait_item item{};
  size_t count = 0;
  item.object = broadcast;
  CHECK_STATUS(kith_wait_any(&item, 1, &count, 0), KITH_E_MISMATCH);
  item.object = reader;
  item.events = KITH_WAIT_WRITE;
  CHECK_STATUS(kith_wait_any(&item, 1, &count, 0), KITH_E_MISMATCH);
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "each reader's handle becomes ready for each message, whatever other readers do") {
  const test::broadcast broadcast = make_broadcast();
  const test::reader one = subscribe(broadcast), other = subscribe(broadcast);
  int64_t handle = 0, other_handle = 0;
  const kith_status status = kith_reader_poll_handle(one, &handle);
  if (status == KITH_E_UNSUPPORTED) SKIP_CASE("this system has no handle for a reader");
  REQUIRE_OK(status);
  REQUIRE_OK(kith_reader_poll_handle(other, &other_handle));
  for (uint64_t i = 0; i < 3; ++i) {
    CHECK_OK(kith_poll_arm(one, 0));
    CHECK_OK(kith_poll_arm(other, KITH_WAIT_READ));
    CHECK_FALSE(os_says_ready(handle, i == 0 ? soon : 0));
    CHECK_FALSE(os_says_ready(other_handle, 0));
    CHECK_OK(test::publish(broadcast, {1, i}));
    CHECK(os_says_ready(handle, test::generous));
    CHECK_STATUS(kith_poll_arm(one, 0), KITH_E_BUSY);
    CHECK(read_all(one) == 1);
    CHECK_OK(kith_poll_arm(one, 0));
    CHECK_FALSE(os_says_ready(handle, 0));
    CHECK(os_says_ready(other_handle, test::generous));  // though the other one has quieted its own
    CHECK(read_all(other) == 1);
  }
  CHECK_OK(kith_poll_disarm(one));
  CHECK_STATUS(kith_poll_arm(one, KITH_WAIT_WRITE), KITH_E_MISMATCH);
}

TEST_CASE_FIXTURE(nothing_leaks, "the handle of a broadcast becomes ready for room") {
  const test::broadcast broadcast = make_broadcast(small, KITH_BROADCAST_HOLD);
  test::reader reader = subscribe(broadcast);
  int64_t handle = 0;
  REQUIRE_OK(kith_broadcast_poll_handle(broadcast, &handle));
  for (const bool leaves : {false, true}) {
    CHECK_STATUS(kith_poll_arm(broadcast, KITH_WAIT_WRITE), KITH_E_BUSY);
    fill(broadcast);
    CHECK_OK(kith_poll_arm(broadcast, KITH_WAIT_WRITE));
    CHECK_FALSE(os_says_ready(handle, soon));
    if (leaves) {
      reader.close();
    } else {
      CHECK(read_all(reader) != 0);
    }
    CHECK(os_says_ready(handle, test::generous));
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "a broadcast goes through a channel, a reader does not") {
  const test::broadcast broadcast = make_broadcast(small, KITH_BROADCAST_HOLD);
  const test::reader reader = subscribe(broadcast);
  const test::channel_pair line = test::make_channel();
  REQUIRE_OK(kith_channel_send_object(line.a, broadcast, "b", 1, test::generous));
  CHECK_STATUS(kith_channel_send_object(line.a, reader, "r", 1, 0), KITH_E_MISMATCH);
  test::received_object came;
  REQUIRE_OK(came.receive(line.b));
  REQUIRE(came.kind == KITH_OBJECT_BROADCAST);
  const test::broadcast theirs(came.release<kith_broadcast>());
  CHECK_OK(test::publish(theirs, {1, 1}));
  CHECK(read_all(reader) == 1);
  CHECK(kith_broadcast_count(broadcast) == 1);
}
