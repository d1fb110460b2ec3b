// SPDX-License-Identifier: MIT
// How a channel ends, and how an end moves.
#include <uv.h>

#include <atomic>
#include <chrono>
#include <cstring>

#include "support.h"

using test::nothing_leaks;

namespace {

constexpr int before_the_end = 100;

enum class ending : int32_t { close, return_from_function, end_at_once, crash, wait_to_be_killed };

// Sends a hundred messages, then ends in the way that it is told.
int32_t send_and_end(const void* argument, size_t) {
  kith_channel* line = nullptr;
  CHILD_NEEDS(kith_channel_inherit("line", &line) == KITH_OK);
  for (int i = 0; i < before_the_end; ++i) CHILD_NEEDS(test::tell(line, std::to_string(i)));
  switch (*static_cast<const ending*>(argument)) {
    case ending::close: {
      kith_channel_close(line);
      test::channel other;
      CHILD_NEEDS(kith_channel_inherit("other", other.out()) == KITH_OK);
      CHILD_NEEDS(test::hear(other, "go"));
      return 0;
    }
    case ending::return_from_function: return 0;
    case ending::end_at_once: test::end_at_once(7);
    case ending::crash: test::crash();
    case ending::wait_to_be_killed: break;
  }
  CHILD_NEEDS(test::hear(line, "never sent"));
  return 0;
}

struct ended_child {
  test::channel_pair line = test::make_channel();
  test::channel_pair other = test::make_channel();
  test::process child;

  explicit ended_child(ending how)
      : child(test::start_with(send_and_end, {{"line", line.b}, {"other", other.b}}, how)) {}

  // All messages come first, then the end, which is told again and again.
  void check_end(kith_status expected) {
    for (int i = 0; i < before_the_end; ++i) CHECK(test::hear(line.a, std::to_string(i)));
    char buffer[8];
    size_t size = 77;
    CHECK_STATUS(kith_channel_recv(line.a, buffer, sizeof buffer, &size, test::generous), expected);
    CHECK_STATUS(kith_channel_recv(line.a, buffer, sizeof buffer, &size, 0), expected);
    CHECK(size == 77);
    CHECK_STATUS(send_until_told(), expected);
    CHECK_STATUS(kith_channel_send(line.a, buffer, 1, 0), expected);
  }

