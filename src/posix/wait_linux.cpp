// SPDX-License-Identifier: MIT
// A short sleep is a futex. A long one of a call that watches a process, or the end of a stream, is an io_uring, where there is one: it
// sleeps on the futex and on the process's pidfd, or the socket, at once, so that a death is noticed when it happens, and nobody need wake
// up only to look.
#include <poll.h>

#include "../allocator.h"
#include "futex.h"
#include "io_ring_linux.h"
#include "linux_calls.h"

namespace kith::platform {

namespace {

// Shorter ones are over before a ring would pay: making it takes some 50 us, a sleep on it twice what the futex takes.
constexpr uint64_t long_enough_ns = 10 * ns_per_ms;
constexpr uint32_t most_watched = 8;

constexpr uint64_t tag_of_word = 1, tag_of_peer = 2;  // of a process its identity, whose lowest bits are zero

struct deep_sleep {
  io_ring ring;
  bool on_word = false;  // a request for the word is pending
  bool on_peer = false;  // one for the end of the stream
  identity watched[most_watched];
  uint32_t watched_count = 0;
};

bool is_watched(const deep_sleep& self, identity who) {
  for (uint32_t i = 0; i < self.watched_count; ++i) {
    if (self.watched[i] == who) return true;
  }
  return false;
}

liveness watch(deep_sleep& self, identity who) {
  if (is_watched(self, who)) return liveness::alive;
  const native_handle process(pidfd_open(static_cast<pid_t>(who.pid())));
  // Asked when we have the pidfd: it is the process's that has this pid now, and that is the one we mean.
  const liveness state = alive(who);
  if (state != liveness::alive) return state;
  if (!process.valid() || self.watched_count == most_watched) return liveness::unknown;
  self.ring.watch(process.get(), POLLIN, who.bits);
  if (!self.ring.hand_over()) return liveness::unknown;
  // The kernel keeps the process from here on, and we close our pidfd.
  self.watched[self.watched_count++] = who;
  return liveness::alive;
}

// The end of a stream is what stream_look sees, too.
bool watch_peer(deep_sleep& self, const stream& peer) {
  if (self.on_peer) return true;
  self.ring.watch(peer.socket.get(), POLLHUP, tag_of_peer);
  self.on_peer = self.ring.hand_over();
  return self.on_peer;
}

void forget(deep_sleep& self, uint64_t tag) {
  if (tag == tag_of_peer) self.on_peer = false;
  for (uint32_t i = 0; i < self.watched_count; ++i) {
    if (self.watched[i].bits == tag) self.watched[i] = self.watched[--self.watched_count];
  }
}

deep_sleep* open_deep_sleep(long_sleep& memory) {
  if (memory.state != nullptr) return static_cast<deep_sleep*>(memory.state);
  deep_sleep* const made = make<deep_sleep>();
  if (made != nullptr && made->ring.open()) {
    memory.state = made;
    return made;
  }
  if (made != nullptr) unmake(made);
  return nullptr;
}

wait_result after(deep_sleep& self, const io_ring::completion& seen) {
  if (seen.tag != tag_of_word) {
    forget(self, seen.tag);
    return wait_result::watched_died;
  }
  self.on_word = false;
  const bool works = seen.result >= 0 || seen.result == -EAGAIN;  // woken, or the word was not as expected
  if (!works) self.ring.give_up_on_rings();
  return wait_result::look_again;
}

wait_result sleep_deeply(deep_sleep& self, const std::atomic<uint64_t>& word, uint64_t expected,
                         deadline until) {
  if (!self.on_word) self.ring.sleep_on(word, expected, tag_of_word);
  self.on_word = true;
  io_ring::completion seen{};
  switch (self.ring.wait(until, seen)) {
    case io_ring::outcome::completed: return after(self, seen);
    case io_ring::outcome::timed_out: return wait_result::timed_out;
    case io_ring::outcome::interrupted: return wait_result::interrupted;
    case io_ring::outcome::failed: self.ring.give_up_on_rings();
  }
  return wait_result::look_again;
}

}  // namespace

uint32_t parking_slots_wanted() { return 0; }
kith_status wait_area_open(wait_area&) { return KITH_OK; }
void wait_area_close(wait_area&) {}

void long_sleep_end(long_sleep& memory) {
  if (memory.state != nullptr) unmake(static_cast<deep_sleep*>(memory.state));
  memory.state = nullptr;
  memory.watches = memory.watches_peer = false;
}

wait_result wait(wait_area&, const std::atomic<uint64_t>& word, uint64_t expected, deadline until,
                 identity who, long_sleep& memory) {
  const bool watches = !who.nobody() || memory.peer != nullptr;
  const bool deep = watches && remaining_ns(until, clock_now()) >= long_enough_ns;
  // Once there is a request on the word, it may be the one that is woken: then only the ring knows.
  if (!deep && memory.state == nullptr) return futex_wait(word, expected, until);
  deep_sleep* const self = open_deep_sleep(memory);
  if (self == nullptr) return futex_wait(word, expected, until);
  const liveness state = who.nobody() ? liveness::unknown : watch(*self, who);
  if (state == liveness::dead) return wait_result::watched_died;
  memory.watches = state == liveness::alive;
  memory.watches_peer = memory.peer != nullptr && watch_peer(*self, *memory.peer);
  const wait_result result = sleep_deeply(*self, word, expected, until);
  if (!self->ring.is_open() || self->watched_count == most_watched) long_sleep_end(memory);
  return result;
}

void wake(wait_area&, const std::atomic<uint64_t>& word, uint32_t count) { futex_wake(word, count); }

}  // namespace kith::platform
