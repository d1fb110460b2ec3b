// SPDX-License-Identifier: MIT
// Objects are under way when one side is killed: nothing leaks in the other.
#include <atomic>

#include "channel.h"
#include "send_object.h"

using test::nothing_leaks;
using test::received_object;

namespace {

bool is_end(kith_status status) { return status == KITH_E_CLOSED || status == KITH_E_PEER_DIED; }

// Sends objects of several kinds until the other side is gone. A channel end leaves its other end behind, which is closed.
kith_status send_until_the_end(kith_channel* line) {
  test::value value = test::make_value(KITH_I64);
  test::array array = test::make_array(KITH_U8, 5000);
  test::lock lock = test::make_lock();
  const std::string text(300, 'x');
  for (int i = 0;; ++i) {
    test::channel_pair talk;
    const void* object = nullptr;
    switch (i % 5) {
      case 0: object = value; break;
      case 1: object = array; break;
      case 2: object = lock; break;
      case 3:
        talk = test::make_channel(4096);
        object = talk.b;
        break;
      default: break;
    }
    const kith_status status =
        object == nullptr ? kith_channel_send(line, text.data(), text.size(), test::generous)
                          : kith_channel_send_object(line, object, text.data(), text.size(), test::generous);
    if (status != KITH_OK) return status;
  }
}

// Whether all that came was whole.
kith_status receive_until_the_end(kith_channel* line) {
  for (;;) {
    received_object came;
    const kith_status status = came.receive(line);
    if (status != KITH_OK) return status;
    if (came.text.size() != 300) return KITH_E_PROTOCOL;
  }
}

int32_t be_sender(const void*, size_t) {
  test::channel line;
  CHILD_NEEDS(test::take(line, "line"));
  CHILD_NEEDS(test::tell(line, "ready"));
  CHILD_NEEDS(is_end(send_until_the_end(line)));
  return 0;
}

int32_t be_receiver(const void*, size_t) {
  test::channel line;
  CHILD_NEEDS(test::take(line, "line"));
  CHILD_NEEDS(test::tell(line, "ready"));
  CHILD_NEEDS(is_end(receive_until_the_end(line)));
  return 0;
}

// Lets some time pass that differs from round to round, in which the child does whatever it does.
void let_it_work(uint64_t& state) {
  const uint64_t spins = test::next_random(state) % (test::is_windows ? 20'000'000 : 2'000'000);
  for (uint64_t i = 0; i < spins; ++i) std::atomic_signal_fence(std::memory_order_seq_cst);
}

// Whether it was killed while it had an object in its hands.
bool receive_from_one_that_is_killed(uint64_t& state) {
  test::channel_pair line = test::make_channel(16384);
  test::process child = test::start(be_sender, {{"line", line.b}});
  CHECK(test::hear(line.a, "ready"));
  kith_status end = KITH_OK;
  std::thread receiver([&] { end = receive_until_the_end(line.a); });
  let_it_work(state);
  REQUIRE_OK(kith_process_kill(child));
  receiver.join();
  CHECK_STATUS(end, KITH_E_PEER_DIED);
  CHECK_EXIT(child, KITH_EXIT_KILLED, 9);
  kith::pinned<kith::channel_object> self(line.a.get(), kith::object_kind::channel);
  return self->state().parcels[1 - self->end].ticket.load() != 0;
}

// Where memory has a name for a moment (platform_notes.md), a kill in that moment leaves it.
void check_names(const std::set<std::string>& before) {
  if (kith_has(KITH_HAS_SEALED_MEMORY) != 0) CHECK((test::names_of_shared_memory() == before));
}

constexpr int rounds_on_posix = 200, rounds_on_windows = 20;
const int rounds = test::is_windows ? rounds_on_windows : test::repetitions(rounds_on_posix);

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks,
                  "a receiver that is killed with objects on their way to it leaves nothing behind") {
  const auto names = test::names_of_shared_memory();
  uint64_t state = 1;
  for (int i = 0; i < rounds; ++i) {
    test::channel_pair line = test::make_channel(16384);
    test::process child = test::start(be_receiver, {{"line", line.b}});
    CHECK(test::hear(line.a, "ready"));
    kith_status end = KITH_OK;
    std::thread sender([&] { end = send_until_the_end(line.a); });
    let_it_work(state);
    REQUIRE_OK(kith_process_kill(child));
    sender.join();
    CHECK_STATUS(end, KITH_E_PEER_DIED);
    CHECK_EXIT(child, KITH_EXIT_KILLED, 9);
  }
  check_names(names);
}

// Wine makes a handle in another process in one step, and writes its number down in the next: who is killed between them loses it.
// Windows does both in one.
TEST_CASE("a sender that is killed with objects on their way to us leaves nothing behind") {
  test::warm_up();
  const auto names = test::names_of_shared_memory();
  size_t handles = test::open_handles();
  uint64_t state = 2;
  for (int i = 0; i < rounds; ++i) {
    const bool was_packing = receive_from_one_that_is_killed(state);
    if (test::open_handles() == handles) continue;
    CHECK_MESSAGE((was_packing && !test::duplicates_in_one_step()), "handles were left open");
    handles = test::open_handles();
  }
  check_names(names);
}

TEST_CASE_FIXTURE(nothing_leaks, "an end that is closed while a sender is at work takes what came with it") {
  uint64_t state = 3;
  for (int i = 0; i < rounds; ++i) {
    test::channel_pair line = test::make_channel(16384);
    test::process child = test::start(be_sender, {{"line", line.b}});
    CHECK(test::hear(line.a, "ready"));
    let_it_work(state);
    line.a.close();
    CHECK_EXIT(child, KITH_EXIT_CODE, 0);
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "what a killed sender had sent is received, and can be used") {
  test::channel_pair line = test::make_channel();
  test::process child = test::start(be_sender, {{"line", line.b}});
  CHECK(test::hear(line.a, "ready"));
  received_object value;
  REQUIRE_OK(value.receive(line.a));
  REQUIRE(value.kind == KITH_OBJECT_VALUE);
  REQUIRE_OK(kith_process_kill(child));
  CHECK_EXIT(child, KITH_EXIT_KILLED, 9);
  CHECK_STATUS(receive_until_the_end(line.a), KITH_E_PEER_DIED);
  test::count_up(value.as<kith_value>());
  CHECK(test::count_in(value.as<kith_value>()) == 1);
}

TEST_CASE_FIXTURE(nothing_leaks, "an object is not sent to a process that was killed") {
  test::channel_pair line = test::make_channel();
  test::channel_pair talk = test::make_channel();
  test::process child = test::start_role({"stay"}, {{"line", line.b}});
  CHECK(test::hear(line.a, "ready"));
  REQUIRE_OK(kith_process_kill(child));
  CHECK_EXIT(child, KITH_EXIT_KILLED, 9);
  CHECK_STATUS(kith_channel_send_object(line.a, talk.b, nullptr, 0, test::generous), KITH_E_PEER_DIED);
  CHECK(test::tell(talk.b, "still ours"));
  CHECK(test::hear(talk.a, "still ours"));
}
