// SPDX-License-Identifier: MIT
// What can be done with a channel. The victim holds one end, a survivor the other. Messages are numbered, and bytes say which: so a survivor
// sees whether those that came are whole, in order, and each there once. After the last one it must be told of a death, not of a close.
//
// The end of the victim's process is seen when nobody else has its end: so all others let go of it.
#include <poll.h>

#include <cstring>

#include "channel.h"
#include "stepkill.h"

namespace stepkill {

namespace {

using kith::channel_object;
using kith::object_kind;
using kith::pinned;
using kith::platform::clock_now;

constexpr uint64_t ring_size = 4096;
constexpr size_t small = 40;        // not more: some processors copy a byte a step
constexpr size_t in_parts = 2'500;  // three frames, and room for all of them
constexpr size_t too_big = 6'000;   // for the ring
constexpr uint64_t small_frame = 64;
constexpr uint32_t small_messages_that_fit = ring_size / small_frame;
constexpr int64_t patience_ms = patience_ns / kith::ns_per_ms;
constexpr uint32_t torn = UINT32_MAX;  // instead of the number of messages: one was not what was sent

enum holder : uint32_t { of_victim, of_survivor };

// Of this kill point, and of this process: whoever is forked has a copy.
kith_channel* ends[2];
kith_event* event;
size_t message_size;
unsigned char outgoing[too_big];
unsigned char incoming[too_big];

// ---- the channel -----------------------------------------------------------------------------------------------------------------

// Of the victim's end the memory is kept, to look at.
void let_go_of_victims_end() {
  const pinned<channel_object> pin(ends[of_victim], object_kind::channel);
  if (pin.status() != KITH_OK || pin->moved.exchange(true)) return;
  kith::platform::stream_close(pin->stream);
}

kith::shm::ring_state& ring_from(holder from) {
  const pinned<channel_object> pin(ends[of_survivor], object_kind::channel);
  return pin->state().rings[from];
}

void make_channel(size_t size, uint32_t flags, uint64_t large_message = 0) {
  for (kith_channel* const end : ends) kith_channel_close(end);
  kith_channel_options options{};
  options.large_message = large_message;
  options.struct_size = sizeof options;
  options.flags = flags;
  options.ring_size = ring_size;
  message_size = size;
  if (kith_channel_create(&options, &ends[of_victim], &ends[of_survivor]) != KITH_OK) abort();
}

// ---- messages --------------------------------------------------------------------------------------------------------------------

void write_message(uint32_t number) {
  for (size_t i = 0; i < message_size; ++i) outgoing[i] = static_cast<unsigned char>(number * 31 + i);
}

bool is_message(size_t size, uint32_t number) {
  write_message(number);
  return size == message_size && std::memcmp(incoming, outgoing, size) == 0;
}

// Before it is stepped, its message is written.
kith_status send(holder from, int64_t timeout_ms) {
  return kith_channel_send(ends[from], outgoing, message_size, timeout_ms);
}

kith_status receive(holder to, size_t* size, int64_t timeout_ms) {
  return kith_channel_recv(ends[to], incoming, sizeof incoming, size, timeout_ms);
}

// How the last receive ended. `count`: of the messages before, whose first has the number `first`.
kith_status receive_from(holder to, int64_t timeout_ms, uint32_t first, uint32_t& count) {
  for (count = 0;; ++count) {
    size_t size = 0;
    const kith_status status = receive(to, &size, timeout_ms);
    if (status == KITH_OK && is_message(size, first + count)) continue;
    if (status == KITH_OK) count = torn;
    return status;
  }
}

kith_status receive_to_the_end(holder to, int64_t timeout_ms, uint32_t& count) {
  return receive_from(to, timeout_ms, 0, count);
}

kith_status send_to_the_end(holder from, int64_t timeout_ms, uint32_t number) {
  for (;; ++number) {
    write_message(number);
    const kith_status status = send(from, timeout_ms);
    if (status != KITH_OK) return status;
  }
}

// Messages that are whole in the ring, by the frames that lie there. Nobody else receives meanwhile.
uint32_t count_committed() {
  const pinned<channel_object> pin(ends[of_survivor], object_kind::channel);
  const kith::shm::ring_state& ring = ring_from(of_victim);
  uint32_t whole = 0;
  for (uint64_t at = ring.tail.load(); at != ring.head.load();) {
    kith::shm::frame_header header;
    std::memcpy(&header, pin->receiver.bytes.bytes + at % ring_size, sizeof header);
    whole += (header.flags & kith::shm::frame_last) != 0 ? 1u : 0u;
    at += sizeof header + kith::shm::ring_padded(header.payload);
  }
  return whole;
}

// ---- before ----------------------------------------------------------------------------------------------------------------------

template <size_t size, uint32_t flags = 0>
void begin(world&) {
  make_channel(size, flags);
  write_message(0);
}

// What is larger than 4 KiB goes as memory.
void begin_as_memory(world&) {
  make_channel(too_big, 0, 4096);
  write_message(0);
}

void begin_with_memory(world& w) {
  begin_as_memory(w);
  send(of_survivor, KITH_FOREVER);
}

void begin_with_event(world& w) {
  begin<small>(w);
  kith_event_close(event);
  event = nullptr;
  if (kith_event_create(nullptr, &event) != KITH_OK) abort();
}

void begin_with_sent_event(world& w) {
  begin_with_event(w);
  kith_channel_send_object(ends[of_survivor], event, outgoing, message_size, KITH_FOREVER);
}

// The thread that had the last turn is the favourite, and goes the short way.
void send_one(world&) {
  send(of_victim, KITH_FOREVER);
  write_message(1);
}

// What the last turn has found makes the next one short.
void send_two_messages(world& w) {
  send_one(w);
  send(of_victim, KITH_FOREVER);
  write_message(2);
}

// One behind the other, the third first, so that each is written once.
void prepare_three(world&) {
  for (uint32_t number = 3; number-- > 0;) {
    write_message(number);
    if (number != 0) std::memcpy(outgoing + number * message_size, outgoing, message_size);
  }
}

void receive_one(world&) {
  size_t size = 0;
  receive(of_victim, &size, KITH_FOREVER);
}

void receive_two_messages(world& w) {
  receive_one(w);
  receive_one(w);
}

void fill(world&) {
  uint32_t number = 0;
  while (send(of_victim, 0) == KITH_OK) write_message(++number);
}

template <size_t size, uint32_t count, uint32_t flags = 0>
void begin_with(world& w) {
  begin<size, flags>(w);
  for (uint32_t number = 1; number <= count; ++number) {
    send(of_survivor, KITH_FOREVER);
    write_message(number);
  }
}

// The survivor is another process. It says how many messages it has received, and how the last receive ended.
void start_receiver(world& w) {
  start_survivor(w, 0, [&w] {
    let_go_of_victims_end();
    uint32_t count = 0;
    const kith_status status = receive_to_the_end(of_survivor, KITH_FOREVER, count);
    w.shared->reports[0].place.store(count);
    return status;
  });
}

template <size_t size>
void let_another_receive(world& w) {
  begin<size>(w);
  start_receiver(w);
}

// Receives only when the victim sleeps, or at the end.
template <size_t size>
void let_another_receive_later(world& w) {
  begin<size>(w);
  start_survivor(w, 0, [&w] {
    let_go_of_victims_end();
    await_sleeping_victim(w);
    uint32_t count = 0;
    const kith_status status = receive_to_the_end(of_survivor, KITH_FOREVER, count);
    w.shared->reports[0].place.store(count);
    return status;
  });
}

// As a loop receives: without waiting, and polls when there is nothing.
kith_status poll_to_the_end(uint32_t& count) {
  int64_t handle = 0;
  kith_channel_poll_handle(ends[of_survivor], &handle);
  count = 0;
  for (;;) {
    uint32_t more = 0;
    const kith_status status = receive_from(of_survivor, 0, count, more);
    count = more == torn ? torn : count + more;
    if (more == torn || status != KITH_E_TIMEOUT) return status;
    pollfd item{static_cast<int>(handle), POLLIN, 0};
    if (kith_poll_arm(ends[of_survivor], KITH_WAIT_READ) == KITH_OK) (void)poll(&item, 1, -1);
  }
}

void let_another_poll(world& w) {
  begin<small>(w);
  start_survivor(w, 0, [&w] {
    let_go_of_victims_end();
    uint32_t count = 0;
    const kith_status status = poll_to_the_end(count);
    w.shared->reports[0].place.store(count);
    return status;
  });
}

void let_another_send_later(world& w) {
  begin<small>(w);
  start_survivor(w, 0, [&w] {
    let_go_of_victims_end();
    await_sleeping_victim(w);
    return send_to_the_end(of_survivor, KITH_FOREVER, 0);
  });
}

template <size_t size>
void let_another_send(world& w) {
  begin<size>(w);
  start_survivor(w, 0, [] {
    let_go_of_victims_end();
    return send_to_the_end(of_survivor, KITH_FOREVER, 0);
  });
}

// So many that the sender, for whom the ring is full, is woken for the next one.
void receive_until_the_sender_is_nearly_woken(world&) {
  for (uint32_t i = 0; i + 1 < small_messages_that_fit / 4; ++i) {
    size_t size = 0;
    receive(of_victim, &size, KITH_FOREVER);
  }
}

// ---- when the victim is there ------------------------------------------------------------------------------------------------------

void let_go(world&) { let_go_of_victims_end(); }

void let_go_and_await_sleeper(world& w) {
  let_go_of_victims_end();
  await([&w] {
    const bool raised =
        ring_from(of_victim).receiver_asleep.load() != 0 || ring_from(of_survivor).sender_needs.load() != 0;
    return raised && is_asleep(w, 0);
  });
}

void let_go_and_await_poller(world& w) {
  let_go_of_victims_end();
  await([&w] { return ring_from(of_victim).receiver_asleep.load() != 0 && is_asleep(w, 0); });
}

void let_go_and_await_long_sleeper(world& w) {
  let_go_and_await_sleeper(w);
  pass_time(long_wait_ns);
}

// ---- operations ------------------------------------------------------------------------------------------------------------------

void send_message(world& w) {
  send(of_victim, KITH_FOREVER);
  w.shared->victim_returned.fetch_add(1);
}

void receive_message(world& w) {
  size_t size = 0;
  receive(of_victim, &size, KITH_FOREVER);
  w.shared->victim_returned.fetch_add(1);
}

void receive_two(world& w) {
  receive_message(w);
  receive_message(w);
}

void send_three(world&) {
  const size_t sizes[3] = {message_size, message_size, message_size};
  kith_channel_send_many(ends[of_victim], outgoing, sizes, 3, nullptr, KITH_FOREVER);
}

void reserve_and_commit(world& w) {
  void* place = nullptr;
  kith_channel_reserve(ends[of_victim], message_size, &place, KITH_FOREVER);
  std::memcpy(place, outgoing, message_size);
  kith_channel_commit(ends[of_victim], message_size);
  w.shared->victim_returned.fetch_add(1);
}

void peek_and_consume(world& w) {
  const void* place = nullptr;
  size_t size = 0;
  kith_channel_peek(ends[of_victim], &place, &size, KITH_FOREVER);
  kith_channel_consume(ends[of_victim]);
  w.shared->victim_returned.fetch_add(1);
}

void receive_several(world& w) {
  size_t sizes[3], count = 0;
  kith_channel_recv_many(ends[of_victim], incoming, sizeof incoming, sizes, 3, &count, KITH_FOREVER);
  w.shared->victim_returned.fetch_add(static_cast<uint32_t>(count));
}

void send_event(world&) {
  kith_channel_send_object(ends[of_victim], event, outgoing, message_size, KITH_FOREVER);
}

void receive_object(world& w) {
  void* object = nullptr;
  int32_t kind = 0;
  size_t size = 0;
  kith_channel_recv_object(ends[of_victim], &object, &kind, incoming, sizeof incoming, &size, KITH_FOREVER);
  w.shared->victim_returned.fetch_add(1);
}

void arm(world&) { kith_poll_arm(ends[of_victim], KITH_WAIT_READ); }

void close_end(world&) { kith_channel_close(ends[of_victim]); }

// ---- afterwards ------------------------------------------------------------------------------------------------------------------

void must_have_received(uint32_t count, uint64_t expected, judgement& verdict) {
  verdict.must(count != torn, "each message is whole, and in order");
  verdict.must(count == expected, "what was committed comes, each once, and nothing else");
}

// By this process.
void receive_all(world&, const frozen&, judgement& verdict) {
  const uint32_t expected = count_committed();
  uint32_t count = 0;
  const uint64_t since = clock_now();
  const kith_status status = receive_to_the_end(of_survivor, patience_ms, count);
  verdict.came_back("the receiver", {status, clock_now() - since}, KITH_E_PEER_DIED);
  must_have_received(count, expected, verdict);
}

// The message with its object, or neither of them.
void receive_event(world&, const frozen&, judgement& verdict) {
  const uint32_t expected = count_committed();
  const uint64_t since = clock_now();
  void* object = nullptr;
  int32_t kind = 0;
  size_t size = 0;
  const kith_status status = kith_channel_recv_object(ends[of_survivor], &object, &kind, incoming,
                                                      sizeof incoming, &size, patience_ms);
  verdict.came_back("the receiver", {status, clock_now() - since},
                    expected == 1 ? KITH_OK : KITH_E_PEER_DIED);
  if (status != KITH_OK) return;
  verdict.must(is_message(size, 0) && kind == KITH_OBJECT_EVENT, "the message is whole, and has its object");
  kith_event* const got = static_cast<kith_event*>(object);
  verdict.must(kith_event_set(got) == KITH_OK && kith_event_wait(event, 0) == KITH_OK, "it is that object");
  kith_event_close(got);
  verdict.must(receive(of_survivor, &size, patience_ms) == KITH_E_PEER_DIED, "then comes the end");
}

// The head tells how many small messages were committed.
void receiver_has_all(world& w, const frozen& then, judgement& verdict) {
  verdict.came_back("the receiver", await_survivor(w, 0, then.killed_at), KITH_E_PEER_DIED);
  must_have_received(w.shared->reports[0].place.load(), ring_from(of_victim).head.load() / small_frame,
                     verdict);
}

void late_receiver_has_all(world& w, const frozen&, judgement& verdict) {
  w.shared->holder_may_release.store(1);
  verdict.came_back("the receiver", await_survivor(w, 0, clock_now()), KITH_E_PEER_DIED);
  must_have_received(w.shared->reports[0].place.load(), ring_from(of_victim).head.load() / small_frame,
                     verdict);
}

// Whether the last part was committed is in the ring no more; but what was returned from was.
void late_receiver_has_the_big_one(world& w, const frozen& then, judgement& verdict) {
  w.shared->holder_may_release.store(1);
  verdict.came_back("the receiver", await_survivor(w, 0, clock_now()), KITH_E_PEER_DIED);
  const uint32_t count = w.shared->reports[0].place.load();
  verdict.must(count != torn, "the message is whole");
  verdict.must(count == 1 || (count == 0 && !then.victim_returned),
               "a message that was sent comes, and once");
}

// What the victim has taken is whole messages, and those from which it returned, or one more.
void must_have_taken_whole(world& w, uint32_t before, judgement& verdict) {
  const uint64_t tail = ring_from(of_survivor).tail.load();
  const uint64_t taken = tail / small_frame - before;
  const uint32_t returned = w.shared->victim_returned.load();
  verdict.must(tail % small_frame == 0, "messages are taken whole");
  verdict.must(taken == returned || taken == returned + 1, "and each once");
}

// This process holds the victim's end, too. Its turn begins where the victim's ended.
void send_after_the_victim(world&, const frozen&, judgement& verdict) {
  const uint32_t before = count_committed();
  write_message(before);
  const uint64_t since = clock_now();
  const kith_status sent = send(of_victim, patience_ms);
  verdict.came_back("the next sender", {sent, clock_now() - since}, KITH_OK);
  uint32_t count = 0;
  const kith_status status = receive_to_the_end(of_survivor, 0, count);
  verdict.must(status == KITH_E_TIMEOUT, "the channel goes on");
  must_have_received(count, before + 1, verdict);
}

template <uint32_t messages>
void receive_after_the_victim(world&, const frozen&, judgement& verdict) {
  const uint64_t taken = ring_from(of_survivor).tail.load() / small_frame;
  for (uint64_t number = taken; number < messages; ++number) {
    size_t size = 0;
    const uint64_t since = clock_now();
    const kith_status status = receive(of_victim, &size, patience_ms);
    verdict.came_back("the next receiver", {status, clock_now() - since}, KITH_OK);
    verdict.must(is_message(size, static_cast<uint32_t>(number)), "the next message is whole, and the next");
  }
  size_t size = 0;
  verdict.must(receive(of_victim, &size, 0) == KITH_E_TIMEOUT, "no more messages than that");
}

// By this process, which finds the ring full before it asks for the receiver.
template <uint32_t messages>
void send_and_receive_in_vain(world&, const frozen&, judgement& verdict) {
  uint64_t since = clock_now();
  const kith_status sent = send_to_the_end(of_survivor, patience_ms, messages);
  verdict.came_back("the sender", {sent, clock_now() - since}, KITH_E_PEER_DIED);
  uint32_t count = 0;
  since = clock_now();
  const kith_status received = receive_to_the_end(of_survivor, patience_ms, count);
  verdict.came_back("the receiver", {received, clock_now() - since}, KITH_E_PEER_DIED);
}

// Several at a time: they are taken together, or one after the other.
void must_have_taken_some(world& w, const frozen& then, judgement& verdict) {
  const uint64_t tail = ring_from(of_survivor).tail.load();
  verdict.must(tail % small_frame == 0 && tail / small_frame <= 3, "messages are taken whole, and each once");
  verdict.must(tail / small_frame >= w.shared->victim_returned.load(), "what was received was taken");
  send_and_receive_in_vain<3>(w, then, verdict);
}

template <uint32_t before>
void send_in_vain(world& w, const frozen& then, judgement& verdict) {
  must_have_taken_whole(w, before, verdict);
  send_and_receive_in_vain<3>(w, then, verdict);
}

void sender_is_told(world& w, const frozen& then, judgement& verdict) {
  verdict.came_back("the sender", await_survivor(w, 0, then.killed_at), KITH_E_PEER_DIED);
  must_have_taken_whole(w, small_messages_that_fit / 4 - 1, verdict);
}

void late_sender_is_told(world& w, const frozen&, judgement& verdict) {
  w.shared->holder_may_release.store(1);
  verdict.came_back("the sender", await_survivor(w, 0, clock_now()), KITH_E_PEER_DIED);
  must_have_taken_whole(w, 0, verdict);
}

void big_sender_is_told(world& w, const frozen& then, judgement& verdict) {
  verdict.came_back("the sender", await_survivor(w, 0, then.killed_at), KITH_E_PEER_DIED);
}

// A close counts from its flag on.
void receiver_is_told_of_the_end(world& w, const frozen& then, judgement& verdict) {
  const pinned<channel_object> pin(ends[of_survivor], object_kind::channel);
  const bool closed = pin->theirs().closed.load() != 0;
  verdict.came_back("the receiver", await_survivor(w, 0, then.killed_at),
                    closed ? KITH_E_CLOSED : KITH_E_PEER_DIED);
  must_have_received(w.shared->reports[0].place.load(), 1, verdict);
}

constexpr scenario all[] = {
    {"channel: send", true, 1, begin<small>, send_one, let_go, send_message, receive_all},
    {"channel: send, by the shortest way", true, 1, begin<small>, send_two_messages, let_go, send_message,
     receive_all},
    {"channel: send, in the first turn", true, 1, begin<small>, nullptr, let_go, send_message, receive_all},
    {"channel: send in parts", true, 7, begin<in_parts>, nullptr, let_go, send_message, receive_all},
    {"channel: send, while another process waits", true, 1, let_another_receive<small>, send_one,
     let_go_and_await_sleeper, send_message, receiver_has_all, 2},
    {"channel: send, while another process has waited for long", true, 1, let_another_receive<small>,
     send_one, let_go_and_await_long_sleeper, send_message, receiver_has_all, 17},
    {"channel: send, wait for room", true, 31, let_another_receive_later<small>, fill, let_go, send_message,
     late_receiver_has_all, 11},
    {"channel: send more than the ring", true, 31, let_another_receive_later<too_big>, nullptr, let_go,
     send_message, late_receiver_has_the_big_one, 7},
    {"channel: receive", true, 1, begin_with<small, 3>, receive_one, let_go, receive_message,
     send_in_vain<1>},
    {"channel: receive, by the shortest way", true, 1, begin_with<small, 3>, receive_two_messages, let_go,
     receive_message, send_in_vain<2>},
    {"channel: receive, in the first turn", true, 1, begin_with<small, 3>, nullptr, let_go, receive_message,
     send_in_vain<0>},
    {"channel: receive in parts", true, 7, begin_with<in_parts, 1>, nullptr, let_go, receive_message,
     send_and_receive_in_vain<1>},
    {"channel: receive, while another process waits for room", true, 1, let_another_send<small>,
     receive_until_the_sender_is_nearly_woken, let_go_and_await_sleeper, receive_two, sender_is_told, 2},
    {"channel: receive, wait for a message", true, 31, let_another_send_later, nullptr, let_go,
     receive_message, late_sender_is_told, 7},
    {"channel: receive more than the ring", true, 31, let_another_send<too_big>, nullptr, let_go,
     receive_message, big_sender_is_told, 5},
    {"channel: send three at once", true, 7, begin<small>, prepare_three, let_go, send_three, receive_all},
    {"channel: reserve and commit", true, 7, begin<small>, send_one, let_go, reserve_and_commit, receive_all,
     2},
    {"channel: receive several at once", true, 7, begin_with<small, 3>, nullptr, let_go, receive_several,
     must_have_taken_some, 2},
    {"channel: peek and consume", true, 7, begin_with<small, 3>, receive_one, let_go, peek_and_consume,
     send_in_vain<1>, 2},
    {"channel, shared ends: send", true, 7, begin<small, KITH_CHANNEL_SHARED_ENDS>, send_one, nullptr,
     send_message, send_after_the_victim, 2},
    {"channel, shared ends: receive", true, 7, begin_with<small, 3, KITH_CHANNEL_SHARED_ENDS>, nullptr,
     nullptr, receive_message, receive_after_the_victim<3>, 2},
    {"channel, shared ends: peek and consume", true, 7, begin_with<small, 3, KITH_CHANNEL_SHARED_ENDS>,
     nullptr, nullptr, peek_and_consume, receive_after_the_victim<3>, 2},
    {"channel: send as memory", true, 31, begin_as_memory, nullptr, let_go, send_message, receive_all, 7},
    {"channel: receive as memory", true, 31, begin_with_memory, nullptr, let_go, receive_message,
     send_and_receive_in_vain<1>, 7},
    {"channel: send an object", true, 31, begin_with_event, nullptr, let_go, send_event, receive_event, 3},
    {"channel: receive an object", true, 31, begin_with_sent_event, nullptr, let_go, receive_object,
     send_and_receive_in_vain<1>, 7},
    {"channel: arm", true, 7, begin<small>, nullptr, let_go, arm, send_and_receive_in_vain<0>, 2},
    {"channel: send, while another process polls", true, 7, let_another_poll, send_one,
     let_go_and_await_poller, send_message, receiver_has_all, 2},
    {"channel: close, while another process waits", true, 7, let_another_receive<small>, send_one,
     let_go_and_await_sleeper, close_end, receiver_is_told_of_the_end, 3},
};

}  // namespace

std::span<const scenario> channel_scenarios() { return all; }

}  // namespace stepkill
