// SPDX-License-Identifier: MIT
// Children end with their parent, whatever ended it and whichever thread started them; unless they are detached.
#include <atomic>
#include <cstring>

#include "support.h"

using test::nothing_leaks;

namespace {

struct order {
  uint32_t flags;
  bool by_thread;  // a thread of the parent that ends, not its first
  bool by_nobody;  // the parent ends by itself
  bool by_fork;
};

int32_t stays(const void*, size_t) {
  for (;;) std::this_thread::sleep_for(std::chrono::seconds(1));
}

kith_status start_staying(const order& wanted, test::process& out) {
  kith_process_options options = test::run_entry(stays, {});
  options.flags = wanted.flags;
  options.start = wanted.by_fork ? KITH_START_FORK : KITH_START_SPAWN;
  return kith_process_spawn(&options, out.out());
}

// Starts a child that stays, tells its id, and waits for what comes.
int32_t is_parent(const void* argument, size_t) {
  order wanted;
  std::memcpy(&wanted, argument, sizeof wanted);
  test::channel line;
  CHILD_NEEDS(kith_channel_inherit("line", line.out()) == KITH_OK);
  test::process child;
  kith_status status = KITH_E_OS;
  if (wanted.by_thread) {
    std::thread([&] { status = start_staying(wanted, child); }).join();
  } else {
    status = start_staying(wanted, child);
  }
  CHILD_NEEDS(status == KITH_OK);
  CHILD_NEEDS(test::tell(line, std::to_string(kith_process_id(child))));
  CHILD_NEEDS(test::hear(line, "go on"));
  if (wanted.by_nobody) test::end_at_once(0);
  // Long after its thread has ended.
  kith_exit end{};
  CHILD_NEEDS(kith_process_wait(child, 200, &end) == KITH_E_TIMEOUT);
  CHILD_NEEDS(kith_process_stop(child, 0, 0, test::generous, &end) == KITH_OK);
  return 7;
}

struct family {
  test::channel_pair line = test::make_channel();
  test::process parent;
  int64_t grandchild = 0;

  explicit family(const order& wanted) : parent(test::start_with(is_parent, {{"line", line.b}}, wanted)) {
    grandchild = std::atoll(test::heard(line.a).c_str());
    REQUIRE(grandchild > 0);
  }
};

bool ends_soon(int64_t pid) {
  return test::becomes_true([&] { return test::has_ended(pid); });
}

void lives_on_and_is_ended(int64_t pid) {
  // Whatever would end it has had a thousand times the time it takes.
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  CHECK(!test::has_ended(pid));
  test::kill_by_id(pid);
  CHECK(ends_soon(pid));
}

int32_t starts_children_for_ever(const void* argument, size_t) {
  order wanted;
  std::memcpy(&wanted, argument, sizeof wanted);
  test::channel line;
  CHILD_NEEDS(kith_channel_inherit("line", line.out()) == KITH_OK);
  test::in_threads(2, [&](int thread) {
    for (bool told = false;; told = true) {
      test::process child;
      if (start_staying(wanted, child) != KITH_OK) return;
      if (!told && thread == 0) test::tell(line, "started");
      kith_exit end{};
      (void)kith_process_stop(child, 0, 0, test::generous, &end);
    }
  });
  return 0;
}

int32_t counts_its_begin_and_end(const void*, size_t) {
  test::value begun;
  test::value ended;
  test::event end;
  CHILD_NEEDS(test::take(begun, "begun"));
  CHILD_NEEDS(test::take(ended, "ended"));
  CHILD_NEEDS(test::take(end, "end"));
  test::count_up(begun);
  CHILD_NEEDS(kith_event_wait(end, test::generous) == KITH_OK);
  test::count_up(ended);
  return 0;
}

constexpr int most_detached = 6;  // by each of two threads

int32_t starts_detached_children(const void*, size_t) {
  test::value begun;
  test::value ended;
  test::event end;
  CHILD_NEEDS(test::take(begun, "begun"));
  CHILD_NEEDS(test::take(ended, "ended"));
  CHILD_NEEDS(test::take(end, "end"));
  test::in_threads(2, [&](int) {
    const test::shares given{{"begun", begun}, {"ended", ended}, {"end", end}};
    kith_process_options options = test::run_entry(counts_its_begin_and_end, given);
    options.flags = KITH_PROCESS_DETACHED;
    for (int i = 0; i < most_detached; ++i) {
      test::process child;
      (void)test::spawn(options, child);
    }
  });
  return stays(nullptr, 0);
}

}  // namespace

