// SPDX-License-Identifier: MIT
#include <kith/kith.h>

#include "memory_flags.h"
#include "named.h"
#include "options.h"
#include "segment_object.h"
#include "shm/element.h"

using namespace kith;

namespace {

// The address of an element; nullptr: no such element.
void* element_at(const segment_object& self, size_t index) {
  const shm::segment& segment = self.segment();
  if (index >= segment.data_size / segment.element_size) return nullptr;
  return segment.data + index * segment.element_size;
}

kith_status plan_array(kith_type type, size_t count, const kith_array_options& wanted,
                       shm::segment_plan& out) {
  out.type = type;
  kith_status status = shm::element_size_of(type, wanted.element_size, out.element_size);
  if (status != KITH_OK) return status;
  if (count > SIZE_MAX / out.element_size) return KITH_E_TOO_LARGE;
  out.data_size = count * out.element_size;
  out.commit = wants_commit(wanted.flags, out.data_size);
  return KITH_OK;
}

template <class Operation>
kith_status on_element(kith_array* array, size_t index, Operation operation) {
  object* found = nullptr;
  if (kith_status status = handle_find(array, object_kind::array, found); status != KITH_OK) return status;
  const segment_object& self = *static_cast<segment_object*>(found);
  void* element = element_at(self, index);
  return element == nullptr ? KITH_E_INVALID : operation(self.segment().type, element);
}

}  // namespace

constexpr segment_class kith::array_class{
    {object_kind::array, segment_object_begin_close, segment_object_destroy}, shm::segment_kind::array, true};

kith_status kith_array_create(kith_type type, size_t count, const kith_array_options* options,
                              kith_array** out) {
  kith_array_options wanted;
  if (kith_status status = read_options(options, wanted, memory_commit_flags | KITH_LOCK_RECURSIVE);
      status != KITH_OK)
    return status;
  if (count == 0 || out == nullptr || !commit_flags_agree(wanted.flags)) return KITH_E_INVALID;
  shm::segment_plan plan{shm::segment_kind::array};
  if (kith_status status = plan_array(type, count, wanted, plan); status != KITH_OK) return status;
  return segment_make(array_class, plan, out,
                      [&](shm::segment& made) { lock_set_options(made, wanted.flags); });
}

kith_status kith_array_open_named(const kith_naming* naming, kith_type type, size_t count,
                                  const kith_array_options* options, kith_array** out, int32_t* out_created) {
  kith_array_options wanted;
  named_wish wish;
  if (kith_status status = named_read_wish(naming, shm::segment_kind::array, wish); status != KITH_OK)
    return status;
  if (kith_status status = read_options(options, wanted, memory_commit_flags | KITH_LOCK_RECURSIVE);
      status != KITH_OK)
    return status;
  if (out == nullptr || !commit_flags_agree(wanted.flags)) return KITH_E_INVALID;
  if (wish.creates() ? count == 0 : type == 0 && count != 0) return KITH_E_INVALID;
  shm::segment_plan plan{shm::segment_kind::array};
  if (kith_status status = type == 0 && !wish.creates() ? KITH_OK : plan_array(type, count, wanted, plan);
      status != KITH_OK)
    return status;
  return object_open_named(
      array_class, wish, plan, out, out_created,
      [&](const shm::segment& found) { return sizes_agree(plan, found); },
      [&](shm::segment& made) { lock_set_options(made, wanted.flags); });
}

kith_status kith_array_inherit(const char* name, kith_array** out) {
  return segment_inherit(array_class, name, out);
}

void* kith_array_data(const kith_array* array) {
  const segment_object* self = segment_object_find(array, object_kind::array);
  return self == nullptr ? nullptr : self->data();
}

size_t kith_array_count(const kith_array* array) {
  const segment_object* self = segment_object_find(array, object_kind::array);
  return self == nullptr ? 0 : self->segment().data_size / self->segment().element_size;
}

kith_type kith_array_type(const kith_array* array) {
  const segment_object* self = segment_object_find(array, object_kind::array);
  return self == nullptr ? 0 : self->segment().type;
}

size_t kith_array_element_size(const kith_array* array) {
  const segment_object* self = segment_object_find(array, object_kind::array);
  return self == nullptr ? 0 : self->segment().element_size;
}

kith_lock* kith_array_lock(const kith_array* array) {
  const segment_object* self = segment_object_find(array, object_kind::array);
  return self == nullptr ? nullptr : self->lock;
}

kith_status kith_array_add(kith_array* array, size_t index, int64_t operand, int64_t* out_old) {
  return on_element(array, index, [&](kith_type type, void* element) {
    return shm::element_add(type, element, operand, out_old);
  });
}

kith_status kith_array_exchange(kith_array* array, size_t index, int64_t desired, int64_t* out_old) {
  return on_element(array, index, [&](kith_type type, void* element) {
    return shm::element_exchange(type, element, desired, out_old);
  });
}

kith_status kith_array_compare_exchange(kith_array* array, size_t index, int64_t* expected, int64_t desired) {
  if (expected == nullptr) return KITH_E_INVALID;
  return on_element(array, index, [&](kith_type type, void* element) {
    return shm::element_compare_exchange(type, element, expected, desired);
  });
}

void kith_array_close(kith_array* array) { handle_close(array, object_kind::array); }
