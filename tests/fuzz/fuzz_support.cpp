// SPDX-License-Identifier: MIT
#include "fuzz_support.h"

#include <poll.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "channel.h"
#include "segment_object.h"

namespace fuzz {

namespace {

constexpr size_t page = 4096;
constexpr double longest_call_s = 3;  // deadlines are some milliseconds; the machine may stand still

double now_s() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

// One call for all. The lowest one that is free would not tell of one that is left above it.
size_t open_descriptors() {
  constexpr int most = 256;
  pollfd all[most];
  for (int i = 0; i < most; ++i) all[i] = {i, 0, 0};
  (void)poll(all, most, 0);
  return static_cast<size_t>(
      std::count_if(all, all + most, [](const pollfd& each) { return (each.revents & POLLNVAL) == 0; }));
}

}  // namespace

// ---- inputs ------------------------------------------------------------------------------------------------------------------

uint8_t reader::byte() {
  if (left_ == 0) return 0;
  --left_;
  return *data_++;
}

uint64_t reader::number(size_t bytes) {
  uint64_t value = 0;
  for (size_t i = 0; i < bytes; ++i) value |= uint64_t{byte()} << (8 * i);
  return value;
}

std::vector<uint8_t> reader::bytes(size_t most) {
  const size_t size = std::min<size_t>(static_cast<size_t>(up_to(most + 1)), left_);
  std::vector<uint8_t> taken(data_, data_ + size);
  data_ += size;
  left_ -= size;
  return taken;
}

uint64_t reader::hostile_number(uint64_t present) {
  switch (byte() % 8) {
    case 0: return number(8);
    case 1: return byte();
    case 2: return present + 16 * number(1);
    case 3: return present - 16 * number(1);
    case 4: return ~uint64_t{0} - byte();
    case 5: return present ^ (uint64_t{1} << (byte() % 64));
    case 6: return number(2);
    default: return uint64_t{1} << (byte() % 64);
  }
}

// ---- findings ----------------------------------------------------------------------------------------------------------------

void found(const char* what) {
  std::fprintf(stderr, "found: %s\n", what);
  std::abort();
}

void in_time(const std::function<void()>& call) {
  const double began = now_s();
  call();
  if (now_s() - began > longest_call_s) found("a call went on long after its deadline");
}

std::vector<unsigned char> exactly(size_t size) {
  std::vector<unsigned char> memory;
  memory.reserve(size);
  memory.resize(size);
  return memory;
}

void run(const std::function<void()>& input) {
  const size_t before = open_descriptors();
  input();
  if (open_descriptors() != before) found("a descriptor is left");
}

// ---- memory ------------------------------------------------------------------------------------------------------------------

hostile_mapping::hostile_mapping(const kith::shm::segment& segment) : size_(segment.memory.size) {
  const int descriptor = kith::platform::memory_handle(segment.memory).get();
  void* const place = mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  if (place == MAP_FAILED) found("no memory for the fuzzer");
  base_ = static_cast<unsigned char*>(place);
}

hostile_mapping::~hostile_mapping() {
  if (base_ != nullptr) munmap(base_, size_);
}

void hostile_mapping::scribble(reader& input) {
  const size_t at = static_cast<size_t>(input.up_to(size_));
  const std::vector<uint8_t> bytes = input.bytes(64);
  if (!bytes.empty()) std::memcpy(base_ + at, bytes.data(), std::min(bytes.size(), size_ - at));
}

void hostile_mapping::store_number(reader& input, size_t from, size_t to) {
  const size_t last = std::min(to, size_) & ~size_t{7};
  if (from + 8 > last) return;
  std::atomic<uint64_t>* const place = some_number(input, from, last);
  place->store(input.hostile_number(place->load()));
}

std::atomic<uint64_t>* hostile_mapping::number_at(size_t at) const {
  return reinterpret_cast<std::atomic<uint64_t>*>(base_ + (std::min(at, size_ - 8) & ~size_t{7}));
}

std::atomic<uint64_t>* hostile_mapping::some_number(reader& input, size_t from, size_t to) const {
  return number_at(from + 8 * static_cast<size_t>(input.up_to((to - from) / 8)));
}

kith::platform::native_handle copy_of_some_size(reader& input, const hostile_mapping& original) {
  constexpr size_t largest = 20'000;
  kith::platform::memory made;
  kith::platform::native_handle out;
  const size_t size = 1 + static_cast<size_t>(input.up_to(largest));
  if (kith::platform::memory_create(size, true, false, made) != KITH_OK) return out;
  std::memcpy(made.base, original.base(), std::min(size, original.size()));
  (void)kith::platform::handle_duplicate(kith::platform::memory_handle(made), out);
  kith::platform::memory_close(made);
  return out;
}

meddler::meddler(std::vector<change> changes) : changes_(std::move(changes)), thread_([this] { run(); }) {
  while (!began_.load()) std::this_thread::yield();
}

meddler::~meddler() {
  ends_.store(true);
  thread_.join();
}

void meddler::run() {
  // At another pace each: or the one that comes last would always be seen after the others.
  for (uint32_t turn = 0; !ends_.load(std::memory_order_relaxed); ++turn) {
    for (size_t i = 0; i < changes_.size(); ++i) {
      const change& each = changes_[i];
      each.at->store((turn >> i) % 2 == 0 ? each.one : each.other, std::memory_order_relaxed);
    }
    began_.store(true, std::memory_order_relaxed);
  }
}

// ---- objects -----------------------------------------------------------------------------------------------------------------

namespace {

void read_all(const void* data, size_t size) {
  const volatile unsigned char* const bytes = static_cast<const unsigned char*>(data);
  for (size_t at = 0; at < size; at += page) (void)bytes[at];
  if (size != 0) (void)bytes[size - 1];
}

void use_channel(kith_channel* end) {
  char bytes[64] = "";
  size_t size = 0;
  (void)kith_channel_send(end, bytes, sizeof bytes, 0);
  (void)kith_channel_recv(end, bytes, sizeof bytes, &size, 0);
  kith_channel_close(end);
}

void use_broadcast(kith_broadcast* broadcast) {
  char bytes[64] = "";
  size_t size = 0;
  uint64_t missed = 0;
  kith_reader* one = nullptr;
  (void)kith_broadcast_publish(broadcast, bytes, sizeof bytes, 0);
  if (kith_broadcast_subscribe(broadcast, 2, &one) == KITH_OK)
    (void)kith_reader_next(one, bytes, sizeof bytes, &size, &missed, 0);
  kith_reader_close(one);
  kith_broadcast_close(broadcast);
}

void use_queue(kith_queue* queue) {
  char bytes[64] = "";
  size_t size = 0;
  (void)kith_queue_put(queue, bytes, sizeof bytes, 0);
  (void)kith_queue_get(queue, bytes, sizeof bytes, &size, 0);
  kith_queue_close(queue);
}

void use_lock(kith_lock* lock) {
  if (kith_lock_acquire(lock, 0) >= KITH_OK) (void)kith_lock_release(lock);
}

void use_array(kith_array* array) {
  read_all(kith_array_data(array), kith_array_count(array) * kith_array_element_size(array));
  use_lock(kith_array_lock(array));
  kith_array_close(array);
}

void use_condition(kith_condition* condition) {
  (void)kith_condition_notify(condition, 1);
  kith_condition_close(condition);
}

void use_barrier(kith_barrier* barrier) {
  uint32_t number = 0;
  (void)kith_barrier_wait(barrier, 0, &number);
  kith_barrier_close(barrier);
}

void use_semaphore(kith_semaphore* semaphore) {
  if (kith_semaphore_acquire(semaphore, 0) >= KITH_OK) (void)kith_semaphore_release(semaphore);
  kith_semaphore_close(semaphore);
}

}  // namespace

void use_and_close(int32_t kind, void* object) {
  switch (kind) {
    case KITH_OBJECT_NONE: return;
    case KITH_OBJECT_PROCESS: return kith_process_close(static_cast<kith_process*>(object));
    case KITH_OBJECT_ARRAY: return use_array(static_cast<kith_array*>(object));
    case KITH_OBJECT_CHANNEL: return use_channel(static_cast<kith_channel*>(object));
    case KITH_OBJECT_SEMAPHORE: return use_semaphore(static_cast<kith_semaphore*>(object));
    case KITH_OBJECT_CONDITION: return use_condition(static_cast<kith_condition*>(object));
    case KITH_OBJECT_BARRIER: return use_barrier(static_cast<kith_barrier*>(object));
    case KITH_OBJECT_QUEUE: return use_queue(static_cast<kith_queue*>(object));
    case KITH_OBJECT_BROADCAST: return use_broadcast(static_cast<kith_broadcast*>(object));
    case KITH_OBJECT_VALUE: return kith_value_close(static_cast<kith_value*>(object));
    case KITH_OBJECT_EVENT:
      (void)kith_event_wait(static_cast<kith_event*>(object), 0);
      return kith_event_close(static_cast<kith_event*>(object));
    case KITH_OBJECT_LOCK:
      use_lock(static_cast<kith_lock*>(object));
      return kith_lock_close(static_cast<kith_lock*>(object));
    case KITH_OBJECT_MEMORY:
      read_all(kith_memory_data(static_cast<kith_memory*>(object)),
               kith_memory_size(static_cast<kith_memory*>(object)));
      return kith_memory_close(static_cast<kith_memory*>(object));
    case KITH_OBJECT_OS_HANDLE:
      (void)kith_os_handle_number(static_cast<kith_os_handle*>(object));
      return kith_os_handle_close(static_cast<kith_os_handle*>(object));
    default: found("an object of no known kind");
  }
}

// ---- hostages ----------------------------------------------------------------------------------------------------------------

namespace {

const kith::shm::segment& segment_of(int32_t kind, kith::object& found) {
  switch (kind) {
    case KITH_OBJECT_CHANNEL: return static_cast<kith::channel_object&>(found).segment;
    case KITH_OBJECT_LOCK: return static_cast<kith::lock_object&>(found).shared->segment;
    default: return static_cast<kith::segment_object&>(found).shared->segment;
  }
}

}  // namespace

bool hostage::make(uint8_t choice) {
  kith_array* array = nullptr;
  kith_memory* shared = nullptr;
  kith_value* value = nullptr;
  kith_lock* lock = nullptr;
  kith_semaphore* semaphore = nullptr;
  kith_condition* condition = nullptr;
  kith_event* event = nullptr;
  kith_barrier* barrier = nullptr;
  kith_queue* queue = nullptr;
  kith_broadcast* broadcast = nullptr;
  kith_broadcast_options little{};
  little.struct_size = sizeof little;
  little.ring_size = 4096;
  kith_channel* end = nullptr;
  // By reference: the object is there only after the call.
  const auto keep = [this](int32_t its_kind, kith_status status, auto& made) {
    if (status != KITH_OK) return;
    kind = its_kind;
    object = made;
  };
  switch (choice % 11) {
    case 0: keep(KITH_OBJECT_LOCK, kith_lock_create(nullptr, &lock), lock); break;
    case 1: keep(KITH_OBJECT_ARRAY, kith_array_create(KITH_U32, 7, nullptr, &array), array); break;
    case 2: keep(KITH_OBJECT_MEMORY, kith_memory_create(100, nullptr, &shared), shared); break;
    case 3: keep(KITH_OBJECT_QUEUE, kith_queue_create(nullptr, &queue), queue); break;
    case 4: keep(KITH_OBJECT_EVENT, kith_event_create(nullptr, &event), event); break;
    case 5: keep(KITH_OBJECT_BARRIER, kith_barrier_create(2, nullptr, &barrier), barrier); break;
    case 6: keep(KITH_OBJECT_SEMAPHORE, kith_semaphore_create(2, nullptr, &semaphore), semaphore); break;
    case 7: keep(KITH_OBJECT_CONDITION, kith_condition_create(nullptr, &condition), condition); break;
    case 8: keep(KITH_OBJECT_VALUE, kith_value_create(KITH_I64, nullptr, nullptr, &value), value); break;
    case 9: keep(KITH_OBJECT_BROADCAST, kith_broadcast_create(&little, &broadcast), broadcast); break;
    default: keep(KITH_OBJECT_CHANNEL, kith_channel_create(nullptr, &end, &other_end), end); break;
  }
  kith::object* found_object = nullptr;
  if (kind == KITH_OBJECT_NONE || kith::handle_pin_any(object, found_object) != KITH_OK) return false;
  memory.emplace(segment_of(kind, *found_object));
  kith::handle_unpin(object);
  return true;
}

hostage::~hostage() {
  use_and_close(kind, object);
  kith_channel_close(other_end);
}

}  // namespace fuzz

