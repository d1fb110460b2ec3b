// SPDX-License-Identifier: MIT
// What a child knows of itself and of its parent, and the request to stop.
#include <atomic>
#include <cstring>
#include <string>
#include <vector>

#include "foreign.h"

using test::nothing_leaks;

namespace {

constexpr int32_t stopped = 5;

// ---- stopping

int32_t waits_for_the_request(const void*, size_t) {
  test::channel line;
  CHILD_NEEDS(test::take(line, "line"));
  CHILD_NEEDS(kith_stop_requested(0) == KITH_E_TIMEOUT);
  CHILD_NEEDS(test::tell(line, "looks"));
  CHILD_NEEDS(kith_stop_requested(test::generous) == KITH_OK);
  CHILD_NEEDS(kith_stop_requested(0) == KITH_OK);  // it stays
  return stopped;
}

int32_t waits_with_an_argument(const void* argument, size_t size) {
  const char* const bytes = static_cast<const char*>(argument);
  for (size_t i = 0; i < size; ++i) CHILD_NEEDS(bytes[i] == 'x');
  CHILD_NEEDS(reinterpret_cast<uintptr_t>(argument) % 64 == 0);
  return waits_for_the_request(nullptr, 0);
}

int32_t waits_for_the_request_and_more(const void*, size_t) {
  test::channel line;
  CHILD_NEEDS(test::take(line, "line"));
  kith_event* const stop = kith_stop_event();
  CHILD_NEEDS(stop != nullptr);
  CHILD_NEEDS(test::tell(line, "looks"));
  test::wait_items items{test::item_of(line), test::item_of(stop)};
  CHILD_NEEDS(test::wait_any(items, test::generous) == KITH_OK);
  CHILD_NEEDS(items[0].ready == 0);
  CHILD_NEEDS(items[1].ready == KITH_WAIT_READ);
  return stopped;
}

int32_t waits_in_a_loop_of_its_own(const void*, size_t) {
  test::channel line;
  CHILD_NEEDS(test::take(line, "line"));
  kith_event* const stop = kith_stop_event();
  int64_t handle = 0;
  CHILD_NEEDS(kith_event_poll_handle(stop, &handle) == KITH_OK);
  CHILD_NEEDS(kith_poll_arm(stop, 0) == KITH_OK);
  CHILD_NEEDS(test::tell(line, "looks"));
  CHILD_NEEDS(test::os_says_ready(handle, test::generous));
  CHILD_NEEDS(kith_event_is_set(stop) == 1);
  return stopped;
}

int32_t waits_in_many_threads(const void*, size_t) {
  test::channel line;
  CHILD_NEEDS(test::take(line, "line"));
  std::atomic<int> waiting = 0;
  std::atomic<int> wrong = 0;
  test::in_threads(9, [&](int thread) {
    if (thread == 0) {
      while (waiting != 8) std::this_thread::yield();
      wrong += !test::tell(line, "looks");
      return;
    }
    kith_event* const stop = kith_stop_event();
    ++waiting;
    wrong += stop != kith_stop_event() || kith_stop_requested(test::generous) != KITH_OK;
  });
  return wrong == 0 ? stopped : 1;
}

int32_t cannot_give_its_event_away(const void*, size_t) {
  test::channel line;
  CHILD_NEEDS(test::take(line, "line"));
  kith_event* const stop = kith_stop_event();
  kith_event_close(stop);
  CHILD_NEEDS(kith_event_is_set(stop) == 0);
  CHILD_NEEDS(kith_channel_send_object(line, stop, nullptr, 0, test::generous) == KITH_E_MISMATCH);
  const test::shares given{{"stop", stop}};
  const kith_process_options options = test::run_entry(waits_for_the_request, given);
  kith_process* out = test::untouched<kith_process>();
  CHILD_NEEDS(kith_process_spawn(&options, &out) == KITH_E_MISMATCH);
  CHILD_NEEDS(test::tell(line, "looks"));
  CHILD_NEEDS(kith_event_wait(stop, test::generous) == KITH_OK);
  return stopped;
}

int32_t asks_its_own_child(const void*, size_t) {
  test::channel line;
  CHILD_NEEDS(test::take(line, "line"));
  CHILD_NEEDS(kith_stop_event() != nullptr);
  test::channel_pair inner = test::make_channel();
  test::process child = test::start(waits_for_the_request, {{"line", inner.b}});
  CHILD_NEEDS(test::hear(inner.a, "looks"));
  CHILD_NEEDS(kith_process_terminate(child) == KITH_OK);
  CHILD_NEEDS((test::end_of(child) == test::shown_exit{KITH_EXIT_CODE, stopped}));
  CHILD_NEEDS(kith_stop_requested(0) == KITH_E_TIMEOUT);
  CHILD_NEEDS(test::tell(line, "looks"));
  CHILD_NEEDS(kith_stop_requested(test::generous) == KITH_OK);
  return stopped;
}

int32_t looks_late(const void*, size_t) {
  return kith_stop_requested(test::generous) == KITH_OK ? stopped : 1;
}

int32_t has_no_stop_event(const void*, size_t) {
  CHILD_NEEDS(kith_stop_event() == nullptr);
  CHILD_NEEDS(kith_stop_requested(0) == KITH_E_NOT_FOUND);
  CHILD_NEEDS(kith_parent_alive() == 1);
  CHILD_NEEDS(kith_parent_id() > 0);
  return 0;
}

struct asked_child {
  test::channel_pair line = test::make_channel();
  test::process process;

