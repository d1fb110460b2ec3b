// SPDX-License-Identifier: MIT
// Functions as children: how they are found, what they get, what becomes of their results.
#include <uv.h>

#include <cstring>

#include "support.h"

using test::nothing_leaks;

namespace {

int32_t returns_argument(const void* argument, size_t size) {
  int32_t code = -1;
  if (size == sizeof code) std::memcpy(&code, argument, size);
  return code;
}

int32_t gets_no_argument(const void* argument, size_t size) {
  return argument == nullptr && size == 0 ? 0 : 1;
}

// Its argument is noise of this size.
int32_t gets_noise(const void* argument, size_t size) {
  CHILD_NEEDS(reinterpret_cast<uintptr_t>(argument) % alignof(std::max_align_t) == 0);
  const std::vector<unsigned char> expected = test::noise(size, size);
  CHILD_NEEDS(std::memcmp(argument, expected.data(), size) == 0);
  static_cast<unsigned char*>(const_cast<void*>(argument))[size - 1] = 0;  // our own copy
  return 0;
}

int32_t registered_here(const void*, size_t) { return 11; }
int32_t registered_too(const void*, size_t) { return 12; }

int32_t takes_over_again(const void*, size_t) {
  int32_t code = 77;
  CHILD_NEEDS(kith_child_main(&code) == 0);
  CHILD_NEEDS(code == 77);
  return 0;
}

int32_t starts_itself_until_zero(const void* argument, size_t size) {
  int32_t depth = 0;
  CHILD_NEEDS(size == sizeof depth);
  std::memcpy(&depth, argument, size);
  char text[16];
  size_t text_size = sizeof text;
  CHILD_NEEDS(uv_os_getenv("KITH_BOOT", text, &text_size) == UV_ENOENT);
  if (depth == 0) return 20;
  test::process child = test::start_with(starts_itself_until_zero, {}, depth - 1);
  return static_cast<int32_t>(test::end_of(child).code) + 1;
}

struct library {
  uv_lib_t handle{};

  library() { REQUIRE(uv_dlopen(test::plugin_path().c_str(), &handle) == 0); }
  ~library() { uv_dlclose(&handle); }

  kith_entry hidden_entry() {
    void* getter = nullptr;
    REQUIRE(uv_dlsym(&handle, "kith_test_plugin_entry", &getter) == 0);
    return reinterpret_cast<kith_entry (*)()>(reinterpret_cast<uintptr_t>(getter))();
  }
};

kith_status named_refused(const char* name) {
  auto options = test::defaults<kith_process_options>();
  options.entry_name = name;
  kith_process* out = test::untouched<kith_process>();
  const kith_status status = kith_process_spawn(&options, &out);
  CHECK(out == test::untouched<kith_process>());
  return status;
}

kith_status entry_refused(const void* address) {
  kith_process_options options =
      test::run_entry(reinterpret_cast<kith_entry>(reinterpret_cast<uintptr_t>(address)), {});
  kith_process* out = test::untouched<kith_process>();
  const kith_status status = kith_process_spawn(&options, &out);
  CHECK(out == test::untouched<kith_process>());
  return status;
}

test::process start_named(const char* name, const void* argument, size_t size) {
  auto options = test::defaults<kith_process_options>();
  options.entry_name = name;
  options.argument = argument;
  options.argument_size = size;
  test::process child;
  REQUIRE_OK(test::spawn(options, child));
  return child;
}

int data[64] = {1, 2, 3};

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks, "a process that is no child goes on with its own main") {
  int32_t code = 77;
  CHECK(kith_child_main(&code) == 0);
  CHECK(code == 77);
}

