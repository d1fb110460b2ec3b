// SPDX-License-Identifier: MIT
// Channels: two rings in shared memory, and a control stream whose end tells that the other holder is gone.
//
// Here are how ends are opened, moved and closed, and the commonest way of a message: straight code without a call, so that it needs
// no stack. channel_wait.cpp has the other ways, channel_turn.h names the rest.
#include "channel.h"

#include <utility>

#include "allocator.h"
#include "channel_turn.h"
#include "options.h"
#include "share.h"
#include "waiting.h"

namespace kith {

namespace {

constexpr uint64_t default_ring_size = 65536;

// ---- opening and closing -----------------------------------------------------------------------------------------------------

// One holder less; the last one ends the end. Who died before is counted for ever: then the end of the stream is the end, a death.
void let_go_of_end(channel_object& self) {
  shm::end_state& mine = self.mine();
  const bool last = !self.terms.shared_ends || mine.holders.fetch_sub(1, std::memory_order_acq_rel) == 1;
  // Release, with the acquire in closed_by_peer. The stream ends later, when the last call of ours has left.
  if (last) mine.closed.store(1, std::memory_order_release);
}

// Our waiters and those of the other end look again.
void begin_close(object& object) {
  channel_object& self = static_cast<channel_object&>(object);
  if (self.moved.load(std::memory_order_acquire)) return;  // the end is somebody else's now
  let_go_of_end(self);
  channel_wake_all(self);
}

void destroy(object* object) {
  channel_object* self = static_cast<channel_object*>(object);
  // Calls on the common paths do not pin: one that began before the close may be copying its message.
  const auto nap = [self] { channel_nap(*self); };
  self->send_bias.dismiss(nap);
  self->receive_bias.dismiss(nap);
  turn::end_forsaken(*self, turn::way::send);
  turn::end_forsaken(*self, turn::way::receive);
  channel_drop_objects(*self);
  platform::stream_close(self->stream);
  shm::segment_close(self->segment);
  unmake(self->peer);
  unmake(self);
}

constexpr object_class channel_class{object_kind::channel, begin_close, destroy};

void set_up_ring(channel_object& self, shm::ring_side& side, uint32_t direction) {
  side.state = &self.state().rings[direction];
  const uint64_t size = self.segment.element_size;
  side.bytes = {self.segment.data + direction * size, size};
}

constexpr uint32_t known_flags = KITH_CHANNEL_LOW_CPU | KITH_CHANNEL_SHARED_ENDS;
constexpr uint64_t smallest_large_message = 4096;

bool large_message_is_valid(uint64_t size) { return size == 0 || size >= smallest_large_message; }

// Once, into what is ours: another process may write there.
bool read_terms(channel_object& self) {
  const shm::written_terms& written = self.state().terms;
  const uint64_t flags = written.flags.load(std::memory_order_relaxed);
  self.terms.large_message = written.large_message.load(std::memory_order_relaxed);
  self.terms.low_cpu = (flags & KITH_CHANNEL_LOW_CPU) != 0;
  self.terms.shared_ends = (flags & KITH_CHANNEL_SHARED_ENDS) != 0;
  return (flags & ~known_flags) == 0 && large_message_is_valid(self.terms.large_message);
}

// Takes over segment and stream, also when it fails.
kith_status open_end(shm::segment&& segment, platform::stream&& stream, uint32_t end, void** out) {
  channel_object* self = make<channel_object>();
  if (self == nullptr) {
    shm::segment_close(segment);
    platform::stream_close(stream);
    return KITH_E_NO_MEMORY;
  }
  self->type = &channel_class;
  self->shortcut = self;
  self->segment = std::move(segment);
  self->stream = std::move(stream);
  self->end = end;
  self->peer_closed = &self->theirs().closed;
  set_up_ring(*self, self->sender, end);
  set_up_ring(*self, self->receiver, 1 - end);
  const bool sound =
      read_terms(*self) && shm::ring_open_sender(self->sender) && shm::ring_open_receiver(self->receiver);
  const uint64_t large = self->terms.large_message;
  if (large != 0 && !self->terms.shared_ends && self->sender.largest_whole >= large)
    self->sender.largest_whole = large - 1;
  void* handle = sound ? handle_open(self) : nullptr;
  if (handle == nullptr) {
    destroy(self);
    return sound ? KITH_E_NO_MEMORY : KITH_E_PROTOCOL;
  }
  // Release: who sees that we have the end sees it as we found it. After the last one that says that it is on its way: see
  // channel_begin_move.
  if (!self->terms.shared_ends) self->mine().holder.store(platform::self().bits, std::memory_order_release);
  *out = handle;
  return KITH_OK;
}

bool ring_size_is_valid(uint64_t size) {
  return size >= shm::smallest_ring && size <= shm::largest_ring && (size & (size - 1)) == 0;
}

// A second mapping of the same segment, for the other end: each end can then be given away or closed by itself.
kith_status map_again(const shm::segment& segment, shm::segment& out) {
  platform::native_handle copy;
  kith_status status = platform::handle_duplicate(platform::memory_handle(segment.memory), copy);
  return status == KITH_OK ? shm::segment_attach(std::move(copy), shm::segment_kind::channel, out) : status;
}

// What the creator has chosen, and that each shared end has one holder.
void write_terms(const shm::segment& segment, const kith_channel_options& wanted) {
  shm::channel_state& state = *reinterpret_cast<shm::channel_state*>(segment.state);
  // Relaxed: nobody else has the segment yet.
  state.terms.flags.store(wanted.flags, std::memory_order_relaxed);
  state.terms.large_message.store(wanted.large_message, std::memory_order_relaxed);
  for (shm::end_state& each : state.ends) each.holders.store(1, std::memory_order_relaxed);
}

kith_status open_pair(const kith_channel_options& wanted, void** out) {
  shm::segment segments[2];
  platform::stream streams[2];
  kith_status status = channel_make_segment(wanted, segments[0]);
  if (status == KITH_OK) status = map_again(segments[0], segments[1]);
  if (status == KITH_OK) status = platform::stream_create(streams[0], streams[1]);
  if (status != KITH_OK) {
    for (shm::segment& each : segments) shm::segment_close(each);
    return status;
  }
  status = open_end(std::move(segments[0]), std::move(streams[0]), 0, &out[0]);
  const kith_status second = open_end(std::move(segments[1]), std::move(streams[1]), 1, &out[1]);
  if (status == KITH_OK && second == KITH_OK) return KITH_OK;
  if (status == KITH_OK) handle_close(out[0], object_kind::channel);
  if (second == KITH_OK) handle_close(out[1], object_kind::channel);
  return status != KITH_OK ? status : second;
}

// The process that gave us this end holds its locks until its spawn returns, when we may already run and give the end on.
constexpr int64_t giver_lets_go_ms = 10'000;

kith_status take_for_move(channel_object& self, shm::lock_state& lock) {
  const identity owner{lock.word.load(std::memory_order_relaxed) & ~shm::lock_died};
  const bool by_giver = !owner.nobody() && !(owner == platform::self());
  const deadline until = by_giver ? deadline_in(platform::clock_now(), giver_lets_go_ms) : at_once;
  return shm::lock_acquire(lock, self.segment.waiting, {until, &self.closed}) < KITH_OK ? KITH_E_BUSY
                                                                                        : KITH_OK;
}

// With both locks. An object whose message is in the ring would come to the old holder.
kith_status leave_end(channel_object& self) {
  if (self.moved.load(std::memory_order_acquire)) return KITH_E_MOVED;
  if (self.assembling || !self.assembly.empty()) return KITH_E_BUSY;
  self.mine().holder.store(0, std::memory_order_relaxed);
  // Pairs with the one of who sends an object: it says so in objects_sent, then looks who the holder is.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  const shm::ring_state& ring = *self.receiver.state;
  if (ring.objects_sent.load(std::memory_order_relaxed) == ring.objects_taken.load(std::memory_order_relaxed))
    return KITH_OK;
  self.mine().holder.store(platform::self().bits, std::memory_order_release);
  return KITH_E_BUSY;
}

void let_go_of_locks(channel_object& self) {
  (void)shm::lock_release(self.mine().receiving,
                          self.segment.waiting);  // does nothing where we do not hold it
  (void)shm::lock_release(self.mine().sending, self.segment.waiting);
}

}  // namespace

kith_status channel_check_options(kith_channel_options& wanted) {
  if (wanted.ring_size == 0) wanted.ring_size = default_ring_size;
  if (!ring_size_is_valid(wanted.ring_size)) return KITH_E_INVALID;
  return large_message_is_valid(wanted.large_message) ? KITH_OK : KITH_E_INVALID;
}

kith_status channel_make_segment(const kith_channel_options& wanted, shm::segment& out) {
  shm::segment_plan plan{shm::segment_kind::channel};
  plan.element_size = static_cast<size_t>(wanted.ring_size);
  plan.data_size = 2 * plan.element_size;
  plan.commit =
      false;  // thousands of idle channels must cost next to nothing: the pages of the rings come when they are used
  const kith_status status = shm::segment_create(plan, out);
  if (status == KITH_OK) write_terms(out, wanted);
  return status;
}

void channel_touch_segment(const shm::segment& segment) {
  for (uint32_t ring = 0; ring < 2; ++ring) {
    volatile unsigned char* const first = segment.data + ring * segment.element_size;
    *first = 0;  // as it is
  }
}

kith_status channel_open_connected(shm::segment&& segment, platform::stream&& stream, uint32_t end,
                                   const platform::stranger& peer, void** out) {
  platform::stranger* const card = make<platform::stranger>(peer);
  if (card == nullptr) {
    shm::segment_close(segment);
    platform::stream_close(stream);
    return KITH_E_NO_MEMORY;
  }
  const kith_status status = channel_open_end(std::move(segment), std::move(stream), end, out);
  object* found = nullptr;
  if (status != KITH_OK || handle_find(*out, object_kind::channel, found) != KITH_OK) {
    unmake(card);
    return status;
  }
  static_cast<channel_object*>(found)->peer = card;
  return KITH_OK;
}

kith_status channel_open_end(shm::segment&& segment, platform::stream&& stream, uint32_t end, void** out) {
  const uint64_t size = segment.element_size;
  if (end <= 1 && ring_size_is_valid(size) && segment.data_size / 2 == size)
    return open_end(std::move(segment), std::move(stream), end, out);
  shm::segment_close(segment);
  platform::stream_close(stream);
  return KITH_E_MISMATCH;
}

kith_status channel_open_claimed(claimed_share& claimed, void** out) {
  shm::segment segment;
  kith_status status =
      shm::segment_attach(std::move(claimed.handles[0]), shm::segment_kind::channel, segment);
  if (status != KITH_OK) return status;
  platform::stream stream;
  status = platform::stream_adopt(std::move(claimed.handles[1]), stream);
  if (status == KITH_OK) return channel_open_end(std::move(segment), std::move(stream), claimed.end, out);
  platform::stream_close(stream);
  shm::segment_close(segment);
  return status;
}

kith_status channel_begin_move(channel_object& self) {
  if (self.moved.load(std::memory_order_acquire)) return KITH_E_MOVED;
  if (self.terms.shared_ends) {
    // Before the other process can close it.
    (void)self.mine().holders.fetch_add(1, std::memory_order_relaxed);
    return KITH_OK;
  }
  // Both locks, for as long as the spawn takes: a thread that sends or receives keeps the end from moving under it.
  if (kith_status status = take_for_move(self, self.mine().sending); status != KITH_OK) return status;
  kith_status status = take_for_move(self, self.mine().receiving);
  if (status == KITH_OK) status = leave_end(self);
  if (status == KITH_OK) {
    self.send_bias.dismiss([&] { channel_nap(self); });
    self.receive_bias.dismiss([&] { channel_nap(self); });
    platform::stream_disarm(self.stream);  // the next ring is the next holder's
    return KITH_OK;
  }
  let_go_of_locks(self);
  return status;
}

void channel_end_move(channel_object& self, bool moved) {
  if (self.terms.shared_ends) {
    if (moved) return;
    let_go_of_end(self);  // the last one if we have closed ours meanwhile
    channel_wake_all(self);
    return;
  }
  if (moved) {
    // Before the stream is closed: nobody of us looks at it any more. The child has a copy of its own.
    self.moved.store(true, std::memory_order_seq_cst);
    while (self.lookers.load(std::memory_order_seq_cst) != 0) platform::yield_cpu();
    platform::stream_close(self.stream);
  } else {
    self.mine().holder.store(platform::self().bits, std::memory_order_release);
  }
  let_go_of_locks(self);
}

// An end that the child was given and never took was not used, which is no reason to tell the other side that it died.
static void close_left_over() {
  for (;;) {
    claimed_share left_over;
    if (share_claim_left_over(shm::segment_kind::channel, left_over) != KITH_OK) return;
    void* handle = nullptr;
    if (channel_open_claimed(left_over, &handle) == KITH_OK) handle_close(handle, object_kind::channel);
  }
}

KITH_IN_FORKED_CHILD void channel_close_all() {
  handle_for_each(
      object_kind::channel, [](void* handle, object&, void*) { handle_close(handle, object_kind::channel); },
      nullptr);
  if (shares_may_be_left()) close_left_over();
}

KITH_IN_FORKED_CHILD void channel_forget_all() {
  handle_for_each(
      object_kind::channel,
      [](void* handle, object& object, void*) {
        channel_object& self = static_cast<channel_object&>(object);
        self.moved.store(true, std::memory_order_release);
        self.send_bias.forget();
        self.receive_bias.forget();
        self.sends_on.store(0, std::memory_order_relaxed);
        self.receives_on.store(0, std::memory_order_relaxed);
        self.keeps_turn.store(false, std::memory_order_relaxed);
        handle_close(handle, object_kind::channel);
      },
      nullptr);
}

}  // namespace kith