  explicit asked_child(kith_entry entry) : process(test::start(entry, {{"line", line.b}})) {
    REQUIRE(test::hear(line.a, "looks"));
  }
};

// ---- who it is

int32_t tells_its_name(const void*, size_t) {
  test::channel line;
  CHILD_NEEDS(test::take(line, "line"));
  CHILD_NEEDS(test::tell(line, kith_self_name()));
  CHILD_NEEDS(kith_self_name() == kith_self_name());
  return 0;
}

std::string named(kith_process_options options, std::string& seen_by_parent) {
  test::channel_pair line = test::make_channel();
  const test::shares given{{"line", line.b}};
  options.shares = given.data();
  options.share_count = given.size();
  test::process child;
  REQUIRE_OK(test::spawn(options, child));
  seen_by_parent = kith_process_name(child);
  const std::string told = test::heard(line.a);
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
  return told;
}

int32_t knows_its_parent(const void* argument, size_t) {
  int64_t parent = 0;
  std::memcpy(&parent, argument, sizeof parent);
  CHILD_NEEDS(kith_parent_id() == parent);
  CHILD_NEEDS(kith_parent_alive() == 1);
  return 0;
}

int32_t outlives_its_parent(const void*, size_t) {
  test::channel line;
  CHILD_NEEDS(test::take(line, "line"));
  const int64_t parent = kith_parent_id();
  CHILD_NEEDS(kith_parent_alive() == 1);
  CHILD_NEEDS(test::tell(line, "started"));
  CHILD_NEEDS(test::becomes_true([] { return kith_parent_alive() == 0; }));
  CHILD_NEEDS(kith_parent_id() == parent);
  CHILD_NEEDS(test::tell(line, "the parent has ended"));
  return 0;
}

int32_t starts_one_that_outlives_it(const void*, size_t) {
  test::channel line;
  CHILD_NEEDS(test::take(line, "line"));
  const test::shares given{{"line", line}};
  kith_process_options options = test::run_entry(outlives_its_parent, given);
  options.flags = KITH_PROCESS_DETACHED;
  test::process child;
  CHILD_NEEDS(test::spawn(options, child) == KITH_OK);
  for (;;) std::this_thread::sleep_for(std::chrono::seconds(1));
}

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks, "a child that looks for requests is asked, and ends as it likes") {
  for (const kith_entry entry :
       {waits_for_the_request, waits_for_the_request_and_more, waits_in_a_loop_of_its_own,
        waits_in_many_threads, cannot_give_its_event_away, asks_its_own_child}) {
    asked_child child(entry);
    CHECK_OK(kith_process_terminate(child.process));
    CHECK_OK(kith_process_terminate(child.process));
    CHECK_EXIT(child.process, KITH_EXIT_CODE, stopped);
    CHECK_OK(kith_process_terminate(child.process));
  }
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "a parent with many handles open asks its children, and is told how they ended") {
  std::vector<test::array> arrays;
  while (test::open_handles() < 300) arrays.push_back(test::make_array(KITH_I32, 1));
  asked_child child(waits_for_the_request);
  CHECK_OK(kith_process_terminate(child.process));
  CHECK_EXIT(child.process, KITH_EXIT_CODE, stopped);
}

