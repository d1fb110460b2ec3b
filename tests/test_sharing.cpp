// SPDX-License-Identifier: MIT
// Giving objects to a child, and taking them there.
#include <cstring>

#include "support.h"

using test::nothing_leaks;

namespace {

int32_t nothing(const void*, size_t) { return 0; }

// Tries to spawn with these shares; nothing must come of it.
kith_status spawn_with(const test::shares& given) {
  const kith_process_options options = test::run_entry(nothing, given);
  kith_process* out = test::untouched<kith_process>();
  const kith_status status = kith_process_spawn(&options, &out);
  if (status != KITH_OK) {
    CHECK(out == test::untouched<kith_process>());
  } else {
    test::process child(out);
    CHECK_EXIT(child, KITH_EXIT_CODE, 0);
  }
  return status;
}

template <class T, class Inherit>
bool inherit_gives(Inherit inherit, const char* name, kith_status expected) {
  T* out = test::untouched<T>();
  const kith_status status = inherit(name, &out);
  return status == expected && out == test::untouched<T>();
}

int32_t takes_wrong_names(const void*, size_t) {
  const std::string too_long(256, 'x');
  for (const char* name : {"", "unknown", "arra", "array ", "ARRAY", too_long.c_str()}) {
    const kith_status expected = *name == '\0' || std::strlen(name) > 255 ? KITH_E_INVALID : KITH_E_NOT_FOUND;
    CHILD_NEEDS(inherit_gives<kith_array>(kith_array_inherit, name, expected));
    CHILD_NEEDS(inherit_gives<kith_memory>(kith_memory_inherit, name, expected));
    CHILD_NEEDS(inherit_gives<kith_value>(kith_value_inherit, name, expected));
    CHILD_NEEDS(inherit_gives<kith_lock>(kith_lock_inherit, name, expected));
    CHILD_NEEDS(inherit_gives<kith_channel>(kith_channel_inherit, name, expected));
  }
  CHILD_NEEDS(inherit_gives<kith_array>(kith_array_inherit, nullptr, KITH_E_INVALID));
  CHILD_NEEDS(kith_array_inherit("array", nullptr) == KITH_E_INVALID);
  test::array array;
  CHILD_NEEDS(kith_array_inherit("array", array.out()) == KITH_OK);  // it is still there
  return 0;
}

int32_t takes_twice(const void*, size_t) {
  test::array array;
  test::memory memory;
  test::value value;
  test::lock lock;
  test::channel channel;
  CHILD_NEEDS(kith_array_inherit("array", array.out()) == KITH_OK);
  CHILD_NEEDS(kith_memory_inherit("memory", memory.out()) == KITH_OK);
  CHILD_NEEDS(kith_value_inherit("value", value.out()) == KITH_OK);
  CHILD_NEEDS(kith_lock_inherit("lock", lock.out()) == KITH_OK);
  CHILD_NEEDS(kith_channel_inherit("channel", channel.out()) == KITH_OK);
  channel.close();
  CHILD_NEEDS(inherit_gives<kith_array>(kith_array_inherit, "array", KITH_E_MOVED));
  CHILD_NEEDS(inherit_gives<kith_memory>(kith_memory_inherit, "memory", KITH_E_MOVED));
  CHILD_NEEDS(inherit_gives<kith_value>(kith_value_inherit, "value", KITH_E_MOVED));
  CHILD_NEEDS(inherit_gives<kith_lock>(kith_lock_inherit, "lock", KITH_E_MOVED));
  CHILD_NEEDS(inherit_gives<kith_channel>(kith_channel_inherit, "channel", KITH_E_MOVED));
  return 0;
}

int32_t takes_the_wrong_kind(const void*, size_t) {
  for (const char* name : {"array", "memory", "value", "lock", "channel"}) {
    const auto wrong = [name](const char* kind) { return std::strcmp(name, kind) != 0; };
    CHILD_NEEDS(!wrong("array") || inherit_gives<kith_array>(kith_array_inherit, name, KITH_E_MISMATCH));
    CHILD_NEEDS(!wrong("memory") || inherit_gives<kith_memory>(kith_memory_inherit, name, KITH_E_MISMATCH));
    CHILD_NEEDS(!wrong("value") || inherit_gives<kith_value>(kith_value_inherit, name, KITH_E_MISMATCH));
    CHILD_NEEDS(!wrong("lock") || inherit_gives<kith_lock>(kith_lock_inherit, name, KITH_E_MISMATCH));
    CHILD_NEEDS(!wrong("channel") ||
                inherit_gives<kith_channel>(kith_channel_inherit, name, KITH_E_MISMATCH));
  }
  return takes_twice(nullptr, 0);  // by the right kind they can still be had
}

// An object of each kind that can be given.
struct one_of_each {
  test::array array = test::make_array(KITH_I32, 4);
  test::memory memory;
  test::value value = test::make_value(KITH_I64);
  test::lock lock = test::make_lock();
  test::channel_pair channel = test::make_channel();

