// SPDX-License-Identifier: MIT
// Very many children: no zombie, no handle, no memory is left.
#include <cstdio>
#include <cstdlib>

#include "support.h"

using test::nothing_leaks;

namespace {

int32_t waits_for_the_event(const void*, size_t) {
  test::event go;
  CHILD_NEEDS(test::take(go, "go"));
  return kith_event_wait(go, test::generous) == KITH_OK ? 4 : 1;
}

// Of this process, in KiB; 0: this OS does not tell in /proc.
long resident_memory() {
  std::FILE* const file = std::fopen("/proc/self/statm", "r");
  long all = 0;
  long resident = 0;
  if (file == nullptr) return 0;
  const int read = std::fscanf(file, "%ld %ld", &all, &resident);
  std::fclose(file);
  return read == 2 ? resident * 4 : 0;
}

// All alive at once; every other one is let go of while it runs. What they wait for is made anew each time: an event keeps a handle
// open for each place where a waiter was woken (Windows), and how many sleep there already when it is set is chance.
void start_and_end(int count) {
  const test::event go = test::make_event();
  std::vector<test::process> children;
  for (int i = 0; i < count; ++i) {
    test::process child = test::start(waits_for_the_event, {{"go", go.get()}});
    if (i % 2 == 0) children.push_back(std::move(child));
  }
  REQUIRE_OK(kith_event_set(go));
  for (test::process& each : children) CHECK_EXIT(each, KITH_EXIT_CODE, 4);
}

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks, "very many children, many at once, leave nothing") {
  // The whole number takes half a minute.
  const bool all = std::getenv("KITH_TEST_BIG") != nullptr;
  const int at_once = all ? 500 : test::repetitions(60);
  const int rounds = all ? 20 : 4;
  if (!test::allow_handles(4 * at_once + 100)) SKIP_CASE("this process may not have so many descriptors");
  start_and_end(at_once);
  CHECK(test::becomes_true([] { return !test::has_children(); }));
  const size_t handles = test::open_handles();
  const long memory = resident_memory();
  for (int round = 1; round < rounds; ++round) start_and_end(at_once);
  CHECK(test::becomes_true([&] { return !test::has_children() && test::open_handles() <= handles; }));
  const long grown = resident_memory() - memory;
  MESSAGE((at_once * rounds), " children, ", at_once, " at once; memory grew by ", grown, " KiB");
  CHECK((test::sanitized || grown < 1024));
}
