// SPDX-License-Identifier: MIT
// One end of a channel, as this process holds it.
#pragma once

#include <kith/kith.h>

#include <atomic>

#include "bias.h"
#include "buffer.h"
#include "channel_object.h"
#include "object.h"
#include "shm/ring.h"
#include "shm/segment.h"
#include "shm/spin.h"

namespace kith {

struct claimed_share;

// Some 6 us: while one side waits the other may have to copy some pages.
inline constexpr int pauses_for_a_message = 192, looks_for_a_message = 512;

// How a receiver that waits has fared lately. See let_some_come in channel_wait.cpp.
struct stream_habit {
  int32_t little =
      0;  // how often in a row a wait has brought next to nothing; negative: so often that is of no interest
  uint64_t received = 0;  // our position at the last wait
  uint64_t sent = 0;      // the other direction's at that time
};

// What the creator of a channel has chosen, read once and checked.
struct channel_terms {
  bool low_cpu = false;      // nobody spins
  bool shared_ends = false;  // each turn begins where the last one of any process ended; no bias
  uint64_t large_message = 0;
};

// A message that was shown and not taken yet. Guarded by the turn to receive.
struct shown_message {
  bool assembled = false;  // it is in the assembly, and not in the ring any more
  bool copied = false;     // what was shown is a copy, in the memory of the assembly
  shm::frame_view frame;   // where it lies in the ring
};

struct channel_object : object {
  shm::segment segment;
  platform::stream stream;  // the other end of it ends with the other holder
  uint32_t end = 0;
  channel_terms terms;
  std::atomic<bool> moved{false};
  // Threads that look at the stream without a turn. Pairs with `moved`: see channel_end_move.
  std::atomic<uint32_t> lookers{0};
  // Threads of this process that sleep, or are about to. Pairs with `closed`: see channel_wake_all.
  std::atomic<uint32_t> sleepers{0};
  // A whole message has left the ring and was not taken. Written with the turn to receive; a hint for who has none.
  std::atomic<bool> keeps_message{false};

  // What two threads write all the time, one sending and one receiving, lies on different cache lines.
  char line_between[64];

  // Guarded by the turn to send: the end's lock for sending, or the bias beside it.
  bias send_bias;
  shm::ring_side sender;
  uint64_t tail_at_look = 0;  // what the receiver had read when we last saw that it lives
  uint64_t look_at = 0;       // the position from which on we look again
  shm::spinner spin_to_send{pauses_for_a_message};
  std::atomic<uint64_t> sends_on{
      0};  // the thread that has kept its turn beyond its call; 0: none. Written by that thread
  shm::reservation reserved;
  shm::segment leaving;  // room that was reserved and is not in the ring

  char line_between_too[64];

  // Guarded by the turn to receive.
  bias receive_bias;
  shm::ring_side receiver;
  buffer<unsigned char> assembly;  // a message of several frames, whole or the beginning of it
  uint64_t assembly_total = 0;     // its size
  uint64_t assembly_got = 0;       // so much has been taken from the ring
  bool assembling = false;         // its first frame has come, its last has not
  shm::spinner spin_to_receive{pauses_for_a_message, looks_for_a_message};
  stream_habit stream_in;
  std::atomic<uint64_t> receives_on{0};  // as sends_on
  // A shared end of which we have a part of a message, or one that nobody took: we keep the turn, and the next call of any of our threads has it.
  std::atomic<bool> keeps_turn{false};
  shown_message shown;
  parcel_in_hand hand;
  arrived_memory arrived;

  platform::stranger* peer = nullptr;  // who connected; nullptr: a channel that was made as a pair
  // Of the segment; here for the common path.
  const std::atomic<uint64_t>* peer_closed = nullptr;

