// SPDX-License-Identifier: MIT
// Two broadcasts of all to all: one whose readers are told what they missed, and one whose readers hold the writers back. Every byte follows
// from who published what. Workers are killed while they publish, write in place, read, look, take a seat and leave it; only what one was
// publishing at that moment may be lost.
#include <cstring>
#include <initializer_list>

#include "soak_parent.h"

namespace soak {

namespace {

constexpr uint64_t ring_size = 4096;
constexpr size_t largest_message = 900;  // a quarter of the ring is a little more
constexpr int most_at_a_time = 6;

uint64_t up_to(actor& self, uint64_t bound) { return next_random(self.random) % bound; }

unsigned long long shown(uint64_t number) { return number; }

struct message_head {
  uint64_t sender;
  uint64_t number;  // from 1 on
};

kith_broadcast* broadcast_of(const actor& self, news which) {
  return which == told ? self.all.told : self.all.held;
}
object_id object_of(news which) { return which == told ? told_broadcast : held_broadcast; }

// ---- publishing --------------------------------------------------------------------------------------------------------------------

kith_status publish_in_place(kith_broadcast* broadcast, const unsigned char* bytes, size_t size,
                             int64_t timeout_ms) {
  void* room = nullptr;
  const kith_status status = kith_broadcast_reserve(broadcast, size, &room, timeout_ms);
  if (status != KITH_OK) return status;
  std::memcpy(room, bytes, size);
  return kith_broadcast_commit(broadcast, size);
}

kith_status publish_next(actor& self, news which, int64_t timeout_ms) {
  begin(self, object_of(which), putting);
  const message_head head{self.me, self.published[which] + 1};
  const size_t rest =
      static_cast<size_t>(up_to(self, up_to(self, 8) == 0 ? largest_message - sizeof head : 120));
  unsigned char bytes[largest_message];
  std::memcpy(bytes, &head, sizeof head);
  write_bytes(bytes + sizeof head, rest, head.sender, head.number);
  kith_broadcast* const broadcast = broadcast_of(self, which);
  const size_t size = sizeof head + rest;
  self.mine->doubt = which == told ? publishing_told : publishing_held;
  const kith_status status = up_to(self, 6) == 0 ? publish_in_place(broadcast, bytes, size, timeout_ms)
                                                 : kith_broadcast_publish(broadcast, bytes, size, timeout_ms);
  if (status == KITH_OK) {
    ++self.published[which];
    add(self.mine->published[which]);
  }
  self.mine->doubt = no_doubt;
  return status;
}

void publish_some(actor& self, news which) {
  const int64_t timeout_ms = some_timeout(self);
  const uint64_t start = now_us();
  const kith_status status = publish_next(self, which, timeout_ms);
  judge(self, "kith_broadcast_publish", status, timeout_ms, start);
}

// ---- reading -----------------------------------------------------------------------------------------------------------------------

// Of each sender every reader sees a part, in order; where nothing can be missed, all of it, from the first on that it has seen.
void check_order(actor& self, listener& reader, news which, const message_head& head) {
  item_seen& last = reader.seen[head.sender & ((1u << place_bits) - 1)];
  const bool is_next = head.sender == last.sender && head.number == last.number + 1;
  const bool is_later =
      head.sender > last.sender || (head.sender == last.sender && head.number > last.number);
  const bool begins_well = head.sender != last.sender && (!reader.from_the_beginning || head.number == 1);
  const bool holds = which == told ? is_later : is_next || (head.sender > last.sender && begins_well);
  if (!holds)
    fail(self, "message %llu of %llx came after message %llu of %llx", shown(head.number), shown(head.sender),
         shown(last.number), shown(last.sender));
  last = {head.sender, head.number};
}

void check_message(actor& self, listener& reader, news which, const unsigned char* bytes, size_t size) {
  message_head head{};
  if (size >= sizeof head) std::memcpy(&head, bytes, sizeof head);
  const uint64_t at = head.sender & ((1u << place_bits) - 1);
  const bool whole = size >= sizeof head && at <= self.notes->workers &&
                     are_bytes_of(bytes + sizeof head, size - sizeof head, head.sender, head.number);
  if (!whole) return fail(self, "a message of %zu bytes is not what was published", size);
  check_order(self, reader, which, head);
}

kith_status take_by_a_look(listener& reader, unsigned char* bytes, size_t& size, uint64_t& missed,
                           int64_t timeout_ms) {
  const void* shown = nullptr;
  const kith_status status = kith_reader_peek(reader.reader, &shown, &size, &missed, timeout_ms);
  if (status < KITH_OK) return status;
  if (size <= largest_message) std::memcpy(bytes, shown, size);
  // Overwritten meanwhile: what was copied means nothing, and will be among what was missed.
  return kith_reader_consume(reader.reader) == KITH_OK ? status : KITH_E_BUSY;
}

kith_status read_next(actor& self, listener& reader, news which, int64_t timeout_ms) {
  begin(self, object_of(which), taking);
  unsigned char bytes[largest_message];
  size_t size = 0;
  uint64_t missed = 0;
  const kith_status status =
      up_to(self, 6) == 0 ? take_by_a_look(reader, bytes, size, missed, timeout_ms)
                          : kith_reader_next(reader.reader, bytes, sizeof bytes, &size, &missed, timeout_ms);
  if (status == KITH_E_BUSY && which == told) return KITH_OK;
  if (status == KITH_E_TIMEOUT) return status;
  if (which == told && status == KITH_MISSED ? missed == 0 : status != KITH_OK || missed != 0) {
    fail(self, "a message gave %s, %llu missed", kith_status_name(status), shown(missed));
    return KITH_E_PROTOCOL;
  }
  check_message(self, reader, which, bytes, size);
  reader.got_or_missed += 1 + missed;
  return KITH_OK;
}

void subscribe(actor& self, listener& reader, news which, int64_t history) {
  begin(self, object_of(which), starting);
  expect(self, "kith_broadcast_subscribe",
         kith_broadcast_subscribe(broadcast_of(self, which), history, &reader.reader), KITH_OK);
}

void read_some(actor& self, listener& reader, news which) {
  for (uint64_t left = 1 + up_to(self, most_at_a_time); left != 0 && !self.wrong; --left) {
    if (read_next(self, reader, which, up_to(self, 4) == 0 ? 2 : 0) != KITH_OK) return;
  }
}

}  // namespace

void use_told(actor& self) {
  if (up_to(self, 2) == 0) return publish_some(self, told);
  listener& mine = self.listeners[told];
  if (mine.reader == nullptr) subscribe(self, mine, told, static_cast<int64_t>(up_to(self, 4)) - 1);
  if (!self.wrong) read_some(self, mine, told);
}

// A seat is kept for the time of a turn, as who waits elsewhere would hold all writers back.
void use_held(actor& self) {
  if (up_to(self, 2) == 0) return publish_some(self, held);
  listener& mine = self.listeners[held] = {};
  subscribe(self, mine, held, static_cast<int64_t>(up_to(self, 4)) - 1);
  if (!self.wrong) read_some(self, mine, held);
  begin(self, held_broadcast, releasing);
  kith_reader_close(mine.reader);
  mine.reader = nullptr;
}

void stop_listening(actor& self) {
  for (listener& each : self.listeners) kith_reader_close(each.reader);
}

// ---- the parent's side -------------------------------------------------------------------------------------------------------------

bool listen_from_the_beginning(actor& self) {
  for (const news which : {told, held}) {
    listener& mine = self.listeners[which];
    mine.from_the_beginning = true;
    if (kith_broadcast_subscribe(broadcast_of(self, which), 0, &mine.reader) != KITH_OK) return false;
  }
  return true;
}

namespace {

void read_to_the_end(actor& self, news which) {
  while (!self.wrong && read_next(self, self.listeners[which], which, 0) == KITH_OK) {
  }
}

}  // namespace

// Reads all of the one, as the writers would wait for us, and so little of the other that it misses some.
void feed_broadcasts(parent& all) {
  actor& self = all.self;
  read_to_the_end(self, held);
  if (up_to(self, 4) == 0) read_some(self, self.listeners[told], told);
  const news which = up_to(self, 2) == 0 ? told : held;
  const kith_status status = publish_next(self, which, 0);
  if (status != KITH_E_TIMEOUT) expect(self, "kith_broadcast_publish", status, KITH_OK);
}

// Exact: what the parent got and missed is what was published, and that is what the publishers say, but for those killed in the middle.
void check_broadcasts(parent& all) {
  actor& self = all.self;
  for (const news which : {told, held}) {
    // The last ones were killed: there is nobody in the way of the next writer.
    expect(self, "kith_broadcast_publish", publish_next(self, which, longest_wait_ms), KITH_OK);
    read_to_the_end(self, which);
    begin(self, object_of(which), outside);
    const uint64_t count = kith_broadcast_count(broadcast_of(self, which));
    const uint64_t doubts = all.done.doubts[which == told ? publishing_told : publishing_held];
    uint64_t published = 0;
    for (uint32_t i = 0; i <= all.wanted.workers; ++i) published += self.notes->places[i].published[which];
    if (self.listeners[which].got_or_missed != count)
      fail(self, "%llu got or missed of %llu", shown(self.listeners[which].got_or_missed), shown(count));
    if (count < published || count > published + doubts)
      fail(self, "%llu messages; %llu were published, %llu were killed doing that", shown(count),
           shown(published), shown(doubts));
  }
}

bool create_broadcasts(objects& all) {
  kith_broadcast_options options{};
  options.struct_size = sizeof options;
  options.ring_size = ring_size;
  if (kith_broadcast_create(&options, &all.told) != KITH_OK) return false;
  options.flags = KITH_BROADCAST_HOLD;
  return kith_broadcast_create(&options, &all.held) == KITH_OK;
}

}  // namespace soak
