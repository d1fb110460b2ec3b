// SPDX-License-Identifier: MIT
// What only Windows has: handles that are inherited by mistake, named objects, exit codes of 32 bits, cases of names.
#include <windows.h>

#include <filesystem>

#include "../support.h"

using test::nothing_leaks;

namespace {

// Its argument is the number of a handle that its parent has, and it must not.
int32_t has_not_the_handle(const void* argument, size_t) {
  const HANDLE handle = *static_cast<const HANDLE*>(argument);
  DWORD flags = 0;
  // If something else has that number here, it is not the event, which is set.
  const bool there = GetHandleInformation(handle, &flags) != 0;
  return there && WaitForSingleObject(handle, 0) == WAIT_OBJECT_0 ? 1 : 0;
}

int32_t returns_given_code(const void* argument, size_t) { return *static_cast<const int32_t*>(argument); }

HANDLE inheritable_event(const wchar_t* name = nullptr) {
  SECURITY_ATTRIBUTES inheritable{sizeof(SECURITY_ATTRIBUTES), nullptr, TRUE};
  const HANDLE event = CreateEventW(&inheritable, TRUE, TRUE, name);
  REQUIRE(event != nullptr);
  return event;
}

int32_t holds_until_told(const void*, size_t) {
  test::lock guard;
  test::channel line;
  CHILD_NEEDS(kith_lock_inherit("guard", guard.out()) == KITH_OK);
  CHILD_NEEDS(kith_channel_inherit("line", line.out()) == KITH_OK);
  CHILD_NEEDS(kith_lock_acquire(guard, test::generous) == KITH_OK);
  CHILD_NEEDS(test::tell(line, "held"));
  CHILD_NEEDS(test::hear(line, "release"));
  return kith_lock_release(guard);
}

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks, "an inheritable handle of the parent does not reach a child") {
  const HANDLE event = inheritable_event();
  test::value number = test::make_value(KITH_I32);
  test::process child = test::start_with(has_not_the_handle, {{"number", number}}, event);
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
  CloseHandle(event);
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "exit codes of 32 bits are told as they are, even the one that means 'still running'") {
  for (const int32_t code : {256, 259, 70'000, INT32_MAX}) {
    test::process child = test::start_with(returns_given_code, {}, code);
    CHECK_EXIT(child, KITH_EXIT_CODE, code);
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "a child that has exited with 'still running' has ended") {
  test::process child = test::start_with(returns_given_code, {}, int32_t{STILL_ACTIVE});
  kith_exit end{};
  CHECK_OK(kith_process_wait(child, KITH_FOREVER, &end));
  CHECK_OK(kith_process_wait(child, 0, &end));
  CHECK(end.code == STILL_ACTIVE);
}

TEST_CASE_FIXTURE(nothing_leaks, "a program is found without its extension, and with it") {
  std::string path = test::this_program();
  for (const bool with : {true, false}) {
    if (!with) path.resize(path.size() - 4);
    const test::argument_list program({path, "--child=exit", "6"});
    auto options = test::defaults<kith_process_options>();
    options.argv = program.argv();
    test::process child;
    REQUIRE_OK(test::spawn(options, child));
    CHECK_EXIT(child, KITH_EXIT_CODE, 6);
  }
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "a program without a path is looked for in the folders of PATH, and nowhere else") {
  const test::temporary_folder one;
  const test::temporary_folder other;
  test::copy_file(test::this_program(), other.path() + "/kith-found.exe");
  test::copy_file(test::this_program(), other.path() + "/kith-folder.exe");
  REQUIRE(std::filesystem::create_directory(one.path() + "/kith-folder.exe"));
  one.file("kith-text", "no program");
  wchar_t before[8192] = {};
  GetEnvironmentVariableW(L"PATH", before, 8192);
  const auto start = [](const std::string& name, const std::string& path) {
    SetEnvironmentVariableW(L"PATH", std::filesystem::path(path).c_str());
    const test::argument_list program({name, "--child=exit", "6"});
    auto options = test::defaults<kith_process_options>();
    options.argv = program.argv();
    test::process child;
    const kith_status status = kith_process_spawn(&options, child.out());
    if (status == KITH_OK) CHECK_EXIT(child, KITH_EXIT_CODE, 6);
    return status;
  };
  const std::string both = one.path() + ";;C:\\no such folder;" + other.path() + "\\";
  CHECK_OK(start("kith-found", both));
  CHECK_OK(start("kith-found.exe", both));
  CHECK_OK(start("KITH-FOUND", both));
  CHECK_OK(start("kith-folder", both));  // the folder of that name hides nothing behind it
  CHECK_STATUS(start("kith-text", both), KITH_E_NOT_FOUND);
  CHECK_STATUS(start("kith-found", one.path()), KITH_E_NOT_FOUND);
  const auto here = std::filesystem::current_path();
  std::filesystem::current_path(other.path());
  for (const char* path : {"", ";", ";;C:\\no such folder;"}) {
    CAPTURE(path);
    CHECK_STATUS(start("kith-found", path), KITH_E_NOT_FOUND);
    CHECK_STATUS(start("notepad", path), KITH_E_NOT_FOUND);  // CreateProcessW would find it
  }
  CHECK_OK(start("kith-found", "."));
  // Our PATH counts, not the one that the child will have.
  SetEnvironmentVariableW(L"PATH", std::filesystem::path(one.path()).c_str());
  const std::string theirs = "PATH=" + other.path();
  const char* const env[] = {theirs.c_str(), nullptr};
  const test::argument_list program({"kith-found", "--child=exit", "6"});
  auto options = test::defaults<kith_process_options>();
  options.argv = program.argv();
  options.env = env;
  kith_process* child = test::untouched<kith_process>();
  CHECK_STATUS(kith_process_spawn(&options, &child), KITH_E_NOT_FOUND);
  std::filesystem::current_path(here);
  SetEnvironmentVariableW(L"PATH", before);
}

TEST_CASE_FIXTURE(nothing_leaks, "a path may have slashes or backslashes") {
  for (const char from : {'/', '\\'}) {
    std::string path = test::this_program();
    for (char& each : path) {
      if (each == '/' || each == '\\') each = from;
    }
    const test::argument_list program({path, "--child=exit", "6"});
    auto options = test::defaults<kith_process_options>();
    options.argv = program.argv();
    test::process child;
    REQUIRE_OK(test::spawn(options, child));
    CHECK_EXIT(child, KITH_EXIT_CODE, 6);
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "a variable is replaced or removed whatever the case of its name") {
  SetEnvironmentVariableW(L"Kith_Test_Case", L"old");
  test::channel_pair line = test::make_channel();
  const test::shares given = {{"report", line.b}};
  const test::argument_list program = test::role({"environment", "KITH_TEST_CASE"});
  const test::argument_list replaced({"KITH_TEST_CASE=new"});
  auto options = test::defaults<kith_process_options>();
  options.argv = program.argv();
  options.shares = given.data();
  options.share_count = given.size();
  options.env = replaced.argv();
  test::process child;
  REQUIRE_OK(test::spawn(options, child));
  CHECK(test::hear(line.a, "new"));
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);

  test::channel_pair other = test::make_channel();
  const test::shares given_other = {{"report", other.b}};
  const test::argument_list removed({"kith_test_CASE"});
  options.shares = given_other.data();
  options.env = removed.argv();
  REQUIRE_OK(test::spawn(options, child));
  CHECK(test::hear(other.a, "(not set)"));
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
  SetEnvironmentVariableW(L"Kith_Test_Case", nullptr);
}

TEST_CASE_FIXTURE(nothing_leaks, "a command line longer than Windows takes is refused") {
  const test::argument_list program({test::this_program(), std::string(40'000, 'x')});
  auto options = test::defaults<kith_process_options>();
  options.argv = program.argv();
  kith_process* out = test::untouched<kith_process>();
  CHECK_STATUS(kith_process_spawn(&options, &out), KITH_E_TOO_LARGE);
  CHECK(out == test::untouched<kith_process>());
}

TEST_CASE_FIXTURE(nothing_leaks, "text that is not UTF-8 is refused") {
  const test::argument_list program({test::this_program(), "\xFF\xFE"});
  auto options = test::defaults<kith_process_options>();
  options.argv = program.argv();
  kith_process* out = test::untouched<kith_process>();
  CHECK_STATUS(kith_process_spawn(&options, &out), KITH_E_INVALID);
  CHECK(out == test::untouched<kith_process>());
}

TEST_CASE_FIXTURE(nothing_leaks, "fork is not supported") {
  kith_process_options options = test::run_entry(returns_given_code, {});
  options.start = KITH_START_FORK;
  kith_process* out = test::untouched<kith_process>();
  CHECK_STATUS(kith_process_spawn(&options, &out), KITH_E_UNSUPPORTED);
  CHECK(out == test::untouched<kith_process>());
}

TEST_CASE_FIXTURE(nothing_leaks, "the events that a waiter rings are gone with the lock") {
  // A waiter opens them, so the lock has to be contended once.
  for (int i = 0; i < 5; ++i) {
    test::lock guard = test::make_lock();
    test::channel_pair line = test::make_channel();
    test::process owner = test::start(holds_until_told, {{"guard", guard}, {"line", line.b}});
    CHECK(test::hear(line.a, "held"));
    CHECK_STATUS(kith_lock_acquire(guard, 50), KITH_E_TIMEOUT);
    CHECK(test::tell(line.a, "release"));
    CHECK_OK(kith_lock_acquire(guard, test::generous));
    CHECK_OK(kith_lock_release(guard));
    CHECK_EXIT(owner, KITH_EXIT_CODE, 0);
  }
}
