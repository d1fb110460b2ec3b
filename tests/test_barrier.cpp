// SPDX-License-Identifier: MIT
#include <atomic>

#include "waits.h"

using test::nothing_leaks;

namespace {

constexpr uint32_t threads_of_each = 2;
constexpr uint32_t processes = 3;
constexpr uint32_t parties = threads_of_each * processes;

int rounds() { return test::repetitions(400); }

// What the parties of one round have said.
struct round_log {
  int64_t places;  // 16 to the power of each place
  int64_t lasts;
  int64_t came;
};
constexpr int64_t each_place_once = 0x11'1111;
static_assert(parties == 6);

// Comes to the barrier round after round. False: something was not as it should be.
bool come_to_each_round(kith_barrier* barrier, kith_array* log) {
  for (int round = 0; round < rounds(); ++round) {
    const size_t first = static_cast<size_t>(round) * 3;
    int64_t came = 0;
    if (kith_array_add(log, first + 2, 1, nullptr) != KITH_OK) return false;
    uint32_t place = 77;
    const kith_status status = kith_barrier_wait(barrier, test::generous, &place);
    if ((status != KITH_OK && status != KITH_LAST) || place >= parties) return false;
    if (kith_array_add(log, first + 2, 0, &came) != KITH_OK || came != parties) return false;
    if (kith_array_add(log, first, int64_t{1} << (4 * place), nullptr) != KITH_OK) return false;
    if (status == KITH_LAST && kith_array_add(log, first + 1, 1, nullptr) != KITH_OK) return false;
  }
  return true;
}

bool come_in_threads(kith_barrier* barrier, kith_array* log) {
  std::atomic<uint32_t> in_order = 0;
  test::in_threads(threads_of_each, [&](int) { in_order += come_to_each_round(barrier, log); });
  return in_order == threads_of_each;
}

int32_t be_two_parties(const void*, size_t) {
  test::barrier barrier;
  test::array log;
  CHILD_NEEDS(test::take(barrier, "barrier") && test::take(log, "log"));
  CHILD_NEEDS(come_in_threads(barrier, log));
  return 0;
}

// What a child does when it has been let go by the barrier in the first round.
enum class afterwards : int32_t { close, end, return_without_close, wait_again };

int32_t come_once(const void* argument, size_t) {
  const afterwards then = *static_cast<const afterwards*>(argument);
  // Not owned: what is not closed stays so.
  kith_barrier* barrier = nullptr;
  CHILD_NEEDS(kith_barrier_inherit("barrier", &barrier) == KITH_OK);
  CHILD_NEEDS(kith_barrier_wait(barrier, test::generous, nullptr) >= KITH_OK);
  if (then == afterwards::end) test::end_at_once(0);
  if (then == afterwards::close) kith_barrier_close(barrier);
  if (then != afterwards::wait_again) return 0;
  return kith_barrier_wait(barrier, test::generous, nullptr) == KITH_E_BROKEN ? 0 : 98;
}

int32_t stay_away(const void*, size_t) {
  test::barrier barrier;
  CHILD_NEEDS(test::take(barrier, "barrier"));
  test::end_at_once(0);
}

test::process start_party(kith_barrier* barrier, afterwards then) {
  return test::start_with(come_once, {{"barrier", barrier}}, then);
}

void kill(test::process& child) {
  REQUIRE_OK(kith_process_kill(child));
  CHECK_EXIT(child, KITH_EXIT_KILLED, 9);
}

bool waits_there(kith_barrier* barrier, uint32_t count) {
  return test::becomes_true([&] { return kith_barrier_waiting(barrier) == count; });
}

// All parties, as threads, come through. What was broken has been mended.
void check_whole(kith_barrier* barrier) {
  CHECK(kith_barrier_is_broken(barrier) == 0);
  CHECK(kith_barrier_waiting(barrier) == 0);
  std::atomic<int> lasts = 0;
  test::in_threads(static_cast<int>(kith_barrier_parties(barrier)), [&](int) {
    const kith_status status = kith_barrier_wait(barrier, test::generous, nullptr);
    CHECK(status >= KITH_OK);
    lasts += status == KITH_LAST;
  });
  CHECK(lasts == 1);
}

// Waits in a thread of its own.
class party {
 public:
  explicit party(kith_barrier* barrier, kith_cancel* cancel = nullptr)
      : thread_([this, barrier, cancel] {
          CHECK_OK(kith_cancel_use(cancel));
          status_ = kith_barrier_wait(barrier, test::generous, &place_);
        }) {}
  kith_status result() {
    thread_.join();
    CHECK((place_ == 77) == (status_ < KITH_OK));
    return status_;
  }

