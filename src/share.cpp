// SPDX-License-Identifier: MIT
#include "share.h"

#include <cstring>

#include "channel.h"
#include "object_transfer.h"
#include "segment_object.h"

namespace kith {

namespace {

kith_status describe_segment(const mapping& shared, shm::segment_kind kind, given_share& out) {
  out.kind = kind;
  out.handles[0] = &platform::memory_handle(shared.segment.memory);
  return KITH_OK;
}

kith_status describe_with_bells(segment_object& self, shm::segment_kind kind, given_share& out) {
  if (self.borrowed) return KITH_E_MISMATCH;
  for (uint32_t i = 0; i < platform::most_bells; ++i) {
    const platform::native_handle& bell = platform::bells_handle(self.bells, i);
    if (bell.valid()) out.handles[1 + i] = &bell;
  }
  return describe_segment(*self.shared, kind, out);
}

}  // namespace

kith_status share_describe(object& self, given_share& out) {
  switch (self.type->kind) {
    case object_kind::lock: {
      lock_object& lock = static_cast<lock_object&>(self);
      return lock.borrowed ? KITH_E_MISMATCH : describe_segment(*lock.shared, shm::segment_kind::lock, out);
    }
    case object_kind::channel: {
      channel_object& channel = static_cast<channel_object&>(self);
      out.kind = shm::segment_kind::channel;
      out.end = channel.end;
      out.handles[0] = &platform::memory_handle(channel.segment.memory);
      out.handles[1] = platform::stream_handle(channel.stream);
      return channel_begin_move(channel);
    }
    case object_kind::event:
    case object_kind::pool_bell:
    case object_kind::broadcast:
    case object_kind::queue: {
      const segment_class& type = *static_cast<const segment_class*>(self.type);
      return describe_with_bells(static_cast<segment_object&>(self), type.segment, out);
    }
    case object_kind::os_handle:
      out.kind = shm::segment_kind::os_handle;
      return os_handle_describe(self, out.handles[0]);
    case object_kind::process:
    case object_kind::pool:
    case object_kind::worker:
    case object_kind::reader:
    case object_kind::endpoint:
    case object_kind::stream:
    case object_kind::names:
    case object_kind::cancel: return KITH_E_MISMATCH;
    default:
      return describe_segment(*static_cast<segment_object&>(self).shared,
                              static_cast<const segment_class*>(self.type)->segment, out);
  }
}

bool name_is_valid(const char* name) {
  if (name == nullptr || name[0] == '\0') return false;
  for (size_t length = 1; length <= longest_name; ++length) {
    if (name[length] == '\0') return true;
  }
  return false;
}

given_shares::~given_shares() {
  for (given_share& each : list_) {
    if (each.kind == shm::segment_kind::channel)
      channel_end_move(static_cast<channel_object&>(*each.given), moved_);
    handle_unpin(each.user_handle);
  }
}

kith_status given_shares::add_all(const kith_share* shares, size_t count) {
  if (count != 0 && shares == nullptr) return KITH_E_INVALID;
  if (!list_.reserve(count)) return KITH_E_NO_MEMORY;
  for (size_t i = 0; i < count; ++i) {
    if (kith_status status = add(shares[i]); status != KITH_OK) return status;
  }
  return KITH_OK;
}

kith_status given_shares::add(const kith_share& share) {
  if (!name_is_valid(share.name)) return KITH_E_INVALID;
  for (const given_share& each : list_) {
    if (std::strcmp(each.name, share.name) == 0) return KITH_E_EXISTS;
    if (each.user_handle == share.object && each.kind == shm::segment_kind::channel) return KITH_E_EXISTS;
  }
  object* found = nullptr;
  if (kith_status status = handle_pin_any(share.object, found); status != KITH_OK) return status;
  given_share given{share.name, std::strlen(share.name), share.object, found, shm::segment_kind::memory, 0,
                    {}};
  kith_status status = share_describe(*found, given);
  if (status == KITH_OK && !list_.append(given))
    status = KITH_E_NO_MEMORY;  // add_all has reserved: it cannot fail
  if (status != KITH_OK) handle_unpin(share.object);
  return status;
}

void given_shares::moved() { moved_ = true; }

}  // namespace kith
