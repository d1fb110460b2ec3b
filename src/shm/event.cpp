// SPDX-License-Identifier: MIT
#include "event.h"

namespace kith::shm {

namespace {

constexpr uint64_t waiters_bit = 2;
constexpr uint64_t once = 4;  // one set more

bool resets_itself(const event_state& event) { return event.auto_reset.load(std::memory_order_relaxed) != 0; }

uint64_t times_set(uint64_t word) { return word / once; }

// One call that waits.
class contender {
 public:
  contender(event_state& event, wait_area& area, const patience& limits)
      : event_(event), area_(area), limits_(limits), waiting_(limits) {}

  kith_status wait();

 private:
  bool take(uint64_t& word);
  bool announce(uint64_t& word);
  kith_status leave(kith_status verdict);

  event_state& event_;
  wait_area& area_;
  const patience& limits_;
  waiter waiting_;
  bool announced_ = false;
};

// An event that resets itself: whoever clears the bit has the signal. A set takes the flag of the sleepers down and wakes one: who
// slept puts it up again for the others.
bool contender::take(uint64_t& word) {
  while ((word & event_set_bit) != 0) {
    const uint64_t taken = (word & ~event_set_bit) | (announced_ ? waiters_bit : 0);
    if (event_.word.compare_exchange_weak(word, taken, std::memory_order_acquire, std::memory_order_acquire))
      return true;
  }
  return false;
}

// False: the word has changed, look again.
bool contender::announce(uint64_t& word) {
  announced_ = true;
  if ((word & waiters_bit) != 0) return true;
  const uint64_t announced = word | waiters_bit;
  // Acquire on failure: the word as it is then may be one that lets us go.
  if (!event_.word.compare_exchange_strong(word, announced, std::memory_order_acquire,
                                           std::memory_order_acquire))
    return false;
  word = announced;
  return true;
}

// One that goes without may have been the one that was woken: the next one gets it.
kith_status contender::leave(kith_status verdict) {
  if (announced_ && resets_itself(event_)) {
    const uint64_t word = event_.word.fetch_or(waiters_bit, std::memory_order_relaxed);
    if ((word & event_set_bit) != 0) platform::wake(area_, event_.word, 1);
  }
  return verdict;
}

// The loads are acquires, with the release of the set that they see.
kith_status contender::wait() {
  const bool clears = resets_itself(event_);
  uint64_t word = event_.word.load(std::memory_order_acquire);
  const uint64_t times_at_first = times_set(word);
  const auto has_it = [&] {
    return clears ? take(word) : (word & event_set_bit) != 0 || times_set(word) != times_at_first;
  };
  const auto look_again = [&] {
    word = event_.word.load(std::memory_order_acquire);
    return has_it();
  };
  if (has_it() || limits_.spin_for(look_again)) return KITH_OK;
  for (;;) {
    if (has_it()) return KITH_OK;
    const uint64_t now = platform::clock_now();
    const kith_status stop = waiting_.must_stop(now);
    if (stop != KITH_OK) return leave(stop);
    if (!announce(word)) continue;
    waiting_.sleep(area_, event_.word, word, {}, now);
    word = event_.word.load(std::memory_order_acquire);
  }
}

}  // namespace

void event_set(event_state& event, wait_area& area, const platform::bells* bells) {
  uint64_t word = event.word.load(std::memory_order_relaxed);
  for (;;) {
    const bool was_set = (word & event_set_bit) != 0;
    // One that is set already is written all the same: whoever takes it must see what we did before.
    const uint64_t next = was_set ? word : ((word | event_set_bit) & ~waiters_bit) + once;
    if (!event.word.compare_exchange_weak(word, next, std::memory_order_release, std::memory_order_relaxed))
      continue;
    if (!was_set && (word & waiters_bit) != 0)
      platform::wake(area, event.word, resets_itself(event) ? 1 : UINT32_MAX);
    return tell_pollers(event.pollers, bells);
  }
}

void event_clear(event_state& event) {
  // Acquire and release: what came before the set that we undo comes before the next one.
  event.word.fetch_and(~event_set_bit, std::memory_order_acq_rel);
}

bool event_is_set(const event_state& event) {
  return (event.word.load(std::memory_order_acquire) & event_set_bit) != 0;
}

kith_status event_wait(event_state& event, wait_area& area, const patience& limits) {
  return contender(event, area, limits).wait();
}

}  // namespace kith::shm
