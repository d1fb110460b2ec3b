// SPDX-License-Identifier: MIT
// Handles for loops of the user's own, by the rule: arm, wait, use.
#include "foreign.h"

using test::nothing_leaks;
using test::os_says_ready;

namespace {

constexpr int64_t soon = 20;

kith_status get_now(kith_queue* queue) {
  char item[16];
  size_t size = 0;
  return kith_queue_get(queue, item, sizeof item, &size, 0);
}

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks, "the handle of an event becomes ready when it was armed and is set") {
  test::event event = test::make_event();
  int64_t handle = 0;
  REQUIRE_OK(kith_event_poll_handle(event, &handle));
  for (int round = 0; round < 3; ++round) {
    CHECK_OK(kith_poll_arm(event, KITH_WAIT_READ));
    CHECK_FALSE(os_says_ready(handle, soon));
    CHECK_OK(kith_event_set(event));
    CHECK(os_says_ready(handle, test::generous));
    CHECK_STATUS(kith_poll_arm(event, 0), KITH_E_BUSY);
    CHECK_OK(kith_event_clear(event));
  }
  CHECK_OK(kith_poll_arm(event, 0));
  CHECK_OK(kith_poll_disarm(event));
  CHECK_FALSE(os_says_ready(handle, 0));
}

TEST_CASE_FIXTURE(nothing_leaks, "the handle of a queue becomes ready for items, and for room") {
  test::queue queue = test::make_queue(4096);
  const std::string item(500, 'x');
  int64_t handle = 0;
  REQUIRE_OK(kith_queue_poll_handle(queue, &handle));
  CHECK_OK(kith_poll_arm(queue, 0));
  CHECK_FALSE(os_says_ready(handle, soon));
  CHECK_OK(kith_queue_put(queue, "x", 1, 0));
  CHECK(os_says_ready(handle, test::generous));
  CHECK_OK(get_now(queue));
  CHECK_STATUS(get_now(queue), KITH_E_TIMEOUT);
  CHECK_OK(kith_poll_arm(queue, KITH_WAIT_READ));
  CHECK_FALSE(os_says_ready(handle, soon));

  CHECK_STATUS(kith_poll_arm(queue, KITH_WAIT_WRITE), KITH_E_BUSY);
  while (kith_queue_put(queue, item.data(), item.size(), 0) == KITH_OK) continue;
  CHECK_STATUS(kith_poll_arm(queue, KITH_WAIT_READ), KITH_E_BUSY);
  CHECK_OK(kith_poll_arm(queue, KITH_WAIT_WRITE));
  CHECK_FALSE(os_says_ready(handle, soon));
  std::vector<char> buffer(item.size());
  size_t size = 0;
  while (kith_queue_get(queue, buffer.data(), buffer.size(), &size, 0) == KITH_OK) continue;
  CHECK(os_says_ready(handle, test::generous));
  CHECK_OK(kith_poll_arm(queue, KITH_WAIT_READ));
  CHECK_FALSE(os_says_ready(handle, soon));
  CHECK_OK(kith_queue_shutdown(queue));
  CHECK(os_says_ready(handle, test::generous));
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "the handle of a channel becomes ready for messages, for room, and for the end") {
  test::channel_pair pair = test::make_channel(4096);
  int64_t handle = 0;
  REQUIRE_OK(kith_channel_poll_handle(pair.a, &handle));
  for (int round = 0; round < 3; ++round) {
    CHECK_OK(kith_poll_arm(pair.a, KITH_WAIT_READ));
    CHECK_FALSE(os_says_ready(handle, soon));
    CHECK(test::tell(pair.b, "hello"));
    CHECK(os_says_ready(handle, test::generous));
    CHECK_STATUS(kith_poll_arm(pair.a, KITH_WAIT_READ), KITH_E_BUSY);
    CHECK(test::hear(pair.a, "hello"));
  }
  const std::string message(500, 'x');
  while (kith_channel_send(pair.a, message.data(), message.size(), 0) == KITH_OK) continue;
  CHECK_OK(kith_poll_arm(pair.a, KITH_WAIT_WRITE));
  CHECK_FALSE(os_says_ready(handle, soon));
  while (test::heard(pair.b) == message && kith_poll_arm(pair.a, KITH_WAIT_WRITE) == KITH_OK) continue;
  CHECK_OK(kith_poll_arm(pair.a, KITH_WAIT_READ));
  CHECK_OK(kith_poll_disarm(pair.a));
  CHECK_OK(kith_poll_arm(pair.a, KITH_WAIT_READ));
  pair.b.close();
  CHECK(os_says_ready(handle, test::generous));
  CHECK_STATUS(kith_poll_arm(pair.a, KITH_WAIT_READ), KITH_E_BUSY);
}

