// SPDX-License-Identifier: MIT
// One thread can wait for 64 handles. For more than some of these the threads of the system's pool wait, and set an event of ours.
// Sockets are no such handles, and turning them into ones would change the user's: they are looked at every few milliseconds.
#include <winsock2.h>

#include "win32_error.h"

namespace kith::platform {
namespace {

constexpr size_t most_at_once = 60;
constexpr uint64_t socket_slice_ns = 10 * ns_per_ms;

bool is_handle(const wait_slot& slot) { return slot.is_used && slot.what == wait_for::handle; }

// Also resets an event that resets itself: what was seen once counts.
kith_status look_at_handle(wait_slot& slot) {
  switch (WaitForSingleObject(reinterpret_cast<HANDLE>(slot.handle), 0)) {
    case WAIT_OBJECT_0:
    case WAIT_ABANDONED: slot.ready.store(KITH_WAIT_READ, std::memory_order_relaxed); return KITH_OK;
    case WAIT_TIMEOUT: return KITH_E_TIMEOUT;
    default: (void)fail_with_last_error(); return KITH_E_MISMATCH;
  }
}

kith_status look_at_socket(wait_slot& slot) {
  WSAPOLLFD item{static_cast<SOCKET>(slot.handle), 0, 0};
  if ((slot.events & KITH_WAIT_READ) != 0) item.events |= POLLRDNORM;
  if ((slot.events & KITH_WAIT_WRITE) != 0) item.events |= POLLWRNORM;
  const int result = WSAPoll(&item, 1, 0);
  if (result < 0 || (item.revents & POLLNVAL) != 0) return KITH_E_MISMATCH;
  const bool over = (item.revents & (POLLERR | POLLHUP)) != 0;
  uint32_t ready = over ? slot.events : 0;
  if ((item.revents & POLLRDNORM) != 0) ready |= KITH_WAIT_READ;
  if ((item.revents & POLLWRNORM) != 0) ready |= KITH_WAIT_WRITE;
  slot.ready.store(ready, std::memory_order_relaxed);
  return ready != 0 ? KITH_OK : KITH_E_TIMEOUT;
}

// KITH_OK: at least one is ready.
kith_status look(wait_slot* slots, size_t count) {
  kith_status verdict = KITH_E_TIMEOUT;
  for (size_t i = 0; i < count; ++i) {
    wait_slot& slot = slots[i];
    if (!slot.is_used) continue;
    kith_status status = KITH_OK;
    if (slot.ready.load(std::memory_order_relaxed) == 0)
      status = is_handle(slot) ? look_at_handle(slot) : look_at_socket(slot);
    if (status == KITH_OK) verdict = KITH_OK;
    if (status == KITH_E_MISMATCH) return status;
  }
  return verdict;
}

// False: too many, or one of them twice, which Windows refuses.
bool wait_at_once(wait_slot* slots, size_t count, DWORD ms) {
  HANDLE handles[most_at_once];
  size_t from[most_at_once];
  DWORD used = 0;
  for (size_t i = 0; i < count; ++i) {
    if (!is_handle(slots[i])) continue;
    if (used == most_at_once) return false;
    from[used] = i;
    handles[used++] = reinterpret_cast<HANDLE>(slots[i].handle);
  }
  if (used == 0) {
    Sleep(ms);
    return true;
  }
  const DWORD result = WaitForMultipleObjects(used, handles, FALSE, ms);
  if (result == WAIT_FAILED) return false;
  const DWORD first = result >= WAIT_ABANDONED_0 ? WAIT_ABANDONED_0 : WAIT_OBJECT_0;
  if (result != WAIT_TIMEOUT && result - first < used)
    slots[from[result - first]].ready.store(KITH_WAIT_READ, std::memory_order_relaxed);
  return true;
}

// Called once for a slot, by a thread of the pool.
void CALLBACK note_ready(void* context, BOOLEAN) {
  wait_slot& slot = *static_cast<wait_slot*>(context);
  slot.ready.store(KITH_WAIT_READ, std::memory_order_relaxed);
  SetEvent(slot.told);
}

// The end of each wait in the pool: no thread looks at the slots any more. What was seen meanwhile stays noted, as an event that resets
// itself would have been reset for nothing.
void end_all(wait_slot* slots, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    if (slots[i].wait != nullptr) (void)UnregisterWaitEx(slots[i].wait, INVALID_HANDLE_VALUE);
    slots[i].wait = nullptr;
  }
}

kith_status wait_in_pool(wait_slot* slots, size_t count, DWORD ms) {
  const native_handle told(CreateEventW(nullptr, TRUE, FALSE, nullptr));
  if (!told.valid()) return fail_with_last_error();
  kith_status status = KITH_OK;
  for (size_t i = 0; i < count && status == KITH_OK; ++i) {
    if (!is_handle(slots[i])) continue;
    slots[i].told = told.get();
    if (!RegisterWaitForSingleObject(&slots[i].wait, reinterpret_cast<HANDLE>(slots[i].handle), note_ready,
                                     &slots[i], INFINITE, WT_EXECUTEINWAITTHREAD | WT_EXECUTEONLYONCE)) {
      slots[i].wait = nullptr;
      status = fail_with_last_error();
    }
  }
  if (status == KITH_OK && WaitForSingleObject(told.get(), ms) == WAIT_FAILED)
    status = fail_with_last_error();
  end_all(slots, count);
  return status;
}

bool has_sockets(const wait_slot* slots, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    if (slots[i].is_used && slots[i].what == wait_for::socket) return true;
  }
  return false;
}

}  // namespace

kith_status wait_slot_set(wait_slot& slot, wait_for what, int64_t handle, uint32_t events) {
  // -1 is what failed calls give, and at the same time this process.
  const bool is_none = handle == 0 || handle == -1;
  if (what == wait_for::handle && (is_none || (events & KITH_WAIT_WRITE) != 0)) return KITH_E_MISMATCH;
  slot.is_used = true;
  slot.what = what;
  slot.handle = static_cast<intptr_t>(handle);
  slot.events = events;
  return KITH_OK;
}

void wait_slot_leave_out(wait_slot& slot) { slot.is_used = false; }

uint32_t wait_slot_ready(const wait_slot& slot) {
  return slot.is_used ? slot.ready.load(std::memory_order_relaxed) : 0;
}

kith_status wait_many(wait_slot* slots, size_t count, deadline until) {
  for (size_t i = 0; i < count; ++i) slots[i].ready.store(0, std::memory_order_relaxed);
  const bool sockets = has_sockets(slots, count);
  for (;;) {
    if (const kith_status status = look(slots, count); status != KITH_E_TIMEOUT) return status;
    const uint64_t now = clock_now();
    if (passed(until, now)) return KITH_E_TIMEOUT;
    const deadline slice = sockets ? earlier(until, deadline_after(now, socket_slice_ns)) : until;
    const DWORD ms = static_cast<DWORD>(remaining_ms(slice, now));
    if (wait_at_once(slots, count, ms)) continue;
    if (const kith_status status = wait_in_pool(slots, count, ms); status != KITH_OK) return status;
  }
}

}  // namespace kith::platform
