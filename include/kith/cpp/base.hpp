// SPDX-License-Identifier: MIT
// What all of kith.hpp is made of: statuses and errors, owners of handles, timeouts, and views of bytes.
#pragma once

#include <kith/kith.h>

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <ranges>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#if defined(__cpp_exceptions) && !defined(KITH_NO_EXCEPTIONS)
#define KITH_HPP_THROWS 1
#else
#define KITH_HPP_THROWS 0
#endif

// An inline namespace of its own, so that no name can meet one of the library's inside.
namespace kith {
inline namespace cpp {

// ---- statuses ------------------------------------------------------------------------------------------------------------------

// A kith_status: it succeeded (perhaps with news), or it failed.
class [[nodiscard]] status {
 public:
  constexpr status() noexcept = default;
  constexpr status(kith_status value) noexcept : value_(value) {}

  constexpr kith_status value() const noexcept { return value_; }
  constexpr bool ok() const noexcept { return value_ >= 0; }
  constexpr explicit operator bool() const noexcept { return ok(); }
  constexpr bool timed_out() const noexcept { return value_ == KITH_E_TIMEOUT; }
  // The lock or permit is held, but a process died while it held it.
  constexpr bool owner_died() const noexcept { return value_ == KITH_OWNER_DIED; }
  const char* name() const noexcept { return kith_status_name(value_); }
  const char* text() const noexcept { return kith_status_text(value_); }
  friend constexpr bool operator==(status, status) noexcept = default;

 private:
  kith_status value_ = KITH_OK;
};

#if KITH_HPP_THROWS
// A call that failed. what() says which call, and what was wrong.
class error : public std::runtime_error {
 public:
  error(status why, const char* call)
      : std::runtime_error(std::string(call) + ": " + why.text()), why_(why), os_error_(kith_os_error()) {}
  status why() const noexcept { return why_; }
  int32_t os_error() const noexcept { return os_error_; }  // the OS's own number, if it was the OS that failed

 private:
  status why_;
  int32_t os_error_;
};

// From mutex::lock: an owner died, and what the lock protects may be half done. The lock is not held; the next owner is told as well. Use
// acquire() to repair.
class owner_died : public error {
 public:
  explicit owner_died(const char* call) : error(KITH_OWNER_DIED, call) {}
};

namespace detail {
inline status checked(status got, const char* call) {
  if (!got.ok()) throw error(got, call);
  return got;  // perhaps news
}
inline void check(status got, const char* call) { (void)checked(got, call); }
}  // namespace detail
#endif

// A value, or the status why there is none.
template <class T>
class [[nodiscard]] result {
 public:
  result(status why) noexcept : why_(why) {}
  result(kith_status why) noexcept : why_(why) {}
  result(T value, status news = KITH_OK) : why_(news), value_(std::move(value)) {}

  bool ok() const noexcept { return value_.has_value(); }
  explicit operator bool() const noexcept { return ok(); }
  status why() const noexcept { return why_; }
  T& operator*() & noexcept { return *value_; }
  T&& operator*() && noexcept { return *std::move(value_); }
  T* operator->() noexcept { return &*value_; }
#if KITH_HPP_THROWS
  T value(const char* call = "kith") && {
    detail::check(why_, call);
    return *std::move(value_);
  }
#endif

 private:
  status why_;
  std::optional<T> value_;
};

// ---- time ------------------------------------------------------------------------------------------------------------------------

class timeout {
 public:
  template <class Rep, class Period>
  constexpr timeout(std::chrono::duration<Rep, Period> wait) noexcept : ms_(rounded_up(wait)) {}
  timeout(std::chrono::steady_clock::time_point until) noexcept
      : ms_(rounded_up(until - std::chrono::steady_clock::now())) {}
  static constexpr timeout never() noexcept { return timeout(KITH_FOREVER); }
  constexpr int64_t ms() const noexcept { return ms_; }

 private:
  constexpr explicit timeout(int64_t ms) noexcept : ms_(ms) {}
  template <class Duration>
  static constexpr int64_t rounded_up(Duration wait) noexcept {
    if (wait <= Duration::zero()) return 0;
    // What is longer than fits is as good as for ever: 292 million years.
    constexpr auto most = std::chrono::milliseconds::max() / 2;
    if (std::chrono::duration<double>(wait) >= std::chrono::duration<double>(most)) return KITH_FOREVER;
    return static_cast<int64_t>(std::chrono::ceil<std::chrono::milliseconds>(wait).count());
  }
  int64_t ms_;
};

inline constexpr timeout forever = timeout::never();
inline constexpr timeout at_once{std::chrono::milliseconds(0)};

namespace detail {
// One timeout for several calls.
class deadline {
 public:
  explicit deadline(timeout wait) noexcept
      : endless_(wait.ms() < 0),
        until_(endless_ ? std::chrono::steady_clock::time_point{} : later(wait.ms())) {}
  timeout left() const noexcept { return endless_ ? forever : timeout(until_); }

 private:
  static std::chrono::steady_clock::time_point later(int64_t ms) noexcept {
    // What is further away than the clock can say is as good as a century.
    constexpr int64_t most = 100LL * 365 * 24 * 3600 * 1000;
    return std::chrono::steady_clock::now() + std::chrono::milliseconds(ms < most ? ms : most);
  }
  bool endless_;
  std::chrono::steady_clock::time_point until_;
};
}  // namespace detail

// ---- owners ------------------------------------------------------------------------------------------------------------------------

// kith::event(kith::adopt, handle): takes a handle of kith.h over.
struct adopt_t {
  explicit adopt_t() = default;
};
inline constexpr adopt_t adopt{};

template <class Handle, void (*Close)(Handle*)>
class owner {
 public:
  using handle_type = Handle;

  constexpr owner() noexcept = default;  // owns nothing
  owner(adopt_t, Handle* handle) noexcept : handle_(handle) {}
  owner(owner&& other) noexcept : handle_(other.release()) {}
  owner& operator=(owner&& other) noexcept {
    if (this != &other) reset(other.release());
    return *this;
  }
  ~owner() { Close(handle_); }

  Handle* get() const noexcept { return handle_; }
  Handle* release() noexcept { return std::exchange(handle_, nullptr); }
  void reset(Handle* handle = nullptr) noexcept { Close(std::exchange(handle_, handle)); }
  explicit operator bool() const noexcept { return handle_ != nullptr; }

 private:
  Handle* handle_ = nullptr;
};

// A name by which processes that are no relatives meet at an object, for try_open and open of its class. It does not keep the text.
class naming {
 public:
  naming(const char* name, uint32_t flags = KITH_NAME_CREATE | KITH_NAME_OPEN, const char* user = nullptr) noexcept
      : wanted_{sizeof wanted_, flags, name, user} {}
  const kith_naming* get() const noexcept { return &wanted_; }

 private:
  kith_naming wanted_;
};

// What may be given to a child, and be sent through a channel.
template <class T>
concept shareable = requires(const T& object, const char* name) {
  object.get();
  { T::try_inherit(name) } noexcept -> std::same_as<result<T>>;
};

namespace detail {

template <class Options>
Options options(uint32_t flags = 0) noexcept {
  Options made{};
  made.struct_size = sizeof made;
  made.flags = flags;
  return made;
}

// What a C function that fills in a handle has done, as a result.
template <class Owner, class Make>
result<Owner> own(Make make) noexcept {
  typename Owner::handle_type* handle = nullptr;
  const status why = make(&handle);
  return why.ok() ? result<Owner>(Owner(adopt, handle)) : result<Owner>(why);
}

// Lists that end with NULL.
inline std::vector<const char*> pointers(const std::vector<std::string>& texts) {
  std::vector<const char*> all;
  for (const std::string& each : texts) all.push_back(each.c_str());
  all.push_back(nullptr);
  return all;
}

template <class T>
concept plain = std::is_trivially_copyable_v<T> && !std::is_pointer_v<T> && !std::is_reference_v<T> &&
                !std::is_member_pointer_v<T>;

}  // namespace detail

// ---- bytes ---------------------------------------------------------------------------------------------------------------------------

// What a message can be made of: text, a contiguous range of plain values, or any bytes. It does not keep what it shows.
class bytes_view {
 public:
  constexpr bytes_view() noexcept = default;
  constexpr bytes_view(const void* data, std::size_t size) noexcept : data_(data), size_(size) {}
  constexpr bytes_view(const char* text) noexcept : data_(text), size_(std::string_view(text).size()) {}
  template <std::ranges::contiguous_range Range>
    requires std::ranges::sized_range<Range> && detail::plain<std::ranges::range_value_t<Range>> &&
             (!std::is_array_v<std::remove_cvref_t<Range>> ||
              !std::same_as<std::ranges::range_value_t<Range>, char>)
  constexpr bytes_view(const Range& range) noexcept
      : data_(std::ranges::data(range)),
        size_(std::ranges::size(range) * sizeof(std::ranges::range_value_t<Range>)) {}

  constexpr const void* data() const noexcept { return data_; }
  constexpr std::size_t size() const noexcept { return size_; }

 private:
  const void* data_ = nullptr;
  std::size_t size_ = 0;
};

// The bytes of one value.
template <detail::plain T>
bytes_view bytes_of(const T& value) noexcept {
  return {&value, sizeof value};
}

namespace detail {

// What a message can be received into: std::string, std::vector<int> and the like.
template <class T>
concept growing = std::ranges::contiguous_range<T> && plain<std::ranges::range_value_t<T>> &&
                  requires(T& t) { t.resize(std::size_t{}); };

// Receives into a container that grows as needed. `receive(data, capacity, &size)` leaves a message that is too large where it is.
// A message that is no whole number of elements is a mismatch, and gone.
template <growing Container, class Receive>
status receive_growing(Container& to, Receive receive) {
  constexpr std::size_t unit = sizeof(std::ranges::range_value_t<Container>);
  if (to.size() < 256) to.resize(256);
  for (;;) {
    std::size_t size = 0;
    const status got = receive(to.data(), to.size() * unit, &size);
    if (got.ok() || got == KITH_E_TOO_LARGE) to.resize((size + unit - 1) / unit);
    if (got.ok() && size % unit != 0) return KITH_E_MISMATCH;
    if (got != KITH_E_TOO_LARGE) return got;
  }
}

// Receives exactly one value. Another size is a mismatch, and the message is gone.
template <plain T, class Receive>
status receive_value(T& to, Receive receive) {
  alignas(T) unsigned char bytes[sizeof(T)];
  std::size_t size = 0;
  const status got = receive(bytes, sizeof bytes, &size);
  if (!got.ok()) return got;
  if (size != sizeof(T)) return KITH_E_MISMATCH;
  std::memcpy(&to, bytes, sizeof(T));
  return got;
}

}  // namespace detail
}  // namespace cpp
}  // namespace kith
