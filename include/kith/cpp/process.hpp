// SPDX-License-Identifier: MIT
// Processes that run a function of this program with typed arguments, or another program.
//
// What a parameter of the function can be, checked by the compiler:
//   a plain value (trivially copyable, no pointer)     the child has a copy
//   std::span<const T>, T plain                        a copy of the elements, good until the function returns
//   std::string, std::string_view                      a copy of the text
//   kith::array<T>, kith::value<T>, kith::queue ...    the object itself, taken by value: parent and child share it
//   kith::channel                                      the end moves to the child: pass it with std::move
// The function returns void or an integer, the exit code of the child. An exception that leaves it ends the child as std::terminate does.
#pragma once

#include <exception>
#include <tuple>
#include <vector>

#include <kith/cpp/base.hpp>
#include <kith/cpp/channel.hpp>

namespace kith {
inline namespace cpp {

// First in main:  if (auto code = kith::child_main()) return *code;
inline std::optional<int> child_main() noexcept {
  int32_t code = 0;
  return kith_child_main(&code) != 0 ? std::optional<int>(code) : std::nullopt;
}

struct exit_status {
  int32_t kind = 0;  // KITH_EXIT_...
  int64_t code = 0;
  bool ok() const noexcept { return kind == KITH_EXIT_CODE && code == 0; }
};

struct spawn_options {
  uint32_t flags = 0;  // KITH_PROCESS_...
  uint32_t start = KITH_START_SPAWN;
  std::vector<std::string> env;  // "NAME=value" sets, "NAME" removes
  std::string cwd;
};

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

// The entry of all functions with this type. The function itself is the first piece of the argument.
template <class R, class... P>
int32_t run_function(const void* argument, std::size_t) noexcept {
  argument_reader reader(argument);
  const std::span<const unsigned char> packed = reader.take();
  kith_entry found = nullptr;
  if (kith_entry_unpack(packed.data(), packed.size(), &found) != KITH_OK) std::terminate();  // it is code of this build
  const auto function = function_cast<R (*)(P...)>(found);
  std::tuple<P...> arguments{read_argument<P>(reader)...};  // in braces: from left to right
  const auto call = [&](P&... each) -> R { return function(std::move(each)...); };
  if constexpr (std::is_void_v<R>) {
    std::apply(call, arguments);
    return 0;
  } else {
    return static_cast<int32_t>(std::apply(call, arguments));
  }
}

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

// Lists that end with NULL.
inline std::vector<const char*> pointers(const std::vector<std::string>& texts) {
  std::vector<const char*> all;
  for (const std::string& each : texts) all.push_back(each.c_str());
  all.push_back(nullptr);
  return all;
}

}  // namespace detail

class process : public owner<kith_process, kith_process_close> {
 public:
  using owner::owner;

  // Runs a function of this program, or of a library that it has loaded. These allocate, so they may throw std::bad_alloc.
  template <class R, class... P, class... A>
  static result<process> try_start(const spawn_options& options, R (*function)(P...), A&&... arguments) {
    static_assert(sizeof...(P) == sizeof...(A), "as many arguments as the function has parameters");
    static_assert((detail::parameter<P> && ...),
                  "a parameter must be a plain value, std::span<const T>, text, or a kith object, taken by value");
    static_assert(std::is_void_v<R> || std::integral<R>, "the function returns void or an integer");
    static_assert((detail::is_moved_if_it_must<P, A> && ...), "a channel end moves to the child: std::move it");
    auto packed = detail::pack(detail::function_cast<kith_entry>(function));
    if (!packed) return packed.why();
    detail::argument_writer writer;
    writer.put(packed->data(), packed->size());
    (detail::write_argument<P>(writer, arguments), ...);
    const std::vector<kith_share> shares = writer.shares();
    kith_process_options wanted{};
    wanted.entry = detail::run_function<R, P...>;
    wanted.argument = writer.bytes().data();
    wanted.argument_size = writer.bytes().size();
    wanted.shares = shares.data();
    wanted.share_count = shares.size();
    return spawn(options, wanted);
  }

  // Runs a program: argv[0] is its path, or is looked for in PATH.
  static result<process> try_run(const std::vector<std::string>& argv, const spawn_options& options = {}) {
    const std::vector<const char*> list = detail::pointers(argv);
    kith_process_options wanted{};
    wanted.argv = list.data();
    return spawn(options, wanted);
  }

  status try_join(exit_status& how, timeout wait = forever) const noexcept {
    kith_exit end{};
    const status got = kith_process_wait(get(), wait.ms(), &end);
    if (got.ok()) how = {end.kind, end.code};
    return got;
  }
  status try_terminate() const noexcept { return kith_process_terminate(get()); }
  status try_kill() const noexcept { return kith_process_kill(get()); }
  status try_stop(exit_status& how, timeout by_itself, timeout asked, timeout killed) const noexcept {
    kith_exit end{};
    const status got = kith_process_stop(get(), by_itself.ms(), asked.ms(), killed.ms(), &end);
    if (got.ok()) how = {end.kind, end.code};
    return got;
  }
  int64_t id() const noexcept { return kith_process_id(get()); }

#if KITH_HPP_THROWS
  template <class R, class... P, class... A>
  explicit process(R (*function)(P...), A&&... arguments)
      : process(try_start(spawn_options{}, function, std::forward<A>(arguments)...).value("kith::process")) {}
  template <class R, class... P, class... A>
  process(const spawn_options& options, R (*function)(P...), A&&... arguments)
      : process(try_start(options, function, std::forward<A>(arguments)...).value("kith::process")) {}
  static process run(const std::vector<std::string>& argv, const spawn_options& options = {}) {
    return try_run(argv, options).value("kith::process::run");
  }

  exit_status join() const {
    exit_status how;
    detail::check(try_join(how), "kith::process::join");
    return how;
  }
  // Nothing: it runs on.
  std::optional<exit_status> join(timeout wait) const {
    exit_status how;
    const status got = try_join(how, wait);
    if (got.timed_out()) return std::nullopt;
    detail::check(got, "kith::process::join");
    return how;
  }
  void terminate() const { detail::check(try_terminate(), "kith::process::terminate"); }
  void kill() const { detail::check(try_kill(), "kith::process::kill"); }
  exit_status stop(timeout by_itself, timeout asked, timeout killed) const {
    exit_status how;
    detail::check(try_stop(how, by_itself, asked, killed), "kith::process::stop");
    return how;
  }
#endif

 private:
  static result<process> spawn(const spawn_options& options, kith_process_options& wanted) {
    const std::vector<const char*> env = detail::pointers(options.env);
    wanted.struct_size = sizeof wanted;
    wanted.flags = options.flags;
    wanted.start = options.start;
    if (!options.env.empty()) wanted.env = env.data();
    if (!options.cwd.empty()) wanted.cwd = options.cwd.c_str();
    return detail::own<process>([&](kith_process** out) { return kith_process_spawn(&wanted, out); });
  }
};

}  // namespace cpp
}  // namespace kith
