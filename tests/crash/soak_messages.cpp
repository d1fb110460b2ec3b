// SPDX-License-Identifier: MIT
// Messages between each worker and the parent, and items in a queue of all. Every byte follows from who sent what, so that nothing torn,
// lost, doubled or out of order goes unnoticed. Workers are killed while they send and receive, put and take; only what one of them
// was about at that moment may be lost.
#include <cstring>

#include "soak_parent.h"

namespace soak {

namespace {

constexpr size_t largest_message = 3 * line_ring;
constexpr size_t largest_item = 3'000;
constexpr int messages_at_a_time = 4;

unsigned char outgoing[largest_message];
unsigned char incoming[largest_message];

uint64_t up_to(actor& self, uint64_t bound) { return next_random(self.random) % bound; }

unsigned long long shown(uint64_t number) { return number; }

}  // namespace

// ---- bytes -------------------------------------------------------------------------------------------------------------------

// What the message of that number is made of. The sender is the name of a worker; its messages differ from those to it.
void write_bytes(unsigned char* bytes, size_t size, uint64_t sender, uint64_t number) {
  uint64_t state = sender * 0x9E3779B97F4A7C15u ^ (number << 20) ^ size;
  for (size_t at = 0; at < size; at += sizeof state) {
    const uint64_t next = next_random(state);
    std::memcpy(bytes + at, &next, size - at < sizeof next ? size - at : sizeof next);
  }
}

bool are_bytes_of(const unsigned char* bytes, size_t size, uint64_t sender, uint64_t number) {
  static unsigned char expected[largest_message];
  write_bytes(expected, size, sender, number);
  return std::memcmp(bytes, expected, size) == 0;
}

namespace {

// Nothing, little, or up to three times what the ring holds.
size_t some_size(actor& self) {
  const uint64_t kind = up_to(self, 16);
  if (kind < 2) return 0;
  if (kind == 2) return static_cast<size_t>(up_to(self, largest_message + 1));
  return static_cast<size_t>(1 + up_to(self, 300));
}

// ---- a channel, from either side ---------------------------------------------------------------------------------------------------

struct line_side {
  kith_channel* line;
  uint64_t sender_of_ours;  // differs in the two directions
  uint64_t sender_of_theirs;
  std::atomic<uint64_t>* sent;
  std::atomic<uint64_t>* received;
};

uint64_t from_parent(uint64_t worker) { return ~worker; }

line_side side_of_worker(actor& self) {
  return {self.all.line, self.me, from_parent(self.me), &self.mine->messages_sent,
          &self.mine->messages_received};
}

line_side side_of_parent(parent& all, uint32_t at) {
  worker& one = all.workers[at];
  return {one.line, from_parent(one.name), one.name, &one.sent, &one.received};
}

// A message that is given up at its deadline was not sent: the next one has its number, and another size.
kith_status send_next(actor& self, const line_side& side, size_t size, int64_t timeout_ms) {
  write_bytes(outgoing, size, side.sender_of_ours, *side.sent);
  const kith_status status = kith_channel_send(side.line, outgoing, size, timeout_ms);
  if (status == KITH_OK) add(*side.sent);
  if (status == KITH_E_TIMEOUT) add(self.mine->messages_given_up);
  return status;
}

kith_status receive_next(actor& self, const line_side& side, int64_t timeout_ms) {
  size_t size = 0;
  const kith_status status = kith_channel_recv(side.line, incoming, sizeof incoming, &size, timeout_ms);
  if (status != KITH_OK) return status;
  if (!are_bytes_of(incoming, size, side.sender_of_theirs, *side.received))
    fail(self, "message %llu, of %zu bytes, is not what was sent", shown(*side.received), size);
  add(*side.received);
  return status;
}

}  // namespace

int64_t some_timeout(actor& self) {
  const uint64_t kind = up_to(self, 8);
  if (kind == 0) return 0;
  return kind == 1 ? static_cast<int64_t>(1 + up_to(self, 20)) : longest_wait_ms;
}

void judge(actor& self, const char* call, kith_status status, int64_t timeout_ms, uint64_t start) {
  const uint64_t waited = now_us() - start;
  std::atomic<uint64_t>& longest = self.mine->longest_wait_us[self.mine->object];
  if (waited > longest) longest = waited;
  if (status != KITH_E_TIMEOUT) return expect(self, call, status, KITH_OK);
  if (timeout_ms == longest_wait_ms)
    fail(self, "%s waited for %lld ms in vain", call, static_cast<long long>(timeout_ms));
}

void use_line(actor& self) {
  const line_side side = side_of_worker(self);
  const int64_t timeout_ms = some_timeout(self);
  const bool sends = up_to(self, 2) == 0;
  begin(self, message_line, sends ? putting : taking);
  const uint64_t start = now_us();
  const kith_status status =
      sends ? send_next(self, side, some_size(self), timeout_ms) : receive_next(self, side, timeout_ms);
  judge(self, sends ? "kith_channel_send" : "kith_channel_recv", status, timeout_ms, start);
}

// ---- the queue ---------------------------------------------------------------------------------------------------------------

namespace {

struct item_head {
  uint64_t sender;
  uint64_t number;
};

void check_item(actor& self, size_t size) {
  item_head head{};
  const size_t rest = size - sizeof head;
  if (size >= sizeof head) std::memcpy(&head, incoming, sizeof head);
  const uint64_t at = head.sender & ((1u << place_bits) - 1);
  const bool whole = size >= sizeof head && at <= self.notes->workers &&
                     are_bytes_of(incoming + sizeof head, rest, head.sender, head.number);
  if (!whole) return fail(self, "an item of %zu bytes is not what was put", size);
  // Of each sender, and of each that stood at its place before, every taker sees a part, in order.
  item_seen& last = self.items_seen[at];
  const bool later = head.sender > last.sender || (head.sender == last.sender && head.number > last.number);
  if (!later)
    fail(self, "item %llu of %llx came after item %llu of %llx", shown(head.number), shown(head.sender),
         shown(last.number), shown(last.sender));
  last = {head.sender, head.number};
}

}  // namespace

kith_status put_item(actor& self, int64_t timeout_ms) {
  begin(self, item_queue, putting);
  const item_head head{self.me, ++self.items_made};
  const size_t rest = static_cast<size_t>(up_to(self, up_to(self, 8) == 0 ? largest_item : 100));
  std::memcpy(outgoing, &head, sizeof head);
  write_bytes(outgoing + sizeof head, rest, head.sender, head.number);
  self.mine->doubt = putting_item;
  const kith_status status = kith_queue_put(self.all.items, outgoing, sizeof head + rest, timeout_ms);
  if (status == KITH_OK) add(self.mine->items_put);
  self.mine->doubt = no_doubt;
  return status;
}

kith_status take_item(actor& self, int64_t timeout_ms) {
  begin(self, item_queue, taking);
  size_t size = 0;
  self.mine->doubt = taking_item;
  const kith_status status = kith_queue_get(self.all.items, incoming, sizeof incoming, &size, timeout_ms);
  if (status == KITH_OK) add(self.mine->items_taken);
  self.mine->doubt = no_doubt;
  if (status == KITH_OK) check_item(self, size);
  return status;
}

void use_items(actor& self) {
  const int64_t timeout_ms = some_timeout(self);
  const bool puts = up_to(self, 2) == 0;
  const uint64_t start = now_us();
  const kith_status status = puts ? put_item(self, timeout_ms) : take_item(self, timeout_ms);
  judge(self, puts ? "kith_queue_put" : "kith_queue_get", status, timeout_ms, start);
}

// ---- the parent's side -------------------------------------------------------------------------------------------------------

// The worker's end, to be given to it; nullptr: it could not be made.
kith_channel* open_line(parent& all, uint32_t at) {
  worker& one = all.workers[at];
  kith_channel_options options{};
  options.struct_size = sizeof options;
  options.ring_size = line_ring;
  kith_channel* of_worker = nullptr;
  expect(all.self, "kith_channel_create", kith_channel_create(&options, &one.line, &of_worker), KITH_OK);
  one.sent = one.received = 0;
  all.self.notes->places[at].messages_sent = 0;
  all.self.notes->places[at].messages_received = 0;
  return of_worker;
}

namespace {

// A worker that was told to end closes its end, perhaps before we look.
void judge_feed(parent& all, const char* call, kith_status status) {
  const bool may_have_ended = all.self.notes->stop != 0 && status == KITH_E_CLOSED;
  if (status != KITH_E_TIMEOUT && !may_have_ended) expect(all.self, call, status, KITH_OK);
}

}  // namespace

// Waits for nobody: what does not fit is tried again, some of it a little longer.
void feed_line(parent& all, uint32_t at) {
  actor& self = all.self;
  const line_side side = side_of_parent(all, at);
  begin(self, message_line, taking);
  kith_status status = KITH_OK;
  for (int i = 0; i < messages_at_a_time && status == KITH_OK; ++i) status = receive_next(self, side, 0);
  judge_feed(all, "kith_channel_recv", status);
  begin(self, message_line, putting);
  judge_feed(all, "kith_channel_send", send_next(self, side, some_size(self), up_to(self, 16) == 0 ? 1 : 0));
}

// All that was sent comes, then the truth about the end.
void finish_line(parent& all, uint32_t at, bool killed) {
  actor& self = all.self;
  worker& one = all.workers[at];
  const line_side side = side_of_parent(all, at);
  const kith_status end = killed ? KITH_E_PEER_DIED : KITH_E_CLOSED;
  begin(self, message_line, taking);
  kith_status status = KITH_OK;
  while (status == KITH_OK && !self.wrong) status = receive_next(self, side, longest_wait_ms);
  expect(self, "the last kith_channel_recv", status, end);
  const uint64_t sent = self.notes->places[at].messages_sent;
  const uint64_t doubtful = killed ? 1 : 0;  // sent, but not noted any more
  if (one.received < sent || one.received > sent + doubtful)
    fail(self, "%llu messages came of %llu", shown(one.received), shown(sent));
  if (self.notes->places[at].messages_received > one.sent)
    fail(self, "%llu messages were received of %llu", shown(self.notes->places[at].messages_received),
         shown(one.sent));
  begin(self, message_line, putting);
  for (status = KITH_OK; status == KITH_OK && !self.wrong;)
    status = send_next(self, side, 100, longest_wait_ms);
  expect(self, "the last kith_channel_send", status, end);
  all.done.messages += one.received + one.sent;
  kith_channel_close(one.line);
  one.line = nullptr;
}

// Workers that all wait on the same side would wait for each other.
void feed_items(parent& all) {
  const uint64_t count = kith_queue_count(all.self.all.items);
  if (count == 0) expect(all.self, "kith_queue_put", put_item(all.self, longest_wait_ms), KITH_OK);
  if (count == 0 || up_to(all.self, 4) != 0) return;
  const kith_status status = take_item(all.self, 0);
  if (status != KITH_E_TIMEOUT) expect(all.self, "kith_queue_get", status, KITH_OK);
}

// Exact, but for those who were killed in the middle.
void check_items(parent& all) {
  actor& self = all.self;
  while (!self.wrong && kith_queue_count(self.all.items) != 0)
    expect(self, "kith_queue_get", take_item(self, longest_wait_ms), KITH_OK);
  begin(self, item_queue, outside);
  const uint64_t put = sum_of(all, &place::items_put);
  const uint64_t taken = sum_of(all, &place::items_taken);
  const uint64_t putting_doubts = all.done.doubts[putting_item], taking_doubts = all.done.doubts[taking_item];
  if (taken > put + putting_doubts || taken + taking_doubts < put)
    fail(self, "%llu items put, %llu taken; killed while they put: %llu, took: %llu", shown(put),
         shown(taken), shown(putting_doubts), shown(taking_doubts));
}

}  // namespace soak