  one_of_each() { REQUIRE_OK(kith_memory_create(100, nullptr, memory.out())); }

  test::shares shares() const {
    return {{"array", array}, {"memory", memory}, {"value", value}, {"lock", lock}, {"channel", channel.b}};
  }
};

int32_t sums_two_names(const void*, size_t) {
  test::array one;
  test::array other;
  CHILD_NEEDS(kith_array_inherit("one", one.out()) == KITH_OK);
  CHILD_NEEDS(kith_array_inherit("other", other.out()) == KITH_OK);
  CHILD_NEEDS(kith_array_add(one, 0, 1, nullptr) == KITH_OK);
  CHILD_NEEDS(kith_array_add(other, 0, 2, nullptr) == KITH_OK);
  return 0;
}

int32_t takes_a_strange_name(const void* name, size_t size) {
  test::value number;
  const std::string text(static_cast<const char*>(name), size);
  CHILD_NEEDS(kith_value_inherit(text.c_str(), number.out()) == KITH_OK);
  CHILD_NEEDS(kith_value_add(number, 1, nullptr) == KITH_OK);
  return 0;
}

constexpr size_t many = 100;

int32_t takes_many(const void*, size_t) {
  // The last first.
  for (size_t i = many; i-- > 0;) {
    test::value number;
    CHILD_NEEDS(kith_value_inherit(std::to_string(i).c_str(), number.out()) == KITH_OK);
    CHILD_NEEDS(kith_value_add(number, static_cast<int64_t>(i), nullptr) == KITH_OK);
  }
  return 0;
}

int32_t is_grandchild(const void*, size_t) {
  test::value number;
  test::lock lock;
  CHILD_NEEDS(inherit_gives<kith_value>(kith_value_inherit, "for the child alone", KITH_E_NOT_FOUND));
  CHILD_NEEDS(kith_value_inherit("number", number.out()) == KITH_OK);
  CHILD_NEEDS(kith_lock_inherit("lock", lock.out()) == KITH_OK);
  CHILD_NEEDS(kith_lock_acquire(lock, test::generous) == KITH_OK);
  CHILD_NEEDS(kith_value_add(number, 40, nullptr) == KITH_OK);
  return kith_lock_release(lock);
}

int32_t has_grandchild(const void*, size_t) {
  test::value number;
  test::lock lock;
  CHILD_NEEDS(kith_value_inherit("number of the child", number.out()) == KITH_OK);
  CHILD_NEEDS(kith_lock_inherit("lock of the child", lock.out()) == KITH_OK);
  CHILD_NEEDS(kith_value_add(number, 2, nullptr) == KITH_OK);
  test::process grandchild = test::start(is_grandchild, {{"number", number}, {"lock", lock}});
  return static_cast<int32_t>(test::end_of(grandchild).code);
}

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks, "a share name twice is refused") {
  test::array one = test::make_array(KITH_I32, 1);
  test::array other = test::make_array(KITH_I32, 1);
  CHECK_STATUS(spawn_with({{"same", one}, {"same", other}}), KITH_E_EXISTS);
  CHECK_STATUS(spawn_with({{"same", one}, {"between", other}, {"same", one}}), KITH_E_EXISTS);
  CHECK_OK(spawn_with({{"same", one}, {"Same", other}}));
}

TEST_CASE_FIXTURE(nothing_leaks, "a share name that is empty, missing or too long is refused") {
  test::array array = test::make_array(KITH_I32, 1);
  const std::string longest(255, 'x');
  const std::string too_long(256, 'x');
  CHECK_STATUS(spawn_with({{"", array}}), KITH_E_INVALID);
  CHECK_STATUS(spawn_with({{nullptr, array}}), KITH_E_INVALID);
  CHECK_STATUS(spawn_with({{too_long.c_str(), array}}), KITH_E_INVALID);
  CHECK_OK(spawn_with({{longest.c_str(), array}}));
}

TEST_CASE_FIXTURE(nothing_leaks, "a share that is nothing, or a count without shares, is refused") {
  CHECK_STATUS(spawn_with({{"nothing", nullptr}}), KITH_E_INVALID);
  kith_process_options options = test::run_entry(nothing, {});
  options.shares = nullptr;
  options.share_count = 1;
  kith_process* out = test::untouched<kith_process>();
  CHECK_STATUS(kith_process_spawn(&options, &out), KITH_E_INVALID);
  CHECK(out == test::untouched<kith_process>());
}

TEST_CASE_FIXTURE(nothing_leaks, "what cannot be shared is refused") {
  test::process child = test::start(nothing);
  CHECK_STATUS(spawn_with({{"process", child}}), KITH_E_MISMATCH);
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);

  test::array array = test::make_array(KITH_I32, 1);
  test::value value = test::make_value(KITH_I32);
  CHECK_STATUS(spawn_with({{"lock", kith_array_lock(array)}}), KITH_E_MISMATCH);
  CHECK_STATUS(spawn_with({{"lock", kith_value_lock(value)}}), KITH_E_MISMATCH);
}

