// SPDX-License-Identifier: MIT
// Each bell is an eventfd of its own. An ear is an epoll that hears it by its edges: its list of what is ready is its own, and each write to
// the eventfd puts the bell there again.
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
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

// To ring one that blocks could take for ever.
void bells_adopt(native_handle&& first, native_handle&& second, bells& out) {
  out.handles[0] = std::move(first);
  out.handles[1] = std::move(second);
  for (native_handle& each : out.handles) {
    if (each.valid() && (fcntl(each.get(), F_GETFL) & O_NONBLOCK) == 0) each.reset();
  }
}

// A counter that is full has been rung: that it cannot be rung once more does not matter.
void bell_ring(const bells& self, uint32_t which) {
  if (!self.handles[which].valid()) return;
  const uint64_t once = 1;
  (void)!write(self.handles[which].get(), &once, sizeof once);
}

bool bell_quiet(const bells& self, uint32_t which) {
  uint64_t rings = 0;
  return self.handles[which].valid() && read(self.handles[which].get(), &rings, sizeof rings) > 0;
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
