// SPDX-License-Identifier: MIT
// Channels: two rings in shared memory, and a control stream whose end tells that the other holder is gone.
//
// Who finds nothing to do sleeps on a position: the receiver on the head of its ring, the sender on the tail of its own. It says
// so first (receiver_asleep, sender_needs) and looks again; the other side moves its position first and looks then. Both have a
// full fence between, so one of the two sees the other. A close wakes without moving a position, and a death does not wake at
// all: these are seen after a slice at the latest.
#include "channel.h"

#include <cstring>
#include <utility>

#include "allocator.h"
#include "memory_flags.h"
#include "options.h"
#include "share.h"
#include "waiting.h"

namespace kith {

namespace {

constexpr uint64_t default_ring_size = 65536;
constexpr uint32_t sends_between_looks = 16;
constexpr size_t largest_step = size_t{1}
                                << 20;  // by which the buffer for a large message grows ahead of its bytes

// ---- waking and sleeping -----------------------------------------------------------------------------------------------------

void wake_receiver(channel_object& self) {
  std::atomic_thread_fence(std::memory_order_seq_cst);  // pairs with the one in sleep_until_sent
  shm::ring_state& ring = *self.sender.state;
  if (ring.receiver_asleep.load(std::memory_order_relaxed) == 0) return;
  ring.receiver_asleep.store(0, std::memory_order_relaxed);
  platform::wake(self.segment.waiting, ring.head, UINT32_MAX);
}

void wake_sender(channel_object& self) {
  std::atomic_thread_fence(std::memory_order_seq_cst);  // pairs with the one in sleep_until_received
  shm::ring_state& ring = *self.receiver.state;
  const uint64_t needs = ring.sender_needs.load(std::memory_order_relaxed);
  if (needs == 0) return;
  const uint64_t used = ring.head.load(std::memory_order_relaxed) - self.receiver.position;
  if (used <= self.receiver.size && self.receiver.size - used < needs) return;
  ring.sender_needs.store(0, std::memory_order_relaxed);
  platform::wake(self.segment.waiting, ring.tail, UINT32_MAX);
}

// Hints, for who spins; whoever then looks into the ring pairs with the other side's release.
bool something_came(const channel_object& self) {
  return self.receiver.state->head.load(std::memory_order_relaxed) != self.receiver.position;
}

bool has_room(const channel_object& self, uint64_t needed) {
  const uint64_t used = self.sender.position - self.sender.state->tail.load(std::memory_order_relaxed);
  return used <= self.sender.size && self.sender.size - used >= needed;
}

void sleep_until_sent(channel_object& self, shm::waiter& sleep, uint64_t now) {
  shm::ring_state& ring = *self.receiver.state;
  ring.receiver_asleep.store(1, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_seq_cst);  // pairs with the one in wake_receiver
  if (ring.head.load(std::memory_order_relaxed) != self.receiver.position) return;
  if (self.closed.load(std::memory_order_seq_cst) ||
      self.theirs().closed.load(std::memory_order_relaxed) != 0)
    return;
  sleep.sleep(self.segment.waiting, ring.head, self.receiver.position, {}, now);
}

void sleep_until_received(channel_object& self, uint64_t needed, shm::waiter& sleep, uint64_t now) {
  shm::ring_state& ring = *self.sender.state;
  ring.sender_needs.store(needed, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_seq_cst);  // pairs with the one in wake_sender
  const uint64_t tail = ring.tail.load(std::memory_order_relaxed);
  if (self.sender.size - (self.sender.position - tail) >= needed) return;
  if (self.closed.load(std::memory_order_seq_cst) ||
      self.theirs().closed.load(std::memory_order_relaxed) != 0)
    return;
  sleep.sleep(self.segment.waiting, ring.tail, tail, {}, now);
}

// ---- the other end -----------------------------------------------------------------------------------------------------------

bool closed_by_peer(channel_object& self) {
  // Acquire, with the release in begin_close: what was sent before the close is in the ring when we look there again.
  return self.theirs().closed.load(std::memory_order_acquire) != 0;
}

// KITH_OK: the other holder is there. A system call.
kith_status look_at_peer(channel_object& self) {
  if (closed_by_peer(self)) return KITH_E_CLOSED;
  switch (platform::stream_look(self.stream)) {
    case platform::stream_state::open: return KITH_OK;
    case platform::stream_state::has_data: return KITH_E_PROTOCOL;  // nobody writes to it in this version
    case platform::stream_state::ended: break;
  }
  // It may have closed in good order between the two looks: it raises its flag before it ends its stream.
  return closed_by_peer(self) ? KITH_E_CLOSED : KITH_E_PEER_DIED;
}

kith_status look_at_self(const channel_object& self) {
  if (self.closed.load(std::memory_order_seq_cst)) return KITH_E_CLOSED;
  return self.moved.load(std::memory_order_acquire) ? KITH_E_MOVED : KITH_OK;
}

// Threads of the holder take turns at an end. A thread can only have died together with the process, so nothing is to be repaired.
class turn {
 public:
  turn(channel_object& self, shm::lock_state& lock, const shm::patience& limits) : self_(self), lock_(lock) {
    // First: once the end has moved, its new holder may have the lock for as long as it likes.
    if (status_ = look_at_self(self); status_ != KITH_OK) return;
    status_ = shm::lock_acquire(lock_, self.segment.waiting, limits);
    if (status_ == KITH_OWNER_DIED) status_ = shm::lock_mark_consistent(lock_);
    // No thread of ours ever comes here with the lock in its hands: somebody else has written to it.
    if (status_ == KITH_E_DEADLOCK || status_ == KITH_E_LIMIT || status_ == KITH_E_NOT_OWNER)
      status_ = KITH_E_PROTOCOL;
    taken_ = status_ == KITH_OK;
    if (taken_) status_ = look_at_self(self);
  }
  ~turn() {
    if (taken_) (void)shm::lock_release(lock_, self_.segment.waiting);
  }
  turn(const turn&) = delete;
  turn& operator=(const turn&) = delete;
  kith_status status() const { return status_; }

