// SPDX-License-Identifier: MIT
// Who may open or duplicate the objects that the library makes. The default of Windows is not enough: it lets
// everybody read a named pipe, and lets whoever holds a section without a descriptor widen the rights of his
// handle.
#pragma once

#include "../platform.h"
#include "windows_api.h"

namespace kith::platform {

struct security_id {
  alignas(SID) unsigned char bytes[SECURITY_MAX_SID_SIZE];
};

kith_status this_user(security_id& out);
kith_status user_of_token(HANDLE token, security_id& out);
kith_status name_of_user(PSID user, user_name& out);
kith_status user_of_name(const char* name, security_id& out);

// Points into itself, so it stays where it was made; CreateX copies what it needs from it.
class access_rules {
 public:
  access_rules() = default;
  access_rules(const access_rules&) = delete;
  access_rules& operator=(const access_rules&) = delete;

  // The user of this process and the system, everything; others nothing.
  kith_status allow_this_user();
  // The same, and to the users of the list some rights. What is made belongs to this user, whatever else the process may be.
  kith_status allow_users(const char* const* users, DWORD rights);
  // Nobody anything: whoever is given a handle has its rights, and no way to more.
  kith_status allow_nobody();

  SECURITY_ATTRIBUTES* attributes() { return &attributes_; }

 private:
  kith_status begin();
  kith_status allow(PSID who, DWORD rights);
  kith_status finish();

  SECURITY_ATTRIBUTES attributes_ = {};
  SECURITY_DESCRIPTOR descriptor_ = {};
  security_id owner_ = {};
  // Room for so many entries with the longest identifier there is.
  static constexpr size_t most_entries = 2 + 16;
  static constexpr size_t list_size =
      sizeof(ACL) + most_entries * (sizeof(ACCESS_ALLOWED_ACE) + SECURITY_MAX_SID_SIZE);
  alignas(ACL) unsigned char list_[list_size] = {};
};

}  // namespace kith::platform
