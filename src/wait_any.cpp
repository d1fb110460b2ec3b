// SPDX-License-Identifier: MIT
// Waiting for several things at once: objects by looking at their memory, and all of them by the handles that the OS waits for.
#include <kith/kith.h>

#include <new>

#include "allocator.h"
#include "channel.h"
#include "mutex.h"
#include "readiness.h"
#include "waiting.h"

namespace kith {

namespace {

// What a ring lost, or a close that rings no bell, costs at most; see shm/poll_flag.h. Later it is longer, so that one who waits for
// long costs next to nothing.
constexpr uint64_t slice_ns = 64 * ns_per_ms, late_slice_ns = 256 * ns_per_ms;
constexpr uint64_t late_after_ns = 250 * ns_per_ms;
// Where nothing tells of the end of a process.
constexpr uint64_t looking_slice_ns = 25 * ns_per_ms;

constexpr size_t most_on_stack = 16;
constexpr size_t slots_of_item = 2;  // one for each event

struct waited {
  object* self = nullptr;        // pinned; nullptr: a handle of the user's
  const void* handle = nullptr;  // of the object
  uint32_t events = 0;
  uint32_t slot_count = 0;
  size_t first_slot = 0;
  bool armed = false;
  bool quieted = false;  // its bell, when it was last armed
  shm::counted_sleeper counted;
};

// The memory of one call: a slot for each event of each item, and one for the cancel.
class wait_room {
 public:
  wait_room() = default;
  wait_room(const wait_room&) = delete;
  wait_room& operator=(const wait_room&) = delete;
  ~wait_room() { deallocate(block_); }

  bool reserve(size_t count);

  waited* items = few_items_;
  platform::wait_slot* slots = few_slots_;

 private:
  waited few_items_[most_on_stack];
  platform::wait_slot few_slots_[most_on_stack * slots_of_item + 1];
  void* block_ = nullptr;
};

static_assert(alignof(waited) >= alignof(platform::wait_slot));

bool wait_room::reserve(size_t count) {
  if (count <= most_on_stack) return true;
  constexpr size_t of_item = sizeof(waited) + slots_of_item * sizeof(platform::wait_slot);
  if (count > (SIZE_MAX - sizeof(platform::wait_slot)) / of_item) return false;
  block_ = allocate(count * of_item + sizeof(platform::wait_slot));
  if (block_ == nullptr) return false;
  items = static_cast<waited*>(block_);
  slots = reinterpret_cast<platform::wait_slot*>(items + count);
  for (size_t i = 0; i < count; ++i) ::new (&items[i]) waited();
  for (size_t i = 0; i < count * slots_of_item + 1; ++i) ::new (&slots[i]) platform::wait_slot();
  return true;
}

bool is_process(const waited& each) { return each.self->type->kind == object_kind::process; }
bool has_faithful_handle(const waited& each) { return has_faithful_handle(each.self->type->kind); }
bool is_channel(const waited& each) { return each.self->type->kind == object_kind::channel; }
channel_object& channel_of(const waited& each) { return static_cast<channel_object&>(*each.self); }
// It looks itself when it is armed, and has one handle for both events.
bool arms_itself(const waited& each) {
  return is_channel(each) || each.self->type->kind == object_kind::stream;
}
// What a look at its memory does not tell, its handle does: the end of the other side. So many channels are looked at by one system call.
bool is_told_by_handle(const waited& each) {
  return platform::stream_handle_tells_end && is_channel(each) && each.slot_count != 0;
}

class wait_call {
 public:
  wait_call(kith_wait_item* items, size_t count, const shm::patience& limits)
      : items_(items), count_(count), limits_(limits) {}
  wait_call(const wait_call&) = delete;
  wait_call& operator=(const wait_call&) = delete;
  ~wait_call();

  kith_status prepare();
  kith_status wait();
  size_t ready_count() const { return ready_count_; }

 private:
  kith_status take(const kith_wait_item& item, waited& out);
  kith_status take_object(const kith_wait_item& item, waited& out);
  kith_status add_slots(waited& each);
  kith_status look_at_handles();
  kith_status sleep(uint64_t now);
  void listen();
  void hear_cancel();
  bool arm();
  void arm_one(waited& each);
  bool was_rung(const waited& each) const;
  bool has_something(const waited& each) const;
  uint32_t ready_of(const waited& each) const;
  bool mark();
  bool anything_in_memory();
  bool spin();

