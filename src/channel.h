// SPDX-License-Identifier: MIT
// One end of a channel, as this process holds it.
#pragma once

#include <kith/kith.h>

#include <atomic>

#include "bias.h"
#include "buffer.h"
#include "object.h"
#include "shm/ring.h"
#include "shm/segment.h"
#include "shm/spin.h"

namespace kith {

// Some 6 us: while one side waits the other may have to copy some pages.
inline constexpr int pauses_for_a_message = 192, looks_for_a_message = 512;

// How a receiver that waits has fared lately. See let_some_come in channel_wait.cpp.
struct stream_habit {
  int32_t little =
      0;  // how often in a row a wait has brought next to nothing; negative: so often that is of no interest
  uint64_t received = 0;  // our position at the last wait
  uint64_t sent = 0;      // the other direction's at that time
};

struct channel_object : object {
  shm::segment segment;
  platform::stream stream;  // the other end of it ends with the other holder
  uint32_t end = 0;
  std::atomic<bool> moved{false};

  // What two threads write all the time, one sending and one receiving, lies on different cache lines.
  char line_between[64];

  // Guarded by the turn to send: the end's lock for sending, or the bias beside it.
  bias send_bias;
  shm::ring_side sender;
  uint64_t tail_at_look = 0;  // what the receiver had read when we last saw that it lives
  uint32_t sends_unread = 0;  // sends since then
  shm::spinner spin_to_send{pauses_for_a_message};

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

  shm::channel_state& state() { return *reinterpret_cast<shm::channel_state*>(segment.state); }
  shm::end_state& mine() { return state().ends[end]; }
  shm::end_state& theirs() { return state().ends[1 - end]; }
};

// Sends between two looks whether a receiver that does not read still lives.
inline constexpr uint32_t sends_between_looks = 256;

// Where a message goes.
struct destination {
  void* buffer;
  size_t capacity;
  size_t* out_size;
};

// ---- channel_wait.cpp: the calls that must wait, or look closer. In a file of its own: the registers that they need would cost the
// common paths some of their time. -----------------------------------------------------------------------------------------------------

// `inside`: the caller is inside the bias of this channel, and is let out. nullptr: it is not.
kith_status channel_send_slowly(kith_channel* channel, shm::outgoing message, int64_t timeout_ms,
                                channel_object* inside);
kith_status channel_receive_slowly(kith_channel* channel, destination to, int64_t timeout_ms,
                                   channel_object* inside);

// Inside the bias, when none is known of: looks, and spins if it may. Whether there is something now.
bool channel_find_room(channel_object& self, uint64_t size, bool may_spin);
bool channel_find_message(channel_object& self, bool may_spin);

// Whether the receiver has read anything since we last looked.
bool channel_receiver_reads(channel_object& self);

void channel_wake_receiver(channel_object& self);
void channel_wake_sender(channel_object& self);  // if there is the room that it sleeps for
void channel_wake_all(channel_object& self);     // at both ends
void channel_nap(channel_object& self);          // sleeps a millisecond

// ---- channel.cpp -------------------------------------------------------------------------------------------------------------

// Reserves an end for a move to a child. KITH_E_MOVED: it has moved already; KITH_E_BUSY: another thread uses it, or a message is
// half received here.
kith_status channel_begin_move(channel_object& self);
void channel_end_move(channel_object& self, bool moved);

// Closes every open channel of this process in good order.
void channel_close_all();
// A forked child: lets go of the channel ends that were not given to it, without telling anybody; they are the parent's.
void channel_forget_all();

}  // namespace kith
