// SPDX-License-Identifier: MIT
// What all tests share: assertions that name a status, owners, ways to start children, and what to ask the OS.
#pragma once

#include <doctest/doctest.h>
#include <kith/kith.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <ostream>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define KITH_TEST_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define KITH_TEST_SANITIZED 1
#endif
#endif

namespace test {

// No test waits so long. It turns a hang into a failure that has a name.
inline constexpr int64_t generous = 60'000;

// A sanitizer maps terabytes of address space, which no limit on it would leave; and it is slow.
#if defined(KITH_TEST_SANITIZED)
inline constexpr bool sanitized = true;
#else
inline constexpr bool sanitized = false;
#endif

// ---- assertions ----------------------------------------------------------------------------------------------------------

struct shown_status {
  kith_status value;
  bool operator==(const shown_status&) const = default;
};
std::ostream& operator<<(std::ostream& out, const shown_status& status);

struct shown_exit {
  int64_t kind;
  int64_t code;
  bool operator==(const shown_exit&) const = default;
};
std::ostream& operator<<(std::ostream& out, const shown_exit& exit);

#define CHECK_STATUS(call, expected) CHECK(test::shown_status{call} == test::shown_status{expected})
#define CHECK_OK(call) CHECK_STATUS(call, KITH_OK)
#define REQUIRE_STATUS(call, expected) REQUIRE(test::shown_status{call} == test::shown_status{expected})
#define REQUIRE_OK(call) REQUIRE_STATUS(call, KITH_OK)

// Waits for the process, and compares how it ended.
#define CHECK_EXIT(process, kind, code) CHECK(test::end_of(process) == test::shown_exit{kind, code})

// Ends a case that this machine cannot run. The build tells such a case by the first word of the line.
#define SKIP_CASE(reason)      \
  do {                         \
    test::say_skipped(reason); \
    return;                    \
  } while (false)
void say_skipped(const char* reason);

// In a child there is no doctest case: the function ends with an exit code that no test expects, and says why.
#define CHILD_NEEDS(condition)                                                   \
  do {                                                                           \
    if (!(condition)) return test::child_failed(#condition, __FILE__, __LINE__); \
  } while (false)
int32_t child_failed(const char* condition, const char* file, int line);
void fail_in_child(const doctest::AssertData& assertion);  // the same, for doctest's own assertions

// ---- owners ----------------------------------------------------------------------------------------------------------------

template <class T, void (*Close)(T*)>
class owner {
 public:
  owner() = default;
  explicit owner(T* handle) : handle_(handle) {}
  owner(owner&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  owner& operator=(owner&& other) noexcept {
    if (this != &other) {
      close();
      handle_ = std::exchange(other.handle_, nullptr);
    }
    return *this;
  }
  ~owner() { close(); }

  operator T*() const { return handle_; }
  T* get() const { return handle_; }
  T** out() {
    close();
    return &handle_;
  }
  void close() { Close(std::exchange(handle_, nullptr)); }

 private:
  T* handle_ = nullptr;
};

using process = owner<kith_process, kith_process_close>;
using memory = owner<kith_memory, kith_memory_close>;
using array = owner<kith_array, kith_array_close>;
using value = owner<kith_value, kith_value_close>;
using lock = owner<kith_lock, kith_lock_close>;
using semaphore = owner<kith_semaphore, kith_semaphore_close>;
using condition = owner<kith_condition, kith_condition_close>;
using event = owner<kith_event, kith_event_close>;
using barrier = owner<kith_barrier, kith_barrier_close>;
using cancel = owner<kith_cancel, kith_cancel_close>;
using channel = owner<kith_channel, kith_channel_close>;
using queue = owner<kith_queue, kith_queue_close>;
using pool = owner<kith_pool, kith_pool_close>;
using worker = owner<kith_worker, kith_worker_close>;
using stream = owner<kith_stream, kith_stream_close>;

array make_array(kith_type type, size_t count);
value make_value(kith_type type);
lock make_lock(uint32_t flags = 0);
semaphore make_semaphore(uint32_t permits);
semaphore make_signal(uint32_t permits, uint32_t maximum = 0);  // with KITH_SEMAPHORE_SIGNAL
condition make_condition();
event make_event(uint32_t flags = 0);
barrier make_barrier(uint32_t parties);
cancel make_cancel();

struct channel_pair {
  channel a;
  channel b;
};
channel_pair make_channel(uint64_t ring_size = 0, uint32_t flags = 0);

queue make_queue(uint64_t capacity = 0, uint32_t flags = 0, uint64_t most_items = 0);

// A pointer that a failing call must leave in its out parameter.
template <class T>
T* untouched() {
  return reinterpret_cast<T*>(uintptr_t{0x5EED'0000});
}

// Options of any section, all at their defaults.
template <class Options>
Options defaults() {
  Options options{};
  options.struct_size = sizeof(Options);
  return options;
}

// ---- children --------------------------------------------------------------------------------------------------------------

using shares = std::vector<kith_share>;

// Options that run a function; what they point to must outlive the spawn.
kith_process_options run_entry(kith_entry entry, const shares& given);

// Again where the OS is known to fail now and then.
kith_status spawn(const kith_process_options& options, process& out);

process start(kith_entry entry, const shares& given = {}, const void* argument = nullptr, size_t size = 0);

template <class T>
process start_with(kith_entry entry, const shares& given, const T& argument) {
  return start(entry, given, &argument, sizeof(T));
}

// The arguments of a program, in the form that the options want.
class argument_list {
 public:
  explicit argument_list(std::vector<std::string> arguments);
  const char* const* argv() const { return pointers_.data(); }

 private:
  std::vector<std::string> arguments_;
  std::vector<const char*> pointers_;
};

// In a child: takes what it was given under that name. False: it was not to be had.
bool take(memory& out, const char* name);
bool take(array& out, const char* name);
bool take(value& out, const char* name);
bool take(lock& out, const char* name);
bool take(semaphore& out, const char* name);
bool take(condition& out, const char* name);
bool take(event& out, const char* name);
bool take(barrier& out, const char* name);
bool take(channel& out, const char* name);
bool take(queue& out, const char* name);

// This program in a role of children.cpp: role, then the role's arguments.
argument_list role(std::vector<std::string> arguments);
process start_role(std::vector<std::string> arguments, const shares& given = {});

// Called by main in a child that was started by start_role.
bool has_role(int argc, char** argv);
int run_role(int argc, char** argv);
// The functions that children find by name; main registers them in every process.
void register_entries();

shown_exit end_of(kith_process* process);

// ---- messages --------------------------------------------------------------------------------------------------------------

bool tell(kith_channel* channel, std::string_view text);
bool hear(kith_channel* channel, std::string_view expected);
std::string heard(kith_channel* channel);  // the next message, or "(KITH_E_...)"

// Receives a message of any size.
kith_status receive(kith_channel* channel, std::vector<unsigned char>& out, int64_t timeout_ms = generous);

// Bytes that look random and are the same for the same seed.
std::vector<unsigned char> noise(size_t size, uint64_t seed);
uint64_t next_random(uint64_t& state);

// ---- fixtures ----------------------------------------------------------------------------------------------------------------

// The case leaves as many handles and children as it found.
class nothing_leaks {
 public:
  nothing_leaks();
  ~nothing_leaks();
  nothing_leaks(const nothing_leaks&) = delete;
  nothing_leaks& operator=(const nothing_leaks&) = delete;

 private:
  size_t handles_;
};

// Runs the function in `count` threads at once, with their numbers, and waits for them.
void in_threads(int count, const std::function<void(int)>& function);

uint64_t now_ms();
int64_t own_id();

// Asks again and again until it is true. False: it never was, in a generous time.
bool becomes_true(const std::function<bool()>& condition);

// A number that processes count with, atomically. The value must be a KITH_I64.
int64_t count_in(kith_value* value);
void count_up(kith_value* value);
bool reaches(kith_value* value, int64_t at_least);

// So many repetitions, fewer where they are slow: under Wine, where each wait and wake asks a server, and with a sanitizer.
int repetitions(int usual);

// ---- files -------------------------------------------------------------------------------------------------------------------

std::string this_program();                 // its path
std::string folder_of_program();            // where the helper programs are, too
std::string helper(std::string_view name);  // the path of a program of tests/programs
std::string plugin_path();

// A folder that is gone, with its files, at the end.
class temporary_folder {
 public:
  temporary_folder();
  ~temporary_folder();
  temporary_folder(const temporary_folder&) = delete;
  temporary_folder& operator=(const temporary_folder&) = delete;
  const std::string& path() const { return path_; }
  std::string file(std::string_view name, std::string_view content, bool executable = false) const;

 private:
  std::string path_;
};

void copy_file(const std::string& from, const std::string& to);

// ---- the OS: support_posix.cpp, support_win32.cpp -------------------------------------------------------------------------

size_t open_handles();  // of this process
bool has_children();    // that run, or that nobody reaped; Windows: never
std::set<std::string>
names_of_shared_memory();  // of all processes; Windows: none, its sections have no names
void warm_up();            // makes what the OS and its libraries keep open for good
bool may_spawn_again();    // after KITH_E_OS: the OS is known to fail so now and then
void kill_by_id(int64_t pid);
// Waits for a descriptor to be readable, or a HANDLE to be signalled.
// Raises this process's limit of descriptors, if need be and if it may. Windows has none.
bool allow_handles(int count);
bool handle_is_ready(int64_t handle, int timeout_ms);
bool lists_names_in_one_step();  // so that one that goes meanwhile hides no other one; Wine tells them one by one
bool duplicates_in_one_step();  // DuplicateHandle writes the number as it makes the handle; not so under Wine
bool may_die_while_it_spawns();  // and leaves nothing of the OS's own making; not so under Wine: see test_spawn_killed
bool has_ended(int64_t pid);              // a process that we do not wait for otherwise
bool is_ended_child(int64_t pid);         // and its exit code is still to be had
[[noreturn]] void crash();                // as a program with a bug does
[[noreturn]] void end_at_once(int code);  // no handler, no kith, nothing runs
// While it lives, processes whose parent was killed become children of this one, where the OS can: then a test sees whether any is
// left.
class heir_of_grandchildren {
 public:
  heir_of_grandchildren();
  ~heir_of_grandchildren();
  heir_of_grandchildren(const heir_of_grandchildren&) = delete;
  heir_of_grandchildren& operator=(const heir_of_grandchildren&) = delete;
  void await_all() const;  // reaps them; comes back when there is none
};
bool make_writable(void* address, size_t size);  // by force
// The arguments as UTF-8. Windows: of the wide command line; what main got is only right in ASCII.
std::vector<std::string> utf8_arguments(int argc, char** argv);
extern const char* const exe_suffix;
extern const char* const plugin_suffix;
extern const bool is_windows;
extern const shown_exit crashed;

}  // namespace test