using namespace kith;

kith_status kith_channel_create(const kith_channel_options* options, kith_channel** out_a,
                                kith_channel** out_b) {
  kith_channel_options wanted;
  if (kith_status status = read_options(options, wanted, known_flags); status != KITH_OK) return status;
  if (out_a == nullptr || out_b == nullptr) return KITH_E_INVALID;
  if (kith_status status = channel_check_options(wanted); status != KITH_OK) return status;
  void* ends[2] = {nullptr, nullptr};
  if (kith_status status = open_pair(wanted, ends); status != KITH_OK) return status;
  *out_a = static_cast<kith_channel*>(ends[0]);
  *out_b = static_cast<kith_channel*>(ends[1]);
  return KITH_OK;
}

kith_status kith_channel_inherit(const char* name, kith_channel** out) {
  if (out == nullptr) return KITH_E_INVALID;
  claimed_share claimed;
  if (kith_status status = share_claim(name, shm::segment_kind::channel, claimed); status != KITH_OK)
    return status;
  void* handle = nullptr;
  kith_status status = channel_open_claimed(claimed, &handle);
  if (status == KITH_OK) *out = static_cast<kith_channel*>(handle);
  return status;
}

kith_status kith_channel_send(kith_channel* channel, const void* data, size_t size, int64_t timeout_ms) {
  void* found = nullptr;
  if (kith_status status = handle_find_shortcut(channel, object_kind::channel, found); status != KITH_OK)
    return status;
  if (!timeout_is_valid(timeout_ms) || (data == nullptr && size != 0)) return KITH_E_INVALID;
  channel_object& self = *static_cast<channel_object*>(found);
  bias::seat* seat = nullptr;
  if (!self.send_bias.enter(seat)) [[unlikely]]
    return channel_send_slowly(channel, data, size, timeout_ms, nullptr);
  // Relaxed: the other ways look again.
  if (self.peer_closed->load(std::memory_order_relaxed) != 0 ||
      !shm::ring_send_little(self.sender, data, size)) [[unlikely]]
    return channel_send_inside(channel, self, data, size, timeout_ms);
  if (channel_receiver_must_be_told(self)) [[unlikely]]
    return channel_wake_receiver_and_leave(self, *seat);
  seat->leave();
  return KITH_OK;
}

kith_status kith_channel_recv(kith_channel* channel, void* buffer, size_t capacity, size_t* out_size,
                              int64_t timeout_ms) {
  void* found = nullptr;
  if (kith_status status = handle_find_shortcut(channel, object_kind::channel, found); status != KITH_OK)
    return status;
  if (!timeout_is_valid(timeout_ms) || out_size == nullptr || (buffer == nullptr && capacity != 0))
    return KITH_E_INVALID;
  channel_object& self = *static_cast<channel_object*>(found);
  bias::seat* seat = nullptr;
  if (!self.receive_bias.enter(seat)) [[unlikely]]
    return channel_receive_slowly(channel, buffer, capacity, out_size, timeout_ms, nullptr);
  if (!shm::ring_receive_little(self.receiver, buffer, capacity, *out_size)) [[unlikely]]
    return channel_receive_inside(channel, self, buffer, capacity, out_size, timeout_ms);
  if (channel_sender_must_be_told(self)) [[unlikely]]
    return channel_wake_sender_and_leave(self, *seat);
  seat->leave();
  return KITH_OK;
}

void kith_channel_close(kith_channel* channel) { handle_close(channel, object_kind::channel); }
