// SPDX-License-Identifier: MIT
// Ending a child step by step, and many threads that wait for one end.
#include <atomic>

#include "support.h"

using test::nothing_leaks;

namespace {

// A child that stays until its line is closed.
struct staying_child {
  test::channel_pair line = test::make_channel();
  test::process process = test::start_role({"stay"}, {{"line", line.b}});

  staying_child() { REQUIRE(test::hear(line.a, "ready")); }
};

test::shown_exit shown(const kith_exit& end) { return {end.kind, end.code}; }

constexpr test::shown_exit asked{KITH_EXIT_KILLED, 15};
constexpr test::shown_exit killed{KITH_EXIT_KILLED, 9};

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks, "a child that ends by itself in time is neither asked nor killed") {
  staying_child child;
  child.line.a.close();
  kith_exit end{};
  CHECK_OK(kith_process_stop(child.process, test::generous, test::generous, test::generous, &end));
  CHECK(shown(end) == test::shown_exit{KITH_EXIT_CODE, 0});
}

TEST_CASE_FIXTURE(nothing_leaks, "a child that does not end by itself is asked to") {
  staying_child child;
  kith_exit end{};
  const uint64_t began = test::now_ms();
  CHECK_OK(kith_process_stop(child.process, 50, test::generous, test::generous, &end));
  CHECK(test::now_ms() - began + 1 >= 50);
  CHECK(shown(end) == asked);
  CHECK_EXIT(child.process, asked.kind, asked.code);
}

TEST_CASE_FIXTURE(nothing_leaks, "a step of 0 ms is left out") {
  kith_exit end{-77, 0, -77};
  staying_child one;
  CHECK_STATUS(kith_process_stop(one.process, 0, 0, 0, &end), KITH_E_TIMEOUT);
  CHECK_STATUS(kith_process_stop(one.process, 20, 0, 0, &end), KITH_E_TIMEOUT);
  CHECK(end.kind == -77);
  CHECK_OK(kith_process_stop(one.process, 0, 0, test::generous, &end));
  CHECK(shown(end) == killed);
  staying_child other;
  CHECK_OK(kith_process_stop(other.process, 0, KITH_FOREVER, 0, &end));
  CHECK(shown(end) == asked);
  CHECK_OK(kith_process_stop(other.process, 0, 0, 0, &end));  // it has ended: nothing is left to do
  CHECK(shown(end) == asked);
}

TEST_CASE_FIXTURE(nothing_leaks, "a stop without what it needs is refused, and stops nothing") {
  staying_child child;
  kith_exit end{-77, 0, -77};
  CHECK_STATUS(kith_process_stop(nullptr, 0, 0, 1, &end), KITH_E_INVALID);
  CHECK_STATUS(kith_process_stop(child.process, 0, 0, 1, nullptr), KITH_E_INVALID);
  CHECK_STATUS(kith_process_stop(child.process, -2, 1, 1, &end), KITH_E_INVALID);
  CHECK_STATUS(kith_process_stop(child.process, 0, -2, 1, &end), KITH_E_INVALID);
  CHECK_STATUS(kith_process_stop(child.process, 0, 1, -2, &end), KITH_E_INVALID);
  CHECK(end.kind == -77);
  child.line.a.close();
  CHECK_EXIT(child.process, KITH_EXIT_CODE, 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "a stop that is cancelled takes no further step") {
  staying_child child;
  const test::cancel cancel = test::make_cancel();
  CHECK_OK(kith_cancel_use(cancel));
  CHECK_OK(kith_cancel_fire(cancel));
  kith_exit end{-77, 0, -77};
  CHECK_STATUS(kith_process_stop(child.process, test::generous, test::generous, test::generous, &end),
               KITH_E_CANCELLED);
  CHECK_OK(kith_cancel_use(nullptr));
  child.line.a.close();
  CHECK_EXIT(child.process, KITH_EXIT_CODE, 0);
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "many threads may wait for one child while others stop it, and all learn the same") {
  for (int round = test::repetitions(20); round > 0; --round) {
    staying_child child;
    std::atomic<int> wrong = 0;
    test::in_threads(16, [&](int i) {
      kith_exit end{};
      kith_status status = KITH_OK;
      if (i == 0) {
        status = kith_process_stop(child.process, 5, 0, test::generous, &end);
      } else if (i % 3 == 0) {
        status = kith_process_stop(child.process, KITH_FOREVER, 0, 0, &end);
      } else if (i % 3 == 1) {
        status = kith_process_wait(child.process, KITH_FOREVER, &end);
      } else {
        while ((status = kith_process_wait(child.process, i % 2, &end)) == KITH_E_TIMEOUT) {
        }
      }
      wrong += status != KITH_OK || !(shown(end) == killed);
    });
    CHECK(wrong == 0);
  }
}
