// SPDX-License-Identifier: MIT
// Children that nobody waits for, and hosts that wait for children themselves.
#include <atomic>

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

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks, "a child whose handle was closed is reaped by a later call") {
  test::channel_pair line = test::make_channel();
  int64_t pid = 0;
  {
    test::process child = test::start_role({"stay"}, {{"line", line.b}});
    CHECK(test::hear(line.a, "ready"));
    pid = kith_process_id(child);
  }
  line.a.close();
  await_end(pid);
  test::process other = test::start_role({"exit", "0"});
  CHECK_EXIT(other, KITH_EXIT_CODE, 0);
  CHECK(is_reaped(pid));
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
