// SPDX-License-Identifier: MIT
#include "shm/condition.h"

#include <kith/kith.h>

#include "named.h"
#include "options.h"
#include "segment_object.h"
#include "waiting.h"

using namespace kith;

namespace {

shm::condition_view view_of(segment_object& self) {
  const shm::segment& segment = self.segment();
  return {reinterpret_cast<shm::condition_state*>(segment.state),
          reinterpret_cast<std::atomic<uint64_t>*>(segment.data), &self.shared->segment.waiting};
}

void begin_close(object& self) { shm::condition_wake_own(view_of(static_cast<segment_object&>(self))); }

}  // namespace

constexpr segment_class kith::condition_class{
    {object_kind::condition, begin_close, segment_object_destroy}, shm::segment_kind::condition, false};

kith_status kith_condition_create(const kith_condition_options* options, kith_condition** out) {
  kith_condition_options wanted;
  if (kith_status status = read_options(options, wanted, 0); status != KITH_OK) return status;
  if (out == nullptr) return KITH_E_INVALID;
  shm::segment_plan plan{shm::segment_kind::condition};
  plan.data_size = KITH_CONDITION_MOST_WAITERS * sizeof(uint64_t);
  return segment_make(condition_class, plan, out, [](shm::segment&) {});
}

kith_status kith_condition_open_named(const kith_naming* naming, const kith_condition_options* options,
                                      kith_condition** out, int32_t* out_created) {
  kith_condition_options wanted;
  named_wish wish;
  if (kith_status status = named_read_wish(naming, shm::segment_kind::condition, wish); status != KITH_OK)
    return status;
  if (kith_status status = read_options(options, wanted, 0); status != KITH_OK) return status;
  if (out == nullptr) return KITH_E_INVALID;
  shm::segment_plan plan{shm::segment_kind::condition};
  plan.data_size = KITH_CONDITION_MOST_WAITERS * sizeof(uint64_t);
  return object_open_named(
      condition_class, wish, plan, out, out_created, [](const shm::segment&) { return true; },
      [](shm::segment&) {});
}

kith_status kith_condition_inherit(const char* name, kith_condition** out) {
  return segment_inherit(condition_class, name, out);
}

kith_status kith_condition_wait(kith_condition* condition, kith_lock* lock, int64_t timeout_ms) {
  const pinned<segment_object> self(condition, object_kind::condition);
  if (self.status() != KITH_OK) return self.status();
  const pinned<lock_object> its_lock(lock, object_kind::lock);
  if (its_lock.status() != KITH_OK) return its_lock.status();
  if (!timeout_is_valid(timeout_ms)) return KITH_E_INVALID;
  const call_patience limits(timeout_ms, *self, &self->spin);
  // Whatever ends the wait, the lock must be had again: only its close ends that.
  shm::patience for_lock;
  for_lock.closed = &its_lock->closed;
  return shm::condition_wait(view_of(*self), lock_view_of(*its_lock), limits, for_lock);
}

kith_status kith_condition_notify(kith_condition* condition, uint32_t count) {
  const pinned<segment_object> self(condition, object_kind::condition);
  if (self.status() == KITH_OK) shm::condition_notify(view_of(*self), count);
  return self.status();
}

kith_status kith_condition_notify_all(kith_condition* condition) {
  return kith_condition_notify(condition, UINT32_MAX);
}

void kith_condition_close(kith_condition* condition) { handle_close(condition, object_kind::condition); }
