// SPDX-License-Identifier: MIT
// Each bell is an eventfd of its own; of a named object it is a FIFO (name_place.cpp), which does as well. An ear is an epoll that hears it by its
// edges: its list of what is ready is its own, and each write puts the bell there again.
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "posix_internal.h"

namespace kith::platform {

kith_status bells_create(uint32_t count, bells& out) {
  bells made;
  for (uint32_t i = 0; i < count; ++i) {
    made.handles[i] = own_descriptor(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!made.handles[i].valid()) return fail(errno);
  }
  out = std::move(made);
  return KITH_OK;
}

// To ring one that blocks could take for ever; and a pipe or socket that nobody reads would raise SIGPIPE, but for a FIFO that we can read
// ourselves. An eventfd has no type of file.
static bool is_bell(const native_handle& handle) {
  struct stat info;
  const int flags = fcntl(handle.get(), F_GETFL);
  return flags != -1 && (flags & O_NONBLOCK) != 0 && (flags & O_ACCMODE) == O_RDWR &&
         fstat(handle.get(), &info) == 0 && (S_ISFIFO(info.st_mode) || (info.st_mode & S_IFMT) == 0);
}

void bells_adopt(native_handle&& first, native_handle&& second, bells& out) {
  out.handles[0] = std::move(first);
  out.handles[1] = std::move(second);
  for (native_handle& each : out.handles) {
    if (each.valid() && !is_bell(each)) each.reset();
  }
}

// One that is full has been rung, but an ear hears only what is written: so it is emptied. That happens to FIFOs, where nobody quiets them.
void bell_ring(const bells& self, uint32_t which) {
  if (!self.handles[which].valid()) return;
  const uint64_t once = 1;
  if (write(self.handles[which].get(), &once, sizeof once) > 0 || errno != EAGAIN) return;
  (void)bell_quiet(self, which);
  (void)!write(self.handles[which].get(), &once, sizeof once);
}

// An eventfd gives its count, and then nothing; a FIFO gives all rings.
bool bell_quiet(const bells& self, uint32_t which) {
  if (!self.handles[which].valid()) return false;
  // No more than fit into a FIFO: others may ring all the while.
  constexpr int most_reads = 64;
  uint64_t rings[512];
  bool rung = false;
  for (int i = 0; i < most_reads; ++i) {
    const ssize_t got = read(self.handles[which].get(), rings, sizeof rings);
    if (got > 0) rung = true;
    if (got < static_cast<ssize_t>(sizeof rings)) break;
  }
  return rung;
}

kith_status ear_create(const bells& self, uint32_t which, native_handle& out) {
  if (!self.handles[which].valid()) return KITH_E_UNSUPPORTED;
  native_handle made = own_descriptor(epoll_create1(EPOLL_CLOEXEC));
  epoll_event rung{};
  rung.events = EPOLLIN | EPOLLET;
  if (!made.valid() || epoll_ctl(made.get(), EPOLL_CTL_ADD, self.handles[which].get(), &rung) != 0)
    return fail(errno);
  out = std::move(made);
  return KITH_OK;
}

bool ear_quiet(const native_handle& ear) {
  epoll_event rung{};
  return ear.valid() && epoll_wait(ear.get(), &rung, 1, 0) > 0;
}

}  // namespace kith::platform
