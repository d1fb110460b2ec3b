// SPDX-License-Identifier: MIT
// The readers of broadcasts.
#include <kith/kith.h>

#include "allocator.h"
#include "broadcast_object.h"
#include "mutex.h"
#include "readiness.h"
#include "waiting.h"

using namespace kith;

namespace {

// All that wait for a message look around; only those that are closed go.
void begin_close(object& object) {
  const shm::broadcast_view& view = static_cast<reader_object&>(object).view;
  shm::broadcast_wake(view, view.state->readers);
  shm::tell_pollers(view.state->poll_readers, view.bells);
}

// With `in_use` set, or when no call begins any more. Inside one copies a little message, no more.
void dismiss_favourite(reader_object& self) {
  const uint64_t me = platform::self().bits;
  // Not written again after the first turn, as the favourite reads it. In a forked child nobody who was inside comes out.
  if (self.process != me) {
    self.turns.forget();
    self.process = me;
  }
  self.turns.dismiss([] { platform::yield_cpu(); });
}

void destroy(object* object) {
  reader_object* const self = static_cast<reader_object*>(object);
  // Only for the time of a copy: a call that waits has a pin.
  while (self->in_use.load(std::memory_order_acquire) != 0) platform::yield_cpu();
  dismiss_favourite(*self);
  shm::broadcast_leave(self->view, self->reader);
  handle_unpin(self->source_handle);
  unmake(self);
}

constexpr object_class reader_class{object_kind::reader, begin_close, destroy};

bool begin_turn(reader_object& self) {
  // Acquire, with the release of the turn before.
  if (self.in_use.exchange(1, std::memory_order_acquire) != 0) return false;
  dismiss_favourite(self);
  return true;
}

void end_turn(reader_object& self) {
  self.turns.end_turn();
  // Release: the next turn, or the end of the object, comes after what we did.
  self.in_use.store(0, std::memory_order_release);
}

// The reader behind a handle for the time of a call.
class reader_call {
 public:
  explicit reader_call(const void* handle) : handle_(handle) { status_ = begin(); }
  ~reader_call() {
    if (self_ != nullptr) end_turn(*self_);
    if (is_pinned_) handle_unpin(handle_);
  }
  reader_call(const reader_call&) = delete;
  reader_call& operator=(const reader_call&) = delete;

  kith_status status() const { return status_; }
  reader_object* operator->() const { return self_; }
  const shm::broadcast_view& view() const { return self_->view; }

  // Before a wait.
  bool pin() {
    object* found = nullptr;
    is_pinned_ = handle_pin(handle_, object_kind::reader, found) == KITH_OK;
    return is_pinned_;
  }

 private:
  kith_status begin();
  const void* const handle_;
  reader_object* self_ = nullptr;
  bool is_pinned_ = false;
  kith_status status_;
};

kith_status reader_call::begin() {
  object* found = nullptr;
  if (const kith_status status = handle_find(handle_, object_kind::reader, found); status != KITH_OK)
    return status;
  reader_object* const self = static_cast<reader_object*>(found);
  if (!begin_turn(*self)) return KITH_E_BUSY;
  self_ = self;
  self->reader.straight = 0;  // the position may change now
  if (self->reader.seat == shm::no_seat) return KITH_OK;
  const std::atomic<uint64_t>& sits_there = view().seats[self->reader.seat].process;
  return sits_there.load(std::memory_order_relaxed) == platform::self().bits ? KITH_OK : KITH_E_NOT_OWNER;
}

// What does not wait, then what does. `step(limits)` answers KITH_E_TIMEOUT when there is nothing in time.
template <class Step>
kith_status next_step(reader_call& call, int64_t timeout_ms, Step step) {
  if (call->is_showing) return KITH_E_DEADLOCK;
  shm::patience at_once_only;
  at_once_only.until = at_once;
  if (call->closed.load(std::memory_order_relaxed)) return KITH_E_CLOSED;
  const kith_status status = step(at_once_only, true);
  if (status != KITH_E_BUSY) return status;
  if (!call.pin()) return KITH_E_CLOSED;
  const call_patience limits(timeout_ms, *call.operator->(), &call->spin);
  return step(limits, false);
}

kith_status next_slowly(kith_reader* reader, void* buffer, size_t capacity, size_t* out_size,
                        uint64_t* out_missed, int64_t timeout_ms) {
  reader_call call(reader);
  if (call.status() != KITH_OK) return call.status();
  shm::broadcast_item item{buffer, capacity, 0, 0};
  const kith_status status = next_step(call, timeout_ms, [&](const shm::patience& limits, bool is_first) {
    return is_first ? shm::broadcast_take(call.view(), call->reader, item)
                    : shm::broadcast_next(call.view(), call->reader, item, limits);
  });
  if (status >= KITH_OK || status == KITH_E_TOO_LARGE) *out_size = static_cast<size_t>(item.size);
  if (status < KITH_OK) return status;
  if (out_missed != nullptr) *out_missed = item.missed;
  shm::broadcast_find_straight(call.view(), call->reader);
  return status;
}

}  // namespace

