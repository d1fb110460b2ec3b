// SPDX-License-Identifier: MIT
// KITH_PROCESS_TREE: a child and all of its descendants are ended together. The descendants are detached, so that nothing else ends them.
#include <cstring>

#include "support.h"

using test::nothing_leaks;

namespace {

constexpr uint32_t depth_of_tree = 3;
constexpr uint32_t children_of_each = 2;
constexpr size_t size_of_tree = 1 + 2 + 4 + 8;

struct branch {
  uint32_t depth;
  bool ends;  // the root ends once all are there
};

// Where the tree writes down its members.
struct book {
  test::array pids = test::make_array(KITH_I64, size_of_tree);
  test::value count = test::make_value(KITH_I64);

  test::shares shares() const { return {{"pids", pids}, {"count", count}}; }
  int64_t pid(size_t i) const { return static_cast<const int64_t*>(kith_array_data(pids))[i]; }
  // But for the root, which is the child of the test: to ask the OS for it that way would reap it.
  size_t living(int64_t root) const {
    size_t found = 0;
    for (size_t i = 0; i < size_of_tree; ++i) {
      if (pid(i) != root && !test::has_ended(pid(i))) ++found;
    }
    return found;
  }
};

kith_status start_branch(const book& given, const branch& wanted, uint32_t flags, test::process& out);

int32_t grows(const void* argument, size_t) {
  branch self;
  std::memcpy(&self, argument, sizeof self);
  book all;
  CHILD_NEEDS(test::take(all.pids, "pids"));
  CHILD_NEEDS(test::take(all.count, "count"));
  for (uint32_t i = 0; self.depth > 0 && i < children_of_each; ++i) {
    test::process child;
    CHILD_NEEDS(start_branch(all, {self.depth - 1, false}, KITH_PROCESS_DETACHED, child) == KITH_OK);
  }
  int64_t place = 0;
  CHILD_NEEDS(kith_value_add(all.count, 1, &place) == KITH_OK);
  static_cast<int64_t*>(kith_array_data(all.pids))[place % 1'000'000] = test::own_id();
  CHILD_NEEDS(kith_value_add(all.count, 1'000'000, nullptr) == KITH_OK);  // and it is written down
  if (self.ends) {
    CHILD_NEEDS(test::reaches(all.count, size_of_tree * 1'000'001));
    return 6;
  }
  for (;;) std::this_thread::sleep_for(std::chrono::seconds(1));
}

kith_status start_branch(const book& given, const branch& wanted, uint32_t flags, test::process& out) {
  const test::shares shares = given.shares();
  kith_process_options options = test::run_entry(grows, shares);
  options.argument = &wanted;
  options.argument_size = sizeof wanted;
  options.flags = flags;
  return test::spawn(options, out);
}

struct tree {
  test::heir_of_grandchildren heir;
  book all;
  test::process root;
  int64_t root_id = 0;

  explicit tree(bool ends = false, uint32_t flags = KITH_PROCESS_TREE) {
    REQUIRE_OK(start_branch(all, {depth_of_tree, ends}, flags, root));
    REQUIRE(test::reaches(all.count, size_of_tree * 1'000'001));
    root_id = kith_process_id(root);
  }
  ~tree() {  // a case that fails leaves nobody
    for (size_t i = 0; i < size_of_tree; ++i) {
      if (all.pid(i) != 0 && !test::has_ended(all.pid(i))) test::kill_by_id(all.pid(i));
    }
  }
  size_t living() const { return all.living(root_id); }
  bool ends_soon() const {
    return test::becomes_true([&] { return living() == 0; });
  }
};

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks, "a kill ends a whole tree of depth three") {
  tree grown;
  CHECK(grown.living() == size_of_tree - 1);
  CHECK_OK(kith_process_kill(grown.root));
  CHECK_EXIT(grown.root, KITH_EXIT_KILLED, 9);
  CHECK(grown.ends_soon());
  CHECK_OK(kith_process_kill(grown.root));
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "a terminate is for the whole tree, if its root does not look for requests") {
  tree grown;
  CHECK_OK(kith_process_terminate(grown.root));
  CHECK_EXIT(grown.root, KITH_EXIT_KILLED, 15);
  CHECK(grown.ends_soon());
}

TEST_CASE_FIXTURE(nothing_leaks, "a stop ends a whole tree, also when its root ends by itself") {
  for (const bool by_itself : {false, true}) {
    tree grown(by_itself);
    kith_exit end{};
    CHECK_OK(kith_process_stop(grown.root, by_itself ? test::generous : 0, 0, test::generous, &end));
    CHECK(end.kind == (by_itself ? KITH_EXIT_CODE : KITH_EXIT_KILLED));
    CHECK(end.code == (by_itself ? 6 : 9));
    CHECK(grown.ends_soon());
  }
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "what is left of a tree can be ended after its root has ended, and was waited for") {
  tree grown(true);
  CHECK_EXIT(grown.root, KITH_EXIT_CODE, 6);
  CHECK(grown.living() == size_of_tree - 1);
  CHECK_EXIT(grown.root, KITH_EXIT_CODE, 6);
  CHECK_OK(kith_process_kill(grown.root));
  CHECK_EXIT(grown.root, KITH_EXIT_CODE, 6);
  CHECK(grown.ends_soon());
}

TEST_CASE_FIXTURE(nothing_leaks, "a tree that is let go of lives on") {
  tree grown;
  grown.root.close();  // the root is a child of nobody's handle now
  grown.root_id = 0;
  // Whatever would end it has had a thousand times the time it takes.
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  CHECK(grown.living() == size_of_tree);
  for (size_t i = 0; i < size_of_tree; ++i) test::kill_by_id(grown.all.pid(i));
  CHECK(grown.ends_soon());
}

TEST_CASE_FIXTURE(nothing_leaks, "without the flag a kill is for the child alone") {
  tree grown(false, 0);
  CHECK_OK(kith_process_kill(grown.root));
  CHECK_EXIT(grown.root, KITH_EXIT_KILLED, 9);
  CHECK(grown.living() == size_of_tree - 1);
  for (size_t i = 0; i < size_of_tree; ++i) test::kill_by_id(grown.all.pid(i));
  CHECK(grown.ends_soon());
}

TEST_CASE_FIXTURE(nothing_leaks, "a detached tree is ended by its handle like any other") {
  tree grown(false, KITH_PROCESS_TREE | KITH_PROCESS_DETACHED);
  CHECK_OK(kith_process_kill(grown.root));
  CHECK_EXIT(grown.root, KITH_EXIT_KILLED, 9);
  CHECK(grown.ends_soon());
}