  shm::channel_state& state() { return *reinterpret_cast<shm::channel_state*>(segment.state); }
  shm::end_state& mine() { return state().ends[end]; }
  shm::end_state& theirs() { return state().ends[1 - end]; }
  // nullptr: those who must wait sleep at once.
  shm::spinner* spinner_to_send() { return terms.low_cpu ? nullptr : &spin_to_send; }
  shm::spinner* spinner_to_receive() { return terms.low_cpu ? nullptr : &spin_to_receive; }
};

// Bytes sent between two looks whether a receiver that does not read still lives.
inline constexpr uint64_t bytes_between_looks = 16384;

inline bool channel_must_look(const channel_object& self) { return self.sender.position >= self.look_at; }

// Where a message goes.
struct destination {
  void* buffer;
  size_t capacity;
  size_t* out_size;
};

// ---- channel_wait.cpp: the calls that must wait, or look closer. In a file of its own: the registers that they need would cost the
// common paths some of their time. -----------------------------------------------------------------------------------------------------

// The caller is inside the bias, and is let out. Without waiting, if that can be, but for a spin.
kith_status channel_send_inside(kith_channel* channel, channel_object& self, const void* data, size_t size,
                                int64_t timeout_ms);
kith_status channel_receive_inside(kith_channel* channel, channel_object& self, void* buffer, size_t capacity,
                                   size_t* out_size, int64_t timeout_ms);
// `inside`: the caller is inside the bias of this channel, and is let out. nullptr: it is not.
kith_status channel_send_slowly(kith_channel* channel, const void* data, size_t size, int64_t timeout_ms,
                                channel_object* inside);
kith_status channel_receive_slowly(kith_channel* channel, void* buffer, size_t capacity, size_t* out_size,
                                   int64_t timeout_ms, channel_object* inside);

// Inside the bias, when none is known of: looks, and spins if it may. Whether there is something now.
bool channel_find_message(channel_object& self, bool may_spin);

// Whether the receiver has read anything since we last looked.
bool channel_receiver_reads(channel_object& self);

// ---- channel_flags.cpp: telling those who wait -----------------------------------------------------------------------------------

void channel_wake_receiver(channel_object& self);
void channel_wake_sender(channel_object& self);  // if there is the room that it sleeps for
// The last thing that a call does inside the bias: KITH_OK.
kith_status channel_wake_receiver_and_leave(channel_object& self, bias::seat& seat);
kith_status channel_wake_sender_and_leave(channel_object& self, bias::seat& seat);
void channel_wake_all(channel_object& self);  // at both ends
void channel_nap(channel_object& self);       // sleeps a millisecond

// After each send, or some of them, and after each message taken.
inline bool channel_receiver_must_be_told(channel_object& self) {
  platform::light_fence();  // pairs with the heavy one in sleep_until_sent and channel_arm
  return self.sender.state->receiver_asleep.load(std::memory_order_relaxed) != 0;
}
inline void channel_tell_receiver(channel_object& self) {
  if (channel_receiver_must_be_told(self)) channel_wake_receiver(self);
}

// So much must be free before a poller that waits for room is told: it would be told for each little message otherwise.
inline uint64_t channel_room_for_pollers(const channel_object& self) { return self.sender.bytes.size / 4; }

inline bool channel_sender_must_be_told(channel_object& self) {
  platform::light_fence();  // pairs with the heavy one in sleep_until_received and channel_arm
  return self.receiver.state->sender_needs.load(std::memory_order_relaxed) != 0;
}
inline void channel_tell_sender(channel_object& self) {
  if (channel_sender_must_be_told(self)) channel_wake_sender(self);
}

// ---- for endpoint.cpp and connect.cpp ----------------------------------------------------------------------------------------------------

// KITH_E_INVALID, KITH_E_UNSUPPORTED: what is wanted is no channel. Fills in what is left to us.
kith_status channel_check_options(kith_channel_options& wanted);
kith_status channel_make_segment(const kith_channel_options& wanted, shm::segment& out);
// The pages of the first messages are there from now on. Before anybody else has the segment.
void channel_touch_segment(const shm::segment& segment);
// The end of two that were strangers. Takes over segment and stream, also when it fails.
kith_status channel_open_connected(shm::segment&& segment, platform::stream&& stream, uint32_t end,
                                   const platform::stranger& peer, void** out);

// ---- channel_poll.cpp: for who waits for several things; without a turn ------------------------------------------------------------

// Which of the events would let a call succeed, or fail at once. A hint: nothing is taken. A system call, where there is nothing.
uint32_t channel_ready(channel_object& self, uint32_t events);
// From now on the stream's poll handle becomes ready when one of the events comes. KITH_E_BUSY: one is there.
// The same without a system call: all but the death of the other side.
uint32_t channel_hint(channel_object& self, uint32_t events);
kith_status channel_arm(channel_object& self, uint32_t events);
// The first half of arming, for who arms many: a heavy fence, where `fence` is set, and a channel_hint follow. `rung`: there may be rings to
// be taken back.
kith_status channel_raise(channel_object& self, uint32_t events, bool rung, bool& fence);
void channel_disarm(channel_object& self);

// ---- channel.cpp -------------------------------------------------------------------------------------------------------------

// Reserves an end for a move to another process, or counts one more holder of a shared one. KITH_E_MOVED: it has moved already;
// KITH_E_BUSY: another thread uses it, a message is half received here, or an object that was sent to it was not received yet.
kith_status channel_begin_move(channel_object& self);
void channel_end_move(channel_object& self, bool moved);
// Takes over segment and stream, also when it fails.
kith_status channel_open_end(shm::segment&& segment, platform::stream&& stream, uint32_t end, void** out);

// From the handles that another process gave, which it takes over, also when it fails.
kith_status channel_open_claimed(claimed_share& claimed, void** out);

// Closes every open channel of this process in good order.
void channel_close_all();
// A forked child: lets go of the channel ends that were not given to it, without telling anybody; they are the parent's.
void channel_forget_all();

}  // namespace kith
