// SPDX-License-Identifier: MIT
// Bytes with descriptors, by SCM_RIGHTS.
#pragma once

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <cstring>

#include "posix_internal.h"

namespace kith::platform {

// The most that a kernel takes in one message (Linux: SCM_MAX_FD). Room for all of them: of what does not fit macOS
// has made descriptors already, whose numbers nobody would know.
inline constexpr size_t most_descriptors = 253;

union control_buffer {
  cmsghdr header;  // for its alignment
  unsigned char bytes[CMSG_SPACE(most_descriptors * sizeof(int))];
};

struct received_descriptors {
  size_t count = 0;  // also those that were too many, and are closed again
  native_handle handles[most_handles_of_parcel];
  bool cut_off = false;
};

inline void keep_descriptors(const cmsghdr& header, received_descriptors& out) {
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

// What recvmsg says: -1 and errno, 0 at the end, or the number of bytes.
inline ssize_t receive_with_descriptors(int socket, void* bytes, size_t size, int flags,
                                        received_descriptors& out) {
  control_buffer control;
  iovec place{bytes, size};
  msghdr message{};
  message.msg_iov = &place;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes;
  message.msg_controllen = sizeof control.bytes;
#if defined(MSG_CMSG_CLOEXEC)
  flags |= MSG_CMSG_CLOEXEC;
#endif
  const ssize_t got = restart([&] { return recvmsg(socket, &message, flags | MSG_DONTWAIT); });
  if (got == -1) return got;
  for (cmsghdr* each = CMSG_FIRSTHDR(&message); each != nullptr; each = CMSG_NXTHDR(&message, each)) {
    if (each->cmsg_level == SOL_SOCKET && each->cmsg_type == SCM_RIGHTS) keep_descriptors(*each, out);
  }
  out.cut_off = (message.msg_flags & MSG_CTRUNC) != 0;
  return got;
}

// What sendmsg says.
inline ssize_t send_with_descriptors(int socket, void* bytes, size_t size, int flags,
                                     const native_handle* const* handles, size_t count) {
  control_buffer control;
  iovec place{bytes, size};
  msghdr message{};
  message.msg_iov = &place;
  message.msg_iovlen = 1;
  if (count != 0) {
    // The lengths are size_t on Linux, socklen_t elsewhere.
    message.msg_control = control.bytes;
    message.msg_controllen = static_cast<decltype(message.msg_controllen)>(CMSG_SPACE(count * sizeof(int)));
    std::memset(control.bytes, 0, message.msg_controllen);
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = static_cast<decltype(header->cmsg_len)>(CMSG_LEN(count * sizeof(int)));
    for (size_t i = 0; i < count; ++i) {
      const int descriptor = handles[i]->get();
      std::memcpy(CMSG_DATA(header) + i * sizeof descriptor, &descriptor, sizeof descriptor);
    }
  }
  return restart([&] { return sendmsg(socket, &message, flags); });
}

}  // namespace kith::platform
