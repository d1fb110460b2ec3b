// SPDX-License-Identifier: MIT
// One of many processes that open, use and close named objects at random until the test says stop, or kills it: crowd FILE SEAT SEED BEGIN.
//
// What it does it writes down in its seat of a file that all share, before and after each step, so that the test can say of any span of time which objects
// it had throughout, and which it may have had at a moment in it.
#include <fcntl.h>
#include <kith/kith.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

constexpr int32_t kinds[] = {
    KITH_OBJECT_MEMORY,    KITH_OBJECT_ARRAY, KITH_OBJECT_VALUE,   KITH_OBJECT_LOCK,  KITH_OBJECT_SEMAPHORE,
    KITH_OBJECT_CONDITION, KITH_OBJECT_EVENT, KITH_OBJECT_BARRIER, KITH_OBJECT_QUEUE, KITH_OBJECT_BROADCAST};
constexpr size_t kind_count = sizeof kinds / sizeof kinds[0], names_of_a_kind = 5,
                 object_count = kind_count * names_of_a_kind;

// Each counts: seq_cst, as the test reads them on both sides of a listing.
struct record {
  std::atomic<uint32_t> begun;    // to open
  std::atomic<uint32_t> opened;   // that succeeded
  std::atomic<uint32_t> closing;  // of those
  std::atomic<uint32_t> ended;    // closed, or not opened
};

struct header {
  std::atomic<uint32_t> stop;
  uint32_t reserved[15];
};

using seat = record[object_count];

uint64_t random_state;

uint64_t next_random() {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  return random_state ^= random_state << 17;
}

void* opened[object_count];

template <class T>
T** as(void*& handle) {
  return reinterpret_cast<T**>(&handle);
}

kith_status open_object(size_t index, const std::string& name) {
  kith_naming naming{};
  naming.struct_size = sizeof naming;
  naming.flags = KITH_NAME_CREATE | KITH_NAME_OPEN;
  naming.name = name.c_str();
  void*& out = opened[index];
  switch (kinds[index / names_of_a_kind]) {
    case KITH_OBJECT_MEMORY:
      return kith_memory_open_named(&naming, 5000, nullptr, as<kith_memory>(out), nullptr);
    case KITH_OBJECT_ARRAY:
      return kith_array_open_named(&naming, KITH_I32, 9, nullptr, as<kith_array>(out), nullptr);
    case KITH_OBJECT_VALUE:
      return kith_value_open_named(&naming, KITH_I64, nullptr, nullptr, as<kith_value>(out), nullptr);
    case KITH_OBJECT_LOCK: return kith_lock_open_named(&naming, nullptr, as<kith_lock>(out), nullptr);
    case KITH_OBJECT_SEMAPHORE:
      return kith_semaphore_open_named(&naming, 3, nullptr, as<kith_semaphore>(out), nullptr);
    case KITH_OBJECT_CONDITION:
      return kith_condition_open_named(&naming, nullptr, as<kith_condition>(out), nullptr);
    case KITH_OBJECT_EVENT: return kith_event_open_named(&naming, nullptr, as<kith_event>(out), nullptr);
    case KITH_OBJECT_BARRIER:
      return kith_barrier_open_named(&naming, 2, nullptr, as<kith_barrier>(out), nullptr);
    case KITH_OBJECT_QUEUE: return kith_queue_open_named(&naming, nullptr, as<kith_queue>(out), nullptr);
    default: return kith_broadcast_open_named(&naming, nullptr, as<kith_broadcast>(out), nullptr);
  }
}

void close_object(size_t index) {
  void* const handle = opened[index];
  opened[index] = nullptr;
  switch (kinds[index / names_of_a_kind]) {
    case KITH_OBJECT_MEMORY: return kith_memory_close(static_cast<kith_memory*>(handle));
    case KITH_OBJECT_ARRAY: return kith_array_close(static_cast<kith_array*>(handle));
    case KITH_OBJECT_VALUE: return kith_value_close(static_cast<kith_value*>(handle));
    case KITH_OBJECT_LOCK: return kith_lock_close(static_cast<kith_lock*>(handle));
    case KITH_OBJECT_SEMAPHORE: return kith_semaphore_close(static_cast<kith_semaphore*>(handle));
    case KITH_OBJECT_CONDITION: return kith_condition_close(static_cast<kith_condition*>(handle));
    case KITH_OBJECT_EVENT: return kith_event_close(static_cast<kith_event*>(handle));
    case KITH_OBJECT_BARRIER: return kith_barrier_close(static_cast<kith_barrier*>(handle));
    case KITH_OBJECT_QUEUE: return kith_queue_close(static_cast<kith_queue*>(handle));
    default: return kith_broadcast_close(static_cast<kith_broadcast*>(handle));
  }
}

