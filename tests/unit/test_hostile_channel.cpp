// SPDX-License-Identifier: MIT
// A peer that has gone mad writes anything anywhere into the memory of a channel. We get a status for it, and nothing worse.
#include <atomic>
#include <cstring>

#include "../support.h"
#include "channel.h"

using namespace kith;

namespace {

// What lies behind an end of a channel of this process.
struct insides {
  explicit insides(kith_channel* channel) : pin(channel, object_kind::channel) { REQUIRE_OK(pin.status()); }
  pinned<channel_object> pin;

  unsigned char* state() { return pin->segment.state; }
  unsigned char* data() { return pin->segment.data; }
  size_t data_size() { return pin->segment.data_size; }
};

bool is_an_answer(kith_status status) {
  switch (status) {
    case KITH_OK:
    case KITH_E_TIMEOUT:
    case KITH_E_CLOSED:
    case KITH_E_PEER_DIED:
    case KITH_E_TOO_LARGE:
    case KITH_E_NO_MEMORY:
    case KITH_E_MISMATCH:  // a message with an object
    case KITH_E_PROTOCOL: return true;
    default: return false;
  }
}

// As another process would do it: not atomically, at any time.
#if defined(__GNUC__)
__attribute__((no_sanitize("thread")))
#endif
void scribble(unsigned char* at, size_t size, uint64_t& state) {
  volatile unsigned char* bytes = at;
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<unsigned char>(test::next_random(state));
}

void check_answer(kith_status status) { CHECK_MESSAGE(is_an_answer(status), kith_status_name(status)); }

void use_in_place(kith_channel* victim, int64_t timeout_ms) {
  const void* data = nullptr;
  void* at = nullptr;
  size_t size = 0;
  const kith_status peeked = kith_channel_peek(victim, &data, &size, timeout_ms);
  check_answer(peeked);
  if (peeked == KITH_OK) {
    unsigned char sum = 0;  // all that is shown can be read
    for (size_t i = 0; i < size; ++i)
      sum = static_cast<unsigned char>(sum + static_cast<const unsigned char*>(data)[i]);
    CHECK(sum <= 255);
    CHECK_OK(size % 2 == 0 ? kith_channel_consume(victim) : kith_channel_release(victim));
  }
  const kith_status reserved = kith_channel_reserve(victim, 300, &at, timeout_ms);
  check_answer(reserved);
  if (reserved != KITH_OK) return;
  std::memset(at, 1, 300);
  check_answer(kith_channel_commit(victim, 200));
}

void use_batches(kith_channel* victim, int64_t timeout_ms) {
  unsigned char buffer[512] = {};
  size_t sizes[3] = {100, 0, 50};
  size_t count = 0;
  check_answer(kith_channel_send_many(victim, buffer, sizes, 3, nullptr, timeout_ms));
  check_answer(kith_channel_recv_many(victim, buffer, sizeof buffer, sizes, 3, &count, timeout_ms));
  CHECK(count <= 3);
}

// Uses the end b of a channel whose memory was scribbled upon.
void use(kith_channel* victim, int64_t timeout_ms) {
  char buffer[512];
  size_t size = 0;
  use_in_place(victim, timeout_ms);
  use_batches(victim, timeout_ms);
  for (int i = 0; i < 4; ++i) {
    const kith_status received = kith_channel_recv(victim, buffer, sizeof buffer, &size, timeout_ms);
    const kith_status sent = kith_channel_send(victim, buffer, 200, timeout_ms);
    CHECK_MESSAGE(is_an_answer(received), kith_status_name(received));
    CHECK_MESSAGE(is_an_answer(sent), kith_status_name(sent));
  }
}

constexpr size_t rings_size = 2 * sizeof(shm::ring_state);

}  // namespace

TEST_CASE_FIXTURE(test::nothing_leaks, "rubbish in the rings of a channel is refused, and crashes nobody") {
  uint64_t state = 7;
  for (int round = 0; round < 1500; ++round) {
    test::channel_pair line = test::make_channel(4096, round < 1000 ? 0 : KITH_CHANNEL_SHARED_ENDS);
    CHECK(test::tell(line.a, "one true message"));
    {
      insides mad(line.a);
      if (round % 3 != 0) scribble(mad.data() + test::next_random(state) % 64, 200, state);
      if (round % 3 != 1) scribble(mad.state() + test::next_random(state) % (rings_size - 8), 8, state);
      if (round % 7 == 0) scribble(mad.data(), mad.data_size(), state);
      if (round % 5 == 0) {
        // Positions that might be true, over bytes that are not.
        auto* rings = reinterpret_cast<shm::ring_state*>(mad.state());
        rings[0].head.store(test::next_random(state) % 4096 / 16 * 16);
        rings[1].tail.store(test::next_random(state) % 4096 / 16 * 16);
      }
    }
    use(line.b, 0);
  }
}

