// SPDX-License-Identifier: MIT
#include "shm/barrier.h"

#include <kith/kith.h>

#include "named.h"
#include "options.h"
#include "segment_object.h"
#include "waiting.h"

using namespace kith;

namespace {

shm::barrier_view view_of(segment_object& self) {
  const shm::segment& segment = self.segment();
  return {reinterpret_cast<shm::barrier_state*>(segment.state),
          reinterpret_cast<shm::barrier_seat*>(segment.data),
          static_cast<uint32_t>(segment.data_size / sizeof(shm::barrier_seat)),
          &self.shared->segment.waiting};
}

void begin_close(object& self) { shm::barrier_leave(view_of(static_cast<segment_object&>(self))); }

}  // namespace

constexpr segment_class kith::barrier_class{
    {object_kind::barrier, begin_close, segment_object_destroy}, shm::segment_kind::barrier, false};

kith_status kith_barrier_create(uint32_t parties, const kith_barrier_options* options, kith_barrier** out) {
  kith_barrier_options wanted;
  if (kith_status status = read_options(options, wanted, 0); status != KITH_OK) return status;
  if (out == nullptr || parties == 0 || parties > KITH_BARRIER_MOST_PARTIES) return KITH_E_INVALID;
  shm::segment_plan plan{shm::segment_kind::barrier};
  plan.data_size = parties * sizeof(shm::barrier_seat);
  return segment_make(barrier_class, plan, out, [](shm::segment&) {});
}

kith_status kith_barrier_open_named(const kith_naming* naming, uint32_t parties,
                                    const kith_barrier_options* options, kith_barrier** out,
                                    int32_t* out_created) {
  kith_barrier_options wanted;
  named_wish wish;
  if (kith_status status = named_read_wish(naming, shm::segment_kind::barrier, wish); status != KITH_OK)
    return status;
  if (kith_status status = read_options(options, wanted, 0); status != KITH_OK) return status;
  if (out == nullptr || parties > KITH_BARRIER_MOST_PARTIES || (parties == 0 && wish.creates()))
    return KITH_E_INVALID;
  shm::segment_plan plan{shm::segment_kind::barrier};
  plan.data_size = parties * sizeof(shm::barrier_seat);
  return object_open_named(
      barrier_class, wish, plan, out, out_created,
      [&](const shm::segment& found) { return sizes_agree(plan, found); }, [](shm::segment&) {});
}

kith_status kith_barrier_inherit(const char* name, kith_barrier** out) {
  return segment_inherit(barrier_class, name, out);
}

kith_status kith_barrier_wait(kith_barrier* barrier, int64_t timeout_ms, uint32_t* out_place) {
  const pinned<segment_object> self(barrier, object_kind::barrier);
  if (self.status() != KITH_OK) return self.status();
  if (!timeout_is_valid(timeout_ms)) return KITH_E_INVALID;
  const call_patience limits(timeout_ms, *self, &self->spin);
  uint32_t place = 0;
  const kith_status status = shm::barrier_wait(view_of(*self), limits, place);
  if (status >= KITH_OK && out_place != nullptr) *out_place = place;
  return status;
}

kith_status kith_barrier_abort(kith_barrier* barrier) {
  const pinned<segment_object> self(barrier, object_kind::barrier);
  if (self.status() == KITH_OK) shm::barrier_abort(view_of(*self));
  return self.status();
}

kith_status kith_barrier_reset(kith_barrier* barrier) {
  const pinned<segment_object> self(barrier, object_kind::barrier);
  if (self.status() == KITH_OK) shm::barrier_reset(view_of(*self));
  return self.status();
}

uint32_t kith_barrier_parties(const kith_barrier* barrier) {
  const pinned<segment_object> self(barrier, object_kind::barrier);
  return self.status() == KITH_OK ? view_of(*self).parties : 0;
}

uint32_t kith_barrier_waiting(const kith_barrier* barrier) {
  const pinned<segment_object> self(barrier, object_kind::barrier);
  return self.status() == KITH_OK ? shm::barrier_waiting(view_of(*self)) : 0;
}

int32_t kith_barrier_is_broken(const kith_barrier* barrier) {
  const pinned<segment_object> self(barrier, object_kind::barrier);
  return self.status() == KITH_OK && shm::barrier_is_broken(view_of(*self)) ? 1 : 0;
}

void kith_barrier_close(kith_barrier* barrier) { handle_close(barrier, object_kind::barrier); }
