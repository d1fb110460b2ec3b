// SPDX-License-Identifier: MIT
// Sleeping on an address across processes on macOS. The calls are looked up when they are first needed,
// because they came one after the other, and so that one binary runs on all releases: os_sync_* (public,
// macOS 14.4), __ulock_wait2 (macOS 11) and __ulock_wait (private, but what libc++ and others build on).
// Where there are none: short naps. No header of macOS is needed, so the file also runs elsewhere, against
// stand-ins for those calls or with none.
#include <dlfcn.h>

#include "posix_internal.h"

namespace kith::platform {

namespace {

using sync_wait_call = int(void* address, uint64_t value, size_t size, uint32_t flags, uint32_t clock,
                           uint64_t timeout_ns);
using sync_wake_call = int(void* address, size_t size, uint32_t flags);
using ulock_wait_call = int(uint32_t operation, void* address, uint64_t value, uint32_t timeout_us);
using ulock_wait2_call = int(uint32_t operation, void* address, uint64_t value, uint64_t timeout_ns,
                             uint64_t value2);
using ulock_wake_call = int(uint32_t operation, void* address, uint64_t wake_value);

// os/os_sync_wait_on_address.h
constexpr uint32_t sync_shared = 1;
constexpr uint32_t clock_mach_absolute_time = 32;
// bsd/sys/ulock.h of xnu. A wake must use the operation that its sleepers used.
constexpr uint32_t ulock_compare_and_wait64_shared = 6;
constexpr uint32_t ulock_wake_all = 0x100;
constexpr uint32_t ulock_no_errno = 0x0100'0000;  // the result is 0 or more, or a negative errno

enum class method { unknown, sync, ulock2, ulock, naps };

struct kernel_calls {
  std::atomic<sync_wait_call*> sync_wait;
  std::atomic<sync_wake_call*> sync_wake_any;
  std::atomic<sync_wake_call*> sync_wake_all;
  std::atomic<ulock_wait_call*> ulock_wait;
  std::atomic<ulock_wait2_call*> ulock_wait2;
  std::atomic<ulock_wake_call*> ulock_wake;
  std::atomic<method> best;
};

constinit kernel_calls calls{};

template <class Call>
bool find_call(const char* name, std::atomic<Call*>& out) {
  Call* const found = reinterpret_cast<Call*>(dlsym(RTLD_DEFAULT, name));
  out.store(found, std::memory_order_relaxed);
  return found != nullptr;
}

// Waiting and waking must be of one kind, in all processes.
method find_calls() {
  const bool sync_wait = find_call("os_sync_wait_on_address_with_timeout", calls.sync_wait);
  const bool sync_wake_any = find_call("os_sync_wake_by_address_any", calls.sync_wake_any);
  const bool sync_wake_all = find_call("os_sync_wake_by_address_all", calls.sync_wake_all);
  if (sync_wait && sync_wake_any && sync_wake_all) return method::sync;
  if (!find_call("__ulock_wake", calls.ulock_wake)) return method::naps;
  if (find_call("__ulock_wait2", calls.ulock_wait2)) return method::ulock2;
  return find_call("__ulock_wait", calls.ulock_wait) ? method::ulock : method::naps;
}

// Threads that race here find the same.
method best_method() {
  method best =
      calls.best.load(std::memory_order_acquire);  // pairs with the release below: the calls are there
  if (best == method::unknown) {
    best = find_calls();
    calls.best.store(best, std::memory_order_release);
  }
  return best;
}

void* address_of(const std::atomic<uint64_t>& word) { return const_cast<std::atomic<uint64_t>*>(&word); }

// 0, or an errno. Timeouts are never 0, which means for ever (or is refused).
int sleep_by_sync(const std::atomic<uint64_t>& word, uint64_t expected, uint64_t ns) {
  sync_wait_call* const wait_on = calls.sync_wait.load(std::memory_order_relaxed);
  const int result =
      wait_on(address_of(word), expected, sizeof word, sync_shared, clock_mach_absolute_time, ns);
  return result >= 0 ? 0 : errno;
}

int sleep_by_ulock(method best, const std::atomic<uint64_t>& word, uint64_t expected, uint64_t ns) {
  constexpr uint32_t operation = ulock_compare_and_wait64_shared | ulock_no_errno;
  const int result =
      best == method::ulock2
          ? calls.ulock_wait2.load(std::memory_order_relaxed)(operation, address_of(word), expected, ns, 0)
          : calls.ulock_wait.load(std::memory_order_relaxed)(operation, address_of(word), expected,
                                                             static_cast<uint32_t>((ns + 999) / 1000));
  return result >= 0 ? 0 : -result;
}

wait_result sleep_by_naps(const std::atomic<uint64_t>& word, uint64_t expected, deadline until) {
  constexpr uint64_t longest = ns_per_ms;
  for (uint64_t length = 50'000;; length = length * 2 < longest ? length * 2 : longest) {
    // Acquire, with whatever release the waker changed the word by.
    if (word.load(std::memory_order_acquire) != expected) return wait_result::look_again;
    if (passed(until, clock_now())) return wait_result::timed_out;
    if (!nap(until, length)) return wait_result::interrupted;
  }
}

int wake_by_sync(const std::atomic<uint64_t>& word, bool all) {
  const auto& wake_call = all ? calls.sync_wake_all : calls.sync_wake_any;
  return wake_call.load(std::memory_order_relaxed)(address_of(word), sizeof word, sync_shared) >= 0 ? 0
                                                                                                    : errno;
}

int wake_by_ulock(const std::atomic<uint64_t>& word, bool all) {
  const uint32_t operation = ulock_compare_and_wait64_shared | ulock_no_errno | (all ? ulock_wake_all : 0);
  const int result = calls.ulock_wake.load(std::memory_order_relaxed)(operation, address_of(word), 0);
  return result >= 0 ? 0 : -result;
}

}  // namespace

uint32_t parking_slots_wanted() { return 0; }
kith_status wait_area_open(wait_area&) { return KITH_OK; }
void wait_area_close(wait_area&) {}

void long_sleep_end(long_sleep&) {}

wait_result wait(wait_area&, const std::atomic<uint64_t>& word, uint64_t expected, deadline until, identity,
                 long_sleep&) {
  const method best = best_method();
  if (best == method::naps) return sleep_by_naps(word, expected, until);
  constexpr uint64_t longest = 3'600'000 * ns_per_ms;  // the oldest call counts microseconds in 32 bits
  uint64_t ns = remaining_ns(until, clock_now());
  if (ns == 0) return wait_result::timed_out;
  if (ns > longest) ns = longest;
  const int error =
      best == method::sync ? sleep_by_sync(word, expected, ns) : sleep_by_ulock(best, word, expected, ns);
  switch (error) {
    case 0: return wait_result::look_again;
    case EINTR: return wait_result::interrupted;
    case ETIMEDOUT: return passed(until, clock_now()) ? wait_result::timed_out : wait_result::look_again;
    case EFAULT:  // The kernel compares without page faults: the caller's next look brings the page in.
      return wait_result::look_again;
    default:  // A kernel that does not know the operation.
      return sleep_by_naps(word, expected, until);
  }
}

// One, or all: there is nothing in between.
void wake(wait_area&, const std::atomic<uint64_t>& word, uint32_t count) {
  const method best = best_method();
  if (best == method::naps || count == 0) return;
  int error = EINTR;
  while (error == EINTR)
    error = best == method::sync ? wake_by_sync(word, count > 1) : wake_by_ulock(word, count > 1);
}

}  // namespace kith::platform
