// SPDX-License-Identifier: MIT
// Signals: what a child begins with, what ends it, and what interrupts or suspends a process.
#include <pthread.h>

#include <atomic>

#include "posix_support.h"

using test::nothing_leaks;

namespace {

int32_t signals_are_as_in_a_fresh_program(const void*, size_t) {
  sigset_t blocked;
  CHILD_NEEDS(sigprocmask(SIG_SETMASK, nullptr, &blocked) == 0);
  for (int number = 1; number < 32; ++number) {
    CHILD_NEEDS(sigismember(&blocked, number) == 0);
    struct sigaction action {};
    CHILD_NEEDS(sigaction(number, nullptr, &action) == 0);
    // A sanitizer installs handlers of its own.
    CHILD_NEEDS(test::sanitized || action.sa_handler == SIG_DFL);
  }
  return 0;
}

int32_t raises(const void* argument, size_t) {
  raise(*static_cast<const int*>(argument));
  return 99;
}

int32_t holds_until_told(const void*, size_t) {
  test::lock guard;
  test::channel line;
  CHILD_NEEDS(kith_lock_inherit("guard", guard.out()) == KITH_OK);
  CHILD_NEEDS(kith_channel_inherit("line", line.out()) == KITH_OK);
  CHILD_NEEDS(kith_lock_acquire(guard, test::generous) == KITH_OK);
  CHILD_NEEDS(test::tell(line, "held"));
  CHILD_NEEDS(test::hear(line, "release"));
  return kith_lock_release(guard);
}

// The main thread ends, the process and its lock do not.
int32_t holds_in_another_thread(const void*, size_t) {
  static const pthread_t main_thread = pthread_self();
  std::thread([] {
    if (!test::sanitized)
      pthread_join(main_thread, nullptr);  // the thread sanitizer thinks that it cannot be joined
    const int32_t code = holds_until_told(nullptr, 0);
    test::end_at_once(code);
  }).detach();
  pthread_exit(nullptr);
}

// Ignores the request to end.
int32_t is_deaf(const void*, size_t) {
  CHILD_NEEDS(signal(SIGTERM, SIG_IGN) != SIG_ERR);
  test::channel line;
  CHILD_NEEDS(kith_channel_inherit("line", line.out()) == KITH_OK);
  CHILD_NEEDS(test::tell(line, "ready"));
  CHILD_NEEDS(test::hear(line, "end"));
  return 3;
}

// Ends when it is asked, in its own way.
int32_t is_polite(const void*, size_t) {
  CHILD_NEEDS(signal(SIGTERM, [](int) { test::end_at_once(4); }) != SIG_ERR);
  test::channel line;
  CHILD_NEEDS(kith_channel_inherit("line", line.out()) == KITH_OK);
  CHILD_NEEDS(test::tell(line, "ready"));
  CHILD_NEEDS(test::hear(line, "end"));
  return 3;
}

std::atomic<int> interruptions = 0;

// Sends SIGUSR1 to the thread that makes it, again and again, for as long as it lives.
class interrupter {
 public:
  interrupter() : target_(pthread_self()) {
    struct sigaction action {};
    action.sa_handler = [](int) { ++interruptions; };  // without SA_RESTART: calls of the OS are interrupted
    REQUIRE(sigaction(SIGUSR1, &action, nullptr) == 0);
    thread_ = std::thread([this] {
      while (!stop_) {
        pthread_kill(target_, SIGUSR1);
        std::this_thread::sleep_for(std::chrono::microseconds(500));
      }
    });
  }
  ~interrupter() {
    stop_ = true;
    thread_.join();
    signal(SIGUSR1, SIG_DFL);
  }

