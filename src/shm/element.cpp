// SPDX-License-Identifier: MIT
#include "element.h"

#include <atomic>
#include <cstring>

namespace kith::shm {

namespace {

// Elements are aligned to their size, and a std::atomic of a fixed-width integer is that integer: std::atomic_ref would say it
// better, but not every standard library that we build with has it yet.
template <class T>
std::atomic<T>& atomic_at(void* element) {
  static_assert(sizeof(std::atomic<T>) == sizeof(T) && std::atomic<T>::is_always_lock_free);
  return *static_cast<std::atomic<T>*>(element);
}

template <class T>
bool fits(int64_t value) {
  return sizeof(T) == 8 || static_cast<int64_t>(static_cast<T>(value)) == value;
}

// Calls `operation` with an atomic of the element's type. All operations are seq_cst, as kith.h promises.
template <class Operation>
kith_status with_atomic(kith_type type, void* element, Operation operation) {
  switch (type) {
    case KITH_I32: return operation(atomic_at<int32_t>(element));
    case KITH_U32: return operation(atomic_at<uint32_t>(element));
    case KITH_I64: return operation(atomic_at<int64_t>(element));
    case KITH_U64: return operation(atomic_at<uint64_t>(element));
    default: return KITH_E_MISMATCH;
  }
}

void give(int64_t* out, int64_t value) {
  if (out != nullptr) *out = value;
}

template <class T>
void load_as(const void* element, void* out) {
  // Acquire, with the release in store_as, so that a value may announce other data.
  const T value = atomic_at<T>(const_cast<void*>(element)).load(std::memory_order_acquire);
  std::memcpy(out, &value, sizeof value);
}

template <class T>
void store_as(void* element, const void* source) {
  T value;
  std::memcpy(&value, source, sizeof value);
  atomic_at<T>(element).store(value, std::memory_order_release);  // pairs with the acquire in load_as
}

}  // namespace

kith_status element_size_of(kith_type type, uint64_t given_size, size_t& out) {
  static constexpr unsigned char sizes[] = {0, 1, 1, 2, 2, 4, 4, 8, 8, 4, 8};
  if (type == KITH_STRUCT) {
    if (given_size == 0) return KITH_E_INVALID;
    if (given_size > SIZE_MAX) return KITH_E_TOO_LARGE;
    out = static_cast<size_t>(given_size);
    return KITH_OK;
  }
  if (type < KITH_I8 || type > KITH_F64) return KITH_E_INVALID;
  const size_t size = sizes[type];
  if (given_size != 0 && given_size != size) return KITH_E_MISMATCH;
  out = size;
  return KITH_OK;
}

kith_status element_add(kith_type type, void* element, int64_t operand, int64_t* out_old) {
  return with_atomic(type, element, [&](auto& target) {
    using T = decltype(target.load());
    give(out_old, static_cast<int64_t>(target.fetch_add(static_cast<T>(operand))));
    return kith_status{KITH_OK};
  });
}

kith_status element_exchange(kith_type type, void* element, int64_t desired, int64_t* out_old) {
  return with_atomic(type, element, [&](auto& target) {
    using T = decltype(target.load());
    if (!fits<T>(desired)) return kith_status{KITH_E_INVALID};
    give(out_old, static_cast<int64_t>(target.exchange(static_cast<T>(desired))));
    return kith_status{KITH_OK};
  });
}

kith_status element_compare_exchange(kith_type type, void* element, int64_t* expected, int64_t desired) {
  return with_atomic(type, element, [&](auto& target) {
    using T = decltype(target.load());
    if (!fits<T>(desired) || !fits<T>(*expected)) return kith_status{KITH_E_INVALID};
    T found = static_cast<T>(*expected);
    if (target.compare_exchange_strong(found, static_cast<T>(desired))) return kith_status{KITH_OK};
    *expected = static_cast<int64_t>(found);
    return kith_status{KITH_NOT_EQUAL};
  });
}

void element_load(size_t size, const void* element, void* out) {
  switch (size) {
    case 1: return load_as<uint8_t>(element, out);
    case 2: return load_as<uint16_t>(element, out);
    case 4: return load_as<uint32_t>(element, out);
    default: return load_as<uint64_t>(element, out);
  }
}

void element_store(size_t size, void* element, const void* source) {
  switch (size) {
    case 1: return store_as<uint8_t>(element, source);
    case 2: return store_as<uint16_t>(element, source);
    case 4: return store_as<uint32_t>(element, source);
    default: return store_as<uint64_t>(element, source);
  }
}

}  // namespace kith::shm
