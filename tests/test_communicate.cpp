// SPDX-License-Identifier: MIT
// kith_process_communicate: all of a child's input and output, without anybody waiting for the other.
#include <atomic>
#include <chrono>
#include <cstring>

#include "child_streams.h"

using test::inherited;
using test::input_of;
using test::nothing_leaks;
using test::piped;

namespace {

const kith_stdio nothing = test::stdio_of(KITH_STDIO_NULL);

// Writes as many bytes to both before it looks at its stdin, which it then reads to its end; tells by its exit code.
int32_t writes_first(const void* argument, size_t) {
  const size_t size = *static_cast<const size_t*>(argument);
  const std::vector<unsigned char> out = test::noise(size, 1);
  const std::vector<unsigned char> err = test::noise(size, 2);
  constexpr size_t piece = 50'000;
  for (size_t at = 0; at < size; at += piece) {
    const size_t length = size - at < piece ? size - at : piece;
    CHILD_NEEDS(test::write_out(KITH_STDOUT, out.data() + at, length));
    CHILD_NEEDS(test::write_out(KITH_STDERR, err.data() + at, length));
  }
  std::vector<char> rest(65536);
  int64_t got;
  uint64_t sum = 0;
  while ((got = test::read_stdin(rest.data(), rest.size())) > 0) sum += static_cast<uint64_t>(got);
  CHILD_NEEDS(got == 0);
  return sum == size ? 7 : 8;
}

int32_t reads_nothing(const void*, size_t) { return test::say(KITH_STDOUT, "no, thanks") ? 3 : 4; }

int32_t stays(const void*, size_t) {
  test::channel line;
  CHILD_NEEDS(test::take(line, "line"));
  CHILD_NEEDS(test::say(KITH_STDOUT, "child"));
  CHILD_NEEDS(test::tell(line, "said"));
  CHILD_NEEDS(test::hear(line, "go"));
  (void)test::say(KITH_STDOUT, " and more");  // whether somebody reads it or not
  return 0;
}

// Leaves a process behind that has its streams.
int32_t leaves_a_writer(const void*, size_t) {
  test::channel line;
  CHILD_NEEDS(test::take(line, "line"));
  CHILD_NEEDS(test::say(KITH_STDOUT, "first "));
  const test::shares given = {{"line", line}};
  kith_process_options options = test::run_entry(stays, given);
  options.flags = KITH_PROCESS_DETACHED;
  test::process grandchild;
  CHILD_NEEDS(kith_process_spawn(&options, grandchild.out()) == KITH_OK);
  return 5;
}

int32_t writes_for_ever(const void*, size_t) {
  const std::vector<char> bytes(30'000, 'x');
  while (test::write_out(KITH_STDOUT, bytes.data(), bytes.size())) continue;
  return 1;
}

kith_status communicate(kith_process* process, const kith_communicate_options& options, test::shown_exit& out,
                        int64_t timeout_ms = test::generous) {
  kith_exit end{77, 0, 77};
  const kith_status status = kith_process_communicate(process, &options, timeout_ms, &end);
  CHECK((status == KITH_OK) == (end.kind != 77));
  out = {end.kind, end.code};
  return status;
}

size_t much() {
  const size_t all = size_t{100} << 20;
  return static_cast<size_t>(test::repetitions(100)) * (all / 100);
}

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks, "input and output at the same time, far more than the pipes hold") {
  const size_t size = much();
  const std::vector<unsigned char> input = test::noise(size, 3);
  test::process child = test::start_with_streams(test::copies, piped, piped, inherited);
  auto talk = test::defaults<kith_communicate_options>();
  talk.input = input.data();
  talk.input_size = input.size();
  test::shown_exit end{};
  REQUIRE_OK(communicate(child, talk, end));
  CHECK(end == test::shown_exit{KITH_EXIT_CODE, 0});
  const void* data = nullptr;
  size_t got = 0;
  REQUIRE_OK(kith_process_output(child, KITH_STDOUT, &data, &got));
  REQUIRE(got == size);
  CHECK(std::memcmp(data, input.data(), size) == 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "a child that writes much to both before it reads anything") {
  const size_t size = 1'000'000;
  const std::vector<unsigned char> input = test::noise(size, 3);
  test::process child = test::start_with_streams(writes_first, piped, piped, piped, {}, &size, sizeof size);
  auto talk = test::defaults<kith_communicate_options>();
  talk.input = input.data();
  talk.input_size = input.size();
  test::shown_exit end{};
  REQUIRE_OK(communicate(child, talk, end));
  CHECK(end == test::shown_exit{KITH_EXIT_CODE, 7});
  const std::string out = test::output_of(child, KITH_STDOUT);
  const std::string err = test::output_of(child, KITH_STDERR);
  CHECK(std::vector<unsigned char>(out.begin(), out.end()) == test::noise(size, 1));
  CHECK(std::vector<unsigned char>(err.begin(), err.end()) == test::noise(size, 2));
  // Once more: the same again.
  REQUIRE_OK(communicate(child, talk, end));
  CHECK(end == test::shown_exit{KITH_EXIT_CODE, 7});
  CHECK(test::output_of(child, KITH_STDOUT).size() == size);
}

TEST_CASE_FIXTURE(nothing_leaks, "a child that does not read its input is no failure") {
  const std::string input(3'000'000, 'x');
  test::process child = test::start_with_streams(reads_nothing, piped, piped, inherited);
  test::shown_exit end{};
  CHECK_OK(communicate(child, input_of(input), end));
  CHECK(end == test::shown_exit{KITH_EXIT_CODE, 3});
  CHECK(test::output_of(child, KITH_STDOUT) == "no, thanks");
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "without pipes it waits for the end, and without options it gives no input") {
  kith_exit end{};
  test::process plain = test::start_role({"exit", "9"});
  CHECK_OK(kith_process_communicate(plain, nullptr, test::generous, &end));
  CHECK(end.code == 9);
  const void* data = test::untouched<const void>();
  size_t size = 77;
  CHECK_STATUS(kith_process_output(plain, KITH_STDOUT, &data, &size), KITH_E_NOT_FOUND);
  test::process reader = test::start_with_streams(test::copies, piped, piped, inherited);
  CHECK_OK(kith_process_communicate(reader, nullptr, test::generous, &end));
  CHECK(end.code == 0);
  CHECK_OK(kith_process_output(reader, KITH_STDOUT, &data, &size));
  CHECK(data == nullptr);
  CHECK(size == 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "a deadline loses nothing: the call goes on where it was") {
  test::channel_pair line = test::make_channel();
  test::process child = test::start_with_streams(stays, piped, piped, inherited, {{"line", line.b}});
  CHECK(test::hear(line.a, "said"));
  const std::string input(5'000'000, 'x');  // nobody reads it
  test::shown_exit end{};
  CHECK_STATUS(communicate(child, input_of(input), end, 0), KITH_E_TIMEOUT);
  CHECK_STATUS(communicate(child, input_of(input), end, 20), KITH_E_TIMEOUT);
  CHECK(test::output_of(child, KITH_STDOUT) == "child");
  CHECK_STATUS(communicate(child, input_of("other input"), end, 0), KITH_E_INVALID);
  CHECK(test::tell(line.a, "go"));
  CHECK_OK(communicate(child, input_of(input), end));
  CHECK(end == test::shown_exit{KITH_EXIT_CODE, 0});
  CHECK(test::output_of(child, KITH_STDOUT) == "child and more");
}

TEST_CASE_FIXTURE(nothing_leaks, "a conversation in small steps, each with a deadline of its own") {
  const std::string input(4'000'000, 'y');
  test::process child = test::start_with_streams(test::copies, piped, piped, inherited);
  test::shown_exit end{};
  kith_status status;
  int steps = 0;
  while ((status = communicate(child, input_of(input), end, steps % 2)) == KITH_E_TIMEOUT) ++steps;
  CHECK_OK(status);
  CHECK(steps > 1);
  CHECK(test::output_of(child, KITH_STDOUT) == input);
}

TEST_CASE_FIXTURE(nothing_leaks, "a child that writes for ever is stopped by the deadline, or by a limit") {
  test::process child = test::start_with_streams(writes_for_ever, nothing, piped, inherited);
  auto talk = test::defaults<kith_communicate_options>();
  test::shown_exit end{};
  talk.most_output = 100'000;
  CHECK_STATUS(communicate(child, talk, end), KITH_E_TOO_LARGE);
  CHECK(test::output_of(child, KITH_STDOUT).size() == 100'000);
  CHECK_STATUS(communicate(child, talk, end), KITH_E_TOO_LARGE);
  talk.most_output = 250'000;
  CHECK_STATUS(communicate(child, talk, end), KITH_E_TOO_LARGE);
  CHECK(test::output_of(child, KITH_STDOUT) == std::string(250'000, 'x'));
  talk.most_output = 0;
  CHECK_STATUS(communicate(child, talk, end, 10), KITH_E_TIMEOUT);
  CHECK(test::output_of(child, KITH_STDOUT).size() > 250'000);
  CHECK_OK(kith_process_kill(child));
  CHECK_OK(communicate(child, talk, end));
  CHECK(end == test::shown_exit{KITH_EXIT_KILLED, 9});
}

TEST_CASE_FIXTURE(nothing_leaks, "exactly as much output as is allowed is not too much") {
  test::process child = test::start_with_streams(test::copies, piped, piped, inherited);
  auto talk = input_of("0123456789");
  talk.most_output = 10;
  test::shown_exit end{};
  CHECK_OK(communicate(child, talk, end));
  CHECK(test::output_of(child, KITH_STDOUT) == "0123456789");
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "a process that the child left behind is not waited for, unless it is asked for") {
  const test::heir_of_grandchildren heir;
  test::channel_pair line = test::make_channel();
  test::process child =
      test::start_with_streams(leaves_a_writer, nothing, piped, inherited, {{"line", line.b}});
  auto talk = test::defaults<kith_communicate_options>();
  test::shown_exit end{};
  CHECK(test::hear(line.a, "said"));
  CHECK_OK(communicate(child, talk, end));
  CHECK(end == test::shown_exit{KITH_EXIT_CODE, 5});
  CHECK(test::output_of(child, KITH_STDOUT) == "first child");
  talk.flags = KITH_COMMUNICATE_TO_THE_END;
  CHECK_STATUS(communicate(child, talk, end, 20), KITH_E_TIMEOUT);
  CHECK(test::tell(line.a, "go"));  // it did not lose its stdout
  CHECK_OK(communicate(child, talk, end));
  CHECK(end == test::shown_exit{KITH_EXIT_CODE, 5});
  CHECK(test::output_of(child, KITH_STDOUT) == "first child and more");
  heir.await_all();
}

TEST_CASE_FIXTURE(nothing_leaks, "streams that were taken are left to their owner") {
  test::process child = test::start_with_streams(test::copies, piped, piped, inherited);
  test::stream in = test::taken(child, KITH_STDIN);
  test::shown_exit end{};
  CHECK_STATUS(communicate(child, input_of("not written"), end, 0), KITH_E_TIMEOUT);
  CHECK_OK(kith_stream_write(in, "by hand", 7, nullptr, test::generous));
  in.close();
  CHECK_OK(communicate(child, input_of("not written"), end));
  CHECK(test::output_of(child, KITH_STDOUT) == "by hand");
}

TEST_CASE_FIXTURE(nothing_leaks, "one thread at a time is in a conversation; a cancel or a close ends it") {
  test::channel_pair line = test::make_channel();
  test::process staying = test::start_with_streams(stays, piped, piped, inherited, {{"line", line.b}});
  CHECK(test::hear(line.a, "said"));
  test::cancel cancel = test::make_cancel();
  std::atomic<kith_status> status = KITH_OK;
  const auto talk = test::defaults<kith_communicate_options>();
  std::thread other([&] {
    CHECK_OK(kith_cancel_use(cancel));
    test::shown_exit end{};
    status = communicate(staying, talk, end, KITH_FOREVER);
    CHECK_OK(kith_cancel_use(nullptr));
  });
  kith_stream* none = test::untouched<kith_stream>();
  const void* data = nullptr;
  size_t size = 0;
  CHECK(test::becomes_true(
      [&] { return kith_process_output(staying, KITH_STDOUT, &data, &size) == KITH_E_BUSY; }));
  test::shown_exit end{};
  CHECK_STATUS(communicate(staying, talk, end, 0), KITH_E_BUSY);
  CHECK_STATUS(kith_process_take_stream(staying, KITH_STDOUT, &none), KITH_E_BUSY);
  CHECK_OK(kith_cancel_fire(cancel));
  other.join();
  CHECK_STATUS(status, KITH_E_CANCELLED);
  CHECK(test::output_of(staying, KITH_STDOUT) == "child");

  kith_process* const handle = staying.get();
  const int64_t id = kith_process_id(handle);
  std::thread third([&] {
    test::shown_exit nothing_told{};
    status = communicate(handle, talk, nothing_told, KITH_FOREVER);
  });
  CHECK(test::becomes_true(
      [&] { return kith_process_output(handle, KITH_STDOUT, &data, &size) == KITH_E_BUSY; }));
  staying.close();
  third.join();
  CHECK_STATUS(status, KITH_E_CLOSED);
  CHECK(test::tell(line.a, "go"));
  CHECK(test::becomes_true([&] { return test::has_ended(id); }));  // and is reaped, as nobody has its handle
}

TEST_CASE_FIXTURE(nothing_leaks, "wrong arguments of a conversation") {
  test::process child = test::start_with_streams(test::copies, piped, piped, inherited);
  kith_exit end{};
  const void* data = nullptr;
  size_t size = 0;
  auto talk = test::defaults<kith_communicate_options>();
  talk.input_size = 1;
  CHECK_STATUS(kith_process_communicate(child, &talk, 0, &end), KITH_E_INVALID);
  talk = test::defaults<kith_communicate_options>();
  talk.flags = 2;
  CHECK_STATUS(kith_process_communicate(child, &talk, 0, &end), KITH_E_UNSUPPORTED);
  talk.flags = 0;
  CHECK_STATUS(kith_process_communicate(child, &talk, -2, &end), KITH_E_INVALID);
  CHECK_STATUS(kith_process_communicate(child, &talk, 0, nullptr), KITH_E_INVALID);
  CHECK_STATUS(kith_process_communicate(nullptr, &talk, 0, &end), KITH_E_INVALID);
  talk.struct_size = 4;
  CHECK_STATUS(kith_process_communicate(child, &talk, 0, &end), KITH_E_INVALID);
  CHECK_STATUS(kith_process_output(child, KITH_STDIN, &data, &size), KITH_E_INVALID);
  CHECK_STATUS(kith_process_output(child, 3, &data, &size), KITH_E_INVALID);
  CHECK_STATUS(kith_process_output(child, KITH_STDOUT, nullptr, &size), KITH_E_INVALID);
  CHECK_STATUS(kith_process_output(child, KITH_STDOUT, &data, nullptr), KITH_E_INVALID);
  CHECK_STATUS(kith_process_output(child, KITH_STDERR, &data, &size), KITH_E_NOT_FOUND);
  CHECK_STATUS(kith_process_output(nullptr, KITH_STDOUT, &data, &size), KITH_E_INVALID);
  CHECK_OK(kith_process_communicate(child, nullptr, test::generous, &end));
}

TEST_CASE_FIXTURE(nothing_leaks, "children killed at random moments of a conversation") {
  uint64_t random = 4711;
  const std::string input(2'000'000, 'z');
  for (int round = test::repetitions(40); round > 0; --round) {
    test::process child = test::start_with_streams(test::copies, piped, piped, inherited);
    test::shown_exit end{};
    const uint64_t wait_us = test::next_random(random) % 4000;
    std::thread killer([&] {
      std::this_thread::sleep_for(std::chrono::microseconds(wait_us));
      CHECK_OK(kith_process_kill(child));
    });
    CHECK_OK(communicate(child, input_of(input), end));
    const std::string out = test::output_of(child, KITH_STDOUT);
    killer.join();
    CHECK(out == input.substr(0, out.size()));
    if (end == test::shown_exit{KITH_EXIT_CODE, 0}) CHECK(out.size() == input.size());
  }
}
