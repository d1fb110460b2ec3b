// SPDX-License-Identifier: MIT
// Children by fork: a copy of this process, with nothing open but what it was given.
#include <fcntl.h>
#include <poll.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "posix_support.h"
#include "strangers.h"

using test::nothing_leaks;

namespace {

test::process fork_child(kith_entry entry, const test::shares& given = {}, uint32_t flags = 0) {
  kith_process_options options = test::run_entry(entry, given);
  options.start = KITH_START_FORK;
  options.flags = flags;
  test::process child;
  REQUIRE_OK(kith_process_spawn(&options, child.out()));
  return child;
}

int variable = 1;

int32_t sees_memory_of_its_parent(const void*, size_t) {
  CHILD_NEEDS(variable == 2);
  variable = 3;
  return 0;
}

int32_t returns_first_byte(const void* argument, size_t size) {
  return size == 3 ? *static_cast<const unsigned char*>(argument) : -1;
}

int32_t counts_descriptors(const void*, size_t) { return static_cast<int32_t>(test::open_handles()) - 3; }

int32_t answers(const void*, size_t) {
  test::channel line;
  test::array numbers;
  CHILD_NEEDS(kith_channel_inherit("line", line.out()) == KITH_OK);
  CHILD_NEEDS(kith_array_inherit("numbers", numbers.out()) == KITH_OK);
  test::array again;
  CHILD_NEEDS(kith_array_inherit("numbers", again.out()) == KITH_E_MOVED);
  CHILD_NEEDS(test::hear(line, "question"));
  CHILD_NEEDS(kith_array_add(numbers, 0, 5, nullptr) == KITH_OK);
  CHILD_NEEDS(test::tell(line, "answer"));
  return 0;
}

// What the child knows only because it is a copy.
kith_channel* channel_of_parent = nullptr;
kith_lock* lock_of_parent = nullptr;
kith_process* process_of_parent = nullptr;
kith_array* array_of_parent = nullptr;
kith_reader* reader_of_parent = nullptr;

int32_t has_no_channel_of_its_parent(const void*, size_t) {
  char buffer[8];
  size_t size = 0;
  CHILD_NEEDS(kith_channel_send(channel_of_parent, "x", 1, 0) == KITH_E_INVALID);
  CHILD_NEEDS(kith_channel_recv(channel_of_parent, buffer, sizeof buffer, &size, 0) == KITH_E_INVALID);
  kith_channel_close(channel_of_parent);
  return 0;
}

int32_t does_not_hold_the_lock_of_its_parent(const void*, size_t) {
  CHILD_NEEDS(kith_lock_release(lock_of_parent) == KITH_E_NOT_OWNER);
  CHILD_NEEDS(kith_lock_mark_consistent(lock_of_parent) == KITH_E_NOT_OWNER);
  CHILD_NEEDS(kith_lock_acquire(lock_of_parent, 50) == KITH_E_TIMEOUT);
  kith_lock_close(lock_of_parent);
  return 0;
}

int32_t dies_with_the_lock(const void*, size_t) {
  test::lock guard;
  CHILD_NEEDS(kith_lock_inherit("guard", guard.out()) == KITH_OK);
  CHILD_NEEDS(kith_lock_acquire(guard, test::generous) == KITH_OK);
  CHILD_NEEDS(kith_lock_acquire(guard, 0) == KITH_E_DEADLOCK);
  test::end_at_once(4);
}

int32_t uses_the_array_of_its_parent(const void*, size_t) {
  CHILD_NEEDS(kith_array_add(array_of_parent, 0, 7, nullptr) == KITH_OK);
  CHILD_NEEDS(kith_lock_acquire(kith_array_lock(array_of_parent), test::generous) == KITH_OK);
  ++static_cast<int32_t*>(kith_array_data(array_of_parent))[1];
  return kith_lock_release(kith_array_lock(array_of_parent));
}

// With a seat, which its parent keeps.
int32_t reads_nothing_in_its_parents_place(const void*, size_t) {
  char text[8];
  size_t size = 0;
  for (int i = 0; i < 3; ++i)
    CHILD_NEEDS(kith_reader_next(reader_of_parent, text, sizeof text, &size, nullptr, 0) == KITH_E_NOT_OWNER);
  kith_reader_close(reader_of_parent);
  return 0;
}

// Without one it is a reader of its own, from where its parent is.
int32_t reads_from_there_on(const void*, size_t) {
  for (const char expected : {'b', 'c'}) {
    char text[8];
    size_t size = 0;
    CHILD_NEEDS(kith_reader_next(reader_of_parent, text, sizeof text, &size, nullptr, 0) == KITH_OK);
    CHILD_NEEDS(size == 1 && text[0] == expected);
  }
  kith_reader_close(reader_of_parent);
  return 0;
}

int32_t leaves_the_children_of_its_parent_alone(const void*, size_t) {
  kith_exit end{};
  CHILD_NEEDS(kith_process_wait(process_of_parent, 0, &end) == KITH_E_INVALID);
  CHILD_NEEDS(kith_process_kill(process_of_parent) == KITH_E_INVALID);
  return 0;
}

// Of the numbers that its parent's handles had, many are its own descriptors now.
int32_t closes_nothing_of_its_own(const void*, size_t) {
  int own[16];
  for (int& each : own) each = dup(0);
  kith_process_close(process_of_parent);
  for (const int each : own) {
    CHILD_NEEDS(each != -1);
    CHILD_NEEDS(fcntl(each, F_GETFD) != -1);
    close(each);
  }
  return 0;
}

int32_t starts_children(const void*, size_t) {
  test::process by_spawn = test::start_role({"count_handles"});
  CHILD_NEEDS((test::end_of(by_spawn) == test::shown_exit{KITH_EXIT_CODE, 0}));
  test::value number = test::make_value(KITH_I32);
  static kith_value* shared;
  shared = number;
  const test::process by_fork =
      fork_child([](const void*, size_t) -> int32_t { return kith_value_add(shared, 4, nullptr); });
  CHILD_NEEDS((test::end_of(by_fork) == test::shown_exit{KITH_EXIT_CODE, 0}));
  CHILD_NEEDS(*static_cast<int32_t*>(kith_value_data(number)) == 4);
  return 0;
}

int32_t prints(const void*, size_t) {
  std::printf("child\n");
  return 0;
}

// stdout is a file, so that the C library keeps what is printed until it is flushed.
int32_t prints_around_a_fork(const void* path, size_t) {
  CHILD_NEEDS(std::freopen(static_cast<const char*>(path), "w", stdout) != nullptr);
  std::atexit([] { std::printf("exit handler\n"); });
  std::printf("before\n");
  const test::process child = fork_child(prints);
  CHILD_NEEDS((test::end_of(child) == test::shown_exit{KITH_EXIT_CODE, 0}));
  std::printf("after\n");
  std::fflush(stdout);
  test::end_at_once(0);
}

int32_t waits_to_be_asked(const void*, size_t) {
  signal(SIGTERM, SIG_DFL);  // it has doctest's handler, as it has everything of its parent
  test::channel line;
  CHILD_NEEDS(kith_channel_inherit("line", line.out()) == KITH_OK);
  CHILD_NEEDS(test::tell(line, "ready"));
  CHILD_NEEDS(test::hear(line, "never sent"));
  return 0;
}

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks, "a forked child has a copy of the memory of its parent") {
  variable = 2;
  test::process child = fork_child(sees_memory_of_its_parent);
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
  CHECK(variable == 2);
}

