// SPDX-License-Identifier: MIT
#include <cstring>
#include <iterator>
#include <set>

#include "support.h"

namespace {

constexpr kith_status first_status = KITH_E_WORKER_DIED;
constexpr kith_status last_status = KITH_MISSED;
constexpr kith_status further_statuses[] = {KITH_E_NO_HOST, KITH_E_WRONG_KEY};

}  // namespace

TEST_CASE("every status has a name of its own and a text of its own") {
  std::set<std::string> names;
  std::set<std::string> texts;
  for (kith_status status = first_status; status <= last_status; ++status) {
    names.insert(kith_status_name(status));
    texts.insert(kith_status_text(status));
  }
  for (const kith_status status : further_statuses) {
    names.insert(kith_status_name(status));
    texts.insert(kith_status_text(status));
  }
  CHECK(names.size() == last_status - first_status + 1 + std::size(further_statuses));
  CHECK(texts.size() == names.size());
  CHECK(names.count("KITH_E_?") == 0);
  for (const std::string& text : texts) CHECK(text.size() > 5);
}

TEST_CASE("a status is named as in the header") {
  CHECK(kith_status_name(KITH_OK) == std::string("KITH_OK"));
  CHECK(kith_status_name(KITH_OWNER_DIED) == std::string("KITH_OWNER_DIED"));
  CHECK(kith_status_name(KITH_NOT_EQUAL) == std::string("KITH_NOT_EQUAL"));
  CHECK(kith_status_name(KITH_E_TIMEOUT) == std::string("KITH_E_TIMEOUT"));
  CHECK(kith_status_name(KITH_E_NO_CHILD_MAIN) == std::string("KITH_E_NO_CHILD_MAIN"));
  CHECK(kith_status_name(KITH_E_BUSY) == std::string("KITH_E_BUSY"));
  CHECK(kith_status_name(KITH_E_CANCELLED) == std::string("KITH_E_CANCELLED"));
  CHECK(kith_status_name(KITH_E_NO_HOST) == std::string("KITH_E_NO_HOST"));
  CHECK(kith_status_name(KITH_LAST) == std::string("KITH_LAST"));
}

TEST_CASE("a number that is no status has a name and a text, too") {
  for (const kith_status status : {5, -1000, 1000, INT32_MAX, INT32_MIN}) {
    CHECK(kith_status_name(status) == std::string("KITH_E_?"));
    REQUIRE(kith_status_text(status) != nullptr);
    CHECK(std::strlen(kith_status_text(status)) > 0);
  }
}

TEST_CASE("the text for a forgotten kith_child_main says what to add") {
  CHECK(std::strstr(kith_status_text(KITH_E_NO_CHILD_MAIN), "kith_child_main") != nullptr);
}

TEST_CASE_FIXTURE(test::nothing_leaks, "the number of the OS belongs to a thread and outlives a success") {
  const test::argument_list program({test::folder_of_program() + "/no such program"});
  auto options = test::defaults<kith_process_options>();
  const std::string missing = test::folder_of_program() + "/no such folder";
  const test::argument_list exists = test::role({"exit", "0"});
  options.argv = exists.argv();
  options.cwd = missing.c_str();
  test::process child;
  CHECK_STATUS(kith_process_spawn(&options, child.out()), KITH_E_BAD_CWD);
  const int32_t number = kith_os_error();
  test::make_lock();
  CHECK(kith_os_error() == number);
  CHECK_STATUS(kith_lock_create(nullptr, nullptr), KITH_E_INVALID);
  CHECK(kith_os_error() == number);

  int32_t elsewhere = -1;
  test::in_threads(1, [&](int) { elsewhere = kith_os_error(); });
  CHECK(elsewhere == 0);
}
