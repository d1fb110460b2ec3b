// SPDX-License-Identifier: MIT
// What a child made by fork does with its copies of the parent's objects.
#include <fcntl.h>

#include <cerrno>

#include "../platform.h"

namespace kith::platform {

kith_status handle_duplicate(const native_handle& handle, native_handle& out) {
  const int copy = fcntl(handle.get(), F_DUPFD_CLOEXEC, 3);
  if (copy < 0) return fail(errno);
  out.reset(copy);
  return KITH_OK;
}

void process_close_handles(process& self) { self.watch.reset(); }

void process_disown(process& self) {
  (void)self.watch.release();
  self.pid = -1;
  self.collected = true;
}

void memory_keep_mapping_only(memory& self) {
  self.object.reset();
  self.read_only.reset();
}

}  // namespace kith::platform
