// SPDX-License-Identifier: MIT
#include <sys/epoll.h>

#include "gather.h"

namespace kith::platform {

kith_status gather_open(native_handle& out) {
  out = own_descriptor(epoll_create1(EPOLL_CLOEXEC));
  return out.valid() ? KITH_OK : fail(errno);
}

kith_status gather_add(int gather, int descriptor) {
  epoll_event event{};
  event.events = EPOLLIN;
  return epoll_ctl(gather, EPOLL_CTL_ADD, descriptor, &event) == 0 ? KITH_OK : fail(errno);
}

// Before the descriptor is closed: a copy of it in another process would keep it there.
void gather_remove(int gather, int descriptor) {
  epoll_event event{};
  (void)epoll_ctl(gather, EPOLL_CTL_DEL, descriptor, &event);
}

}  // namespace kith::platform
