// SPDX-License-Identifier: MIT
// Exactly the listed descriptors reach a child.
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <set>

#include "posix_support.h"

using test::nothing_leaks;

namespace {

struct stream_identity {
  dev_t devices[3];
  ino_t inodes[3];
};

stream_identity standard_streams() {
  stream_identity found{};
  for (int i = 0; i < 3; ++i) {
    struct stat info {};
    REQUIRE(fstat(i, &info) == 0);
    found.devices[i] = info.st_dev;
    found.inodes[i] = info.st_ino;
  }
  return found;
}

int32_t has_the_streams_of_its_parent(const void* argument, size_t) {
  const stream_identity own = standard_streams();
  const auto* expected = static_cast<const stream_identity*>(argument);
  for (int i = 0; i < 3; ++i) {
    CHILD_NEEDS(own.devices[i] == expected->devices[i]);
    CHILD_NEEDS(own.inodes[i] == expected->inodes[i]);
  }
  return 0;
}

// Knows each of its descriptors: the standard streams, what kith needs, a segment, a segment and a stream for a channel end.
int32_t counts_what_it_was_given(const void*, size_t) {
  CHILD_NEEDS(test::open_handles() <= 3 + test::handles_of_kith + 1 + 2);
  for (const int number : test::open_descriptors()) {
    CHILD_NEEDS(number < 3 || (fcntl(number, F_GETFD) & FD_CLOEXEC) != 0);
  }
  const size_t before = test::open_handles();
  {
    test::memory memory;
    test::channel line;
    CHILD_NEEDS(kith_memory_inherit("memory", memory.out()) == KITH_OK);
    CHILD_NEEDS(kith_channel_inherit("line", line.out()) == KITH_OK);
    CHILD_NEEDS(test::open_handles() == before);
  }
  CHILD_NEEDS(test::open_handles() == before - 3);
  return 0;
}

int32_t has_grandchild_without_anything(const void*, size_t) {
  test::memory memory;
  CHILD_NEEDS(kith_memory_inherit("memory", memory.out()) == KITH_OK);
  test::process grandchild = test::start_role({"count_handles"});
  return static_cast<int32_t>(test::end_of(grandchild).code);
}

int32_t adds_one(const void*, size_t) {
  test::value number;
  test::channel line;
  CHILD_NEEDS(kith_value_inherit("number", number.out()) == KITH_OK);
  CHILD_NEEDS(kith_channel_inherit("line", line.out()) == KITH_OK);
  CHILD_NEEDS(kith_value_add(number, 1, nullptr) == KITH_OK);
  CHILD_NEEDS(test::tell(line, "added"));
  return 0;
}

// A daemon has closed its standard streams: what is opened next gets their numbers.
int32_t without_standard_streams(const void*, size_t) {
  const int log = dup(2);
  for (int i = 0; i < 3; ++i) close(i);
  int32_t result = 0;
  {
    test::value number = test::make_value(KITH_I64);
    test::channel_pair line = test::make_channel();
    test::process child = test::start(adds_one, {{"number", number}, {"line", line.b}});
    if (!test::hear(line.a, "added")) result = 1;
    if (!(test::end_of(child) == test::shown_exit{KITH_EXIT_CODE, 0})) result = 2;
    if (*static_cast<int64_t*>(kith_value_data(number)) != 1) result = 3;
  }
  dup2(log, 2);
  return result;
}

int32_t cannot_map_writable_again(const void*, size_t) {
  const std::vector<int> before = test::open_descriptors();
  test::memory memory;
  CHILD_NEEDS(kith_memory_inherit("memory", memory.out()) == KITH_OK);
  int mapped = 0;
  for (const int number : test::open_descriptors()) {
    if (number < 3) continue;
    const bool readable = mmap(nullptr, 100, PROT_READ, MAP_SHARED, number, 0) != MAP_FAILED;
    const bool writable = mmap(nullptr, 100, PROT_READ | PROT_WRITE, MAP_SHARED, number, 0) != MAP_FAILED;
    const std::string path = "/proc/self/fd/" + std::to_string(number);
    const int again = open(path.c_str(), O_RDWR | O_CLOEXEC);
    const bool writable_again =
        again >= 0 && mmap(nullptr, 100, PROT_READ | PROT_WRITE, MAP_SHARED, again, 0) != MAP_FAILED;
    struct stat info {};
    CHILD_NEEDS(fstat(number, &info) == 0);
    // The segment that says what we were given is ours to write.
    if (readable && !writable && !writable_again) ++mapped;
    if (again >= 0) close(again);
  }
  CHILD_NEEDS(mapped == 1);
  return 0;
}

// What each descriptor is, by its kind, in any order: numbers differ with what the parent has open.
std::string kinds_of_descriptors() {
  std::vector<std::string> kinds;
  for (const int number : test::open_descriptors()) {
    struct stat info {};
    if (fstat(number, &info) != 0) continue;
    const bool standard = number <= STDERR_FILENO;
    kinds.push_back(standard                 ? "standard"
                    : S_ISSOCK(info.st_mode) ? "socket"
                    : S_ISREG(info.st_mode)  ? "memory"
                                             : "other");
    const bool to_exec = (fcntl(number, F_GETFD) & FD_CLOEXEC) == 0;
    if (!standard && to_exec) kinds.push_back("inheritable");
  }
  std::sort(kinds.begin(), kinds.end());
  std::string all;
  for (const std::string& kind : kinds) all += kind + " ";
  return all;
}

int32_t lists_what_it_has(const void*, size_t) {
  test::channel report;
  CHILD_NEEDS(kith_channel_inherit("report", report.out()) == KITH_OK);
  CHILD_NEEDS(test::tell(report, kinds_of_descriptors()));
  return 0;
}

// A program that was given nothing has its number of descriptors for an exit code.
int64_t extra_in_program() {
  test::process child = test::start_role({"count_handles"});
  return test::end_of(child).code;
}

std::string listed_by_function() {
  test::memory memory;
  REQUIRE_OK(kith_memory_create(100, nullptr, memory.out()));
  test::channel_pair line = test::make_channel();
  test::process child = test::start(lists_what_it_has, {{"memory", memory}, {"report", line.b}});
  const std::string list = test::heard(line.a);
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
  return list;
}

// Opens descriptors as a careless program does: none of them is close-on-exec.
void open_and_close() {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0) {
    close(pair[0]);
    close(pair[1]);
  }
  if (pipe(pair) == 0) {
    close(pair[0]);
    close(pair[1]);
  }
  const int file = open("/dev/null", O_RDONLY);
  const int high = fcntl(file, F_DUPFD, 500);
  test::lock lock;
  kith_lock_create(nullptr, lock.out());
  close(high);
  close(file);
}

