// SPDX-License-Identifier: MIT
// Stands in for the calls by which macOS sleeps on an address, on top of the futex, so that src/posix/wait_darwin.cpp runs on
// Linux. What each call takes and answers is from Apple's os_sync_wait_on_address.h and from xnu's bsd/kern/sys_ulock.c; whatever
// wait_darwin.cpp should never pass is refused, as the kernel would. One program has the calls of one generation of macOS:
// KITH_SHIM_SYNC (14.4), KITH_SHIM_ULOCK2 (11) or KITH_SHIM_ULOCK (before).
#include <doctest/doctest.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdint>
#include <ctime>
#include <thread>

#include "support.h"

namespace {

std::atomic<int> waits{0};
std::atomic<int> wakes{0};

// The low half of the word, on which the futex sleeps; the shim runs on little-endian machines only.
// 0, or a negative errno.
int sleep_on(void* address, uint64_t value, uint64_t timeout_ns, bool has_timeout) {
  // Now and then what the kernel of macOS answers for a reason of its own: the page is not in memory, a signal came.
  const int count = ++waits;
  if (count % 17 == 0) return -EFAULT;
  if (count % 11 == 0) return -EINTR;
  if (static_cast<std::atomic<uint64_t>*>(address)->load() != value) return 0;
  const timespec timeout{static_cast<time_t>(timeout_ns / 1'000'000'000),
                         static_cast<long>(timeout_ns % 1'000'000'000)};
  const long result = syscall(SYS_futex, address, FUTEX_WAIT, static_cast<uint32_t>(value),
                              has_timeout ? &timeout : nullptr, nullptr, 0);
  return result == 0 || errno == EAGAIN ? 0 : -errno;
}

// 0, or a negative errno: nobody sleeps there.
int wake_at(void* address, bool all) {
  ++wakes;
  return syscall(SYS_futex, address, FUTEX_WAKE, all ? INT_MAX : 1, nullptr, nullptr, 0) > 0 ? 0 : -ENOENT;
}

[[maybe_unused]] int with_errno(int result) {
  if (result >= 0) return result;
  errno = -result;
  return -1;
}

[[maybe_unused]] constexpr uint32_t operation_mask = 0xFF;
[[maybe_unused]] constexpr uint32_t compare_and_wait64_shared = 6;
[[maybe_unused]] constexpr uint32_t wake_all = 0x100;
[[maybe_unused]] constexpr uint32_t no_errno = 0x0100'0000;

}  // namespace

extern "C" {

#if defined(KITH_SHIM_SYNC)

// A timeout of 0 is an invalid argument.
int os_sync_wait_on_address_with_timeout(void* address, uint64_t value, size_t size, uint32_t flags,
                                         uint32_t clock, uint64_t timeout_ns) {
  const bool sound = size == 8 && flags == 1 && clock == 32 && timeout_ns != 0;
  return with_errno(sound ? sleep_on(address, value, timeout_ns, true) : -EINVAL);
}

int os_sync_wake_by_address_any(void* address, size_t size, uint32_t flags) {
  return with_errno(size == 8 && flags == 1 ? wake_at(address, false) : -EINVAL);
}

int os_sync_wake_by_address_all(void* address, size_t size, uint32_t flags) {
  return with_errno(size == 8 && flags == 1 ? wake_at(address, true) : -EINVAL);
}

#else

// Another operation than that of the sleepers is EDOM.
int __ulock_wake(uint32_t operation, void* address, uint64_t) {
  if ((operation & no_errno) == 0) return with_errno(-EINVAL);
  if ((operation & operation_mask) != compare_and_wait64_shared) return -EDOM;
  return wake_at(address, (operation & wake_all) != 0);
}

#if defined(KITH_SHIM_ULOCK2)

// A timeout of 0 is none.
int __ulock_wait2(uint32_t operation, void* address, uint64_t value, uint64_t timeout_ns, uint64_t value2) {
  if (operation != (compare_and_wait64_shared | no_errno) || value2 != 0) return -EINVAL;
  return sleep_on(address, value, timeout_ns, timeout_ns != 0);
}

#else

int __ulock_wait(uint32_t operation, void* address, uint64_t value, uint32_t timeout_us) {
  if (operation != (compare_and_wait64_shared | no_errno)) return -EINVAL;
  return sleep_on(address, value, uint64_t{timeout_us} * 1000, timeout_us != 0);
}

#endif
#endif

}  // extern "C"

// The file name is part of what tests/CMakeLists.txt runs for these programs.
TEST_CASE("waits and wakes go through the calls of macOS") {
  test::lock guard = test::make_lock();
  REQUIRE(kith_lock_acquire(guard, 0) == KITH_OK);
  std::atomic<kith_status> status{KITH_E_OS};
  std::thread waiter([&] { status = kith_lock_acquire(guard, 60); });
  waiter.join();
  CHECK(status.load() == KITH_E_TIMEOUT);
  CHECK(waits.load() > 0);
  const int wakes_before = wakes.load();
  const int waits_before = waits.load();
  std::thread second([&] {
    status = kith_lock_acquire(guard, test::generous);
    kith_lock_release(guard);
  });
  while (waits.load() == waits_before) sched_yield();
  CHECK(kith_lock_release(guard) == KITH_OK);
  second.join();
  CHECK(status.load() == KITH_OK);
  CHECK(wakes.load() > wakes_before);
}
