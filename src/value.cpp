// SPDX-License-Identifier: MIT
#include <kith/kith.h>

#include <cstring>

#include "named.h"
#include "options.h"
#include "segment_object.h"
#include "shm/element.h"

using namespace kith;

namespace {

template <class Operation>
kith_status on_value(kith_value* value, Operation operation) {
  object* found = nullptr;
  if (kith_status status = handle_find(value, object_kind::value, found); status != KITH_OK) return status;
  const segment_object& self = *static_cast<segment_object*>(found);
  return operation(self.segment().type, self.data());
}

// Holds the value's lock while a struct is copied. A thread that holds it already goes on holding it.
class struct_access {
 public:
  explicit struct_access(segment_object& self)
      : state_(*reinterpret_cast<shm::lock_state*>(self.shared->segment.state)),
        waiting_(self.shared->segment.waiting) {
    if (shm::lock_held_by_me(state_)) return;
    shm::patience limits;  // no call with a timeout: only a close ends it
    limits.closed = &self.closed;
    status_ = shm::lock_acquire(state_, waiting_, limits);
    acquired_ = status_ >= KITH_OK;
  }
  ~struct_access() {
    if (acquired_) (void)shm::lock_release(state_, waiting_);
  }
  struct_access(const struct_access&) = delete;
  struct_access& operator=(const struct_access&) = delete;

  kith_status status() const { return status_; }
  // Only what we acquired ourselves is ours to declare in order.
  void mark_consistent() {
    if (acquired_) (void)shm::lock_mark_consistent(state_);
  }

 private:
  shm::lock_state& state_;
  wait_area& waiting_;
  kith_status status_ = KITH_OK;
  bool acquired_ = false;
};

}  // namespace

constexpr segment_class kith::value_class{
    {object_kind::value, segment_object_begin_close, segment_object_destroy}, shm::segment_kind::value, true};

kith_status kith_value_create(kith_type type, const void* initial, const kith_value_options* options,
                              kith_value** out) {
  kith_value_options wanted;
  if (kith_status status = read_options(options, wanted, KITH_LOCK_RECURSIVE); status != KITH_OK)
    return status;
  if (out == nullptr) return KITH_E_INVALID;
  shm::segment_plan plan{shm::segment_kind::value};
  plan.type = type;
  kith_status status = shm::element_size_of(type, wanted.element_size, plan.element_size);
  if (status != KITH_OK) return status;
  plan.data_size = plan.element_size;
  return segment_make(value_class, plan, out, [&](shm::segment& made) {
    lock_set_options(made, wanted.flags);
    if (initial != nullptr) std::memcpy(made.data, initial, plan.data_size);
  });
}

kith_status kith_value_open_named(const kith_naming* naming, kith_type type, const void* initial,
                                  const kith_value_options* options, kith_value** out, int32_t* out_created) {
  kith_value_options wanted;
  named_wish wish;
  if (kith_status status = named_read_wish(naming, shm::segment_kind::value, wish); status != KITH_OK)
    return status;
  if (kith_status status = read_options(options, wanted, KITH_LOCK_RECURSIVE); status != KITH_OK)
    return status;
  if (out == nullptr) return KITH_E_INVALID;
  shm::segment_plan plan{shm::segment_kind::value};
  plan.type = type;
  if (type != 0 || wish.creates()) {
    const kith_status status = shm::element_size_of(type, wanted.element_size, plan.element_size);
    if (status != KITH_OK) return status;
  }
  plan.data_size = plan.element_size;
  return object_open_named(
      value_class, wish, plan, out, out_created,
      [&](const shm::segment& found) { return sizes_agree(plan, found); },
      [&](shm::segment& made) {
        lock_set_options(made, wanted.flags);
        if (initial != nullptr) std::memcpy(made.data, initial, plan.data_size);
      });
}

kith_status kith_value_inherit(const char* name, kith_value** out) {
  return segment_inherit(value_class, name, out);
}

void* kith_value_data(const kith_value* value) {
  const segment_object* self = segment_object_find(value, object_kind::value);
  return self == nullptr ? nullptr : self->data();
}

kith_type kith_value_type(const kith_value* value) {
  const segment_object* self = segment_object_find(value, object_kind::value);
  return self == nullptr ? 0 : self->segment().type;
}

size_t kith_value_size(const kith_value* value) {
  const segment_object* self = segment_object_find(value, object_kind::value);
  return self == nullptr ? 0 : self->segment().data_size;
}

kith_lock* kith_value_lock(const kith_value* value) {
  const segment_object* self = segment_object_find(value, object_kind::value);
  return self == nullptr ? nullptr : self->lock;
}

kith_status kith_value_load(kith_value* value, void* out, size_t size) {
  pinned<segment_object> self(value, object_kind::value);
  if (self.status() != KITH_OK) return self.status();
  if (out == nullptr) return KITH_E_INVALID;
  if (size != self->segment().data_size) return KITH_E_MISMATCH;
  if (self->segment().type != KITH_STRUCT) {
    shm::element_load(size, self->data(), out);
    return KITH_OK;
  }
  struct_access access(*self);
  if (access.status() >= KITH_OK) std::memcpy(out, self->data(), size);
  return access.status();
}

kith_status kith_value_store(kith_value* value, const void* source, size_t size) {
  pinned<segment_object> self(value, object_kind::value);
  if (self.status() != KITH_OK) return self.status();
  if (source == nullptr) return KITH_E_INVALID;
  if (size != self->segment().data_size) return KITH_E_MISMATCH;
  if (self->segment().type != KITH_STRUCT) {
    shm::element_store(size, self->data(), source);
    return KITH_OK;
  }
  struct_access access(*self);
  if (access.status() < KITH_OK) return access.status();
  std::memcpy(self->data(), source, size);
  access.mark_consistent();
  return KITH_OK;
}

kith_status kith_value_add(kith_value* value, int64_t operand, int64_t* out_old) {
  return on_value(value, [&](kith_type type, void* element) {
    return shm::element_add(type, element, operand, out_old);
  });
}

kith_status kith_value_exchange(kith_value* value, int64_t desired, int64_t* out_old) {
  return on_value(value, [&](kith_type type, void* element) {
    return shm::element_exchange(type, element, desired, out_old);
  });
}

kith_status kith_value_compare_exchange(kith_value* value, int64_t* expected, int64_t desired) {
  if (expected == nullptr) return KITH_E_INVALID;
  return on_value(value, [&](kith_type type, void* element) {
    return shm::element_compare_exchange(type, element, expected, desired);
  });
}

void kith_value_close(kith_value* value) { handle_close(value, object_kind::value); }