TEST_CASE_FIXTURE(nothing_leaks, "a forked child gets its argument, and its exit code is told") {
  const unsigned char argument[] = {200, 1, 2};
  kith_process_options options = test::run_entry(returns_first_byte, {});
  options.start = KITH_START_FORK;
  options.argument = argument;
  options.argument_size = sizeof argument;
  test::process child;
  REQUIRE_OK(kith_process_spawn(&options, child.out()));
  CHECK_EXIT(child, KITH_EXIT_CODE, 200);
}

TEST_CASE_FIXTURE(nothing_leaks, "a registered function runs in a forked child, too") {
  auto options = test::defaults<kith_process_options>();
  options.start = KITH_START_FORK;
  options.entry_name = "tests/returns its argument";
  options.argument = "\x05";
  options.argument_size = 1;
  test::process child;
  REQUIRE_OK(kith_process_spawn(&options, child.out()));
  CHECK_EXIT(child, KITH_EXIT_CODE, 5);
  options.entry_name = "nobody registered this";
  kith_process* out = test::untouched<kith_process>();
  CHECK_STATUS(kith_process_spawn(&options, &out), KITH_E_NOT_FOUND);
  CHECK(out == test::untouched<kith_process>());
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "a forked child has the standard streams and what it was given, and no other descriptor") {
  const test::descriptor file(open("/dev/null", O_RDWR));
  const test::descriptor high(fcntl(file.get(), F_DUPFD, 1000));
  test::array array = test::make_array(KITH_I32, 1);
  test::channel_pair line = test::make_channel();
  test::process bare = fork_child(counts_descriptors);
  CHECK_EXIT(bare, KITH_EXIT_CODE, 0);
  test::process child = fork_child(counts_descriptors, {{"array", array}, {"line", line.b}});
  CHECK_EXIT(child, KITH_EXIT_CODE, 3);
}