TEST_CASE_FIXTURE(nothing_leaks, "the handle of a process becomes ready when it ends") {
  test::channel_pair line = test::make_channel();
  test::process child = test::start_role({"stay"}, {{"line", line.b}});
  CHECK(test::hear(line.a, "ready"));
  int64_t handle = 0;
  const kith_status status = kith_process_poll_handle(child, &handle);
  if (status == KITH_E_UNSUPPORTED) {
    CHECK(kith_has(KITH_HAS_PROCESS_HANDLE) == 0);
    CHECK_STATUS(kith_poll_arm(child, 0), KITH_E_MISMATCH);
    line.a.close();
    test::end_of(child);
    SKIP_CASE("this system has no handles of processes");
  }
  CHECK_OK(status);
  CHECK_OK(kith_poll_arm(child, 0));
  CHECK_FALSE(os_says_ready(handle, soon));
  line.a.close();
  CHECK(os_says_ready(handle, test::generous));
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
  CHECK_STATUS(kith_poll_arm(child, 0), KITH_E_BUSY);
  CHECK_OK(kith_poll_disarm(child));
}

TEST_CASE_FIXTURE(nothing_leaks, "what has no handle to wait for says so") {
  test::lock lock = test::make_lock();
  test::event event = test::make_event();
  test::queue queue = test::make_queue();
  int64_t handle = 77;
  CHECK_STATUS(kith_poll_arm(lock, 0), KITH_E_MISMATCH);
  CHECK_STATUS(kith_poll_disarm(lock), KITH_E_MISMATCH);
  CHECK_STATUS(kith_poll_arm(event, KITH_WAIT_WRITE), KITH_E_MISMATCH);
  CHECK_STATUS(kith_poll_arm(event, 4), KITH_E_INVALID);
  CHECK_STATUS(kith_poll_arm(nullptr, 0), KITH_E_INVALID);
  CHECK_STATUS(kith_poll_disarm(nullptr), KITH_E_INVALID);
  CHECK_STATUS(kith_event_poll_handle(event, nullptr), KITH_E_INVALID);
  CHECK_STATUS(kith_event_poll_handle(nullptr, &handle), KITH_E_INVALID);
  CHECK_STATUS(kith_queue_poll_handle(reinterpret_cast<kith_queue*>(event.get()), &handle), KITH_E_MISMATCH);
  CHECK_STATUS(kith_process_poll_handle(nullptr, &handle), KITH_E_INVALID);
  CHECK_STATUS(kith_channel_poll_handle(nullptr, &handle), KITH_E_INVALID);
  test::channel_pair pair = test::make_channel();
  test::channel_pair line = test::make_channel();
  test::process child = test::start_role({"stay"}, {{"line", line.b}, {"moved", pair.b}});
  CHECK(test::hear(line.a, "ready"));
  CHECK_STATUS(kith_channel_poll_handle(pair.b, &handle), KITH_E_MOVED);
  CHECK_STATUS(kith_poll_arm(pair.b, 0), KITH_E_MOVED);
  line.a.close();
  test::end_of(child);
  CHECK(handle == 77);
}

TEST_CASE_FIXTURE(
    nothing_leaks,
    "who waits for room of a queue by a handle of its own takes no ring from who waits for items") {
  test::queue queue = test::make_queue(4096);
  const std::string item(500, 'x');
  std::vector<char> buffer(item.size());
  size_t size = 0;
  int64_t items = 0, room = 77;
  CHECK_STATUS(kith_queue_room_handle(nullptr, &room), KITH_E_INVALID);
  CHECK_STATUS(kith_queue_room_handle(queue, nullptr), KITH_E_INVALID);
  REQUIRE_OK(kith_queue_poll_handle(queue, &items));
  REQUIRE_OK(kith_queue_room_handle(queue, &room));
  CHECK(room != items);
  CHECK_OK(kith_poll_arm(queue, KITH_WAIT_READ));
  while (kith_queue_put(queue, item.data(), item.size(), 0) == KITH_OK) continue;
  CHECK_OK(kith_poll_arm(queue, KITH_WAIT_WRITE));
  CHECK(os_says_ready(items, 0));
  CHECK_FALSE(os_says_ready(room, soon));
  while (kith_queue_get(queue, buffer.data(), buffer.size(), &size, 0) == KITH_OK) continue;
  CHECK(os_says_ready(room, test::generous));
  CHECK_STATUS(kith_poll_arm(queue, KITH_WAIT_WRITE), KITH_E_BUSY);
  CHECK_OK(kith_poll_arm(queue, KITH_WAIT_READ));
  CHECK_FALSE(os_says_ready(items, soon));
}

// Whoever quiets a bell that others wait for must not leave them in the dark.
TEST_CASE_FIXTURE(nothing_leaks, "two who wait by the handle of one queue both hear of items") {
  test::queue queue = test::make_queue();
  int64_t handle = 0;
  REQUIRE_OK(kith_queue_poll_handle(queue, &handle));
  CHECK_OK(kith_poll_arm(queue, 0));
  CHECK_OK(kith_poll_arm(queue, 0));
  CHECK_OK(kith_queue_put(queue, "x", 1, 0));
  test::in_threads(2, [&](int) { CHECK(os_says_ready(handle, test::generous)); });
  CHECK_STATUS(kith_poll_arm(queue, 0), KITH_E_BUSY);  // quiets nothing while there is something
  CHECK(os_says_ready(handle, 0));
}
