// SPDX-License-Identifier: MIT
// Changing the wall clock changes no timeout. The test sets the clock of the whole machine, so it must be asked for.
#include <time.h>

#include <cstdlib>

#include "../support.h"

namespace {

// Moves the wall clock; false: not allowed to.
bool move_wall_clock(int64_t seconds) {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  now.tv_sec += static_cast<time_t>(seconds);
  return clock_settime(CLOCK_REALTIME, &now) == 0;
}

}  // namespace

TEST_CASE("setting the wall clock neither shortens nor lengthens a wait") {
  if (std::getenv("KITH_TEST_WALL_CLOCK") == nullptr)
    SKIP_CASE("it sets the machine's clock: wanted is KITH_TEST_WALL_CLOCK");
  constexpr int64_t hour = 3'600, timeout_ms = 400;
  test::event event;
  REQUIRE_OK(kith_event_create(nullptr, event.out()));
  for (const int64_t jump : {hour, -hour}) {
    const uint64_t began = test::now_ms();
    std::thread waiter([&] { CHECK_STATUS(kith_event_wait(event, timeout_ms), KITH_E_TIMEOUT); });
    const bool moved = move_wall_clock(jump);
    waiter.join();
    const uint64_t took = test::now_ms() - began;
    if (moved) REQUIRE(move_wall_clock(-jump));
    REQUIRE(moved);
    CHECK(took >= timeout_ms);
    CHECK(took < 10 * timeout_ms);
  }
}
