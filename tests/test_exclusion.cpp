// SPDX-License-Identifier: MIT
// What a lock is for, between processes: never two inside, no increment lost, nobody left out; and everybody sees it taken.
#include <atomic>
#include <cstdlib>

#include "support.h"

using test::nothing_leaks;

namespace {

constexpr int processes = 4;

// 100,000 each; fewer under Wine and with a sanitizer.
int increments() { return test::repetitions(100'000); }

struct protected_data {
  int64_t inside;  // changed by atomics
  int64_t count;   // by plain reads and writes
};

int32_t increment(const void*, size_t) {
  test::lock guard;
  test::array numbers;
  CHILD_NEEDS(test::take(guard, "guard") && test::take(numbers, "numbers"));
  auto* const data = static_cast<volatile protected_data*>(kith_array_data(numbers));
  for (int i = 0; i < increments(); ++i) {
    int64_t others = -1;
    CHILD_NEEDS(kith_lock_acquire(guard, test::generous) == KITH_OK);
    CHILD_NEEDS(kith_array_add(numbers, 0, 1, &others) == KITH_OK && others == 0);
    data->count = data->count + 1;
    CHILD_NEEDS(kith_array_add(numbers, 0, -1, &others) == KITH_OK && others == 1);
    CHILD_NEEDS(kith_lock_release(guard) == KITH_OK);
  }
  return 0;
}

// Counts its turns under the lock, until the event "stop" is set.
int32_t take_turns(const void* argument, size_t) {
  const size_t index = *static_cast<const size_t*>(argument);
  test::lock guard;
  test::event start;
  test::event stop;
  test::array turns;
  CHILD_NEEDS(test::take(guard, "guard") && test::take(start, "start") && test::take(stop, "stop") &&
              test::take(turns, "turns"));
  auto* const mine = static_cast<volatile int64_t*>(kith_array_data(turns)) + index;
  CHILD_NEEDS(kith_array_add(turns, 0, 1, nullptr) == KITH_OK);
  CHILD_NEEDS(kith_event_wait(start, test::generous) == KITH_OK);
  while (kith_event_is_set(stop) == 0) {
    CHILD_NEEDS(kith_lock_acquire(guard, test::generous) == KITH_OK);
    *mine = *mine + 1;
    CHILD_NEEDS(kith_lock_release(guard) == KITH_OK);
  }
  return 0;
}

int32_t hold_until_told(const void*, size_t) {
  test::lock guard;
  test::channel line;
  CHILD_NEEDS(test::take(guard, "guard") && test::take(line, "line"));
  CHILD_NEEDS(kith_lock_acquire(guard, test::generous) == KITH_OK);
  CHILD_NEEDS(test::tell(line, "held"));
  CHILD_NEEDS(test::hear(line, "release"));
  return kith_lock_release(guard);
}

// Whether the lock is seen to be held by the process whose id is the argument.
int32_t see_it_taken(const void* argument, size_t) {
  test::lock guard;
  kith_owner owner{};
  CHILD_NEEDS(test::take(guard, "guard"));
  CHILD_NEEDS(kith_lock_acquire(guard, 0) == KITH_E_TIMEOUT);
  CHILD_NEEDS(kith_lock_acquire(guard, 5) == KITH_E_TIMEOUT);
  CHILD_NEEDS(kith_lock_release(guard) == KITH_E_NOT_OWNER);
  CHILD_NEEDS(kith_lock_owner(guard, &owner) == KITH_OK);
  CHILD_NEEDS(owner.pid == *static_cast<const int64_t*>(argument) && owner.alive == 1);
  return 0;
}

int32_t let_a_grandchild_see_it(const void* argument, size_t size) {
  test::lock guard;
  CHILD_NEEDS(test::take(guard, "guard"));
  test::process grandchild = test::start(see_it_taken, {{"guard", guard}}, argument, size);
  return static_cast<int32_t>(test::end_of(grandchild).code);
}

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks, "of four processes never two are inside, and no increment is lost") {
  test::lock guard = test::make_lock();
  test::array numbers = test::make_array(KITH_I64, 2);
  std::vector<test::process> children;
  for (int i = 0; i < processes; ++i) {
    children.push_back(test::start(increment, {{"guard", guard}, {"numbers", numbers}}));
  }
  for (test::process& child : children) CHECK_EXIT(child, KITH_EXIT_CODE, 0);
  const auto* const data = static_cast<const protected_data*>(kith_array_data(numbers));
  CHECK(data->count == int64_t{processes} * increments());
  CHECK(data->inside == 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "no process is kept from the lock by the others") {
  // Ten seconds when KITH_TEST_LONG is set.
  const int64_t duration_ms = std::getenv("KITH_TEST_LONG") != nullptr ? 10'000 : 1'000;
  test::lock guard = test::make_lock();
  test::event start = test::make_event();
  test::event stop = test::make_event();
  test::event never = test::make_event();
  // The first counts who is ready; the others stand in cache lines of their own.
  test::array turns = test::make_array(KITH_I64, 8 * (processes + 1));
  auto* const counts = static_cast<volatile int64_t*>(kith_array_data(turns));
  std::vector<test::process> children;
  for (size_t i = 1; i <= processes; ++i) {
    children.push_back(test::start_with(
        take_turns, {{"guard", guard}, {"start", start}, {"stop", stop}, {"turns", turns}}, i * 8));
  }
  int64_t ready = 0;
  CHECK(test::becomes_true(
      [&] { return kith_array_add(turns, 0, 0, &ready) == KITH_OK && ready == processes; }));
  CHECK_OK(kith_event_set(start));
  CHECK_STATUS(kith_event_wait(never, duration_ms), KITH_E_TIMEOUT);
  CHECK_OK(kith_event_set(stop));
  int64_t total = 0;
  for (size_t i = 0; i < processes; ++i) {
    CHECK_EXIT(children[i], KITH_EXIT_CODE, 0);
    total += counts[(i + 1) * 8];
  }
  for (size_t i = 1; i <= processes; ++i) {
    CAPTURE(i);
    CHECK(counts[i * 8] * processes * 100 >= total);
  }
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "a lock that one process holds is seen taken in its parent, sibling and nephew") {
  test::lock guard = test::make_lock();
  test::channel_pair line = test::make_channel();
  test::process owner = test::start(hold_until_told, {{"guard", guard}, {"line", line.b}});
  CHECK(test::hear(line.a, "held"));
  const int64_t pid = kith_process_id(owner);
  CHECK_STATUS(kith_lock_acquire(guard, 0), KITH_E_TIMEOUT);
  for (const kith_entry entry : {see_it_taken, let_a_grandchild_see_it}) {
    test::process other = test::start_with(entry, {{"guard", guard}}, pid);
    CHECK_EXIT(other, KITH_EXIT_CODE, 0);
  }
  CHECK(test::tell(line.a, "release"));
  CHECK_EXIT(owner, KITH_EXIT_CODE, 0);
  CHECK_OK(kith_lock_acquire(guard, 0));
  kith_owner me{};
  CHECK_OK(kith_lock_owner(guard, &me));
  for (const kith_entry entry : {see_it_taken, let_a_grandchild_see_it}) {
    test::process other = test::start_with(entry, {{"guard", guard}}, me.pid);
    CHECK_EXIT(other, KITH_EXIT_CODE, 0);
  }
  CHECK_OK(kith_lock_release(guard));
}
