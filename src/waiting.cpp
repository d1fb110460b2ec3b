// SPDX-License-Identifier: MIT
#include "waiting.h"

#include <cerrno>

#include "allocator.h"

namespace kith {

namespace {

constinit thread_local kith_cancel* cancel_in_use = nullptr;
constinit thread_local bool interruptible_thread = false;

void begin_close(object& self) { static_cast<cancel_object&>(self).state.reset(); }

void destroy(object* self) { unmake(static_cast<cancel_object*>(self)); }

constexpr object_class cancel_class{object_kind::cancel, begin_close, destroy};

}  // namespace

call_patience::call_patience(int64_t timeout_ms, const object& waited_for, shm::spinner* its_spinner)
    : call_patience(timeout_ms) {
  spin = its_spinner;
  closed = &waited_for.closed;
}

call_patience::call_patience(int64_t timeout_ms) {
  until = timeout_ms > 0 ? deadline_in(platform::clock_now(), timeout_ms) : deadline_in(0, timeout_ms);
  interruptible = interruptible_thread;
  object* found = nullptr;
  if (cancel_in_use == nullptr || handle_pin(cancel_in_use, object_kind::cancel, found) != KITH_OK) return;
  used_ = cancel_in_use;
  cancel = &static_cast<cancel_object*>(found)->state;
}

call_patience::~call_patience() {
  if (used_ != nullptr) handle_unpin(used_);
}

}  // namespace kith

using namespace kith;

kith_status kith_cancel_create(kith_cancel** out) {
  if (out == nullptr) return KITH_E_INVALID;
  cancel_object* self = make<cancel_object>();
  if (self == nullptr) return KITH_E_NO_MEMORY;
  self->type = &cancel_class;
  void* handle = handle_open(self);
  if (handle == nullptr) {
    unmake(self);
    return KITH_E_NO_MEMORY;
  }
  *out = static_cast<kith_cancel*>(handle);
  return KITH_OK;
}

kith_status kith_cancel_use(kith_cancel* cancel) {
  if (cancel != nullptr) {
    object* found = nullptr;
    if (kith_status status = handle_find(cancel, object_kind::cancel, found); status != KITH_OK)
      return status;
  }
  cancel_in_use = cancel;
  return KITH_OK;
}

kith_status kith_cancel_fire(kith_cancel* cancel) {
  const int error_of_the_interrupted = errno;  // in a signal handler; a wake that finds nobody changes it
  const pinned<cancel_object> self(cancel, object_kind::cancel);
  if (self.status() == KITH_OK) self->state.fire();
  errno = error_of_the_interrupted;
  return self.status();
}

kith_status kith_cancel_reset(kith_cancel* cancel) {
  const pinned<cancel_object> self(cancel, object_kind::cancel);
  if (self.status() == KITH_OK) self->state.reset();
  return self.status();
}

void kith_cancel_close(kith_cancel* cancel) { handle_close(cancel, object_kind::cancel); }

int32_t kith_wait_interruptible(int32_t on) {
  const bool before = interruptible_thread;
  interruptible_thread = on != 0;
  return before ? 1 : 0;
}
