// SPDX-License-Identifier: MIT
#include "support.h"

#include <uv.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace test {

// ---- assertions ----------------------------------------------------------------------------------------------------------

std::ostream& operator<<(std::ostream& out, const shown_status& status) {
  return out << kith_status_name(status.value) << " (" << status.value << ": "
             << kith_status_text(status.value) << ")";
}

std::ostream& operator<<(std::ostream& out, const shown_exit& exit) {
  constexpr const char* kinds[] = {"?",      "CODE",    "SIGNAL",        "EXCEPTION",
                                   "KILLED", "UNKNOWN", "NO_CHILD_MAIN", "NO_ENTRY"};
  const bool known = exit.kind > 0 && exit.kind < static_cast<int64_t>(std::size(kinds));
  return out << "KITH_EXIT_" << kinds[known ? exit.kind : 0] << " " << exit.code;
}

void say_skipped(const char* reason) { std::printf("skipped: %s\n", reason); }

int32_t child_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "%s:%d: in the child: not true: %s\n", file, line, condition);
  return 99;
}

void fail_in_child(const doctest::AssertData& assertion) {
  end_at_once(child_failed(assertion.m_decomp.c_str(), assertion.m_file, assertion.m_line));
}

// ---- owners ----------------------------------------------------------------------------------------------------------------

array make_array(kith_type type, size_t count) {
  array made;
  REQUIRE_OK(kith_array_create(type, count, nullptr, made.out()));
  return made;
}

value make_value(kith_type type) {
  value made;
  REQUIRE_OK(kith_value_create(type, nullptr, nullptr, made.out()));
  return made;
}

lock make_lock(uint32_t flags) {
  lock made;
  auto options = defaults<kith_lock_options>();
  options.flags = flags;
  REQUIRE_OK(kith_lock_create(&options, made.out()));
  return made;
}

semaphore make_semaphore(uint32_t permits) {
  semaphore made;
  REQUIRE_OK(kith_semaphore_create(permits, nullptr, made.out()));
  return made;
}

semaphore make_signal(uint32_t permits, uint32_t maximum) {
  semaphore made;
  auto options = defaults<kith_semaphore_options>();
  options.flags = KITH_SEMAPHORE_SIGNAL;
  options.maximum = maximum;
  REQUIRE_OK(kith_semaphore_create(permits, &options, made.out()));
  return made;
}

condition make_condition() {
  condition made;
  REQUIRE_OK(kith_condition_create(nullptr, made.out()));
  return made;
}

event make_event(uint32_t flags) {
  event made;
  auto options = defaults<kith_event_options>();
  options.flags = flags;
  REQUIRE_OK(kith_event_create(&options, made.out()));
  return made;
}

barrier make_barrier(uint32_t parties) {
  barrier made;
  REQUIRE_OK(kith_barrier_create(parties, nullptr, made.out()));
  return made;
}

cancel make_cancel() {
  cancel made;
  REQUIRE_OK(kith_cancel_create(made.out()));
  return made;
}

channel_pair make_channel(uint64_t ring_size, uint32_t flags) {
  channel_pair made;
  auto options = defaults<kith_channel_options>();
  options.flags = flags;
  options.ring_size = ring_size;
  REQUIRE_OK(kith_channel_create(&options, made.a.out(), made.b.out()));
  return made;
}

queue make_queue(uint64_t capacity, uint32_t flags, uint64_t most_items) {
  queue made;
  auto options = defaults<kith_queue_options>();
  options.flags = flags;
  options.capacity = capacity;
  options.most_items = most_items;
  REQUIRE_OK(kith_queue_create(&options, made.out()));
  return made;
}

// ---- children --------------------------------------------------------------------------------------------------------------

kith_process_options run_entry(kith_entry entry, const shares& given) {
  auto options = defaults<kith_process_options>();
  options.entry = entry;
  options.shares = given.data();
  options.share_count = given.size();
  return options;
}

