// SPDX-License-Identifier: MIT
// Programs as children: what reaches them, how they end, how they are waited for. Functions as children are in test_child.cpp.
#include <uv.h>

#include <algorithm>
#include <atomic>
#include <filesystem>

#include "support.h"

using test::nothing_leaks;

namespace {

// What a spawn says that must fail, and fail without a trace.
kith_status refused(const kith_process_options& options) {
  kith_process* out = test::untouched<kith_process>();
  const kith_status status = kith_process_spawn(&options, &out);
  CHECK(out == test::untouched<kith_process>());
  return status;
}

kith_status program_refused(const std::string& path) {
  const test::argument_list program({path});
  auto options = test::defaults<kith_process_options>();
  options.argv = program.argv();
  return refused(options);
}

// A child in a role that reports over a channel; `options` may be changed before it starts.
struct reporter {
  test::channel_pair line = test::make_channel();
  test::argument_list program;
  test::shares given = {{"report", line.b}};
  kith_process_options options = test::defaults<kith_process_options>();
  test::process child;

  explicit reporter(std::vector<std::string> arguments) : program(test::role(std::move(arguments))) {
    options.argv = program.argv();
    options.shares = given.data();
    options.share_count = given.size();
  }

  void start() { REQUIRE_OK(test::spawn(options, child)); }

  // All that it reports, to its end.
  std::vector<std::string> reports() {
    std::vector<std::string> all;
    std::vector<unsigned char> message;
    kith_status status;
    while ((status = test::receive(line.a, message)) == KITH_OK)
      all.emplace_back(message.begin(), message.end());
    // A program that returns from main is no function of ours: nobody closes its channel end.
    CHECK((status == KITH_E_CLOSED || status == KITH_E_PEER_DIED));
    CHECK_EXIT(child, KITH_EXIT_CODE, 0);
    return all;
  }
};

std::vector<std::string> report_of(std::vector<std::string> arguments) {
  reporter child(std::move(arguments));
  child.start();
  return child.reports();
}

// A child that stays until its line is closed.
struct staying_child {
  test::channel_pair line = test::make_channel();
  test::process process = test::start_role({"stay"}, {{"line", line.b}});

  staying_child() { REQUIRE(test::hear(line.a, "ready")); }

  void end() {
    line.a.close();
    CHECK_EXIT(process, KITH_EXIT_CODE, 0);
  }
};

int32_t nothing(const void*, size_t) { return 0; }

}  // namespace

// ---- what a program is given -------------------------------------------------------------------------------------------------

TEST_CASE_FIXTURE(nothing_leaks,
                  "a program gets the environment of its parent, with the changes that were asked for") {
  uv_os_setenv("KITH_TEST_KEPT", "kept");
  uv_os_setenv("KITH_TEST_REPLACED", "old");
  uv_os_setenv("KITH_TEST_REMOVED", "old");
  reporter child({"environment", "KITH_TEST_KEPT", "KITH_TEST_REPLACED", "KITH_TEST_REMOVED", "KITH_TEST_SET",
                  "KITH_TEST_EMPTY", "KITH_TEST_UTF8", "KITH_TEST_EQUALS"});
  const test::argument_list changes({"KITH_TEST_SET=set", "KITH_TEST_REPLACED=new", "KITH_TEST_REMOVED",
                                     "KITH_TEST_NEVER_THERE", "KITH_TEST_UTF8=\xC3\xA4\xE2\x82\xAC",
                                     "KITH_TEST_EQUALS=a=b=c"});
  child.options.env = changes.argv();
  child.start();
  CHECK((child.reports() == std::vector<std::string>{"kept", "new", "(not set)", "set", "(not set)",
                                                     "\xC3\xA4\xE2\x82\xAC", "a=b=c"}));
  char text[16];
  size_t size = sizeof text;
  CHECK(uv_os_getenv("KITH_TEST_REPLACED", text, &size) == 0);
  CHECK(text == std::string("old"));
  size = sizeof text;
  CHECK(uv_os_getenv("KITH_TEST_SET", text, &size) == UV_ENOENT);
}

