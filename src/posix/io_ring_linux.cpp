// SPDX-License-Identifier: MIT
#include "io_ring_linux.h"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bit>
#include <cstring>
#include <utility>

#include "futex.h"

namespace kith::platform {

namespace {

constexpr uint32_t entries = 4;

// The same on all architectures, as are all system calls of their age.
constexpr long call_setup = 425, call_enter = 426, call_register = 427;

constexpr off_t offset_of_queues = 0, offset_of_requests = 0x1000'0000;
constexpr uint32_t feature_single_mmap = 1, feature_extended_enter = 1u << 8;
constexpr uint32_t enter_wait = 1, enter_extended = 1u << 3;
constexpr uint8_t operation_poll = 6, operation_futex_wait = 51;
constexpr int32_t futex_of_32_bits = 2;
constexpr unsigned register_sync_cancel = 24;
constexpr uint32_t cancel_all = 1, cancel_any = 1u << 2;

struct submit_offsets {
  uint32_t head, tail, ring_mask, ring_entries, flags, dropped, array, reserved;
  uint64_t user_address;
};
struct complete_offsets {
  uint32_t head, tail, ring_mask, ring_entries, overflow, completions, flags, reserved;
  uint64_t user_address;
};
struct ring_parameters {
  uint32_t submit_entries, complete_entries, flags, cpu, idle, features, workers, reserved[3];
  submit_offsets submit;
  complete_offsets complete;
};
static_assert(sizeof(ring_parameters) == 120);

struct kernel_completion {
  uint64_t tag;
  int32_t result;
  uint32_t flags;
};

struct kernel_time {
  int64_t seconds, nanoseconds;
};

struct wait_argument {
  uint64_t signal_mask;
  uint32_t signal_mask_size, reserved;
  uint64_t time;
};

struct cancel_argument {
  uint64_t address;
  int32_t descriptor;
  uint32_t flags;
  kernel_time time;
  uint8_t operation, reserved[7];
  uint64_t reserved_too[3];
};

// A sandbox may end a process for a system call that it does not know. Where there is one, we do not try.
bool is_in_sandbox() { return prctl(PR_GET_SECCOMP, 0, 0, 0, 0) != 0; }

// Relaxed: all threads would find the same.
constinit std::atomic<bool> there_is_none{false};

template <class T>
T* at(unsigned char* base, uint32_t offset) {
  return reinterpret_cast<T*>(base + offset);
}

}  // namespace

struct io_ring::request {
  uint8_t operation, flags;
  uint16_t priority;
  int32_t descriptor;
  uint64_t address2, address;
  uint32_t length, operation_flags;
  uint64_t tag;
  uint16_t buffer, personality;
  int32_t descriptor2;
  uint64_t address3, reserved;
};

bool io_ring::open() {
  static_assert(sizeof(request) == 64 && sizeof(kernel_completion) == 16);
  if (there_is_none.load(std::memory_order_relaxed)) return false;
  ring_parameters given{};
  if (!is_in_sandbox()) ring_ = own_descriptor(static_cast<int>(syscall(call_setup, entries, &given)));
  constexpr uint32_t needed = feature_single_mmap | feature_extended_enter;
  if (!ring_.valid() || (given.features & needed) != needed) {
    // Out of descriptors or memory is for now; everything else is for good.
    if (ring_.valid() || (errno != EMFILE && errno != ENFILE && errno != ENOMEM))
      there_is_none.store(true, std::memory_order_relaxed);
    ring_.reset();
    return false;
  }
  const size_t submit_size = given.submit.array + given.submit_entries * sizeof(uint32_t);
  const size_t complete_size =
      given.complete.completions + given.complete_entries * sizeof(kernel_completion);
  queues_size_ = submit_size > complete_size ? submit_size : complete_size;
  const auto map = [this](size_t size, off_t offset) {
    void* const place = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, ring_.get(), offset);
    return place == MAP_FAILED ? nullptr : static_cast<unsigned char*>(place);
  };
  queues_ = map(queues_size_, offset_of_queues);
  requests_ = reinterpret_cast<request*>(map(entries * sizeof(request), offset_of_requests));
  if (queues_ == nullptr || requests_ == nullptr) {
    close();
    return false;
  }
  at_.submit_tail = at<std::atomic<uint32_t>>(queues_, given.submit.tail);
  at_.submit_mask = *at<uint32_t>(queues_, given.submit.ring_mask);
  at_.submit_indices = at<uint32_t>(queues_, given.submit.array);
  at_.complete_head = at<std::atomic<uint32_t>>(queues_, given.complete.head);
  at_.complete_tail = at<std::atomic<uint32_t>>(queues_, given.complete.tail);
  at_.complete_mask = *at<uint32_t>(queues_, given.complete.ring_mask);
  at_.completions = queues_ + given.complete.completions;
  return true;
}

