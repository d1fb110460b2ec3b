// SPDX-License-Identifier: MIT
// Waits are sliced, so a wake that is forgotten costs only the rest of a slice: no other test would see it. Here most of the
// wakes must come sooner than slices would bring them.
#include <uv.h>

#include <chrono>
#include <functional>

#include "support.h"

using test::nothing_leaks;

namespace {

constexpr int trials = 8;
constexpr int sooner = 6;
constexpr uint64_t soon_ns =
    8'000'000;  // slices are 50 ms by then: one trial in six would be as soon by chance

// Whether the waiter, in a thread of its own, comes back soon after the event.
bool is_woken_in_time(int trial, const std::function<void()>& waiter, const std::function<void()>& event) {
  uint64_t woken_at = 0;
  std::thread thread([&] {
    waiter();
    woken_at = uv_hrtime();
  });
  // Not to let things settle: a waiter begins with short slices, and must have come to the long ones.
  std::this_thread::sleep_for(std::chrono::milliseconds(130 + trial * 7));
  const uint64_t happened_at = uv_hrtime();
  event();
  thread.join();
  return woken_at - happened_at < soon_ns;
}

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks, "a waiter is woken by a release, not by the end of its slice") {
  test::lock guard = test::make_lock();
  REQUIRE_OK(kith_lock_acquire(guard, 0));
  const auto waiter = [&] {
    CHECK_OK(kith_lock_acquire(guard, test::generous));
    CHECK_OK(kith_lock_release(guard));
  };
  int in_time = 0;
  for (int trial = 0; trial < trials; ++trial) {
    in_time += is_woken_in_time(trial, waiter, [&] { CHECK_OK(kith_lock_release(guard)); });
    REQUIRE_OK(kith_lock_acquire(guard, test::generous));
  }
  CHECK_OK(kith_lock_release(guard));
  CHECK(in_time >= sooner);
}

TEST_CASE_FIXTURE(nothing_leaks, "a receiver is woken by a message, not by the end of its slice") {
  test::channel_pair line = test::make_channel();
  const auto receiver = [&] { CHECK(test::hear(line.b, "wake up")); };
  int in_time = 0;
  for (int trial = 0; trial < trials; ++trial) {
    in_time += is_woken_in_time(trial, receiver, [&] { CHECK(test::tell(line.a, "wake up")); });
  }
  CHECK(in_time >= sooner);
}

TEST_CASE_FIXTURE(nothing_leaks, "a sender is woken by room, not by the end of its slice") {
  test::channel_pair line = test::make_channel(4096);
  const std::string large(3000, 'x');
  REQUIRE(test::tell(line.a, large));
  const auto sender = [&] { CHECK(test::tell(line.a, large)); };
  int in_time = 0;
  for (int trial = 0; trial < trials; ++trial) {
    in_time += is_woken_in_time(trial, sender, [&] { CHECK(test::hear(line.b, large)); });
  }
  CHECK(in_time >= sooner);
}
