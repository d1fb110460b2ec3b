// SPDX-License-Identifier: MIT
// kith.hpp: objects that have names, and pipes between programs.
#include "child_streams.h"
#include "strangers.h"
#include "thrown.h"

using test::nothing_leaks;
using test::thrown_by;

namespace {

int copies_stdin() { return test::copies(nullptr, 0); }
int says(std::string_view text) { return test::say(KITH_STDOUT, text) ? 0 : 1; }

bool is_listed(const std::string& name, int32_t kind) {
  const kith::name_list all;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const kith_name_info about = all[i];
    if (about.name == name && about.kind == kind) return about.user_count == 1;
  }
  return false;
}

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks, "C++: names are listed while they are used, and a broadcast can have one") {
  const std::string name = test::unique_name("cpp names");
  {
    const auto news = kith::broadcast<int>::open(name.c_str(), {.flags = KITH_BROADCAST_HOLD});
    auto reader = kith::broadcast<int>::open(name.c_str(), {.flags = KITH_BROADCAST_HOLD}).subscribe();
    news.publish(7);
    CHECK(reader.next() == 7);
    CHECK(is_listed(name, KITH_OBJECT_BROADCAST));
    CHECK(!is_listed(name, KITH_OBJECT_EVENT));
    CHECK(thrown_by([&] { (void)kith::broadcast<int>::open(name.c_str()); }) == KITH_E_MISMATCH);
  }
  CHECK(!is_listed(name, KITH_OBJECT_BROADCAST));
}

TEST_CASE_FIXTURE(nothing_leaks, "C++: a persistent object stays until its name is removed") {
  const std::string name = test::unique_name("cpp persistent");
  constexpr uint32_t flags = KITH_NAME_CREATE | KITH_NAME_OPEN | KITH_NAME_PERSISTENT;
  (void)kith::value<int>::open({name.c_str(), flags}, 5);
  CHECK(kith::value<int>::open({name.c_str(), KITH_NAME_OPEN}).load() == 5);
  kith::remove_name(KITH_OBJECT_VALUE, name);
  CHECK(thrown_by([&] { (void)kith::value<int>::open({name.c_str(), KITH_NAME_OPEN}); }) == KITH_E_NOT_FOUND);
  CHECK(thrown_by([&] { kith::remove_name(KITH_OBJECT_VALUE, name); }) == KITH_E_NOT_FOUND);
  (void)kith::collect();
}

TEST_CASE_FIXTURE(nothing_leaks, "C++: one child writes into another one") {
  auto [read, write] = kith::make_pipe();
  kith::process from({.std_out = kith::stdio::of(write.number())}, says, "through a pipe");
  kith::process to({.std_in = kith::stdio::of(read.number()), .std_out = kith::stdio::pipe()}, copies_stdin);
  read.reset();
  write.reset();
  CHECK(to.communicate().out == "through a pipe");
  CHECK(from.join().ok());
}
