// SPDX-License-Identifier: MIT
// Permits, waiters and parties of processes that a test invents: that do not exist, or whose pid is used again.
#include <memory>

#include "../support.h"
#include "shm/barrier.h"
#include "shm/condition.h"
#include "shm/name_card.h"
#include "shm/segment.h"
#include "shm/semaphore.h"

using namespace kith;

namespace {

// A process that does not exist, and one that had our pid before us.
const identity invented[] = {make_identity(0x7FFF'FFF0, 1),
                             identity{platform::self().bits ^ (uint64_t{1} << 40)}};

struct lone_segment {
  shm::segment segment;

  lone_segment(shm::segment_kind kind, size_t data_size) {
    shm::segment_plan plan{kind};
    plan.data_size = data_size;
    REQUIRE_OK(shm::segment_create(plan, segment));
  }
  ~lone_segment() { shm::segment_close(segment); }

  template <class T>
  T* state() {
    return reinterpret_cast<T*>(segment.state);
  }
  std::atomic<uint64_t>* words() { return reinterpret_cast<std::atomic<uint64_t>*>(segment.data); }
};

struct lone_lock : lone_segment {
  lone_lock() : lone_segment(shm::segment_kind::lock, 0) {}
  shm::lock_view view() { return {state<shm::lock_state>(), &segment.waiting}; }
};

struct lone_condition : lone_segment {
  lone_condition() : lone_segment(shm::segment_kind::condition, KITH_CONDITION_MOST_WAITERS * 8) {}
  shm::condition_view view() { return {state<shm::condition_state>(), words(), &segment.waiting}; }
};

shm::patience for_ms(int64_t timeout_ms) { return {deadline_in(platform::clock_now(), timeout_ms)}; }

constexpr uint64_t waiting = 1;
constexpr uint64_t notified = 2;

}  // namespace

TEST_CASE_FIXTURE(test::nothing_leaks, "permits of processes that do not exist come back") {
  lone_segment made(shm::segment_kind::semaphore, 3 * 8);
  std::atomic<uint32_t> hint{0};
  const shm::semaphore_view view{made.state<shm::semaphore_state>(), made.words(), 3, &made.segment.waiting,
                                 &hint};
  made.words()[0].store(invented[0].bits);
  made.words()[2].store(invented[1].bits);
  CHECK(shm::semaphore_available(view) == 1);
  CHECK_STATUS(shm::semaphore_release(view), KITH_E_NOT_OWNER);
  CHECK_OK(shm::semaphore_acquire(view, for_ms(0)));
  CHECK_STATUS(shm::semaphore_acquire(view, for_ms(0)), KITH_OWNER_DIED);
  CHECK_STATUS(shm::semaphore_acquire(view, for_ms(0)), KITH_OWNER_DIED);
  CHECK_STATUS(shm::semaphore_acquire(view, for_ms(0)), KITH_E_TIMEOUT);
  for (int i = 0; i < 3; ++i) CHECK_OK(shm::semaphore_release(view));
  CHECK(shm::semaphore_available(view) == 3);
}

TEST_CASE_FIXTURE(test::nothing_leaks, "a condition takes 1024 waiters and no more, and the dead make room") {
  lone_lock lock;
  lone_condition made;
  const shm::condition_view view = made.view();
  REQUIRE_OK(shm::lock_acquire(*lock.view().state, *lock.view().waiting, for_ms(0)));
  for (uint32_t i = 0; i < KITH_CONDITION_MOST_WAITERS; ++i)
    view.waiters[i].store(platform::self().bits | waiting);
  view.state->used.store(KITH_CONDITION_MOST_WAITERS);
  CHECK_STATUS(shm::condition_wait(view, lock.view(), for_ms(0), {}), KITH_E_LIMIT);
  CHECK(shm::lock_held_by_me(*lock.view().state));
  for (const identity& dead : invented) {
    view.waiters[1000].store(dead.bits | waiting);
    CHECK_STATUS(shm::condition_wait(view, lock.view(), for_ms(0), {}), KITH_E_TIMEOUT);
    CHECK(view.waiters[1000].load() == 0);
  }
  CHECK_OK(shm::lock_release(*lock.view().state, *lock.view().waiting));
}

TEST_CASE_FIXTURE(test::nothing_leaks,
                  "a notification that a process took to its grave is found by one who waits") {
  for (const identity& dead : invented) {
    lone_lock lock;
    lone_condition made;
    const shm::condition_view view = made.view();
    view.waiters[0].store(dead.bits | notified);
    view.state->used.store(1);
    REQUIRE_OK(shm::lock_acquire(*lock.view().state, *lock.view().waiting, for_ms(0)));
    CHECK_OK(shm::condition_wait(view, lock.view(), for_ms(test::generous), {}));
    CHECK(view.waiters[0].load() == 0);
    CHECK(view.waiters[1].load() == 0);
    CHECK_STATUS(shm::condition_wait(view, lock.view(), for_ms(60), {}), KITH_E_TIMEOUT);
    CHECK_OK(shm::lock_release(*lock.view().state, *lock.view().waiting));
  }
}

TEST_CASE_FIXTURE(test::nothing_leaks,
                  "a party that does not exist breaks the barrier, in its round and the next") {
  for (const identity& dead : invented) {
    for (const uint64_t arrived : {uint64_t{1}, uint64_t{2}}) {
      lone_segment made(shm::segment_kind::barrier, 3 * sizeof(shm::barrier_seat));
      const shm::barrier_view view{made.state<shm::barrier_state>(),
                                   reinterpret_cast<shm::barrier_seat*>(made.segment.data), 3,
                                   &made.segment.waiting};
      view.state->phase.store(uint64_t{1} << 16);  // the second round
      view.seats[1].process.store(dead.bits);
      view.seats[1].arrived.store(arrived);
      uint32_t place = 77;
      CHECK_STATUS(shm::barrier_wait(view, for_ms(test::generous), place), KITH_E_BROKEN);
      CHECK(shm::barrier_is_broken(view));
    }
  }
}

TEST_CASE_FIXTURE(test::nothing_leaks, "a recursive lock counts to 2^32 and no further") {
  lone_lock lock;
  shm::lock_state& state = *lock.view().state;
  state.options.store(shm::lock_recursive);
  REQUIRE_OK(shm::lock_acquire(state, *lock.view().waiting, for_ms(0)));
  state.depth.store(UINT32_MAX - 1);
  CHECK_OK(shm::lock_acquire(state, *lock.view().waiting, for_ms(0)));
  CHECK_STATUS(shm::lock_acquire(state, *lock.view().waiting, for_ms(0)), KITH_E_LIMIT);
  CHECK(state.depth.load() == UINT32_MAX);
  state.depth.store(0);
  CHECK_OK(shm::lock_release(state, *lock.view().waiting));
}

TEST_CASE("the next user of an object does not count the threads of a killed one") {
  const auto card = std::make_unique<shm::name_card>();
  for (uint32_t i = 0; i < shm::name_card_users; ++i) {
    card->users[i].store(invented[0].bits);
    card->sleepers[i].store(5);
  }
  card->ready.store(shm::name_card_ready);
  card->name_size.store(1);
  shm::named_part part;
  REQUIRE_OK(shm::name_card_join(*card, shm::segment_kind::lock, true, part));
  REQUIRE(part.seat < shm::name_card_users);
  CHECK(card->users[part.seat].load() == platform::self().bits);
  CHECK(card->sleepers[part.seat].load() == 0);

  wait_area area;
  area.card = card.get();
  area.seat = part.seat;
  shm::counted_sleeper sleeper;
  sleeper.begin(area);
  sleeper.begin(area);
  CHECK(card->sleepers[part.seat].load() == 1);
  sleeper.end();
  CHECK(card->sleepers[part.seat].load() == 0);

  area.seat = part.seat == 0 ? 1 : 0;  // as of a forked child: it is another process's
  sleeper.begin(area);
  CHECK(card->sleepers[area.seat].load() == 5);
  shm::name_card_leave(part);
}
