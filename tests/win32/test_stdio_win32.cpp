// SPDX-License-Identifier: MIT
// Standard streams of children: handles.
#include <windows.h>

#include "../child_streams.h"

namespace test {

void close_stdin() { CloseHandle(GetStdHandle(STD_INPUT_HANDLE)); }

}  // namespace test

using test::inherited;
using test::nothing_leaks;
using test::piped;

namespace {

const kith_stdio nothing = test::stdio_of(KITH_STDIO_NULL);

HANDLE standard(DWORD which) { return GetStdHandle(which); }

// How many handles this process has beyond those that a process without pipes has: the parent compares.
int32_t counts_handles(const void*, size_t) { return static_cast<int32_t>(test::open_handles()); }

// How many pipes it has.
int32_t counts_pipes(const void*, size_t) {
  constexpr uintptr_t longest_gap = 1024;
  int32_t found = 0;
  for (uintptr_t number = 1, last = 0; number - last < longest_gap; ++number) {
    const HANDLE handle = reinterpret_cast<HANDLE>(number * 4);
    DWORD flags = 0;
    if (!GetHandleInformation(handle, &flags)) continue;
    last = number;
    found += GetFileType(handle) == FILE_TYPE_PIPE ? 1 : 0;
  }
  return found;
}

int32_t has_usual_pipes(const void*, size_t) {
  for (const DWORD which : {STD_INPUT_HANDLE, STD_OUTPUT_HANDLE, STD_ERROR_HANDLE})
    CHILD_NEEDS(GetFileType(standard(which)) == FILE_TYPE_PIPE);
  // They wait: a read without OVERLAPPED on a handle that is not overlapped.
  char text[10] = {};
  DWORD got = 0;
  CHILD_NEEDS(ReadFile(standard(STD_INPUT_HANDLE), text, sizeof text, &got, nullptr) != 0);
  CHILD_NEEDS(got == 3);
  DWORD mode = PIPE_READMODE_BYTE | PIPE_WAIT;  // a program may set it
  CHILD_NEEDS(SetNamedPipeHandleState(standard(STD_INPUT_HANDLE), &mode, nullptr, nullptr) != 0);
  CHILD_NEEDS(WriteFile(standard(STD_OUTPUT_HANDLE), "out", 3, &got, nullptr) != 0);
  // To write nothing is not the end.
  CHILD_NEEDS(WriteFile(standard(STD_OUTPUT_HANDLE), "", 0, &got, nullptr) != 0);
  CHILD_NEEDS(WriteFile(standard(STD_OUTPUT_HANDLE), "more", 4, &got, nullptr) != 0);
  return 0;
}

int32_t same_handles_as_inherited(const void*, size_t) {
  CHILD_NEEDS(GetFileType(standard(STD_INPUT_HANDLE)) == FILE_TYPE_CHAR);
  DWORD put = 0;
  return WriteFile(standard(STD_OUTPUT_HANDLE), "mine", 4, &put, nullptr) != 0 && put == 4 ? 0 : 1;
}

int64_t end_of_start(kith_entry entry, const kith_stdio& in, const kith_stdio& out, const kith_stdio& err) {
  test::process child = test::start_with_streams(entry, in, out, err);
  const test::shown_exit end = test::end_of(child);
  CHECK(end.kind == KITH_EXIT_CODE);
  return end.code;
}

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks, "a child has three pipes and no other handle for them") {
  const kith_stdio merged = test::stdio_of(KITH_STDIO_STDOUT);
  const int64_t pipes = end_of_start(counts_pipes, nothing, nothing, nothing);
  CHECK(end_of_start(counts_pipes, piped, piped, piped) == pipes + 3);
  CHECK(end_of_start(counts_pipes, nothing, piped, nothing) == pipes + 1);
  const int64_t handles = end_of_start(counts_handles, nothing, nothing, nothing);
  CHECK(end_of_start(counts_handles, piped, piped, piped) == handles);
  CHECK(end_of_start(counts_handles, piped, piped, merged) == handles);
}

TEST_CASE_FIXTURE(nothing_leaks, "a child has pipes that wait, as programs expect") {
  test::process child = test::start_with_streams(has_usual_pipes, piped, piped, piped);
  kith_exit end{};
  const kith_communicate_options talk = test::input_of("abc");
  CHECK_OK(kith_process_communicate(child, &talk, test::generous, &end));
  CHECK(test::output_of(child, KITH_STDERR) == "");
  CHECK(test::output_of(child, KITH_STDOUT) == "outmore");
  CHECK(end.code == 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "a HANDLE of the program as a standard stream stays the program's") {
  HANDLE reader = nullptr;
  HANDLE writer = nullptr;
  REQUIRE(CreatePipe(&reader, &writer, nullptr, 0));
  test::process child = test::start_with_streams(
      same_handles_as_inherited, nothing,
      test::stdio_of(KITH_STDIO_HANDLE, nullptr, reinterpret_cast<intptr_t>(writer)), nothing);
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
  DWORD flags = HANDLE_FLAG_INHERIT;
  CHECK(GetHandleInformation(writer, &flags));
  CHECK(flags == 0);
  CloseHandle(writer);
  char text[10];
  DWORD got = 0;
  CHECK(ReadFile(reader, text, sizeof text, &got, nullptr));
  CHECK(got == 4);
  CHECK_FALSE(ReadFile(reader, text, sizeof text, &got, nullptr));
  CloseHandle(reader);
  const HANDLE event = CreateEventW(nullptr, TRUE, FALSE, nullptr);
  kith_process_options options = test::run_entry(counts_handles, {});
  options.std_out = test::stdio_of(KITH_STDIO_HANDLE, nullptr, reinterpret_cast<intptr_t>(event));
  kith_process* none = nullptr;
  CHECK_STATUS(kith_process_spawn(&options, &none), KITH_E_MISMATCH);
  CloseHandle(event);
}
