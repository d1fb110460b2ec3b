// SPDX-License-Identifier: MIT
#include <cstring>
#include <memory>

#include "../support.h"
#include "shm/ring.h"

using namespace kith;
using namespace kith::shm;

namespace {

// Both sides of one ring, in this process. The bytes lie alone in their allocation, so that a sanitizer sees a step beyond.
struct two_sides {
  explicit two_sides(uint64_t ring_size = smallest_ring)
      : bytes(new unsigned char[static_cast<size_t>(ring_size)]()), size(ring_size) {
    sender = receiver = {&state, {bytes.get(), size}, 0, 0};
    REQUIRE(ring_open_sender(sender));
    REQUIRE(ring_open_receiver(receiver));
  }

  kith_status send(const std::vector<unsigned char>& message) {
    outgoing out{message.data(), message.size()};
    uint64_t needed = 0;
    const kith_status status = ring_send_frame(sender, out, &needed);
    return status == KITH_OK && !out.done() ? kith_status{KITH_E_BUSY} : status;
  }

  kith_status receive(std::vector<unsigned char>& message) {
    frame_view frame;
    const kith_status status = ring_peek_frame(receiver, frame);
    if (status != KITH_OK) return status;
    message.resize(frame.header.payload);
    ring_copy_out(receiver, frame, message.data());
    ring_consume_frame(receiver, frame);
    return KITH_OK;
  }

  ring_state state{};
  std::unique_ptr<unsigned char[]> bytes;
  uint64_t size;
  ring_side sender;
  ring_side receiver;
};

}  // namespace

TEST_CASE("a ring gives out what was put in, round and round") {
  two_sides ring;
  std::vector<unsigned char> message;
  for (uint64_t i = 0; i < 2000; ++i) {
    const std::vector<unsigned char> sent = test::noise((i * 37) % 900, i);
    REQUIRE_OK(ring.send(sent));
    REQUIRE_OK(ring.receive(message));
    CHECK((message == sent));
    CHECK_STATUS(ring.receive(message), KITH_E_TIMEOUT);
  }
}

TEST_CASE("the copy of a little is exact, and touches nothing else") {
  for (uint64_t count = 0; count <= most_of_a_little; ++count) {
    CAPTURE(count);
    const std::vector<unsigned char> from = test::noise(static_cast<size_t>(count), count);
    std::vector<unsigned char> to(static_cast<size_t>(count) + 2, 0xEE);
    copy_little(to.data() + 1, from.data(), count);
    CHECK((std::vector<unsigned char>(to.begin() + 1, to.end() - 1) == from));
    CHECK((to.front() == 0xEE && to.back() == 0xEE));
  }
}

TEST_CASE("the shortest way takes little messages, as far as both sides have looked, and never wraps") {
  two_sides ring;
  std::vector<unsigned char> got(static_cast<size_t>(most_of_a_little));
  uint64_t straight = 0, sent_otherwise = 0;
  for (uint64_t i = 0; i < 5000; ++i) {
    const std::vector<unsigned char> sent = test::noise(i * 37 % (most_of_a_little + 1), i);
    if (ring_send_little(ring.sender, sent.data(), sent.size())) {
      ++straight;
    } else {
      ++sent_otherwise;
      REQUIRE_OK(ring.send(sent));
      ring_find_straight(ring.sender, ring.sender.seen + ring.size);
    }
    size_t size = 0;
    if (ring_receive_little(ring.receiver, got.data(), got.size(), size)) {
      CHECK(std::vector<unsigned char>(got.begin(), got.begin() + static_cast<ptrdiff_t>(size)) == sent);
    } else {
      std::vector<unsigned char> message;
      REQUIRE_OK(ring.receive(message));
      CHECK((message == sent));
      if (i % 3 != 0) (void)ring_look_at_sender(ring.receiver);
      ring_find_straight(ring.receiver, ring.receiver.seen);
    }
  }
  CHECK(straight > 4000);
  CHECK(sent_otherwise > 50);  // once in each round, at least
}

