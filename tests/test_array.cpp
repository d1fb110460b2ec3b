// SPDX-License-Identifier: MIT
#include <cstring>
#include <limits>

#include "support.h"

using test::nothing_leaks;

namespace {

struct type_of_element {
  kith_type type;
  size_t size;
};

constexpr type_of_element types[] = {{KITH_I8, 1},  {KITH_U8, 1},  {KITH_I16, 2}, {KITH_U16, 2},
                                     {KITH_I32, 4}, {KITH_U32, 4}, {KITH_I64, 8}, {KITH_U64, 8},
                                     {KITH_F32, 4}, {KITH_F64, 8}};

struct point {
  double x;
  double y;
  char name[5];
};

constexpr int processes = 4;
constexpr int additions = 10'000;

int32_t square_all(const void*, size_t) {
  test::array numbers;
  CHILD_NEEDS(kith_array_inherit("numbers", numbers.out()) == KITH_OK);
  CHILD_NEEDS(kith_array_count(numbers) == 4);
  CHILD_NEEDS(kith_array_type(numbers) == KITH_F64);
  CHILD_NEEDS(kith_array_element_size(numbers) == 8);
  auto* elements = static_cast<double*>(kith_array_data(numbers));
  for (int i = 0; i < 4; ++i) elements[i] *= elements[i];
  return 0;
}

int32_t move_points(const void*, size_t) {
  test::array points;
  CHILD_NEEDS(kith_array_inherit("points", points.out()) == KITH_OK);
  CHILD_NEEDS(kith_array_element_size(points) == sizeof(point));
  auto* elements = static_cast<point*>(kith_array_data(points));
  for (size_t i = 0; i < kith_array_count(points); ++i) elements[i].x += 1;
  return 0;
}

int32_t count_up(const void*, size_t) {
  test::array counters;
  CHILD_NEEDS(kith_array_inherit("counters", counters.out()) == KITH_OK);
  for (int i = 0; i < additions; ++i) {
    CHILD_NEEDS(kith_array_add(counters, 0, 1, nullptr) == KITH_OK);
    CHILD_NEEDS(kith_array_add(counters, 1, -3, nullptr) == KITH_OK);
    int64_t seen = 0;
    while (kith_array_compare_exchange(counters, 2, &seen, seen + 2) == KITH_NOT_EQUAL) {
    }
  }
  return 0;
}

// The values of a type at which arithmetic wraps, as the calls take them.
struct integer_limits {
  kith_type type;
  int64_t lowest;
  int64_t highest;
};

constexpr integer_limits integers[] = {{KITH_I32, INT32_MIN, INT32_MAX},
                                       {KITH_U32, 0, UINT32_MAX},
                                       {KITH_I64, INT64_MIN, INT64_MAX},
                                       {KITH_U64, 0, -1}};

int64_t element(kith_array* array, size_t index) {
  int64_t seen = 0;
  REQUIRE_OK(kith_array_add(array, index, 0, &seen));
  return seen;
}

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks, "an array of each type is zeroed, aligned and knows what it is") {
  for (const type_of_element& expected : types) {
    for (const size_t count : {size_t{1}, size_t{7}, size_t{10'000}}) {
      CAPTURE(expected.type);
      CAPTURE(count);
      test::array array = test::make_array(expected.type, count);
      CHECK(kith_array_count(array) == count);
      CHECK(kith_array_type(array) == expected.type);
      CHECK(kith_array_element_size(array) == expected.size);
      CHECK(kith_array_lock(array) != nullptr);
      const auto* bytes = static_cast<const unsigned char*>(kith_array_data(array));
      REQUIRE(bytes != nullptr);
      CHECK(reinterpret_cast<uintptr_t>(bytes) % 64 == 0);
      const std::vector<unsigned char> zeroes(count * expected.size);
      CHECK(std::memcmp(bytes, zeroes.data(), zeroes.size()) == 0);
    }
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "the size of an element may be given, and must then be right") {
  auto options = test::defaults<kith_array_options>();
  test::array array;
  kith_array* out = test::untouched<kith_array>();
  for (const type_of_element& expected : types) {
    options.element_size = expected.size;
    CHECK_OK(kith_array_create(expected.type, 3, &options, array.out()));
    options.element_size = expected.size + 1;
    CHECK_STATUS(kith_array_create(expected.type, 3, &options, &out), KITH_E_MISMATCH);
  }
  CHECK(out == test::untouched<kith_array>());
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "an array without elements, of no type, or without a place for it is refused") {
  kith_array* out = test::untouched<kith_array>();
  CHECK_STATUS(kith_array_create(KITH_I32, 0, nullptr, &out), KITH_E_INVALID);
  for (const kith_type nonsense : {0, 12, -1, INT32_MAX, INT32_MIN}) {
    CHECK_STATUS(kith_array_create(nonsense, 4, nullptr, &out), KITH_E_INVALID);
  }
  CHECK_STATUS(kith_array_create(KITH_I32, 4, nullptr, nullptr), KITH_E_INVALID);
  CHECK(out == test::untouched<kith_array>());
}

TEST_CASE_FIXTURE(nothing_leaks, "structs need a size") {
  auto options = test::defaults<kith_array_options>();
  kith_array* out = test::untouched<kith_array>();
  CHECK_STATUS(kith_array_create(KITH_STRUCT, 4, nullptr, &out), KITH_E_INVALID);
  CHECK_STATUS(kith_array_create(KITH_STRUCT, 4, &options, &out), KITH_E_INVALID);
  CHECK(out == test::untouched<kith_array>());
}

TEST_CASE_FIXTURE(nothing_leaks, "an array that no address space could hold is refused") {
  auto options = test::defaults<kith_array_options>();
  kith_array* out = test::untouched<kith_array>();
  CHECK_STATUS(kith_array_create(KITH_I32, SIZE_MAX, nullptr, &out), KITH_E_TOO_LARGE);
  CHECK_STATUS(kith_array_create(KITH_I8, SIZE_MAX, nullptr, &out), KITH_E_TOO_LARGE);
  CHECK_STATUS(kith_array_create(KITH_I64, SIZE_MAX / 8 + 1, nullptr, &out), KITH_E_TOO_LARGE);
  options.element_size = UINT64_MAX;
  CHECK_STATUS(kith_array_create(KITH_STRUCT, 1, &options, &out), KITH_E_TOO_LARGE);
  CHECK_STATUS(kith_array_create(KITH_STRUCT, 2, &options, &out), KITH_E_TOO_LARGE);
  options.element_size = uint64_t{1} << 33;
  CHECK_STATUS(kith_array_create(KITH_STRUCT, size_t{1} << 31, &options, &out), KITH_E_TOO_LARGE);
  CHECK(out == test::untouched<kith_array>());
}

TEST_CASE_FIXTURE(nothing_leaks, "a child changes the numbers of its parent's array") {
  test::array numbers = test::make_array(KITH_F64, 4);
  auto* elements = static_cast<double*>(kith_array_data(numbers));
  for (int i = 0; i < 4; ++i) elements[i] = i + 1.5;
  test::process child = test::start(square_all, {{"numbers", numbers}});
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
  CHECK(elements[0] == 2.25);
  CHECK(elements[3] == 20.25);
}

TEST_CASE_FIXTURE(nothing_leaks, "structs are shared like numbers") {
  auto options = test::defaults<kith_array_options>();
  options.element_size = sizeof(point);
  test::array points;
  REQUIRE_OK(kith_array_create(KITH_STRUCT, 3, &options, points.out()));
  CHECK(kith_array_type(points) == KITH_STRUCT);
  auto* elements = static_cast<point*>(kith_array_data(points));
  elements[2] = {5, 6, "last"};
  test::process child = test::start(move_points, {{"points", points}});
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
  CHECK(elements[0].x == 1);
  CHECK(elements[2].x == 6);
  CHECK(elements[2].name == std::string("last"));
}

TEST_CASE_FIXTURE(nothing_leaks, "four processes that add atomically lose nothing") {
  test::array counters = test::make_array(KITH_I64, 3);
  std::vector<test::process> children;
  for (int i = 0; i < processes; ++i) children.push_back(test::start(count_up, {{"counters", counters}}));
  for (test::process& child : children) CHECK_EXIT(child, KITH_EXIT_CODE, 0);
  CHECK(element(counters, 0) == processes * additions);
  CHECK(element(counters, 1) == -3 * processes * additions);
  CHECK(element(counters, 2) == 2 * processes * additions);
}

TEST_CASE_FIXTURE(nothing_leaks, "adding gives the value from before, and wraps around") {
  for (const integer_limits& type : integers) {
    CAPTURE(type.type);
    test::array array = test::make_array(type.type, 2);
    int64_t old = -77;
    CHECK_OK(kith_array_add(array, 1, 5, &old));
    CHECK(old == 0);
    CHECK_OK(kith_array_add(array, 1, -2, &old));
    CHECK(old == 5);
    CHECK(element(array, 1) == 3);
    CHECK(element(array, 0) == 0);

    CHECK_OK(kith_array_exchange(array, 1, type.highest, nullptr));
    CHECK_OK(kith_array_add(array, 1, 1, &old));
    CHECK(old == type.highest);
    CHECK(element(array, 1) == type.lowest);
    CHECK_OK(kith_array_add(array, 1, -1, &old));
    CHECK(old == type.lowest);
    CHECK(element(array, 1) == type.highest);
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "exchange gives the value from before, and takes only what fits") {
  for (const integer_limits& type : integers) {
    CAPTURE(type.type);
    test::array array = test::make_array(type.type, 1);
    int64_t old = -77;
    CHECK_OK(kith_array_exchange(array, 0, type.highest, &old));
    CHECK(old == 0);
    CHECK_OK(kith_array_exchange(array, 0, type.lowest, &old));
    CHECK(old == type.highest);
    CHECK(element(array, 0) == type.lowest);
  }
  struct outside {
    kith_type type;
    int64_t value;
  };
  for (const outside& wrong :
       {outside{KITH_I32, int64_t{INT32_MAX} + 1}, outside{KITH_I32, int64_t{INT32_MIN} - 1},
        outside{KITH_U32, -1}, outside{KITH_U32, int64_t{UINT32_MAX} + 1}}) {
    CAPTURE(wrong.value);
    test::array array = test::make_array(wrong.type, 1);
    int64_t old = -77;
    CHECK_STATUS(kith_array_exchange(array, 0, wrong.value, &old), KITH_E_INVALID);
    CHECK(old == -77);
    int64_t expected = 0;
    CHECK_STATUS(kith_array_compare_exchange(array, 0, &expected, wrong.value), KITH_E_INVALID);
    CHECK(expected == 0);
    CHECK(element(array, 0) == 0);
  }
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "compare and exchange does nothing when it expected another value, and tells it") {
  for (const integer_limits& type : integers) {
    CAPTURE(type.type);
    test::array array = test::make_array(type.type, 1);
    int64_t expected = 0;
    CHECK_OK(kith_array_compare_exchange(array, 0, &expected, type.highest));
    CHECK(expected == 0);
    CHECK_STATUS(kith_array_compare_exchange(array, 0, &expected, 7), KITH_NOT_EQUAL);
    CHECK(expected == type.highest);
    CHECK_OK(kith_array_compare_exchange(array, 0, &expected, type.lowest));
    CHECK(element(array, 0) == type.lowest);
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "an expected value that the type cannot have is no equal one") {
  test::array array = test::make_array(KITH_U32, 1);
  CHECK_OK(kith_array_exchange(array, 0, UINT32_MAX, nullptr));
  int64_t expected = -1;  // the same 32 bits
  const kith_status status = kith_array_compare_exchange(array, 0, &expected, 1);
  CHECK((status == KITH_NOT_EQUAL || status == KITH_E_INVALID));
  CHECK(element(array, 0) == UINT32_MAX);
}

TEST_CASE_FIXTURE(nothing_leaks, "a neighbour of an element that is changed stays as it is") {
  test::array array = test::make_array(KITH_I32, 3);
  auto* elements = static_cast<int32_t*>(kith_array_data(array));
  elements[0] = elements[2] = 0x11111111;
  CHECK_OK(kith_array_exchange(array, 1, -1, nullptr));
  CHECK_OK(kith_array_add(array, 1, -1, nullptr));
  CHECK(elements[0] == 0x11111111);
  CHECK(elements[1] == -2);
  CHECK(elements[2] == 0x11111111);
}

TEST_CASE_FIXTURE(nothing_leaks, "an element that is not there is refused") {
  test::array array = test::make_array(KITH_I32, 3);
  int64_t number = -77;
  for (const size_t index : {size_t{3}, SIZE_MAX, SIZE_MAX / 4 + 1}) {
    CHECK_STATUS(kith_array_add(array, index, 1, &number), KITH_E_INVALID);
    CHECK_STATUS(kith_array_exchange(array, index, 1, &number), KITH_E_INVALID);
    CHECK_STATUS(kith_array_compare_exchange(array, index, &number, 1), KITH_E_INVALID);
  }
  CHECK_STATUS(kith_array_compare_exchange(array, 0, nullptr, 1), KITH_E_INVALID);
  CHECK(number == -77);
}

TEST_CASE_FIXTURE(nothing_leaks, "only integers of four and eight bytes are changed atomically") {
  for (const kith_type type : {KITH_I8, KITH_U8, KITH_I16, KITH_U16, KITH_F32, KITH_F64}) {
    CAPTURE(type);
    test::array array = test::make_array(type, 3);
    int64_t number = -77;
    CHECK_STATUS(kith_array_add(array, 0, 1, &number), KITH_E_MISMATCH);
    CHECK_STATUS(kith_array_exchange(array, 0, 1, &number), KITH_E_MISMATCH);
    CHECK_STATUS(kith_array_compare_exchange(array, 0, &number, 1), KITH_E_MISMATCH);
    CHECK(number == -77);
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "a large array may take its memory at once or little by little") {
  auto options = test::defaults<kith_array_options>();
  for (const uint32_t flags : {KITH_MEMORY_COMMIT, KITH_MEMORY_LAZY}) {
    options.flags = flags;
    test::array array;
    REQUIRE_OK(kith_array_create(KITH_U8, 17 << 20, &options, array.out()));
    static_cast<unsigned char*>(kith_array_data(array))[(17 << 20) - 1] = 1;
  }
  options.flags = KITH_MEMORY_COMMIT | KITH_MEMORY_LAZY;
  kith_array* out = test::untouched<kith_array>();
  CHECK_STATUS(kith_array_create(KITH_U8, 10, &options, &out), KITH_E_INVALID);
  options.flags = KITH_MEMORY_READ_ONLY_SHARE;
  CHECK_STATUS(kith_array_create(KITH_U8, 10, &options, &out), KITH_E_UNSUPPORTED);
  CHECK(out == test::untouched<kith_array>());
}

TEST_CASE_FIXTURE(nothing_leaks, "of no array there is nothing to be had") {
  CHECK(kith_array_data(nullptr) == nullptr);
  CHECK(kith_array_count(nullptr) == 0);
  CHECK(kith_array_type(nullptr) == 0);
  CHECK(kith_array_element_size(nullptr) == 0);
  CHECK(kith_array_lock(nullptr) == nullptr);
  int64_t number = 0;
  CHECK_STATUS(kith_array_add(nullptr, 0, 1, &number), KITH_E_INVALID);
  CHECK_STATUS(kith_array_exchange(nullptr, 0, 1, &number), KITH_E_INVALID);
  CHECK_STATUS(kith_array_compare_exchange(nullptr, 0, &number, 1), KITH_E_INVALID);
  kith_array_close(nullptr);
}
