// SPDX-License-Identifier: MIT
// Everything may be killed at any time, and leaves nothing.
//
// The test starts a parent P; P starts a child C, and both work on an array, a lock and a channel. The test kills P, C or both at
// random points. Whoever survives must notice by itself and end. C holds one end of a channel to the test, so the end of that
// channel is the end of C; were a single process or descriptor left, it would not come.
#include <atomic>

#include "../support.h"

namespace {

enum who : uint64_t { parent_dies = 0, child_dies = 1, both_die = 2 };

struct shared_work {
  int64_t a;  // equal to b whenever the lock is free and its owner was not killed
  int64_t b;
};

// One turn under the lock. After a death what it protects is repaired. False: not as it should be.
bool work_under_lock(kith_array* numbers) {
  kith_lock* guard = kith_array_lock(numbers);
  auto* work = static_cast<volatile shared_work*>(kith_array_data(numbers));
  const kith_status status = kith_lock_acquire(guard, test::generous);
  if (status == KITH_OWNER_DIED) {
    work->b = work->a;
    if (kith_lock_mark_consistent(guard) != KITH_OK) return false;
  } else if (status != KITH_OK) {
    return false;
  }
  const bool whole = work->a == work->b;
  work->a = work->a + 1;
  work->b = work->b + 1;
  return kith_lock_release(guard) == KITH_OK && whole;
}

bool is_end(kith_status status) { return status == KITH_E_CLOSED || status == KITH_E_PEER_DIED; }

// Sends and receives until the other side is gone. The numbers come in order.
int32_t exchange_until_the_end(kith_channel* line, kith_array* numbers, bool first) {
  for (uint64_t number = 0;; ++number) {
    std::vector<unsigned char> message(number % 5 == 0 ? 6000 : 40, static_cast<unsigned char>(number));
    if (first || number != 0) {
      const kith_status status = kith_channel_send(line, message.data(), message.size(), test::generous);
      if (is_end(status)) return 0;
      CHILD_NEEDS(status == KITH_OK);
    }
    CHILD_NEEDS(work_under_lock(numbers));
    std::vector<unsigned char> received;
    const kith_status status = test::receive(line, received);
    if (is_end(status)) return 0;
    CHILD_NEEDS(status == KITH_OK);
    CHILD_NEEDS(received[0] == static_cast<unsigned char>(first ? number + 1 : number));
  }
}

int32_t be_child(const void*, size_t) {
  test::channel to_test;
  test::channel line;
  test::array numbers;
  CHILD_NEEDS(kith_channel_inherit("to test", to_test.out()) == KITH_OK);
  CHILD_NEEDS(kith_channel_inherit("line", line.out()) == KITH_OK);
  CHILD_NEEDS(kith_array_inherit("numbers", numbers.out()) == KITH_OK);
  return exchange_until_the_end(line, numbers, false);
}

int32_t be_parent(const void*, size_t) {
  test::channel to_test;
  test::value id_of_child;
  CHILD_NEEDS(kith_channel_inherit("to test", to_test.out()) == KITH_OK);
  CHILD_NEEDS(kith_value_inherit("id of child", id_of_child.out()) == KITH_OK);
  auto small = test::defaults<kith_channel_options>();
  small.ring_size = 4096;
  test::channel here;
  test::channel there;
  test::array numbers = test::make_array(KITH_I64, 2);
  CHILD_NEEDS(kith_channel_create(&small, here.out(), there.out()) == KITH_OK);
  test::process child = test::start(be_child, {{"to test", to_test}, {"line", there}, {"numbers", numbers}});
  CHILD_NEEDS(kith_value_exchange(id_of_child, kith_process_id(child), nullptr) == KITH_OK);
  return exchange_until_the_end(here, numbers, true);
}

int64_t number_in(kith_value* value) {
  int64_t number = 0;
  REQUIRE_OK(kith_value_load(value, &number, sizeof number));
  return number;
}

void spin_for(uint64_t microseconds) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(microseconds);
  while (std::chrono::steady_clock::now() < end) std::this_thread::yield();
}

void kill_at_random(uint64_t& state) {
  const auto victim = static_cast<who>(test::next_random(state) % 3);
  // Half of the times while they start, half of the times while they work.
  const bool while_starting = test::next_random(state) % 2 == 0;
  const uint64_t delay = test::next_random(state) % (while_starting ? 5'000 : 3'000);
  test::channel_pair to_child = test::make_channel();
  test::value id_of_child = test::make_value(KITH_I64);
  test::process parent = test::start(be_parent, {{"to test", to_child.b}, {"id of child", id_of_child}});
  while (!while_starting && number_in(id_of_child) == 0 && !test::is_ended_child(kith_process_id(parent))) {
    std::this_thread::yield();
  }
  spin_for(delay);

  const int64_t child = number_in(id_of_child);
  if (victim != child_dies || child == 0) CHECK_OK(kith_process_kill(parent));
  if (victim != parent_dies && child != 0) test::kill_by_id(child);

  const test::shown_exit end = test::end_of(parent);
  const bool expected =
      end == test::shown_exit{KITH_EXIT_KILLED, 9} || end == test::shown_exit{KITH_EXIT_CODE, 0};
  CHECK_MESSAGE(expected, end);
  // The child, or the parent that had not made one, was the last holder of this end.
  const std::string last = test::heard(to_child.a);
  CHECK_MESSAGE((last == "(KITH_E_CLOSED)" || last == "(KITH_E_PEER_DIED)"), last);
  while (child != 0 && !test::has_ended(child)) std::this_thread::yield();
}

}  // namespace

TEST_CASE("parent, child or both are killed at random points, and nothing is left") {
  const test::heir_of_grandchildren heir;
  const test::nothing_leaks check;
  const std::set<std::string> names = test::names_of_shared_memory();
  uint64_t state = 20'240'601;
  const int rounds = test::is_windows ? 20 : 200;
  for (int round = 0; round < rounds; ++round) {
    CAPTURE(round);
    kill_at_random(state);
  }
  heir.await_all();
  // Where there is no memfd, a kill exactly between shm_open and shm_unlink leaves a name (docs/platform_notes.md).
  if (kith_has(KITH_HAS_SEALED_MEMORY) == 0) return;
  CHECK((test::names_of_shared_memory() == names));
}
