// SPDX-License-Identifier: MIT
// An exit code is all that Windows tells of an end: which of them are exceptions, and which are kith's own.
#include <windows.h>

#include "../support.h"

using test::nothing_leaks;

namespace {

int32_t ends_with(const void* argument, size_t) { test::end_at_once(*static_cast<const int*>(argument)); }

struct ending {
  uint32_t code;
  test::shown_exit expected;
};

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks, "the exit codes of unhandled exceptions are told from those of programs") {
  for (const ending& each : {
           ending{0xC000'0005, {KITH_EXIT_EXCEPTION, 0xC000'0005}},  // access violation
           ending{0xC000'001D, {KITH_EXIT_EXCEPTION, 0xC000'001D}},  // illegal instruction
           ending{0xC000'0409, {KITH_EXIT_EXCEPTION, 0xC000'0409}},  // abort, and buffer overruns
           ending{0xC000'013A, {KITH_EXIT_EXCEPTION, 0xC000'013A}},  // Ctrl-C
           ending{0xE06D'7363, {KITH_EXIT_EXCEPTION, 0xE06D'7363}},  // an exception of Visual C++
           ending{0x8000'0003, {KITH_EXIT_EXCEPTION, 0x8000'0003}},  // a breakpoint
           ending{0x8000'0001, {KITH_EXIT_CODE, INT32_MIN + 1}},
           ending{0xFFFF'FFFF, {KITH_EXIT_CODE, -1}},
           ending{0xFFFF'FF00, {KITH_EXIT_CODE, -256}},
           ending{0x7FFF'FFFF, {KITH_EXIT_CODE, INT32_MAX}},
           ending{256, {KITH_EXIT_CODE, 256}},
           ending{STILL_ACTIVE, {KITH_EXIT_CODE, 259}},
       }) {
    CAPTURE(each.code);
    test::process child = test::start_with(ends_with, {}, each.code);
    CHECK(test::end_of(child) == each.expected);
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "a process that kith has ended elsewhere says so, but it was not us") {
  for (const int64_t signal : {9, 15}) {
    test::process child = test::start_with(ends_with, {}, static_cast<int>(0x4B49'0000 + signal));
    CHECK_EXIT(child, KITH_EXIT_SIGNAL, signal);
  }
}
