// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <poll.h>

#include "../mutex.h"
#include "stream_record.h"

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

// The end is seen although records are unread. macOS tells of it only who asks for POLLHUP by name.
stream_state stream_look(const stream& self) {
  pollfd item{self.socket.get(), POLLHUP, 0};
  const int result = restart([&] { return poll(&item, 1, 0); });
  return result > 0 ? stream_state::ended : stream_state::open;
}

// A socket that is full has bells in it, or parcels that will be looked at soon: the other side wakes in any case.
void stream_ring(stream& self) {
  const stream_record bell{record_bell, 0, 0};
  (void)restart([&] { return send(self.socket.get(), &bell, sizeof bell, send_flags); });
}

// A parcel stays where it is. Its message is in the ring a moment later, or the other side has died in between; until then the
// poller wakes in vain. With the mutex: between the look and the taking another thread could take the bell, and
// we the first bytes of a parcel, whose descriptors would be lost.
kith_status stream_arm(stream& self) {
  const library_guard guard;
  stream_record front;
  for (;;) {
    switch (look_at_record(self, front)) {
      case record_look::nothing: return KITH_OK;
      case record_look::rubbish: return KITH_E_PROTOCOL;
      case record_look::there: break;
    }
    if (front.kind != record_bell) return KITH_OK;
    if (!drop_record(self)) return KITH_E_PROTOCOL;
  }
}

kith_status stream_poll_handle(stream& self, int64_t& out) {
  out = self.socket.get();
  return KITH_OK;
}

void stream_disarm(stream&) {}

const native_handle* stream_handle(const stream& self) { return &self.socket; }

kith_status stream_adopt(native_handle&& object, stream& out) {
  int type = 0;
  socklen_t size = sizeof type;
  const bool known = getsockopt(object.get(), SOL_SOCKET, SO_TYPE, &type, &size) == 0;
  if (!known || type != SOCK_STREAM) return KITH_E_MISMATCH;
#if defined(SO_NOSIGPIPE)
  const int on = 1;  // it may not be one that kith made
  if (setsockopt(object.get(), SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on) != 0) return fail(errno);
#endif
  out.socket = std::move(object);
  return KITH_OK;
}

void stream_close(stream& self) { self.socket.reset(); }

}  // namespace kith::platform
