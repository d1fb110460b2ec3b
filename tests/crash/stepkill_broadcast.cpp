// SPDX-License-Identifier: MIT
// What can be done with a broadcast. All messages are of one size, filled with a letter of their own, and the first does not fit before the
// ring's end.
#include <algorithm>
#include <cstring>
#include <new>

#include "stepkill.h"

namespace stepkill {

namespace {

using kith::at_once;
using kith::deadline;
using kith::deadline_after;
using kith::no_deadline;
using kith::platform::clock_now;
using kith::shm::broadcast_reader;
using kith::shm::broadcast_view;

constexpr size_t message_size = 40;
constexpr uint64_t frame_size = 64;
constexpr uint64_t ring_size = kith::shm::broadcast_smallest;
constexpr uint64_t begins_at = ring_size - 48;

// Of the message with that number, or of the empty frame before it.
constexpr uint64_t position_of(uint64_t number) {
  return number == 0 ? begins_at : ring_size + number * frame_size;
}

uint64_t published(const frozen& then) {
  return then.broadcast_head == begins_at ? 0 : (then.broadcast_head - ring_size) / frame_size;
}

// Of this process, for the broadcast of the present try.
kith::shm::broadcast_writing writing;

broadcast_view view(world& w) {
  broadcast_view made;
  made.state = &w.shared->broadcast;
  made.ring = {w.shared->ring, ring_size};
  made.waiting = &w.area;
  made.threads = &writing.threads;
  return made;
}

broadcast_view with_seats(world& w) {
  broadcast_view made = view(w);
  made.seats = w.shared->broadcast_seats;
  made.seat_count = 2;
  return made;
}

// ---- steps -----------------------------------------------------------------------------------------------------------------------

kith_status publish(const broadcast_view& self, char letter, deadline until) {
  char message[message_size];
  std::memset(message, letter, sizeof message);
  writing.view = self;
  const kith_status status = kith::shm::broadcast_publish_fast(writing, message, sizeof message);
  return status == KITH_E_BUSY ? kith::shm::broadcast_publish(self, message, sizeof message, {until})
                               : status;
}

// 0: none, as the status says; '?': it is not whole.
char next(const broadcast_view& self, broadcast_reader& reader, deadline until,
          kith_status* status = nullptr) {
  char message[message_size];
  kith::shm::broadcast_item taken{message, sizeof message, 0, 0};
  kith_status result = KITH_OK;
  size_t size = 0;
  if (kith::shm::broadcast_take_little(self, reader, message, sizeof message, size)) {
    taken.size = size;
  } else {
    reader.straight = 0;
    result = kith::shm::broadcast_next(self, reader, taken, {until});
    if (result == KITH_OK) kith::shm::broadcast_find_straight(self, reader);
  }
  if (status != nullptr) *status = result;
  if (result != KITH_OK) return 0;
  const bool whole = taken.size == message_size && std::all_of(message, message + message_size,
                                                               [&](char each) { return each == message[0]; });
  return whole ? message[0] : '?';
}

void publish_now(const broadcast_view& self, const char* letters) {
  for (; *letters != '\0'; ++letters) publish(self, *letters, no_deadline);
}

broadcast_reader reader_from(uint64_t number) {
  broadcast_reader made;
  made.position = made.seen = position_of(number);
  made.number = number;
  return made;
}

void have_no_favourite(world& w) { new (&w.shared->broadcast.bias) kith::shm::bias_state{}; }

// ---- before ----------------------------------------------------------------------------------------------------------------------

void begin(world& w) {
  kith::shm::broadcast_state& state = w.shared->broadcast;
  for (std::atomic<uint64_t>* each : {&state.head, &state.tail, &state.granted}) each->store(begins_at);
}

void begin_with_two(world& w) {
  begin(w);
  publish_now(view(w), "AB");
}

// Nobody's favourite has published it: the victim becomes the favourite at once.
void begin_with_one(world& w) {
  begin(w);
  publish_now(view(w), "A");
  have_no_favourite(w);
}

constexpr uint64_t full = 63;

// There is room for one more.
void begin_nearly_full(world& w) {
  begin(w);
  for (uint64_t i = 0; i < full - 1; ++i) publish_now(view(w), "F");
  have_no_favourite(w);
}

void begin_full(world& w) {
  begin_nearly_full(w);
  publish_now(view(w), "F");
  have_no_favourite(w);
}

// In the victim: has read nothing.
void sit_down(world& w) {
  w.shared->broadcast_seats[0].position.store(begins_at);
  w.shared->broadcast_seats[0].process.store(kith::platform::self().bits);
}

// Says which message it has.
void let_another_wait_for_a_message(world& w) {
  start_survivor(w, 0, [&w] {
    kith_status status = KITH_OK;
    broadcast_reader reader = reader_from(0);
    w.shared->reports[0].place.store(static_cast<uint32_t>(next(view(w), reader, no_deadline, &status)));
    return status;
  });
  await([&w] { return w.shared->broadcast.readers.load() != 0 && is_asleep(w, 0); });
}

void let_another_wait_for_room(world& w) {
  start_survivor(w, 0, [&w] { return publish(with_seats(w), 'C', no_deadline); });
  await([&w] { return w.shared->broadcast.writers.load() != 0 && is_asleep(w, 0); });
}

// ---- operations ------------------------------------------------------------------------------------------------------------------

void publish_v(world& w) { publish_now(view(w), "V"); }
void publish_two(world& w) { publish_now(view(w), "VW"); }
// The second by the bias, and the fourth by the shortest way, in the next sixteenth of the ring.
void publish_four(world& w) { publish_now(view(w), "VWXY"); }

void write_in_place(world& w) {
  kith::shm::broadcast_room room{};
  if (kith::shm::broadcast_reserve(view(w), 64, room, {no_deadline}) != KITH_OK) return;
  unsigned char* const bytes = kith::shm::broadcast_bytes(view(w), room.begin);
  for (size_t i = 0; i < message_size; ++i) bytes[i] = 'V';
  kith::shm::broadcast_commit(view(w), room, message_size);
}

void read_two(world& w) {
  broadcast_reader reader = reader_from(0);
  next(view(w), reader, no_deadline);
  next(view(w), reader, no_deadline);
}

void read_and_leave(world& w) {
  broadcast_reader reader = reader_from(0);
  reader.seat = 0;
  for (int i = 0; i < 20; ++i) next(with_seats(w), reader, no_deadline);
  kith::shm::broadcast_leave(with_seats(w), reader);
}

void join_and_leave(world& w) {
  broadcast_reader reader;
  if (kith::shm::broadcast_join(with_seats(w), 1, reader) != KITH_OK) return;
  next(with_seats(w), reader, no_deadline);
  kith::shm::broadcast_leave(with_seats(w), reader);
}

void shut(world& w) { kith::shm::broadcast_shut(view(w)); }

// ---- afterwards ------------------------------------------------------------------------------------------------------------------

// Another message can be published; then there are these and it, and their numbers follow upon each other.
void find(world& w, uint64_t number, std::string expected, judgement& verdict) {
  if (verdict.stuck()) return;
  const uint64_t since = clock_now();
  const kith_status status = publish(view(w), 'Z', deadline_after(since, patience_ns));
  verdict.came_back("the next to publish", {status, clock_now() - since}, KITH_OK);
  expected += 'Z';
  broadcast_reader reader = reader_from(number);
  for (const char letter : expected)
    verdict.must(next(view(w), reader, at_once) == letter, "each message comes, whole, in order");
  kith_status end = KITH_OK;
  next(view(w), reader, at_once, &end);
  verdict.must(end == KITH_E_TIMEOUT, "no more messages than that");
  verdict.must(kith::shm::broadcast_word(view(w), reader.position, 1).load() == reader.number,
               "the next message has its number");
}

void find_what_was_published(world& w, const frozen& then, judgement& verdict) {
  find(w, 0, std::string("AVWXY").substr(0, static_cast<size_t>(published(then))), verdict);
}

void find_all(world& w, const frozen&, judgement& verdict) { find(w, 0, "AB", verdict); }

void find_the_end_of_what_was_published(world& w, const frozen& then, judgement& verdict) {
  find(w, full - 1, std::string("VW").substr(0, static_cast<size_t>(published(then) - (full - 1))), verdict);
}

// Published by the victim: then the waiter comes back by itself. Otherwise somebody else publishes one.
void let_the_waiter_have_it(world& w, const frozen& then, judgement& verdict) {
  const bool was_published = then.broadcast_head != begins_at;
  const uint64_t since = was_published ? then.killed_at : clock_now();
  if (!was_published)
    verdict.must(publish(view(w), 'B', deadline_after(since, patience_ns)) == KITH_OK,
                 "another one can publish");
  verdict.came_back("the waiter", await_survivor(w, 0, since), KITH_OK);
  verdict.must(w.shared->reports[0].place.load() == static_cast<uint32_t>(was_published ? 'V' : 'B'),
               "the waiter has the message");
}

// The reader is dead, or has left: the writer has room either way.
void let_the_waiter_have_room(world& w, const frozen& then, judgement& verdict) {
  verdict.came_back("the waiter", await_survivor(w, 0, then.killed_at), KITH_OK);
}

void find_both_seats(world& w, const frozen&, judgement& verdict) {
  broadcast_reader one, other;
  verdict.must(kith::shm::broadcast_join(with_seats(w), 1, one) == KITH_OK, "a seat is free");
  verdict.must(kith::shm::broadcast_join(with_seats(w), 2, other) == KITH_OK, "the dead one's, too");
  verdict.must(next(with_seats(w), one, at_once) == 'B', "the newest message is there");
  verdict.must(next(with_seats(w), other, at_once) == 'A', "the one before, too");
  kith::shm::broadcast_leave(with_seats(w), one);
  kith::shm::broadcast_leave(with_seats(w), other);
}

void let_the_waiter_go(world& w, const frozen& then, judgement& verdict) {
  const uint64_t since = then.broadcast_shut ? then.killed_at : clock_now();
  if (!then.broadcast_shut) shut(w);
  verdict.came_back("the waiter", await_survivor(w, 0, since), KITH_E_CLOSED);
}

constexpr scenario all[] = {
    {"broadcast: publish four, the others as the favourite", true, 1, begin_with_one, nullptr, nullptr,
     publish_four, find_what_was_published},
    {"broadcast: publish where old messages must go", true, 1, begin_nearly_full, nullptr, nullptr,
     publish_two, find_the_end_of_what_was_published, 3},
    {"broadcast: write in place", true, 1, begin_with_one, nullptr, nullptr, write_in_place,
     find_what_was_published},
    {"broadcast: publish, while another process waits for a message", true, 1, begin, nullptr,
     let_another_wait_for_a_message, publish_v, let_the_waiter_have_it, 2},
    {"broadcast: read two messages", true, 3, begin_with_two, nullptr, nullptr, read_two, find_all},
    {"broadcast: read, while another process waits for room", true, 31, begin_full, sit_down,
     let_another_wait_for_room, read_and_leave, let_the_waiter_have_room, 15},
    {"broadcast: take a seat, leave it", true, 1, begin_with_two, nullptr, nullptr, join_and_leave,
     find_both_seats},
    {"broadcast: shut it down, while another process waits", true, 1, begin, nullptr,
     let_another_wait_for_a_message, shut, let_the_waiter_go},
};

}  // namespace

std::span<const scenario> broadcast_scenarios() { return all; }

}  // namespace stepkill
