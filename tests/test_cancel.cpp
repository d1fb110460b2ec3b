// SPDX-License-Identifier: MIT
#include <atomic>

#include "waits.h"

using test::nothing_leaks;

namespace {

// The calling thread uses it until the end of the scope.
class use_of {
 public:
  explicit use_of(kith_cancel* cancel) { CHECK_OK(kith_cancel_use(cancel)); }
  ~use_of() { CHECK_OK(kith_cancel_use(nullptr)); }
  use_of(const use_of&) = delete;
  use_of& operator=(const use_of&) = delete;
};

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks, "a cancel ends every kind of wait") {
  test::endless_waits waits;
  for (const test::wait_kind& kind : test::kinds_of_waits) {
    CAPTURE(kind.name);
    test::cancel cancel = test::make_cancel();
    test::waiting_thread thread(waits, kind, [&] { CHECK_OK(kith_cancel_use(cancel)); });
    const uint64_t fired_at = test::now_ms();
    CHECK_OK(kith_cancel_fire(cancel));
    CHECK_STATUS(thread.result(), KITH_E_CANCELLED);
    CHECK(test::now_ms() - fired_at < 20'000);
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "a cancel that was fired before the wait begins is not too early") {
  test::endless_waits waits;
  test::cancel cancel = test::make_cancel();
  CHECK_OK(kith_cancel_fire(cancel));
  CHECK_OK(kith_cancel_fire(cancel));
  for (const test::wait_kind& kind : test::kinds_of_waits) {
    CAPTURE(kind.name);
    test::in_threads(1, [&](int) {
      const use_of used(cancel);
      CHECK_STATUS(kind.call(waits, KITH_FOREVER), KITH_E_CANCELLED);
      CHECK_STATUS(kind.call(waits, test::generous), KITH_E_CANCELLED);
    });
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "a call that need not wait succeeds although its cancel was fired") {
  test::endless_waits waits;
  test::cancel cancel = test::make_cancel();
  CHECK_OK(kith_cancel_fire(cancel));
  for (const test::wait_kind& kind : test::kinds_of_waits) {
    if (kind.let_go == nullptr) continue;
    CAPTURE(kind.name);
    kind.let_go(waits);
    test::in_threads(1, [&](int) {
      const use_of used(cancel);
      CHECK_OK(kind.call(waits, KITH_FOREVER));
    });
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "what was cancelled goes on as if it had not been called") {
  test::endless_waits waits;
  test::cancel cancel = test::make_cancel();
  CHECK_OK(kith_cancel_fire(cancel));
  for (const test::wait_kind& kind : test::kinds_of_waits) {
    if (kind.let_go == nullptr) continue;
    CAPTURE(kind.name);
    test::in_threads(1, [&](int) {
      {
        const use_of used(cancel);
        CHECK_STATUS(kind.call(waits, KITH_FOREVER), KITH_E_CANCELLED);
      }
      CHECK_STATUS(kind.call(waits, 1), KITH_E_TIMEOUT);
    });
    // A timeout breaks the barrier, a cancel does not.
    CHECK(kith_barrier_is_broken(waits.lonely) == (kind.name == "barrier"));
    CHECK_OK(kith_barrier_reset(waits.lonely));
    kind.let_go(waits);
    test::in_threads(1, [&](int) { CHECK_OK(kind.call(waits, test::generous)); });
  }
  // Of a message that was given up nothing arrives, and the channel goes on.
  test::in_threads(1, [&](int) {
    const std::string large(10'000, 'y');
    const use_of used(cancel);
    CHECK_STATUS(kith_channel_send(waits.full.a, large.data(), large.size(), KITH_FOREVER), KITH_E_CANCELLED);
  });
  std::thread receiver([&] { CHECK(test::hear(waits.full.b, "small")); });
  CHECK(test::tell(waits.full.a, "small"));
  receiver.join();
}

TEST_CASE_FIXTURE(nothing_leaks, "a cancel that was reset ends waits no longer, until it is fired again") {
  test::cancel cancel = test::make_cancel();
  test::event clear = test::make_event();
  const use_of used(cancel);
  CHECK_OK(kith_cancel_fire(cancel));
  CHECK_STATUS(kith_event_wait(clear, KITH_FOREVER), KITH_E_CANCELLED);
  CHECK_OK(kith_cancel_reset(cancel));
  CHECK_STATUS(kith_event_wait(clear, 20), KITH_E_TIMEOUT);
  CHECK_OK(kith_cancel_reset(cancel));
  CHECK_OK(kith_cancel_fire(cancel));
  CHECK_STATUS(kith_event_wait(clear, KITH_FOREVER), KITH_E_CANCELLED);
}

TEST_CASE_FIXTURE(nothing_leaks, "one cancel ends the waits of all threads that use it, and of no others") {
  test::endless_waits waits;
  test::cancel cancel = test::make_cancel();
  test::cancel other = test::make_cancel();
  std::atomic<int> ready = 0;
  std::atomic<int> back = 0;
  std::thread first([&] {
    test::in_threads(4, [&](int i) {
      const use_of used(i < 2 ? cancel : other);
      ++ready;
      CHECK_STATUS(kith_event_wait(waits.clear, KITH_FOREVER), i < 2 ? KITH_E_CANCELLED : KITH_OK);
      ++back;
    });
  });
  CHECK(test::becomes_true([&] { return ready == 4; }));
  CHECK_OK(kith_cancel_fire(cancel));
  CHECK(test::becomes_true([&] { return back >= 2; }));
  CHECK_OK(kith_event_set(waits.clear));
  first.join();
}

TEST_CASE_FIXTURE(nothing_leaks, "a thread uses the cancel that it named last, and none after NULL") {
  test::cancel one = test::make_cancel();
  test::cancel other = test::make_cancel();
  test::event clear = test::make_event();
  CHECK_OK(kith_cancel_fire(one));
  CHECK_OK(kith_cancel_use(one));
  CHECK_OK(kith_cancel_use(other));
  CHECK_STATUS(kith_event_wait(clear, 10), KITH_E_TIMEOUT);
  CHECK_OK(kith_cancel_use(one));
  CHECK_STATUS(kith_event_wait(clear, 10), KITH_E_CANCELLED);
  CHECK_OK(kith_cancel_use(nullptr));
  CHECK_STATUS(kith_event_wait(clear, 10), KITH_E_TIMEOUT);
}

TEST_CASE_FIXTURE(nothing_leaks, "a cancel that is used is closed, and the wait goes on without it") {
  test::event clear = test::make_event();
  test::cancel cancel = test::make_cancel();
  std::atomic<bool> began = false;
  std::thread waiter([&] {
    CHECK_OK(kith_cancel_use(cancel));
    began = true;
    CHECK_OK(kith_event_wait(clear, KITH_FOREVER));
    CHECK_STATUS(kith_event_wait(clear, KITH_FOREVER), KITH_OK);
  });
  while (!began) std::this_thread::yield();
  test::let_it_sleep();
  kith_cancel* const handle = cancel;
  kith_cancel_close(handle);
  CHECK_STATUS(kith_cancel_fire(handle), KITH_E_INVALID);
  test::let_it_sleep();
  CHECK_OK(kith_event_set(clear));
  waiter.join();
}

TEST_CASE_FIXTURE(nothing_leaks, "a thread whose cancel was closed uses none") {
  test::event clear = test::make_event();
  {
    test::cancel cancel = test::make_cancel();
    CHECK_OK(kith_cancel_use(cancel));
    CHECK_OK(kith_cancel_fire(cancel));
  }
  CHECK_STATUS(kith_event_wait(clear, 10), KITH_E_TIMEOUT);
  CHECK_OK(kith_cancel_use(nullptr));
}

TEST_CASE_FIXTURE(nothing_leaks, "what is no cancel is not used, and the one in use stays so") {
  test::cancel cancel = test::make_cancel();
  test::event clear = test::make_event();
  const use_of used(cancel);
  CHECK_OK(kith_cancel_fire(cancel));
  kith_cancel* closed = nullptr;
  {
    test::cancel other = test::make_cancel();
    closed = other;
  }
  auto* const wrong = reinterpret_cast<kith_cancel*>(clear.get());
  CHECK_STATUS(kith_cancel_use(closed), KITH_E_INVALID);
  CHECK_STATUS(kith_cancel_use(wrong), KITH_E_MISMATCH);
  for (const auto function : {kith_cancel_fire, kith_cancel_reset}) {
    CHECK_STATUS(function(nullptr), KITH_E_INVALID);
    CHECK_STATUS(function(closed), KITH_E_INVALID);
    CHECK_STATUS(function(wrong), KITH_E_MISMATCH);
  }
  kith_cancel_close(nullptr);
  kith_cancel_close(wrong);
  CHECK_STATUS(kith_cancel_create(nullptr), KITH_E_INVALID);
  CHECK_STATUS(kith_event_wait(clear, 10), KITH_E_CANCELLED);
}

TEST_CASE_FIXTURE(nothing_leaks, "of a cancel, a change and a set, all that raced, one ends the wait") {
  test::cancel cancel = test::make_cancel();
  test::event event = test::make_event(KITH_EVENT_AUTO_RESET);
  for (int round = 0; round < test::repetitions(2'000); ++round) {
    kith_status status = KITH_OK;
    std::thread waiter([&] {
      const use_of used(cancel);
      status = kith_event_wait(event, KITH_FOREVER);
    });
    std::thread setter([&] { CHECK_OK(kith_event_set(event)); });
    CHECK_OK(kith_cancel_fire(cancel));
    waiter.join();
    setter.join();
    // Whether the signal was taken agrees with what was said.
    CHECK((status == KITH_OK || status == KITH_E_CANCELLED));
    CHECK_STATUS(kith_event_wait(event, 0), status == KITH_OK ? KITH_E_TIMEOUT : KITH_OK);
    CHECK_OK(kith_cancel_reset(cancel));
  }
}
