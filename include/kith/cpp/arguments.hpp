// SPDX-License-Identifier: MIT
// How a function of this program and its arguments get to another process: what process.hpp and pool.hpp are made of.
#pragma once

#include <tuple>
#include <vector>

#include <kith/cpp/base.hpp>
#include <kith/cpp/channel.hpp>

namespace kith {
inline namespace cpp {
namespace detail {

constexpr std::size_t argument_alignment = 16;

inline std::size_t aligned(std::size_t size) noexcept {
  return (size + argument_alignment - 1) / argument_alignment * argument_alignment;
}

template <class T>
inline constexpr bool is_const_span = false;
template <class T>
inline constexpr bool is_const_span<std::span<const T>> = plain<T>;

template <class T>
inline constexpr bool is_span = false;
template <class T, std::size_t Extent>
inline constexpr bool is_span<std::span<T, Extent>> = true;

template <class T>
concept text = std::same_as<T, std::string> || std::same_as<T, std::string_view>;

template <class T>
concept parameter = std::same_as<T, std::remove_cvref_t<T>> && (shareable<T> || is_const_span<T> || text<T> || (plain<T> && !is_span<T>));

// The argument of the child, piece by piece: [size][bytes], each aligned to 16.
class argument_writer {
 public:
  void put(const void* data, std::size_t size) {
    const uint64_t written = size;
    const std::size_t at = bytes_.size();
    bytes_.resize(at + argument_alignment + aligned(size));
    std::memcpy(bytes_.data() + at, &written, sizeof written);
    if (size != 0) std::memcpy(bytes_.data() + at + argument_alignment, data, size);
  }
  void share(const void* object) {
    names_.push_back(std::to_string(names_.size()));
    objects_.push_back(object);
  }
  const std::vector<unsigned char>& bytes() const noexcept { return bytes_; }
  std::vector<kith_share> shares() const {
    std::vector<kith_share> all;
    for (std::size_t i = 0; i < objects_.size(); ++i) all.push_back({names_[i].c_str(), objects_[i]});
    return all;
  }

 private:
  std::vector<unsigned char> bytes_;
  std::vector<std::string> names_;
  std::vector<const void*> objects_;
};

// It was written by this build of this program, so it is what it should be.
class argument_reader {
 public:
  explicit argument_reader(const void* bytes) noexcept : at_(static_cast<const unsigned char*>(bytes)) {}
  std::span<const unsigned char> take() noexcept {
    uint64_t size = 0;
    std::memcpy(&size, at_, sizeof size);
    const unsigned char* const data = at_ + argument_alignment;
    at_ = data + aligned(static_cast<std::size_t>(size));
    return {data, static_cast<std::size_t>(size)};
  }
  std::string share() { return std::to_string(shares_++); }

 private:
  const unsigned char* at_;
  std::size_t shares_ = 0;
};

// ---- the parent's side --------------------------------------------------------------------------------------------------------------

template <parameter P, class A>
void write_argument(argument_writer& to, const A& argument) {
  if constexpr (shareable<P>) {
    static_assert(std::same_as<P, A>, "a parameter that is a kith object needs an argument of the same type");
    to.share(argument.get());
  } else if constexpr (is_const_span<P>) {
    const P elements(argument);
    to.put(elements.data(), elements.size_bytes());
  } else if constexpr (text<P>) {
    const std::string_view view(argument);
    to.put(view.data(), view.size());
  } else {
    static_assert(std::convertible_to<A, P>, "an argument is not what its parameter wants");
    const P value = static_cast<P>(argument);
    to.put(&value, sizeof value);
  }
}

// A channel end leaves its holder, which the caller must have meant.
template <class P, class A>
inline constexpr bool is_moved_if_it_must =
    !std::same_as<P, channel> || (std::is_rvalue_reference_v<A&&> && !std::is_const_v<std::remove_reference_t<A>>);

// ---- the child's side ---------------------------------------------------------------------------------------------------------------

#if KITH_HPP_THROWS
template <class Object>
Object inherit(const std::string& name) {
  return Object::inherit(name.c_str());
}
#else
// Without exceptions an object that cannot be taken is empty: each of its calls is KITH_E_INVALID.
template <class Object>
Object inherit(const std::string& name) {
  auto got = Object::try_inherit(name.c_str());
  return got ? *std::move(got) : Object(adopt, nullptr);
}
#endif

template <parameter P>
P read_argument(argument_reader& from) {
  if constexpr (shareable<P>) {
    return inherit<P>(from.share());
  } else {
    const std::span<const unsigned char> bytes = from.take();
    if constexpr (is_const_span<P>) {
      using element = typename P::element_type;
      return P(reinterpret_cast<element*>(bytes.data()), bytes.size() / sizeof(element));
    } else if constexpr (text<P>) {
      return P(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    } else {
      P value;
      std::memcpy(&value, bytes.data(), sizeof value);
      return value;
    }
  }
}

// By way of the type that compilers take for any function.
template <class To, class From>
To function_cast(From function) noexcept {
  return reinterpret_cast<To>(reinterpret_cast<void (*)()>(function));
}

// ---- where a function stands ----------------------------------------------------------------------------------------------------------

inline result<std::vector<unsigned char>> pack(kith_entry function) {
  std::vector<unsigned char> packed(256);
  std::size_t size = 0;
  status got = kith_entry_pack(function, packed.data(), packed.size(), &size);
  if (got == KITH_E_TOO_LARGE) {
    packed.resize(size);
    got = kith_entry_pack(function, packed.data(), packed.size(), &size);
  }
  if (!got.ok()) return got;
  packed.resize(size);
  return packed;
}

}  // namespace detail
}  // namespace cpp
}  // namespace kith
