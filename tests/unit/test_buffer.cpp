// SPDX-License-Identifier: MIT
#include "../support.h"
#include "buffer.h"

using namespace kith;

TEST_CASE("a buffer grows and keeps what it has") {
  buffer<int> numbers;
  CHECK(numbers.empty());
  for (int i = 0; i < 1000; ++i) REQUIRE(numbers.append(i));
  REQUIRE(numbers.size() == 1000);
  for (int i = 0; i < 1000; ++i) CHECK(numbers[static_cast<size_t>(i)] == i);
  numbers.clear();
  CHECK(numbers.empty());
}

TEST_CASE("a buffer may append a part of itself") {
  buffer<int> numbers;
  REQUIRE(numbers.append(7));
  for (int i = 0; i < 100; ++i) REQUIRE(numbers.append(numbers[0]));
  CHECK(numbers.back() == 7);
}

TEST_CASE("a buffer refuses what no memory could hold, and stays as it is") {
  buffer<uint64_t> numbers;
  const uint64_t number = 7;
  REQUIRE(numbers.append(number));
  const volatile size_t enormous =
      SIZE_MAX;  // volatile: or the compiler sees, and warns of, what must not happen
  CHECK_FALSE(numbers.reserve(enormous));
  CHECK_FALSE(numbers.resize(enormous / 8 + 1));
  CHECK_FALSE(numbers.append(&number, enormous));
  REQUIRE(numbers.size() == 1);
  CHECK(numbers[0] == 7);
}

TEST_CASE("text ends with NUL") {
  text name;
  REQUIRE(assign(name, "hello world", 5));
  CHECK(name.data() == std::string("hello"));
  CHECK(name.size() == 6);
  REQUIRE(assign(name, ""));
  CHECK(name.size() == 1);
}