// There is room for as many as a caller notes before it hands them over.
io_ring::request& io_ring::next_request() {
  const uint32_t tail = at_.submit_tail->load(std::memory_order_relaxed) + noted_++;
  const uint32_t index = tail & at_.submit_mask;
  at_.submit_indices[index] = index;
  requests_[index] = {};
  return requests_[index];
}

void io_ring::sleep_on(const std::atomic<uint64_t>& word, uint64_t expected, uint64_t tag) {
  request& made = next_request();
  made.operation = operation_futex_wait;
  made.descriptor = futex_of_32_bits;  // and not private: the sleepers of all processes
  made.address = reinterpret_cast<uintptr_t>(low_half(word));
  made.address2 = static_cast<uint32_t>(expected);
  made.address3 = FUTEX_BITSET_MATCH_ANY;
  made.tag = tag;
}

void io_ring::watch(int descriptor, uint32_t poll_events, uint64_t tag) {
  request& made = next_request();
  made.operation = operation_poll;
  made.descriptor = descriptor;
  made.operation_flags = std::endian::native == std::endian::big ? poll_events << 16 : poll_events;
  made.tag = tag;
}

bool io_ring::take(completion& out) {
  const uint32_t head = at_.complete_head->load(std::memory_order_relaxed);
  // Acquire, with the kernel's release: the completion is there.
  if (head == at_.complete_tail->load(std::memory_order_acquire)) return false;
  kernel_completion seen;
  std::memcpy(&seen, at_.completions + (head & at_.complete_mask) * sizeof seen, sizeof seen);
  at_.complete_head->store(head + 1, std::memory_order_release);
  out = {seen.tag, seen.result};
  return true;
}

bool io_ring::hand_over() {
  const uint32_t count = std::exchange(noted_, 0);
  if (count == 0) return true;
  // Release: the kernel sees the requests that the new tail speaks of.
  at_.submit_tail->store(at_.submit_tail->load(std::memory_order_relaxed) + count, std::memory_order_release);
  const auto call = [&] { return syscall(call_enter, ring_.get(), count, 0u, 0u, nullptr, 0); };
  return restart(call) == static_cast<long>(count);
}

// Requests are handed over by a call of their own: one that does both does not tell of a signal that ended its wait.
io_ring::outcome io_ring::wait(deadline until, completion& out) {
  if (!hand_over()) return outcome::failed;
  if (take(out)) return outcome::completed;
  const uint64_t left = remaining_ns(until, clock_now());
  const kernel_time time{static_cast<int64_t>(left / 1'000'000'000),
                         static_cast<int64_t>(left % 1'000'000'000)};
  const wait_argument argument{0, 0, 0, reinterpret_cast<uintptr_t>(&time)};
  const long result =
      syscall(call_enter, ring_.get(), 0u, 1u, enter_wait | enter_extended, &argument, sizeof argument);
  const int error = result < 0 ? errno : 0;
  if (take(out)) return outcome::completed;
  if (result >= 0 || error == ETIME) return outcome::timed_out;
  return error == EINTR ? outcome::interrupted : outcome::failed;
}

void io_ring::give_up_on_rings() {
  there_is_none.store(true, std::memory_order_relaxed);
  close();
}

void io_ring::close() {
  if (ring_.valid()) {
    cancel_argument all{};
    all.descriptor = -1;
    all.flags = cancel_all | cancel_any;
    all.time = {-1, -1};  // for as long as it takes
    (void)syscall(call_register, ring_.get(), register_sync_cancel, &all, 1u);
  }
  if (queues_ != nullptr) munmap(queues_, queues_size_);
  if (requests_ != nullptr) munmap(requests_, entries * sizeof(request));
  queues_ = nullptr;
  requests_ = nullptr;
  ring_.reset();
}

}  // namespace kith::platform
