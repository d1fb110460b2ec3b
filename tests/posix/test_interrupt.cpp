// SPDX-License-Identifier: MIT
// Signals that a thread asked to be told of, and a cancel that a signal handler fires.
#include <pthread.h>

#include <cerrno>

#include "../waits.h"
#include "posix_support.h"

using test::nothing_leaks;

namespace {

std::atomic<int> handled = 0;
std::atomic<kith_cancel*> to_be_fired = nullptr;

// SIGUSR1 has a handler, and calls of the OS are not restarted, until the end of the scope.
class handler_for_usr1 {
 public:
  handler_for_usr1() {
    struct sigaction action {};
    action.sa_handler = [](int) {
      ++handled;
      if (kith_cancel* const cancel = to_be_fired; cancel != nullptr) kith_cancel_fire(cancel);
    };
    REQUIRE(sigaction(SIGUSR1, &action, nullptr) == 0);
  }
  ~handler_for_usr1() { signal(SIGUSR1, SIG_DFL); }
  handler_for_usr1(const handler_for_usr1&) = delete;
  handler_for_usr1& operator=(const handler_for_usr1&) = delete;
};

// A signal that comes in the moment before the thread sleeps is not noticed: the next one is.
void signal_until_back(test::waiting_thread& waiting) {
  const pthread_t target = waiting.thread().native_handle();
  CHECK(test::becomes_true([&] {
    if (!waiting.is_back()) pthread_kill(target, SIGUSR1);
    std::this_thread::sleep_for(std::chrono::microseconds(300));
    return waiting.is_back();
  }));
}

void ask_to_be_told() { CHECK(kith_wait_interruptible(1) == 0); }

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks, "a signal ends every kind of wait of a thread that asked for that") {
  const handler_for_usr1 handler;
  test::endless_waits waits;
  for (const test::wait_kind& kind : test::kinds_of_waits) {
    CAPTURE(kind.name);
    test::waiting_thread thread(waits, kind, ask_to_be_told);
    signal_until_back(thread);
    CHECK_STATUS(thread.result(), KITH_E_INTERRUPTED);
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "what was interrupted goes on as if it had not been called") {
  const handler_for_usr1 handler;
  test::endless_waits waits;
  for (const test::wait_kind& kind : test::kinds_of_waits) {
    if (kind.let_go == nullptr) continue;
    CAPTURE(kind.name);
    {
      test::waiting_thread thread(waits, kind, ask_to_be_told);
      signal_until_back(thread);
      CHECK_STATUS(thread.result(), KITH_E_INTERRUPTED);
    }
    kind.let_go(waits);
    test::in_threads(1, [&](int) { CHECK_OK(kind.call(waits, test::generous)); });
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "a signal ends no wait of a thread that did not ask for that") {
#if defined(__SANITIZE_THREAD__)
  SKIP_CASE("the thread sanitizer keeps handlers back until a call that it knows, and a sleep here is none");
#endif
  const handler_for_usr1 handler;
  test::endless_waits waits;
  for (const test::wait_kind& kind : test::kinds_of_waits) {
    if (kind.let_go == nullptr) continue;
    CAPTURE(kind.name);
    test::waiting_thread thread(waits, kind);
    const pthread_t target = thread.thread().native_handle();
    handled = 0;
    // More of them than one, spread over the slices of the wait.
    CHECK(test::becomes_true([&] {
      pthread_kill(target, SIGUSR1);
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
      return handled >= 20;
    }));
    CHECK_FALSE(thread.is_back());
    kind.let_go(waits);
    CHECK_STATUS(thread.result(), KITH_OK);
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "to be told of signals is asked for by each thread, and no longer by 0") {
  const handler_for_usr1 handler;
  CHECK(kith_wait_interruptible(1) == 0);
  CHECK(kith_wait_interruptible(1) == 1);
  test::in_threads(1, [](int) { CHECK(kith_wait_interruptible(0) == 0); });
  CHECK(kith_wait_interruptible(0) == 1);
  CHECK(kith_wait_interruptible(0) == 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "a signal handler fires a cancel, and one signal is enough") {
#if defined(__SANITIZE_THREAD__)
  SKIP_CASE("the thread sanitizer keeps handlers back until a call that it knows");
#endif
  const handler_for_usr1 handler;
  test::endless_waits waits;
  for (const test::wait_kind& kind : test::kinds_of_waits) {
    CAPTURE(kind.name);
    test::cancel cancel = test::make_cancel();
    to_be_fired = cancel.get();
    test::waiting_thread thread(waits, kind, [&] { CHECK_OK(kith_cancel_use(cancel)); });
    pthread_kill(thread.thread().native_handle(), SIGUSR1);
    CHECK_STATUS(thread.result(), KITH_E_CANCELLED);
    to_be_fired = nullptr;
  }
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "a cancel that is fired in a handler over and over ends each wait once it is reset") {
  const handler_for_usr1 handler;
  test::cancel cancel = test::make_cancel();
  test::event clear = test::make_event();
  to_be_fired = cancel.get();
  std::atomic<int> rounds = 0;
  constexpr int wanted = 300;
  std::thread waiter([&] {
    CHECK_OK(kith_cancel_use(cancel));
    while (rounds < wanted) {
      CHECK_STATUS(kith_event_wait(clear, KITH_FOREVER), KITH_E_CANCELLED);
      CHECK_OK(kith_cancel_reset(cancel));
      ++rounds;
    }
  });
  CHECK(test::becomes_true([&] {
    if (rounds < wanted) pthread_kill(waiter.native_handle(), SIGUSR1);
    return rounds >= wanted;
  }));
  waiter.join();
  to_be_fired = nullptr;
}

TEST_CASE_FIXTURE(nothing_leaks, "firing a cancel leaves errno alone, as a signal handler must") {
  const handler_for_usr1 handler;
  test::endless_waits waits;
  test::cancel cancel = test::make_cancel();
  test::waiting_thread thread(waits, test::kinds_of_waits[0], [&] { CHECK_OK(kith_cancel_use(cancel)); });
  test::let_it_sleep();
  errno = EDOM;
  CHECK_OK(kith_cancel_fire(cancel));
  CHECK(errno == EDOM);
  CHECK_STATUS(thread.result(), KITH_E_CANCELLED);
}
