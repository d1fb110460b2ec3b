// SPDX-License-Identifier: MIT
// Standard streams of children: descriptors, signals, and children made by fork.
#include <csignal>
#include <cstdio>

#include "../child_streams.h"
#include "posix_support.h"

namespace test {

void close_stdin() { ::close(STDIN_FILENO); }

}  // namespace test

using test::inherited;
using test::nothing_leaks;
using test::piped;

namespace {

const kith_stdio nothing = test::stdio_of(KITH_STDIO_NULL);

volatile sig_atomic_t sigpipes = 0;
void note_sigpipe(int) { sigpipes = sigpipes + 1; }

class sigpipe_noted {
 public:
  sigpipe_noted() {
    sigpipes = 0;
    struct sigaction action {};
    action.sa_handler = note_sigpipe;
    sigaction(SIGPIPE, &action, &before_);
  }
  ~sigpipe_noted() { sigaction(SIGPIPE, &before_, nullptr); }
  sigpipe_noted(const sigpipe_noted&) = delete;
  sigpipe_noted& operator=(const sigpipe_noted&) = delete;

 private:
  struct sigaction before_ {};
};

bool sigpipe_waits() {
  sigset_t waiting;
  return sigpending(&waiting) == 0 && sigismember(&waiting, SIGPIPE) == 1;
}

int32_t ends(const void*, size_t) { return 0; }

// A stream that nobody reads.
test::stream dead_stream() {
  test::process child = test::start_with_streams(ends, piped, inherited, inherited);
  test::stream in = test::taken(child, KITH_STDIN);
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
  return in;
}

// Three pipes that wait, as programs expect it, no descriptor that is not kith's, and stdin can be opened once more.
int32_t has_usual_pipes(const void*, size_t) {
  CHILD_NEEDS(test::open_handles() <= 3 + test::handles_of_kith);
  for (int i = 0; i < 3; ++i) {
    struct stat info {};
    CHILD_NEEDS(fstat(i, &info) == 0);
    CHILD_NEEDS(S_ISFIFO(info.st_mode));
    CHILD_NEEDS((fcntl(i, F_GETFL) & O_NONBLOCK) == 0);
    CHILD_NEEDS(fcntl(i, F_GETFD) == 0);
    CHILD_NEEDS((fcntl(i, F_GETFL) & O_ACCMODE) == (i == 0 ? O_RDONLY : O_WRONLY));
  }
  const int again = open("/dev/stdin", O_RDONLY);
  CHILD_NEEDS(again >= 0);
  char byte = 'x';
  CHILD_NEEDS(read(again, &byte, 1) == 1);
  CHILD_NEEDS(byte == 'a');
  return 0;
}

int32_t has_nothing_more(const void*, size_t) {
  CHILD_NEEDS(test::open_handles() <= 3 + test::handles_of_kith);
  return 0;
}

int32_t default_sigpipe_kills(const void*, size_t) {
  struct sigaction now {};
  CHILD_NEEDS(sigaction(SIGPIPE, nullptr, &now) == 0);
  CHILD_NEEDS(now.sa_handler == SIG_DFL);
  for (;;) (void)!write(STDOUT_FILENO, "x", 1);
}

// By fork: what the parent has read ahead of its own stdin does not come to the child.
int32_t copies_by_stdio(const void*, size_t) {
  for (int c; (c = std::getchar()) != EOF;) std::putchar(c);
  return std::fflush(stdout) == 0 ? 0 : 1;
}

test::process fork_with_pipes(kith_entry entry, uint32_t flags = 0) {
  kith_process_options options = test::run_entry(entry, {});
  options.start = KITH_START_FORK;
  options.flags = flags;
  options.std_in = options.std_out = piped;
  test::process child;
  REQUIRE_OK(kith_process_spawn(&options, child.out()));
  return child;
}

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks,
                  "a write that nobody reads raises no SIGPIPE, whatever the program does with it") {
  char bytes[100] = {};
  const sigpipe_noted noted;
  test::stream in = dead_stream();
  CHECK_STATUS(kith_stream_write(in, bytes, sizeof bytes, nullptr, 0), KITH_E_CLOSED);
  CHECK(sigpipes == 0);
  CHECK_FALSE(sigpipe_waits());
  // Blocked by the program: none is left waiting.
  sigset_t only, before;
  sigemptyset(&only);
  sigaddset(&only, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &only, &before);
  CHECK_STATUS(kith_stream_write(in, bytes, sizeof bytes, nullptr, 0), KITH_E_CLOSED);
  CHECK_FALSE(sigpipe_waits());
  // One that waits already is the program's.
  pthread_kill(pthread_self(), SIGPIPE);
  CHECK(sigpipe_waits());
  CHECK_STATUS(kith_stream_write(in, bytes, sizeof bytes, nullptr, 0), KITH_E_CLOSED);
  CHECK(sigpipe_waits());
  CHECK(sigpipes == 0);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  CHECK(sigpipes == 1);
  // Ignored by the program.
  struct sigaction ignore {};
  ignore.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &ignore, nullptr);
  CHECK_STATUS(kith_stream_write(in, bytes, sizeof bytes, nullptr, 0), KITH_E_CLOSED);
  sigset_t mask;
  pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  CHECK(sigismember(&mask, SIGPIPE) == 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "a child has real pipes, that wait, and nothing else") {
  const test::descriptor file(open("/dev/null", O_RDWR));
  test::process child = test::start_with_streams(has_usual_pipes, piped, piped, piped);
  kith_exit end{};
  const kith_communicate_options talk = test::input_of("abc");
  CHECK_OK(kith_process_communicate(child, &talk, test::generous, &end));
  CHECK(test::output_of(child, KITH_STDERR) == "");
  CHECK(end.code == 0);
  CHECK(end.kind == KITH_EXIT_CODE);
}

