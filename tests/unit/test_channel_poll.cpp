// SPDX-License-Identifier: MIT
// What those use who wait for a channel among other things; and that a channel which is not to spin does not.
#include <atomic>

#include "../support.h"
#include "channel.h"

using namespace kith;
using test::nothing_leaks;

namespace {

constexpr uint32_t read = KITH_WAIT_READ, write = KITH_WAIT_WRITE;

// An end, and its inside for as long as the handle is open.
struct end_inside {
  explicit end_inside(kith_channel* channel) : pin(channel, object_kind::channel) {
    REQUIRE_OK(pin.status());
  }
  pinned<channel_object> pin;

  uint32_t ready(uint32_t events) { return channel_ready(*pin, events); }
  kith_status arm(uint32_t events) { return channel_arm(*pin, events); }
  uint64_t flags_for_messages() { return pin->receiver.state->receiver_asleep.load(); }
  uint64_t flags_for_room() { return pin->sender.state->sender_needs.load(); }
};

void fill(kith_channel* channel) {
  const std::vector<unsigned char> message(100);
  while (kith_channel_send(channel, message.data(), message.size(), 0) == KITH_OK) {
  }
}

void take(kith_channel* channel, int count) {
  char buffer[100];
  size_t size = 0;
  for (int i = 0; i < count; ++i) REQUIRE_OK(kith_channel_recv(channel, buffer, sizeof buffer, &size, 0));
}

int32_t wait_to_be_killed(const void*, size_t) {
  test::channel line;
  CHILD_NEEDS(kith_channel_inherit("line", line.out()) == KITH_OK);
  CHILD_NEEDS(test::tell(line, "ready"));
  CHILD_NEEDS(test::hear(line, "never sent"));
  return 0;
}

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks, "a channel is ready for what would not wait") {
  test::channel_pair line = test::make_channel(4096);
  end_inside a(line.a), b(line.b);
  CHECK(a.ready(read | write) == write);
  CHECK(b.ready(read) == 0);
  CHECK(test::tell(line.a, "message"));
  CHECK(b.ready(read | write) == (read | write));
  CHECK(a.ready(read) == 0);
  CHECK(test::hear(line.b, "message"));
  CHECK(b.ready(read) == 0);
  fill(line.a);
  CHECK(a.ready(write) == 0);
  take(line.b, 7);
  CHECK(a.ready(write) == 0);  // less than a quarter
  take(line.b, 1);
  CHECK(a.ready(write) == write);
}

