// SPDX-License-Identifier: MIT
// Descriptors for the other side, by SCM_RIGHTS. What is under way when a process dies, or when the last copy of a socket is
// closed, the kernel closes.
#include <unistd.h>

#include "../mutex.h"
#include "descriptor_message.h"
#include "stream_record.h"

namespace kith::platform {

namespace {

// One record with its descriptors.
bool receive_record(const stream& self, int flags, received_descriptors& out) {
  stream_record record;
  return receive_with_descriptors(self.socket.get(), &record, sizeof record, flags, out) == sizeof record;
}

#if defined(__linux__)

// A look gives us descriptors of our own, and the record stays until they are all there: with a full table of
// descriptors the kernel would throw the rest away (it says MSG_CTRUNC then; there was room in the buffer).
kith_status receive_parcel(const stream& self, received_descriptors& out) {
  if (!receive_record(self, MSG_PEEK, out)) return KITH_E_PROTOCOL;
  if (out.cut_off) {
    fail(EMFILE);
    return KITH_E_LIMIT;
  }
  return drop_record(self) ? KITH_OK : KITH_E_PROTOCOL;
}

#else

// Elsewhere a look gives none. So we see before whether there is room in the table; another thread may still be quicker.
kith_status receive_parcel(const stream& self, received_descriptors& out) {
  {
    native_handle room[most_handles_of_parcel];
    for (native_handle& each : room) {
      each.reset(fcntl(self.socket.get(), F_DUPFD_CLOEXEC, 0));
      if (!each.valid()) return fail(errno);
    }
  }
  return receive_record(self, 0, out) && !out.cut_off ? KITH_OK : KITH_E_PROTOCOL;
}

#endif

}  // namespace

kith_status parcel_send(stream& self, identity, const parcel& sent, shm::parcel_slot&, parcel_label& out) {
  stream_record record{record_parcel, static_cast<uint32_t>(sent.count), sent.ticket};
  const ssize_t size =
      send_with_descriptors(self.socket.get(), &record, sizeof record, send_flags, sent.handles, sent.count);
  if (size == sizeof record) {
    out = {sent.ticket, sent.count, {}};
    return KITH_OK;
  }
  if (size != -1) return KITH_E_PROTOCOL;
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS ? KITH_E_TIMEOUT : fail(errno);
}

kith_status parcel_take(stream& self, const parcel_label& label, native_handle (&out)[most_handles_of_parcel],
                        bool& took_bells) {
  const library_guard guard;
  stream_record front;
  for (;;) {
    if (look_at_record(self, front) != record_look::there) return KITH_E_PROTOCOL;
    if (front.kind == record_parcel && front.ticket >= label.ticket) break;
    // A bell, or what a sender left behind that gave up or died.
    took_bells = took_bells || front.kind == record_bell;
    if (!drop_record(self)) return KITH_E_PROTOCOL;
  }
  if (front.ticket != label.ticket) return KITH_E_PROTOCOL;
  received_descriptors came;
  if (kith_status status = receive_parcel(self, came); status != KITH_OK) return status;
  if (came.count != label.count || front.count != label.count) return KITH_E_PROTOCOL;
  for (size_t i = 0; i < label.count; ++i) out[i] = std::move(came.handles[i]);
  return KITH_OK;
}

void parcel_refuse(native_handle&& handle) { native_handle(std::move(handle)).reset(); }

}  // namespace kith::platform