TEST_CASE_FIXTURE(nothing_leaks, "files, nothing and copies leave no descriptor behind in the child") {
  const test::temporary_folder folder;
  const std::string path = folder.file("file", "x");
  const test::descriptor copied(open("/dev/null", O_RDWR | O_CLOEXEC));
  test::process child =
      test::start_with_streams(has_nothing_more, test::stdio_of(KITH_STDIO_FILE, path.c_str()),
                               test::stdio_of(KITH_STDIO_HANDLE, nullptr, copied.get()), nothing);
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "a descriptor of the program as a standard stream, also one of its own three") {
  int ends_of_pipe[2];
  REQUIRE(pipe(ends_of_pipe) == 0);  // no child gets what it was not given
  {
    const test::descriptor reader(ends_of_pipe[0]);
    {
      const test::descriptor writer(ends_of_pipe[1]);
      test::process child = test::start_with_streams(
          [](const void*, size_t) -> int32_t {
            return test::say(KITH_STDOUT, "through a pipe of yours") ? 0 : 1;
          },
          nothing, test::stdio_of(KITH_STDIO_HANDLE, nullptr, writer.get()),
          test::stdio_of(KITH_STDIO_HANDLE, nullptr, STDOUT_FILENO));
      CHECK_EXIT(child, KITH_EXIT_CODE, 0);
    }
    char text[100];
    CHECK(read(reader.get(), text, sizeof text) == 23);
    CHECK(read(reader.get(), text, sizeof text) == 0);
  }
  test::process child = test::start_with_streams(
      test::copies, test::stdio_of(KITH_STDIO_HANDLE, nullptr, STDIN_FILENO), nothing, nothing);
  CHECK_OK(kith_process_kill(child));
  test::end_of(child);
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "a child that writes to a pipe which we have closed ends by SIGPIPE, as usual") {
  test::process child = test::start_with_streams(default_sigpipe_kills, nothing, piped, inherited);
  test::taken(child, KITH_STDOUT).close();
  CHECK_EXIT(child, KITH_EXIT_SIGNAL, SIGPIPE);
}

TEST_CASE_FIXTURE(nothing_leaks, "a process without standard streams gives its children some") {
  test::process child = test::start([](const void*, size_t) -> int32_t {
    const int log = dup(2);
    for (int i = 0; i < 3; ++i) close(i);
    int32_t result = 0;
    {
      test::process copying = test::start_with_streams(test::copies, piped, piped, piped);
      kith_exit end{};
      const kith_communicate_options talk = test::input_of("text");
      if (kith_process_communicate(copying, &talk, test::generous, &end) != KITH_OK) result = 1;
      if (end.kind != KITH_EXIT_CODE || end.code != 0) result = 2;
      const void* data = nullptr;
      size_t size = 0;
      (void)kith_process_output(copying, KITH_STDOUT, &data, &size);
      if (size != 4 || std::memcmp(data, "text", 4) != 0) result = 3;
      for (int i = 0; i < 3; ++i) {
        if (fcntl(i, F_GETFD) != -1) result = 4;
      }
    }
    dup2(log, 2);
    return result;
  });
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "a forked child has pipes, too, and none of its siblings'") {
  for (const uint32_t flags : {uint32_t{0}, uint32_t{KITH_PROCESS_KEEP_DESCRIPTORS}}) {
    CAPTURE(flags);
    test::process first = fork_with_pipes(copies_by_stdio, flags);
    test::process second = fork_with_pipes(copies_by_stdio, flags);
    kith_exit end{};
    kith_communicate_options talk = test::input_of("to the first");
    CHECK_OK(kith_process_communicate(first, &talk, test::generous, &end));
    CHECK(end.kind == KITH_EXIT_CODE);
    CHECK(end.code == 0);
    CHECK(test::output_of(first, KITH_STDOUT) == "to the first");
    talk = test::input_of("to the second");
    CHECK_OK(kith_process_communicate(second, &talk, test::generous, &end));
    CHECK(test::output_of(second, KITH_STDOUT) == "to the second");
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "out of descriptors, a spawn with pipes fails and leaves nothing") {
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
  const int lowest_free = fcntl(STDERR_FILENO, F_DUPFD, 0);
  close(lowest_free);
  kith_process_options options = test::run_entry(ends, {});
  options.std_in = options.std_out = options.std_err = piped;
  for (int spare = 0; spare < 8; ++spare) {
    rlimit tight = before;
    tight.rlim_cur = static_cast<rlim_t>(lowest_free + spare);
    REQUIRE(setrlimit(RLIMIT_NOFILE, &tight) == 0);
    test::process child;
    const kith_status status = kith_process_spawn(&options, child.out());
    REQUIRE(setrlimit(RLIMIT_NOFILE, &before) == 0);
    if (status == KITH_OK) {
      test::end_of(child);
    } else {
      CHECK_STATUS(status, KITH_E_LIMIT);
    }
  }
}