kith_status spawn(const kith_process_options& options, process& out) {
  constexpr int tries = 3;
  kith_status status = kith_process_spawn(&options, out.out());
  for (int i = 1; i < tries && status == KITH_E_OS && may_spawn_again(); ++i) {
    status = kith_process_spawn(&options, out.out());
  }
  if (status == KITH_E_OS) MESSAGE("number of the OS: ", kith_os_error());
  return status;
}

process start(kith_entry entry, const shares& given, const void* argument, size_t size) {
  auto options = run_entry(entry, given);
  options.argument = argument;
  options.argument_size = size;
  process child;
  REQUIRE_OK(spawn(options, child));
  return child;
}

bool take(memory& out, const char* name) { return kith_memory_inherit(name, out.out()) == KITH_OK; }
bool take(array& out, const char* name) { return kith_array_inherit(name, out.out()) == KITH_OK; }
bool take(value& out, const char* name) { return kith_value_inherit(name, out.out()) == KITH_OK; }
bool take(lock& out, const char* name) { return kith_lock_inherit(name, out.out()) == KITH_OK; }
bool take(semaphore& out, const char* name) { return kith_semaphore_inherit(name, out.out()) == KITH_OK; }
bool take(condition& out, const char* name) { return kith_condition_inherit(name, out.out()) == KITH_OK; }
bool take(event& out, const char* name) { return kith_event_inherit(name, out.out()) == KITH_OK; }
bool take(barrier& out, const char* name) { return kith_barrier_inherit(name, out.out()) == KITH_OK; }
bool take(channel& out, const char* name) { return kith_channel_inherit(name, out.out()) == KITH_OK; }
bool take(queue& out, const char* name) { return kith_queue_inherit(name, out.out()) == KITH_OK; }

argument_list::argument_list(std::vector<std::string> arguments) : arguments_(std::move(arguments)) {
  for (const std::string& argument : arguments_) pointers_.push_back(argument.c_str());
  pointers_.push_back(nullptr);
}

argument_list role(std::vector<std::string> arguments) {
  arguments.front() = "--child=" + arguments.front();
  arguments.insert(arguments.begin(), this_program());
  return argument_list(std::move(arguments));
}

process start_role(std::vector<std::string> arguments, const shares& given) {
  const argument_list program = role(std::move(arguments));
  auto options = defaults<kith_process_options>();
  options.argv = program.argv();
  options.shares = given.data();
  options.share_count = given.size();
  process child;
  REQUIRE_OK(spawn(options, child));
  return child;
}

shown_exit end_of(kith_process* process) {
  kith_exit end{};
  REQUIRE_OK(kith_process_wait(process, generous, &end));
  return {end.kind, end.code};
}

// ---- messages --------------------------------------------------------------------------------------------------------------

bool tell(kith_channel* channel, std::string_view text) {
  return kith_channel_send(channel, text.data(), text.size(), generous) == KITH_OK;
}

std::string heard(kith_channel* channel) {
  std::vector<unsigned char> message;
  const kith_status status = receive(channel, message);
  if (status != KITH_OK) return std::string("(") + kith_status_name(status) + ")";
  return std::string(message.begin(), message.end());
}

bool hear(kith_channel* channel, std::string_view expected) { return heard(channel) == expected; }

kith_status receive(kith_channel* channel, std::vector<unsigned char>& out, int64_t timeout_ms) {
  out.resize(256);
  for (;;) {
    size_t size = 0;
    const kith_status status = kith_channel_recv(channel, out.data(), out.size(), &size, timeout_ms);
    if (status == KITH_OK || status == KITH_E_TOO_LARGE) out.resize(size);
    if (status != KITH_E_TOO_LARGE) return status;
  }
}

uint64_t next_random(uint64_t& state) {
  state += 0x9E3779B97F4A7C15u;  // splitmix64
  uint64_t mixed = state;
  mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9u;
  mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBu;
  return mixed ^ (mixed >> 31);
}

