// SPDX-License-Identifier: MIT
// Each bell is an event that stays set until it is quieted: all who wait for it, in all processes, hear one ring.
#include "win32_error.h"

namespace kith::platform {

kith_status bells_create(uint32_t count, bells& out) {
  bells made;
  for (uint32_t i = 0; i < count; ++i) {
    made.handles[i].reset(CreateEventW(nullptr, TRUE, FALSE, nullptr));
    if (!made.handles[i].valid()) return fail_with_last_error();
  }
  out = std::move(made);
  return KITH_OK;
}

void bells_adopt(native_handle&& first, native_handle&& second, bells& out) {
  out.handles[0] = std::move(first);
  out.handles[1] = std::move(second);
}

void bell_ring(const bells& self, uint32_t which) {
  if (self.handles[which].valid()) SetEvent(self.handles[which].get());
}

bool bell_quiet(const bells& self, uint32_t which) {
  if (!self.handles[which].valid()) return false;
  const bool rung = WaitForSingleObject(self.handles[which].get(), 0) == WAIT_OBJECT_0;
  if (rung) ResetEvent(self.handles[which].get());
  return rung;
}

kith_status ear_create(const bells&, uint32_t, native_handle&) { return KITH_E_UNSUPPORTED; }
bool ear_quiet(const native_handle&) { return false; }

}  // namespace kith::platform
