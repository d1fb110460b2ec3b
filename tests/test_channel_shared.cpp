// SPDX-License-Identifier: MIT
// Ends with several holders, and channels whose calls never spin.
#include <atomic>
#include <cstring>

#include "support.h"

using test::nothing_leaks;

namespace {

constexpr uint32_t shared = KITH_CHANNEL_SHARED_ENDS;
constexpr uint32_t numbers_of_each = 500;

kith_status receive_number(kith_channel* channel, uint32_t& number, int64_t timeout_ms = test::generous) {
  size_t size = 0;
  return kith_channel_recv(channel, &number, sizeof number, &size, timeout_ms);
}

// Sends its numbers, which begin at the argument.
int32_t send_numbers(const void* argument, size_t) {
  test::channel line;
  CHILD_NEEDS(kith_channel_inherit("line", line.out()) == KITH_OK);
  const uint32_t first = *static_cast<const uint32_t*>(argument);
  for (uint32_t i = first; i < first + numbers_of_each; ++i)
    CHILD_NEEDS(kith_channel_send(line, &i, sizeof i, test::generous) == KITH_OK);
  return 0;
}

// Passes on what it receives, until the first line ends.
int32_t pass_numbers_on(const void*, size_t) {
  test::channel from, to;
  CHILD_NEEDS(kith_channel_inherit("from", from.out()) == KITH_OK);
  CHILD_NEEDS(kith_channel_inherit("to", to.out()) == KITH_OK);
  for (;;) {
    uint32_t number = 0;
    const kith_status status = receive_number(from, number);
    if (status == KITH_E_CLOSED) return 0;
    CHILD_NEEDS(status == KITH_OK);
    CHILD_NEEDS(kith_channel_send(to, &number, sizeof number, test::generous) == KITH_OK);
  }
}

// Says that it holds the end, and stays.
int32_t hold(const void*, size_t) {
  test::channel line;
  CHILD_NEEDS(kith_channel_inherit("line", line.out()) == KITH_OK);
  CHILD_NEEDS(test::tell(line, "held"));
  const test::event never = test::make_event();
  CHILD_NEEDS(kith_event_wait(never, test::generous) == KITH_OK);
  return 0;
}

// Has both turns of the end, and stays.
int32_t hold_turns(const void*, size_t) {
  test::channel line;
  CHILD_NEEDS(kith_channel_inherit("line", line.out()) == KITH_OK);
  const void* data = nullptr;
  size_t size = 0;
  CHILD_NEEDS(kith_channel_peek(line, &data, &size, test::generous) == KITH_OK);
  CHILD_NEEDS(test::tell(line, "held"));
  void* at = nullptr;
  CHILD_NEEDS(kith_channel_reserve(line, 100, &at, test::generous) == KITH_OK);
  std::memset(at, 'x', 100);
  test::channel told;
  CHILD_NEEDS(kith_channel_inherit("told", told.out()) == KITH_OK);
  CHILD_NEEDS(test::tell(told, "both"));
  const test::event never = test::make_event();
  CHILD_NEEDS(kith_event_wait(never, test::generous) == KITH_OK);
  return 0;
}

int32_t close_it(const void*, size_t) {
  test::channel line;
  CHILD_NEEDS(kith_channel_inherit("line", line.out()) == KITH_OK);
  CHILD_NEEDS(test::hear(line, "go"));
  return 0;
}

// Sends and receives without end, until it is killed.
int32_t send_and_receive_for_ever(const void*, size_t) {
  test::channel line;
  CHILD_NEEDS(kith_channel_inherit("line", line.out()) == KITH_OK);
  unsigned char buffer[2000];
  for (uint32_t i = 0;; ++i) {
    std::memset(buffer, static_cast<int>(i), sizeof buffer);
    size_t size = 0;
    (void)kith_channel_send(line, buffer, 100 + i % 1000, 1);
    (void)kith_channel_recv(line, buffer, sizeof buffer, &size, 1);
  }
}

constexpr size_t large_size = 30'000;
constexpr uint32_t large_of_each = 20;

// Each message has one byte, the sender's number, all over.
int32_t send_large(const void* argument, size_t) {
  test::channel line;
  CHILD_NEEDS(kith_channel_inherit("line", line.out()) == KITH_OK);
  const std::vector<unsigned char> message(large_size, *static_cast<const unsigned char*>(argument));
  for (uint32_t i = 0; i < large_of_each; ++i)
    CHILD_NEEDS(kith_channel_send(line, message.data(), message.size() - i, test::generous) == KITH_OK);
  return 0;
}

// Tells how many came whole.
int32_t check_large(const void*, size_t) {
  test::channel from, to;
  CHILD_NEEDS(kith_channel_inherit("from", from.out()) == KITH_OK);
  CHILD_NEEDS(kith_channel_inherit("to", to.out()) == KITH_OK);
  std::vector<unsigned char> buffer(large_size);
  uint32_t whole = 0;
  size_t size = 0;
  while (kith_channel_recv(from, buffer.data(), buffer.size(), &size, test::generous) == KITH_OK) {
    bool same = size > large_size - large_of_each;
    for (size_t i = 0; i < size; ++i) same &= buffer[i] == buffer[0];
    whole += same;
  }
  CHILD_NEEDS(kith_channel_send(to, &whole, sizeof whole, test::generous) == KITH_OK);
  return 0;
}

// Receives a part, and stays.
int32_t take_a_part(const void*, size_t) {
  test::channel line, told;
  CHILD_NEEDS(kith_channel_inherit("line", line.out()) == KITH_OK);
  CHILD_NEEDS(kith_channel_inherit("told", told.out()) == KITH_OK);
  kith_wait_item item{};
  item.object = line;
  size_t ready = 0;
  CHILD_NEEDS(kith_wait_any(&item, 1, &ready, test::generous) == KITH_OK);
  std::vector<unsigned char> buffer(large_size);
  size_t size = 0;
  CHILD_NEEDS(kith_channel_recv(line, buffer.data(), buffer.size(), &size, 0) == KITH_E_TIMEOUT);
  CHILD_NEEDS(test::tell(told, "a part"));
  const test::event never = test::make_event();
  CHILD_NEEDS(kith_event_wait(never, test::generous) == KITH_OK);
  return 0;
}

// Begins a message that nobody receives.
int32_t send_without_end(const void*, size_t) {
  test::channel line;
  CHILD_NEEDS(kith_channel_inherit("line", line.out()) == KITH_OK);
  const std::vector<unsigned char> message(large_size, 'x');
  CHILD_NEEDS(kith_channel_send(line, message.data(), message.size(), test::generous) == KITH_OK);
  return 0;
}

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks, "an end that is shared is copied to a child, and good here as before") {
  test::channel_pair line = test::make_channel(0, shared);
  test::process child = test::start(hold, {{"line", line.b}});
  CHECK(test::hear(line.a, "held"));
  CHECK(test::tell(line.b, "from here"));
  CHECK(test::hear(line.a, "from here"));
  CHECK(test::tell(line.a, "to here"));
  CHECK(test::hear(line.b, "to here"));
  REQUIRE_OK(kith_process_kill(child));
  CHECK_EXIT(child, KITH_EXIT_KILLED, 9);
  CHECK(test::tell(line.b, "after"));  // who died held nothing that others need
  CHECK(test::hear(line.a, "after"));
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "several processes send and receive at two shared ends, and each message goes to one") {
  constexpr uint32_t senders = 3, receivers = 2;
  test::channel_pair numbers = test::make_channel(4096, shared);
  test::channel_pair results = test::make_channel(4096, shared);
  std::vector<test::process> children;
  for (uint32_t i = 0; i < receivers; ++i)
    children.push_back(test::start(pass_numbers_on, {{"from", numbers.b}, {"to", results.a}}));
  for (uint32_t i = 0; i < senders; ++i)
    children.push_back(test::start_with(send_numbers, {{"line", numbers.a}}, i * numbers_of_each));
  numbers.a.close();
  numbers.b.close();
  results.a.close();
  std::vector<int> seen(senders * numbers_of_each);
  uint32_t number = 0;
  kith_status status;
  while ((status = receive_number(results.b, number)) == KITH_OK) ++seen.at(number);
  CHECK_STATUS(status, KITH_E_CLOSED);  // the last holder has closed it
  for (const int times : seen) CHECK(times == 1);
  for (test::process& each : children) CHECK_EXIT(each, KITH_EXIT_CODE, 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "a shared end is closed when its last holder has closed it") {
  test::channel_pair line = test::make_channel(0, shared);
  test::process child = test::start(close_it, {{"line", line.b}});
  line.b.close();
  size_t size = 0;
  CHECK_STATUS(kith_channel_recv(line.a, nullptr, 0, &size, 50), KITH_E_TIMEOUT);
  CHECK(test::tell(line.a, "go"));
  CHECK(test::hear(line.a, "(KITH_E_CLOSED)"));
  CHECK_STATUS(kith_channel_send(line.a, "x", 1, 0), KITH_E_CLOSED);
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "a shared end of which a holder died has died when the last one is gone") {
  test::channel_pair line = test::make_channel(0, shared);
  test::process child = test::start(hold, {{"line", line.b}});
  CHECK(test::hear(line.a, "held"));
  REQUIRE_OK(kith_process_kill(child));
  CHECK_EXIT(child, KITH_EXIT_KILLED, 9);
  size_t size = 0;
  CHECK_STATUS(kith_channel_recv(line.a, nullptr, 0, &size, 50), KITH_E_TIMEOUT);
  line.b.close();
  CHECK(test::hear(line.a, "(KITH_E_PEER_DIED)"));
}

TEST_CASE_FIXTURE(nothing_leaks, "a shared end that was not given after all has one holder less") {
  test::channel_pair line = test::make_channel(0, shared);
  const test::shares given = {{"line", line.b}};
  const test::argument_list program({test::folder_of_program() + "/no such program"});
  auto options = test::defaults<kith_process_options>();
  options.argv = program.argv();
  options.shares = given.data();
  options.share_count = given.size();
  kith_process* out = nullptr;
  CHECK_STATUS(kith_process_spawn(&options, &out), KITH_E_NOT_FOUND);
  CHECK(test::tell(line.b, "still here"));
  CHECK(test::hear(line.a, "still here"));
  line.b.close();
  CHECK(test::hear(line.a, "(KITH_E_CLOSED)"));
}

TEST_CASE_FIXTURE(nothing_leaks, "a child that never takes its shared end has closed it in good order") {
  test::channel_pair line = test::make_channel(0, shared);
  test::channel_pair other = test::make_channel();
  CHECK(test::tell(other.a, "go"));
  test::process child = test::start(close_it, {{"line", other.b}, {"ignored", line.b}});
  line.b.close();
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
  CHECK(test::hear(line.a, "(KITH_E_CLOSED)"));
}

TEST_CASE_FIXTURE(
    nothing_leaks,
    "who is killed in its turns at a shared end neither stops the others nor takes anything along") {
  test::channel_pair line = test::make_channel(4096, shared);
  for (int round = 0; round < 3; ++round) {
    test::channel_pair other = test::make_channel();
    test::process child = test::start(hold_turns, {{"line", line.b}, {"told", other.b}});
    CHECK(test::tell(line.a, "peeked, not taken"));
    CHECK(test::hear(line.a, "held"));
    CHECK(test::hear(other.a, "both"));
    size_t size = 0;
    CHECK_STATUS(kith_channel_recv(line.b, nullptr, 0, &size, 20), KITH_E_TIMEOUT);
    CHECK_STATUS(kith_channel_send(line.b, "x", 1, 20), KITH_E_TIMEOUT);
    REQUIRE_OK(kith_process_kill(child));
    CHECK(test::hear(line.b, "peeked, not taken"));
    CHECK(test::tell(line.b, "after"));
    CHECK(test::hear(line.a, "after"));
    CHECK_EXIT(child, KITH_EXIT_KILLED, 9);
  }
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "holders that are killed at random moments leave whole messages and working ends") {
  test::channel_pair line = test::make_channel(4096, shared);
  uint64_t state = 11;
  unsigned char buffer[2000];
  size_t size = 0;
  for (int round = test::repetitions(40); round > 0; --round) {
    test::process child = test::start(send_and_receive_for_ever, {{"line", line.b}});
    const uint64_t end = test::now_ms() + test::next_random(state) % 20;
    int wrong = 0;
    do {
      const kith_status status = kith_channel_recv(line.a, buffer, sizeof buffer, &size, 1);
      if (status == KITH_OK) {
        for (size_t i = 1; i < size; ++i) wrong += buffer[i] != buffer[0];
        (void)kith_channel_send(line.a, buffer, size, 0);
      }
      wrong += status != KITH_OK && status != KITH_E_TIMEOUT;
    } while (test::now_ms() < end);
    CHECK(wrong == 0);
    REQUIRE_OK(kith_process_kill(child));
    CHECK_EXIT(child, KITH_EXIT_KILLED, 9);
  }
  // Our own copy of the end still works in both directions, behind what the dead ones sent and did not take. They may have left the ring
  // full, and nobody else empties it.
  kith_status sent = KITH_E_TIMEOUT;
  while (sent == KITH_E_TIMEOUT) {
    sent = kith_channel_send(line.b, "last", 4, 1);
    if (sent == KITH_E_TIMEOUT) (void)kith_channel_recv(line.a, buffer, sizeof buffer, &size, 1);
  }
  CHECK_OK(sent);
  while (test::heard(line.a) != "last") {
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "who closes a shared end in its turns lets the other holders go on") {
  test::channel_pair line = test::make_channel(0, shared);
  test::process child = test::start(close_it, {{"line", line.b}});
  CHECK(test::tell(line.a, "go"));
  const void* data = nullptr;
  size_t size = 0;
  void* at = nullptr;
  // Of two copies of the end in two processes, this one has both turns; which of them is shown the message does not matter.
  const kith_status shown = kith_channel_peek(line.b, &data, &size, 0);
  CHECK((shown == KITH_OK || shown == KITH_E_TIMEOUT));
  CHECK_OK(kith_channel_reserve(line.b, 100, &at, test::generous));
  line.b.close();
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "who closes a shared end in its turns lets the other holders go on") {
  test::channel_pair line = test::make_channel(0, shared);
  CHECK(test::tell(line.a, "go"));
  const void* data = nullptr;
  size_t size = 0;
  void* at = nullptr;
  REQUIRE_OK(kith_channel_peek(line.b, &data, &size, 0));
  REQUIRE_OK(kith_channel_reserve(line.b, 100, &at, 0));
  test::process child = test::start(close_it, {{"line", line.b}});  // it waits for its turn
  line.b.close();
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "a message of a shared end may be larger than the ring") {
  test::channel_pair line = test::make_channel(4096, shared);
  for (const size_t size : {size_t{2048}, size_t{2049}, size_t{4096}, size_t{100'000}}) {
    const std::vector<unsigned char> message = test::noise(size, size);
    std::thread sender([&] {
      CHECK_OK(kith_channel_send(line.a, message.data(), message.size(), test::generous));
      CHECK(test::tell(line.a, "next"));
    });
    std::vector<unsigned char> seen;
    CHECK_OK(test::receive(line.b, seen));
    CHECK((seen == message));
    CHECK(test::hear(line.b, "next"));
    sender.join();
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "large messages of several processes do not mix at shared ends") {
  constexpr uint32_t senders = 2, receivers = 2;
  test::channel_pair line = test::make_channel(4096, shared);
  test::channel_pair results = test::make_channel(4096, shared);
  std::vector<test::process> children;
  for (uint32_t i = 0; i < receivers; ++i)
    children.push_back(test::start(check_large, {{"from", line.b}, {"to", results.a}}));
  for (uint32_t i = 0; i < senders; ++i)
    children.push_back(test::start_with(send_large, {{"line", line.a}}, i));
  line.a.close();
  line.b.close();
  results.a.close();
  uint32_t whole = 0, number = 0;
  while (receive_number(results.b, number) == KITH_OK) whole += number;
  CHECK(whole == senders * large_of_each);
  for (test::process& each : children) CHECK_EXIT(each, KITH_EXIT_CODE, 0);
}

TEST_CASE_FIXTURE(
    nothing_leaks,
    "a large message of a shared end that is half received when the time is up goes on in another thread") {
  test::channel_pair line = test::make_channel(4096, shared);
  std::vector<unsigned char> buffer(large_size);
  const std::vector<unsigned char> message = test::noise(large_size, 5);
  size_t size = 0;
  // Its first part, and no room for more, as the next receiver gives up before the sender can go on.
  std::thread sender(
      [&] { CHECK_OK(kith_channel_send(line.a, message.data(), message.size(), test::generous)); });
  int calls = 1;
  kith_status status = KITH_E_TIMEOUT;
  for (; status == KITH_E_TIMEOUT; ++calls)
    std::thread([&] { status = kith_channel_recv(line.b, buffer.data(), buffer.size(), &size, 0); }).join();
  CHECK_STATUS(status, KITH_OK);
  CHECK(calls > 1);
  CHECK(size == message.size());
  CHECK((buffer == message));
  sender.join();
  // One that is larger than the buffer stays, and does not keep the turn for ever.
  sender = std::thread(
      [&] { CHECK_OK(kith_channel_send(line.a, message.data(), message.size(), test::generous)); });
  CHECK_STATUS(kith_channel_recv(line.b, buffer.data(), 10, &size, test::generous), KITH_E_TOO_LARGE);
  sender.join();
  std::thread([&] { CHECK_OK(kith_channel_recv(line.b, buffer.data(), size, &size, 0)); }).join();
  CHECK((buffer == message));
  CHECK(test::tell(line.a, "next"));
  CHECK(test::hear(line.b, "next"));
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "a holder that is killed with a part of a large message takes only that message along") {
  test::channel_pair line = test::make_channel(4096, shared);
  test::channel_pair other = test::make_channel();
  test::process child = test::start(take_a_part, {{"line", line.b}, {"told", other.b}});
  const std::vector<unsigned char> message = test::noise(large_size, 7);
  std::thread sender([&] {
    CHECK_OK(kith_channel_send(line.a, message.data(), message.size(), test::generous));
    CHECK(test::tell(line.a, "next"));
  });
  CHECK(test::hear(other.a, "a part"));
  size_t size = 0;
  CHECK_STATUS(kith_channel_recv(line.b, nullptr, 0, &size, 20), KITH_E_TIMEOUT);  // its turn goes on
  REQUIRE_OK(kith_process_kill(child));
  CHECK(test::hear(line.b, "next"));
  sender.join();
  CHECK_EXIT(child, KITH_EXIT_KILLED, 9);
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "a holder that is killed while it sends a large message leaves nothing of it") {
  test::channel_pair line = test::make_channel(4096, shared);
  test::process child = test::start(send_without_end, {{"line", line.a}});
  kith_wait_item item{};
  item.object = line.b;
  size_t ready = 0;
  REQUIRE_OK(kith_wait_any(&item, 1, &ready, test::generous));
  REQUIRE_OK(kith_process_kill(child));
  CHECK_EXIT(child, KITH_EXIT_KILLED, 9);
  std::thread sender(
      [&] { CHECK(test::tell(line.a, "next")); });  // the ring is full of what the dead one has sent
  CHECK(test::hear(line.b, "next"));
  sender.join();
}

TEST_CASE_FIXTURE(nothing_leaks, "threads of several holders use a shared end at once") {
  test::channel_pair line = test::make_channel(4096, shared);
  std::atomic<uint32_t> received = 0;
  std::thread receivers([&] {
    test::in_threads(4, [&](int) {
      uint32_t number = 0;
      while (receive_number(line.b, number) == KITH_OK) ++received;
    });
  });
  test::process child = test::start_with(send_numbers, {{"line", line.a}}, uint32_t{0});
  test::in_threads(4, [&](int) {
    for (uint32_t i = 0; i < numbers_of_each; ++i)
      CHECK_OK(kith_channel_send(line.a, &i, sizeof i, test::generous));
  });
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
  line.a.close();
  receivers.join();
  CHECK(received == 5 * numbers_of_each);
}

// ---- options -------------------------------------------------------------------------------------------------------------------------

TEST_CASE_FIXTURE(nothing_leaks, "options of a channel that mean nothing are refused") {
  auto options = test::defaults<kith_channel_options>();
  kith_channel* a = test::untouched<kith_channel>();
  kith_channel* b = test::untouched<kith_channel>();
  options.flags = 4;
  CHECK_STATUS(kith_channel_create(&options, &a, &b), KITH_E_UNSUPPORTED);
  options.flags = 0;
  options.large_message = 4095;
  CHECK_STATUS(kith_channel_create(&options, &a, &b), KITH_E_INVALID);
  CHECK(a == test::untouched<kith_channel>());
  CHECK(b == test::untouched<kith_channel>());
}

TEST_CASE_FIXTURE(nothing_leaks, "a channel that never spins carries messages of every size") {
  test::channel_pair line = test::make_channel(4096, KITH_CHANNEL_LOW_CPU);
  for (const size_t size : {size_t{0}, size_t{1}, size_t{4096}, size_t{100'000}}) {
    const std::vector<unsigned char> message = test::noise(size, size);
    std::thread sender([&] { CHECK_OK(kith_channel_send(line.a, message.data(), size, test::generous)); });
    std::vector<unsigned char> seen;
    CHECK_OK(test::receive(line.b, seen));
    sender.join();
    CHECK((seen == message));
  }
}