std::vector<unsigned char> noise(size_t size, uint64_t seed) {
  std::vector<unsigned char> bytes(size);
  for (size_t i = 0; i < size; ++i) {
    if (i % 8 == 0) next_random(seed);
    bytes[i] = static_cast<unsigned char>((seed >> (i % 8 * 8)) ^ i);
  }
  return bytes;
}

// ---- fixtures ----------------------------------------------------------------------------------------------------------------

nothing_leaks::nothing_leaks() {
  static const bool warm = (warm_up(), true);
  (void)warm;
  handles_ = open_handles();
}

nothing_leaks::~nothing_leaks() {
  // Within a moment: of a thread that has been joined, Wine closes a handle a little later; and a child that was let go of while it
  // ran is reaped by a thread, which then ends.
  constexpr uint64_t moment_ms = 5'000;
  const uint64_t end = now_ms() + moment_ms;
  while ((open_handles() != handles_ || has_children()) && now_ms() < end) std::this_thread::yield();
  CHECK_MESSAGE(open_handles() == handles_,
                "the case left handles or descriptors open, or closed some of others");
  CHECK_MESSAGE(!has_children(), "the case left a child");
}

void in_threads(int count, const std::function<void(int)>& function) {
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) threads.emplace_back(function, i);
  for (std::thread& thread : threads) thread.join();
}

int64_t own_id() { return uv_os_getpid(); }

uint64_t now_ms() { return uv_hrtime() / 1'000'000; }

bool becomes_true(const std::function<bool()>& condition) {
  const uint64_t end = now_ms() + generous;
  while (!condition()) {
    if (now_ms() > end) return false;
    std::this_thread::yield();
  }
  return true;
}

int64_t count_in(kith_value* value) {
  int64_t number = 0;
  if (kith_value_load(value, &number, sizeof number) != KITH_OK) std::abort();
  return number;
}

void count_up(kith_value* value) {
  if (kith_value_add(value, 1, nullptr) != KITH_OK) std::abort();
}

bool reaches(kith_value* value, int64_t at_least) {
  return becomes_true([&] { return count_in(value) >= at_least; });
}

int repetitions(int usual) {
  const int fewer = is_windows ? usual / 20 : sanitized ? usual / 10 : usual;
  return fewer > 0 ? fewer : 1;
}

// ---- files -------------------------------------------------------------------------------------------------------------------

namespace {

std::string utf8(const std::filesystem::path& path) {
  const std::u8string text = path.u8string();
  return std::string(text.begin(), text.end());
}

std::filesystem::path from_utf8(std::string_view text) {
  return std::filesystem::path(std::u8string(text.begin(), text.end()));
}

}  // namespace

std::string this_program() {
  char path[4096];
  size_t size = sizeof path;
  if (uv_exepath(path, &size) != 0) std::abort();
  return std::string(path, size);
}

std::string folder_of_program() { return utf8(from_utf8(this_program()).parent_path()); }

std::string helper(std::string_view name) {
  return folder_of_program() + "/" + std::string(name) + exe_suffix;
}

std::string plugin_path() { return folder_of_program() + "/kith_test_plugin" + plugin_suffix; }

temporary_folder::temporary_folder() {
  static std::atomic<int> number = 0;
  const auto parent = std::filesystem::temp_directory_path();
  path_ = utf8(parent / ("kith-test-" + std::to_string(uv_os_getpid()) + "-" + std::to_string(number++)));
  REQUIRE(std::filesystem::create_directory(from_utf8(path_)));
}

temporary_folder::~temporary_folder() {
  std::error_code ignored;
  std::filesystem::remove_all(from_utf8(path_), ignored);
}

std::string temporary_folder::file(std::string_view name, std::string_view content, bool executable) const {
  const std::string path = path_ + "/" + std::string(name);
  std::ofstream(from_utf8(path), std::ios::binary) << content;
  if (executable) {
    std::filesystem::permissions(from_utf8(path), std::filesystem::perms::owner_all);
  }
  return path;
}

void copy_file(const std::string& from, const std::string& to) {
  REQUIRE(std::filesystem::copy_file(from_utf8(from), from_utf8(to)));
}

}  // namespace test
