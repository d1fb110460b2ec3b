// SPDX-License-Identifier: MIT
#include "pipe_wait.h"

#include "mutex.h"

namespace kith {

namespace {

constexpr uint64_t longest_slice_ns = 100 * ns_per_ms;  // what ends the wait early does not wake it
constexpr uint64_t looking_slice_ns = 5 * ns_per_ms;
constexpr uint32_t tries_without_nap = 64;  // the reader may be at it

}  // namespace

void pipe_wait::add_handle(int64_t handle) {
  (void)platform::wait_slot_set(slots_[count_++], platform::wait_for::handle, handle, KITH_WAIT_READ);
}

void pipe_wait::add(platform::pipe& pipe) {
  int64_t handle = 0;
  if (platform::pipe_poll_handle(pipe, handle) != KITH_OK) {
    tries_again_ = true;
    return;
  }
  const uint32_t event = pipe.use == platform::pipe_use::read ? KITH_WAIT_READ : KITH_WAIT_WRITE;
  (void)platform::wait_slot_set(slots_[count_++], platform::wait_for::handle, handle, event);
}

// The bell of the thread's kith_cancel behind the others. Without memory for one, the slice ends the wait.
size_t pipe_wait::hear_cancel(size_t count) {
  if (limits_.cancel == nullptr) return count;
  {
    const library_guard guard;
    if (limits_.cancel->make_bell() != KITH_OK) return count;
  }
  const platform::native_handle& bell = platform::bells_handle(limits_.cancel->bell(), 0);
  const int64_t handle = static_cast<int64_t>(platform::handle_number(bell));
  (void)platform::wait_slot_set(slots_[count], platform::wait_for::handle, handle, KITH_WAIT_READ);
  return count + 1;
}

uint64_t pipe_wait::slice_ns() {
  if (!tries_again_) return looks_often_ ? looking_slice_ns : longest_slice_ns;
  if (++futile_ > tries_without_nap) return ns_per_ms;
  platform::yield_cpu();
  return 0;
}

kith_status pipe_wait::sleep() {
  if (interrupted_) return KITH_E_INTERRUPTED;
  const uint64_t now = platform::clock_now();
  if (const kith_status stop = waiting_.must_stop(now); stop != KITH_OK) return stop;
  const size_t count = hear_cancel(count_);
  const deadline slice = earlier(deadline_after(now, slice_ns()), limits_.until);
  const kith_status status = platform::wait_many(slots_, count, slice);
  if (count != count_ && platform::wait_slot_ready(slots_[count_]) != 0 && !limits_.cancel->fired())
    limits_.cancel->quiet_bell();
  for (size_t i = 0; i < count; ++i) platform::wait_slot_leave_out(slots_[i]);
  count_ = 0;
  looks_often_ = tries_again_ = false;
  interrupted_ = status == KITH_E_INTERRUPTED && limits_.interruptible;
  return status == KITH_E_TIMEOUT || status == KITH_E_INTERRUPTED ? KITH_OK : status;
}

}  // namespace kith
