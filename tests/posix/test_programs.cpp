// SPDX-License-Identifier: MIT
// How a program is looked for and recognised on POSIX, and how a function of a library that is gone is not found.
#include <dlfcn.h>
#include <uv.h>

#include <filesystem>

#include "posix_support.h"

extern char** environ;  // no header of macOS has it

using test::nothing_leaks;

namespace {

constexpr const char* seven = "#!/bin/sh\nexit 7\n";
constexpr const char* eight = "#!/bin/sh\nexit 8\n";

kith_status refused(const std::string& name) {
  const test::argument_list program({name});
  auto options = test::defaults<kith_process_options>();
  options.argv = program.argv();
  kith_process* out = test::untouched<kith_process>();
  const kith_status status = kith_process_spawn(&options, &out);
  CHECK(out == test::untouched<kith_process>());
  return status;
}

int end_of(const std::string& name) {
  return test::end_of_program({name}, test::defaults<kith_process_options>());
}

// Sets PATH for the length of a case.
class path_is {
 public:
  explicit path_is(const std::string& path) : before_(getenv("PATH")) { setenv("PATH", path.c_str(), 1); }
  ~path_is() { setenv("PATH", before_.c_str(), 1); }

 private:
  std::string before_;
};

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks, "a program without a slash is looked for in PATH, in its order") {
  const test::temporary_folder one;
  const test::temporary_folder other;
  one.file("kith-first", seven, true);
  other.file("kith-first", eight, true);
  other.file("kith-second", eight, true);
  const path_is path(one.path() + ":/no such folder:" + other.path());
  CHECK(end_of("kith-first") == 7);
  CHECK(end_of("kith-second") == 8);
  CHECK_STATUS(refused("kith-third"), KITH_E_NOT_FOUND);
}

TEST_CASE_FIXTURE(nothing_leaks, "an empty entry in PATH is not the working directory") {
  const test::temporary_folder folder;
  folder.file("kith-program", seven, true);
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(folder.path());
  for (const char* path :
       {"", ":", "::", "/no such folder:", ":/no such folder", "/no such folder::/usr/bin"}) {
    CAPTURE(path);
    const path_is set(path);
    CHECK_STATUS(refused("kith-program"), KITH_E_NOT_FOUND);
  }
  const path_is set(".");
  CHECK(end_of("kith-program") == 7);
  std::filesystem::current_path(before);
}

TEST_CASE_FIXTURE(nothing_leaks, "what cannot be executed in PATH hides nothing behind it") {
  const test::temporary_folder one;
  const test::temporary_folder other;
  one.file("kith-program", seven, false);
  other.file("kith-program", eight, true);
  REQUIRE(mkdir((one.path() + "/kith-folder").c_str(), 0700) == 0);
  other.file("kith-folder", eight, true);
  const path_is path(one.path() + ":" + other.path());
  CHECK(end_of("kith-program") == 8);
  CHECK(end_of("kith-folder") == 8);
}

TEST_CASE_FIXTURE(nothing_leaks, "the PATH of this process counts, not the one that the child will have") {
  const test::temporary_folder folder;
  folder.file("kith-program", seven, true);
  const test::argument_list changes({"PATH=" + folder.path()});
  const test::argument_list program({"kith-program"});
  auto options = test::defaults<kith_process_options>();
  options.argv = program.argv();
  options.env = changes.argv();
  kith_process* out = test::untouched<kith_process>();
  CHECK_STATUS(kith_process_spawn(&options, &out), KITH_E_NOT_FOUND);
  CHECK(out == test::untouched<kith_process>());
}

TEST_CASE_FIXTURE(nothing_leaks, "a file that may not be executed is denied") {
  const test::temporary_folder folder;
  CHECK_STATUS(refused(folder.file("script", seven, false)), KITH_E_DENIED);
  const path_is path(folder.path());
  CHECK_STATUS(refused("script"), KITH_E_DENIED);
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "a text file without an interpreter is no program, whatever a shell would do with it") {
  const test::temporary_folder folder;
  CHECK_STATUS(refused(folder.file("text", "exit 7\n", true)), KITH_E_NOT_A_PROGRAM);
}

TEST_CASE_FIXTURE(nothing_leaks, "a script whose interpreter is missing is there, but is no program") {
  const test::temporary_folder folder;
  CHECK_STATUS(refused(folder.file("script", "#!/no such interpreter\n", true)), KITH_E_NOT_A_PROGRAM);
}