  kith_wait_item* const items_;
  const size_t count_;
  const shm::patience& limits_;
  wait_room room_;
  size_t taken_ = 0;       // so many items
  size_t slot_count_ = 0;  // so many slots are in use
  size_t ready_count_ = 0;
  size_t cancel_slot_ = SIZE_MAX;
  uint64_t slept_ns_ = 0;
  bool has_handles_ = false;  // among the items: of processes, or the user's
  bool must_look_ = false;    // for something that no handle tells of
  bool all_looked_ = true;    // the last sleep ended by itself: whoever was not rung is looked at, too
};

wait_call::~wait_call() {
  for (size_t i = 0; i < taken_; ++i) {
    waited& each = room_.items[i];
    if (each.self == nullptr) continue;
    if (each.armed) object_disarm(*each.self);
    each.counted.end();  // while there still is what counts
    handle_unpin(each.handle);
  }
}

// ---- before the first look ----------------------------------------------------------------------------------------------------------

// The bells of objects come in later, when somebody listens to them.
kith_status wait_call::add_slots(waited& each) {
  const bool tells_end = platform::stream_handle_tells_end && is_channel(each);
  each.first_slot = slot_count_;
  if (!has_faithful_handle(each) && !tells_end) return KITH_OK;
  int64_t handle = 0;
  if (object_poll_handle(*each.self, listener::call, KITH_WAIT_READ, handle) != KITH_OK) {
    must_look_ = true;
    return KITH_OK;
  }
  // To look into the memory of very many costs more than the system call that it might spare.
  if (!tells_end || count_ > most_on_stack || !object_hint(*each.self, each.events)) has_handles_ = true;
  each.slot_count = 1;
  return platform::wait_slot_set(room_.slots[slot_count_++], platform::wait_for::handle, handle,
                                 KITH_WAIT_READ);
}

kith_status wait_call::take_object(const kith_wait_item& item, waited& out) {
  if (item.handle != 0) return KITH_E_INVALID;
  object* found = nullptr;
  if (const kith_status status = handle_pin_any(item.object, found); status != KITH_OK) return status;
  out.self = found;
  out.handle = item.object;
  if ((out.events & ~events_of(*found)) != 0) return KITH_E_MISMATCH;
  if (is_process(out) && !process_is_ours(*found)) return KITH_E_INVALID;
  return add_slots(out);
}

kith_status wait_call::take(const kith_wait_item& item, waited& out) {
  if ((item.events & ~both_events) != 0 || item.reserved != 0) return KITH_E_INVALID;
  out.events = item.events == 0 ? uint32_t{KITH_WAIT_READ} : item.events;
  if (item.what == KITH_WAIT_OBJECT) return take_object(item, out);
  if (item.what > KITH_WAIT_SOCKET || item.object != nullptr) return KITH_E_INVALID;
  has_handles_ = true;
  out.first_slot = slot_count_++;
  out.slot_count = 1;
  const bool is_socket = item.what == KITH_WAIT_SOCKET;
  return platform::wait_slot_set(room_.slots[out.first_slot],
                                 is_socket ? platform::wait_for::socket : platform::wait_for::handle,
                                 item.handle, out.events);
}

kith_status wait_call::prepare() {
  for (size_t i = 0; i < count_; ++i) items_[i].ready = 0;
  if (!room_.reserve(count_)) return KITH_E_NO_MEMORY;
  for (size_t i = 0; i < count_; ++i) {
    taken_ = i + 1;
    if (const kith_status status = take(items_[i], room_.items[i]); status != KITH_OK) return status;
  }
  return KITH_OK;
}

// ---- looking ------------------------------------------------------------------------------------------------------------------------

bool wait_call::was_rung(const waited& each) const {
  for (size_t i = 0; i < each.slot_count; ++i) {
    if (platform::wait_slot_ready(room_.slots[each.first_slot + i]) != 0) return true;
  }
  return false;
}

// To look at a process, endpoint, channel or stream costs a system call, which is spared where its handle would have told. Of a channel whose
// handle was not asked because there was something in its memory, the death of the other side is told by the next look.
uint32_t wait_call::ready_of(const waited& each) const {
  const bool rung = was_rung(each);
  if (each.self == nullptr) return rung ? platform::wait_slot_ready(room_.slots[each.first_slot]) : 0;
  const bool is_faithful = has_faithful_handle(each);
  const bool is_told = (is_faithful && each.slot_count != 0) || (arms_itself(each) && each.armed);
  const bool may_skip = is_told && !rung && (is_faithful || !all_looked_);
  if (may_skip && !each.self->closed.load(std::memory_order_seq_cst)) return 0;
  if (is_told_by_handle(each) && !rung) return channel_hint(channel_of(each), each.events);
  return object_ready(*each.self, each.events);
}

// Whether any is ready; all that are, are marked.
bool wait_call::mark() {
  ready_count_ = 0;
  for (size_t i = 0; i < count_; ++i) {
    items_[i].ready = ready_of(room_.items[i]);
    if (items_[i].ready != 0) ++ready_count_;
  }
  return ready_count_ != 0;
}

// Events of the handles among the items as they are now.
kith_status wait_call::look_at_handles() {
  if (!has_handles_) return KITH_OK;
  const kith_status status = platform::wait_many(room_.slots, slot_count_, at_once);
  return status == KITH_E_TIMEOUT || status == KITH_E_INTERRUPTED ? KITH_OK : status;
}

// A hint, for a spin.
bool wait_call::anything_in_memory() {
  for (size_t i = 0; i < count_; ++i) {
    waited& each = room_.items[i];
    if (each.self != nullptr && object_hint(*each.self, each.events)) return true;
  }
  return false;
}

// By the habit of the first object that has one. Many are not looked at so often.
bool wait_call::spin() {
  shm::spinner* spinner = nullptr;
  for (size_t i = 0; i < count_ && i < most_on_stack && spinner == nullptr; ++i) {
    if (room_.items[i].self != nullptr) spinner = object_spinner(*room_.items[i].self);
  }
  if (spinner == nullptr || count_ > most_on_stack) return false;
  return spinner->spin([&] { return anything_in_memory(); });
}

// ---- sleeping -----------------------------------------------------------------------------------------------------------------------

void wait_call::hear_cancel() {
  if (limits_.cancel == nullptr) return;
  {
    library_guard guard;
    if (limits_.cancel->make_bell() != KITH_OK) return;  // then a slice ends the wait
  }
  const platform::native_handle& bell = platform::bells_handle(limits_.cancel->bell(), 0);
  cancel_slot_ = slot_count_;
  const int64_t handle = static_cast<int64_t>(platform::handle_number(bell));
  (void)platform::wait_slot_set(room_.slots[slot_count_++], platform::wait_for::handle, handle,
                                KITH_WAIT_READ);
}

// From now on the handles of all objects are among those that are waited for.
void wait_call::listen() {
  for (size_t i = 0; i < count_; ++i) {
    waited& each = room_.items[i];
    if (each.self == nullptr || has_faithful_handle(each) || is_told_by_handle(each)) continue;
    each.first_slot = slot_count_;
    for (const uint32_t event : {uint32_t{KITH_WAIT_READ}, uint32_t{KITH_WAIT_WRITE}}) {
      int64_t handle = 0;
      const bool is_second_of_one = arms_itself(each) && each.slot_count != 0;
      if ((each.events & event) == 0 || is_second_of_one) continue;
      if (object_poll_handle(*each.self, listener::call, event, handle) != KITH_OK) {
        must_look_ = true;
        continue;
      }
      ++each.slot_count;
      // A pipe itself is waited for; of everything else the handle is one that becomes readable.
      const bool is_stream = each.self->type->kind == object_kind::stream;
      (void)platform::wait_slot_set(room_.slots[slot_count_++], platform::wait_for::handle, handle,
                                    is_stream ? event : uint32_t{KITH_WAIT_READ});
    }
  }
  hear_cancel();
}

// What was not rung is still armed; only the flags of shared bells are raised each time, as others may have taken them down. A
// channel or stream that cannot be armed has something to tell, or to say why.
void wait_call::arm_one(waited& each) {
  const bool rung = was_rung(each);
  if (arms_itself(each) && each.armed && !rung) return;
  bool fence = false;  // there is one for all
  if (is_channel(each))
    each.armed =
        channel_raise(channel_of(each), each.events, rung || !is_told_by_handle(each), fence) == KITH_OK;
  else
    each.armed = object_raise(*each.self, listener::call, each.events) == KITH_OK;
  if (const wait_area* const area = object_wait_area(*each.self)) each.counted.begin(*area);
}

// After arming, and the fence.
bool wait_call::has_something(const waited& each) const {
  if (is_channel(each)) return !each.armed || channel_hint(channel_of(each), each.events) != 0;
  return arms_itself(each) ? !each.armed : object_ready(*each.self, each.events) != 0;
}

// False: something is there now.
bool wait_call::arm() {
  bool is_waited_in_memory = false;
  for (size_t i = 0; i < count_; ++i) {
    waited& each = room_.items[i];
    if (each.self == nullptr || has_faithful_handle(each)) continue;
    // Of what was not rung when we last saw it, a ring since then stays, and ends our sleep.
    each.quieted = was_rung(each) && object_quiet(*each.self, listener::call, each.events);
    arm_one(each);
    is_waited_in_memory = true;
  }
  if (!is_waited_in_memory) return true;
  platform::heavy_fence();  // pairs with the light one in shm::tell_pollers
  bool nothing = true;
  for (size_t i = 0; i < count_; ++i) {
    waited& each = room_.items[i];
    if (each.self == nullptr || has_faithful_handle(each)) continue;
    const bool there = has_something(each);
    if (there && each.quieted) object_ring_again(*each.self, listener::call, each.events);
    if (there) nothing = false;
  }
  return nothing;
}

kith_status wait_call::sleep(uint64_t now) {
  const uint64_t longest = slept_ns_ < late_after_ns ? slice_ns : late_slice_ns;
  const uint64_t slice = must_look_ ? looking_slice_ns : longest;
  const kith_status status =
      platform::wait_many(room_.slots, slot_count_, earlier(deadline_after(now, slice), limits_.until));
  slept_ns_ += slice;
  all_looked_ = status == KITH_E_TIMEOUT;
  // A fire and a reset at the same time may leave it ringing.
  if (cancel_slot_ != SIZE_MAX && platform::wait_slot_ready(room_.slots[cancel_slot_]) != 0 &&
      !limits_.cancel->fired())
    limits_.cancel->quiet_bell();
  const bool goes_on = status == KITH_E_TIMEOUT || (status == KITH_E_INTERRUPTED && !limits_.interruptible);
  return goes_on ? KITH_OK : status;
}

kith_status wait_call::wait() {
  if (const kith_status status = look_at_handles(); status != KITH_OK) return status;
  if (mark()) return KITH_OK;
  const shm::waiter waiting(limits_);
  bool listening = false;
  for (;;) {
    const uint64_t now = platform::clock_now();
    if (const kith_status stop = waiting.must_stop(now); stop != KITH_OK) return stop;
    if (!listening && spin() && mark()) return KITH_OK;
    if (!listening) listen();
    listening = true;
    const kith_status status = arm() ? sleep(now) : KITH_OK;
    if (status != KITH_OK && status != KITH_E_INTERRUPTED) return status;
    if (mark()) return KITH_OK;
    if (status != KITH_OK) return status;
  }
}

}  // namespace

}  // namespace kith

using namespace kith;

kith_status kith_wait_any(kith_wait_item* items, size_t count, size_t* out_ready, int64_t timeout_ms) {
  if (out_ready == nullptr || !timeout_is_valid(timeout_ms) || (items == nullptr && count != 0))
    return KITH_E_INVALID;
  const call_patience limits(timeout_ms);
  wait_call call(items, count, limits);
  kith_status status = call.prepare();
  if (status == KITH_OK) status = call.wait();
  if (status == KITH_OK) *out_ready = call.ready_count();
  return status;
}
