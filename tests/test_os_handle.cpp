// SPDX-License-Identifier: MIT
// Handles that are not kith's, given to a child and sent through a channel.
#include "foreign.h"
#include "send_object.h"

using test::nothing_leaks;
using test::received_object;

namespace {

class os_handle {
 public:
  os_handle() = default;
  explicit os_handle(kith_os_handle* handle) : handle_(handle) {}
  ~os_handle() { kith_os_handle_close(handle_); }
  os_handle(const os_handle&) = delete;
  os_handle& operator=(const os_handle&) = delete;
  kith_os_handle** out() { return &handle_; }
  operator kith_os_handle*() const { return handle_; }

 private:
  kith_os_handle* handle_ = nullptr;
};

// Whether a copy of it gets ready, which is then closed.
bool gets_ready(kith_os_handle* handle, int64_t timeout_ms) {
  int64_t number = 0;
  if (kith_os_handle_copy(handle, &number) != KITH_OK) return false;
  const bool ready = test::os_says_ready(number, timeout_ms);
  test::close_os_handle(number);
  return ready;
}

int32_t wait_for_given(const void*, size_t) {
  test::channel line;
  os_handle given;
  CHILD_NEEDS(test::take(line, "line"));
  CHILD_NEEDS(kith_os_handle_inherit("given", given.out()) == KITH_OK);
  kith_os_handle* again = nullptr;
  CHILD_NEEDS(kith_os_handle_inherit("given", &again) == KITH_E_MOVED);
  CHILD_NEEDS(kith_os_handle_inherit("line", &again) == KITH_E_MISMATCH);
  CHILD_NEEDS(kith_os_handle_inherit("nothing", &again) == KITH_E_NOT_FOUND);
  CHILD_NEEDS(!gets_ready(given, 0));
  CHILD_NEEDS(test::tell(line, "not yet"));
  CHILD_NEEDS(gets_ready(given, test::generous));
  return 0;
}

int32_t wait_for_sent(const void*, size_t) {
  test::channel line;
  CHILD_NEEDS(test::take(line, "line"));
  received_object came;
  CHILD_NEEDS(came.receive(line) == KITH_OK && came.kind == KITH_OBJECT_OS_HANDLE);
  const os_handle sent(came.release<kith_os_handle>());
  CHILD_NEEDS(!gets_ready(sent, 0));
  CHILD_NEEDS(test::tell(line, "not yet"));
  CHILD_NEEDS(gets_ready(sent, test::generous));
  return 0;
}

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks, "a handle of the OS is given to a child") {
  test::foreign_handle something;
  os_handle object;
  REQUIRE_OK(kith_os_handle_create(something.handle(), object.out()));
  test::channel_pair line = test::make_channel();
  test::process child = test::start(wait_for_given, {{"line", line.b}, {"given", object}});
  CHECK(test::hear(line.a, "not yet"));
  something.make_ready();
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "a handle of the OS is sent through a channel") {
  test::foreign_handle something;
  test::channel_pair line = test::make_channel();
  test::process child = test::start(wait_for_sent, {{"line", line.b}});
  {
    os_handle object;
    REQUIRE_OK(kith_os_handle_create(something.handle(), object.out()));
    CHECK_OK(kith_channel_send_object(line.a, object, nullptr, 0, test::generous));
  }
  CHECK(test::hear(line.a, "not yet"));
  something.make_ready();
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "a handle of the OS that was sent and is never received is closed") {
  test::foreign_handle something;
  test::channel_pair line = test::make_channel();
  os_handle object;
  REQUIRE_OK(kith_os_handle_create(something.handle(), object.out()));
  CHECK_OK(kith_channel_send_object(line.a, object, nullptr, 0, test::generous));
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "the object of a handle of the OS outlives the handle, and its copies outlive it") {
  int64_t copy = 0;
  {
    os_handle object;
    {
      test::foreign_handle something;
      something.make_ready();
      REQUIRE_OK(kith_os_handle_create(something.handle(), object.out()));
      CHECK(gets_ready(object, 0));
    }
    REQUIRE_OK(kith_os_handle_copy(object, &copy));
  }
  CHECK(test::os_says_ready(copy, 0));
  test::close_os_handle(copy);
}

TEST_CASE_FIXTURE(nothing_leaks, "what is no handle of the OS is refused") {
  kith_os_handle* out = nullptr;
  for (const int64_t number : {int64_t{-1}, int64_t{-2}, int64_t{999'996}, INT64_MAX, INT64_MIN})
    CHECK_STATUS(kith_os_handle_create(number, &out), KITH_E_OS);
  CHECK(out == nullptr);
  int64_t number = 77;
  CHECK_STATUS(kith_os_handle_create(0, nullptr), KITH_E_INVALID);
  CHECK_STATUS(kith_os_handle_copy(nullptr, &number), KITH_E_INVALID);
  CHECK_STATUS(kith_os_handle_inherit("x", nullptr), KITH_E_INVALID);
  CHECK_STATUS(kith_os_handle_inherit("", &out), KITH_E_INVALID);
  const test::event event = test::make_event();
  CHECK_STATUS(
      kith_os_handle_copy(reinterpret_cast<kith_os_handle*>(static_cast<kith_event*>(event)), &number),
      KITH_E_MISMATCH);
  test::foreign_handle something;
  os_handle object;
  REQUIRE_OK(kith_os_handle_create(something.handle(), object.out()));
  CHECK_STATUS(kith_os_handle_copy(object, nullptr), KITH_E_INVALID);
  CHECK(number == 77);
}