TEST_CASE(
    "the shortest way leaves to others what is too large for it, or for the buffer, or no plain message") {
  two_sides ring;
  const std::vector<unsigned char> large(static_cast<size_t>(most_of_a_little) + 1), little(40);
  std::vector<unsigned char> got(large.size());
  size_t size = 0;
  CHECK_FALSE(ring_send_little(ring.sender, little.data(), little.size()));  // nobody has looked
  ring_find_straight(ring.sender, ring.size);
  CHECK_FALSE(ring_send_little(ring.sender, large.data(), large.size()));
  REQUIRE(ring_send_little(ring.sender, little.data(), little.size()));
  REQUIRE_OK(ring.send(large));
  REQUIRE(ring_look_at_sender(ring.receiver));
  CHECK_FALSE(ring_receive_little(ring.receiver, got.data(), got.size(), size));
  ring_find_straight(ring.receiver, ring.receiver.seen);
  CHECK_FALSE(ring_receive_little(ring.receiver, got.data(), little.size() - 1, size));
  for (const frame_header bad : {frame_header{40, frame_first, 40}, frame_header{40, frame_whole, 41},
                                 frame_header{40, frame_whole | frame_object, 40}}) {
    frame_header good;
    std::memcpy(&good, ring.bytes.get(), sizeof good);
    std::memcpy(ring.bytes.get(), &bad, sizeof bad);
    CHECK_FALSE(ring_receive_little(ring.receiver, got.data(), got.size(), size));
    std::memcpy(ring.bytes.get(), &good, sizeof good);
  }
  CHECK(size == 0);
  CHECK(ring_receive_little(ring.receiver, got.data(), got.size(), size));
  CHECK(size == little.size());
  CHECK_FALSE(ring_receive_little(ring.receiver, got.data(), got.size(), size));
}

TEST_CASE("a full ring takes nothing, and says how much room is needed") {
  two_sides ring;
  const std::vector<unsigned char> message(100);
  int sent = 0;
  while (ring.send(message) == KITH_OK) ++sent;
  CHECK(sent == 4096 / 128);
  outgoing out{message.data(), message.size()};
  uint64_t needed = 0;
  CHECK_STATUS(ring_send_frame(ring.sender, out, &needed), KITH_E_TIMEOUT);
  CHECK(needed == 128);
  CHECK_FALSE(out.begun);
  std::vector<unsigned char> received;
  REQUIRE_OK(ring.receive(received));
  REQUIRE_OK(ring.send(message));
}

