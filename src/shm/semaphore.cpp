// SPDX-License-Identifier: MIT
// Who finds no permit raises `waiters` and looks again, then sleeps; who releases one frees it and looks at `waiters` then. All four
// accesses are seq_cst, so one of the two sees the other. Sleepers sleep on `waiters` itself: one who releases may be slow to take it
// down, and a sleeper that has just raised it again must then not sleep.
#include "semaphore.h"

namespace kith::shm {

namespace {

constexpr uint32_t most_probes = 64;  // of holders, after one slice: each is some system calls

// ---- permits that name their owners --------------------------------------------------------------------------------------------

uint32_t start_of(const semaphore_view& self) {
  // Relaxed: any place will do.
  return self.hint->load(std::memory_order_relaxed) % self.permit_count;
}

// Acquire, with the release of the one who had this permit before; see take() in lock_word.cpp for the dead.
bool take_permit(const semaphore_view& self, uint32_t index, uint64_t held_by) {
  const bool taken = self.permits[index].compare_exchange_strong(held_by, platform::self().bits);
  if (taken) self.hint->store(index, std::memory_order_relaxed);
  return taken;
}

kith_status take_free(const semaphore_view& self) {
  const uint32_t start = start_of(self);
  for (uint32_t i = 0; i < self.permit_count; ++i) {
    const uint32_t index = (start + i) % self.permit_count;
    if (self.permits[index].load() == 0 && take_permit(self, index, 0)) return KITH_OK;
  }
  return KITH_E_BUSY;
}

// Looks whether holders live, from another place on each time.
kith_status take_from_the_dead(const semaphore_view& self, uint32_t& next) {
  const uint64_t me = platform::self().bits;
  uint64_t known_alive = me;
  uint32_t probes = 0;
  for (uint32_t i = 0; i < self.permit_count && probes < most_probes; ++i) {
    const uint32_t index = next % self.permit_count;
    const uint64_t holder =
        self.permits[index].load(std::memory_order_relaxed);  // a hint for the compare-and-swap
    if (holder != 0 && holder != me && holder != known_alive) {
      ++probes;
      if (platform::alive(identity{holder}) == liveness::dead) {
        if (take_permit(self, index, holder)) return KITH_OWNER_DIED;
      } else {
        known_alive = holder;
      }
    }
    next = index + 1;
  }
  return KITH_E_BUSY;
}

kith_status release_permit(const semaphore_view& self) {
  const uint64_t me = platform::self().bits;
  const uint32_t start = start_of(self);
  for (uint32_t i = 0; i < self.permit_count; ++i) {
    const uint32_t index = (start + i) % self.permit_count;
    uint64_t holder = me;
    // Another thread of ours may release at the same time: each takes another permit.
    if (self.permits[index].load(std::memory_order_relaxed) == me &&
        self.permits[index].compare_exchange_strong(holder, 0)) {
      self.hint->store(index, std::memory_order_relaxed);
      return KITH_OK;
    }
  }
  return KITH_E_NOT_OWNER;
}

// ---- a count -----------------------------------------------------------------------------------------------------------------------

kith_status take_one(semaphore_state& state) {
  uint64_t count = state.count.load();
  while (count != 0) {
    if (state.count.compare_exchange_weak(count, count - 1)) return KITH_OK;
  }
  return KITH_E_BUSY;
}

kith_status add_one(semaphore_state& state) {
  const uint64_t maximum = state.maximum.load(std::memory_order_relaxed);
  uint64_t count = state.count.load(std::memory_order_relaxed);
  do {
    if (count >= maximum) return KITH_E_LIMIT;
  } while (!state.count.compare_exchange_weak(count, count + 1));
  return KITH_OK;
}

// ---- both ----------------------------------------------------------------------------------------------------------------------------

bool has_owners(const semaphore_view& self) { return self.permits != nullptr; }

void wake_one(const semaphore_view& self) {
  self.state->waiters.store(0);
  platform::wake(*self.waiting, self.state->waiters, 1);
}

// One call that waits.
class contender {
 public:
  contender(const semaphore_view& self, const patience& limits)
      : self_(self), limits_(limits), waiting_(limits) {}

  kith_status acquire();

 private:
  kith_status try_once(bool look_around);
  void sleep(uint64_t now);
  kith_status leave(kith_status verdict);
  watched holders();

  const semaphore_view& self_;
  const patience& limits_;
  waiter waiting_;
  bool announced_ = false;
  uint32_t next_probe_ = 0;
  uint32_t next_watch_ = 0;
};

kith_status contender::try_once(bool look_around) {
  if (!has_owners(self_)) return take_one(*self_.state);
  const kith_status status = take_free(self_);
  return status == KITH_E_BUSY && look_around ? take_from_the_dead(self_, next_probe_) : status;
}

// A release takes the flag down and wakes one sleeper, and the next release may then find nobody to wake. So whoever slept puts the
// flag up again for the others, and wakes the next one when there is more to be had.
kith_status contender::leave(kith_status verdict) {
  if (!announced_) return verdict;
  waiting_.sleep_no_more();
  self_.state->waiters.store(1);
  if (semaphore_available(self_) != 0) wake_one(self_);
  return verdict;
}

// The processes whose death would give us a permit.
watched contender::holders() {
  if (!has_owners(self_)) return {};
  const identity one{self_.permits[next_watch_++ % self_.permit_count].load(std::memory_order_relaxed)};
  return {one == platform::self() ? identity{} : one, self_.permit_count > 1};
}

void contender::sleep(uint64_t now) {
  self_.state->waiters.store(1);
  announced_ = true;
  if (semaphore_available(self_) != 0) return;
  waiting_.sleep(*self_.waiting, self_.state->waiters, 1, holders(), now);
}

kith_status contender::acquire() {
  uint64_t now = platform::clock_now();
  bool look_around = passed(limits_.until, now) && waiting_.should_look_around_when_polling(now);
  for (;;) {
    const kith_status status = try_once(look_around);
    if (status != KITH_E_BUSY) return leave(status);
    const kith_status stop = waiting_.must_stop(now);
    if (stop != KITH_OK) return leave(stop);
    sleep(now);
    now = platform::clock_now();
    look_around = waiting_.should_look_around();
  }
}

}  // namespace

kith_status semaphore_acquire(const semaphore_view& self, const patience& limits) {
  const auto take = [&] { return (has_owners(self) ? take_free(self) : take_one(*self.state)) == KITH_OK; };
  if (take() || limits.spin_for(take)) return KITH_OK;
  return contender(self, limits).acquire();
}

kith_status semaphore_release(const semaphore_view& self) {
  const kith_status status = has_owners(self) ? release_permit(self) : add_one(*self.state);
  if (status == KITH_OK && self.state->waiters.load() != 0) wake_one(self);
  return status;
}

uint32_t semaphore_available(const semaphore_view& self) {
  if (!has_owners(self)) return static_cast<uint32_t>(self.state->count.load());
  uint32_t free = 0;
  for (uint32_t i = 0; i < self.permit_count; ++i) free += self.permits[i].load() == 0 ? 1u : 0u;
  return free;
}

}  // namespace kith::shm