namespace kith {

// Not while another thread is in a call: then it is that one's to find out.
bool reader_is_ready(object& object) {
  reader_object& self = static_cast<reader_object&>(object);
  if (!begin_turn(self)) return false;
  const bool is_ready = shm::broadcast_has_more(self.view, self.reader);
  end_turn(self);
  return is_ready;
}

void reader_raise(object& object) {
  shm::raise_poll_flag(static_cast<reader_object&>(object).view.state->poll_readers, shm::hears_bell_0);
}

kith_status reader_handle_to_poll(object& object, int64_t& out) {
  reader_object& self = static_cast<reader_object&>(object);
  library_guard guard;
  if (!self.ear.valid()) {
    const kith_status status = platform::ear_create(*self.view.bells, 0, self.ear);
    if (status != KITH_OK) return status;
  }
  out = static_cast<int64_t>(platform::handle_number(self.ear));
  return KITH_OK;
}

bool reader_quiet(object& object) { return platform::ear_quiet(static_cast<reader_object&>(object).ear); }

shm::spinner* reader_spinner(object& object) { return &static_cast<reader_object&>(object).spin; }

}  // namespace kith

kith_status kith_broadcast_subscribe(kith_broadcast* broadcast, int64_t history, kith_reader** out) {
  object* found = nullptr;
  if (kith_status status = handle_pin(broadcast, object_kind::broadcast, found); status != KITH_OK)
    return status;
  reader_object* const self = out != nullptr && history >= KITH_HISTORY_ALL ? make<reader_object>() : nullptr;
  kith_status status = self != nullptr ? KITH_OK : KITH_E_NO_MEMORY;
  if (out == nullptr || history < KITH_HISTORY_ALL) status = KITH_E_INVALID;
  if (status == KITH_OK) {
    self->type = &reader_class;
    self->shortcut = self;
    self->source_handle = broadcast;
    self->source = static_cast<segment_object*>(found);
    self->view = self->source->writing.view;
    const uint64_t most = history == KITH_HISTORY_ALL ? UINT64_MAX : static_cast<uint64_t>(history);
    status = shm::broadcast_join(self->view, most, self->reader);
  }
  void* const handle = status == KITH_OK ? handle_open(self) : nullptr;
  if (handle != nullptr) {
    *out = static_cast<kith_reader*>(handle);  // which keeps the pin
    return KITH_OK;
  }
  if (status == KITH_OK) {
    shm::broadcast_leave(self->view, self->reader);
    status = KITH_E_NO_MEMORY;
  }
  if (self != nullptr) unmake(self);
  handle_unpin(broadcast);
  return status;
}

kith_status kith_reader_next(kith_reader* reader, void* buffer, size_t capacity, size_t* out_size,
                             uint64_t* out_missed, int64_t timeout_ms) {
  void* found = nullptr;
  if (kith_status status = handle_find_shortcut(reader, object_kind::reader, found); status != KITH_OK)
    return status;
  if (!timeout_is_valid(timeout_ms) || out_size == nullptr || (buffer == nullptr && capacity != 0))
    return KITH_E_INVALID;
  reader_object& self = *static_cast<reader_object*>(found);
  bias::seat* seat = nullptr;
  if (!self.turns.enter(seat)) [[unlikely]]
    return next_slowly(reader, buffer, capacity, out_size, out_missed, timeout_ms);
  // A forked child does not know itself yet, or is another.
  if (self.process != platform::self_bits.load(std::memory_order_relaxed) ||
      !shm::broadcast_take_little(self.view, self.reader, buffer, capacity, *out_size)) [[unlikely]] {
    seat->leave();
    return next_slowly(reader, buffer, capacity, out_size, out_missed, timeout_ms);
  }
  if (out_missed != nullptr) *out_missed = 0;
  seat->leave();
  return KITH_OK;
}

kith_status kith_reader_peek(kith_reader* reader, const void** out_data, size_t* out_size,
                             uint64_t* out_missed, int64_t timeout_ms) {
  reader_call call(reader);
  if (call.status() != KITH_OK) return call.status();
  if (!timeout_is_valid(timeout_ms) || out_data == nullptr || out_size == nullptr) return KITH_E_INVALID;
  shm::broadcast_message& shown = call->shown;
  const kith_status status = next_step(call, timeout_ms, [&](const shm::patience& limits, bool is_first) {
    return is_first ? shm::broadcast_look(call.view(), call->reader, shown)
                    : shm::broadcast_peek(call.view(), call->reader, shown, limits);
  });
  if (status != KITH_OK) return status;
  call->is_showing = true;
  const uint64_t missed = shown.number - call->reader.number;
  *out_data = shm::broadcast_bytes(call.view(), shown.begin);
  *out_size = static_cast<size_t>(shown.size);
  if (out_missed != nullptr) *out_missed = missed;
  return missed == 0 ? KITH_OK : KITH_MISSED;
}

kith_status kith_reader_consume(kith_reader* reader) {
  const reader_call call(reader);
  if (call.status() != KITH_OK) return call.status();
  if (!call->is_showing) return KITH_E_NOT_OWNER;
  call->is_showing = false;
  return shm::broadcast_consume(call.view(), call->reader, call->shown);
}

kith_status kith_reader_release(kith_reader* reader) {
  const reader_call call(reader);
  if (call.status() != KITH_OK) return call.status();
  if (!call->is_showing) return KITH_E_NOT_OWNER;
  call->is_showing = false;
  return KITH_OK;
}

uint64_t kith_reader_pending(const kith_reader* reader) {
  const reader_call call(reader);
  uint64_t count = 0;
  if (call.status() != KITH_OK || !shm::broadcast_count(call.view(), count)) return 0;
  return count - call->reader.number;
}

void kith_reader_close(kith_reader* reader) { handle_close(reader, object_kind::reader); }
