// SPDX-License-Identifier: MIT
// What the standard streams of a child can be.
#include <fstream>
#include <iterator>

#include "child_streams.h"

using test::inherited;
using test::nothing_leaks;
using test::piped;
using test::stdio_of;

namespace {

int32_t says_out_and_err(const void*, size_t) {
  CHILD_NEEDS(test::say(KITH_STDOUT, "out 1\n"));
  CHILD_NEEDS(test::say(KITH_STDERR, "err 1\n"));
  CHILD_NEEDS(test::say(KITH_STDOUT, "out 2\n"));
  CHILD_NEEDS(test::say(KITH_STDERR, "err 2\n"));
  return 0;
}

int32_t finds_the_end_at_once(const void*, size_t) {
  char byte;
  CHILD_NEEDS(test::read_stdin(&byte, 1) == 0);
  CHILD_NEEDS(test::say(KITH_STDOUT, "nobody sees this"));
  CHILD_NEEDS(test::say(KITH_STDERR, "nor this"));
  return 0;
}

// Bytes with all that a text mode would change, more than a pipe holds.
std::string much() {
  std::string all;
  while (all.size() < 300'000) all += std::string("line\r\n\x1A\0", 8) + std::to_string(all.size());
  return all;
}

int32_t says_much(const void*, size_t) {
  const std::string bytes = much();
  CHILD_NEEDS(test::write_out(KITH_STDOUT, bytes.data(), bytes.size()));
  return 0;
}

int32_t reads_one_byte(const void*, size_t) {
  char byte;
  CHILD_NEEDS(test::read_stdin(&byte, 1) == 1);
  return 0;
}

int32_t says_until_nobody_reads(const void*, size_t) {
  while (test::say(KITH_STDOUT, "more")) {
  }
  return 5;
}

// A pipe between children.
struct joint {
  kith_os_handle* read_end = nullptr;
  kith_os_handle* write_end = nullptr;
  joint() { REQUIRE_OK(kith_pipe_create(&read_end, &write_end)); }
  ~joint() { close(); }
  joint(const joint&) = delete;
  joint& operator=(const joint&) = delete;
  void close() {
    kith_os_handle_close(std::exchange(read_end, nullptr));
    kith_os_handle_close(std::exchange(write_end, nullptr));
  }
  kith_stdio in() const { return stdio_of(KITH_STDIO_HANDLE, nullptr, kith_os_handle_number(read_end)); }
  kith_stdio out() const { return stdio_of(KITH_STDIO_HANDLE, nullptr, kith_os_handle_number(write_end)); }
};

std::string content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

kith_status refused(const kith_stdio& in, const kith_stdio& out, const kith_stdio& err) {
  kith_process_options options = test::run_entry(says_out_and_err, {});
  options.std_in = in;
  options.std_out = out;
  options.std_err = err;
  kith_process* process = test::untouched<kith_process>();
  const kith_status status = kith_process_spawn(&options, &process);
  CHECK(process == test::untouched<kith_process>());
  return status;
}

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks, "a child with pipes: what it writes is read, and then the end") {
  test::process child = test::start_with_streams(says_out_and_err, stdio_of(KITH_STDIO_NULL), piped, piped);
  test::stream out = test::taken(child, KITH_STDOUT);
  test::stream err = test::taken(child, KITH_STDERR);
  CHECK(test::all_of(out) == "out 1\nout 2\n");
  CHECK(test::all_of(err) == "err 1\nerr 2\n");
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "a child reads what is written to its stdin, up to the close of our end") {
  test::process child = test::start_with_streams(test::copies, piped, piped, inherited);
  test::stream in = test::taken(child, KITH_STDIN);
  test::stream out = test::taken(child, KITH_STDOUT);
  const std::string bytes(
      "a\0b\r\n\x1A\xFF"
      "c\n",
      9);
  size_t written = 77;
  CHECK_OK(kith_stream_write(in, bytes.data(), bytes.size(), &written, test::generous));
  CHECK(written == bytes.size());
  char first[3];
  size_t size = 0;
  REQUIRE_OK(kith_stream_read(out, first, sizeof first, &size, test::generous));
  in.close();
  CHECK(std::string(first, size) + test::all_of(out) == bytes);
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "a program has pipes as a function has") {
  const test::argument_list program = test::role({"copy"});
  auto options = test::defaults<kith_process_options>();
  options.argv = program.argv();
  options.std_in = piped;
  options.std_out = piped;
  test::process child;
  REQUIRE_OK(test::spawn(options, child));
  kith_exit end{};
  const kith_communicate_options talk = test::input_of("to a program");
  CHECK_OK(kith_process_communicate(child, &talk, test::generous, &end));
  CHECK(end.kind == KITH_EXIT_CODE);
  CHECK(end.code == 0);
  CHECK(test::output_of(child, KITH_STDOUT) == "to a program");
}

TEST_CASE_FIXTURE(nothing_leaks, "stderr where stdout goes: both in the order in which they were written") {
  test::process child =
      test::start_with_streams(says_out_and_err, inherited, piped, stdio_of(KITH_STDIO_STDOUT));
  CHECK(test::all_of(test::taken(child, KITH_STDOUT)) == "out 1\nerr 1\nout 2\nerr 2\n");
  kith_stream* stream = test::untouched<kith_stream>();
  CHECK_STATUS(kith_process_take_stream(child, KITH_STDERR, &stream), KITH_E_NOT_FOUND);
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "stderr where an inherited stdout goes") {
  const test::temporary_folder folder;
  const std::string path = folder.file("both", "");
  // A child in between, whose stdout is known.
  const auto merges = [](const void*, size_t) -> int32_t {
    test::process child =
        test::start_with_streams(says_out_and_err, inherited, inherited, stdio_of(KITH_STDIO_STDOUT));
    return static_cast<int32_t>(test::end_of(child).code);
  };
  test::process child =
      test::start_with_streams(merges, inherited, stdio_of(KITH_STDIO_FILE, path.c_str()), inherited);
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
  CHECK(content_of(path) == "out 1\nerr 1\nout 2\nerr 2\n");
}

TEST_CASE_FIXTURE(nothing_leaks, "nothing to read, and nowhere to write to") {
  const kith_stdio null = stdio_of(KITH_STDIO_NULL);
  test::process child = test::start_with_streams(finds_the_end_at_once, null, null, null);
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "files as standard streams: read, written anew, written behind what they have") {
  const test::temporary_folder folder;
  const std::string source = folder.file("s\xC3\xB6urce", "from a file");
  const std::string anew = folder.file("anew", "something much longer that must be gone afterwards");
  const std::string added = folder.file("added", "first ");
  test::process child = test::start_with_streams(test::copies, stdio_of(KITH_STDIO_FILE, source.c_str()),
                                                 stdio_of(KITH_STDIO_FILE, anew.c_str()), inherited);
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
  CHECK(content_of(anew) == "from a file");
  for (int i = 0; i < 2; ++i) {
    test::process other = test::start_with_streams(test::copies, stdio_of(KITH_STDIO_FILE, source.c_str()),
                                                   stdio_of(KITH_STDIO_APPEND, added.c_str()), inherited);
    CHECK_EXIT(other, KITH_EXIT_CODE, 0);
  }
  CHECK(content_of(added) == "first from a filefrom a file");
  const std::string made = folder.path() + "/made";
  test::process writer = test::start_with_streams(
      says_out_and_err, inherited, stdio_of(KITH_STDIO_APPEND, made.c_str()), stdio_of(KITH_STDIO_NULL));
  CHECK_EXIT(writer, KITH_EXIT_CODE, 0);
  CHECK(content_of(made) == "out 1\nout 2\n");
}

TEST_CASE_FIXTURE(nothing_leaks, "standard streams that cannot be are refused, and nothing is started") {
  const test::temporary_folder folder;
  const std::string file = folder.file("file", "text");
  const std::string missing = folder.path() + "/missing/below";
  const kith_stdio in_file = stdio_of(KITH_STDIO_FILE, file.c_str());
  CHECK_STATUS(refused(stdio_of(7), {}, {}), KITH_E_UNSUPPORTED);
  CHECK_STATUS(refused(stdio_of(KITH_STDIO_APPEND, file.c_str()), {}, {}), KITH_E_INVALID);
  CHECK_STATUS(refused(stdio_of(KITH_STDIO_STDOUT), {}, {}), KITH_E_INVALID);
  CHECK_STATUS(refused({}, stdio_of(KITH_STDIO_STDOUT), {}), KITH_E_INVALID);
  CHECK_STATUS(refused({}, stdio_of(KITH_STDIO_FILE), {}), KITH_E_INVALID);
  CHECK_STATUS(refused({}, stdio_of(KITH_STDIO_FILE, ""), {}), KITH_E_INVALID);
  CHECK_STATUS(refused({}, stdio_of(KITH_STDIO_PIPE, file.c_str()), {}), KITH_E_INVALID);
  CHECK_STATUS(refused({}, stdio_of(KITH_STDIO_PIPE, nullptr, 5), {}), KITH_E_INVALID);
  CHECK_STATUS(refused({}, {KITH_STDIO_PIPE, 1, nullptr, 0}, {}), KITH_E_INVALID);
  CHECK_STATUS(refused(stdio_of(KITH_STDIO_FILE, missing.c_str()), {}, {}), KITH_E_NOT_FOUND);
  CHECK_STATUS(refused({}, stdio_of(KITH_STDIO_FILE, missing.c_str()), {}), KITH_E_NOT_FOUND);
  CHECK_STATUS(refused({}, stdio_of(KITH_STDIO_FILE, folder.path().c_str()), {}), KITH_E_INVALID);
  CHECK_STATUS(refused(stdio_of(KITH_STDIO_FILE, folder.path().c_str()), {}, {}), KITH_E_INVALID);
  // What came before the one that is wrong is let go of.
  CHECK_STATUS(refused(piped, piped, stdio_of(KITH_STDIO_HANDLE, nullptr, 1'000'000)), KITH_E_MISMATCH);
  CHECK_STATUS(refused(in_file, piped, stdio_of(KITH_STDIO_HANDLE, nullptr, -1)), KITH_E_MISMATCH);
}

TEST_CASE_FIXTURE(nothing_leaks, "a spawn that fails leaves no pipe, and makes no stream") {
  const test::argument_list program({test::folder_of_program() + "/no such program"});
  auto options = test::defaults<kith_process_options>();
  options.argv = program.argv();
  options.std_in = options.std_out = options.std_err = piped;
  for (int i = 0; i < 50; ++i) {
    kith_process* process = test::untouched<kith_process>();
    CHECK_STATUS(kith_process_spawn(&options, &process), KITH_E_NOT_FOUND);
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "a stream is taken once, and is good after the close of its process") {
  test::process child =
      test::start_with_streams(says_out_and_err, stdio_of(KITH_STDIO_NULL), piped, stdio_of(KITH_STDIO_NULL));
  kith_stream* none = test::untouched<kith_stream>();
  CHECK_STATUS(kith_process_take_stream(child, KITH_STDERR, &none), KITH_E_NOT_FOUND);
  CHECK_STATUS(kith_process_take_stream(child, KITH_STDIN, &none), KITH_E_NOT_FOUND);
  CHECK_STATUS(kith_process_take_stream(child, 3, &none), KITH_E_INVALID);
  CHECK_STATUS(kith_process_take_stream(child, -1, &none), KITH_E_INVALID);
  CHECK_STATUS(kith_process_take_stream(child, KITH_STDOUT, nullptr), KITH_E_INVALID);
  CHECK_STATUS(kith_process_take_stream(nullptr, KITH_STDOUT, &none), KITH_E_INVALID);
  test::stream out = test::taken(child, KITH_STDOUT);
  CHECK_STATUS(kith_process_take_stream(child, KITH_STDOUT, &none), KITH_E_MOVED);
  CHECK(none == test::untouched<kith_stream>());
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
  child.close();
  CHECK(test::all_of(out) == "out 1\nout 2\n");
}

TEST_CASE_FIXTURE(nothing_leaks, "streams that nobody took end with the process handle") {
  test::process child = test::start_with_streams(test::copies, piped, piped, inherited);
  const int64_t id = kith_process_id(child);
  child.close();  // its stdin ends, and so does it
  CHECK(test::becomes_true([&] { return test::has_ended(id); }));
}

// One child must not hold the pipe of another open.
TEST_CASE_FIXTURE(nothing_leaks, "the end of one child's stdin does not depend on another child") {
  test::process first = test::start_with_streams(test::copies, piped, piped, inherited);
  test::process second = test::start_with_streams(test::copies, piped, piped, inherited);
  test::stream in = test::taken(first, KITH_STDIN);
  in.close();
  CHECK(test::all_of(test::taken(first, KITH_STDOUT)) == "");
  CHECK_EXIT(first, KITH_EXIT_CODE, 0);
  test::taken(second, KITH_STDIN).close();
  CHECK_EXIT(second, KITH_EXIT_CODE, 0);
}

// ---- pipes between children ----------------------------------------------------------------------------------------------------

TEST_CASE_FIXTURE(nothing_leaks,
                  "what one child writes another one reads, and a third one what that writes") {
  joint first, second;
  test::process a = test::start_with_streams(says_much, stdio_of(KITH_STDIO_NULL), first.out(), inherited);
  test::process b = test::start_with_streams(test::copies, first.in(), second.out(), inherited);
  test::process c = test::start_with_streams(test::copies, second.in(), piped, inherited);
  first.close();
  second.close();
  test::stream out = test::taken(c, KITH_STDOUT);
  CHECK(test::all_of(out) == much());
  for (test::process* each : {&a, &b, &c}) CHECK_EXIT(*each, KITH_EXIT_CODE, 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "a program reads what another one writes") {
  joint pipe;
  const test::argument_list program = test::role({"copy"});
  auto options = test::defaults<kith_process_options>();
  options.argv = program.argv();
  options.std_in = piped;
  options.std_out = pipe.out();
  test::process a, b;
  REQUIRE_OK(test::spawn(options, a));
  options.std_in = pipe.in();
  options.std_out = piped;
  REQUIRE_OK(test::spawn(options, b));
  pipe.close();
  const std::string bytes = much();
  test::in_threads(2, [&](int thread) {
    const kith_communicate_options talk =
        test::input_of(thread == 0 ? std::string_view(bytes) : std::string_view());
    kith_exit end{};
    CHECK_OK(kith_process_communicate(thread == 0 ? a : b, &talk, test::generous, &end));
    CHECK(end.code == 0);
  });
  CHECK(test::output_of(b, KITH_STDOUT) == bytes);
}

TEST_CASE_FIXTURE(nothing_leaks, "a child is told when the one that reads its pipe has ended") {
  joint pipe;
  test::process a = test::start_with_streams(says_until_nobody_reads, inherited, pipe.out(), inherited);
  test::process b = test::start_with_streams(reads_one_byte, pipe.in(), inherited, inherited);
  pipe.close();
  CHECK_EXIT(b, KITH_EXIT_CODE, 0);
  // POSIX ends it by SIGPIPE, as its signals have their default actions; Windows fails the write.
  const test::shown_exit end = test::end_of(a);
  CHECK(end.kind == (test::is_windows ? KITH_EXIT_CODE : KITH_EXIT_SIGNAL));
  CHECK(end.code == (test::is_windows ? 5 : 13));
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "a pipe between children has two ends, whose numbers are theirs while they are open") {
  joint pipe;
  const int64_t number = kith_os_handle_number(pipe.read_end);
  CHECK(number != -1);
  CHECK(number != kith_os_handle_number(pipe.write_end));
  CHECK(number == kith_os_handle_number(pipe.read_end));
  CHECK(kith_os_handle_number(nullptr) == -1);
  kith_os_handle* const closed = std::exchange(pipe.read_end, nullptr);
  kith_os_handle_close(closed);
  CHECK(kith_os_handle_number(closed) == -1);
  CHECK_STATUS(
      refused(stdio_of(KITH_STDIO_HANDLE, nullptr, kith_os_handle_number(closed)), inherited, inherited),
      KITH_E_MISMATCH);
}

TEST_CASE_FIXTURE(nothing_leaks, "a pipe between children needs a place for each end") {
  kith_os_handle* out = test::untouched<kith_os_handle>();
  CHECK_STATUS(kith_pipe_create(&out, nullptr), KITH_E_INVALID);
  CHECK_STATUS(kith_pipe_create(nullptr, &out), KITH_E_INVALID);
  CHECK_STATUS(kith_pipe_create(&out, &out), KITH_E_INVALID);
  CHECK(out == test::untouched<kith_os_handle>());
}