TEST_CASE("a child ends when its parent is killed, whichever thread started it") {
  const test::heir_of_grandchildren heir;
  for (const bool by_thread : {false, true}) {
    CAPTURE(by_thread);
    family all({0, by_thread, false, false});
    CHECK_OK(kith_process_kill(all.parent));
    CHECK_EXIT(all.parent, KITH_EXIT_KILLED, 9);
    CHECK(ends_soon(all.grandchild));
    heir.await_all();
  }
}

TEST_CASE("a child ends when its parent ends by itself") {
  const test::heir_of_grandchildren heir;
  for (const bool by_thread : {false, true}) {
    family all({0, by_thread, true, false});
    CHECK(test::tell(all.line.a, "go on"));
    CHECK_EXIT(all.parent, KITH_EXIT_CODE, 0);
    CHECK(ends_soon(all.grandchild));
    heir.await_all();
  }
}

TEST_CASE("a forked child ends with its parent") {
  if (kith_has(KITH_HAS_FORK) == 0) SKIP_CASE("this OS does not fork");
  const test::heir_of_grandchildren heir;
  family all({0, false, false, true});
  CHECK_OK(kith_process_kill(all.parent));
  CHECK_EXIT(all.parent, KITH_EXIT_KILLED, 9);
  CHECK(ends_soon(all.grandchild));
  heir.await_all();
}

TEST_CASE("a child does not end with the thread that started it") {
  family all({0, true, false, false});
  CHECK(test::tell(all.line.a, "go on"));
  CHECK_EXIT(all.parent, KITH_EXIT_CODE, 7);
}

TEST_CASE_FIXTURE(nothing_leaks, "a thread that starts what is no program is told so, and leaves no child") {
  const test::temporary_folder folder;
  const test::argument_list program({folder.file("text.exe", "this is no program", true)});
  auto options = test::defaults<kith_process_options>();
  options.argv = program.argv();
  std::thread([&] {
    for (int i = 0; i < 20; ++i) {
      kith_process* out = test::untouched<kith_process>();
      CHECK_STATUS(kith_process_spawn(&options, &out), KITH_E_NOT_A_PROGRAM);
      CHECK(out == test::untouched<kith_process>());
    }
  }).join();
  CHECK(!test::has_children());
}

TEST_CASE("a detached child lives on when its parent is killed") {
  const test::heir_of_grandchildren heir;
  for (const bool by_thread : {false, true}) {
    family all({KITH_PROCESS_DETACHED, by_thread, false, false});
    CHECK_OK(kith_process_kill(all.parent));
    CHECK_EXIT(all.parent, KITH_EXIT_KILLED, 9);
    lives_on_and_is_ended(all.grandchild);
    heir.await_all();
  }
}

TEST_CASE("a parent that is killed while it starts children leaves none") {
  if (test::is_windows)
    SKIP_CASE("the test counts its heirs, which is for Linux; test_spawn_killed is the same for Windows");
  const test::heir_of_grandchildren heir;
  uint64_t state = 99;
  for (int round = test::repetitions(200); round > 0; --round) {
    test::channel_pair line = test::make_channel();
    test::process parent = test::start_with(starts_children_for_ever, {{"line", line.b}}, order{});
    REQUIRE(test::hear(line.a, "started"));
    std::this_thread::sleep_for(std::chrono::microseconds(test::next_random(state) % 3000));
    CHECK_OK(kith_process_kill(parent));
    CHECK_EXIT(parent, KITH_EXIT_KILLED, 9);
    const uint64_t began = test::now_ms();
    heir.await_all();
    CHECK(test::now_ms() - began < 1000);
  }
}

TEST_CASE("a parent that is killed while it starts detached children leaves all of them alive") {
  const test::heir_of_grandchildren heir;
  uint64_t state = 98;
  for (int round = test::repetitions(200); round > 0; --round) {
    const test::value begun = test::make_value(KITH_I64);
    const test::value ended = test::make_value(KITH_I64);
    const test::event end = test::make_event();
    test::process parent =
        test::start(starts_detached_children, {{"begun", begun}, {"ended", ended}, {"end", end}});
    REQUIRE(test::reaches(begun, test::may_die_while_it_spawns() ? 1 : 2 * most_detached));
    std::this_thread::sleep_for(
        std::chrono::microseconds(test::next_random(state) % (test::is_windows ? 300'000 : 6'000)));
    CHECK_OK(kith_process_kill(parent));
    CHECK_EXIT(parent, KITH_EXIT_KILLED, 9);
    CHECK_OK(kith_event_set(end));
    heir.await_all();
    CHECK(test::becomes_true([&] { return test::count_in(ended) == test::count_in(begun); }));
  }
}