TEST_CASE_FIXTURE(nothing_leaks, "what a function returns is the exit code") {
  for (const int32_t code : {0, 1, 42, 255}) {
    test::process child = test::start_with(returns_argument, {}, code);
    CHECK_EXIT(child, KITH_EXIT_CODE, code);
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "a function without an argument gets none") {
  test::process child = test::start(gets_no_argument);
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
  test::process other = test::start(gets_no_argument, {}, "ignored", 0);
  CHECK_EXIT(other, KITH_EXIT_CODE, 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "an argument of any size is copied to the child, aligned for any type") {
  for (const size_t size : {size_t{1}, size_t{15}, size_t{4096}, size_t{1} << 20, (size_t{5} << 20) + 3}) {
    CAPTURE(size);
    const std::vector<unsigned char> argument = test::noise(size, size);
    test::process child = test::start(gets_noise, {}, argument.data(), argument.size());
    CHECK_EXIT(child, KITH_EXIT_CODE, 0);
  }
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "an argument that is not there, or larger than can be addressed, is refused") {
  kith_process_options options = test::run_entry(returns_argument, {});
  kith_process* out = test::untouched<kith_process>();
  options.argument_size = 4;
  CHECK_STATUS(kith_process_spawn(&options, &out), KITH_E_INVALID);
  options.argument = data;
  options.argument_size = SIZE_MAX;
  CHECK_STATUS(kith_process_spawn(&options, &out), KITH_E_TOO_LARGE);
  CHECK(out == test::untouched<kith_process>());
}

TEST_CASE_FIXTURE(nothing_leaks, "a function of a library that was loaded runs, though it is not exported") {
  library plugin;
  const int32_t numbers[] = {1, 2, 3, 4};
  test::process child = test::start(plugin.hidden_entry(), {}, numbers, sizeof numbers);
  CHECK_EXIT(child, KITH_EXIT_CODE, 10);
}

TEST_CASE_FIXTURE(nothing_leaks, "a function is written down, and found again") {
  library plugin;
  for (const kith_entry entry : {&returns_argument, plugin.hidden_entry()}) {
    size_t size = 0;
    CHECK_STATUS(kith_entry_pack(entry, nullptr, 0, &size), KITH_E_TOO_LARGE);
    std::vector<unsigned char> packed(size);
    REQUIRE_OK(kith_entry_pack(entry, packed.data(), packed.size(), &size));
    CHECK(size == packed.size());
    kith_entry found = nullptr;
    REQUIRE_OK(kith_entry_unpack(packed.data(), packed.size(), &found));
    CHECK((found == entry));
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "what is no function that was written down is refused") {
  unsigned char packed[512];
  size_t size = 0;
  REQUIRE_OK(kith_entry_pack(returns_argument, packed, sizeof packed, &size));
  kith_entry found = returns_argument;
  CHECK_STATUS(kith_entry_unpack(packed, size - 1, &found), KITH_E_MISMATCH);
  CHECK_STATUS(kith_entry_unpack(packed, 0, &found), KITH_E_MISMATCH);
  for (const size_t flipped : {size_t{0}, size_t{16}}) {  // the magic, the identity of the build
    packed[flipped] ^= 1;
    CHECK_STATUS(kith_entry_unpack(packed, size, &found), KITH_E_MISMATCH);
    packed[flipped] ^= 1;
  }
  packed[15] ^= 1;  // the offset: beyond the end of the program
  CHECK_STATUS(kith_entry_unpack(packed, size, &found), KITH_E_NO_FUNCTION);
  CHECK_STATUS(kith_entry_unpack(nullptr, size, &found), KITH_E_INVALID);
  CHECK_STATUS(kith_entry_pack(nullptr, packed, sizeof packed, &size), KITH_E_INVALID);
  int on_the_stack = 0;
  CHECK_STATUS(kith_entry_pack(reinterpret_cast<kith_entry>(&on_the_stack), packed, sizeof packed, &size),
               KITH_E_NO_FUNCTION);
  CHECK((found == returns_argument));
}

TEST_CASE_FIXTURE(nothing_leaks, "a function is found by its registered name") {
  const unsigned char code = 33;
  test::process child = start_named("tests/returns its argument", &code, 1);
  CHECK_EXIT(child, KITH_EXIT_CODE, 33);
}

TEST_CASE_FIXTURE(nothing_leaks, "a name that nobody registered is refused by the parent") {
  CHECK_STATUS(named_refused("nobody registered this"), KITH_E_NOT_FOUND);
}

TEST_CASE_FIXTURE(nothing_leaks, "a name that only the parent registered is told apart from an exit code") {
  REQUIRE_OK(kith_entry_register("only in the parent", registered_here));
  test::process child = start_named("only in the parent", nullptr, 0);
  CHECK_EXIT(child, KITH_EXIT_NO_ENTRY, KITH_E_NOT_FOUND);
}

TEST_CASE_FIXTURE(nothing_leaks, "a name is registered for one function") {
  CHECK_OK(kith_entry_register("once", registered_here));
  CHECK_OK(kith_entry_register("once", registered_here));
  CHECK_STATUS(kith_entry_register("once", registered_too), KITH_E_EXISTS);
  CHECK_OK(kith_entry_register("another", registered_here));
  CHECK_OK(kith_entry_register("Once", registered_too));
}

TEST_CASE_FIXTURE(nothing_leaks, "a name is copied") {
  std::string name = "a name that changes";
  CHECK_OK(kith_entry_register(name.c_str(), registered_here));
  name[0] = 'X';
  CHECK_STATUS(kith_entry_register("a name that changes", registered_too), KITH_E_EXISTS);
  CHECK_STATUS(named_refused("X name that changes"), KITH_E_NOT_FOUND);
}

TEST_CASE_FIXTURE(nothing_leaks, "many names are registered, by many threads") {
  std::atomic<int> failures = 0;
  test::in_threads(4, [&](int thread) {
    for (int i = 0; i < 100; ++i) {
      const std::string name = "many/" + std::to_string(i % 2 == 0 ? i : i * 10 + thread);
      failures += kith_entry_register(name.c_str(), registered_here) != KITH_OK;
    }
  });
  CHECK(failures == 0);
  CHECK_STATUS(kith_entry_register("many/98", registered_too), KITH_E_EXISTS);
  CHECK_STATUS(kith_entry_register("many/993", registered_too), KITH_E_EXISTS);
}

TEST_CASE_FIXTURE(nothing_leaks, "a name that is empty, missing or too long is refused") {
  const std::string longest(255, 'x');
  const std::string too_long(256, 'x');
  CHECK_OK(kith_entry_register(longest.c_str(), registered_here));
  CHECK_STATUS(kith_entry_register(too_long.c_str(), registered_here), KITH_E_INVALID);
  CHECK_STATUS(kith_entry_register("", registered_here), KITH_E_INVALID);
  CHECK_STATUS(kith_entry_register(nullptr, registered_here), KITH_E_INVALID);
  CHECK_STATUS(kith_entry_register("name", nullptr), KITH_E_INVALID);
  CHECK_STATUS(named_refused(""), KITH_E_INVALID);
  CHECK_STATUS(named_refused(too_long.c_str()), KITH_E_INVALID);
}

TEST_CASE_FIXTURE(nothing_leaks, "what is no function of a module is refused") {
  const std::vector<int> heap(64);
  int stack = 0;
  CHECK_STATUS(entry_refused(heap.data()), KITH_E_NO_FUNCTION);
  CHECK_STATUS(entry_refused(&stack), KITH_E_NO_FUNCTION);
  CHECK_STATUS(entry_refused(data), KITH_E_NO_FUNCTION);
  CHECK_STATUS(entry_refused("read-only data"), KITH_E_NO_FUNCTION);
  CHECK_STATUS(entry_refused(reinterpret_cast<void*>(uintptr_t{16})), KITH_E_NO_FUNCTION);
}

TEST_CASE_FIXTURE(nothing_leaks, "a child that takes over twice goes on the second time") {
  test::process child = test::start(takes_over_again);
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "a child starts children, which see nothing of how it was started") {
  test::process child = test::start_with(starts_itself_until_zero, {}, int32_t{3});
  CHECK_EXIT(child, KITH_EXIT_CODE, 23);
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "a program that forgot kith_child_main is refused in the child, and its parent is told") {
  const test::argument_list program({test::helper("kith_forgot_child_main")});
  auto options = test::defaults<kith_process_options>();
  options.argv = program.argv();
  test::process child;
  REQUIRE_OK(test::spawn(options, child));
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);  // it looks at itself, and says what it sees
}
