// SPDX-License-Identifier: MIT
// What goes through the control stream: records of one size. A bell wakes who polls; a parcel carries descriptors.
#pragma once

#include <sys/socket.h>
#include <sys/types.h>

#include "posix_internal.h"

namespace kith::platform {

enum : uint32_t { record_bell = 1, record_parcel = 2 };

struct stream_record {
  uint32_t kind;
  uint32_t count;   // of descriptors
  uint64_t ticket;  // of the message that the parcel belongs to
};
static_assert(sizeof(stream_record) == 16);

#if defined(MSG_NOSIGNAL)
inline constexpr int send_flags = MSG_DONTWAIT | MSG_NOSIGNAL;
#else
inline constexpr int send_flags = MSG_DONTWAIT;  // the socket has SO_NOSIGPIPE
#endif

enum class record_look { nothing, there, rubbish };

// Takes nothing. Sixteen bytes are written and read in one piece: a shorter record is not ours.
inline record_look look_at_record(const stream& self, stream_record& out) {
  const ssize_t size =
      restart([&] { return recv(self.socket.get(), &out, sizeof out, MSG_PEEK | MSG_DONTWAIT); });
  if (size <= 0) return record_look::nothing;  // the end, too: stream_look tells it
  const bool known = out.kind == record_bell || out.kind == record_parcel;
  return size == sizeof out && known ? record_look::there : record_look::rubbish;
}

// The record that was looked at. Descriptors in it are closed by the kernel.
inline bool drop_record(const stream& self) {
  stream_record record;
  return restart([&] { return recv(self.socket.get(), &record, sizeof record, MSG_DONTWAIT); }) ==
         sizeof record;
}

}  // namespace kith::platform
