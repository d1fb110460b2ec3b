// SPDX-License-Identifier: MIT
#include "patience.h"

namespace kith::shm {

namespace {

constexpr uint64_t probe_interval_ns = ns_per_ms;

}  // namespace

// ---- cancel ------------------------------------------------------------------------------------------------------------------

// Held for a few instructions, or while sleepers are being woken. Never taken in a signal handler, which could have interrupted its holder.
void cancellation::lock() {
  while (list_is_locked_.exchange(true, std::memory_order_acquire)) platform::yield_cpu();
}

// Seq_cst: a sleeper is on the list before it looks at `fired`; we raise `fired` before we look for the list. Where the list is
// locked, its holder may be the very thread that this handler interrupted: the sleepers then find out when their slices end.
void cancellation::fire() {
  fired_.store(true, std::memory_order_seq_cst);
  // Seq_cst, with the store in make_bell: who waits on the bell has made it before it looks at `fired`.
  if (has_bell_.load(std::memory_order_seq_cst)) platform::bell_ring(bell_, 0);
  if (list_is_locked_.exchange(true, std::memory_order_seq_cst)) return;
  for (const sleeper* each = first_; each != nullptr; each = each->next)
    platform::wake(*each->area, *each->word, UINT32_MAX);
  unlock();
}

// In this order: a fire that comes between has its ring silenced, which costs its sleepers a slice; in the other one the bell
// would ring on for nothing.
void cancellation::reset() {
  fired_.store(false, std::memory_order_seq_cst);
  if (has_bell_.load(std::memory_order_seq_cst)) quiet_bell();
}

kith_status cancellation::make_bell() {
  if (has_bell_.load(std::memory_order_relaxed)) return KITH_OK;
  if (const kith_status status = platform::bells_create(1, bell_); status != KITH_OK) return status;
  has_bell_.store(true, std::memory_order_seq_cst);  // pairs with the load in fire
  return KITH_OK;
}

void cancellation::forget_bell() {
  has_bell_.store(false, std::memory_order_relaxed);
  bell_ = {};
}

void cancellation::add(sleeper& who) {
  lock();
  who.previous = nullptr;
  who.next = first_;
  if (first_ != nullptr) first_->previous = &who;
  first_ = &who;
  unlock();
}

void cancellation::remove(sleeper& who) {
  lock();
  (who.previous == nullptr ? first_ : who.previous->next) = who.next;
  if (who.next != nullptr) who.next->previous = who.previous;
  unlock();
}

// ---- waiting -------------------------------------------------------------------------------------------------------------------

kith_status waiter::must_stop(uint64_t now) const {
  // Seq_cst, with the store in handle_close: see object.h.
  if (limits_.closed != nullptr && limits_.closed->load(std::memory_order_seq_cst)) return KITH_E_CLOSED;
  if (limits_.cancel != nullptr && limits_.cancel->fired()) return KITH_E_CANCELLED;
  if (passed(limits_.until, now)) return KITH_E_TIMEOUT;
  return interrupted_ ? KITH_E_INTERRUPTED : KITH_OK;
}

void waiter::sleep(wait_area& area, const std::atomic<uint64_t>& word, uint64_t expected,
                   const watched& deaths, uint64_t now) {
  const deadline slice = earlier(deadline_after(now, slice_ns_), limits_.until);
  sleeper self{&area, &word, nullptr, nullptr};
  platform::wait_result result = platform::wait_result::look_again;
  counted_.begin(area);
  // Not at once: to begin to watch costs more than some short sleeps.
  memory_.peer = slept_ns_ > longest_slice_ns ? peer_ : nullptr;
  if (limits_.cancel != nullptr) limits_.cancel->add(self);
  if (limits_.cancel == nullptr || !limits_.cancel->fired())
    result = platform::wait(area, word, expected, slice, deaths.one, memory_);
  if (limits_.cancel != nullptr) limits_.cancel->remove(self);
  interrupted_ = limits_.interruptible && result == platform::wait_result::interrupted;
  const bool is_told = !deaths.one.nobody() && memory_.watches && !deaths.others;
  look_around_ = result == platform::wait_result::watched_died ||
                 (result == platform::wait_result::timed_out && !is_told);
  const bool must_look = deaths.others || (!deaths.one.nobody() && !is_told);
  slept_ns_ += slice_ns_;
  uint64_t longest = slept_ns_ < longest_late_slice_ns ? longest_slice_ns : longest_late_slice_ns;
  if (memory_.watches_peer) longest = longest_told_slice_ns;
  if (must_look) longest = longest_looking_slice_ns;
  slice_ns_ = slice_ns_ >= longest / growth_of_slices ? longest : slice_ns_ * growth_of_slices;
}

bool waiter::should_look_around_when_polling(uint64_t now) const {
  if (limits_.last_probe_ns == nullptr) return true;
  // Relaxed: nothing but the rate of probes depends on it.
  const uint64_t last = limits_.last_probe_ns->load(std::memory_order_relaxed);
  if (last != 0 && now - last < probe_interval_ns) return false;
  limits_.last_probe_ns->store(now, std::memory_order_relaxed);
  return true;
}

}  // namespace kith::shm
