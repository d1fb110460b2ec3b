// SPDX-License-Identifier: MIT
#include "shared_bias.h"

namespace kith::shm {

namespace {

constexpr uint64_t most_turns_needed = 32'768;
constexpr int yields_before_sleep = 64;

uint64_t relaxed(const std::atomic<uint64_t>& word) { return word.load(std::memory_order_relaxed); }
void set(std::atomic<uint64_t>& word, uint64_t value) { word.store(value, std::memory_order_relaxed); }

// Inside one copies a message, no more; but a process may be stopped there. Nobody wakes us: each slice of the sleep looks for itself.
kith_status await_departure(const bias_desk& desk, wait_area& area, const patience& limits) {
  const auto is_inside = [&] { return desk.inside.load(std::memory_order_acquire) != 0; };
  for (int i = 0; i < yields_before_sleep && is_inside(); ++i) platform::yield_cpu();
  waiter waiting(limits);
  const identity who{relaxed(desk.process)};
  while (is_inside()) {
    if (platform::alive(who) == liveness::dead) return KITH_OK;
    const uint64_t now = platform::clock_now();
    if (const kith_status stop = waiting.must_stop(now); stop != KITH_OK) return stop;
    waiting.sleep(area, desk.inside, 1, {who}, now);
  }
  return KITH_OK;
}

}  // namespace

void bias_threads::await_nobody_inside() const {
  for (const std::atomic<uint32_t>& each : inside) {
    while (each.load(std::memory_order_acquire) != 0) platform::yield_cpu();
  }
}

kith_status shared_bias::dismiss(wait_area& area, const patience& limits) const {
  const uint64_t favourite = relaxed(state_.favourite);
  if (favourite == 0) return KITH_OK;
  if (favourite > bias_desks) {
    have_none();
    return KITH_OK;
  }
  const bias_desk& desk = state_.desks[favourite - 1];
  if (is_mine(desk)) return KITH_OK;
  have_none();
  platform::heavy_fence();  // pairs with the light one in enter
  const kith_status status = await_departure(desk, area, limits);
  if (status != KITH_OK) {
    set(state_.favourite, favourite);
    return status;
  }
  const uint64_t needed = relaxed(state_.turns_needed);
  set(state_.turns_needed, needed >= most_turns_needed ? most_turns_needed : (needed + 1) * 8);
  set(state_.turns, 0);
  return KITH_OK;
}

// With the real lock held. no_desk: threads of living processes have all, and this one is never the favourite.
uint32_t shared_bias::desk_of_this_thread() const {
  for (uint32_t i = 0; i < bias_desks; ++i) {
    if (is_mine(state_.desks[i])) return i;
  }
  const identity self = platform::self();
  for (uint32_t i = 0; i < bias_desks; ++i) {
    bias_desk& desk = state_.desks[i];
    const identity owner{relaxed(desk.process)};
    if (!owner.nobody() && platform::alive(owner) != liveness::dead) continue;
    // In this order: who is killed in between leaves a desk that is its own, or a dead one's.
    set(desk.process, 0);
    set(desk.thread, thread_token(self));
    set(desk.inside, 0);
    desk.process.store(self.bits, std::memory_order_release);
    return i;
  }
  return no_desk;
}

void shared_bias::end_turn() const {
  const uint64_t favourite = relaxed(state_.favourite);
  if (favourite != 0) return;
  const uint64_t me = thread_token(platform::self());
  const uint64_t turns = me == relaxed(state_.last) ? relaxed(state_.turns) + 1 : 1;
  set(state_.last, me);
  set(state_.turns, turns);
  if (turns <= relaxed(state_.turns_needed)) return;
  const uint32_t desk = desk_of_this_thread();
  if (desk != no_desk) set(state_.favourite, desk + 1);
}

}  // namespace kith::shm
