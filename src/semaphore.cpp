// SPDX-License-Identifier: MIT
#include "shm/semaphore.h"

#include <kith/kith.h>

#include "named.h"
#include "options.h"
#include "segment_object.h"
#include "waiting.h"

using namespace kith;

namespace {

shm::semaphore_view view_of(const shm::segment& segment, wait_area& waiting, std::atomic<uint32_t>* hint) {
  const bool owned = segment.data_size != 0;
  return {reinterpret_cast<shm::semaphore_state*>(segment.state),
          owned ? reinterpret_cast<std::atomic<uint64_t>*>(segment.data) : nullptr,
          static_cast<uint32_t>(segment.data_size / sizeof(uint64_t)), &waiting, hint};
}

shm::semaphore_view view_of(segment_object& self) {
  return view_of(self.segment(), self.shared->segment.waiting, &self.hint);
}

void begin_close(object& self) {
  const shm::semaphore_view view = view_of(static_cast<segment_object&>(self));
  platform::wake(*view.waiting, view.state->waiters, UINT32_MAX);
}

bool counts_are_valid(uint32_t initial, const kith_semaphore_options& wanted) {
  if ((wanted.flags & KITH_SEMAPHORE_SIGNAL) == 0) {
    return initial >= 1 && initial <= KITH_SEMAPHORE_MOST_OWNED &&
           (wanted.maximum == 0 || wanted.maximum == initial);
  }
  return wanted.maximum <= KITH_SEMAPHORE_LARGEST && initial <= wanted.maximum;
}

void prepare(shm::segment& made, uint32_t initial, const kith_semaphore_options& wanted) {
  shm::semaphore_state& state = *reinterpret_cast<shm::semaphore_state*>(made.state);
  const bool signal = (wanted.flags & KITH_SEMAPHORE_SIGNAL) != 0;
  state.maximum.store(wanted.maximum, std::memory_order_relaxed);
  state.count.store(signal ? initial : 0, std::memory_order_relaxed);
}

}  // namespace

constexpr segment_class kith::semaphore_class{
    {object_kind::semaphore, begin_close, segment_object_destroy}, shm::segment_kind::semaphore, false};

kith_status kith_semaphore_create(uint32_t initial, const kith_semaphore_options* options,
                                  kith_semaphore** out) {
  kith_semaphore_options wanted;
  if (kith_status status = read_options(options, wanted, KITH_SEMAPHORE_SIGNAL); status != KITH_OK)
    return status;
  const bool signal = (wanted.flags & KITH_SEMAPHORE_SIGNAL) != 0;
  if (signal && wanted.maximum == 0) wanted.maximum = KITH_SEMAPHORE_LARGEST;
  if (out == nullptr || !counts_are_valid(initial, wanted)) return KITH_E_INVALID;
  shm::segment_plan plan{shm::segment_kind::semaphore};
  plan.data_size = signal ? 0 : initial * sizeof(uint64_t);
  return segment_make(semaphore_class, plan, out,
                      [&](shm::segment& made) { prepare(made, initial, wanted); });
}

kith_status kith_semaphore_open_named(const kith_naming* naming, uint32_t initial,
                                      const kith_semaphore_options* options, kith_semaphore** out,
                                      int32_t* out_created) {
  kith_semaphore_options wanted;
  named_wish wish;
  if (kith_status status = named_read_wish(naming, shm::segment_kind::semaphore, wish); status != KITH_OK)
    return status;
  if (kith_status status = read_options(options, wanted, KITH_SEMAPHORE_SIGNAL); status != KITH_OK)
    return status;
  const bool signal = (wanted.flags & KITH_SEMAPHORE_SIGNAL) != 0;
  if (signal && wanted.maximum == 0) wanted.maximum = KITH_SEMAPHORE_LARGEST;
  const bool whatever = initial == 0 && !signal && !wish.creates();
  if (out == nullptr || (!whatever && !counts_are_valid(initial, wanted))) return KITH_E_INVALID;
  shm::segment_plan plan{shm::segment_kind::semaphore};
  plan.data_size = signal ? 0 : initial * sizeof(uint64_t);
  return object_open_named(
      semaphore_class, wish, plan, out, out_created,
      [&](const shm::segment& found) { return whatever || found.data_size == plan.data_size; },
      [&](shm::segment& made) { prepare(made, initial, wanted); });
}

kith_status kith_semaphore_inherit(const char* name, kith_semaphore** out) {
  return segment_inherit(semaphore_class, name, out);
}

kith_status kith_semaphore_acquire(kith_semaphore* semaphore, int64_t timeout_ms) {
  const pinned<segment_object> self(semaphore, object_kind::semaphore);
  if (self.status() != KITH_OK) return self.status();
  if (!timeout_is_valid(timeout_ms)) return KITH_E_INVALID;
  call_patience limits(timeout_ms, *self, &self->spin);
  limits.last_probe_ns = &self->last_probe_ns;
  return shm::semaphore_acquire(view_of(*self), limits);
}

kith_status kith_semaphore_release(kith_semaphore* semaphore) {
  const pinned<segment_object> self(semaphore, object_kind::semaphore);
  return self.status() == KITH_OK ? shm::semaphore_release(view_of(*self)) : self.status();
}

uint32_t kith_semaphore_available(const kith_semaphore* semaphore) {
  const pinned<segment_object> self(semaphore, object_kind::semaphore);
  return self.status() == KITH_OK ? shm::semaphore_available(view_of(*self)) : 0;
}

void kith_semaphore_close(kith_semaphore* semaphore) { handle_close(semaphore, object_kind::semaphore); }
