// SPDX-License-Identifier: MIT
// One end of a channel, as this process holds it.
#pragma once

#include <kith/kith.h>

#include <atomic>

#include "buffer.h"
#include "object.h"
#include "shm/ring.h"
#include "shm/segment.h"
#include "shm/spin.h"

namespace kith {

struct channel_object : object {
  shm::segment segment;
  platform::stream stream;  // the other end of it ends with the other holder
  uint32_t end = 0;
  std::atomic<bool> moved{false};
  shm::spinner spin_to_send, spin_to_receive;

  // Guarded by the end's lock for sending.
  shm::ring_side sender;
  uint64_t tail_seen = 0;     // what the receiver had read when we last looked
  uint32_t sends_unread = 0;  // sends since then

  // Guarded by the end's lock for receiving.
  shm::ring_side receiver;
  buffer<unsigned char> assembly;  // a message of several frames
  uint64_t assembly_total = 0;
  bool assembling = false;  // its first frame has come, its last has not

  shm::channel_state& state() { return *reinterpret_cast<shm::channel_state*>(segment.state); }
  shm::end_state& mine() { return state().ends[end]; }
  shm::end_state& theirs() { return state().ends[1 - end]; }
};

// Reserves an end for a move to a child. KITH_E_MOVED: it has moved already; KITH_E_BUSY: another thread uses it, or a message is
// half received here.
kith_status channel_begin_move(channel_object& self);
void channel_end_move(channel_object& self, bool moved);

// Closes every open channel of this process in good order.
void channel_close_all();
// A forked child: lets go of the channel ends that were not given to it, without telling anybody; they are the parent's.
void channel_forget_all();

}  // namespace kith
