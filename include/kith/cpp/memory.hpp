// SPDX-License-Identifier: MIT
// Shared memory, arrays and values.
#pragma once

#include <kith/cpp/sync.hpp>

namespace kith {
inline namespace cpp {

namespace detail {

// Numbers have a type of their own; everything else that is plain is a KITH_STRUCT.
template <class T>
constexpr kith_type type_of() noexcept {
  if constexpr (std::same_as<T, float>) {
    return KITH_F32;
  } else if constexpr (std::same_as<T, double>) {
    return KITH_F64;
  } else if constexpr (std::integral<T> && !std::same_as<T, bool>) {
    constexpr kith_type of_size[] = {0, KITH_I8, KITH_I16, 0, KITH_I32, 0, 0, 0, KITH_I64};
    return of_size[sizeof(T)] + (std::is_unsigned_v<T> ? 1 : 0);
  } else {
    return KITH_STRUCT;
  }
}

// The elements with atomic operations.
template <class T>
concept atomic_element = type_of<T>() != KITH_STRUCT && std::integral<T> && (sizeof(T) == 4 || sizeof(T) == 8);

template <class T, class Options>
Options element_options(uint32_t flags) noexcept {
  Options made = options<Options>(flags);
  if (type_of<T>() == KITH_STRUCT) made.element_size = sizeof(T);
  return made;
}

}  // namespace detail

// Bytes without a name, shared by those to whom they are given.
class memory : public owner<kith_memory, kith_memory_close> {
 public:
  using owner::owner;
  static result<memory> try_create(std::size_t size, uint32_t flags = 0) noexcept {
    const auto wanted = detail::options<kith_memory_options>(flags);
    return detail::own<memory>([&](kith_memory** out) { return kith_memory_create(size, &wanted, out); });
  }
  static result<memory> try_inherit(const char* name) noexcept {
    return detail::own<memory>([&](kith_memory** out) { return kith_memory_inherit(name, out); });
  }
  static result<memory> try_open(const naming& where, std::size_t size, uint32_t flags = 0) noexcept {
    const auto wanted = detail::options<kith_memory_options>(flags);
    return detail::own<memory>([&](kith_memory** out) { return kith_memory_open_named(where.get(), size, &wanted, out, nullptr); });
  }
#if KITH_HPP_THROWS
  explicit memory(std::size_t size, uint32_t flags = 0) : memory(try_create(size, flags).value("kith::memory")) {}
  static memory inherit(const char* name) { return try_inherit(name).value("kith::memory::inherit"); }
  static memory open(const naming& where, std::size_t size, uint32_t flags = 0) { return try_open(where, size, flags).value("kith::memory::open"); }
#endif

  std::span<std::byte> bytes() const noexcept {
    return {static_cast<std::byte*>(kith_memory_data(get())), kith_memory_size(get())};
  }
};

// A shared array of T, all zero at first, with a lock of its own.
template <detail::plain T>
class array : public owner<kith_array, kith_array_close> {
 public:
  using element_type = T;
  using owner::owner;
  static result<array> try_create(std::size_t count, uint32_t flags = 0) noexcept {
    const auto wanted = detail::element_options<T, kith_array_options>(flags);
    return detail::own<array>(
        [&](kith_array** out) { return kith_array_create(detail::type_of<T>(), count, &wanted, out); });
  }
  static result<array> try_inherit(const char* name) noexcept {
    auto got = detail::own<array>([&](kith_array** out) { return kith_array_inherit(name, out); });
    return !got || got->fits() ? std::move(got) : result<array>(KITH_E_MISMATCH);
  }
  static result<array> try_open(const naming& where, std::size_t count, uint32_t flags = 0) noexcept {
    const auto wanted = detail::element_options<T, kith_array_options>(flags);
    return detail::own<array>([&](kith_array** out) { return kith_array_open_named(where.get(), detail::type_of<T>(), count, &wanted, out, nullptr); });
  }
#if KITH_HPP_THROWS
  explicit array(std::size_t count, uint32_t flags = 0) : array(try_create(count, flags).value("kith::array")) {}
  static array inherit(const char* name) { return try_inherit(name).value("kith::array::inherit"); }
  static array open(const naming& where, std::size_t count, uint32_t flags = 0) { return try_open(where, count, flags).value("kith::array::open"); }
#endif

  // The elements: plain shared memory, which a const array does not protect.
  T* data() const noexcept { return static_cast<T*>(kith_array_data(get())); }
  std::size_t size() const noexcept { return kith_array_count(get()); }
  std::span<T> span() const noexcept { return {data(), size()}; }
  T& operator[](std::size_t index) const noexcept { return data()[index]; }
  T* begin() const noexcept { return data(); }
  T* end() const noexcept { return data() + size(); }

  // Borrowed: good until the array is closed. auto lock = a.mutex(); std::scoped_lock hold(lock);
  mutex_view mutex() const noexcept { return mutex_view(kith_array_lock(get())); }

  status try_add(std::size_t index, T operand, T* old = nullptr) const noexcept
    requires detail::atomic_element<T>
  {
    int64_t before = 0;
    const status got = kith_array_add(get(), index, static_cast<int64_t>(operand), &before);
    if (got.ok() && old != nullptr) *old = static_cast<T>(before);
    return got;
  }
#if KITH_HPP_THROWS
  T add(std::size_t index, T operand) const
    requires detail::atomic_element<T>
  {
    T old{};
    detail::check(try_add(index, operand, &old), "kith::array::add");
    return old;
  }
#endif

  bool fits() const noexcept {  // whether it is an array of T
    return kith_array_type(get()) == detail::type_of<T>() && kith_array_element_size(get()) == sizeof(T);
  }
};

// One shared value of type T, with a lock of its own.
template <detail::plain T>
class value : public owner<kith_value, kith_value_close> {
 public:
  using element_type = T;
  using owner::owner;
  static result<value> try_create(const T& initial = T{}, uint32_t flags = 0) noexcept {
    const auto wanted = detail::element_options<T, kith_value_options>(flags);
    return detail::own<value>(
        [&](kith_value** out) { return kith_value_create(detail::type_of<T>(), &initial, &wanted, out); });
  }
  static result<value> try_inherit(const char* name) noexcept {
    auto got = detail::own<value>([&](kith_value** out) { return kith_value_inherit(name, out); });
    return !got || got->fits() ? std::move(got) : result<value>(KITH_E_MISMATCH);
  }
  static result<value> try_open(const naming& where, const T& initial = T{}, uint32_t flags = 0) noexcept {
    const auto wanted = detail::element_options<T, kith_value_options>(flags);
    return detail::own<value>([&](kith_value** out) { return kith_value_open_named(where.get(), detail::type_of<T>(), &initial, &wanted, out, nullptr); });
  }

  // Whole, never half of one store and half of another. owner_died: as kith_value_load says.
  status try_load(T& out) const noexcept { return kith_value_load(get(), &out, sizeof out); }
  status try_store(const T& source) const noexcept { return kith_value_store(get(), &source, sizeof source); }
  status try_add(T operand, T* old = nullptr) const noexcept
    requires detail::atomic_element<T>
  {
    int64_t before = 0;
    const status got = kith_value_add(get(), static_cast<int64_t>(operand), &before);
    if (got.ok() && old != nullptr) *old = static_cast<T>(before);
    return got;
  }
  // KITH_NOT_EQUAL: nothing was done, and `expected` is now what the value is.
  status try_compare_exchange(T& expected, T desired) const noexcept
    requires detail::atomic_element<T>
  {
    int64_t wanted = static_cast<int64_t>(expected);
    const status got = kith_value_compare_exchange(get(), &wanted, static_cast<int64_t>(desired));
    expected = static_cast<T>(wanted);
    return got;
  }

#if KITH_HPP_THROWS
  value() : value(T{}) {}
  explicit value(const T& initial, uint32_t flags = 0) : value(try_create(initial, flags).value("kith::value")) {}
  static value inherit(const char* name) { return try_inherit(name).value("kith::value::inherit"); }
  static value open(const naming& where, const T& initial = T{}, uint32_t flags = 0) { return try_open(where, initial, flags).value("kith::value::open"); }

  T load() const {
    T out;
    detail::check(try_load(out), "kith::value::load");
    return out;
  }
  void store(const T& source) const { detail::check(try_store(source), "kith::value::store"); }
  const value& operator=(const T& source) const {
    store(source);
    return *this;
  }
  operator T() const { return load(); }
  T add(T operand) const  // what it was before
    requires detail::atomic_element<T>
  {
    T old{};
    detail::check(try_add(operand, &old), "kith::value::add");
    return old;
  }
  const value& operator+=(T operand) const
    requires detail::atomic_element<T>
  {
    add(operand);
    return *this;
  }
  bool compare_exchange(T& expected, T desired) const
    requires detail::atomic_element<T>
  {
    return detail::checked(try_compare_exchange(expected, desired), "kith::value::compare_exchange") == KITH_OK;
  }
#endif

  // The value itself: plain shared memory. Use it with the lock, or where nobody writes.
  T* data() const noexcept { return static_cast<T*>(kith_value_data(get())); }
  mutex_view mutex() const noexcept { return mutex_view(kith_value_lock(get())); }

  bool fits() const noexcept {  // whether it is a value of type T
    return kith_value_type(get()) == detail::type_of<T>() && kith_value_size(get()) == sizeof(T);
  }
};

}  // namespace cpp
}  // namespace kith
