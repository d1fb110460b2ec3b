// SPDX-License-Identifier: MIT
// The parking lot with bells that a test rings itself. It is what Windows waits with, and what Linux can.
#include <functional>

#include "../support.h"
#include "shm/parking_lot.h"

using namespace kith;
using platform::wait_result;

namespace {

constexpr uint32_t slot_count = 4;
constexpr uint32_t no_such_pid = 0x7FFF'FFF0;

// The bells of one thread: `on_sleep` is what happens while it sleeps.
struct fake_bells {
  static inline std::function<wait_result(uint32_t)> on_sleep;
  static inline std::vector<uint32_t> rung;
  static inline int naps = 0;

  static void reset(wait_area&, uint32_t) {}
  static void ring(wait_area&, uint32_t slot) { rung.push_back(slot); }
  static wait_result sleep(wait_area&, uint32_t slot, deadline, identity) { return on_sleep(slot); }
  static wait_result nap(deadline) {
    ++naps;
    return wait_result::look_again;
  }
};

struct parking_place {
  shm::parking_slot slots[slot_count] = {};
  std::atomic<uint64_t> words[2] = {};
  wait_area area;

  parking_place() {
    area.slots = slots;
    area.slot_count = slot_count;
    area.base = reinterpret_cast<unsigned char*>(this);
    fake_bells::rung.clear();
    fake_bells::naps = 0;
  }

  wait_result park(int word, uint64_t expected) {
    return shm::park<fake_bells>(area, words[word], expected, no_deadline, identity{});
  }
  void unpark(int word, uint32_t count = UINT32_MAX) { shm::unpark<fake_bells>(area, words[word], count); }

  int taken() const {
    int count = 0;
    for (const shm::parking_slot& slot : slots) count += slot.occupant.load() != 0;
    return count;
  }
};

}  // namespace

TEST_CASE("a waiter whose word has changed does not sleep") {
  parking_place place;
  place.words[0] = 5;
  fake_bells::on_sleep = [](uint32_t) -> wait_result {
    FAIL_CHECK("it sleeps");
    return wait_result::look_again;
  };
  CHECK(place.park(0, 4) == wait_result::look_again);
  CHECK(place.taken() == 0);
}

TEST_CASE("a waker rings the bell of one who waits for its word, and no other bell") {
  parking_place place;
  fake_bells::on_sleep = [&](uint32_t slot) {
    CHECK(place.taken() == 1);
    place.unpark(1);
    CHECK(fake_bells::rung.empty());
    place.unpark(0);
    CHECK((fake_bells::rung == std::vector<uint32_t>{slot}));
    place.unpark(0);  // it is woken already
    CHECK(fake_bells::rung.size() == 1);
    return wait_result::look_again;
  };
  CHECK(place.park(0, 0) == wait_result::look_again);
  CHECK(place.taken() == 0);
  place.unpark(0);
  CHECK(fake_bells::rung.size() == 1);
}

TEST_CASE("a waker wakes as many as it is asked to") {
  parking_place place;
  int depth = 0;
  fake_bells::on_sleep = [&](uint32_t) {
    if (++depth < 3) return place.park(0, 0);
    CHECK(place.taken() == 3);
    place.unpark(0, 2);
    CHECK(fake_bells::rung.size() == 2);
    place.unpark(0, 2);
    CHECK(fake_bells::rung.size() == 3);
    return wait_result::timed_out;
  };
  CHECK(place.park(0, 0) == wait_result::timed_out);
  CHECK(place.taken() == 0);
}

TEST_CASE("a waiter that finds no slot naps") {
  parking_place place;
  for (shm::parking_slot& slot : place.slots) slot.occupant = platform::self().bits;
  CHECK(place.park(0, 0) == wait_result::look_again);
  CHECK(fake_bells::naps == 1);
  CHECK(place.taken() == slot_count);
}

TEST_CASE("the slot of a dead waiter is taken over when there is no other") {
  parking_place place;
  for (shm::parking_slot& slot : place.slots) slot.occupant = platform::self().bits;
  place.slots[2].occupant = make_identity(no_such_pid, 1).bits;
  fake_bells::on_sleep = [](uint32_t slot) {
    CHECK(slot == 2);
    return wait_result::look_again;
  };
  place.park(0, 0);
  CHECK(fake_bells::naps == 0);
  CHECK(place.slots[2].occupant == 0);
}

TEST_CASE("a slot that a waiter was killed in is rung for nothing, and harms no one") {
  parking_place place;
  place.slots[0].occupant = make_identity(no_such_pid, 1).bits;
  place.slots[0].key = shm::key_of(place.area, place.words[0]);
  place.slots[0].ticket = shm::slot_waiting;
  fake_bells::on_sleep = [&](uint32_t slot) {
    CHECK(slot == 1);
    place.unpark(0);
    CHECK((fake_bells::rung == std::vector<uint32_t>{0, 1}));
    return wait_result::look_again;
  };
  place.park(0, 0);
}