TEST_CASE_FIXTURE(nothing_leaks, "a message that was too large for a buffer is still there to be read") {
  test::channel_pair line = test::make_channel(4096);
  end_inside b(line.b);
  const std::vector<unsigned char> large = test::noise(3000, 1);
  REQUIRE_OK(kith_channel_send(line.a, large.data(), large.size(), 0));
  size_t size = 0;
  CHECK_STATUS(kith_channel_recv(line.b, nullptr, 0, &size, 0), KITH_E_TOO_LARGE);
  CHECK(b.ready(read) == read);
  std::vector<unsigned char> seen;
  CHECK_OK(test::receive(line.b, seen, 0));
  CHECK(b.ready(read) == 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "the end of the other side is an event of every kind") {
  {
    test::channel_pair line = test::make_channel(4096);
    end_inside a(line.a);
    fill(line.a);
    line.b.close();
    CHECK(a.ready(read) == read);
    CHECK(a.ready(read | write) == (read | write));
    CHECK_STATUS(a.arm(write), KITH_E_BUSY);
  }
  test::channel_pair line = test::make_channel();
  test::process child = test::start(wait_to_be_killed, {{"line", line.b}});
  CHECK(test::hear(line.a, "ready"));
  end_inside a(line.a);
  CHECK(a.ready(read) == 0);
  REQUIRE_OK(kith_process_kill(child));
  CHECK_EXIT(child, KITH_EXIT_KILLED, 9);
  CHECK(test::becomes_true([&] { return a.ready(read) == read; }));
  CHECK_STATUS(a.arm(read), KITH_E_BUSY);
  end_inside moved(line.b);
  CHECK(moved.ready(read) == read);  // the next call says that it has moved
  CHECK_STATUS(moved.arm(read), KITH_E_BUSY);
}

TEST_CASE_FIXTURE(nothing_leaks, "an end is armed until something comes, and what is there already is told") {
  test::channel_pair line = test::make_channel(4096);
  end_inside a(line.a), b(line.b);
  CHECK_OK(b.arm(read));
  CHECK_OK(b.arm(read));
  CHECK(b.flags_for_messages() == shm::poller_flag);
  CHECK(test::tell(line.a, "message"));
  CHECK(b.flags_for_messages() == 0);
  CHECK_STATUS(b.arm(read), KITH_E_BUSY);
  CHECK(b.flags_for_messages() == 0);
  CHECK(test::hear(line.b, "message"));
  CHECK_OK(b.arm(read));
  channel_disarm(*b.pin);
  CHECK(b.flags_for_messages() == 0);

  CHECK_STATUS(a.arm(write), KITH_E_BUSY);
  fill(line.a);
  CHECK_OK(a.arm(write));
  CHECK(a.flags_for_room() == shm::poller_of_room);
  take(line.b, 7);
  CHECK(a.flags_for_room() == shm::poller_of_room);
  take(line.b, 1);
  CHECK(a.flags_for_room() == 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "a thread that sleeps and gives up leaves a poller armed") {
  test::channel_pair line = test::make_channel(4096);
  end_inside a(line.a), b(line.b);
  CHECK_OK(b.arm(read));
  size_t size = 0;
  CHECK_STATUS(kith_channel_recv(line.b, nullptr, 0, &size, 10), KITH_E_TIMEOUT);
  CHECK(b.flags_for_messages() == shm::poller_flag);
  fill(line.a);
  CHECK_OK(a.arm(write));
  const std::vector<unsigned char> message(100);
  CHECK_STATUS(kith_channel_send(line.a, message.data(), message.size(), 10), KITH_E_TIMEOUT);
  CHECK(a.flags_for_room() == shm::poller_of_room);
}

TEST_CASE_FIXTURE(nothing_leaks, "a poller of room is told although a sender waits for more") {
  test::channel_pair line = test::make_channel(4096);
  end_inside a(line.a);
  fill(line.a);
  CHECK_OK(a.arm(write));
  std::atomic<uint64_t>& needs = a.pin->sender.state->sender_needs;
  needs.fetch_or(3000);  // as a sender that sleeps
  take(line.b, 8);
  CHECK(needs.load() == 3000);
  take(line.b, 16);
  CHECK(needs.load() == 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "arming while messages come never misses one") {
  test::channel_pair line = test::make_channel(4096);
  end_inside b(line.b);
  const int messages = test::repetitions(20'000);
  REQUIRE_OK(b.arm(read));
  std::thread sender([&] {
    for (int i = 0; i < messages; ++i) CHECK_OK(kith_channel_send(line.a, &i, sizeof i, test::generous));
  });
  for (int i = 0; i < messages;) {
    // The flag goes down when the next message comes: nobody waits in vain.
    REQUIRE(test::becomes_true([&] { return b.flags_for_messages() == 0; }));
    int number = 0;
    size_t size = 0;
    while (i < messages && kith_channel_recv(line.b, &number, sizeof number, &size, 0) == KITH_OK) {
      REQUIRE(number == i);
      ++i;
    }
    if (i < messages) (void)b.arm(read);
  }
  sender.join();
}

TEST_CASE_FIXTURE(nothing_leaks, "a close takes the flags down, so that the other side's poller is told") {
  test::channel_pair line = test::make_channel(4096);
  end_inside a(line.a);
  fill(line.a);
  CHECK_OK(a.arm(read | write));
  line.b.close();
  CHECK(a.flags_for_messages() == 0);
  CHECK(a.flags_for_room() == 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "looks at an end while it moves to a child see it or that it has moved") {
  for (int round = test::repetitions(20); round > 0; --round) {
    test::channel_pair line = test::make_channel();
    std::atomic<bool> stop = false;
    std::atomic<int> looks = 0;
    std::thread looker([&] {
      end_inside b(line.b);
      while (!stop) {
        if (b.arm(read) == KITH_OK) channel_disarm(*b.pin);
        ++looks;
      }
    });
    while (looks < 10) std::this_thread::yield();
    test::process child = test::start(wait_to_be_killed, {{"line", line.b}});
    CHECK(test::hear(line.a, "ready"));
    stop = true;
    looker.join();
    REQUIRE_OK(kith_process_kill(child));
    CHECK_EXIT(child, KITH_EXIT_KILLED, 9);
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "who waits at a channel that never spins has not spun") {
  for (const uint32_t flags : {uint32_t{KITH_CHANNEL_LOW_CPU}, 0u}) {
    CAPTURE(flags);
    test::channel_pair line = test::make_channel(4096, flags);
    end_inside a(line.a), b(line.b);
    for (int i = 0; i < 20; ++i) {  // the favourite, too
      CHECK(test::tell(line.a, "hello"));
      CHECK(test::hear(line.b, "hello"));
    }
    size_t size = 0;
    CHECK_STATUS(kith_channel_recv(line.b, nullptr, 0, &size, 5), KITH_E_TIMEOUT);
    fill(line.a);
    CHECK_STATUS(kith_channel_send(line.a, "123", 3, 5), KITH_E_TIMEOUT);
    void* at = nullptr;
    CHECK_STATUS(kith_channel_reserve(line.a, 2000, &at, 5), KITH_E_TIMEOUT);
    CHECK((b.pin->spin_to_receive.times_asked() == 0) == (flags != 0));
    CHECK((a.pin->spin_to_send.times_asked() == 0) == (flags != 0));
  }
}