TEST_CASE_FIXTURE(
    test::nothing_leaks,
    "rubbish anywhere in the state of a channel delays us up to our deadline, and crashes nobody") {
  uint64_t state = 8;
  for (int round = 0; round < 300; ++round) {
    test::channel_pair line = test::make_channel(4096);
    {
      insides mad(line.a);
      scribble(mad.state() + test::next_random(state) % (sizeof(shm::channel_state) - 64), 64, state);
    }
    use(line.b, round % 2);
  }
}

TEST_CASE_FIXTURE(test::nothing_leaks, "rubbish that is written while we read crashes nobody") {
  test::channel_pair line = test::make_channel(4096);
  std::atomic<bool> stop = false;
  std::atomic<bool> began = false;
  std::thread mad([&] {
    insides inside(line.a);
    auto* rings = reinterpret_cast<shm::ring_state*>(inside.state());
    for (uint64_t state = 9; !stop;) {
      shm::frame_header header{static_cast<uint32_t>(test::next_random(state) % 300),
                               static_cast<uint32_t>(test::next_random(state) % 4),
                               test::next_random(state) % 300};
      if (test::next_random(state) % 2 == 0) header.total = header.payload;
      // Some rubbish must be taken for a message, or there is little to read.
      if (test::next_random(state) % 2 == 0) header = {header.payload, shm::frame_whole, header.payload};
      for (size_t i = 0; i + 16 <= inside.data_size(); i += 16)
        std::memcpy(inside.data() + i, &header, sizeof header);
      rings[0].head.store(rings[0].tail.load() + 512);
      began = true;
    }
  });
  while (!began) std::this_thread::yield();
  char buffer[512];
  size_t size = 0;
  int received = 0;
  // Enough looks, and enough of them successful: the other thread may be away for a while.
  const uint64_t end = test::now_ms() + test::generous / 2;
  for (int looks = 0; (looks < 20'000 || received < 500) && test::now_ms() < end; ++looks) {
    const kith_status status = kith_channel_recv(line.b, buffer, sizeof buffer, &size, 0);
    received += status == KITH_OK;
    if (!is_an_answer(status)) FAIL_CHECK(kith_status_name(status));
    // Nothing to be read: the other one may have no core.
    if (status != KITH_OK) std::this_thread::yield();
  }
  stop = true;
  mad.join();
  CHECK(received >= 500);
}

TEST_CASE_FIXTURE(test::nothing_leaks,
                  "a peer that announces an enormous message costs no memory before the bytes come") {
  test::channel_pair line = test::make_channel(4096);
  {
    insides mad(line.a);
    const shm::frame_header header{1000, shm::frame_first, uint64_t{1} << 62};
    std::memcpy(mad.data(), &header, sizeof header);
    reinterpret_cast<shm::ring_state*>(mad.state())[0].head.store(1024);
  }
  char buffer[8];
  size_t size = 77;
  CHECK_STATUS(kith_channel_recv(line.b, buffer, sizeof buffer, &size, 0), KITH_E_TIMEOUT);
  CHECK(size == 77);
}

TEST_CASE_FIXTURE(test::nothing_leaks, "empty frames without end keep no receiver from its deadline") {
  test::channel_pair line = test::make_channel(4096);
  std::atomic<bool> stop = false;
  std::atomic<bool> began = false;
  std::thread mad([&] {
    insides inside(line.a);
    auto* rings = reinterpret_cast<shm::ring_state*>(inside.state());
    const shm::frame_header header{0, shm::frame_skip, 0};
    for (size_t i = 0; i + 16 <= inside.data_size(); i += 16) std::memcpy(inside.data() + i, &header, 16);
    while (!stop) {
      // As much as there is room for, and nothing that has not been taken.
      rings[0].head.store(rings[0].tail.load() + 4096);
      began = true;
    }
  });
  while (!began) std::this_thread::yield();
  size_t size = 0;
  const uint64_t began_at = test::now_ms();
  for (int i = 0; i < 10; ++i) {
    const kith_status status = kith_channel_recv(line.b, nullptr, 0, &size, 20);
    CHECK((status == KITH_E_TIMEOUT || status == KITH_E_PROTOCOL));
  }
  CHECK(test::now_ms() - began_at < test::generous / 2);
  stop = true;
  mad.join();
}

TEST_CASE_FIXTURE(test::nothing_leaks, "an end whose terms were written over is not opened") {
  test::channel_pair line = test::make_channel(4096);
  insides mad(line.a);
  reinterpret_cast<shm::channel_state*>(mad.state())->terms.flags.store(77);
  shm::segment again;
  platform::native_handle copy;
  REQUIRE_OK(platform::handle_duplicate(platform::memory_handle(mad.pin->segment.memory), copy));
  REQUIRE_OK(shm::segment_attach(std::move(copy), shm::segment_kind::channel, again));
  platform::stream one, other;
  REQUIRE_OK(platform::stream_create(one, other));
  void* handle = nullptr;
  CHECK_STATUS(channel_open_end(std::move(again), std::move(one), 1, &handle), KITH_E_PROTOCOL);
  CHECK(handle == nullptr);
  platform::stream_close(other);
}