class careless_threads {
 public:
  careless_threads() {
    for (std::thread& each : threads_) {
      each = std::thread([this] {
        while (!stop_) open_and_close();
      });
    }
  }
  ~careless_threads() {
    stop_ = true;
    for (std::thread& each : threads_) each.join();
  }
  careless_threads(const careless_threads&) = delete;
  careless_threads& operator=(const careless_threads&) = delete;

 private:
  std::atomic<bool> stop_ = false;
  std::thread threads_[2];
};

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks, "a program has the standard streams and no other descriptor of its parent") {
  // All of these are inherited by a careless exec.
  const test::descriptor file(open("/dev/null", O_RDWR));
  const test::descriptor socket(::socket(AF_UNIX, SOCK_STREAM, 0));
  const test::descriptor high(fcntl(file.get(), F_DUPFD, 1000));
  const test::channel_pair line = test::make_channel();
  const test::array array = test::make_array(KITH_I32, 1);
  test::process child = test::start_role({"count_handles"});
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "a child has the standard streams of its parent") {
  const stream_identity expected = standard_streams();
  test::process child = test::start_with(has_the_streams_of_its_parent, {}, expected);
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "a function has what it was given, and its own children do not get it") {
  const test::descriptor file(open("/dev/null", O_RDWR));
  test::memory memory;
  REQUIRE_OK(kith_memory_create(100, nullptr, memory.out()));
  test::channel_pair line = test::make_channel();
  test::process child = test::start(counts_what_it_was_given, {{"memory", memory}, {"line", line.b}});
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
  test::process other = test::start(has_grandchild_without_anything, {{"memory", memory}});
  CHECK_EXIT(other, KITH_EXIT_CODE, 0);
}

TEST_CASE_FIXTURE(
    nothing_leaks,
    "a child has exactly what it was given while threads open files and sockets and start others") {
  const std::string quiet = listed_by_function();
  CHECK(quiet.find("other") == quiet.rfind("other"));  // at most one: an eventfd or a kqueue of kith
  CHECK(quiet.find("inheritable") == std::string::npos);
  CHECK(std::count(quiet.begin(), quiet.end(), ' ') <=
        3 + static_cast<int>(test::handles_of_kith) + 1 + 2);  // streams, memory, channel
  const careless_threads others;
  std::atomic<int> wrong = 0;
  test::in_threads(2, [&](int) {
    for (int round = test::repetitions(150); round > 0; --round) {
      wrong += extra_in_program() != 0;
      wrong += listed_by_function() != quiet;
    }
  });
  CHECK(wrong == 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "no descriptor of ours is inherited by a process that kith did not start") {
  const std::vector<int> of_others = test::open_descriptors();
  const test::channel_pair line = test::make_channel();
  const test::array array = test::make_array(KITH_I32, 1);
  test::process child = test::start_role({"exit", "0"});
  int ours = 0;
  for (const int number : test::open_descriptors()) {
    if (std::count(of_others.begin(), of_others.end(), number) != 0) continue;
    CHECK((fcntl(number, F_GETFD) & FD_CLOEXEC) != 0);
    ++ours;
  }
  CHECK(ours > 0);
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "a process without standard streams starts children, too") {
  test::process child = test::start(without_standard_streams);
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "memory that is shared read-only cannot be mapped writable again") {
  if (kith_has(KITH_HAS_READ_ONLY_SHARE) == 0) SKIP_CASE("this OS cannot share memory read-only");
  auto options = test::defaults<kith_memory_options>();
  options.flags = KITH_MEMORY_READ_ONLY_SHARE;
  test::memory memory;
  REQUIRE_OK(kith_memory_create(100, &options, memory.out()));
  test::process child = test::start(cannot_map_writable_again, {{"memory", memory}});
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "shared memory has no name, not even while it lives") {
  const std::set<std::string> before = test::names_of_shared_memory();
  const test::channel_pair line = test::make_channel();
  const test::array array = test::make_array(KITH_I32, 1000);
  const test::lock lock = test::make_lock();
  // Others that run beside us without memfd have a name for a moment.
  CHECK(test::becomes_true([&] {
    const std::set<std::string> now = test::names_of_shared_memory();
    return std::includes(before.begin(), before.end(), now.begin(), now.end());
  }));
}