TEST_CASE_FIXTURE(nothing_leaks, "a forked child may keep the descriptors that are not ours") {
  const test::descriptor file(open("/dev/null", O_RDWR));
  const test::descriptor high(fcntl(file.get(), F_DUPFD, 1000));
  const size_t of_others = test::open_handles();
  test::array array = test::make_array(KITH_I32, 1);
  test::channel_pair line = test::make_channel();
  test::process child = fork_child(counts_descriptors, {}, KITH_PROCESS_KEEP_DESCRIPTORS);
  CHECK_EXIT(child, KITH_EXIT_CODE, static_cast<int64_t>(of_others) - 3);
}

TEST_CASE_FIXTURE(nothing_leaks, "a forked child that keeps descriptors has none of an endpoint") {
  const size_t of_others = test::open_handles();
  const std::string name = test::unique_name("fork");
  const test::endpoint place = test::listen(name);
  const test::meeting made = test::meet(place, name);  // from then on there is memory for the next one, too
  REQUIRE_OK(made.connected);
  test::process child = fork_child(counts_descriptors, {}, KITH_PROCESS_KEEP_DESCRIPTORS);
  CHECK_EXIT(child, KITH_EXIT_CODE, static_cast<int64_t>(of_others) - 3);
  CHECK_OK(test::meet(place, name).connected);
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "a forked child that keeps descriptors has no end of a pipe between children") {
  test::channel_pair line = test::make_channel();
  kith_os_handle *read_end, *write_end;
  REQUIRE_OK(kith_pipe_create(&read_end, &write_end));
  test::process child = fork_child(waits_to_be_asked, {{"line", line.b}}, KITH_PROCESS_KEEP_DESCRIPTORS);
  REQUIRE(test::hear(line.a, "ready"));
  kith_os_handle_close(write_end);
  pollfd end{static_cast<int>(kith_os_handle_number(read_end)), POLLIN, 0};
  CHECK(poll(&end, 1, 0) == 1);
  CHECK((end.revents & POLLHUP) != 0);
  CHECK_OK(kith_process_kill(child));
  CHECK_EXIT(child, KITH_EXIT_KILLED, 9);
  kith_os_handle_close(read_end);
}

TEST_CASE_FIXTURE(nothing_leaks, "a forked child takes its shares by name") {
  test::array numbers = test::make_array(KITH_I32, 1);
  test::channel_pair line = test::make_channel();
  test::process child = fork_child(answers, {{"line", line.b}, {"numbers", numbers}});
  CHECK(test::tell(line.a, "question"));
  CHECK(test::hear(line.a, "answer"));
  CHECK(test::hear(line.a, "(KITH_E_CLOSED)"));
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
  CHECK(*static_cast<int32_t*>(kith_array_data(numbers)) == 5);
  CHECK_STATUS(kith_channel_send(line.b, "x", 1, 0), KITH_E_MOVED);
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "channel ends that were not given are closed in a forked child, and stay open here") {
  test::channel_pair line = test::make_channel();
  channel_of_parent = line.a;
  test::process child = fork_child(has_no_channel_of_its_parent);
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
  CHECK(test::tell(line.a, "still open"));
  CHECK(test::hear(line.b, "still open"));
  CHECK(test::tell(line.b, "both ways"));
  CHECK(test::hear(line.a, "both ways"));
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "a killed forked child, not its parent's open end, is the end of a channel") {
  test::channel_pair line = test::make_channel();
  test::process child = fork_child(
      [](const void*, size_t) -> int32_t {
        test::channel mine;
        CHILD_NEEDS(kith_channel_inherit("line", mine.out()) == KITH_OK);
        CHILD_NEEDS(test::tell(mine, "ready"));
        CHILD_NEEDS(test::hear(mine, "never sent"));
        return 0;
      },
      {{"line", line.b}});
  CHECK(test::hear(line.a, "ready"));
  CHECK_OK(kith_process_kill(child));
  CHECK(test::hear(line.a, "(KITH_E_PEER_DIED)"));
  CHECK_EXIT(child, KITH_EXIT_KILLED, 9);
}

TEST_CASE_FIXTURE(nothing_leaks, "a forked child does not hold the locks of its parent") {
  test::lock guard = test::make_lock();
  REQUIRE_OK(kith_lock_acquire(guard, 0));
  lock_of_parent = guard;
  test::process child = fork_child(does_not_hold_the_lock_of_its_parent);
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
  CHECK_OK(kith_lock_release(guard));
}

