// SPDX-License-Identifier: MIT
// Descriptors for the other side, by SCM_RIGHTS. What is under way when a process dies, or when the last copy of a socket is
// closed, the kernel closes.
#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstring>

#include "../mutex.h"
#include "stream_record.h"

namespace kith::platform {

namespace {

// The most that a kernel takes in one message (Linux: SCM_MAX_FD). Room for all of them: of what does not fit macOS
// has made descriptors already, whose numbers nobody would know.
constexpr size_t most_descriptors = 253;

union control_buffer {
  cmsghdr header;  // for its alignment
  unsigned char bytes[CMSG_SPACE(most_descriptors * sizeof(int))];
};

struct received {
  size_t count = 0;  // also those that were too many, and are closed again
  native_handle handles[most_handles_of_parcel];
  bool cut_off = false;
};

void keep_descriptors(const cmsghdr& header, received& out) {
  const size_t count = (header.cmsg_len - CMSG_LEN(0)) / sizeof(int);
  for (size_t i = 0; i < count; ++i) {
    int descriptor = -1;
    std::memcpy(&descriptor, CMSG_DATA(&header) + i * sizeof descriptor, sizeof descriptor);
    native_handle owned = own_descriptor(descriptor);
#if !defined(MSG_CMSG_CLOEXEC)
    (void)set_close_on_exec(owned.get());
#endif
    if (out.count < most_handles_of_parcel) out.handles[out.count] = std::move(owned);
    ++out.count;
  }
}

// One record with its descriptors.
bool receive_record(const stream& self, int flags, received& out) {
  stream_record record;
  control_buffer control;
  iovec bytes{&record, sizeof record};
  msghdr message{};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes;
  message.msg_controllen = sizeof control.bytes;
#if defined(MSG_CMSG_CLOEXEC)
  flags |= MSG_CMSG_CLOEXEC;
#endif
  const ssize_t size = restart([&] { return recvmsg(self.socket.get(), &message, flags | MSG_DONTWAIT); });
  if (size == -1) return false;
  for (cmsghdr* each = CMSG_FIRSTHDR(&message); each != nullptr; each = CMSG_NXTHDR(&message, each)) {
    if (each->cmsg_level == SOL_SOCKET && each->cmsg_type == SCM_RIGHTS) keep_descriptors(*each, out);
  }
  out.cut_off = (message.msg_flags & MSG_CTRUNC) != 0;
  return size == sizeof record;
}

#if defined(__linux__)

// A look gives us descriptors of our own, and the record stays until they are all there: with a full table of
// descriptors the kernel would throw the rest away (it says MSG_CTRUNC then; there was room in the buffer).
kith_status receive_parcel(const stream& self, received& out) {
  if (!receive_record(self, MSG_PEEK, out)) return KITH_E_PROTOCOL;
  if (out.cut_off) {
    fail(EMFILE);
    return KITH_E_LIMIT;
  }
  return drop_record(self) ? KITH_OK : KITH_E_PROTOCOL;
}

#else

// Elsewhere a look gives none. So we see before whether there is room in the table; another thread may still be quicker.
kith_status receive_parcel(const stream& self, received& out) {
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
  control_buffer control;
  iovec bytes{&record, sizeof record};
  msghdr message{};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  if (sent.count != 0) {
    // The lengths are size_t on Linux, socklen_t elsewhere.
    message.msg_control = control.bytes;
    message.msg_controllen =
        static_cast<decltype(message.msg_controllen)>(CMSG_SPACE(sent.count * sizeof(int)));
    std::memset(control.bytes, 0, message.msg_controllen);
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = static_cast<decltype(header->cmsg_len)>(CMSG_LEN(sent.count * sizeof(int)));
    for (size_t i = 0; i < sent.count; ++i) {
      const int descriptor = sent.handles[i]->get();
      std::memcpy(CMSG_DATA(header) + i * sizeof descriptor, &descriptor, sizeof descriptor);
    }
  }
  const ssize_t size = restart([&] { return sendmsg(self.socket.get(), &message, send_flags); });
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
  received came;
  if (kith_status status = receive_parcel(self, came); status != KITH_OK) return status;
  if (came.count != label.count || front.count != label.count) return KITH_E_PROTOCOL;
  for (size_t i = 0; i < label.count; ++i) out[i] = std::move(came.handles[i]);
  return KITH_OK;
}

void parcel_refuse(native_handle&& handle) { native_handle(std::move(handle)).reset(); }

}  // namespace kith::platform
