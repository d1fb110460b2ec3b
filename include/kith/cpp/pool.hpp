// SPDX-License-Identifier: MIT
// Pools: worker processes that run functions of this program, and futures for what these return.
//
// What a parameter of such a function can be, checked by the compiler:
//   a plain value, std::span<const T>, std::string, std::string_view     a copy, as for kith::process
//   const kith::array<T>&, const kith::queue& ... (a reference)          one of the objects that were given to the pool when it was made
// What it can return: void, a plain value, std::string, a std::vector of plain values.
// An exception that leaves it comes out of future::get() as kith::task_failed; the worker goes on.
#pragma once

#include <kith/cpp/arguments.hpp>
#include <kith/cpp/process.hpp>

namespace kith {
inline namespace cpp {

struct pool_options {
  uint32_t workers = 0;          // 0: as many as this process has cores
  uint64_t most_tasks = 0;       // that one worker does before a fresh one takes its place; 0: no limit
  uint64_t ring_size = 0;        // as in kith_pool_options
  std::vector<std::string> env = {};  // "NAME=value" sets, "NAME" removes
  std::string cwd = {};
  kith_entry start = nullptr;  // called in each new worker before its first task, without an argument; when it does not return 0, the worker ends
  kith_entry end = nullptr;    // called in a worker that ends in good order, after its last task
};

#if KITH_HPP_THROWS
// The function of a task threw. what() is what its exception said.
class task_failed : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};
#endif

namespace detail {

// The code of an answer: done; or the function threw, and the result is what its exception said; or, negative, a status.
enum : int32_t { task_done = 0, task_threw = 1 };

template <class T>
inline constexpr bool is_pool_object = false;
template <shareable T>
inline constexpr bool is_pool_object<const T&> = !std::same_as<T, channel>;

template <class T>
concept task_parameter = is_pool_object<T> || (parameter<T> && !shareable<T>);

template <class T>
concept task_result = std::is_void_v<T> || plain<T> || (growing<T> && std::same_as<T, std::remove_cvref_t<T>>);

// ---- the worker's side --------------------------------------------------------------------------------------------------------------

// What was given to the pool is taken when a task first wants it. A worker runs its tasks in one thread.
template <class Object>
const Object& object_of_pool(uint64_t index) {
  static std::vector<std::optional<Object>> taken;
  if (taken.size() <= index) taken.resize(static_cast<std::size_t>(index) + 1);
  std::optional<Object>& object = taken[static_cast<std::size_t>(index)];
  if (!object) object.emplace(inherit<Object>(std::to_string(index)));
  return *object;
}

template <task_parameter P>
P read_task_argument(argument_reader& from) {
  if constexpr (is_pool_object<P>) {
    return object_of_pool<std::remove_cvref_t<P>>(read_argument<uint64_t>(from));
  } else {
    return read_argument<P>(from);
  }
}

inline status reply(kith_worker* worker, bytes_view bytes) noexcept { return kith_worker_reply(worker, bytes.data(), bytes.size()); }

template <class R, class... P>
int32_t do_task(argument_reader& reader, R (*function)(P...), kith_worker* worker) {
  std::tuple<P...> arguments{read_task_argument<P>(reader)...};  // in braces: from left to right
  const auto call = [&](P&... each) -> R { return function(static_cast<P&&>(each)...); };
  if constexpr (std::is_void_v<R>) {
    std::apply(call, arguments);
    return task_done;
  } else {
    const R result = std::apply(call, arguments);
    const status sent = [&] {
      if constexpr (growing<R>) {
        return reply(worker, result);
      } else {
        return reply(worker, bytes_of(result));
      }
    }();
    return sent.ok() ? static_cast<int32_t>(task_done) : sent.value();
  }
}

// All tasks with functions of this type.
template <class R, class... P>
int32_t run_typed_task(argument_reader& reader, kith_entry found, kith_worker* worker) noexcept {
  const auto function = function_cast<R (*)(P...)>(found);
#if KITH_HPP_THROWS
  try {
    return do_task(reader, function, worker);
  } catch (const std::exception& why) {
    (void)reply(worker, why.what());
  } catch (...) {
    (void)reply(worker, "something that is no std::exception");
  }
  return task_threw;
#else
  return do_task(reader, function, worker);
#endif
}

using task_runner = int32_t (*)(argument_reader&, kith_entry, kith_worker*);

// All tasks: which of the above runs it is the first piece of the task, the function itself the second.
inline int32_t run_task(const void* task, std::size_t, kith_worker* worker) noexcept {
  argument_reader reader(task);
  kith_entry found[2] = {};
  for (kith_entry& each : found) {
    const std::span<const unsigned char> packed = reader.take();
    const kith_status status = kith_entry_unpack(packed.data(), packed.size(), &each);
    if (status != KITH_OK) return status;
  }
  return function_cast<task_runner>(found[0])(reader, found[1], worker);
}

}  // namespace detail

// ---- futures --------------------------------------------------------------------------------------------------------------------------

// What a task will return. It is taken once. One that is destroyed says that the result is not wanted: a task that no worker has begun will
// not be done then. For one thread at a time.
template <detail::task_result R>
class [[nodiscard]] future {
 public:
  // Of future<void>: the status alone.
  using outcome = std::conditional_t<std::is_void_v<R>, status, result<R>>;

