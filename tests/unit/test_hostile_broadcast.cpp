// SPDX-License-Identifier: MIT
// A peer that has gone mad writes anything anywhere into the memory of a broadcast. We get a status for it in time, and nothing worse.
#include <algorithm>
#include <atomic>
#include <cstring>
#include <string>

#include "../broadcasts.h"
#include "segment_object.h"
#include "shm/broadcast.h"

using namespace kith;

namespace {

constexpr int64_t short_while = 3;
constexpr size_t small = 4096;

// The memory behind a handle of this process.
struct insides {
  explicit insides(kith_broadcast* broadcast) : pin(broadcast, object_kind::broadcast) {
    REQUIRE_OK(pin.status());
  }
  pinned<segment_object> pin;

  shm::broadcast_state& state() { return *reinterpret_cast<shm::broadcast_state*>(pin->segment().state); }
  unsigned char* data() { return pin->segment().data; }
  size_t data_size() { return pin->segment().data_size; }
};

// Mostly what means something: zeroes, small numbers, positions that are almost right, all ones.
uint64_t mad_word(uint64_t& seed) {
  const uint64_t chance = test::next_random(seed);
  const uint64_t word = test::next_random(seed);
  switch (chance % 8) {
    case 0:
    case 1: return 0;
    case 2: return word % 16;
    case 3: return word % 512 * 16;
    case 4: return (word % 256 * 16) | (word & uint64_t{1} << 63);
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
    case KITH_MISSED:
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

// All that can be done with it. Buffers of the exact size, so that the address sanitizer sees a byte too many.
void use(kith_broadcast* broadcast, kith_reader* reader, uint64_t& seed, int64_t timeout_ms) {
  const test::bytes message(test::next_random(seed) % 1000);
  CHECK(is_an_answer(kith_broadcast_publish(broadcast, message.data(), message.size(), timeout_ms)));
  void* room = nullptr;
  const size_t wanted = test::next_random(seed) % 990;
  const kith_status reserved = kith_broadcast_reserve(broadcast, wanted, &room, timeout_ms);
  CHECK(is_an_answer(reserved));
  if (reserved == KITH_OK) {
    std::memset(room, 0xAB, wanted);
    CHECK(is_an_answer(kith_broadcast_commit(broadcast, wanted / 2)));
  }
  test::bytes buffer(test::next_random(seed) % 1100);
  size_t size = 0;
  const kith_status status =
      kith_reader_next(reader, buffer.data(), buffer.size(), &size, nullptr, timeout_ms);
  CHECK(is_an_answer(status));
  if (status >= KITH_OK) CHECK(size <= buffer.size());
  const void* data = nullptr;
  const kith_status shown = kith_reader_peek(reader, &data, &size, nullptr, timeout_ms);
  CHECK(is_an_answer(shown));
  if (shown >= KITH_OK) {
    volatile unsigned char last = 0;
    for (size_t i = 0; i < size; ++i) last = static_cast<const unsigned char*>(data)[i];
    (void)last;
    CHECK(is_an_answer(kith_reader_consume(reader)));
  }
  (void)kith_broadcast_count(broadcast);
  (void)kith_reader_pending(reader);
  kith_reader* late = nullptr;
  const kith_status joined = kith_broadcast_subscribe(broadcast, static_cast<int64_t>(seed % 4) - 1, &late);
  CHECK(is_an_answer(joined));
  if (joined == KITH_OK) kith_reader_close(late);
}

}  // namespace

TEST_CASE("a broadcast whose memory goes mad answers in time") {
  for (const uint32_t flags : {uint32_t{0}, uint32_t{KITH_BROADCAST_HOLD}}) {
    CAPTURE(flags);
    const test::broadcast broadcast = test::make_broadcast(small, flags);
    const test::reader reader = test::subscribe(broadcast);
    insides inside(broadcast);
    uint64_t seed = 0x5EED;
    for (int i = 0; i < test::repetitions(60); ++i) {
      scribble(&inside.state(), sizeof(shm::broadcast_state), seed);
      scribble(inside.data(), inside.data_size(), seed);
      use(broadcast, reader, seed, short_while);
    }
    std::atomic<bool> done{false};
    std::thread mad([&] {
      uint64_t own = 0xBAD;
      while (!done.load()) {
        scribble(&inside.state(), sizeof(shm::broadcast_state), own);
        scribble(inside.data(), inside.data_size(), own);
      }
    });
    for (int i = 0; i < test::repetitions(60); ++i) use(broadcast, reader, seed, short_while);
    done.store(true);
    mad.join();
  }
}

namespace {

// The two words before the bytes of a message: its size and its number.
uint64_t* header_of(insides& inside, const std::string& message) {
  unsigned char* const end = inside.data() + inside.data_size();
  unsigned char* const found = std::search(inside.data(), end, message.begin(), message.end());
  REQUIRE(found != end);
  return reinterpret_cast<uint64_t*>(found) - 2;
}

}  // namespace

TEST_CASE("a reader that has seen several messages does not take the next one unlooked") {
  for (const uint32_t flags : {uint32_t{0}, uint32_t{KITH_BROADCAST_HOLD}}) {
    CAPTURE(flags);
    for (const size_t word : {0u, 1u}) {
      CAPTURE(word);
      const test::broadcast broadcast = test::make_broadcast(small, flags);
      const test::reader reader = test::subscribe(broadcast);
      for (const char* each : {"the first", "the second", "the third"})
        REQUIRE_OK(kith_broadcast_publish(broadcast, each, std::strlen(each), 0));
      insides inside(broadcast);
      char buffer[128];
      size_t size = 0;
      REQUIRE_OK(kith_reader_next(reader, buffer, sizeof buffer, &size, nullptr, 0));
      // A size that ends behind the last message, or a number that is not the next one.
      header_of(inside, "the second")[word] += word == 0 ? 100 : 1;
      CHECK(kith_reader_next(reader, buffer, sizeof buffer, &size, nullptr, 0) != KITH_OK);
    }
  }
}

// With the lock free there is a way to the code behind it at every call.
TEST_CASE("positions, sizes and numbers that are none are told, and no byte too many is read or written") {
  for (const uint32_t flags : {uint32_t{0}, uint32_t{KITH_BROADCAST_HOLD}}) {
    CAPTURE(flags);
    const test::broadcast broadcast = test::make_broadcast(small, flags);
    const test::reader reader = test::subscribe(broadcast);
    insides inside(broadcast);
    uint64_t seed = 5;
    for (int i = 0; i < test::repetitions(4'000); ++i) {
      scribble(&inside.state().head, sizeof(shm::broadcast_state) - offsetof(shm::broadcast_state, head),
               seed);
      scribble(inside.data(), inside.data_size(), seed);
      shm::broadcast_state& state = inside.state();
      if (i % 3 == 0) {  // almost right
        const uint64_t head = mad_word(seed) & ~uint64_t{15};
        state.head.store(head);
        state.tail.store(head - test::next_random(seed) % 300 * 16);
        state.granted.store(state.tail.load());
        for (std::atomic<uint64_t>& mark : state.marks) mark.store(head - test::next_random(seed) % 300 * 16);
      }
      state.shut.store(0);
      state.bias.favourite.store(0);
      state.lock.word.store(0);
      state.lock.holder.store(0);
      use(broadcast, reader, seed, 0);
    }
  }
}

TEST_CASE("rubbish in a broadcast is told to both sides") {
  const test::broadcast broadcast = test::make_broadcast(small, KITH_BROADCAST_HOLD);
  const test::reader reader = test::subscribe(broadcast);
  insides inside(broadcast);
  char text[8];
  size_t size = 77;
  inside.state().head.store(8);
  CHECK_STATUS(kith_broadcast_publish(broadcast, "x", 1, KITH_FOREVER), KITH_E_PROTOCOL);
  CHECK_STATUS(kith_reader_next(reader, text, sizeof text, &size, nullptr, KITH_FOREVER), KITH_E_PROTOCOL);
  inside.state().head.store(32);
  // A message that is larger than what is there.
  unsigned char* const ring = inside.data() + inside.data_size() - small;
  for (const uint64_t claimed :
       {uint64_t{17}, uint64_t{4096}, UINT64_MAX, UINT64_MAX - 15, uint64_t{1} << 63}) {
    *reinterpret_cast<uint64_t*>(ring) = claimed;
    CHECK_STATUS(kith_reader_next(reader, text, sizeof text, &size, nullptr, KITH_FOREVER), KITH_E_PROTOCOL);
  }
  CHECK(size == 77);
}

TEST_CASE("a favourite that never comes out costs the others their deadline, and the close nothing") {
  test::broadcast broadcast = test::make_broadcast(small);
  insides inside(broadcast);
  shm::bias_state& bias = inside.state().bias;
  bias.desks[3].process.store(platform::self().bits);
  bias.desks[3].thread.store(1);
  bias.desks[3].inside.store(1);
  bias.favourite.store(4);
  CHECK_STATUS(kith_broadcast_publish(broadcast, "x", 1, short_while), KITH_E_TIMEOUT);
  CHECK(bias.favourite.load() == 4);
  bias.desks[3].process.store(make_identity(UINT32_MAX, 1).bits);  // no process has that number
  CHECK_OK(kith_broadcast_publish(broadcast, "x", 1, test::generous));
  CHECK(bias.favourite.load() != 4);
}
