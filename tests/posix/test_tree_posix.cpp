// SPDX-License-Identifier: MIT
// Trees that are process groups: under a storm of forks, by fork, and who leaves them.
#include <atomic>

#include "posix_support.h"

using test::nothing_leaks;

namespace {

struct storm {
  std::atomic<int64_t> processes;
  std::atomic<int64_t> most;
};

// Every process of the tree forks, until there are enough or it is ended.
int32_t forks_on_and_on(const void*, size_t) {
  test::memory memory;
  CHILD_NEEDS(test::take(memory, "storm"));
  storm& all = *static_cast<storm*>(kith_memory_data(memory));
  while (all.processes < all.most) {
    const pid_t pid = fork();
    if (pid >= 0 && pid != 0) ++all.processes;
  }
  for (;;) pause();
}

bool no_child_is_left() {
  return test::becomes_true([] { return waitpid(-1, nullptr, WNOHANG) == -1 && errno == ECHILD; });
}

int32_t stays(const void*, size_t) {
  for (;;) pause();
}

int32_t starts_one_that_leaves(const void*, size_t) {
  test::channel line;
  CHILD_NEEDS(test::take(line, "line"));
  const pid_t pid = fork();
  if (pid == 0) {
    setsid();
    test::tell(line, std::to_string(getpid()));
    for (;;) pause();
  }
  for (;;) pause();
}

test::process start_tree(kith_entry entry, const test::shares& given, uint32_t start = KITH_START_SPAWN) {
  kith_process_options options = test::run_entry(entry, given);
  options.flags = KITH_PROCESS_TREE;
  options.start = start;
  test::process root;
  REQUIRE_OK(test::spawn(options, root));
  return root;
}

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks, "a tree is ended whole while all of it forks") {
  const test::heir_of_grandchildren heir;
  uint64_t state = 5;
  for (int round = test::repetitions(5); round > 0; --round) {
    CAPTURE(round);
    test::memory memory;
    REQUIRE_OK(kith_memory_create(sizeof(storm), nullptr, memory.out()));
    storm& all = *static_cast<storm*>(kith_memory_data(memory));
    const int64_t many = static_cast<int64_t>(test::next_random(state) % 40);
    all.most = many + 20;  // some go on forking when the others are ended
    test::process root = start_tree(forks_on_and_on, {{"storm", memory}});
    REQUIRE(test::becomes_true([&] { return all.processes >= many; }));
    CHECK_OK(kith_process_kill(root));
    CHECK_EXIT(root, KITH_EXIT_KILLED, 9);
    root.close();
    CHECK(no_child_is_left());
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "a child by fork has a tree, too") {
  test::process root = start_tree(stays, {}, KITH_START_FORK);
  CHECK(getpgid(static_cast<pid_t>(kith_process_id(root))) == kith_process_id(root));
  CHECK_OK(kith_process_kill(root));
  CHECK_EXIT(root, KITH_EXIT_KILLED, 9);
}

TEST_CASE_FIXTURE(nothing_leaks, "who leaves the group leaves the tree") {
  const test::heir_of_grandchildren heir;
  test::channel_pair line = test::make_channel();
  test::process root = start_tree(starts_one_that_leaves, {{"line", line.b}});
  const int64_t left = std::atoll(test::heard(line.a).c_str());
  REQUIRE(left > 0);
  CHECK_OK(kith_process_kill(root));
  CHECK_EXIT(root, KITH_EXIT_KILLED, 9);
  root.close();
  CHECK(!test::has_ended(left));
  test::kill_by_id(left);
  CHECK(test::becomes_true([&] { return test::has_ended(left); }));
}

TEST_CASE_FIXTURE(nothing_leaks, "a tree whose root was reaped by the host is left alone") {
  const test::heir_of_grandchildren heir;
  test::process root = start_tree(stays, {});
  const pid_t pid = static_cast<pid_t>(kith_process_id(root));
  kill(pid, SIGTERM);
  CHECK(waitpid(pid, nullptr, 0) == pid);
  CHECK_OK(kith_process_kill(root));  // its number may be somebody else's
  CHECK_EXIT(root, KITH_EXIT_UNKNOWN, 0);
}