  future() noexcept = default;
  future(future&& other) noexcept { *this = std::move(other); }
  future& operator=(future&& other) noexcept {
    if (this == &other) return *this;
    drop();
    pool_ = std::exchange(other.pool_, nullptr);
    ticket_ = other.ticket_;
    answered_ = other.answered_;
    why_ = other.why_;
    answer_ = other.answer_;
    bytes_ = std::move(other.bytes_);
    return *this;
  }
  ~future() { drop(); }

  bool valid() const noexcept { return pool_ != nullptr; }  // there is a result to be taken, now or later

  // Until there is an answer, good or bad: get() waits no more then. Allocates, so it may throw std::bad_alloc, as all that follow.
  status try_wait(timeout wait = forever) {
    if (pool_ == nullptr) return KITH_E_NOT_FOUND;
    while (!answered_) {
      const status got = kith_pool_result(pool_, ticket_, bytes_.data(), bytes_.size(), &answer_, wait.ms());
      if (got == KITH_E_TOO_LARGE) {
        bytes_.resize(static_cast<std::size_t>(answer_.size));
      } else if (may_ask_again(got)) {
        return got;
      } else {
        answered_ = true;
        why_ = !got.ok() ? got : meaning_of(answer_.code);
      }
    }
    return KITH_OK;
  }
  bool ready() { return !try_wait(at_once).timed_out(); }

  // KITH_E_WORKER_DIED: see end(). KITH_E_MISMATCH: the function threw, see failure(). KITH_E_NOT_FOUND: it was taken. Otherwise as kith_pool_result.
  outcome try_get(timeout wait = forever) {
    const status answered = try_wait(wait);
    if (!answered.ok()) return answered;
    pool_ = nullptr;
    if (!why_.ok()) return why_;
    return decoded();
  }
#if KITH_HPP_THROWS
  R get(timeout wait = forever) {
    outcome got = try_get(wait);
    if (threw()) throw task_failed(std::string(failure()));
    if constexpr (std::is_void_v<R>) {
      detail::check(got, "kith::future::get");
    } else {
      return std::move(got).value("kith::future::get");
    }
  }
  void wait() { detail::check(try_wait(), "kith::future::wait"); }
  bool wait(timeout most) {  // false: the time was up
    const status got = try_wait(most);
    return !got.timed_out() && detail::checked(got, "kith::future::wait").ok();
  }
#endif

  // After KITH_E_WORKER_DIED: how the worker ended.
  exit_status end() const noexcept { return {answer_.end.kind, answer_.end.code}; }
  // What the exception said that left the function; "" when there was none.
  std::string_view failure() const noexcept {
    if (!threw()) return {};
    return {reinterpret_cast<const char*>(bytes_.data()), static_cast<std::size_t>(answer_.size)};
  }

