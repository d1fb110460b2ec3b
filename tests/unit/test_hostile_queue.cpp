// SPDX-License-Identifier: MIT
// A peer that has gone mad writes anything anywhere into the memory of a queue. We get a status for it in time, and nothing worse.
#include <atomic>

#include "../support.h"
#include "segment_object.h"
#include "shm/queue.h"

using namespace kith;

namespace {

constexpr int64_t short_while = 3;
constexpr size_t largest_item = 300;

// The memory behind a handle of this process.
struct insides {
  explicit insides(kith_queue* queue) : pin(queue, object_kind::queue) { REQUIRE_OK(pin.status()); }
  pinned<segment_object> pin;

  shm::queue_state& state() { return *reinterpret_cast<shm::queue_state*>(pin->segment().state); }
  unsigned char* data() { return pin->segment().data; }
  size_t data_size() { return pin->segment().data_size; }
};

// Mostly what means something: zeroes, small numbers, sizes that are almost right, all ones.
uint64_t mad_word(uint64_t& seed) {
  const uint64_t chance = test::next_random(seed);
  const uint64_t word = test::next_random(seed);
  switch (chance % 8) {
    case 0:
    case 1: return 0;
    case 2: return word % 16;
    case 3: return word % 512 * 16;
    case 4: return word % 8192;
    case 5: return UINT64_MAX - word % 64;
    default: return word;
  }
}

// As another process would do it: not atomically, at any time.
#if defined(__GNUC__)
__attribute__((no_sanitize("thread")))
#endif
void scribble(void* at, size_t size, uint64_t& seed) {
  auto* const words = static_cast<volatile uint64_t*>(at);
  for (size_t i = 0; i < size / sizeof(uint64_t); ++i) {
    if (test::next_random(seed) % 2 == 0) words[i] = mad_word(seed);
  }
}

bool is_an_answer(kith_status status) {
  switch (status) {
    case KITH_OK:
    case KITH_OWNER_DIED:
    case KITH_E_TIMEOUT:
    case KITH_E_CLOSED:
    case KITH_E_TOO_LARGE:
    case KITH_E_LIMIT:
    case KITH_E_NOT_OWNER:
    case KITH_E_DEADLOCK:
    case KITH_E_PROTOCOL: return true;
    default: return false;
  }
}

// Of the exact size, so that the address sanitizer sees a byte too many.
void use(kith_queue* queue, uint64_t& seed) {
  std::vector<unsigned char> item(test::next_random(seed) % largest_item);
  std::vector<unsigned char> buffer(test::next_random(seed) % largest_item);
  size_t size = 0;
  CHECK(is_an_answer(kith_queue_put(queue, item.data(), item.size(), short_while)));
  const kith_status status = kith_queue_get(queue, buffer.data(), buffer.size(), &size, short_while);
  CHECK(is_an_answer(status));
  if (status == KITH_OK) CHECK(size <= buffer.size());
  (void)kith_queue_count(queue);
  CHECK(is_an_answer(kith_queue_join(queue, short_while)));
}

// Of both locks; 0: whatever the words say, the next calls get them.
void give_locks_to(insides& inside, uint64_t owner) {
  for (shm::lock_state* lock : {&inside.state().put_lock, &inside.state().take_lock}) {
    lock->word.store(owner);
    lock->holder.store(0);
  }
}

// All but the locks.
void scribble_over_positions(insides& inside, uint64_t& seed) {
  constexpr size_t line = 64;
  scribble(&inside.state().head, line, seed);
  scribble(&inside.state().tail, line, seed);
}

}  // namespace

TEST_CASE("a queue whose memory goes mad answers in time") {
  for (const uint32_t flags : {uint32_t{0}, uint32_t{KITH_QUEUE_TASKS}}) {
    CAPTURE(flags);
    const test::queue queue = test::make_queue(4096, flags);
    insides inside(queue);
    uint64_t seed = 0x5EED;
    const auto use_it = [&] {
      if (flags != 0) use(queue, seed);
      size_t size = 0;
      unsigned char buffer[8];
      CHECK(is_an_answer(kith_queue_put(queue, "x", 1, short_while)));
      CHECK(is_an_answer(kith_queue_get(queue, buffer, sizeof buffer, &size, short_while)));
      (void)kith_queue_count(queue);
    };
    for (int i = 0; i < test::repetitions(200); ++i) {
      scribble(&inside.state(), sizeof(shm::queue_state), seed);
      scribble(inside.data(), inside.data_size(), seed);
      use_it();
    }
    std::atomic<bool> done{false};
    std::thread mad([&] {
      uint64_t own = 0xBAD;
      while (!done.load()) {
        scribble(&inside.state(), sizeof(shm::queue_state), own);
        scribble(inside.data(), 256, own);
      }
    });
    for (int i = 0; i < test::repetitions(200); ++i) use_it();
    done.store(true);
    mad.join();
  }
}

