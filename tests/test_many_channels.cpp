// SPDX-License-Identifier: MIT
// Thousands of channels, and what one of them costs.
#include "support.h"

using test::nothing_leaks;

namespace {

constexpr int most_channels = 2'000;

// Takes channel ends until there are no more, adds one to the number that comes through each, and sends it back.
int32_t serve_many(const void*, size_t) {
  CHILD_NEEDS(test::allow_handles(3 * most_channels));
  test::channel line;
  CHILD_NEEDS(test::take(line, "line"));
  std::vector<test::channel> ends;
  for (;;) {
    void* object = nullptr;
    int32_t kind = 0;
    size_t size = 0;
    const kith_status status =
        kith_channel_recv_object(line, &object, &kind, nullptr, 0, &size, test::generous);
    CHILD_NEEDS(status == KITH_OK);
    if (kind == KITH_OBJECT_NONE) break;  // an empty message: that was all
    CHILD_NEEDS(kind == KITH_OBJECT_CHANNEL);
    ends.emplace_back(static_cast<kith_channel*>(object));
  }
  for (test::channel& each : ends) {
    int number = 0;
    size_t size = 0;
    CHILD_NEEDS(kith_channel_recv(each, &number, sizeof number, &size, test::generous) == KITH_OK);
    ++number;
    CHILD_NEEDS(kith_channel_send(each, &number, sizeof number, test::generous) == KITH_OK);
  }
  return test::heard(line) == "(KITH_E_CLOSED)" ? 0 : 1;
}

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks, "two thousand channels between two processes work") {
  const int count = test::repetitions(most_channels);
  if (!test::allow_handles(3 * most_channels)) SKIP_CASE("this user may not have so many descriptors");
  test::channel_pair line = test::make_channel();
  const test::process child = test::start(serve_many, {{"line", line.b}});
  std::vector<test::channel> ends;
  for (int i = 0; i < count; ++i) {
    test::channel_pair pair = test::make_channel(4096);
    REQUIRE_OK(kith_channel_send_object(line.a, pair.b, nullptr, 0, test::generous));
    ends.push_back(std::move(pair.a));
  }
  REQUIRE_OK(kith_channel_send(line.a, nullptr, 0, test::generous));
  for (int i = 0; i < count; ++i)
    REQUIRE_OK(kith_channel_send(ends[static_cast<size_t>(i)], &i, sizeof i, test::generous));
  for (int i = 0; i < count; ++i) {
    int number = 0;
    size_t size = 0;
    REQUIRE_OK(
        kith_channel_recv(ends[static_cast<size_t>(i)], &number, sizeof number, &size, test::generous));
    CHECK(number == i + 1);
  }
  line.a.close();
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "an end of a channel costs two handles") {
  const size_t before = test::open_handles();
  const test::channel_pair pair = test::make_channel();
  CHECK(test::open_handles() == before + 4);
}