// None waits: a process that is killed while it holds something is what this is about.
void use_object(size_t index) {
  void* const handle = opened[index];
  switch (kinds[index / names_of_a_kind]) {
    case KITH_OBJECT_LOCK: {
      kith_lock* const lock = static_cast<kith_lock*>(handle);
      const kith_status status = kith_lock_acquire(lock, 0);
      if (status < KITH_OK) return;
      if (status == KITH_OWNER_DIED) (void)kith_lock_mark_consistent(lock);
      usleep(500);
      (void)kith_lock_release(lock);
      return;
    }
    case KITH_OBJECT_SEMAPHORE: {
      kith_semaphore* const semaphore = static_cast<kith_semaphore*>(handle);
      if (kith_semaphore_acquire(semaphore, 0) >= KITH_OK) (void)kith_semaphore_release(semaphore);
      return;
    }
    case KITH_OBJECT_QUEUE: {
      char item[64];
      size_t size = 0;
      (void)kith_queue_put(static_cast<kith_queue*>(handle), "item", 4, 0);
      (void)kith_queue_get(static_cast<kith_queue*>(handle), item, sizeof item, &size, 0);
      return;
    }
    case KITH_OBJECT_BROADCAST:
      (void)kith_broadcast_publish(static_cast<kith_broadcast*>(handle), "item", 4, 0);
      return;
    case KITH_OBJECT_EVENT: (void)kith_event_set(static_cast<kith_event*>(handle)); return;
    default: return;
  }
}

void close_recorded(record& of, size_t index) {
  of.closing.fetch_add(1);
  close_object(index);
  of.ended.fetch_add(1);
}

bool open_recorded(record& of, size_t index, const std::string& begin) {
  of.begun.fetch_add(1);
  const kith_status status = open_object(index, begin + std::to_string(index % names_of_a_kind));
  if (status == KITH_OK) {
    of.opened.fetch_add(1);
    return true;
  }
  of.ended.fetch_add(1);
  std::fprintf(stderr, "open of kind %d: %s\n", static_cast<int>(kinds[index / names_of_a_kind]),
               kith_status_name(status));
  return false;
}

// At most two at a time, so that most objects have one user or none, and go often.
bool take_a_step(seat& mine, const std::string& begin) {
  static size_t held[2] = {object_count, object_count};
  size_t& index = held[next_random() % 2];
  if (index == object_count) {
    const size_t wanted = next_random() % object_count;
    if (opened[wanted] != nullptr) return true;
    index = wanted;
    return open_recorded(mine[index], index, begin);
  }
  if (next_random() % 2 == 0) {
    use_object(index);
    return true;
  }
  close_recorded(mine[index], index);
  index = object_count;
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  const size_t number = std::strtoul(argv[2], nullptr, 10);
  random_state = std::strtoull(argv[3], nullptr, 10) | 1;
  const std::string begin = argv[4];
  const int file = open(argv[1], O_RDWR | O_CLOEXEC);
  if (file < 0) return 3;
  const size_t size = sizeof(header) + (number + 1) * sizeof(seat);
  void* const data = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (data == MAP_FAILED) return 4;
  close(file);
  header& all = *static_cast<header*>(data);
  seat& mine = reinterpret_cast<seat*>(static_cast<char*>(data) + sizeof(header))[number];
  // So long that fifty of them leave the machine some time for what they are looked at by.
  for (; all.stop.load() == 0; usleep(static_cast<useconds_t>(next_random() % 50'000))) {
    if (!take_a_step(mine, begin)) return 5;
  }
  for (size_t i = 0; i < object_count; ++i) {
    if (opened[i] != nullptr) close_recorded(mine[i], i);
  }
  return 0;
}