 private:
  pthread_t target_;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

bool is_suspended(int64_t pid) {
  siginfo_t info{};
  return waitid(P_PID, static_cast<id_t>(pid), &info, WSTOPPED | WNOHANG | WNOWAIT) == 0 &&
         info.si_pid == pid;
}

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks, "a child begins with default actions and no blocked signal") {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  REQUIRE(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
  signal(SIGPIPE, SIG_IGN);
  signal(SIGHUP, SIG_IGN);
  signal(SIGUSR2, [](int) {});
  test::process child = test::start(signals_are_as_in_a_fresh_program);
  sigset_t after;
  REQUIRE(pthread_sigmask(SIG_SETMASK, &before, &after) == 0);
  signal(SIGPIPE, SIG_DFL);
  signal(SIGHUP, SIG_DFL);
  signal(SIGUSR2, SIG_DFL);
  CHECK(sigismember(&after, SIGUSR1) == 1);  // the parent's mask is as it was
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "a signal that we did not send is told by its number") {
  for (const int number : {SIGTERM, SIGKILL, SIGABRT, SIGUSR1, SIGPIPE}) {
    if (test::sanitized && number == SIGABRT) continue;
    test::process child = test::start_with(raises, {}, number);
    CHECK_EXIT(child, KITH_EXIT_SIGNAL, number);
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "a suspended owner of a lock is not declared dead") {
  test::lock guard = test::make_lock();
  test::channel_pair line = test::make_channel();
  test::process owner = test::start(holds_until_told, {{"guard", guard}, {"line", line.b}});
  CHECK(test::hear(line.a, "held"));
  const pid_t pid = static_cast<pid_t>(kith_process_id(owner));
  REQUIRE(kill(pid, SIGSTOP) == 0);
  while (!is_suspended(pid)) std::this_thread::yield();
  CHECK_STATUS(kith_lock_acquire(guard, 300), KITH_E_TIMEOUT);
  CHECK_STATUS(kith_lock_acquire(guard, 0), KITH_E_TIMEOUT);
  kith_exit end{};
  CHECK_STATUS(kith_process_wait(owner, 50, &end), KITH_E_TIMEOUT);
  REQUIRE(kill(pid, SIGCONT) == 0);
  CHECK(test::tell(line.a, "release"));
  CHECK_OK(kith_lock_acquire(guard, test::generous));
  CHECK_OK(kith_lock_release(guard));
  CHECK_EXIT(owner, KITH_EXIT_CODE, 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "an owner whose main thread has ended is not dead") {
  test::lock guard = test::make_lock();
  test::channel_pair line = test::make_channel();
  test::process owner = test::start(holds_in_another_thread, {{"guard", guard}, {"line", line.b}});
  CHECK(test::hear(line.a, "held"));
  CHECK_STATUS(kith_lock_acquire(guard, 300), KITH_E_TIMEOUT);
  CHECK_STATUS(kith_lock_acquire(guard, 0), KITH_E_TIMEOUT);
  kith_exit end{};
  CHECK_STATUS(kith_process_wait(owner, 0, &end), KITH_E_TIMEOUT);
  CHECK(test::tell(line.a, "release"));
  CHECK_OK(kith_lock_acquire(guard, test::generous));
  CHECK_OK(kith_lock_release(guard));
  CHECK_EXIT(owner, KITH_EXIT_CODE, 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "signals make no wait end early, nor go on for ever") {
  test::lock guard = test::make_lock();
  test::channel_pair line = test::make_channel();
  test::channel_pair silent = test::make_channel();
  test::process owner = test::start(holds_until_told, {{"guard", guard}, {"line", line.b}});
  CHECK(test::hear(line.a, "held"));
  {
    const interrupter signals;
    char buffer[8];
    size_t size = 0;
    kith_exit end{};
    for (int call = 0; call < 3; ++call) {
      CAPTURE(call);
      const uint64_t began = test::now_ms();
      if (call == 0) CHECK_STATUS(kith_lock_acquire(guard, 100), KITH_E_TIMEOUT);
      if (call == 1)
        CHECK_STATUS(kith_channel_recv(silent.a, buffer, sizeof buffer, &size, 100), KITH_E_TIMEOUT);
      if (call == 2) CHECK_STATUS(kith_process_wait(owner, 100, &end), KITH_E_TIMEOUT);
      const uint64_t waited = test::now_ms() - began;
      CHECK(waited >= 99);
      CHECK(waited < 20'000);
    }
    test::process child = test::start_role({"exit", "3"});
    CHECK_EXIT(child, KITH_EXIT_CODE, 3);
  }
  CHECK(interruptions > 0);
  CHECK(test::tell(line.a, "release"));
  CHECK_EXIT(owner, KITH_EXIT_CODE, 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "a child that does not listen is asked, and killed when its time is up") {
  test::channel_pair line = test::make_channel();
  test::process child = test::start(is_deaf, {{"line", line.b}});
  REQUIRE(test::hear(line.a, "ready"));
  kith_exit end{-77, 0, -77};
  CHECK_STATUS(kith_process_stop(child, 0, 50, 0, &end), KITH_E_TIMEOUT);
  CHECK(end.kind == -77);
  const uint64_t began = test::now_ms();
  CHECK_OK(kith_process_stop(child, 0, 50, test::generous, &end));
  CHECK(test::now_ms() - began + 1 >= 50);
  CHECK(end.kind == KITH_EXIT_KILLED);
  CHECK(end.code == SIGKILL);
}

TEST_CASE_FIXTURE(nothing_leaks, "a child that ends by itself when it is asked was not killed") {
  test::channel_pair line = test::make_channel();
  test::process child = test::start(is_polite, {{"line", line.b}});
  REQUIRE(test::hear(line.a, "ready"));
  kith_exit end{};
  CHECK_OK(kith_process_stop(child, 0, test::generous, test::generous, &end));
  CHECK(end.kind == KITH_EXIT_CODE);
  CHECK(end.code == 4);
}

TEST_CASE_FIXTURE(nothing_leaks, "a suspended child is stopped, too") {
  test::channel_pair line = test::make_channel();
  test::process child = test::start(is_polite, {{"line", line.b}});
  REQUIRE(test::hear(line.a, "ready"));
  REQUIRE(kill(static_cast<pid_t>(kith_process_id(child)), SIGSTOP) == 0);
  kith_exit end{};
  CHECK_OK(kith_process_stop(child, 0, 50, test::generous, &end));
  CHECK(end.kind == KITH_EXIT_KILLED);
  CHECK(end.code == SIGKILL);
}
