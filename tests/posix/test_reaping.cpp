// SPDX-License-Identifier: MIT
// Children that nobody waits for, and hosts that wait for children themselves.
#if defined(__SANITIZE_THREAD__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include <atomic>
#include <filesystem>

#include "posix_support.h"

using test::nothing_leaks;

namespace {

void (*handler_of(int signal))(int) {
  struct sigaction action {};
  REQUIRE(sigaction(signal, nullptr, &action) == 0);
  return action.sa_handler;
}

void await_end(int64_t pid) {
  while (!test::is_ended_child(pid)) std::this_thread::yield();
}

bool is_reaped(int64_t pid) {
  siginfo_t info{};
  return waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == -1 && errno == ECHILD;
}

// A child of the host, not of kith.
pid_t fork_and_exit(int code) {
  const pid_t pid = fork();
  if (pid == 0) _exit(code);
  REQUIRE(pid > 0);
  return pid;
}

std::atomic<int> child_signals = 0;

// How many threads this process has; 0: this OS does not tell in /proc, or a sanitizer has threads of its own.
size_t thread_count() {
  if (test::sanitized) return 0;
  std::error_code error;
  const std::filesystem::directory_iterator tasks("/proc/self/task", error);
  return error ? 0 : static_cast<size_t>(std::distance(begin(tasks), end(tasks)));
}

// Sees whether there is exactly one thread more than when it was made.
class thread_that_reaps {
 public:
  bool works() const { return is_known() && thread_count() == before_ + 1; }
  bool is_known() const { return before_ != 0; }

 private:
  size_t before_ = thread_count();
};

// A child that was let go of while it ran. It stays until its line is closed.
struct left_child {
  test::channel_pair line = test::make_channel();
  int64_t pid = 0;