TEST_CASE_FIXTURE(nothing_leaks, "a program may start from an empty environment") {
  uv_os_setenv("KITH_TEST_KEPT", "kept");
  reporter child({"environment_names"});
  const test::argument_list changes({"KITH_TEST_SET=set", "KITH_TEST_NEVER_THERE"});
  child.options.env = changes.argv();
  child.options.flags = KITH_PROCESS_CLEAN_ENV;
  child.start();
  std::vector<std::string> names = child.reports();
  CHECK(std::count(names.begin(), names.end(), "KITH_TEST_SET") == 1);
  CHECK(std::count(names.begin(), names.end(), "KITH_TEST_KEPT") == 0);
  CHECK(std::count(names.begin(), names.end(), "PATH") == 0);
  CHECK(std::count(names.begin(), names.end(), "KITH_BOOT") == 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "nothing of kith is left in the environment of parent or child") {
  for (const std::string& name : report_of({"environment_names"})) {
    CAPTURE(name);
    CHECK((name.rfind("KITH_", 0) != 0 || name.rfind("KITH_TEST_", 0) == 0));
  }
  char text[16];
  size_t size = sizeof text;
  CHECK(uv_os_getenv("KITH_BOOT", text, &size) == UV_ENOENT);
}

TEST_CASE_FIXTURE(nothing_leaks, "values of the environment reach a program as they are") {
  const std::vector<std::string> values = {"=",  "==a=", " ",      " a ",  "a\nb", "a\r\nb",
                                           "\t", "\"",   "%PATH%", "\x01", "a\\"};
  std::vector<std::string> role = {"environment"};
  std::vector<std::string> lines;
  for (size_t i = 0; i < values.size(); ++i) {
    role.push_back("KITH_TEST_" + std::to_string(i));
    lines.push_back(role.back() + "=" + values[i]);
  }
  reporter child(role);
  const test::argument_list changes(lines);
  child.options.env = changes.argv();
  child.start();
  CHECK((child.reports() == values));
}

TEST_CASE_FIXTURE(nothing_leaks, "the last of several changes of one variable counts") {
  reporter child({"environment_names"});
  const test::argument_list changes({"KITH_TEST_A=1", "KITH_TEST_A", "KITH_TEST_B", "KITH_TEST_B=2",
                                     "KITH_TEST_C=3", "KITH_TEST_C=", "KITH_TEST_C=4"});
  child.options.env = changes.argv();
  child.options.flags = KITH_PROCESS_CLEAN_ENV;
  child.start();
  std::vector<std::string> names = child.reports();
  CHECK(std::count(names.begin(), names.end(), "KITH_TEST_A") == 0);
  CHECK(std::count(names.begin(), names.end(), "KITH_TEST_B") == 1);
  CHECK(std::count(names.begin(), names.end(), "KITH_TEST_C") == 1);
}

TEST_CASE_FIXTURE(nothing_leaks, "a change of the environment without a name is refused") {
  for (const char* wrong : {"", "=", "=value"}) {
    const test::argument_list changes({"KITH_TEST_SET=set", wrong});
    kith_process_options options = test::run_entry(nothing, {});
    options.env = changes.argv();
    CHECK_STATUS(refused(options), KITH_E_INVALID);
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "a program runs in the folder that it is told") {
  const test::temporary_folder folder;
  reporter child({"cwd"});
  child.options.cwd = folder.path().c_str();
  child.start();
  const std::vector<std::string> reports = child.reports();
  REQUIRE(reports.size() == 1);
  CHECK(std::filesystem::equivalent(reports[0], folder.path()));
}

TEST_CASE_FIXTURE(nothing_leaks, "a program runs in the folder of its parent when it is told none") {
  const std::vector<std::string> reports = report_of({"cwd"});
  REQUIRE(reports.size() == 1);
  CHECK(std::filesystem::equivalent(reports[0], std::filesystem::current_path()));
}

TEST_CASE_FIXTURE(nothing_leaks, "a working folder that does not exist, or is a file, is refused") {
  const test::temporary_folder folder;
  const std::string file = folder.file("file", "text");
  const std::string missing = folder.path() + "/missing";
  kith_process_options options = test::run_entry(nothing, {});
  for (const std::string& wrong : {missing, file, file + "/below", std::string()}) {
    CAPTURE(wrong);
    options.cwd = wrong.c_str();
    CHECK_STATUS(refused(options), KITH_E_BAD_CWD);
  }
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "a relative program is looked for from here, not from the folder of the child") {
  const test::temporary_folder elsewhere;
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(test::folder_of_program());
  const std::string name = std::filesystem::path(test::this_program()).filename().string();
  const test::argument_list program({"./" + name, "--child=exit", "5"});
  auto options = test::defaults<kith_process_options>();
  options.argv = program.argv();
  options.cwd = elsewhere.path().c_str();
  test::process child;
  CHECK_OK(kith_process_spawn(&options, child.out()));
  std::filesystem::current_path(before);
  CHECK_EXIT(child, KITH_EXIT_CODE, 5);
}

TEST_CASE_FIXTURE(nothing_leaks, "a child knows its id as its parent does") {
  reporter child({"id"});
  child.start();
  const int64_t id = kith_process_id(child.child);
  CHECK(id > 0);
  CHECK((child.reports() == std::vector<std::string>{std::to_string(id)}));
  CHECK(kith_process_id(child.child) == id);
  CHECK(kith_process_id(nullptr) == -1);
}

// ---- what is refused -----------------------------------------------------------------------------------------------------------

TEST_CASE_FIXTURE(nothing_leaks, "a program that does not exist is an error of spawn, not an exit code") {
  CHECK_STATUS(program_refused(test::folder_of_program() + "/no such program"), KITH_E_NOT_FOUND);
  CHECK_STATUS(program_refused("no-such-program-of-kith"), KITH_E_NOT_FOUND);
  CHECK_STATUS(program_refused(test::this_program() + "/below a file"), KITH_E_NOT_FOUND);
}

TEST_CASE_FIXTURE(nothing_leaks, "a folder is no program") {
  CHECK_STATUS(program_refused(test::folder_of_program()), KITH_E_NOT_A_PROGRAM);
}

TEST_CASE_FIXTURE(nothing_leaks, "a file that the OS cannot run is no program") {
  const test::temporary_folder folder;
  CHECK_STATUS(program_refused(folder.file("text.exe", "this is no program", true)), KITH_E_NOT_A_PROGRAM);
  CHECK_STATUS(program_refused(folder.file("empty.exe", "", true)), KITH_E_NOT_A_PROGRAM);
}

TEST_CASE_FIXTURE(nothing_leaks, "a program without a name is refused") {
  const char* const empty_argv[] = {nullptr};
  auto options = test::defaults<kith_process_options>();
  options.argv = empty_argv;
  CHECK_STATUS(refused(options), KITH_E_INVALID);
  const kith_status status = program_refused("");
  CHECK((status == KITH_E_INVALID || status == KITH_E_NOT_FOUND));
}

TEST_CASE_FIXTURE(nothing_leaks, "exactly one thing is to be run") {
  const test::argument_list program = test::role({"exit", "0"});
  auto options = test::defaults<kith_process_options>();
  CHECK_STATUS(refused(options), KITH_E_INVALID);
  options.argv = program.argv();
  options.entry = nothing;
  CHECK_STATUS(refused(options), KITH_E_INVALID);
  options.entry_name = "tests/returns its argument";
  CHECK_STATUS(refused(options), KITH_E_INVALID);
  options.entry = nullptr;
  CHECK_STATUS(refused(options), KITH_E_INVALID);
  options.argv = nullptr;
  options.entry = nothing;
  CHECK_STATUS(refused(options), KITH_E_INVALID);
}

TEST_CASE_FIXTURE(nothing_leaks, "a message for a program is refused: programs have arguments") {
  const test::argument_list program = test::role({"exit", "0"});
  auto options = test::defaults<kith_process_options>();
  options.argv = program.argv();
  options.argument = "message";
  options.argument_size = 7;
  CHECK_STATUS(refused(options), KITH_E_INVALID);
}

TEST_CASE_FIXTURE(nothing_leaks, "a program cannot be started by fork, and nothing by an unknown method") {
  const test::argument_list program = test::role({"exit", "0"});
  auto options = test::defaults<kith_process_options>();
  options.argv = program.argv();
  options.start = KITH_START_FORK;
  CHECK_STATUS(refused(options), KITH_E_UNSUPPORTED);
  options.start = 2;
  const kith_status status = refused(options);
  CHECK((status == KITH_E_UNSUPPORTED || status == KITH_E_INVALID));
}

TEST_CASE_FIXTURE(nothing_leaks, "a spawn without a place for the process is refused") {
  const kith_process_options options = test::run_entry(nothing, {});
  CHECK_STATUS(kith_process_spawn(&options, nullptr), KITH_E_INVALID);
}

// ---- how a program ends ------------------------------------------------------------------------------------------------------

TEST_CASE_FIXTURE(nothing_leaks, "an exit code is told as it is") {
  for (const int code : {0, 1, 2, 127, 128, 255}) {
    test::process child = test::start_role({"exit", std::to_string(code)});
    CHECK_EXIT(child, KITH_EXIT_CODE, code);
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "a child that crashes is not reported as an exit code") {
  test::process child = test::start_role({"crash"});
  CHECK(test::end_of(child) == test::crashed);
}

TEST_CASE_FIXTURE(nothing_leaks, "a child that somebody else killed is not reported as killed by us") {
  staying_child child;
  test::kill_by_id(kith_process_id(child.process));  // Windows: with the exit code 9
  CHECK_EXIT(child.process, test::is_windows ? KITH_EXIT_CODE : KITH_EXIT_SIGNAL, 9);
}

TEST_CASE_FIXTURE(nothing_leaks, "a child that we kill is reported as killed") {
  staying_child child;
  CHECK_OK(kith_process_kill(child.process));
  CHECK_EXIT(child.process, KITH_EXIT_KILLED, 9);
}

TEST_CASE_FIXTURE(nothing_leaks, "a child that we ask to end is reported as killed, by another number") {
  staying_child child;
  CHECK_OK(kith_process_terminate(child.process));
  CHECK_EXIT(child.process, KITH_EXIT_KILLED, 15);
}

TEST_CASE_FIXTURE(nothing_leaks, "a child that has ended cannot be killed any more, which is no error") {
  staying_child child;
  child.end();
  CHECK_OK(kith_process_kill(child.process));
  CHECK_OK(kith_process_terminate(child.process));
  CHECK_EXIT(child.process, KITH_EXIT_CODE, 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "a kill that came too late does not change how the child ended") {
  test::channel_pair line = test::make_channel();
  test::process child = test::start_role({"id"}, {{"report", line.b}});
  CHECK(test::heard(line.a) == std::to_string(kith_process_id(child)));
  while (!test::is_ended_child(kith_process_id(child))) std::this_thread::yield();
  CHECK_OK(kith_process_kill(child));
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
}

// ---- how a program is waited for ---------------------------------------------------------------------------------------------

TEST_CASE_FIXTURE(nothing_leaks, "a wait polls, or waits until the deadline, and changes nothing") {
  staying_child child;
  kith_exit end{-77, 0, -77};
  CHECK_STATUS(kith_process_wait(child.process, 0, &end), KITH_E_TIMEOUT);
  for (const int64_t timeout : {1, 50}) {
    const uint64_t began = test::now_ms();
    CHECK_STATUS(kith_process_wait(child.process, timeout, &end), KITH_E_TIMEOUT);
    CHECK(test::now_ms() - began + 1 >= static_cast<uint64_t>(timeout));
  }
  CHECK(end.kind == -77);
  CHECK(end.code == -77);
  child.end();
}

TEST_CASE_FIXTURE(nothing_leaks, "a wait without end comes back at the end") {
  test::process child = test::start_role({"exit", "3"});
  kith_exit end{};
  CHECK_OK(kith_process_wait(child, KITH_FOREVER, &end));
  CHECK(end.kind == KITH_EXIT_CODE);
  CHECK(end.code == 3);
}

TEST_CASE_FIXTURE(nothing_leaks, "asking again gives the same answer") {
  test::process child = test::start_role({"exit", "3"});
  for (int i = 0; i < 3; ++i) CHECK_EXIT(child, KITH_EXIT_CODE, 3);
  kith_exit end{};
  CHECK_OK(kith_process_wait(child, 0, &end));
  CHECK(end.code == 3);
}

namespace {

// Sixteen threads wait for one child, half of them without end, while `act` ends it.
void all_are_told(kith_process* process, const test::shown_exit& expected, const std::function<void()>& act) {
  constexpr int threads = 16;
  std::atomic<int> right = 0;
  std::atomic<int> began = 0;
  std::thread waiters([&] {
    test::in_threads(threads, [&](int i) {
      kith_exit end{-77, 0, -77};
      ++began;
      const int64_t timeout = i % 2 == 0 ? int64_t{KITH_FOREVER} : test::generous;
      const bool told = kith_process_wait(process, timeout, &end) == KITH_OK;
      right += told && test::shown_exit{end.kind, end.code} == expected;
    });
  });
  while (began < threads) std::this_thread::yield();
  act();
  waiters.join();
  CHECK(right == threads);
}

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks, "sixteen threads that wait for one child all are told of its end alike") {
  for (int round = test::repetitions(60); round > 0; --round) {
    staying_child killed;
    all_are_told(killed.process, {KITH_EXIT_KILLED, 9}, [&] { CHECK_OK(kith_process_kill(killed.process)); });
    staying_child asked;
    all_are_told(asked.process, {KITH_EXIT_KILLED, 15},
                 [&] { CHECK_OK(kith_process_terminate(asked.process)); });
    staying_child ends;
    all_are_told(ends.process, {KITH_EXIT_CODE, 0}, [&] { ends.line.a.close(); });
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "a wait without what it needs is refused") {
  staying_child child;
  kith_exit end{-77, 0, -77};
  CHECK_STATUS(kith_process_wait(nullptr, 0, &end), KITH_E_INVALID);
  CHECK_STATUS(kith_process_wait(child.process, 0, nullptr), KITH_E_INVALID);
  CHECK_STATUS(kith_process_wait(child.process, -2, &end), KITH_E_INVALID);
  CHECK_STATUS(kith_process_terminate(nullptr), KITH_E_INVALID);
  CHECK_STATUS(kith_process_kill(nullptr), KITH_E_INVALID);
  kith_process_close(nullptr);
  CHECK(end.kind == -77);
  child.end();
}

TEST_CASE_FIXTURE(nothing_leaks, "a child whose handle is closed runs on") {
  staying_child child;
  const int64_t id = kith_process_id(child.process);
  child.process.close();
  size_t size = 0;
  CHECK_STATUS(kith_channel_recv(child.line.a, nullptr, 0, &size, 50), KITH_E_TIMEOUT);
  child.line.a.close();
  while (!test::has_ended(id)) std::this_thread::yield();
}

TEST_CASE_FIXTURE(nothing_leaks, "twenty children run at once, and threads may start them at once") {
  std::atomic<int> right = 0;
  test::in_threads(4, [&](int thread) {
    std::vector<test::process> children;
    for (int i = 0; i < 5; ++i)
      children.push_back(test::start_role({"exit", std::to_string(thread * 5 + i)}));
    for (int i = 0; i < 5; ++i) {
      right +=
          test::end_of(children[static_cast<size_t>(i)]) == test::shown_exit{KITH_EXIT_CODE, thread * 5 + i};
    }
  });
  CHECK(right == 20);
}
