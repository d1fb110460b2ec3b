// SPDX-License-Identifier: MIT
// Objects through channels, with no descriptor free.
#include "../send_object.h"
#include "posix_support.h"

namespace {

// How many descriptors this process can still make, counted from the lowest free number, which is that of a gap.
void leave_descriptors(int count) {
  int taken[16];
  int highest = 0;
  for (int i = 0; i < count; ++i) taken[i] = dup(0);
  highest = dup(0);
  close(highest);
  for (int i = 0; i < count; ++i) close(taken[i]);
  rlimit limits{};
  getrlimit(RLIMIT_NOFILE, &limits);
  limits.rlim_cur = static_cast<rlim_t>(highest);
  setrlimit(RLIMIT_NOFILE, &limits);
}

void leave_many_descriptors() {
  rlimit limits{};
  getrlimit(RLIMIT_NOFILE, &limits);
  limits.rlim_cur = 512;
  setrlimit(RLIMIT_NOFILE, &limits);
}

int32_t receive_without_descriptors(const void*, size_t) {
  test::channel_pair line = test::make_channel();
  test::channel_pair talk = test::make_channel();
  test::value value = test::make_value(KITH_I64);
  CHILD_NEEDS(kith_channel_send_object(line.a, value, "value", 5, 0) == KITH_OK);
  CHILD_NEEDS(kith_channel_send_object(line.a, talk.b, "end", 3, 0) == KITH_OK);
  for (const int32_t kind : {KITH_OBJECT_VALUE, KITH_OBJECT_CHANNEL}) {
    test::received_object came;
    const int needed = kind == KITH_OBJECT_VALUE ? 1 : 2;
    // None, or too few; at last enough for what came, and none for the copies that it is opened with.
    for (int left = 0; left <= needed; ++left) {
      leave_descriptors(left);
      CHILD_NEEDS(came.receive(line.b, 0) == KITH_E_LIMIT);
      CHILD_NEEDS(came.receive(line.b, 0) == KITH_E_LIMIT);
      CHILD_NEEDS(came.object == nullptr);
      leave_many_descriptors();
    }
    CHILD_NEEDS(came.receive(line.b, 0) == KITH_OK);
    CHILD_NEEDS(came.kind == kind);
    if (kind == KITH_OBJECT_VALUE) continue;
    CHILD_NEEDS(test::tell(talk.a, "works"));
    CHILD_NEEDS(test::hear(came.as<kith_channel>(), "works"));
  }
  return 0;
}

// Also the case that a parcel was taken and never opened.
int32_t close_without_descriptors(const void*, size_t) {
  const size_t before = test::open_handles();
  {
    test::channel_pair line = test::make_channel();
    test::value value = test::make_value(KITH_I64);
    for (int i = 0; i < 3; ++i) CHILD_NEEDS(kith_channel_send_object(line.a, value, "x", 1, 0) == KITH_OK);
    test::received_object came;
    leave_descriptors(1);
    CHILD_NEEDS(came.receive(line.b, 0) == KITH_E_LIMIT);
    line.b.close();
    leave_many_descriptors();
  }
  CHILD_NEEDS(test::open_handles() == before);
  return 0;
}

}  // namespace

TEST_CASE_FIXTURE(test::nothing_leaks,
                  "an object for which there is no descriptor stays until there is one") {
  test::process child = test::start(receive_without_descriptors);
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
}

TEST_CASE_FIXTURE(test::nothing_leaks,
                  "an end that is closed when no descriptor is free leaves nothing behind") {
  test::process child = test::start(close_without_descriptors);
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
}