// With the lock free there is a way to the code behind it at every call.
TEST_CASE("positions, sizes and counts that are none are told, and read no byte too many") {
  const test::queue queue = test::make_queue(4096);
  insides inside(queue);
  uint64_t seed = 5;
  for (int i = 0; i < test::repetitions(20'000); ++i) {
    scribble_over_positions(inside, seed);
    scribble(inside.data(), 256, seed);
    inside.state().shut.store(0);
    give_locks_to(inside, 0);
    std::vector<unsigned char> item(test::next_random(seed) % largest_item);
    std::vector<unsigned char> buffer(test::next_random(seed) % 4200);
    size_t size = 0;
    CHECK(is_an_answer(kith_queue_put(queue, item.data(), item.size(), 0)));
    const kith_status status = kith_queue_get(queue, buffer.data(), buffer.size(), &size, 0);
    CHECK(is_an_answer(status));
    if (status == KITH_OK) CHECK(size <= buffer.size());
    (void)kith_queue_count(queue);
  }
}

TEST_CASE("rubbish in a queue is told to both sides") {
  const test::queue queue = test::make_queue(4096);
  insides inside(queue);
  char text[8];
  size_t size = 77;
  const auto both_are_told = [&] {
    CHECK_STATUS(kith_queue_put(queue, "x", 1, KITH_FOREVER), KITH_E_PROTOCOL);
    CHECK_STATUS(kith_queue_get(queue, text, sizeof text, &size, KITH_FOREVER), KITH_E_PROTOCOL);
    CHECK(size == 77);
  };
  inside.state().head.store(4096 + 16);  // more than there can be
  both_are_told();
  inside.state().head.store(8);
  both_are_told();
  inside.state().head.store(UINT64_MAX - 15);
  both_are_told();
  // An item that is larger than what is there.
  inside.state().head.store(32);
  for (const uint64_t claimed : {uint64_t{17}, uint64_t{4096}, UINT64_MAX, UINT64_MAX - 15}) {
    *reinterpret_cast<uint64_t*>(inside.data()) = claimed;
    CHECK_STATUS(kith_queue_get(queue, text, sizeof text, &size, KITH_FOREVER), KITH_E_PROTOCOL);
  }
}

TEST_CASE("a side that remembers what cannot be of the other one looks again") {
  const test::queue queue = test::make_queue(4096);
  insides inside(queue);
  char text[8];
  size_t size = 0;
  for (const uint64_t remembered : {uint64_t{1} << 40, UINT64_MAX, UINT64_MAX - 15}) {
    inside.state().seen_tail.store(remembered);
    inside.state().seen_head.store(remembered);
    CHECK_OK(kith_queue_put(queue, "x", 1, 0));
    CHECK_OK(kith_queue_get(queue, text, sizeof text, &size, 0));
  }
}

// The owner of the locks is dead at every call, so that the counts are repaired from the rubbish.
TEST_CASE("a queue is repaired from rubbish in time") {
  for (const uint32_t flags : {uint32_t{0}, uint32_t{KITH_QUEUE_TASKS}}) {
    const test::queue queue = test::make_queue(4096, flags);
    insides inside(queue);
    uint64_t seed = 6;
    const uint64_t nobody_ever = make_identity(UINT32_MAX, 1).bits;  // no process has that number
    for (int i = 0; i < test::repetitions(150); ++i) {
      if (i % 4 != 0) scribble_over_positions(inside, seed);
      scribble(inside.data(), 8192 < inside.data_size() ? 8192 : inside.data_size(), seed);
      inside.state().shut.store(0);
      give_locks_to(inside, nobody_ever);
      size_t size = 0;
      char buffer[64];
      CHECK(is_an_answer(kith_queue_get(queue, buffer, sizeof buffer, &size, 0)));
      give_locks_to(inside, nobody_ever | shm::lock_died);
      CHECK(is_an_answer(kith_queue_put(queue, "x", 1, 1)));
      (void)kith_queue_count(queue);
    }
  }
}