  left_child() {
    const test::process child = test::start_role({"stay"}, {{"line", line.b}});
    REQUIRE(test::hear(line.a, "ready"));
    pid = kith_process_id(child);
  }
};

bool becomes_reaped(int64_t pid) {
  return test::becomes_true([&] { return is_reaped(pid); });
}

bool is_running(int64_t pid) {
  siginfo_t info{};
  return waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == 0;
}

pthread_t thread_of_signal;

bool is_handled_within(uint64_t ms) {
  const uint64_t end = test::now_ms() + ms;
  while (test::now_ms() < end) {
    if (!pthread_equal(thread_of_signal, pthread_t{})) return true;
  }
  return false;
}

#if defined(__SANITIZE_THREAD__)
constexpr bool under_thread_sanitizer = true;
#else
constexpr bool under_thread_sanitizer = false;
#endif

// In a child that the test forked by itself.
int lets_go_of_its_own_child() {
  left_child child;
  if (!is_running(child.pid)) return 1;
  child.line.a.close();
  return becomes_reaped(child.pid) ? 0 : 2;
}

uint64_t used_time_ms() {
  rusage used{};
  REQUIRE(getrusage(RUSAGE_SELF, &used) == 0);
  const auto ms = [](const timeval& time) {
    return static_cast<uint64_t>(time.tv_sec * 1000 + time.tv_usec / 1000);
  };
  return ms(used.ru_utime) + ms(used.ru_stime);
}

int32_t stays(const void*, size_t) {
  for (;;) pause();
}

// A descriptor that another thread may be reading, which a thread sanitizer would rightly complain of.
void close_rudely(int number) {
#if defined(__SANITIZE_THREAD__)
  (void)syscall(SYS_close, number);
#else
  close(number);
#endif
}

// Two children, so that the thread sleeps twice: a sleep that has begun may not notice.
int32_t closes_everything(const void*, size_t) {
  const int64_t first = kith_process_id(test::start(stays));
  const int64_t second = kith_process_id(test::start(stays));
  for (const int number : test::open_descriptors()) {
    if (number > 2) close_rudely(number);
  }
  kill(static_cast<pid_t>(first), SIGKILL);
  CHILD_NEEDS(becomes_reaped(first));
  const uint64_t before = used_time_ms();
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  CHILD_NEEDS(used_time_ms() - before < 100);  // the thread does not ask without pause
  kill(static_cast<pid_t>(second), SIGKILL);
  CHILD_NEEDS(becomes_reaped(second));
  return 0;
}

// Without a descriptor there is no thread.
int32_t has_no_descriptors(const void*, size_t) {
  test::channel_pair line = test::make_channel();
  test::process child = test::start_role({"stay"}, {{"line", line.b}});
  CHILD_NEEDS(test::hear(line.a, "ready"));
  const int64_t pid = kith_process_id(child);
  const int lowest_free = dup(2);
  close(lowest_free);
  rlimit before{};
  CHILD_NEEDS(getrlimit(RLIMIT_NOFILE, &before) == 0);
  rlimit none = before;
  none.rlim_cur = static_cast<rlim_t>(lowest_free);
  CHILD_NEEDS(setrlimit(RLIMIT_NOFILE, &none) == 0);
  child.close();
  CHILD_NEEDS(setrlimit(RLIMIT_NOFILE, &before) == 0);
  line.a.close();
  await_end(pid);
  test::process other = test::start_role({"exit", "0"});
  CHILD_NEEDS((test::end_of(other) == test::shown_exit{KITH_EXIT_CODE, 0}));
  CHILD_NEEDS(is_reaped(pid));
  return 0;
}

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks,
                  "a child whose handle was closed is reaped when it ends, though nobody calls kith again") {
  const thread_that_reaps reaper;
  for (int round = 0; round < 3;
       ++round) {  // each with a thread of its own, as the one before has nothing left to do
    left_child child;
    CHECK((reaper.works() || !reaper.is_known()));
    child.line.a.close();
    CHECK(becomes_reaped(child.pid));
    CHECK(test::becomes_true([&] { return !reaper.works(); }));
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "one thread reaps all children whose handles were closed, in any order") {
  const thread_that_reaps reaper;
  std::vector<left_child> children(12);
  CHECK((reaper.works() || !reaper.is_known()));
  for (size_t i = 0; i < children.size(); i += 2) children[i].line.a.close();
  for (size_t i = 0; i < children.size(); i += 2) CHECK(becomes_reaped(children[i].pid));
  for (size_t i = 1; i < children.size(); i += 2) CHECK(is_running(children[i].pid));
  std::vector<left_child> more(3);
  CHECK((reaper.works() || !reaper.is_known()));
  for (left_child& each : children) each.line.a.close();
  for (left_child& each : more) each.line.a.close();
  for (const left_child& each : children) CHECK(becomes_reaped(each.pid));
  for (const left_child& each : more) CHECK(becomes_reaped(each.pid));
}

TEST_CASE_FIXTURE(nothing_leaks, "children are let go of by many threads while others end") {
  test::in_threads(4, [](int) {
    for (int round = test::repetitions(40); round > 0; --round) {
      test::process child = test::start_role({"exit", "0"});
      if (round % 3 == 0) await_end(kith_process_id(child));
    }
  });
  CHECK(test::becomes_true([] { return !test::has_children(); }));
}

TEST_CASE_FIXTURE(nothing_leaks, "no signal is handled in the thread that reaps") {
  REQUIRE((signal(SIGUSR2, [](int) { thread_of_signal = pthread_self(); }) != SIG_ERR));
  left_child child;
  sigset_t mask;
  sigset_t before;
  sigemptyset(&mask);
  sigaddset(&mask, SIGUSR2);
  pthread_sigmask(SIG_BLOCK, &mask, &before);
  kill(getpid(), SIGUSR2);  // for any thread that takes it
  CHECK(!is_handled_within(50));
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  CHECK(is_handled_within(1000));
  CHECK(pthread_equal(thread_of_signal, pthread_self()));
  child.line.a.close();
  REQUIRE((signal(SIGUSR2, SIG_DFL) != SIG_ERR));
}

TEST_CASE_FIXTURE(
    nothing_leaks,
    "a fork while a thread reaps leaves the child a library that works, and the parent's children alone") {
  if (under_thread_sanitizer) SKIP_CASE("the thread sanitizer ends a forked child that makes a thread");
  left_child child;
  const pid_t forked = fork();
  if (forked == 0) _exit(lets_go_of_its_own_child());
  REQUIRE(forked > 0);
  int status = 0;
  CHECK(waitpid(forked, &status, 0) == forked);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  CHECK(is_running(child.pid));
  child.line.a.close();
  CHECK(becomes_reaped(child.pid));
}

TEST_CASE_FIXTURE(nothing_leaks, "a host that reaps all children is as good for those that were let go of") {
  const thread_that_reaps reaper;
  left_child child;
  std::atomic<bool> stop = false;
  std::thread host([&] {
    while (!stop) (void)waitpid(-1, nullptr, WNOHANG);
  });
  child.line.a.close();
  CHECK(test::becomes_true([&] { return is_reaped(child.pid); }));
  stop = true;
  host.join();
  CHECK(test::becomes_true([&] { return !reaper.works(); }));
}

TEST_CASE("a host that closes every descriptor loses no child") {
  test::process host = test::start(closes_everything);
  CHECK_EXIT(host, KITH_EXIT_CODE, 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "a child for which there is no thread is reaped by a later call") {
  test::process host = test::start(has_no_descriptors);
  CHECK_EXIT(host, KITH_EXIT_CODE, 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "a child that ended before its handle was closed is reaped by the close") {
  test::process child = test::start_role({"exit", "0"});
  const int64_t pid = kith_process_id(child);
  await_end(pid);
  child.close();
  CHECK(is_reaped(pid));
}

TEST_CASE_FIXTURE(nothing_leaks, "a wait reaps the child") {
  test::process child = test::start_role({"exit", "0"});
  const int64_t pid = kith_process_id(child);
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
  CHECK(is_reaped(pid));
}

TEST_CASE_FIXTURE(nothing_leaks, "a host that takes the exit code itself leaves us none, and nobody hangs") {
  test::process child = test::start_role({"exit", "3"});
  int status = 0;
  CHECK(waitpid(static_cast<pid_t>(kith_process_id(child)), &status, 0) == kith_process_id(child));
  CHECK(WEXITSTATUS(status) == 3);
  kith_exit end{};
  CHECK_OK(kith_process_wait(child, KITH_FOREVER, &end));
  CHECK(end.kind == KITH_EXIT_UNKNOWN);
  CHECK_OK(kith_process_kill(child));
}

TEST_CASE_FIXTURE(nothing_leaks, "a host that ignores SIGCHLD leaves us no exit code, and nobody hangs") {
  REQUIRE((signal(SIGCHLD, SIG_IGN) != SIG_ERR));
  test::process child = test::start_role({"exit", "3"});
  kith_exit end{};
  CHECK_OK(kith_process_wait(child, test::generous, &end));
  CHECK(end.kind == KITH_EXIT_UNKNOWN);
  CHECK((handler_of(SIGCHLD) == SIG_IGN));
  REQUIRE((signal(SIGCHLD, SIG_DFL) != SIG_ERR));
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "a host that waits for any child may be faster than the threads that wait for ours") {
  int ours = 0;
  int taken = 0;
  for (int round = test::repetitions(40); round > 0; --round) {
    test::channel_pair line = test::make_channel();
    test::process child = test::start_role({"stay"}, {{"line", line.b}});
    REQUIRE(test::hear(line.a, "ready"));
    std::atomic<bool> stop = false;
    std::thread host([&] {
      while (!stop) {
        if (waitpid(-1, nullptr, WNOHANG) > 0) ++taken;
      }
    });
    kith_exit ends[4] = {};
    std::atomic<int> wrong = 0;
    std::thread closer([&] { line.a.close(); });
    test::in_threads(4,
                     [&](int i) { wrong += kith_process_wait(child, test::generous, &ends[i]) != KITH_OK; });
    closer.join();
    stop = true;
    host.join();
    CHECK(wrong == 0);
    for (const kith_exit& end : ends) {
      CHECK(end.kind == ends[0].kind);
      CHECK(end.code == 0);
    }
    CHECK((ends[0].kind == KITH_EXIT_CODE || ends[0].kind == KITH_EXIT_UNKNOWN));
    ours += ends[0].kind == KITH_EXIT_CODE;
    CHECK_OK(kith_process_kill(child));
    kith_exit end{};
    CHECK_OK(kith_process_stop(child, 0, 1, 1, &end));
    CHECK(end.kind == ends[0].kind);
  }
  CHECK(ours + taken == test::repetitions(40));
}

TEST_CASE_FIXTURE(nothing_leaks, "children of the host are left to the host") {
  const pid_t own = fork_and_exit(5);
  await_end(own);
  for (int i = 0; i < 3; ++i) {
    test::process child = test::start_role({"exit", "3"});
    CHECK_EXIT(child, KITH_EXIT_CODE, 3);
    test::process forgotten = test::start_role({"exit", "3"});
    await_end(kith_process_id(forgotten));
  }
  int status = 0;
  CHECK(waitpid(own, &status, 0) == own);
  CHECK(WEXITSTATUS(status) == 5);
}

TEST_CASE_FIXTURE(nothing_leaks, "the handlers of the host stay as they are") {
  REQUIRE((signal(SIGCHLD, [](int) { ++child_signals; }) != SIG_ERR));
  std::vector<void (*)(int)> before;
  for (int number = 1; number < 32; ++number) before.push_back(handler_of(number));
  test::process child = test::start_role({"exit", "3"});
  test::channel_pair line = test::make_channel();
  line.b.close();
  CHECK(test::hear(line.a, "(KITH_E_CLOSED)"));
  CHECK_EXIT(child, KITH_EXIT_CODE, 3);
  for (int number = 1; number < 32; ++number) {
    CHECK((handler_of(number) == before[static_cast<size_t>(number - 1)]));
  }
  CHECK(child_signals == 1);
  REQUIRE((signal(SIGCHLD, SIG_DFL) != SIG_ERR));
}

TEST_CASE_FIXTURE(nothing_leaks, "a spawn that fails makes no SIGCHLD and no child for the host") {
  child_signals = 0;
  REQUIRE((signal(SIGCHLD, [](int) { ++child_signals; }) != SIG_ERR));
  const test::temporary_folder folder;
  const std::string text = folder.file("text", "this is no program", true);
  const test::argument_list program({text});
  auto options = test::defaults<kith_process_options>();
  options.argv = program.argv();
  kith_process* out = nullptr;
  CHECK_STATUS(kith_process_spawn(&options, &out), KITH_E_NOT_A_PROGRAM);
  REQUIRE((signal(SIGCHLD, SIG_DFL) != SIG_ERR));
  CHECK(!test::has_children());
}