 private:
  channel_object& self_;
  shm::lock_state& lock_;
  kith_status status_ = KITH_OK;
  bool taken_ = false;
};

// ---- sending -----------------------------------------------------------------------------------------------------------------

// A death that was told once is told by every send from then on.
kith_status look_for_sender(channel_object& self) {
  const kith_status status = look_at_peer(self);
  self.sends_unread = status == KITH_OK ? 0 : sends_between_looks;
  return status;
}

// A receiver that reads shows by its position that it lives; one that has not moved for some sends is looked at.
kith_status look_at_receiver(channel_object& self) {
  if (closed_by_peer(self)) return KITH_E_CLOSED;
  const uint64_t tail = self.sender.state->tail.load(std::memory_order_relaxed);
  if (tail != self.tail_seen) {
    self.tail_seen = tail;
    self.sends_unread = 0;
  }
  return ++self.sends_unread < sends_between_looks ? KITH_OK : look_for_sender(self);
}

kith_status wait_for_room(channel_object& self, uint64_t needed, shm::waiter& sleep) {
  if (kith_status status = look_at_self(self); status != KITH_OK) return status;
  if (kith_status status = look_for_sender(self); status != KITH_OK) return status;
  const uint64_t now = platform::clock_now();
  if (kith_status status = sleep.must_stop(now); status != KITH_OK) return status;
  sleep_until_received(self, needed, sleep, now);
  return KITH_OK;
}

kith_status send(channel_object& self, shm::outgoing message, const shm::patience& limits) {
  if (kith_status status = look_at_receiver(self); status != KITH_OK) return status;
  shm::waiter sleep(limits);
  while (!message.done()) {
    uint64_t needed = 0;
    kith_status status = shm::ring_send_frame(self.sender, message, &needed);
    if (status == KITH_OK) {
      wake_receiver(self);
      sleep.begin_again();
    } else if (status == KITH_E_TIMEOUT) {
      const bool came = limits.spin_for([&] { return has_room(self, needed); });
      status = came ? KITH_OK : wait_for_room(self, needed, sleep);
    }
    if (status != KITH_OK) return status;
  }
  return KITH_OK;
}

// ---- receiving ---------------------------------------------------------------------------------------------------------------

// A frame that is a part of a larger message. KITH_OK: taken; KITH_E_NO_MEMORY: it stays in the ring.
kith_status assemble(channel_object& self, const shm::frame_view& frame) {
  const bool first = (frame.header.flags & shm::frame_first) != 0;
  if (!first && !self.assembling) return KITH_E_PROTOCOL;
  const uint64_t before = first ? 0 : self.assembly.size();
  const uint64_t total = first ? frame.header.total : self.assembly_total;
  const bool last = (frame.header.flags & shm::frame_last) != 0;
  if (frame.header.total != total || frame.header.payload > total - before) return KITH_E_PROTOCOL;
  if (last != (before + frame.header.payload == total)) return KITH_E_PROTOCOL;
  if (total > SIZE_MAX / 2) return KITH_E_PROTOCOL;
  // The size is what the sender says: memory is taken in steps as bytes really come, or at once where it is little.
  const size_t known = static_cast<size_t>(before + frame.header.payload);
  const size_t wanted = total - known < largest_step ? static_cast<size_t>(total) : known;
  if (!self.assembly.reserve(wanted)) return KITH_E_NO_MEMORY;
  (void)self.assembly.resize(known);
  shm::ring_copy_out(self.receiver, frame, self.assembly.data() + before);
  self.assembly_total = total;
  self.assembling = !last;
  shm::ring_consume_frame(self.receiver, frame);
  wake_sender(self);
  return KITH_OK;
}

bool message_is_assembled(const channel_object& self) { return !self.assembling && !self.assembly.empty(); }

struct destination {
  void* buffer;
  size_t capacity;
  size_t* out_size;
};

kith_status tell_size(const destination& to, uint64_t size) {
  *to.out_size = static_cast<size_t>(size);
  return size <= to.capacity ? KITH_OK : KITH_E_TOO_LARGE;
}

kith_status deliver_assembled(channel_object& self, const destination& to) {
  if (kith_status status = tell_size(to, self.assembly.size()); status != KITH_OK) return status;
  std::memcpy(to.buffer, self.assembly.data(), self.assembly.size());
  self.assembly.reset();  // it may be large
  return KITH_OK;
}

kith_status deliver_frame(channel_object& self, const shm::frame_view& frame, const destination& to) {
  if (kith_status status = tell_size(to, frame.header.payload); status != KITH_OK) return status;
  shm::ring_copy_out(self.receiver, frame, static_cast<unsigned char*>(to.buffer));
  shm::ring_consume_frame(self.receiver, frame);
  wake_sender(self);
  return KITH_OK;
}

// Takes what is there. KITH_E_TIMEOUT: no whole message yet.
kith_status receive_now(channel_object& self, const destination& to) {
  for (;;) {
    if (message_is_assembled(self)) return deliver_assembled(self, to);
    shm::frame_view frame;
    if (kith_status status = shm::ring_peek_frame(self.receiver, frame); status != KITH_OK) return status;
    if ((frame.header.flags & shm::frame_first) != 0 && self.assembling) {
      self.assembling = false;  // its sender gave up the message that we have a part of
      self.assembly.reset();
    }
    if (frame.header.flags == (shm::frame_first | shm::frame_last)) return deliver_frame(self, frame, to);
    if (kith_status status = assemble(self, frame); status != KITH_OK) return status;
  }
}

kith_status receive(channel_object& self, const destination& to, const shm::patience& limits) {
  shm::waiter sleep(limits);
  for (;;) {
    kith_status status = receive_now(self, to);
    if (status != KITH_E_TIMEOUT) return status;
    if (limits.spin_for([&] { return something_came(self); })) continue;
    if (status = look_at_self(self); status != KITH_OK) return status;
    if (status = look_at_peer(self); status != KITH_OK) {
      // It may have sent between our look into the ring and the one at it: what was sent comes before the end.
      const kith_status late = receive_now(self, to);
      return late == KITH_E_TIMEOUT ? status : late;
    }
    const uint64_t now = platform::clock_now();
    if (status = sleep.must_stop(now); status != KITH_OK) return status;
    sleep_until_sent(self, sleep, now);
  }
}

// ---- opening and closing -----------------------------------------------------------------------------------------------------

// Our waiters and those of the other end look again.
void begin_close(object& object) {
  channel_object& self = static_cast<channel_object&>(object);
  if (self.moved.load(std::memory_order_acquire)) return;  // the end is somebody else's now
  // Release, with the acquire in closed_by_peer. The stream ends later, when the last call of ours has left.
  self.mine().closed.store(1, std::memory_order_release);
  for (shm::ring_state& ring : self.state().rings) {
    platform::wake(self.segment.waiting, ring.head, UINT32_MAX);
    platform::wake(self.segment.waiting, ring.tail, UINT32_MAX);
  }
}

void destroy(object* object) {
  channel_object* self = static_cast<channel_object*>(object);
  platform::stream_close(self->stream);
  shm::segment_close(self->segment);
  unmake(self);
}

constexpr object_class channel_class{object_kind::channel, begin_close, destroy};

void set_up_ring(channel_object& self, shm::ring_side& side, uint32_t direction) {
  side.state = &self.state().rings[direction];
  side.size = self.segment.element_size;
  side.bytes = self.segment.data + direction * side.size;
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
  self->segment = std::move(segment);
  self->stream = std::move(stream);
  self->end = end;
  set_up_ring(*self, self->sender, end);
  set_up_ring(*self, self->receiver, 1 - end);
  const bool sound = shm::ring_open_sender(self->sender) && shm::ring_open_receiver(self->receiver);
  void* handle = sound ? handle_open(self) : nullptr;
  if (handle == nullptr) {
    destroy(self);
    return sound ? KITH_E_NO_MEMORY : KITH_E_PROTOCOL;
  }
  *out = handle;
  return KITH_OK;
}

bool ring_size_is_valid(uint64_t size) {
  return size >= shm::smallest_ring && size <= shm::largest_ring && (size & (size - 1)) == 0;
}

kith_status open_claimed(claimed_share& claimed, void** out) {
  shm::segment segment;
  kith_status status =
      shm::segment_attach(std::move(claimed.handles[0]), shm::segment_kind::channel, segment);
  if (status != KITH_OK) return status;
  platform::stream stream;
  status = platform::stream_adopt(std::move(claimed.handles[1]), stream);
  const uint64_t size = segment.element_size;
  if (status == KITH_OK && (claimed.end > 1 || !ring_size_is_valid(size) || segment.data_size / 2 != size)) {
    status = KITH_E_MISMATCH;
  }
  if (status != KITH_OK) {
    platform::stream_close(stream);
    shm::segment_close(segment);
    return status;
  }
  return open_end(std::move(segment), std::move(stream), claimed.end, out);
}

// A second mapping of the same segment, for the other end: each end can then be given away or closed by itself.
kith_status map_again(const shm::segment& segment, shm::segment& out) {
  platform::native_handle copy;
  kith_status status = platform::handle_duplicate(platform::memory_handle(segment.memory), copy);
  return status == KITH_OK ? shm::segment_attach(std::move(copy), shm::segment_kind::channel, out) : status;
}

kith_status open_pair(uint64_t ring_size, void** out) {
  shm::segment segments[2];
  platform::stream streams[2];
  shm::segment_plan plan{shm::segment_kind::channel};
  plan.element_size = static_cast<size_t>(ring_size);
  plan.data_size = 2 * plan.element_size;
  plan.commit = plan.data_size <= largest_commit_by_default;
  kith_status status = shm::segment_create(plan, segments[0]);
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

}  // namespace

kith_status channel_begin_move(channel_object& self) {
  // Both locks, for as long as the spawn takes: a thread that sends or receives keeps the end from moving under it.
  wait_area& waiting = self.segment.waiting;
  if (self.moved.load(std::memory_order_acquire)) return KITH_E_MOVED;
  if (kith_status status = take_for_move(self, self.mine().sending); status != KITH_OK) return status;
  kith_status status = take_for_move(self, self.mine().receiving);
  if (status == KITH_OK && self.moved.load(std::memory_order_acquire)) status = KITH_E_MOVED;
  if (status == KITH_OK && (self.assembling || !self.assembly.empty())) status = KITH_E_BUSY;
  if (status == KITH_OK) return KITH_OK;
  (void)shm::lock_release(self.mine().receiving, waiting);  // does nothing where we do not hold it
  (void)shm::lock_release(self.mine().sending, waiting);
  return status;
}

void channel_end_move(channel_object& self, bool moved) {
  if (moved) {
    // Before the stream is closed: nobody of us looks at it any more. The child has a copy of its own.
    self.moved.store(true, std::memory_order_release);
    platform::stream_close(self.stream);
  }
  (void)shm::lock_release(self.mine().receiving, self.segment.waiting);
  (void)shm::lock_release(self.mine().sending, self.segment.waiting);
}

void channel_close_all() {
  handle_for_each(
      object_kind::channel, [](void* handle, object&, void*) { handle_close(handle, object_kind::channel); },
      nullptr);
  // An end that the child was given and never took was not used, which is no reason to tell the other side that it died.
  for (;;) {
    claimed_share left_over;
    if (share_claim_left_over(shm::segment_kind::channel, left_over) != KITH_OK) return;
    void* handle = nullptr;
    if (open_claimed(left_over, &handle) == KITH_OK) handle_close(handle, object_kind::channel);
  }
}

void channel_forget_all() {
  handle_for_each(
      object_kind::channel,
      [](void* handle, object& object, void*) {
        static_cast<channel_object&>(object).moved.store(true, std::memory_order_release);
        handle_close(handle, object_kind::channel);
      },
      nullptr);
}

}  // namespace kith

using namespace kith;

kith_status kith_channel_create(const kith_channel_options* options, kith_channel** out_a,
                                kith_channel** out_b) {
  kith_channel_options wanted;
  if (kith_status status = read_options(options, wanted, 0); status != KITH_OK) return status;
  const uint64_t ring_size = wanted.ring_size == 0 ? default_ring_size : wanted.ring_size;
  if (out_a == nullptr || out_b == nullptr || !ring_size_is_valid(ring_size)) return KITH_E_INVALID;
  void* ends[2] = {nullptr, nullptr};
  if (kith_status status = open_pair(ring_size, ends); status != KITH_OK) return status;
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
  kith_status status = open_claimed(claimed, &handle);
  if (status == KITH_OK) *out = static_cast<kith_channel*>(handle);
  return status;
}

kith_status kith_channel_send(kith_channel* channel, const void* data, size_t size, int64_t timeout_ms) {
  pinned<channel_object> self(channel, object_kind::channel);
  if (self.status() != KITH_OK) return self.status();
  if (!timeout_is_valid(timeout_ms) || (data == nullptr && size != 0)) return KITH_E_INVALID;
  if (size > SIZE_MAX / 2) return KITH_E_TOO_LARGE;
  const call_patience limits(timeout_ms, *self, &self->spin_to_send);
  turn mine(*self, self->mine().sending, limits);
  if (mine.status() != KITH_OK) return mine.status();
  return send(*self, {static_cast<const unsigned char*>(data), size}, limits);
}

kith_status kith_channel_recv(kith_channel* channel, void* buffer, size_t capacity, size_t* out_size,
                              int64_t timeout_ms) {
  pinned<channel_object> self(channel, object_kind::channel);
  if (self.status() != KITH_OK) return self.status();
  if (!timeout_is_valid(timeout_ms) || out_size == nullptr || (buffer == nullptr && capacity != 0))
    return KITH_E_INVALID;
  const call_patience limits(timeout_ms, *self, &self->spin_to_receive);
  turn mine(*self, self->mine().receiving, limits);
  if (mine.status() != KITH_OK) return mine.status();
  return receive(*self, {buffer, capacity, out_size}, limits);
}

void kith_channel_close(kith_channel* channel) { handle_close(channel, object_kind::channel); }
