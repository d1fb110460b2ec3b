// SPDX-License-Identifier: MIT
#include <poll.h>

#include "../foreign.h"
#include "posix_support.h"

namespace test {

bool os_says_ready(int64_t handle, int64_t timeout_ms) {
  pollfd item{static_cast<int>(handle), POLLIN, 0};
  return poll(&item, 1, static_cast<int>(timeout_ms)) == 1;
}

void close_os_handle(int64_t handle) { CHECK(::close(static_cast<int>(handle)) == 0); }

foreign_handle::foreign_handle() {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  handle_ = ends[0];
  other_ = ends[1];
}

foreign_handle::~foreign_handle() {
  ::close(static_cast<int>(handle_));
  ::close(static_cast<int>(other_));
}

void foreign_handle::make_ready() { CHECK(write(static_cast<int>(other_), "x", 1) == 1); }

socket_pair::socket_pair() {
  int ends[2];
  REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  ends_[0] = ends[0];
  ends_[1] = ends[1];
}

socket_pair::~socket_pair() {
  other_closes();
  ::close(static_cast<int>(ends_[0]));
}

void socket_pair::other_writes() { CHECK(send(static_cast<int>(ends_[1]), "x", 1, 0) == 1); }

void socket_pair::other_closes() {
  if (ends_[1] >= 0) ::close(static_cast<int>(std::exchange(ends_[1], -1)));
}

}  // namespace test