 private:
  friend class pool;
  future(kith_pool* pool, uint64_t ticket) : pool_(pool), ticket_(ticket) {
    if constexpr (detail::plain<R>) bytes_.resize(sizeof(R));
  }
  static bool may_ask_again(status got) noexcept {
    return got.timed_out() || got == KITH_E_CANCELLED || got == KITH_E_INTERRUPTED || got == KITH_E_NO_MEMORY;
  }
  static status meaning_of(int32_t code) noexcept {
    if (code == detail::task_done) return KITH_OK;
    return code < 0 ? status(code) : status(KITH_E_MISMATCH);
  }
  bool threw() const noexcept { return answered_ && answer_.status == KITH_OK && answer_.code > 0; }
  void drop() noexcept {
    if (pool_ != nullptr && !answered_) (void)kith_pool_drop(pool_, ticket_);
    pool_ = nullptr;
  }
  outcome decoded() {
    [[maybe_unused]] const std::size_t size = static_cast<std::size_t>(answer_.size);
    if constexpr (std::is_void_v<R>) {
      return KITH_OK;
    } else if constexpr (detail::growing<R>) {
      R value;
      value.resize(size / sizeof(std::ranges::range_value_t<R>));
      if (size != 0) std::memcpy(value.data(), bytes_.data(), size);
      return outcome(std::move(value), KITH_OK);
    } else {
      R value;
      if (size != sizeof value) return status(KITH_E_PROTOCOL);
      std::memcpy(&value, bytes_.data(), sizeof value);
      return outcome(value, KITH_OK);  // a lone int32_t would be a status, too
    }
  }

  kith_pool* pool_ = nullptr;
  uint64_t ticket_ = 0;
  bool answered_ = false;
  status why_;
  kith_answer answer_{};
  std::vector<unsigned char> bytes_;
};

// ---- pools ----------------------------------------------------------------------------------------------------------------------------

class pool : public owner<kith_pool, kith_pool_close> {
 public:
  using owner::owner;
  // The objects are for the tasks, which name them as `const Object&`. The pool holds them itself. They allocate, so they may throw std::bad_alloc.
  template <shareable... Object>
  static result<pool> try_create(const pool_options& wanted, const Object&... objects) {
    static_assert((!std::same_as<Object, channel> && ...), "a channel end has one holder, and a pool many workers");
    detail::argument_writer given;
    (given.share(objects.get()), ...);
    const std::vector<kith_share> shares = given.shares();
    const std::vector<const char*> env = detail::pointers(wanted.env);
    auto options = detail::options<kith_pool_options>();
    options.task = detail::run_task;
    options.start = wanted.start;
    options.end = wanted.end;
    options.shares = shares.data();
    options.share_count = shares.size();
    if (!wanted.env.empty()) options.env = env.data();
    if (!wanted.cwd.empty()) options.cwd = wanted.cwd.c_str();
    options.workers = wanted.workers;
    options.most_tasks = wanted.most_tasks;
    options.ring_size = wanted.ring_size;
    auto made = detail::own<pool>([&](kith_pool** out) { return kith_pool_create(&options, out); });
    if (made) made->objects_ = {objects.get()...};
    return made;
  }

  // The function is run in a worker; waits while none has room for the task. KITH_E_NOT_FOUND: an object that the pool was not given.
  template <class R, class... P, class... A>
  result<future<R>> try_submit(timeout wait, R (*function)(P...), const A&... arguments) const {
    detail::argument_writer writer;
    status got = begin_task(writer, function);
    if (!got.ok()) return got;
    static_assert(sizeof...(P) == sizeof...(A), "as many arguments as the function has parameters");
    (void)((got = write_task_argument<P>(writer, arguments), got.ok()) && ...);
    if (!got.ok()) return got;
    return submit_task<R>(writer, wait);
  }

  // What the function returns for each element, in order. The tasks of a map that fails are dropped.
  template <class R, class P, std::ranges::input_range Range>
    requires(!std::is_void_v<R>)
  status try_map(std::vector<R>& results, R (*function)(P), const Range& range, timeout wait = forever) const {
    const detail::deadline until(wait);
    std::vector<future<R>> tasks;
    if (const status got = submit_all(tasks, function, range, until); !got.ok()) return got;
    results.clear();
    for (future<R>& each : tasks) {
      auto got = each.try_get(until.left());
      if (!got) return got.why();
      results.push_back(*std::move(got));
    }
    return KITH_OK;
  }