  // A send may succeed until the end is noticed.
  kith_status send_until_told() {
    kith_status status = KITH_OK;
    while (status == KITH_OK) status = kith_channel_send(line.a, "lost", 4, test::generous);
    return status;
  }
};

int32_t pass_on_grandchild(const void*, size_t) {
  test::channel line;
  CHILD_NEEDS(kith_channel_inherit("line", line.out()) == KITH_OK);
  CHILD_NEEDS(test::hear(line, "to the grandchild"));
  CHILD_NEEDS(test::tell(line, "from the grandchild"));
  return 0;
}

int32_t talk_to_grandchild(const void*, size_t) {
  test::channel line;
  CHILD_NEEDS(kith_channel_inherit("line", line.out()) == KITH_OK);
  CHILD_NEEDS(test::tell(line, "to the grandchild"));
  CHILD_NEEDS(test::hear(line, "from the grandchild"));
  CHILD_NEEDS(test::hear(line, "(KITH_E_CLOSED)"));
  return 0;
}

// Hands the end of its parent on to a child of its own.
int32_t pass_on(const void*, size_t) {
  test::channel line;
  CHILD_NEEDS(kith_channel_inherit("line", line.out()) == KITH_OK);
  CHILD_NEEDS(test::hear(line, "to the child"));
  test::process grandchild = test::start(pass_on_grandchild, {{"line", line}});
  CHILD_NEEDS(kith_channel_send(line, "x", 1, 0) == KITH_E_MOVED);
  kith_exit end{};
  CHILD_NEEDS(kith_process_wait(grandchild, test::generous, &end) == KITH_OK);
  return static_cast<int32_t>(end.code);
}

// Waits until the slices of a receiver are of a second, where it watches the stream meanwhile.
bool is_told_of_a_kill_in_time(bool sends) {
  constexpr auto long_enough = std::chrono::milliseconds(420);
  constexpr uint64_t soon_ns = 400'000'000;  // the test itself is late on a busy machine
  ended_child ended(ending::wait_to_be_killed);
  for (int i = 0; i < before_the_end; ++i) CHECK(test::hear(ended.line.a, std::to_string(i)));
  const std::vector<unsigned char> large(1'000'000);  // nobody reads it
  char buffer[8];
  size_t size = 0;
  kith_status status = KITH_OK;
  uint64_t told_at = 0;
  std::thread waiter([&] {
    status = sends ? kith_channel_send(ended.other.a, large.data(), large.size(), KITH_FOREVER)
                   : kith_channel_recv(ended.line.a, buffer, sizeof buffer, &size, KITH_FOREVER);
    told_at = uv_hrtime();
  });
  std::this_thread::sleep_for(long_enough);
  const uint64_t killed_at = uv_hrtime();
  CHECK_OK(kith_process_kill(ended.child));
  waiter.join();
  CHECK_STATUS(status, KITH_E_PEER_DIED);
  CHECK_EXIT(ended.child, KITH_EXIT_KILLED, 9);
  return told_at - killed_at < soon_ns;
}

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks, "a child that closes its end has closed it in good order") {
  ended_child ended(ending::close);
  ended.check_end(KITH_E_CLOSED);
  CHECK(test::tell(ended.other.a, "go"));
  CHECK_EXIT(ended.child, KITH_EXIT_CODE, 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "a child whose function returns has closed its end in good order") {
  ended_child ended(ending::return_from_function);
  ended.check_end(KITH_E_CLOSED);
  CHECK_EXIT(ended.child, KITH_EXIT_CODE, 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "a child that ends at once has died, whatever its exit code") {
  ended_child ended(ending::end_at_once);
  ended.check_end(KITH_E_PEER_DIED);
  CHECK_EXIT(ended.child, KITH_EXIT_CODE, 7);
}

TEST_CASE_FIXTURE(nothing_leaks, "a child that crashes has died") {
  ended_child ended(ending::crash);
  ended.check_end(KITH_E_PEER_DIED);
  CHECK(test::end_of(ended.child) == test::crashed);
}

TEST_CASE_FIXTURE(nothing_leaks, "a child that is killed has died, and what it sent before is received") {
  ended_child ended(ending::wait_to_be_killed);
  CHECK(test::hear(ended.line.a, "0"));
  for (int i = 1; i < before_the_end; ++i) CHECK(test::hear(ended.line.a, std::to_string(i)));
  REQUIRE_OK(kith_process_kill(ended.child));
  char buffer[8];
  size_t size = 0;
  CHECK_STATUS(kith_channel_recv(ended.line.a, buffer, sizeof buffer, &size, test::generous),
               KITH_E_PEER_DIED);
  CHECK_STATUS(ended.send_until_told(), KITH_E_PEER_DIED);
  CHECK_EXIT(ended.child, KITH_EXIT_KILLED, 9);
}

TEST_CASE_FIXTURE(nothing_leaks, "who has waited for long is told of a death within a quarter of a second") {
  for (const bool sends : {false, true}) {
    CAPTURE(sends);
    constexpr int trials = 3;
    bool in_time = false;
    for (int trial = 0; !in_time && trial < trials; ++trial) in_time = is_told_of_a_kill_in_time(sends);
    CHECK(in_time);
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "a send that waits for room is told when the receiver dies") {
  test::channel_pair line = test::make_channel(4096);
  test::channel_pair other = test::make_channel();
  const ending how = ending::wait_to_be_killed;
  test::process child = test::start_with(send_and_end, {{"line", other.b}, {"unread", line.b}}, how);
  CHECK(test::hear(other.a, "0"));
  std::atomic<bool> began = false;
  kith_status status = KITH_OK;
  const std::vector<unsigned char> large = test::noise(100'000, 1);
  std::thread sender([&] {
    began = true;
    status = kith_channel_send(line.a, large.data(), large.size(), KITH_FOREVER);
  });
  while (!began) std::this_thread::yield();
  REQUIRE_OK(kith_process_kill(child));
  sender.join();
  CHECK_STATUS(status, KITH_E_PEER_DIED);
  CHECK_EXIT(child, KITH_EXIT_KILLED, 9);
}

TEST_CASE_FIXTURE(nothing_leaks, "what was sent before a close is received before its end is told") {
  test::channel_pair line = test::make_channel();
  CHECK(test::tell(line.a, "first"));
  CHECK(test::tell(line.a, "second"));
  line.a.close();
  CHECK(test::hear(line.b, "first"));
  CHECK(test::hear(line.b, "second"));
  CHECK(test::hear(line.b, "(KITH_E_CLOSED)"));
  CHECK(test::hear(line.b, "(KITH_E_CLOSED)"));
  CHECK_STATUS(kith_channel_send(line.b, "x", 1, 0), KITH_E_CLOSED);
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "a message sent right before a close is received, whenever the receiver looks") {
  const int rounds = test::is_windows ? 300 : 2000;
  std::atomic<int> round = -1;
  std::atomic<int> done = -1;
  test::channel_pair line;
  // The receiver looks for a message, then for an end; between these two looks both may come.
  std::thread sender([&] {
    uint64_t state = 3;
    for (int i = 0; i < rounds; ++i) {
      while (round < i) std::this_thread::yield();
      for (uint64_t spins = test::next_random(state) % 512; spins > 0; --spins)
        std::atomic_signal_fence(std::memory_order_seq_cst);
      kith_channel_send(line.a, "last", 4, 0);
      line.a.close();
      done = i;
    }
  });
  int lost = 0;
  for (int i = 0; i < rounds; ++i) {
    line = test::make_channel();
    round = i;
    char buffer[8];
    size_t size = 0;
    kith_status status = KITH_E_TIMEOUT;
    while (status == KITH_E_TIMEOUT) status = kith_channel_recv(line.b, buffer, sizeof buffer, &size, 0);
    lost += status != KITH_OK;
    while (done < i) std::this_thread::yield();
  }
  sender.join();
  CHECK(lost == 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "writing to a closed end is an error and nothing worse") {
  test::channel_pair line = test::make_channel();
  line.b.close();
  for (int i = 0; i < 3; ++i) CHECK_STATUS(kith_channel_send(line.a, "x", 1, test::generous), KITH_E_CLOSED);
}

TEST_CASE_FIXTURE(nothing_leaks, "a close does not wait for room") {
  test::channel_pair line = test::make_channel(4096);
  int sent = 0;
  while (kith_channel_send(line.a, "full", 4, 0) == KITH_OK) ++sent;
  line.a.close();
  for (int i = 0; i < sent; ++i) CHECK(test::hear(line.b, "full"));
  CHECK(test::hear(line.b, "(KITH_E_CLOSED)"));
}

TEST_CASE_FIXTURE(nothing_leaks, "a send that waits for room is told when the other end is closed") {
  test::channel_pair line = test::make_channel(4096);
  std::atomic<bool> began = false;
  kith_status status = KITH_OK;
  const std::vector<unsigned char> large = test::noise(100'000, 1);
  std::thread sender([&] {
    began = true;
    status = kith_channel_send(line.a, large.data(), large.size(), KITH_FOREVER);
  });
  while (!began) std::this_thread::yield();
  line.b.close();
  sender.join();
  CHECK_STATUS(status, KITH_E_CLOSED);
}

TEST_CASE_FIXTURE(nothing_leaks, "an end that was given to a child is good for nothing but close here") {
  test::channel_pair line = test::make_channel();
  test::process child = test::start(pass_on_grandchild, {{"line", line.b}});
  char buffer[8];
  size_t size = 77;
  CHECK_STATUS(kith_channel_send(line.b, "x", 1, 0), KITH_E_MOVED);
  CHECK_STATUS(kith_channel_recv(line.b, buffer, sizeof buffer, &size, 0), KITH_E_MOVED);
  CHECK(size == 77);

  const test::shares again = {{"line", line.b}};
  const kith_process_options options = test::run_entry(pass_on_grandchild, again);
  kith_process* out = test::untouched<kith_process>();
  CHECK_STATUS(kith_process_spawn(&options, &out), KITH_E_MOVED);
  CHECK(out == test::untouched<kith_process>());

  line.b.close();
  CHECK(test::tell(line.a, "to the grandchild"));
  CHECK(test::hear(line.a, "from the grandchild"));
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "one who uses an end that has moved does not wait for its new holder") {
  test::channel_pair line = test::make_channel();
  test::process child = test::start_role({"stay"}, {{"line", line.b}});
  CHECK(test::hear(line.a, "ready"));
  kith_exit end{};
  CHECK_STATUS(kith_process_wait(child, 50, &end), KITH_E_TIMEOUT);  // by now it receives
  size_t size = 0;
  CHECK_STATUS(kith_channel_recv(line.b, nullptr, 0, &size, 100), KITH_E_MOVED);
  line.a.close();
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "messages that wait in an end move with it") {
  test::channel_pair line = test::make_channel();
  CHECK(test::tell(line.a, "to the grandchild"));
  test::process child = test::start(pass_on_grandchild, {{"line", line.b}});
  CHECK(test::hear(line.a, "from the grandchild"));
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "an end moves on to a grandchild") {
  test::channel_pair line = test::make_channel();
  test::process child = test::start(pass_on, {{"line", line.b}});
  CHECK(test::tell(line.a, "to the child"));
  CHECK(test::tell(line.a, "to the grandchild"));
  CHECK(test::hear(line.a, "from the grandchild"));
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
  CHECK(test::hear(line.a, "(KITH_E_CLOSED)"));
}

TEST_CASE_FIXTURE(nothing_leaks, "an end that was received from before moves with its place in the stream") {
  test::channel_pair line = test::make_channel(4096);
  // Both rings have turned round some times before the end moves.
  for (int i = 0; i < 500; ++i) {
    REQUIRE(test::tell(line.a, "ping"));
    REQUIRE(test::hear(line.b, "ping"));
    REQUIRE(test::tell(line.b, "pong pong"));
    REQUIRE(test::hear(line.a, "pong pong"));
  }
  test::process child = test::start(pass_on_grandchild, {{"line", line.b}});
  CHECK(test::tell(line.a, "to the grandchild"));
  CHECK(test::hear(line.a, "from the grandchild"));
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "an end moves only when the child begins") {
  test::channel_pair line = test::make_channel();
  const test::shares given = {{"line", line.b}};
  const test::argument_list program({test::folder_of_program() + "/no such program"});
  auto options = test::defaults<kith_process_options>();
  options.argv = program.argv();
  options.shares = given.data();
  options.share_count = given.size();
  kith_process* out = test::untouched<kith_process>();
  CHECK_STATUS(kith_process_spawn(&options, &out), KITH_E_NOT_FOUND);
  CHECK(out == test::untouched<kith_process>());
  CHECK(test::tell(line.a, "still here"));
  CHECK(test::hear(line.b, "still here"));
  CHECK(test::tell(line.b, "and back"));
  CHECK(test::hear(line.a, "and back"));
}

TEST_CASE_FIXTURE(nothing_leaks, "an end with a message half received cannot move") {
  test::channel_pair line = test::make_channel(4096);
  const std::vector<unsigned char> large = test::noise(100'000, 1);
  std::thread sender([&] { kith_channel_send(line.a, large.data(), large.size(), test::generous); });
  size_t size = 0;
  CHECK_STATUS(kith_channel_recv(line.b, nullptr, 0, &size, test::generous), KITH_E_TOO_LARGE);

  const test::shares given = {{"line", line.b}};
  const kith_process_options options = test::run_entry(pass_on_grandchild, given);
  kith_process* out = test::untouched<kith_process>();
  CHECK_STATUS(kith_process_spawn(&options, &out), KITH_E_BUSY);
  CHECK(out == test::untouched<kith_process>());

  std::vector<unsigned char> seen;
  CHECK_OK(test::receive(line.b, seen));
  CHECK((seen == large));
  sender.join();
  test::process child = test::start(pass_on_grandchild, given);  // now it can
  CHECK(test::tell(line.a, "to the grandchild"));
  CHECK(test::hear(line.a, "from the grandchild"));
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "an end moves when what it had half received was given up") {
  test::channel_pair line = test::make_channel(4096);
  const std::vector<unsigned char> large = test::noise(100'000, 1);
  CHECK_STATUS(kith_channel_send(line.a, large.data(), large.size(), 0), KITH_E_TIMEOUT);
  size_t size = 0;
  CHECK_STATUS(kith_channel_recv(line.b, nullptr, 0, &size, 0), KITH_E_TIMEOUT);
  CHECK(test::tell(line.a, "another"));
  CHECK(test::hear(line.b, "another"));
  test::process child = test::start(pass_on_grandchild, {{"line", line.b}});
  CHECK(test::tell(line.a, "to the grandchild"));
  CHECK(test::hear(line.a, "from the grandchild"));
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "both ends may go to two children, and the parent has none") {
  test::channel_pair line = test::make_channel();
  test::process one = test::start(pass_on_grandchild, {{"line", line.b}});
  test::process other = test::start(talk_to_grandchild, {{"line", line.a}});
  line.a.close();
  line.b.close();
  CHECK_EXIT(one, KITH_EXIT_CODE, 0);
  CHECK_EXIT(other, KITH_EXIT_CODE, 0);
}
