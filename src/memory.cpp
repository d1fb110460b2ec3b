// SPDX-License-Identifier: MIT
#include <kith/kith.h>

#include "memory_flags.h"
#include "named.h"
#include "options.h"
#include "segment_object.h"

using namespace kith;

namespace {

shm::segment_plan plan_of(size_t size, uint32_t flags) {
  shm::segment_plan plan{shm::segment_kind::memory};
  plan.data_size = size;
  plan.waited_on = false;
  plan.commit = wants_commit(flags, size);
  plan.read_only_share = (flags & KITH_MEMORY_READ_ONLY_SHARE) != 0;
  return plan;
}

}  // namespace

constexpr segment_class kith::memory_class{
    {object_kind::memory, nullptr, segment_object_destroy}, shm::segment_kind::memory, false};

kith_status kith_memory_create(size_t size, const kith_memory_options* options, kith_memory** out) {
  kith_memory_options wanted;
  constexpr uint32_t known = KITH_MEMORY_READ_ONLY_SHARE | memory_commit_flags;
  if (kith_status status = read_options(options, wanted, known); status != KITH_OK) return status;
  if (size == 0 || out == nullptr || !commit_flags_agree(wanted.flags)) return KITH_E_INVALID;
  return segment_make(memory_class, plan_of(size, wanted.flags), out, [](shm::segment&) {});
}

kith_status kith_memory_open_named(const kith_naming* naming, size_t size, const kith_memory_options* options,
                                   kith_memory** out, int32_t* out_created) {
  kith_memory_options wanted;
  named_wish wish;
  if (kith_status status = named_read_wish(naming, shm::segment_kind::memory, wish); status != KITH_OK)
    return status;
  if (kith_status status = read_options(options, wanted, memory_commit_flags); status != KITH_OK)
    return status;
  if ((size == 0 && wish.creates()) || out == nullptr || !commit_flags_agree(wanted.flags))
    return KITH_E_INVALID;
  const shm::segment_plan plan = plan_of(size, wanted.flags);
  return object_open_named(
      memory_class, wish, plan, out, out_created,
      [&](const shm::segment& found) { return sizes_agree(plan, found); }, [](shm::segment&) {});
}

kith_status kith_memory_inherit(const char* name, kith_memory** out) {
  return segment_inherit(memory_class, name, out);
}

void* kith_memory_data(const kith_memory* memory) {
  const segment_object* self = segment_object_find(memory, object_kind::memory);
  return self == nullptr ? nullptr : self->data();
}

size_t kith_memory_size(const kith_memory* memory) {
  const segment_object* self = segment_object_find(memory, object_kind::memory);
  return self == nullptr ? 0 : self->segment().data_size;
}

void kith_memory_close(kith_memory* memory) { handle_close(memory, object_kind::memory); }
