// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <sys/socket.h>

#include "posix_internal.h"

namespace kith::platform {

namespace {

#if defined(SOCK_CLOEXEC)

kith_status open_pair(native_handle (&ends)[2]) {
  int made[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, made) != 0) return fail(errno);
  for (int i = 0; i < 2; ++i) ends[i] = own_descriptor(made[i]);
  return KITH_OK;
}

#else

kith_status set_up(int end) {
  if (const kith_status status = set_close_on_exec(end); status != KITH_OK) return status;
  const int on = 1;
  if (setsockopt(end, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on) != 0) return fail(errno);
  const int flags = fcntl(end, F_GETFL);
  return flags == -1 || fcntl(end, F_SETFL, flags | O_NONBLOCK) == -1 ? fail(errno) : KITH_OK;
}

// macOS sets close-on-exec only in a second step. No child of ours can slip in between and inherit the
// socket: spawn_darwin.cpp lets the kernel close everything that is not listed, and a forked child closes
// what it was not given.
kith_status open_pair(native_handle (&ends)[2]) {
  int made[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, made) != 0) return fail(errno);
  for (int i = 0; i < 2; ++i) ends[i] = own_descriptor(made[i]);
  for (const native_handle& end : ends) {
    if (const kith_status status = set_up(end.get()); status != KITH_OK) return status;
  }
  return KITH_OK;
}

#endif

}  // namespace

kith_status stream_create(stream& a, stream& b) {
  native_handle ends[2];
  if (const kith_status status = open_pair(ends); status != KITH_OK) return status;
  a.socket = std::move(ends[0]);
  b.socket = std::move(ends[1]);
  return KITH_OK;
}

stream_state stream_look(const stream& self) {
  char byte;
  const ssize_t result = restart([&] { return recv(self.socket.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT); });
  if (result > 0) return stream_state::has_data;
  if (result == -1 && (errno == EAGAIN || errno == EWOULDBLOCK)) return stream_state::open;
  return stream_state::ended;
}

const native_handle* stream_handle(const stream& self) { return &self.socket; }

kith_status stream_adopt(native_handle&& object, stream& out) {
  out.socket = std::move(object);
  return KITH_OK;
}

void stream_close(stream& self) { self.socket.reset(); }

}  // namespace kith::platform
