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

#include <kith/cpp/arguments.hpp>
#include <kith/cpp/stream.hpp>

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
  std::vector<std::string> env = {};  // "NAME=value" sets, "NAME" removes
  std::string cwd = {};
  stdio std_in = {}, std_out = {}, std_err = {};  // its standard streams: those of this process unless you say otherwise
  std::string name = {};               // of the process, as in logs; "": that of its program
};

// What a child wrote to its pipes, and how it ended.
struct finished {
  exit_status how;
  std::string out, err;
};

// In a child that runs a function: whether the parent has asked it to end.
inline bool stop_requested(timeout wait = at_once) noexcept { return kith_stop_requested(wait.ms()) == KITH_OK; }

namespace detail {

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
  const char* name() const noexcept { return kith_process_name(get()); }

  // Our end of a pipe (kith::stdio::pipe): KITH_STDIN to write, KITH_STDOUT and KITH_STDERR to read.
  result<stream> try_take_stream(int32_t which) const noexcept {
    return detail::own<stream>([&](kith_stream** out) { return kith_process_take_stream(get(), which, out); });
  }
  // Gives it its input, collects what it writes to its pipes, and waits for its end. A call that ends early loses nothing: call again with the same input.
  status try_communicate(exit_status& how, bytes_view input = {}, timeout wait = forever, uint64_t most_output = 0,
                         uint32_t flags = 0) const noexcept {
    auto options = detail::options<kith_communicate_options>(flags);
    options.input = input.data();
    options.input_size = input.size();
    options.most_output = most_output;
    kith_exit end{};
    const status got = kith_process_communicate(get(), &options, wait.ms(), &end);
    if (got.ok()) how = {end.kind, end.code};
    return got;
  }
  // What that has collected of KITH_STDOUT or KITH_STDERR; until the next such call.
  std::string_view output(int32_t which) const noexcept {
    const void* data = nullptr;
    std::size_t size = 0;
    if (kith_process_output(get(), which, &data, &size) != KITH_OK || size == 0) return {};
    return {static_cast<const char*>(data), size};
  }

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
  stream take_stream(int32_t which) const { return try_take_stream(which).value("kith::process::take_stream"); }
  finished communicate(bytes_view input = {}, timeout wait = forever) const {
    finished end;
    detail::check(try_communicate(end.how, input, wait), "kith::process::communicate");
    end.out = output(KITH_STDOUT);
    end.err = output(KITH_STDERR);
    return end;
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
    wanted.std_in = options.std_in.view();
    wanted.std_out = options.std_out.view();
    wanted.std_err = options.std_err.view();
    if (!options.name.empty()) wanted.name = options.name.c_str();
    return detail::own<process>([&](kith_process** out) { return kith_process_spawn(&wanted, out); });
  }
};

}  // namespace cpp
}  // namespace kith