  // KITH_POOL_FINISH: the tasks that are there are done, then the workers end. KITH_POOL_AT_ONCE: the workers are killed.
  status try_shutdown(uint32_t how = KITH_POOL_FINISH, timeout wait = forever) const noexcept {
    return kith_pool_shutdown(get(), how, wait.ms());
  }
  kith_pool_progress progress() const noexcept {
    kith_pool_progress now{};
    (void)kith_pool_get_progress(get(), &now);
    return now;
  }

#if KITH_HPP_THROWS
  pool() : pool(pool_options{}) {}
  template <shareable... Object>
  explicit pool(const pool_options& wanted, const Object&... objects) : pool(try_create(wanted, objects...).value("kith::pool")) {}

  template <class R, class... P, class... A>
  future<R> submit(R (*function)(P...), const A&... arguments) const {
    return try_submit(forever, function, arguments...).value("kith::pool::submit");
  }
  template <class R, class P, std::ranges::input_range Range>
    requires(!std::is_void_v<R>)
  std::vector<R> map(R (*function)(P), const Range& range, timeout wait = forever) const {
    const detail::deadline until(wait);
    std::vector<future<R>> tasks;
    detail::check(submit_all(tasks, function, range, until), "kith::pool::map");
    std::vector<R> results;
    for (future<R>& each : tasks) results.push_back(each.get(until.left()));
    return results;
  }
  void shutdown(uint32_t how = KITH_POOL_FINISH, timeout wait = forever) const {
    detail::check(try_shutdown(how, wait), "kith::pool::shutdown");
  }
#endif

 private:
  template <class R, class... P>
  static status begin_task(detail::argument_writer& writer, R (*function)(P...)) {
    static_assert((detail::task_parameter<P> && ...),
                  "a parameter must be a plain value, std::span<const T> or text, by value; or a kith object that the pool was given, as a const reference");
    static_assert(detail::task_result<R>, "the function returns void, a plain value, std::string, or a std::vector of plain values");
    for (const kith_entry each : {detail::function_cast<kith_entry>(&detail::run_typed_task<R, P...>), detail::function_cast<kith_entry>(function)}) {
      auto packed = detail::pack(each);
      if (!packed) return packed.why();
      writer.put(packed->data(), packed->size());
    }
    return KITH_OK;
  }

  template <class P, class A>
  status write_task_argument(detail::argument_writer& writer, const A& argument) const {
    if constexpr (detail::is_pool_object<P>) {
      static_assert(std::same_as<std::remove_cvref_t<P>, A>, "a parameter that is a kith object needs an argument of the same type");
      for (uint64_t i = 0; i < objects_.size(); ++i) {
        if (objects_[static_cast<std::size_t>(i)] != argument.get()) continue;
        writer.put(&i, sizeof i);
        return KITH_OK;
      }
      return KITH_E_NOT_FOUND;
    } else {
      detail::write_argument<P>(writer, argument);
      return KITH_OK;
    }
  }

  template <class R>
  result<future<R>> submit_task(const detail::argument_writer& writer, timeout wait) const {
    uint64_t ticket = 0;
    const status got = kith_pool_submit(get(), writer.bytes().data(), writer.bytes().size(), &ticket, wait.ms());
    if (!got.ok()) return got;
    return future<R>(get(), ticket);
  }

  template <class R, class P, class Range>
  status submit_all(std::vector<future<R>>& tasks, R (*function)(P), const Range& range, const detail::deadline& until) const {
    detail::argument_writer empty;
    if (const status got = begin_task(empty, function); !got.ok()) return got;
    for (const auto& each : range) {
      detail::argument_writer writer = empty;
      if (const status got = write_task_argument<P>(writer, each); !got.ok()) return got;
      auto submitted = submit_task<R>(writer, until.left());
      if (!submitted) return submitted.why();
      tasks.push_back(*std::move(submitted));
    }
    return KITH_OK;
  }

  std::vector<const void*> objects_;  // whose names in the workers are their places here
};

}  // namespace cpp
}  // namespace kith
