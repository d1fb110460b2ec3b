// SPDX-License-Identifier: MIT
// Who may open or duplicate the objects that the library makes. The default of Windows is not enough: it lets
// everybody read a named pipe, and lets whoever holds a section without a descriptor widen the rights of his
// handle.
#pragma once

#include "../platform.h"
#include "windows_api.h"

namespace kith::platform {

// Points into itself, so it stays where it was made; CreateX copies what it needs from it.
class access_rules {
 public:
  access_rules() = default;
  access_rules(const access_rules&) = delete;
  access_rules& operator=(const access_rules&) = delete;

  // The user of this process and the system, everything; others nothing.
  kith_status allow_this_user();
  // Nobody anything: whoever is given a handle has its rights, and no way to more.
  kith_status allow_nobody();

  SECURITY_ATTRIBUTES* attributes() { return &attributes_; }

 private:
  kith_status begin();
  kith_status allow(PSID who, DWORD rights);
  kith_status finish();

  SECURITY_ATTRIBUTES attributes_ = {};
  SECURITY_DESCRIPTOR descriptor_ = {};
  // Room for two entries with the longest identifier there is.
  static constexpr size_t list_size = sizeof(ACL) + 2 * (sizeof(ACCESS_ALLOWED_ACE) + SECURITY_MAX_SID_SIZE);
  alignas(ACL) unsigned char list_[list_size] = {};
};

}  // namespace kith::platform
