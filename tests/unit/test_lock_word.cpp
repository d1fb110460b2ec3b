// SPDX-License-Identifier: MIT
// The lock word with owners that a test invents.
#include "../support.h"
#include "shm/lock_word.h"
#include "shm/segment.h"

using namespace kith;

namespace {

struct lone_lock {
  shm::segment segment;

  lone_lock() { REQUIRE_OK(shm::segment_create({shm::segment_kind::lock}, segment)); }
  ~lone_lock() { shm::segment_close(segment); }

  shm::lock_state& state() { return *reinterpret_cast<shm::lock_state*>(segment.state); }

  kith_status acquire(int64_t timeout_ms) {
    return shm::lock_acquire(state(), segment.waiting, {deadline_in(platform::clock_now(), timeout_ms)});
  }
  kith_status release() { return shm::lock_release(state(), segment.waiting); }
};

constexpr uint32_t no_such_pid = 0x7FFF'FFF0;

}  // namespace

TEST_CASE_FIXTURE(test::nothing_leaks, "a lock is free when it is zero, and free again when it is released") {
  lone_lock lock;
  CHECK(lock.state().word.load() == 0);
  CHECK_OK(lock.acquire(0));
  CHECK((lock.state().word.load() & ~uint64_t{3}) == platform::self().bits);
  CHECK(shm::lock_held_by_me(lock.state()));
  CHECK_OK(lock.release());
  CHECK(lock.state().word.load() == 0);
  CHECK_FALSE(shm::lock_held_by_me(lock.state()));
}

TEST_CASE_FIXTURE(test::nothing_leaks, "an owner that does not exist has died") {
  lone_lock lock;
  lock.state().word.store(make_identity(no_such_pid, 1).bits);
  CHECK_STATUS(lock.acquire(0), KITH_OWNER_DIED);
  CHECK_OK(lock.release());
  CHECK_STATUS(lock.acquire(0), KITH_OWNER_DIED);
  CHECK_OK(shm::lock_mark_consistent(lock.state()));
  CHECK_OK(lock.release());
  CHECK(lock.state().word.load() == 0);
}

TEST_CASE_FIXTURE(test::nothing_leaks, "an owner whose pid is used again by another process has died") {
  lone_lock lock;
  // Our own pid, but not our start time.
  const identity former{platform::self().bits ^ (uint64_t{1} << 40)};
  lock.state().word.store(former.bits);
  CHECK_STATUS(lock.acquire(0), KITH_OWNER_DIED);
  CHECK_OK(lock.release());
}

TEST_CASE_FIXTURE(test::nothing_leaks, "what a dead waiter left behind costs at most a needless wake") {
  lone_lock lock;
  lock.state().waiters.store(1);
  CHECK_OK(lock.acquire(0));
  CHECK_OK(lock.release());
  CHECK_OK(lock.acquire(0));
  CHECK_OK(lock.release());
}

TEST_CASE_FIXTURE(test::nothing_leaks,
                  "a token of a thread that died with its process makes nobody the owner") {
  lone_lock lock;
  lock.state().word.store(make_identity(no_such_pid, 1).bits);
  lock.state().holder.store(0x1234'5679);
  CHECK_STATUS(lock.release(), KITH_E_NOT_OWNER);
  CHECK_STATUS(shm::lock_mark_consistent(lock.state()), KITH_E_NOT_OWNER);
  CHECK_STATUS(lock.acquire(0), KITH_OWNER_DIED);
  CHECK_OK(lock.release());
}