TEST_CASE_FIXTURE(nothing_leaks, "an argument of any size reaches the child, which can be asked as well") {
  for (const size_t size : {0u, 1u, 400u, 600u, 1100u, 5000u, 200'000u}) {
    const std::string argument(size, 'x');
    test::channel_pair line = test::make_channel();
    const test::shares given = {{"line", line.b}};
    kith_process_options options = test::run_entry(waits_with_an_argument, given);
    options.argument = argument.data();
    options.argument_size = argument.size();
    test::process child;
    REQUIRE_OK(test::spawn(options, child));
    REQUIRE(test::hear(line.a, "looks"));
    CHECK_OK(kith_process_terminate(child));
    CHECK_EXIT(child, KITH_EXIT_CODE, stopped);
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "the ladder asks before it kills") {
  asked_child child(waits_for_the_request);
  kith_exit end{};
  CHECK_OK(kith_process_stop(child.process, 0, test::generous, test::generous, &end));
  CHECK((end.kind == KITH_EXIT_CODE && end.code == stopped));
  asked_child other(waits_for_the_request);
  CHECK_OK(kith_process_stop(other.process, 0, 0, test::generous, &end));
  CHECK((end.kind == KITH_EXIT_KILLED && end.code == 9));
}

TEST_CASE_FIXTURE(nothing_leaks, "a request at any moment of a child's start ends it") {
  uint64_t state = 3;
  int by_request = 0;
  for (int round = test::repetitions(60); round > 0; --round) {
    test::process child = test::start(looks_late);
    const uint64_t moment = test::next_random(state) % (test::is_windows ? 200'000 : 6'000);
    std::this_thread::sleep_for(std::chrono::microseconds(moment));
    CHECK_OK(kith_process_terminate(child));
    const test::shown_exit end = test::end_of(child);
    const bool right =
        end == test::shown_exit{KITH_EXIT_CODE, stopped} || end == test::shown_exit{KITH_EXIT_KILLED, 15};
    CHECK_MESSAGE(right, end);
    by_request += end.kind == KITH_EXIT_CODE;
  }
  MESSAGE("ended by the request: ", by_request);
}

TEST_CASE_FIXTURE(nothing_leaks, "a program that was given something can be asked, too") {
  test::channel_pair line = test::make_channel();
  test::process child = test::start_role({"wait_for_stop"}, {{"line", line.b}});
  REQUIRE(test::hear(line.a, "looks"));
  CHECK_OK(kith_process_terminate(child));
  CHECK_EXIT(child, KITH_EXIT_CODE, stopped);
}

TEST_CASE_FIXTURE(nothing_leaks, "a child by fork can be asked if that was wanted") {
  if (kith_has(KITH_HAS_FORK) == 0) SKIP_CASE("this OS does not fork");
  for (const uint32_t flags : {uint32_t{KITH_PROCESS_STOP_EVENT},
                               KITH_PROCESS_STOP_EVENT | uint32_t{KITH_PROCESS_KEEP_DESCRIPTORS}}) {
    test::channel_pair line = test::make_channel();
    const test::shares given{{"line", line.b}};
    kith_process_options options = test::run_entry(asks_its_own_child, given);
    options.start = KITH_START_FORK;
    options.flags = flags;
    test::process child;
    REQUIRE_OK(test::spawn(options, child));
    REQUIRE(test::hear(line.a, "looks"));
    CHECK_OK(kith_process_terminate(child));
    CHECK_EXIT(child, KITH_EXIT_CODE, stopped);
  }
  kith_process_options options = test::run_entry(has_no_stop_event, {});
  options.start = KITH_START_FORK;
  test::process child;
  REQUIRE_OK(test::spawn(options, child));
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "a process that kith did not start knows of no parent, and cannot be asked") {
  CHECK(kith_stop_event() == nullptr);
  CHECK_STATUS(kith_stop_requested(0), KITH_E_NOT_FOUND);
  CHECK_STATUS(kith_stop_requested(-2), KITH_E_INVALID);
  CHECK(kith_parent_alive() == -1);
  CHECK(kith_parent_id() == -1);
  const std::string path = test::this_program();
  CHECK(kith_self_name() == path.substr(path.find_last_of("/\\") + 1));
}

TEST_CASE_FIXTURE(nothing_leaks, "a child knows its parent") {
  test::process child = test::start_with(knows_its_parent, {}, test::own_id());
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
}

TEST_CASE("a detached child sees that its parent has ended") {
  const test::heir_of_grandchildren heir;
  test::channel_pair line = test::make_channel();
  test::process parent = test::start(starts_one_that_outlives_it, {{"line", line.b}});
  REQUIRE(test::hear(line.a, "started"));
  CHECK_OK(kith_process_kill(parent));
  CHECK_EXIT(parent, KITH_EXIT_KILLED, 9);
  CHECK(test::hear(line.a, "the parent has ended"));
  heir.await_all();
}

TEST_CASE_FIXTURE(nothing_leaks, "a process has a name that both sides know") {
  std::string seen;
  auto options = test::defaults<kith_process_options>();
  options.entry = tells_its_name;
  const std::string path = test::this_program();
  const std::string file = path.substr(path.find_last_of("/\\") + 1);
  CHECK(named(options, seen) == file);
  CHECK(seen == file);
  options.name = "worker 7 \xC3\xA9";
  CHECK(named(options, seen) == options.name);
  CHECK(seen == options.name);
  const std::string longest(255, 'n');
  options.name = longest.c_str();
  CHECK(named(options, seen) == longest);
  CHECK(seen == longest);
  options = test::defaults<kith_process_options>();
  options.entry_name = "tests/tells its name";
  CHECK(kith_entry_register(options.entry_name, tells_its_name) == KITH_OK);
  if (kith_has(KITH_HAS_FORK) == 1) {  // a new program would have to register it, too
    options.start = KITH_START_FORK;
    CHECK(named(options, seen) == options.entry_name);
    CHECK(seen == options.entry_name);
  }
  const test::argument_list program = test::role({"name"});
  options = test::defaults<kith_process_options>();
  options.argv = program.argv();
  CHECK(named(options, seen) == file);
  CHECK(seen == file);
  options.name = "a program";
  CHECK(named(options, seen) == options.name);
  CHECK(seen == options.name);
}

TEST_CASE_FIXTURE(nothing_leaks, "names that are none are refused, and a closed process has none") {
  const std::string too_long(256, 'n');
  for (const char* const name : {"", too_long.c_str()}) {
    kith_process_options options = test::run_entry(tells_its_name, {});
    options.name = name;
    kith_process* out = test::untouched<kith_process>();
    CHECK_STATUS(kith_process_spawn(&options, &out), KITH_E_INVALID);
    CHECK(out == test::untouched<kith_process>());
  }
  CHECK(kith_process_name(nullptr) == nullptr);
  test::process child = test::start_role({"exit", "0"});
  kith_process* const closed = child;
  CHECK(std::strncmp(kith_process_name(child), "kith_tests", 10) == 0);
  child.close();
  CHECK(kith_process_name(closed) == nullptr);
}