TEST_CASE_FIXTURE(nothing_leaks, "an object that was closed is refused") {
  test::array array = test::make_array(KITH_I32, 1);
  const kith_array* closed = array;
  array.close();
  CHECK_STATUS(spawn_with({{"closed", closed}}), KITH_E_INVALID);
}

TEST_CASE_FIXTURE(nothing_leaks, "a channel end under two names is refused, and stays") {
  test::channel_pair line = test::make_channel();
  CHECK_STATUS(spawn_with({{"one", line.b}, {"other", line.b}}), KITH_E_EXISTS);
  CHECK(test::tell(line.b, "still here"));
  CHECK(test::hear(line.a, "still here"));
}

TEST_CASE_FIXTURE(nothing_leaks, "a share that is wrong keeps all others from being given") {
  one_of_each objects;
  test::shares given = objects.shares();
  given.push_back({"", objects.array});
  CHECK_STATUS(spawn_with(given), KITH_E_INVALID);
  CHECK(test::tell(objects.channel.b, "still here"));
  CHECK(test::hear(objects.channel.a, "still here"));
}

TEST_CASE_FIXTURE(nothing_leaks, "an object may be given under several names") {
  test::array array = test::make_array(KITH_I32, 1);
  test::process child = test::start(sums_two_names, {{"one", array}, {"other", array}});
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
  CHECK(*static_cast<int32_t*>(kith_array_data(array)) == 3);
}

TEST_CASE_FIXTURE(nothing_leaks, "an object may be given to several children") {
  test::array array = test::make_array(KITH_I32, 1);
  for (int i = 0; i < 3; ++i) {
    test::process child = test::start(sums_two_names, {{"one", array}, {"other", array}});
    CHECK_EXIT(child, KITH_EXIT_CODE, 0);
  }
  CHECK(*static_cast<int32_t*>(kith_array_data(array)) == 9);
}

TEST_CASE_FIXTURE(nothing_leaks, "any text is a name") {
  test::value number = test::make_value(KITH_I64);
  const std::string longest(255, 'y');
  const std::string names[] = {
      " ", "a b", "=", "/", "\\", "\n", "\"", "\xC3\xA4\xE2\x82\xAC\xF0\x9F\x90\x8D", longest};
  for (const std::string& name : names) {
    CAPTURE(name);
    test::process child =
        test::start(takes_a_strange_name, {{name.c_str(), number}}, name.data(), name.size());
    CHECK_EXIT(child, KITH_EXIT_CODE, 0);
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "a child finds only the names that it was given") {
  one_of_each objects;
  test::process child = test::start(takes_wrong_names, objects.shares());
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "a share is taken once") {
  one_of_each objects;
  test::process child = test::start(takes_twice, objects.shares());
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "a share is taken as what it is, or not at all") {
  one_of_each objects;
  test::process child = test::start(takes_the_wrong_kind, objects.shares());
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "a process that is no child was given nothing") {
  CHECK(inherit_gives<kith_array>(kith_array_inherit, "array", KITH_E_NOT_FOUND));
  CHECK(inherit_gives<kith_memory>(kith_memory_inherit, "memory", KITH_E_NOT_FOUND));
  CHECK(inherit_gives<kith_value>(kith_value_inherit, "value", KITH_E_NOT_FOUND));
  CHECK(inherit_gives<kith_lock>(kith_lock_inherit, "lock", KITH_E_NOT_FOUND));
  CHECK(inherit_gives<kith_channel>(kith_channel_inherit, "channel", KITH_E_NOT_FOUND));
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "a channel end that the child never took is closed in good order when it ends") {
  test::channel_pair line = test::make_channel();
  test::process child = test::start(nothing, {{"line", line.b}});
  CHECK(test::hear(line.a, "(KITH_E_CLOSED)"));
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "a hundred shares reach a child") {
  std::vector<test::value> numbers;
  std::vector<std::string> names;
  test::shares given;
  for (size_t i = 0; i < many; ++i) {
    numbers.push_back(test::make_value(KITH_I64));
    names.push_back(std::to_string(i));
  }
  for (size_t i = 0; i < many; ++i) given.push_back({names[i].c_str(), numbers[i].get()});
  test::process child = test::start(takes_many, given);
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
  for (size_t i = 0; i < many; ++i) {
    CHECK(*static_cast<int64_t*>(kith_value_data(numbers[i])) == static_cast<int64_t>(i));
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "a child gives on what it was given") {
  test::value number = test::make_value(KITH_I64);
  test::value other = test::make_value(KITH_I64);
  test::lock lock = test::make_lock();
  test::process child = test::start(
      has_grandchild,
      {{"number of the child", number}, {"lock of the child", lock}, {"for the child alone", other}});
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
  CHECK(*static_cast<int64_t*>(kith_value_data(number)) == 42);
}
