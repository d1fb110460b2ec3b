// SPDX-License-Identifier: MIT
#include "../support.h"
#include "deadline.h"

using namespace kith;

TEST_CASE("the timeouts are all numbers from -1 on") {
  CHECK(timeout_is_valid(KITH_FOREVER));
  CHECK(timeout_is_valid(0));
  CHECK(timeout_is_valid(INT64_MAX));
  CHECK_FALSE(timeout_is_valid(-2));
  CHECK_FALSE(timeout_is_valid(INT64_MIN));
}

TEST_CASE("a deadline passes when its time has come, and not before") {
  const deadline until = deadline_in(1000, 2);
  CHECK(until.at_ns == 1000 + 2 * ns_per_ms);
  CHECK_FALSE(passed(until, until.at_ns - 1));
  CHECK(passed(until, until.at_ns));
  CHECK(remaining_ns(until, until.at_ns - 7) == 7);
  CHECK(remaining_ns(until, until.at_ns + 7) == 0);
}

TEST_CASE("no deadline never passes, and neither does one beyond the end of time") {
  CHECK(deadline_in(1000, KITH_FOREVER).never());
  CHECK_FALSE(passed(no_deadline, UINT64_MAX));
  const deadline far = deadline_in(UINT64_MAX - 5, INT64_MAX);
  CHECK_FALSE(far.never());
  CHECK_FALSE(passed(far, UINT64_MAX - 5));
  CHECK(deadline_after(UINT64_MAX - 5, 100).at_ns == UINT64_MAX - 1);
}

TEST_CASE("milliseconds are rounded up, so that a wait does not end early") {
  CHECK(remaining_ms({100}, 100) == 0);
  CHECK(remaining_ms({101}, 100) == 1);
  CHECK(remaining_ms({ns_per_ms}, 0) == 1);
  CHECK(remaining_ms({ns_per_ms + 1}, 0) == 2);
  CHECK(remaining_ms(no_deadline, 0) == 86'400'000);
}

TEST_CASE("of two deadlines the earlier one counts") {
  CHECK(earlier({5}, {7}).at_ns == 5);
  CHECK(earlier(no_deadline, {7}).at_ns == 7);
}
