// SPDX-License-Identifier: MIT
// The two bells are the two directions of a pair of sockets: every holder has both ends, rings a bell by writing into the other end,
// and hears it at its own. Of a named object each bell is a FIFO (name_place.cpp), which every holder has for reading and writing.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "posix_internal.h"

namespace kith::platform {

namespace {

#if defined(MSG_NOSIGNAL)
constexpr int quietly = MSG_DONTWAIT | MSG_NOSIGNAL;
#else
constexpr int quietly = MSG_DONTWAIT;  // the socket has SO_NOSIGPIPE
#endif

}  // namespace

// Both, however many are needed: one end alone would be the end of the other.
kith_status bells_create(uint32_t, bells& out) {
  stream first, second;
  if (const kith_status status = stream_create(first, second); status != KITH_OK) return status;
  out.handles[0] = std::move(first.socket);
  out.handles[1] = std::move(second.socket);
  return KITH_OK;
}

// No call on them ever waits: see `quietly`. A FIFO that would, or could raise SIGPIPE, is let go.
void bells_adopt(native_handle&& first, native_handle&& second, bells& out) {
  struct stat info;
  out.are_fifos = first.valid() && fstat(first.get(), &info) == 0 && S_ISFIFO(info.st_mode);
  out.handles[0] = std::move(first);
  out.handles[1] = std::move(second);
  for (native_handle& each : out.handles) {
    if (!out.are_fifos || !each.valid()) continue;
    const int flags = fcntl(each.get(), F_GETFL);
    if (flags == -1 || (flags & O_NONBLOCK) == 0 || (flags & O_ACCMODE) != O_RDWR) each.reset();
  }
}

// Where there is no room for one more ring, there are enough of them. No SIGPIPE comes of a FIFO that we can read ourselves.
void bell_ring(const bells& self, uint32_t which) {
  const native_handle& far_end = self.handles[self.are_fifos ? which : 1 - which];
  if (!far_end.valid()) return;
  if (self.are_fifos) {
    (void)!write(far_end.get(), "", 1);
  } else {
    (void)!send(far_end.get(), "", 1, quietly);
  }
}

bool bell_quiet(const bells& self, uint32_t which) {
  const native_handle& end = self.handles[which];
  if (!end.valid()) return false;
  // No more than fit into a socket: others may ring all the while.
  constexpr int most_reads = 64;
  char rings[4096];
  bool rung = false;
  for (int i = 0; i < most_reads; ++i) {
    const ssize_t got = restart([&] {
      return self.are_fifos ? read(end.get(), rings, sizeof rings)
                            : recv(end.get(), rings, sizeof rings, quietly);
    });
    if (got > 0) rung = true;
    if (got < static_cast<ssize_t>(sizeof rings)) break;
  }
  return rung;
}

kith_status ear_create(const bells&, uint32_t, native_handle&) { return KITH_E_UNSUPPORTED; }
bool ear_quiet(const native_handle&) { return false; }

}  // namespace kith::platform
