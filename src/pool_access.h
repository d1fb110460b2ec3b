// SPDX-License-Identifier: MIT
// What the calls on a pool have in common: its mutex, and how they wait.
#pragma once

#include "pool.h"

namespace kith {

// So often, while calls find what they want without waiting, somebody looks whether all workers are there.
inline constexpr uint32_t calls_between_looks = 64;
inline constexpr uint64_t busy_look_interval_ns = 10 * ns_per_ms;

// The pool behind a handle, for the time of a call, with its mutex.
class pool_access {
 public:
  explicit pool_access(const kith_pool* handle) : pinned_(handle, object_kind::pool) {
    status_ = pinned_.status();
    if (status_ == KITH_OK && !(pinned_->owner == platform::self())) status_ = KITH_E_INVALID;
    if (status_ == KITH_OK) pool_lock(*pinned_);
  }
  ~pool_access() {
    if (status_ == KITH_OK) pool_unlock(*pinned_);
  }
  pool_access(const pool_access&) = delete;
  pool_access& operator=(const pool_access&) = delete;
  kith_status status() const { return status_; }
  pool_object& operator*() const { return *pinned_; }

 private:
  pinned<pool_object> pinned_;
  kith_status status_;
};

// What no call has done yet, and no worker can do by itself. `status` is passed through.
inline kith_status pool_tend(pool_object& pool, kith_status status) {
  if (++pool.calls % calls_between_looks != 0 && pool.looked_ns != 0) return status;
  if (pool.looked_ns == 0 || platform::clock_now() - pool.looked_ns >= busy_look_interval_ns)
    pool_look_after(pool);
  return status;
}

// One slice of sleep, unless `attempt` succeeds after all.
template <class Attempt>
kith_status pool_attempt_or_sleep(pool_object& pool, shm::waiter& waiting, Attempt& attempt, uint64_t now) {
  ++pool.sleepers;
  // Seq_cst, then a heavy fence, which pairs with the light one in shm::pool_tell: the worker sees that we sleep, or we see what it did.
  pool.bell->asleep.store(1);
  platform::heavy_fence();
  kith_status status = attempt();
  if (status == KITH_E_BUSY) {
    shm::watched deaths;
    deaths.one = pool_whom_to_watch(pool, deaths.others);
    pool_unlock(pool);
    waiting.sleep(*pool.bell_area, pool.bell->asleep, 1, deaths, now);
    pool_lock(pool);
    if (waiting.should_look_around()) pool_look_after(pool);
  }
  --pool.sleepers;
  return status;
}

// With the mutex. Tries until it succeeds or must stop; KITH_E_BUSY is "not now".
template <class Attempt>
kith_status pool_keep_trying(pool_object& pool, int64_t timeout_ms, Attempt attempt) {
  kith_status status = attempt();
  if (status != KITH_E_BUSY) return pool_tend(pool, status);
  const call_patience limits(timeout_ms, pool, &pool.spin);
  pool_unlock(pool);
  const auto is_there = [&] {
    pool_lock(pool);
    if (status == KITH_E_BUSY) status = attempt();
    pool_unlock(pool);
    return status != KITH_E_BUSY;
  };
  (void)limits.spin_for(is_there);
  pool_lock(pool);
  shm::waiter waiting(limits);
  while (status == KITH_E_BUSY) {
    const uint64_t now = platform::clock_now();
    if (pool_wants_look(pool, now)) pool_look_after(pool);
    status = attempt();
    if (status != KITH_E_BUSY) break;
    status = waiting.must_stop(now);
    if (status != KITH_OK) break;
    status = pool_attempt_or_sleep(pool, waiting, attempt, now);
  }
  return pool_tend(pool, status);
}

}  // namespace kith