 private:
  kith_status status_ = KITH_OK;
  uint32_t place_ = 77;
  std::thread thread_;
};

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks, "threads of three processes pass a barrier together, round after round") {
  test::barrier barrier = test::make_barrier(parties);
  test::array log = test::make_array(KITH_I64, static_cast<size_t>(rounds()) * 3);
  std::vector<test::process> children;
  for (uint32_t i = 1; i < processes; ++i) {
    children.push_back(test::start(be_two_parties, {{"barrier", barrier}, {"log", log}}));
  }
  CHECK(come_in_threads(barrier, log));
  for (test::process& child : children) CHECK_EXIT(child, KITH_EXIT_CODE, 0);
  const auto* logs = static_cast<const round_log*>(kith_array_data(log));
  for (int round = 0; round < rounds(); ++round) {
    CAPTURE(round);
    REQUIRE(logs[round].places == each_place_once);
    REQUIRE(logs[round].lasts == 1);
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "a barrier has from 1 to 4096 parties") {
  kith_barrier* made = test::untouched<kith_barrier>();
  CHECK_STATUS(kith_barrier_create(0, nullptr, &made), KITH_E_INVALID);
  CHECK_STATUS(kith_barrier_create(KITH_BARRIER_MOST_PARTIES + 1, nullptr, &made), KITH_E_INVALID);
  CHECK_STATUS(kith_barrier_create(2, nullptr, nullptr), KITH_E_INVALID);
  CHECK(made == test::untouched<kith_barrier>());
  test::barrier largest = test::make_barrier(KITH_BARRIER_MOST_PARTIES);
  CHECK(kith_barrier_parties(largest) == KITH_BARRIER_MOST_PARTIES);
  CHECK_STATUS(kith_barrier_wait(largest, 0, nullptr), KITH_E_TIMEOUT);
}

TEST_CASE_FIXTURE(nothing_leaks, "who is alone is always the last, in the first place") {
  test::barrier barrier = test::make_barrier(1);
  for (int round = 0; round < 40; ++round) {
    uint32_t place = 77;
    CHECK_STATUS(kith_barrier_wait(barrier, round % 2 == 0 ? 0 : KITH_FOREVER, &place), KITH_LAST);
    CHECK(place == 0);
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "a barrier tells how many wait there") {
  test::barrier barrier = test::make_barrier(3);
  CHECK(kith_barrier_waiting(barrier) == 0);
  party one(barrier);
  CHECK(waits_there(barrier, 1));
  party other(barrier);
  CHECK(waits_there(barrier, 2));
  CHECK_STATUS(kith_barrier_wait(barrier, 0, nullptr), KITH_LAST);
  CHECK_OK(one.result());
  CHECK_OK(other.result());
  CHECK(kith_barrier_waiting(barrier) == 0);
  CHECK(kith_barrier_is_broken(barrier) == 0);
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "a party whose time is up breaks the barrier for the others, until it is reset") {
  test::barrier barrier = test::make_barrier(3);
  party other(barrier);
  CHECK(waits_there(barrier, 1));
  uint32_t place = 77;
  CHECK_STATUS(kith_barrier_wait(barrier, 20, &place), KITH_E_TIMEOUT);
  CHECK(place == 77);
  CHECK_STATUS(other.result(), KITH_E_BROKEN);
  CHECK(kith_barrier_is_broken(barrier) == 1);
  CHECK(kith_barrier_waiting(barrier) == 0);
  CHECK_STATUS(kith_barrier_wait(barrier, KITH_FOREVER, &place), KITH_E_BROKEN);
  CHECK_OK(kith_barrier_reset(barrier));
  check_whole(barrier);
}

TEST_CASE_FIXTURE(nothing_leaks, "an abort breaks the barrier for who waits and who comes") {
  test::barrier barrier = test::make_barrier(3);
  party one(barrier);
  party other(barrier);
  CHECK(waits_there(barrier, 2));
  CHECK_OK(kith_barrier_abort(barrier));
  CHECK_OK(kith_barrier_abort(barrier));
  CHECK_STATUS(one.result(), KITH_E_BROKEN);
  CHECK_STATUS(other.result(), KITH_E_BROKEN);
  CHECK_STATUS(kith_barrier_wait(barrier, 0, nullptr), KITH_E_BROKEN);
  CHECK_OK(kith_barrier_reset(barrier));
  check_whole(barrier);
}

TEST_CASE_FIXTURE(nothing_leaks, "a reset sends away who waits, and the barrier is whole and empty") {
  test::barrier barrier = test::make_barrier(3);
  for (int i = 0; i < 3; ++i) {
    party one(barrier);
    party other(barrier);
    CHECK(waits_there(barrier, 2));
    CHECK_OK(kith_barrier_reset(barrier));
    CHECK_STATUS(one.result(), KITH_E_BROKEN);
    CHECK_STATUS(other.result(), KITH_E_BROKEN);
    check_whole(barrier);
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "a party that is killed while it waits breaks the barrier") {
  test::barrier barrier = test::make_barrier(3);
  test::process child = start_party(barrier, afterwards::close);
  CHECK(waits_there(barrier, 1));
  party waiting(barrier);
  CHECK(waits_there(barrier, 2));
  kill(child);
  CHECK_STATUS(waiting.result(), KITH_E_BROKEN);
  CHECK_STATUS(kith_barrier_wait(barrier, KITH_FOREVER, nullptr), KITH_E_BROKEN);
  CHECK_OK(kith_barrier_reset(barrier));
  check_whole(barrier);
}

TEST_CASE_FIXTURE(nothing_leaks, "who died before a reset is not missed after it") {
  test::barrier barrier = test::make_barrier(3);
  for (const bool broken : {false, true}) {
    CAPTURE(broken);
    test::process dead = start_party(barrier, afterwards::close);
    CHECK(waits_there(barrier, 1));
    kill(dead);
    if (broken) CHECK_STATUS(kith_barrier_wait(barrier, KITH_FOREVER, nullptr), KITH_E_BROKEN);
    CHECK_OK(kith_barrier_reset(barrier));
    party waiting(barrier);
    // Long enough for the dead to be found, if they were looked for.
    CHECK(waits_there(barrier, 1));
    test::let_it_sleep();
    CHECK(kith_barrier_is_broken(barrier) == 0);
    test::process other = start_party(barrier, afterwards::close);
    CHECK(kith_barrier_wait(barrier, test::generous, nullptr) >= KITH_OK);
    CHECK(waiting.result() >= KITH_OK);
    CHECK_EXIT(other, KITH_EXIT_CODE, 0);
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "a party that was killed while it waited alone is missed by the next one") {
  test::barrier barrier = test::make_barrier(3);
  test::process child = start_party(barrier, afterwards::close);
  CHECK(waits_there(barrier, 1));
  kill(child);
  CHECK_STATUS(kith_barrier_wait(barrier, KITH_FOREVER, nullptr), KITH_E_BROKEN);
}

TEST_CASE_FIXTURE(nothing_leaks, "a party of the last round that ended without a close breaks the barrier") {
  for (const afterwards end : {afterwards::end, afterwards::return_without_close}) {
    CAPTURE(static_cast<int>(end));
    test::barrier barrier = test::make_barrier(2);
    test::process child = start_party(barrier, end);
    CHECK(kith_barrier_wait(barrier, test::generous, nullptr) >= KITH_OK);
    CHECK_STATUS(kith_barrier_wait(barrier, KITH_FOREVER, nullptr), KITH_E_BROKEN);
    CHECK_EXIT(child, KITH_EXIT_CODE, 0);
  }
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "a party that closes its handle is not missed, and another one takes its place") {
  test::barrier barrier = test::make_barrier(2);
  for (int round = 0; round < 3; ++round) {
    party waiting(barrier);
    // Long enough that the one of the last round would have been found to be dead.
    CHECK(waits_there(barrier, 1));
    test::let_it_sleep();
    CHECK(kith_barrier_is_broken(barrier) == 0);
    test::process child = start_party(barrier, afterwards::close);
    CHECK(waiting.result() >= KITH_OK);
    CHECK_EXIT(child, KITH_EXIT_CODE, 0);
  }
  CHECK_STATUS(kith_barrier_wait(barrier, 100, nullptr), KITH_E_TIMEOUT);
}

TEST_CASE_FIXTURE(nothing_leaks, "a party that never came cannot be missed: its time must run out") {
  test::barrier barrier = test::make_barrier(2);
  test::process child = test::start(stay_away, {{"barrier", barrier}});
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
  CHECK_STATUS(kith_barrier_wait(barrier, 100, nullptr), KITH_E_TIMEOUT);
}

TEST_CASE_FIXTURE(nothing_leaks, "to close the handle breaks the barrier for the other processes") {
  test::barrier barrier = test::make_barrier(3);
  test::process child = start_party(barrier, afterwards::wait_again);
  {
    party one(barrier);
    party other(barrier);
    CHECK(one.result() >= KITH_OK);
    CHECK(other.result() >= KITH_OK);
  }
  party waiting(barrier);
  CHECK(waits_there(barrier, 2));
  kith_barrier_close(barrier);
  CHECK_STATUS(waiting.result(), KITH_E_CLOSED);
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "a party that was cancelled has not arrived, and can come again") {
  test::barrier barrier = test::make_barrier(2);
  for (int round = 0; round < 20; ++round) {
    test::cancel cancel = test::make_cancel();
    party waiting(barrier, cancel);
    CHECK(waits_there(barrier, 1));
    CHECK_OK(kith_cancel_fire(cancel));
    CHECK_STATUS(waiting.result(), KITH_E_CANCELLED);
    CHECK(kith_barrier_waiting(barrier) == 0);
    check_whole(barrier);
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "a cancel and the last arrival, when they race, agree on who came") {
  test::barrier barrier = test::make_barrier(2);
  for (int round = 0; round < test::repetitions(1'000); ++round) {
    test::cancel cancel = test::make_cancel();
    party first(barrier, cancel);
    std::thread firing([&] { CHECK_OK(kith_cancel_fire(cancel)); });
    test::cancel for_second = test::make_cancel();
    party second(barrier, for_second);
    const kith_status status = first.result();
    firing.join();
    // Whoever comes last need not wait, and so is not cancelled.
    if (status == KITH_E_CANCELLED) CHECK_OK(kith_cancel_fire(for_second));
    const kith_status of_second = second.result();
    CHECK((status == KITH_E_CANCELLED) == (of_second == KITH_E_CANCELLED));
    CHECK((status == KITH_LAST || of_second == KITH_LAST || status == KITH_E_CANCELLED));
    REQUIRE(kith_barrier_waiting(barrier) == 0);
  }
  check_whole(barrier);
}

TEST_CASE_FIXTURE(nothing_leaks, "forty parties pass") {
  test::barrier barrier = test::make_barrier(40);
  check_whole(barrier);
  check_whole(barrier);
}

TEST_CASE_FIXTURE(nothing_leaks, "a timeout that is no timeout does not count as an arrival") {
  test::barrier barrier = test::make_barrier(1);
  uint32_t place = 77;
  CHECK_STATUS(kith_barrier_wait(barrier, -2, &place), KITH_E_INVALID);
  CHECK(place == 77);
  CHECK_STATUS(kith_barrier_wait(barrier, INT64_MAX, &place), KITH_LAST);
}
