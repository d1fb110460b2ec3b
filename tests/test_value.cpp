// SPDX-License-Identifier: MIT
#include <cstring>

#include "support.h"

using test::nothing_leaks;

namespace {

// Large enough that no processor copies it in one piece.
struct record {
  uint64_t words[40];
};

record all_of(uint64_t word) {
  record made;
  for (uint64_t& each : made.words) each = word;
  return made;
}

bool is_whole(const record& seen) {
  for (const uint64_t word : seen.words) {
    if (word != seen.words[0]) return false;
  }
  return true;
}

test::value make_record() {
  auto options = test::defaults<kith_value_options>();
  options.element_size = sizeof(record);
  test::value made;
  REQUIRE_OK(kith_value_create(KITH_STRUCT, nullptr, &options, made.out()));
  return made;
}

constexpr int rounds = 20'000;

int32_t store_many(const void* argument, size_t) {
  const uint64_t step = *static_cast<const uint64_t*>(argument);
  test::value shared;
  CHILD_NEEDS(kith_value_inherit("record", shared.out()) == KITH_OK);
  record seen;
  for (uint64_t i = 0; i < rounds; ++i) {
    const record next = all_of(i * step);
    CHILD_NEEDS(kith_value_store(shared, &next, sizeof next) == KITH_OK);
    CHILD_NEEDS(kith_value_load(shared, &seen, sizeof seen) == KITH_OK);
    CHILD_NEEDS(is_whole(seen));
  }
  return 0;
}

int32_t add_to_value(const void*, size_t) {
  test::value sum;
  CHILD_NEEDS(kith_value_inherit("sum", sum.out()) == KITH_OK);
  CHILD_NEEDS(kith_value_type(sum) == KITH_I32);
  CHILD_NEEDS(kith_value_size(sum) == 4);
  for (int i = 0; i < 10'000; ++i) CHILD_NEEDS(kith_value_add(sum, 1, nullptr) == KITH_OK);
  return 0;
}

int32_t die_with_the_lock(const void*, size_t) {
  test::value shared;
  CHILD_NEEDS(kith_value_inherit("record", shared.out()) == KITH_OK);
  CHILD_NEEDS(kith_lock_acquire(kith_value_lock(shared), test::generous) == KITH_OK);
  static_cast<record*>(kith_value_data(shared))->words[0] = 1;  // and not the others
  test::end_at_once(3);
}

// Leaves the lock of the record with an owner that is dead.
test::value record_of_the_dead() {
  test::value shared = make_record();
  test::process child = test::start(die_with_the_lock, {{"record", shared}});
  CHECK_EXIT(child, KITH_EXIT_CODE, 3);
  return shared;
}

template <class T>
void check_number(kith_type type, T initial, T next) {
  CAPTURE(type);
  test::value number;
  REQUIRE_OK(kith_value_create(type, &initial, nullptr, number.out()));
  CHECK(kith_value_type(number) == type);
  CHECK(kith_value_size(number) == sizeof(T));
  CHECK(reinterpret_cast<uintptr_t>(kith_value_data(number)) % 64 == 0);
  T seen{};
  CHECK_OK(kith_value_load(number, &seen, sizeof seen));
  CHECK(seen == initial);
  CHECK_OK(kith_value_store(number, &next, sizeof next));
  CHECK(*static_cast<T*>(kith_value_data(number)) == next);
  CHECK_OK(kith_value_load(number, &seen, sizeof seen));
  CHECK(seen == next);
  CHECK_STATUS(kith_value_load(number, &seen, sizeof seen + 1), KITH_E_MISMATCH);
  CHECK_STATUS(kith_value_store(number, &initial, sizeof seen - 1), KITH_E_MISMATCH);
  CHECK(*static_cast<T*>(kith_value_data(number)) == next);
}

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks, "a number of each type is loaded and stored whole") {
  check_number<int8_t>(KITH_I8, -5, 100);
  check_number<uint8_t>(KITH_U8, 200, 3);
  check_number<int16_t>(KITH_I16, -30'000, 5);
  check_number<uint16_t>(KITH_U16, 60'000, 5);
  check_number<int32_t>(KITH_I32, INT32_MIN, 5);
  check_number<uint32_t>(KITH_U32, UINT32_MAX, 5);
  check_number<int64_t>(KITH_I64, INT64_MIN, 5);
  check_number<uint64_t>(KITH_U64, UINT64_MAX, 5);
  check_number<float>(KITH_F32, 1.5f, -2.5f);
  check_number<double>(KITH_F64, 1.5, -2.5);
}

TEST_CASE_FIXTURE(nothing_leaks, "a value without an initial one is zero") {
  test::value number = test::make_value(KITH_F64);
  double seen = 5;
  CHECK_OK(kith_value_load(number, &seen, sizeof seen));
  CHECK(seen == 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "a struct starts as a copy of the initial one") {
  auto options = test::defaults<kith_value_options>();
  options.element_size = sizeof(record);
  record initial = all_of(7);
  test::value shared;
  REQUIRE_OK(kith_value_create(KITH_STRUCT, &initial, &options, shared.out()));
  CHECK(kith_value_type(shared) == KITH_STRUCT);
  CHECK(kith_value_size(shared) == sizeof(record));
  initial = all_of(8);
  record seen;
  CHECK_OK(kith_value_load(shared, &seen, sizeof seen));
  CHECK(is_whole(seen));
  CHECK(seen.words[0] == 7);
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "a value of no type, of a wrong size, or without a place for it is refused") {
  auto options = test::defaults<kith_value_options>();
  kith_value* out = test::untouched<kith_value>();
  for (const kith_type nonsense : {0, 12, -1, INT32_MAX, INT32_MIN}) {
    CHECK_STATUS(kith_value_create(nonsense, nullptr, nullptr, &out), KITH_E_INVALID);
  }
  CHECK_STATUS(kith_value_create(KITH_I32, nullptr, nullptr, nullptr), KITH_E_INVALID);
  CHECK_STATUS(kith_value_create(KITH_STRUCT, nullptr, nullptr, &out), KITH_E_INVALID);
  CHECK_STATUS(kith_value_create(KITH_STRUCT, nullptr, &options, &out), KITH_E_INVALID);
  options.element_size = 5;
  CHECK_STATUS(kith_value_create(KITH_I32, nullptr, &options, &out), KITH_E_MISMATCH);
  options.element_size = UINT64_MAX;
  CHECK_STATUS(kith_value_create(KITH_STRUCT, nullptr, &options, &out), KITH_E_TOO_LARGE);
  CHECK(out == test::untouched<kith_value>());
}

TEST_CASE_FIXTURE(nothing_leaks, "a struct is never seen half stored") {
  test::value shared = make_record();
  const uint64_t steps[] = {1, 1'000'003};
  test::process one = test::start_with(store_many, {{"record", shared}}, steps[0]);
  test::process other = test::start_with(store_many, {{"record", shared}}, steps[1]);
  CHECK_EXIT(one, KITH_EXIT_CODE, 0);
  CHECK_EXIT(other, KITH_EXIT_CODE, 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "processes that add to a value lose nothing") {
  test::value sum = test::make_value(KITH_I32);
  test::process one = test::start(add_to_value, {{"sum", sum}});
  test::process other = test::start(add_to_value, {{"sum", sum}});
  for (int i = 0; i < 10'000; ++i) CHECK_OK(kith_value_add(sum, 1, nullptr));
  CHECK_EXIT(one, KITH_EXIT_CODE, 0);
  CHECK_EXIT(other, KITH_EXIT_CODE, 0);
  CHECK(*static_cast<int32_t*>(kith_value_data(sum)) == 30'000);
}

TEST_CASE_FIXTURE(nothing_leaks, "a value is added to, exchanged and compared like an element of an array") {
  test::value number = test::make_value(KITH_U32);
  int64_t old = -77;
  CHECK_OK(kith_value_add(number, -1, &old));
  CHECK(old == 0);
  CHECK_OK(kith_value_exchange(number, 5, &old));
  CHECK(old == UINT32_MAX);
  int64_t expected = 6;
  CHECK_STATUS(kith_value_compare_exchange(number, &expected, 7), KITH_NOT_EQUAL);
  CHECK(expected == 5);
  CHECK_OK(kith_value_compare_exchange(number, &expected, 7));
  CHECK_OK(kith_value_add(number, 0, &old));
  CHECK(old == 7);

  CHECK_STATUS(kith_value_exchange(number, -1, &old), KITH_E_INVALID);
  CHECK_STATUS(kith_value_compare_exchange(number, &expected, -1), KITH_E_INVALID);
  CHECK_STATUS(kith_value_compare_exchange(number, nullptr, 1), KITH_E_INVALID);
  CHECK(old == 7);
  CHECK(expected == 5);
}

TEST_CASE_FIXTURE(nothing_leaks, "what is no integer of four or eight bytes is not changed atomically") {
  int64_t number = -77;
  for (const kith_type type : {KITH_I8, KITH_U16, KITH_F32, KITH_F64}) {
    test::value wrong = test::make_value(type);
    CHECK_STATUS(kith_value_add(wrong, 1, &number), KITH_E_MISMATCH);
    CHECK_STATUS(kith_value_exchange(wrong, 1, &number), KITH_E_MISMATCH);
    CHECK_STATUS(kith_value_compare_exchange(wrong, &number, 1), KITH_E_MISMATCH);
  }
  test::value wrong = make_record();
  CHECK_STATUS(kith_value_add(wrong, 1, &number), KITH_E_MISMATCH);
  CHECK(number == -77);
}

TEST_CASE_FIXTURE(nothing_leaks, "the thread that holds the lock may load and store") {
  test::value shared = make_record();
  REQUIRE_OK(kith_lock_acquire(kith_value_lock(shared), 0));
  const record next = all_of(3);
  record seen;
  CHECK_OK(kith_value_store(shared, &next, sizeof next));
  CHECK_OK(kith_value_load(shared, &seen, sizeof seen));
  CHECK(seen.words[39] == 3);
  CHECK_STATUS(kith_lock_acquire(kith_value_lock(shared), 0), KITH_E_DEADLOCK);  // it still holds it
  CHECK_OK(kith_lock_release(kith_value_lock(shared)));
}

TEST_CASE_FIXTURE(nothing_leaks, "a struct is not loaded while another thread holds its lock") {
  test::value shared = make_record();
  REQUIRE_OK(kith_lock_acquire(kith_value_lock(shared), 0));
  std::thread reader;
  std::atomic<bool> began = false;
  record seen = all_of(1);
  reader = std::thread([&] {
    began = true;
    kith_value_load(shared, &seen, sizeof seen);
  });
  while (!began) std::this_thread::yield();
  auto* words = static_cast<record*>(kith_value_data(shared))->words;
  for (int i = 0; i < 40; ++i) {
    words[i] = 9;
    std::this_thread::yield();
  }
  CHECK_OK(kith_lock_release(kith_value_lock(shared)));
  reader.join();
  CHECK(is_whole(seen));
  CHECK(seen.words[0] == 9);
}

TEST_CASE_FIXTURE(nothing_leaks, "a load after an owner died tells it, and so does the next one") {
  test::value shared = record_of_the_dead();
  record seen;
  CHECK_STATUS(kith_value_load(shared, &seen, sizeof seen), KITH_OWNER_DIED);
  CHECK(seen.words[0] == 1);
  CHECK(seen.words[1] == 0);
  CHECK_STATUS(kith_value_load(shared, &seen, sizeof seen), KITH_OWNER_DIED);
  CHECK_STATUS(kith_lock_acquire(kith_value_lock(shared), 0), KITH_OWNER_DIED);
  CHECK_OK(kith_lock_release(kith_value_lock(shared)));
}

TEST_CASE_FIXTURE(nothing_leaks, "a store after an owner died makes the value whole again") {
  test::value shared = record_of_the_dead();
  const record next = all_of(4);
  record seen;
  CHECK_OK(kith_value_store(shared, &next, sizeof next));
  CHECK_OK(kith_value_load(shared, &seen, sizeof seen));
  CHECK(is_whole(seen));
  CHECK_OK(kith_lock_acquire(kith_value_lock(shared), 0));
  CHECK_OK(kith_lock_release(kith_value_lock(shared)));
}

TEST_CASE_FIXTURE(nothing_leaks, "of no value there is nothing to be had") {
  CHECK(kith_value_data(nullptr) == nullptr);
  CHECK(kith_value_type(nullptr) == 0);
  CHECK(kith_value_size(nullptr) == 0);
  CHECK(kith_value_lock(nullptr) == nullptr);
  int64_t number = 0;
  CHECK_STATUS(kith_value_load(nullptr, &number, 8), KITH_E_INVALID);
  CHECK_STATUS(kith_value_store(nullptr, &number, 8), KITH_E_INVALID);
  CHECK_STATUS(kith_value_add(nullptr, 1, &number), KITH_E_INVALID);
  CHECK_STATUS(kith_value_exchange(nullptr, 1, &number), KITH_E_INVALID);
  CHECK_STATUS(kith_value_compare_exchange(nullptr, &number, 1), KITH_E_INVALID);
  kith_value_close(nullptr);

  test::value there = test::make_value(KITH_I64);
  CHECK_STATUS(kith_value_load(there, nullptr, 8), KITH_E_INVALID);
  CHECK_STATUS(kith_value_store(there, nullptr, 8), KITH_E_INVALID);
}
