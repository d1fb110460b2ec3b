// SPDX-License-Identifier: MIT
#include "shm/event.h"

#include <kith/kith.h>

#include "named.h"
#include "options.h"
#include "readiness.h"
#include "segment_object.h"
#include "waiting.h"

using namespace kith;

namespace {

shm::event_state& state_of(const segment_object& self) {
  return *reinterpret_cast<shm::event_state*>(self.segment().state);
}

void prepare(shm::segment& made, uint32_t flags) {
  shm::event_state& state = *reinterpret_cast<shm::event_state*>(made.state);
  const bool set = (flags & KITH_EVENT_INITIALLY_SET) != 0;
  state.word.store(set ? shm::event_set_bit : 0, std::memory_order_relaxed);
  state.auto_reset.store((flags & KITH_EVENT_AUTO_RESET) != 0 ? 1 : 0, std::memory_order_relaxed);
}

void begin_close(object& object) {
  segment_object& self = static_cast<segment_object&>(object);
  platform::wake(self.shared->segment.waiting, state_of(self).word, UINT32_MAX);
  shm::tell_pollers(state_of(self).pollers, &self.bells);
}

}  // namespace

constexpr segment_class kith::event_class{
    {object_kind::event, begin_close, segment_object_destroy}, shm::segment_kind::event, false, 1};

namespace kith {

bool event_is_ready(object& self) { return shm::event_is_set(state_of(static_cast<segment_object&>(self))); }

void event_raise(object& self) {
  shm::raise_poll_flag(state_of(static_cast<segment_object&>(self)).pollers, shm::hears_bell_0);
}

}  // namespace kith

kith_status kith_event_create(const kith_event_options* options, kith_event** out) {
  kith_event_options wanted;
  constexpr uint32_t known = KITH_EVENT_AUTO_RESET | KITH_EVENT_INITIALLY_SET;
  if (kith_status status = read_options(options, wanted, known); status != KITH_OK) return status;
  if (out == nullptr) return KITH_E_INVALID;
  return segment_make(event_class, {shm::segment_kind::event}, out,
                      [&](shm::segment& made) { prepare(made, wanted.flags); });
}

kith_status kith_event_open_named(const kith_naming* naming, const kith_event_options* options,
                                  kith_event** out, int32_t* out_created) {
  kith_event_options wanted;
  named_wish wish;
  if (kith_status status = named_read_wish(naming, shm::segment_kind::event, wish); status != KITH_OK)
    return status;
  constexpr uint32_t known = KITH_EVENT_AUTO_RESET | KITH_EVENT_INITIALLY_SET;
  if (kith_status status = read_options(options, wanted, known); status != KITH_OK) return status;
  if (out == nullptr) return KITH_E_INVALID;
  return object_open_named(
      event_class, wish, {shm::segment_kind::event}, out, out_created,
      [](const shm::segment&) { return true; }, [&](shm::segment& made) { prepare(made, wanted.flags); });
}

kith_status kith_event_inherit(const char* name, kith_event** out) {
  return segment_inherit(event_class, name, out);
}

kith_status kith_event_set(kith_event* event) {
  const pinned<segment_object> self(event, object_kind::event);
  if (self.status() == KITH_OK) shm::event_set(state_of(*self), self->shared->segment.waiting, &self->bells);
  return self.status();
}

kith_status kith_event_clear(kith_event* event) {
  const pinned<segment_object> self(event, object_kind::event);
  if (self.status() == KITH_OK) shm::event_clear(state_of(*self));
  return self.status();
}

kith_status kith_event_wait(kith_event* event, int64_t timeout_ms) {
  const pinned<segment_object> self(event, object_kind::event);
  if (self.status() != KITH_OK) return self.status();
  if (!timeout_is_valid(timeout_ms)) return KITH_E_INVALID;
  const call_patience limits(timeout_ms, *self, &self->spin);
  return shm::event_wait(state_of(*self), self->shared->segment.waiting, limits);
}

int32_t kith_event_is_set(const kith_event* event) {
  const pinned<segment_object> self(event, object_kind::event);
  return self.status() == KITH_OK && shm::event_is_set(state_of(*self)) ? 1 : 0;
}

void kith_event_close(kith_event* event) {
  object* found = nullptr;
  if (handle_find(event, object_kind::event, found) != KITH_OK) return;
  if (!static_cast<segment_object*>(found)->borrowed) handle_close(event, object_kind::event);
}
