// SPDX-License-Identifier: MIT
#include <atomic>

#include "support.h"

using test::nothing_leaks;

namespace {

kith_status create(uint32_t initial, uint32_t flags, uint32_t maximum) {
  auto options = test::defaults<kith_semaphore_options>();
  options.flags = flags;
  options.maximum = maximum;
  kith_semaphore* made = test::untouched<kith_semaphore>();
  const kith_status status = kith_semaphore_create(initial, &options, &made);
  if (status == KITH_OK) {
    kith_semaphore_close(made);
  } else {
    CHECK(made == test::untouched<kith_semaphore>());
  }
  return status;
}

// Takes as many permits as the argument says, says so, and keeps them until it is told to release them or is killed.
int32_t hold(const void* argument, size_t) {
  const int count = *static_cast<const int*>(argument);
  test::semaphore permits;
  test::channel line;
  CHILD_NEEDS(test::take(permits, "permits") && test::take(line, "line"));
  for (int i = 0; i < count; ++i) CHILD_NEEDS(kith_semaphore_acquire(permits, test::generous) == KITH_OK);
  CHILD_NEEDS(test::tell(line, "held"));
  CHILD_NEEDS(test::hear(line, "release"));
  for (int i = 0; i < count; ++i) CHILD_NEEDS(kith_semaphore_release(permits) == KITH_OK);
  CHILD_NEEDS(kith_semaphore_release(permits) == KITH_E_NOT_OWNER);
  return 0;
}

int32_t return_with_a_permit(const void*, size_t) {
  test::semaphore permits;
  CHILD_NEEDS(test::take(permits, "permits"));
  return kith_semaphore_acquire(permits, 0);
}

int32_t release_as_a_stranger(const void*, size_t) {
  test::semaphore permits;
  CHILD_NEEDS(test::take(permits, "permits"));
  CHILD_NEEDS(kith_semaphore_release(permits) == KITH_E_NOT_OWNER);
  CHILD_NEEDS(kith_semaphore_acquire(permits, 0) == KITH_E_TIMEOUT);
  return 0;
}

int32_t acquire_one(const void*, size_t) {
  test::semaphore permits;
  test::channel line;
  CHILD_NEEDS(test::take(permits, "permits") && test::take(line, "line"));
  CHILD_NEEDS(test::tell(line, "acquiring"));
  return kith_semaphore_acquire(permits, KITH_FOREVER);
}

constexpr int64_t holders_at_once = 2;

// Counts who is inside with atomics of its own.
int32_t go_in_and_out(const void*, size_t) {
  test::semaphore permits;
  test::value inside;
  CHILD_NEEDS(test::take(permits, "permits") && test::take(inside, "inside"));
  for (int i = 0; i < test::repetitions(20'000); ++i) {
    CHILD_NEEDS(kith_semaphore_acquire(permits, test::generous) == KITH_OK);
    int64_t others = -1;
    CHILD_NEEDS(kith_value_add(inside, 1, &others) == KITH_OK);
    CHILD_NEEDS(others >= 0 && others < holders_at_once);
    CHILD_NEEDS(kith_value_add(inside, -1, nullptr) == KITH_OK);
    CHILD_NEEDS(kith_semaphore_release(permits) == KITH_OK);
  }
  return 0;
}

int32_t signal_to_the_bound(const void*, size_t) {
  test::semaphore signals;
  CHILD_NEEDS(test::take(signals, "signals"));
  CHILD_NEEDS(kith_semaphore_release(signals) == KITH_OK);
  CHILD_NEEDS(kith_semaphore_release(signals) == KITH_E_LIMIT);
  CHILD_NEEDS(kith_semaphore_available(signals) == 3);
  return 0;
}

// Answers each signal by one of its own.
int32_t answer_signals(const void*, size_t) {
  test::semaphore ping;
  test::semaphore pong;
  CHILD_NEEDS(test::take(ping, "ping") && test::take(pong, "pong"));
  for (int i = 0; i < test::repetitions(20'000); ++i) {
    CHILD_NEEDS(kith_semaphore_acquire(ping, test::generous) == KITH_OK);
    CHILD_NEEDS(kith_semaphore_release(pong) == KITH_OK);
  }
  return 0;
}

int32_t take_a_share_of_signals(const void*, size_t) {
  test::semaphore signals;
  test::value taken;
  CHILD_NEEDS(test::take(signals, "signals") && test::take(taken, "taken"));
  for (;;) {
    const kith_status status = kith_semaphore_acquire(signals, test::generous);
    CHILD_NEEDS(status == KITH_OK);
    int64_t before = 0;
    CHILD_NEEDS(kith_value_add(taken, 1, &before) == KITH_OK);
    if (before < 0) return 0;  // the signals to end make the count what it should be
  }
}

// A child that holds permits.
struct holder {
  test::channel_pair line = test::make_channel();
  test::process process;

  holder(kith_semaphore* permits, int count)
      : process(test::start_with(hold, {{"permits", permits}, {"line", line.b}}, count)) {
    REQUIRE(test::hear(line.a, "held"));
  }

  void kill() {
    REQUIRE_OK(kith_process_kill(process));
    CHECK_EXIT(process, KITH_EXIT_KILLED, 9);
  }

  void release() {
    CHECK(test::tell(line.a, "release"));
    CHECK_EXIT(process, KITH_EXIT_CODE, 0);
  }
};

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks, "a semaphore gives as many permits as it has") {
  test::semaphore permits = test::make_semaphore(3);
  CHECK(kith_semaphore_available(permits) == 3);
  for (uint32_t i = 0; i < 3; ++i) {
    CHECK_OK(kith_semaphore_acquire(permits, 0));
    CHECK(kith_semaphore_available(permits) == 2 - i);
  }
  CHECK_STATUS(kith_semaphore_acquire(permits, 0), KITH_E_TIMEOUT);
  CHECK_STATUS(kith_semaphore_acquire(permits, 10), KITH_E_TIMEOUT);
  CHECK_OK(kith_semaphore_release(permits));
  CHECK(kith_semaphore_available(permits) == 1);
  CHECK_OK(kith_semaphore_acquire(permits, KITH_FOREVER));
  for (int i = 0; i < 3; ++i) CHECK_OK(kith_semaphore_release(permits));
  CHECK_STATUS(kith_semaphore_release(permits), KITH_E_NOT_OWNER);
  CHECK(kith_semaphore_available(permits) == 3);
}

TEST_CASE_FIXTURE(nothing_leaks, "the numbers of a semaphore have bounds") {
  CHECK_STATUS(create(0, 0, 0), KITH_E_INVALID);
  CHECK_OK(create(1, 0, 0));
  CHECK_OK(create(KITH_SEMAPHORE_MOST_OWNED, 0, 0));
  CHECK_STATUS(create(KITH_SEMAPHORE_MOST_OWNED + 1, 0, 0), KITH_E_INVALID);
  CHECK_OK(create(5, 0, 5));
  CHECK_STATUS(create(5, 0, 4), KITH_E_INVALID);
  CHECK_STATUS(create(5, 0, 6), KITH_E_INVALID);
  CHECK_OK(create(0, KITH_SEMAPHORE_SIGNAL, 0));
  CHECK_OK(create(0, KITH_SEMAPHORE_SIGNAL, 1));
  CHECK_OK(create(7, KITH_SEMAPHORE_SIGNAL, 7));
  CHECK_STATUS(create(8, KITH_SEMAPHORE_SIGNAL, 7), KITH_E_INVALID);
  CHECK_OK(create(KITH_SEMAPHORE_LARGEST, KITH_SEMAPHORE_SIGNAL, 0));
  CHECK_OK(create(1, KITH_SEMAPHORE_SIGNAL, KITH_SEMAPHORE_LARGEST));
  CHECK_STATUS(create(KITH_SEMAPHORE_LARGEST + 1u, KITH_SEMAPHORE_SIGNAL, 0), KITH_E_INVALID);
  CHECK_STATUS(create(1, KITH_SEMAPHORE_SIGNAL, KITH_SEMAPHORE_LARGEST + 1u), KITH_E_INVALID);
  CHECK_STATUS(kith_semaphore_create(1, nullptr, nullptr), KITH_E_INVALID);
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "a permit belongs to the process: any of its threads releases it, no stranger does") {
  test::semaphore permits = test::make_semaphore(1);
  CHECK_STATUS(kith_semaphore_release(permits), KITH_E_NOT_OWNER);
  CHECK_OK(kith_semaphore_acquire(permits, 0));
  test::process stranger = test::start(release_as_a_stranger, {{"permits", permits}});
  CHECK_EXIT(stranger, KITH_EXIT_CODE, 0);
  test::in_threads(1, [&](int) {
    CHECK_STATUS(kith_semaphore_acquire(permits, 0), KITH_E_TIMEOUT);
    CHECK_OK(kith_semaphore_release(permits));
  });
  CHECK_STATUS(kith_semaphore_release(permits), KITH_E_NOT_OWNER);
}

TEST_CASE_FIXTURE(nothing_leaks, "never more processes are inside than there are permits") {
  test::semaphore permits = test::make_semaphore(holders_at_once);
  test::value inside = test::make_value(KITH_I64);
  std::vector<test::process> children;
  for (int i = 0; i < 4; ++i) {
    children.push_back(test::start(go_in_and_out, {{"permits", permits}, {"inside", inside}}));
  }
  for (test::process& child : children) CHECK_EXIT(child, KITH_EXIT_CODE, 0);
  CHECK(test::count_in(inside) == 0);
  CHECK(kith_semaphore_available(permits) == holders_at_once);
}

TEST_CASE_FIXTURE(nothing_leaks, "never more threads are inside than there are permits, of either kind") {
  for (const bool signal : {false, true}) {
    CAPTURE(signal);
    test::semaphore permits =
        signal ? test::make_signal(holders_at_once) : test::make_semaphore(holders_at_once);
    std::atomic<int> inside = 0;
    std::atomic<int> failures = 0;
    test::in_threads(4, [&](int) {
      for (int i = 0; i < test::repetitions(10'000); ++i) {
        failures += kith_semaphore_acquire(permits, test::generous) != KITH_OK;
        failures += ++inside > holders_at_once;
        --inside;
        failures += kith_semaphore_release(permits) != KITH_OK;
      }
    });
    CHECK(failures == 0);
    CHECK(kith_semaphore_available(permits) == holders_at_once);
  }
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "permits that one process holds are missed in another, until it releases them") {
  test::semaphore permits = test::make_semaphore(3);
  holder other(permits, 2);
  CHECK(kith_semaphore_available(permits) == 1);
  CHECK_OK(kith_semaphore_acquire(permits, 0));
  CHECK_STATUS(kith_semaphore_acquire(permits, 0), KITH_E_TIMEOUT);
  other.release();
  CHECK_OK(kith_semaphore_acquire(permits, 0));
  CHECK_OK(kith_semaphore_acquire(permits, 0));
  for (int i = 0; i < 3; ++i) CHECK_OK(kith_semaphore_release(permits));
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "all permits of a process that was killed come back, and it is told of each") {
  constexpr int held = 30;
  test::semaphore permits = test::make_semaphore(held + 2);
  holder other(permits, held);
  other.kill();
  int died = 0;
  int in_order = 0;
  for (int i = 0; i < held + 2; ++i) {
    const kith_status status = kith_semaphore_acquire(permits, test::generous);
    died += status == KITH_OWNER_DIED;
    in_order += status == KITH_OK;
  }
  CHECK(died == held);
  CHECK(in_order == 2);
  CHECK_STATUS(kith_semaphore_acquire(permits, 10), KITH_E_TIMEOUT);
  for (int i = 0; i < held + 2; ++i) CHECK_OK(kith_semaphore_release(permits));
  // It was told once.
  for (int i = 0; i < held + 2; ++i) CHECK_OK(kith_semaphore_acquire(permits, 0));
  for (int i = 0; i < held + 2; ++i) CHECK_OK(kith_semaphore_release(permits));
}

TEST_CASE_FIXTURE(nothing_leaks, "the permit of a killed process is had by one who only tries") {
  test::semaphore permits = test::make_semaphore(1);
  holder other(permits, 1);
  other.kill();
  kith_status status = KITH_E_TIMEOUT;
  // Whether the holder lives is not asked at every try.
  CHECK(test::becomes_true([&] {
    status = kith_semaphore_acquire(permits, 0);
    return status != KITH_E_TIMEOUT;
  }));
  CHECK_STATUS(status, KITH_OWNER_DIED);
  CHECK_OK(kith_semaphore_release(permits));
}

TEST_CASE_FIXTURE(nothing_leaks, "one who waits already gets the permit of a process that is killed") {
  test::semaphore permits = test::make_semaphore(1);
  holder other(permits, 1);
  std::atomic<bool> began = false;
  std::thread waiter([&] {
    began = true;
    CHECK_STATUS(kith_semaphore_acquire(permits, KITH_FOREVER), KITH_OWNER_DIED);
  });
  while (!began) std::this_thread::yield();
  other.kill();
  waiter.join();
  CHECK_OK(kith_semaphore_release(permits));
}

TEST_CASE_FIXTURE(nothing_leaks, "a function that returns without releasing has died with its permit") {
  test::semaphore permits = test::make_semaphore(1);
  test::process child = test::start(return_with_a_permit, {{"permits", permits}});
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
  CHECK_STATUS(kith_semaphore_acquire(permits, test::generous), KITH_OWNER_DIED);
  CHECK_OK(kith_semaphore_release(permits));
}

TEST_CASE_FIXTURE(nothing_leaks, "processes that are killed while they wait take no permit with them") {
  for (const bool signal : {false, true}) {
    CAPTURE(signal);
    test::semaphore permits = signal ? test::make_signal(1) : test::make_semaphore(1);
    for (int round = 0; round < test::repetitions(40); ++round) {
      REQUIRE_OK(kith_semaphore_acquire(permits, test::generous));
      test::channel_pair line = test::make_channel();
      test::process child = test::start(acquire_one, {{"permits", permits}, {"line", line.b}});
      CHECK(test::hear(line.a, "acquiring"));
      REQUIRE_OK(kith_process_kill(child));
      CHECK_EXIT(child, KITH_EXIT_KILLED, 9);
      CHECK(kith_semaphore_available(permits) == 0);
      CHECK_OK(kith_semaphore_release(permits));
      CHECK(kith_semaphore_available(permits) == 1);
    }
    CHECK_OK(kith_semaphore_acquire(permits, 0));
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "a process that waits gets the permit that another releases") {
  for (const bool signal : {false, true}) {
    CAPTURE(signal);
    test::semaphore permits = signal ? test::make_signal(1) : test::make_semaphore(1);
    test::channel_pair line = test::make_channel();
    REQUIRE_OK(kith_semaphore_acquire(permits, 0));
    test::process child = test::start(acquire_one, {{"permits", permits}, {"line", line.b}});
    CHECK(test::hear(line.a, "acquiring"));
    kith_exit end{};
    CHECK_STATUS(kith_process_wait(child, 50, &end), KITH_E_TIMEOUT);
    CHECK_OK(kith_semaphore_release(permits));
    CHECK_EXIT(child, KITH_EXIT_CODE, 0);
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "the bound of a semaphore for signalling holds in every process") {
  test::semaphore signals = test::make_signal(2, 3);
  test::process child = test::start(signal_to_the_bound, {{"signals", signals}});
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
  CHECK_STATUS(kith_semaphore_release(signals), KITH_E_LIMIT);
  for (int i = 0; i < 3; ++i) CHECK_OK(kith_semaphore_acquire(signals, 0));
  CHECK_STATUS(kith_semaphore_acquire(signals, 0), KITH_E_TIMEOUT);
}

TEST_CASE_FIXTURE(nothing_leaks, "a semaphore without a bound of its own counts to the largest") {
  test::semaphore signals = test::make_signal(KITH_SEMAPHORE_LARGEST - 1);
  CHECK_OK(kith_semaphore_release(signals));
  CHECK_STATUS(kith_semaphore_release(signals), KITH_E_LIMIT);
  CHECK(kith_semaphore_available(signals) == KITH_SEMAPHORE_LARGEST);
}

TEST_CASE_FIXTURE(nothing_leaks, "signals go from one process to another and back") {
  test::semaphore ping = test::make_signal(0);
  test::semaphore pong = test::make_signal(0);
  test::process child = test::start(answer_signals, {{"ping", ping}, {"pong", pong}});
  int failures = 0;
  for (int i = 0; i < test::repetitions(20'000); ++i) {
    failures += kith_semaphore_release(ping) != KITH_OK;
    failures += kith_semaphore_acquire(pong, test::generous) != KITH_OK;
  }
  CHECK(failures == 0);
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
  CHECK_STATUS(kith_semaphore_acquire(pong, 0), KITH_E_TIMEOUT);
}

TEST_CASE_FIXTURE(nothing_leaks, "each of many signals is taken once, by one of three processes") {
  test::semaphore signals = test::make_signal(0);
  test::value taken = test::make_value(KITH_I64);
  const int count = test::repetitions(30'000);
  std::vector<test::process> children;
  for (int i = 0; i < 3; ++i) {
    children.push_back(test::start(take_a_share_of_signals, {{"signals", signals}, {"taken", taken}}));
  }
  int failures = 0;
  for (int i = 0; i < count; ++i) failures += kith_semaphore_release(signals) != KITH_OK;
  CHECK(failures == 0);
  CHECK(test::reaches(taken, count));
  CHECK(test::count_in(taken) == count);
  CHECK(kith_semaphore_available(signals) == 0);
  CHECK_OK(kith_value_exchange(taken, -1000, nullptr));
  for (int i = 0; i < 3; ++i) CHECK_OK(kith_semaphore_release(signals));
  for (test::process& child : children) CHECK_EXIT(child, KITH_EXIT_CODE, 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "a signal that a killed process had taken is gone with it") {
  test::semaphore signals = test::make_signal(2);
  test::channel_pair line = test::make_channel();
  const int one = 1;
  test::process child = test::start_with(hold, {{"permits", signals}, {"line", line.b}}, one);
  CHECK(test::hear(line.a, "held"));
  REQUIRE_OK(kith_process_kill(child));
  CHECK_EXIT(child, KITH_EXIT_KILLED, 9);
  CHECK_OK(kith_semaphore_acquire(signals, 0));
  CHECK_STATUS(kith_semaphore_acquire(signals, 50), KITH_E_TIMEOUT);
}

TEST_CASE_FIXTURE(nothing_leaks, "a timeout that is no timeout takes no permit") {
  test::semaphore permits = test::make_semaphore(1);
  CHECK_STATUS(kith_semaphore_acquire(permits, -2), KITH_E_INVALID);
  CHECK_STATUS(kith_semaphore_acquire(permits, INT64_MIN), KITH_E_INVALID);
  CHECK(kith_semaphore_available(permits) == 1);
  CHECK_OK(kith_semaphore_acquire(permits, INT64_MAX));
  CHECK_OK(kith_semaphore_release(permits));
}