TEST_CASE_FIXTURE(nothing_leaks, "a forked child that dies with a lock is told to its parent") {
  test::lock guard = test::make_lock();
  test::process child = fork_child(dies_with_the_lock, {{"guard", guard}});
  CHECK_EXIT(child, KITH_EXIT_CODE, 4);
  CHECK_STATUS(kith_lock_acquire(guard, test::generous), KITH_OWNER_DIED);
  CHECK_OK(kith_lock_release(guard));
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "shared memory of the parent is shared with a forked child without being given") {
  test::array array = test::make_array(KITH_I32, 2);
  array_of_parent = array;
  test::process child = fork_child(uses_the_array_of_its_parent);
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
  CHECK(static_cast<int32_t*>(kith_array_data(array))[0] == 7);
  CHECK(static_cast<int32_t*>(kith_array_data(array))[1] == 1);
}

TEST_CASE_FIXTURE(nothing_leaks, "a reader that holds writers back is not a forked child's") {
  for (const uint32_t flags : {uint32_t{0}, uint32_t{KITH_BROADCAST_HOLD}}) {
    CAPTURE(flags);
    auto options = test::defaults<kith_broadcast_options>();
    options.flags = flags;
    test::owner<kith_broadcast, kith_broadcast_close> broadcast;
    test::owner<kith_reader, kith_reader_close> reader;
    REQUIRE_OK(kith_broadcast_create(&options, broadcast.out()));
    REQUIRE_OK(kith_broadcast_subscribe(broadcast, 0, reader.out()));
    for (const char* const each : {"a", "b", "c"}) CHECK_OK(kith_broadcast_publish(broadcast, each, 1, 0));
    char text[8];
    size_t size = 0;
    CHECK_OK(kith_reader_next(reader, text, sizeof text, &size, nullptr, 0));  // knows of the others, too
    reader_of_parent = reader;
    const test::process child =
        fork_child(flags == 0 ? reads_from_there_on : reads_nothing_in_its_parents_place);
    CHECK_EXIT(child, KITH_EXIT_CODE, 0);
    for (const char expected : {'b', 'c'}) {
      CHECK_OK(kith_reader_next(reader, text, sizeof text, &size, nullptr, 0));
      CHECK(text[0] == expected);
    }
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "a forked child leaves the other children of its parent alone") {
  test::channel_pair line = test::make_channel();
  test::process other = test::start_role({"stay"}, {{"line", line.b}});
  CHECK(test::hear(line.a, "ready"));
  process_of_parent = other;
  test::process child = fork_child(leaves_the_children_of_its_parent_alone);
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
  line.a.close();
  CHECK_EXIT(other, KITH_EXIT_CODE, 0);
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "a forked child that closes a child of its parent's closes nothing of its own") {
  test::channel_pair line = test::make_channel();
  test::process other = test::start_role({"stay"}, {{"line", line.b}});
  CHECK(test::hear(line.a, "ready"));
  process_of_parent = other;
  test::process child = fork_child(closes_nothing_of_its_own);
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
  CHECK_OK(kith_process_terminate(other));
  CHECK_EXIT(other, KITH_EXIT_KILLED, SIGTERM);
}

TEST_CASE_FIXTURE(nothing_leaks, "a forked child starts children of its own") {
  test::process child = fork_child(starts_children);
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "what was printed before a fork is printed once, and what the child prints as well") {
  const test::temporary_folder folder;
  const std::string path = folder.path() + "/output";
  test::process child = test::start(prints_around_a_fork, {}, path.c_str(), path.size() + 1);
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
  std::stringstream content;
  content << std::ifstream(path).rdbuf();
  CHECK(content.str() == "before\nchild\nafter\n");
}

TEST_CASE_FIXTURE(nothing_leaks, "a forked child ends in all the ways that a child ends") {
  test::process crashed = fork_child([](const void*, size_t) -> int32_t { test::crash(); });
  CHECK_EXIT(crashed, KITH_EXIT_SIGNAL, SIGSEGV);
  test::process large = fork_child([](const void*, size_t) -> int32_t { return 256 + 7; });
  CHECK_EXIT(large, KITH_EXIT_CODE, 7);
  test::channel_pair line = test::make_channel();
  test::process stays = fork_child(waits_to_be_asked, {{"line", line.b}});
  CHECK(test::hear(line.a, "ready"));
  CHECK_OK(kith_process_terminate(stays));
  CHECK_EXIT(stays, KITH_EXIT_KILLED, 15);
}

TEST_CASE_FIXTURE(nothing_leaks, "a hundred forks leave nothing") {
  for (int i = 0; i < 100; ++i) {
    test::channel_pair line = test::make_channel();
    test::process child = fork_child([](const void*, size_t) -> int32_t { return 0; }, {{"line", line.b}});
    CHECK_EXIT(child, KITH_EXIT_CODE, 0);
  }
}
