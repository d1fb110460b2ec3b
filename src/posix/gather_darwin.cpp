// SPDX-License-Identifier: MIT
#include <sys/event.h>

#include "gather.h"

namespace kith::platform {

kith_status gather_open(native_handle& out) {
  out = own_descriptor(kqueue());
  return out.valid() ? set_close_on_exec(out.get()) : fail(errno);
}

kith_status gather_add(int gather, int descriptor) {
  struct kevent change;
  EV_SET(&change, static_cast<uintptr_t>(descriptor), EVFILT_READ, EV_ADD, 0, 0, nullptr);
  return kevent(gather, &change, 1, nullptr, 0, nullptr) == 0 ? KITH_OK : fail(errno);
}

void gather_remove(int gather, int descriptor) {
  struct kevent change;
  EV_SET(&change, static_cast<uintptr_t>(descriptor), EVFILT_READ, EV_DELETE, 0, 0, nullptr);
  (void)kevent(gather, &change, 1, nullptr, 0, nullptr);
}

}  // namespace kith::platform
