// SPDX-License-Identifier: MIT
// What only the tests of the POSIX port share.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "../support.h"

namespace test {

class descriptor {
 public:
  explicit descriptor(int number) : number_(number) { REQUIRE(number >= 0); }
  ~descriptor() { ::close(number_); }
  descriptor(const descriptor&) = delete;
  descriptor& operator=(const descriptor&) = delete;
  int get() const { return number_; }

 private:
  int number_;
};

inline std::vector<int> open_descriptors() {
  std::vector<int> open;
  for (int number = 0; number < 4096; ++number) {
    if (fcntl(number, F_GETFD) != -1) open.push_back(number);
  }
  return open;
}

inline int end_of_program(std::vector<std::string> arguments, kith_process_options options) {
  const argument_list program(std::move(arguments));
  options.argv = program.argv();
  process child;
  REQUIRE_OK(kith_process_spawn(&options, child.out()));
  const shown_exit end = end_of(child);
  REQUIRE(end.kind == KITH_EXIT_CODE);
  return static_cast<int>(end.code);
}

// What a child has of kith itself: the segment that says what it was given, and the bell of the stop event, a pair of sockets where there is no eventfd.
// Darwin: the kqueue that tells of the parent's end.
#if defined(__APPLE__)
inline constexpr size_t handles_of_kith = 1 + 2 + 1;
#elif defined(KITH_PORTABLE)
inline constexpr size_t handles_of_kith = 1 + 2;
#else
inline constexpr size_t handles_of_kith = 1 + 1;
#endif

}  // namespace test
