// SPDX-License-Identifier: MIT
// What calls of a channel do while they have the turn in one direction: take it, look around, and sleep.
#pragma once

#include "channel.h"
#include "waiting.h"

namespace kith {

// Threads of the holder take turns at an end, and holders of a shared one do. A thread of an end that is not shared can only have died
// together with its process, and who dies in a turn at a shared one has sent or taken a frame, or has not: each is one store. Who had a part
// of a message takes that along, and whoever comes next leaves out the rest. So nothing is ever to be repaired.
class turn {
 public:
  enum class way { send, receive };

  // When it has the turn and the end is sound, status() is KITH_OK. KITH_E_DEADLOCK: this thread has kept its turn.
  turn(channel_object& self, way direction, const shm::patience& limits);
  ~turn();
  turn(const turn&) = delete;
  turn& operator=(const turn&) = delete;
  kith_status status() const { return status_; }

  // The turn goes on when this call ends. Until end_kept(), by the same thread, or a close.
  void keep();
  static bool is_kept(const channel_object& self, way direction);  // by this thread
  static void end_kept(channel_object& self, way direction);
  // When nobody uses the object any more: a turn that some thread has kept ends.
  static void end_forsaken(channel_object& self, way direction);

 private:
  kith_status begin(const shm::patience& limits);
  kith_status acquire(const shm::patience& limits);

  channel_object& self_;
  const way direction_;
  kith_status status_ = KITH_OK;
  bool taken_ = false;
};

// A look at the stream by a thread that has no turn: a move of the end waits until it is over, before it closes the stream.
class stream_looker {
 public:
  // Seq_cst, as the mover's store and load in channel_end_move: either it sees us, or we see that the end has moved.
  explicit stream_looker(channel_object& self) : self_(self) {
    self_.lookers.fetch_add(1, std::memory_order_seq_cst);
    may_ = !self_.moved.load(std::memory_order_seq_cst);
  }
  ~stream_looker() { self_.lookers.fetch_sub(1, std::memory_order_seq_cst); }
  stream_looker(const stream_looker&) = delete;
  stream_looker& operator=(const stream_looker&) = delete;
  bool may() const { return may_; }  // false: the end has moved

 private:
  channel_object& self_;
  bool may_ = false;
};

// ---- looking around --------------------------------------------------------------------------------------------------------------

kith_status look_at_self(const channel_object& self);  // KITH_E_CLOSED, KITH_E_MOVED
bool closed_by_peer(channel_object& self);
// KITH_OK: the other holder is there. A system call.
kith_status look_at_peer(channel_object& self);

// Hints, for who spins; whoever then looks into the ring pairs with the other side's release.
inline bool something_came(const channel_object& self) {
  return self.receiver.state->head.load(std::memory_order_relaxed) != self.receiver.position;
}

inline bool has_room(const channel_object& self, uint64_t needed) {
  const uint64_t used = self.sender.position - self.sender.state->tail.load(std::memory_order_relaxed);
  return used <= self.sender.bytes.size && self.sender.bytes.size - used >= needed;
}

// ---- sending, with the turn ----------------------------------------------------------------------------------------------------------

// Before each message: whether the other side is there, as far as that is known. A death that was told once is told from then on.
kith_status look_at_receiver(channel_object& self);

// Sleeps for a slice, unless so many bytes are free, or the call must end.
kith_status wait_for_room(channel_object& self, uint64_t needed, shm::waiter& sleep);
void sleep_until_received(channel_object& self, uint64_t needed, shm::waiter& sleep, uint64_t now);

// Waits until a frame of so many bytes, its header included, can be put into the ring; at most the whole ring. KITH_OK: ring_room says so.
kith_status await_room(channel_object& self, uint64_t needed, const shm::patience& limits);

// Tries until it is done, or the call must end. `attempt(&needed)`: KITH_E_TIMEOUT: so many bytes must be free first.
template <class Attempt>
kith_status when_there_is_room(channel_object& self, const shm::patience& limits, shm::waiter& sleep,
                               Attempt attempt) {
  bool may_spin = true;  // once for each wait
  for (;;) {
    uint64_t needed = 0;
    kith_status status = attempt(&needed);
    if (status != KITH_E_TIMEOUT) return status;
    const bool came = may_spin && limits.spin_for([&] { return has_room(self, needed); });
    may_spin = false;
    if (came) continue;
    if (status = wait_for_room(self, needed, sleep); status != KITH_OK) return status;
  }
}

kith_status send_message(channel_object& self, shm::outgoing& message, const shm::patience& limits);

// ---- receiving, with the turn ----------------------------------------------------------------------------------------------------------

// Sleeps for a slice, unless something came.
void sleep_until_sent(channel_object& self, shm::waiter& sleep, uint64_t now);

}  // namespace kith