// ---- guards --------------------------------------------------------------------------------------------------------------------

// The linker puts these in the place of mmap and munmap, in the library too: before and behind each segment is a page that nobody may touch.
// All that the library unmaps was mapped so.

extern "C" void* __real_mmap(void* at, size_t size, int protection, int flags, int descriptor, off_t offset);
extern "C" int __real_munmap(void* at, size_t size);

namespace {

size_t with_guards(size_t size) { return (size + fuzz::page - 1) / fuzz::page * fuzz::page + 2 * fuzz::page; }

}  // namespace

extern "C" void* __wrap_mmap(void* at, size_t size, int protection, int flags, int descriptor, off_t offset) {
  if (at != nullptr || descriptor < 0) return __real_mmap(at, size, protection, flags, descriptor, offset);
  void* const all = __real_mmap(nullptr, with_guards(size), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (all == MAP_FAILED) return all;
  void* const inside = static_cast<unsigned char*>(all) + fuzz::page;
  void* const made = __real_mmap(inside, size, protection, flags | MAP_FIXED, descriptor, offset);
  const int reason = errno;
  if (made == MAP_FAILED) (void)__real_munmap(all, with_guards(size));
  errno = reason;
  return made;
}

extern "C" int __wrap_munmap(void* at, size_t size) {
  return __real_munmap(static_cast<unsigned char*>(at) - fuzz::page, with_guards(size));
}
