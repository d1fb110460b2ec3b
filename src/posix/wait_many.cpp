// SPDX-License-Identifier: MIT
#include <climits>

#include "posix_internal.h"

namespace kith::platform {

kith_status wait_slot_set(wait_slot& slot, wait_for, int64_t handle, uint32_t events) {
  if (handle < 0 || handle > INT_MAX) return KITH_E_MISMATCH;
  slot.item = {static_cast<int>(handle), 0, 0};
  if ((events & KITH_WAIT_READ) != 0) slot.item.events |= POLLIN;
  if ((events & KITH_WAIT_WRITE) != 0) slot.item.events |= POLLOUT;
  return KITH_OK;
}

void wait_slot_leave_out(wait_slot& slot) { slot.item.fd = -1; }  // poll() passes over these

// An error, or the end of the other side, lets no call wait any longer: it is what was waited for, whatever that was.
uint32_t wait_slot_ready(const wait_slot& slot) {
  const int seen = slot.item.revents;
  const bool over = (seen & (POLLERR | POLLHUP)) != 0;
  uint32_t ready = 0;
  if ((slot.item.events & POLLIN) != 0 && (over || (seen & POLLIN) != 0)) ready |= KITH_WAIT_READ;
  if ((slot.item.events & POLLOUT) != 0 && (over || (seen & POLLOUT) != 0)) ready |= KITH_WAIT_WRITE;
  return ready;
}

// A wait_slot is a pollfd, and nothing else.
static_assert(sizeof(wait_slot) == sizeof(pollfd));

kith_status wait_many(wait_slot* slots, size_t count, deadline until) {
  for (size_t i = 0; i < count; ++i) slots[i].item.revents = 0;
  for (;;) {
    const uint64_t now = clock_now();
    const int result = poll(&slots->item, static_cast<nfds_t>(count), remaining_ms(until, now));
    if (result == -1 && errno == EINTR) return KITH_E_INTERRUPTED;
    if (result == -1)
      return errno == EINVAL ? KITH_E_LIMIT : fail(errno);  // more than descriptors are allowed
    if (result > 0) break;
    if (passed(until, clock_now())) return KITH_E_TIMEOUT;
  }
  for (size_t i = 0; i < count; ++i) {
    if ((slots[i].item.revents & POLLNVAL) != 0) return KITH_E_MISMATCH;
  }
  return KITH_OK;
}

}  // namespace kith::platform