TEST_CASE("a message larger than the ring goes as frames that together are the message") {
  two_sides ring;
  const std::vector<unsigned char> message = test::noise(50'001, 1);
  outgoing out{message.data(), message.size()};
  std::vector<unsigned char> received;
  uint32_t flags_seen = 0;
  while (received.size() < message.size()) {
    uint64_t needed = 0;
    if (!out.done()) {
      const kith_status status = ring_send_frame(ring.sender, out, &needed);
      REQUIRE((status == KITH_OK || status == KITH_E_TIMEOUT));
      if (status == KITH_OK && !out.done()) continue;
    }
    frame_view frame;
    REQUIRE_OK(ring_peek_frame(ring.receiver, frame));
    CHECK(frame.header.total == message.size());
    CHECK(((frame.header.flags & frame_first) != 0) == received.empty());
    flags_seen |= frame.header.flags;
    const size_t before = received.size();
    received.resize(before + frame.header.payload);
    ring_copy_out(ring.receiver, frame, received.data() + before);
    ring_consume_frame(ring.receiver, frame);
    CHECK(((frame.header.flags & frame_last) != 0) == (received.size() == message.size()));
  }
  CHECK((received == message));
  CHECK(flags_seen == (frame_first | frame_last));
}

TEST_CASE("a side looks where the other one is only when it must") {
  two_sides ring;
  const std::vector<unsigned char> message(16);
  std::vector<unsigned char> received;
  REQUIRE_OK(ring.send(message));
  REQUIRE_OK(ring.send(message));
  REQUIRE_OK(ring.receive(received));
  CHECK(ring.receiver.seen == 64);
  CHECK(ring.sender.seen == 0);
  while (ring_send_whole(ring.sender, message.data(), message.size())) {
  }
  CHECK(ring.sender.position == ring.size);
  REQUIRE(ring_look_at_receiver(ring.sender));
  CHECK(ring.sender.seen == 32);
  CHECK(ring_send_whole(ring.sender, message.data(), message.size()));
  CHECK_FALSE(ring_send_whole(ring.sender, message.data(), message.size()));
}

TEST_CASE("a message of more than a quarter of the ring goes in parts, unless only the whole of it fits") {
  for (const uint64_t size : {1009u, 2000u, 4000u, 4080u}) {
    CAPTURE(size);
    two_sides ring;
    const std::vector<unsigned char> message(static_cast<size_t>(size));
    CHECK_FALSE(ring_send_whole(ring.sender, message.data(), size));
    outgoing out{message.data(), size};
    int frames = 0;
    uint64_t needed = 0;
    for (; !out.done(); ++frames) REQUIRE_OK(ring_send_frame(ring.sender, out, &needed));
    CHECK(frames == (size == 4080 ? 1 : static_cast<int>(size / 1008 + 1)));
  }
}

TEST_CASE("positions that no kith wrote are refused") {
  two_sides ring;
  const std::vector<unsigned char> message(16);
  std::vector<unsigned char> received;
  REQUIRE_OK(ring.send(message));
  for (const uint64_t head :
       {uint64_t{1}, uint64_t{15}, uint64_t{4097}, uint64_t{4112}, UINT64_MAX - 15, UINT64_MAX}) {
    ring.state.head.store(head);
    CHECK_STATUS(ring.receive(received), KITH_E_PROTOCOL);
  }
  // A sender looks where the receiver is when, by what it saw last, there is no room.
  while (ring.send(message) == KITH_OK) {
  }
  for (const uint64_t tail : {uint64_t{1}, uint64_t{4112}, uint64_t{4128}, UINT64_MAX - 4096, UINT64_MAX}) {
    ring.state.tail.store(tail);
    CHECK_STATUS(ring.send(message), KITH_E_PROTOCOL);
  }
  ring.state.head.store(8);
  ring.state.tail.store(8);
  CHECK_FALSE(ring_open_sender(ring.sender));
  CHECK_FALSE(ring_open_receiver(ring.receiver));
}

TEST_CASE("a frame that claims more than there is, is refused") {
  two_sides ring;
  std::vector<unsigned char> received;
  REQUIRE_OK(ring.send(std::vector<unsigned char>(16)));
  const frame_header wrong[] = {{17, frame_first | frame_last, 17},
                                {UINT32_MAX, frame_first | frame_last, UINT32_MAX},
                                {16, 4, 16},
                                {16, frame_object | frame_first, 16},
                                {16, frame_skip, 17},
                                {8176, frame_skip, 8176},
                                {16, frame_skip | frame_whole, 16},
                                {16, 16, 16},
                                {16, frame_first | frame_last, 17},
                                {16, frame_first, 15},
                                {UINT32_MAX - 15, frame_first, UINT64_MAX}};
  for (const frame_header& header : wrong) {
    CAPTURE(header.payload);
    std::memcpy(ring.bytes.get(), &header, sizeof header);
    CHECK_STATUS(ring.receive(received), KITH_E_PROTOCOL);
  }
}

TEST_CASE("random bytes in a ring are a message, none, or refused, and are never read beyond the ring") {
  uint64_t state = 42;
  for (int round = 0; round < 5000; ++round) {
    two_sides ring;
    for (uint64_t i = 0; i < ring.size; i += 8) {
      const uint64_t random = test::next_random(state);
      std::memcpy(ring.bytes.get() + i, &random, 8);
    }
    // Half of the headers begin nearly as a true one.
    if (round % 2 == 0) {
      const frame_header header{static_cast<uint32_t>(test::next_random(state) % 8192),
                                static_cast<uint32_t>(test::next_random(state) % 8),
                                test::next_random(state) % 8192};
      std::memcpy(ring.bytes.get(), &header, sizeof header);
    }
    ring.state.head.store(test::next_random(state) % 5000 / 16 * 16);
    std::vector<unsigned char> received;
    kith_status status;
    while ((status = ring.receive(received)) == KITH_OK) {
    }
    CHECK((status == KITH_E_PROTOCOL || status == KITH_E_TIMEOUT));
  }
}

TEST_CASE("a place in one piece is found behind an empty frame where the ring ends too soon") {
  for (uint64_t before = 0; before < smallest_ring; before += ring_alignment) {
    CAPTURE(before);
    two_sides ring;
    // As if so much had been sent and received already.
    ring.state.head.store(before);
    ring.state.tail.store(before);
    REQUIRE(ring_open_sender(ring.sender));
    REQUIRE(ring_open_receiver(ring.receiver));
    for (const uint64_t size : {smallest_ring / 2, smallest_ring / 2 - 16, uint64_t{100}}) {
      reservation place;
      uint64_t needed = 0;
      bool published = false;
      kith_status status = ring_reserve(ring.sender, size, place, &needed, published);
      frame_view frame;
      if (status == KITH_E_TIMEOUT) {
        REQUIRE(published);
        REQUIRE(needed == ring_bytes_of_frame(size));
        REQUIRE_OK(ring_peek_frame(ring.receiver, frame));
        REQUIRE(frame.header.flags == frame_skip);
        ring_consume_frame(ring.receiver, frame);
        status = ring_reserve(ring.sender, size, place, &needed, published);
      }
      REQUIRE_OK(status);
      const uint64_t at = place.position % smallest_ring;
      REQUIRE(at + size <= smallest_ring);
      std::memset(ring.bytes.get() + at, 7, static_cast<size_t>(size));
      ring_commit(ring.sender, place, size);
      REQUIRE_OK(ring_peek_frame(ring.receiver, frame));
      if (frame.header.flags == frame_skip) {
        ring_consume_frame(ring.receiver, frame);
        REQUIRE_OK(ring_peek_frame(ring.receiver, frame));
      }
      REQUIRE(frame.header.flags == frame_whole);
      REQUIRE(frame.header.payload == size);
      REQUIRE(frame.position == place.position);
      std::vector<unsigned char> received(static_cast<size_t>(size));
      ring_copy_out(ring.receiver, frame, received.data());
      CHECK((received == std::vector<unsigned char>(static_cast<size_t>(size), 7)));
      ring_consume_frame(ring.receiver, frame);
    }
  }
}
