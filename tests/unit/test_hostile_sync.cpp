// SPDX-License-Identifier: MIT
// A peer that has gone mad writes anything anywhere into the memory of a lock, semaphore, condition, event or barrier. We get a status for
// it in time, and nothing worse.
#include <atomic>

#include "../support.h"
#include "segment_object.h"
#include "shm/barrier.h"
#include "shm/condition.h"
#include "shm/event.h"
#include "shm/semaphore.h"

using namespace kith;

namespace {

// The memory behind a handle of this process.
struct insides {
  insides(const void* handle, object_kind kind) : pin(handle, kind) { REQUIRE_OK(pin.status()); }
  pinned<segment_object> pin;

  unsigned char* state() { return pin->shared->segment.state; }
  unsigned char* data() { return pin->shared->segment.data; }
  size_t data_size() { return pin->shared->segment.data_size; }
};

// As another process would do it: not atomically, at any time. Often zeroes, small numbers and all ones, which are the ones that mean
// something.
#if defined(__GNUC__)
__attribute__((no_sanitize("thread")))
#endif
void scribble(unsigned char* at, size_t size, uint64_t& seed) {
  for (size_t i = 0; i + sizeof(uint64_t) <= size; i += sizeof(uint64_t)) {
    const uint64_t chance = test::next_random(seed);
    uint64_t word = test::next_random(seed);
    if (chance % 4 == 0) word = 0;
    if (chance % 4 == 1) word %= 16;
    if (chance % 16 == 2) word = UINT64_MAX;
    *reinterpret_cast<volatile uint64_t*>(at + i) = word;
  }
}

constexpr int64_t short_while = 3;

bool is_an_answer(kith_status status) {
  switch (status) {
    case KITH_OK:
    case KITH_OWNER_DIED:
    case KITH_LAST:
    case KITH_E_TIMEOUT:
    case KITH_E_LIMIT:
    case KITH_E_NOT_OWNER:
    case KITH_E_DEADLOCK:
    case KITH_E_BROKEN: return true;
    default: return false;
  }
}

// Scribbles over an object before each use, then over and over while it is used.
template <class Use>
void use_while_scribbled(const void* handle, object_kind kind, size_t state_size, int rounds, Use use) {
  insides inside(handle, kind);
  uint64_t seed = 0x5EED;
  const auto scribble_all = [&](uint64_t& from) {
    scribble(inside.state(), state_size, from);
    scribble(inside.data(), inside.data_size() < 256 ? inside.data_size() : 256, from);
  };
  for (int i = 0; i < rounds; ++i) {
    scribble_all(seed);
    use();
  }
  std::atomic<bool> done{false};
  std::thread mad([&] {
    uint64_t own = 0xBAD;
    while (!done.load()) scribble_all(own);
  });
  for (int i = 0; i < rounds; ++i) use();
  done.store(true);
  mad.join();
}

}  // namespace

TEST_CASE("a lock whose memory goes mad answers in time") {
  const test::value value = test::make_value(KITH_I64);
  kith_lock* const lock = kith_value_lock(value);
  use_while_scribbled(value, object_kind::value, sizeof(shm::lock_state), 200, [&] {
    kith_owner owner;
    CHECK(is_an_answer(kith_lock_acquire(lock, short_while)));
    CHECK_OK(kith_lock_owner(lock, &owner));
    CHECK(is_an_answer(kith_lock_mark_consistent(lock)));
    CHECK(is_an_answer(kith_lock_release(lock)));
  });
}

TEST_CASE("a semaphore whose memory goes mad answers in time") {
  test::semaphore semaphore;
  REQUIRE_OK(kith_semaphore_create(5, nullptr, semaphore.out()));
  use_while_scribbled(semaphore, object_kind::semaphore, sizeof(shm::semaphore_state), 200, [&] {
    CHECK(is_an_answer(kith_semaphore_acquire(semaphore, short_while)));
    CHECK(is_an_answer(kith_semaphore_release(semaphore)));
    CHECK(kith_semaphore_available(semaphore) <= 5);
  });
}

TEST_CASE("a condition whose memory goes mad answers in time") {
  test::condition condition;
  REQUIRE_OK(kith_condition_create(nullptr, condition.out()));
  const test::lock lock = test::make_lock();
  REQUIRE_OK(kith_lock_acquire(lock, test::generous));
  use_while_scribbled(condition, object_kind::condition, sizeof(shm::condition_state), 200, [&] {
    CHECK(is_an_answer(kith_condition_wait(condition, lock, short_while)));
    CHECK_OK(kith_condition_notify(condition, 2));
  });
  CHECK_OK(kith_lock_release(lock));
}

TEST_CASE("an event whose memory goes mad answers in time") {
  test::event event;
  REQUIRE_OK(kith_event_create(nullptr, event.out()));
  use_while_scribbled(event, object_kind::event, sizeof(shm::event_state), 200, [&] {
    CHECK(is_an_answer(kith_event_wait(event, short_while)));
    CHECK_OK(kith_event_set(event));
    CHECK_OK(kith_event_clear(event));
    (void)kith_event_is_set(event);
  });
}

TEST_CASE("a barrier whose memory goes mad answers in time") {
  test::barrier barrier;
  REQUIRE_OK(kith_barrier_create(4, nullptr, barrier.out()));
  use_while_scribbled(barrier, object_kind::barrier, sizeof(shm::barrier_state), 20, [&] {
    uint32_t place = 0;
    CHECK(is_an_answer(kith_barrier_wait(barrier, short_while, &place)));
    CHECK(place < 4);
    (void)kith_barrier_waiting(barrier);
    CHECK_OK(kith_barrier_abort(barrier));
    CHECK_OK(kith_barrier_reset(barrier));
  });
}
