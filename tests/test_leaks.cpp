// SPDX-License-Identifier: MIT
// What is left when everything is over: nothing.
#include "support.h"

using test::nothing_leaks;

namespace {

int32_t nothing(const void*, size_t) { return 0; }

int32_t takes_all(const void*, size_t) {
  test::array array;
  test::lock lock;
  test::channel line;
  CHILD_NEEDS(kith_array_inherit("array", array.out()) == KITH_OK);
  CHILD_NEEDS(kith_lock_inherit("lock", lock.out()) == KITH_OK);
  CHILD_NEEDS(kith_channel_inherit("line", line.out()) == KITH_OK);
  CHILD_NEEDS(test::hear(line, "go"));
  return 0;
}

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks, "objects that are made and closed leave nothing") {
  for (int i = 0; i < 200; ++i) {
    test::memory memory;
    REQUIRE_OK(kith_memory_create(1000, nullptr, memory.out()));
    test::make_array(KITH_I32, 10);
    test::make_value(KITH_I32);
    test::lock lock = test::make_lock();
    REQUIRE_OK(kith_lock_acquire(lock, 0));
    test::channel_pair line = test::make_channel();
    REQUIRE(test::tell(line.a, "x"));
    REQUIRE(test::hear(line.b, "x"));
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "children with shares leave nothing, however they end") {
  for (int i = 0; i < 30; ++i) {
    test::array array = test::make_array(KITH_I32, 10);
    test::lock lock = test::make_lock();
    test::channel_pair line = test::make_channel();
    test::process child = test::start(takes_all, {{"array", array}, {"lock", lock}, {"line", line.b}});
    if (i % 2 == 0) {
      CHECK(test::tell(line.a, "go"));
      CHECK_EXIT(child, KITH_EXIT_CODE, 0);
    } else {
      CHECK_OK(kith_process_kill(child));
      CHECK_EXIT(child, KITH_EXIT_KILLED, 9);
    }
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "spawns that fail leave nothing") {
  const test::argument_list program({test::folder_of_program() + "/no such program"});
  for (int i = 0; i < 200; ++i) {
    test::array array = test::make_array(KITH_I32, 10);
    test::channel_pair line = test::make_channel();
    const test::shares given = {{"array", array}, {"line", line.b}};
    auto options = test::defaults<kith_process_options>();
    options.argv = program.argv();
    options.shares = given.data();
    options.share_count = given.size();
    kith_process* out = nullptr;
    REQUIRE_STATUS(kith_process_spawn(&options, &out), KITH_E_NOT_FOUND);
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "a thousand spawns leave the handle count where it was") {
  for (int i = 0; i < test::repetitions(1000); ++i) {
    test::process child = test::start(nothing);
    REQUIRE(test::end_of(child) == test::shown_exit{KITH_EXIT_CODE, 0});
  }
}