TEST_CASE_FIXTURE(nothing_leaks, "a symbolic link to a program is a program") {
  const test::temporary_folder folder;
  const std::string link = folder.path() + "/link";
  REQUIRE(symlink(folder.file("script", seven, true).c_str(), link.c_str()) == 0);
  CHECK(end_of(link) == 7);
}

TEST_CASE_FIXTURE(nothing_leaks, "arguments that are more than the OS takes are refused") {
  const std::string large(100'000, 'x');
  std::vector<std::string> arguments(100, large);
  arguments[0] = "/bin/true";
  const test::argument_list program(arguments);
  auto options = test::defaults<kith_process_options>();
  options.argv = program.argv();
  kith_process* out = test::untouched<kith_process>();
  CHECK_STATUS(kith_process_spawn(&options, &out), KITH_E_TOO_LARGE);
  CHECK(out == test::untouched<kith_process>());
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "a function of a library that is gone is not found by the child, which is told") {
  const test::temporary_folder folder;
  const std::string copy = folder.path() + "/plugin.so";
  test::copy_file(test::plugin_path(), copy);
  uv_lib_t library{};
  REQUIRE(uv_dlopen(copy.c_str(), &library) == 0);
  void* getter = nullptr;
  REQUIRE(uv_dlsym(&library, "kith_test_plugin_entry", &getter) == 0);
  const kith_entry entry = reinterpret_cast<kith_entry (*)()>(reinterpret_cast<uintptr_t>(getter))();

  const int32_t number = 9;
  test::process child = test::start_with(entry, {}, number);
  CHECK_EXIT(child, KITH_EXIT_CODE, 9);
  REQUIRE(unlink(copy.c_str()) == 0);
  test::process without = test::start_with(entry, {}, number);
  const test::shown_exit gone = test::end_of(without);
  CHECK(gone.kind == KITH_EXIT_NO_ENTRY);
  CHECK((gone.code == KITH_E_NOT_FOUND || gone.code == KITH_E_MISMATCH));

  // Another library in its place is not taken for it.
  test::copy_file(test::this_program(), copy);
  test::process other = test::start_with(entry, {}, number);
  CHECK(test::end_of(other).kind == KITH_EXIT_NO_ENTRY);
  uv_dlclose(&library);
}

TEST_CASE_FIXTURE(nothing_leaks, "a variable KITH_BOOT that is not ours is taken for nothing") {
  for (const char* rubbish : {"",
                              "1",
                              "1:",
                              "1:3:0",
                              "1:3:ffffffffffffffff",
                              "1:0:0",
                              "1:fffffffff:1",
                              "2:3:1",
                              "1:zz:zz",
                              "1:-1:-1",
                              "1:3:1:1",
                              "1::",
                              "1:3:",
                              "1::1",
                              "1:3:1:",
                              "1:3:1 ",
                              "1: 3:1",
                              "1:0x3:1",
                              "1:3:11111111111111111",
                              "1:00000000000000003:1",
                              "1:3:1:1:1"}) {
    CAPTURE(rubbish);
    setenv("KITH_BOOT", rubbish, 1);
    test::process program = test::start_role({"exit", "7"});
    CHECK_EXIT(program, KITH_EXIT_CODE, 7);
    test::value number = test::make_value(KITH_I32);
    test::process child = test::start([](const void*, size_t) -> int32_t { return 8; }, {{"number", number}});
    CHECK_EXIT(child, KITH_EXIT_CODE, 8);
    unsetenv("KITH_BOOT");
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "a process without any environment starts children all the same") {
  kith_process_options options = test::run_entry(
      [](const void*, size_t) -> int32_t {
        environ = nullptr;  // as clearenv does
        test::process program = test::start_role({"exit", "7"});
        CHILD_NEEDS((test::end_of(program) == test::shown_exit{KITH_EXIT_CODE, 7}));
        test::process function = test::start([](const void*, size_t) -> int32_t { return 8; });
        CHILD_NEEDS((test::end_of(function) == test::shown_exit{KITH_EXIT_CODE, 8}));
        return 0;
      },
      {});
  options.start = KITH_START_FORK;
  test::process child;
  REQUIRE_OK(kith_process_spawn(&options, child.out()));
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
}
