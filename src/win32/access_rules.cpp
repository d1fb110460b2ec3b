// SPDX-License-Identifier: MIT
#include "access_rules.h"

#include <sddl.h>

#include <cstring>

#include "win32_error.h"

namespace kith::platform {
namespace {

kith_status well_known(WELL_KNOWN_SID_TYPE type, security_id& out) {
  DWORD size = sizeof(out.bytes);
  return CreateWellKnownSid(type, nullptr, out.bytes, &size) ? KITH_OK : fail_with_last_error();
}

}  // namespace

kith_status user_of_token(HANDLE token, security_id& out) {
  alignas(TOKEN_USER) unsigned char told[sizeof(TOKEN_USER) + SECURITY_MAX_SID_SIZE];
  DWORD size = 0;
  if (!GetTokenInformation(token, TokenUser, told, sizeof(told), &size)) return fail_with_last_error();
  const TOKEN_USER* user = reinterpret_cast<const TOKEN_USER*>(told);
  return CopySid(sizeof(out.bytes), out.bytes, user->User.Sid) ? KITH_OK : fail_with_last_error();
}

kith_status this_user(security_id& out) {
  HANDLE opened = nullptr;
  if (!OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &opened)) return fail_with_last_error();
  const native_handle token(opened);
  return user_of_token(token.get(), out);
}

kith_status name_of_user(PSID user, user_name& out) {
  char* written = nullptr;
  if (!ConvertSidToStringSidA(user, &written)) return fail_with_last_error();
  const size_t length = std::strlen(written);
  const bool fits = length < sizeof(out.text);
  if (fits) std::memcpy(out.text, written, length + 1);
  LocalFree(written);
  return fits ? KITH_OK : KITH_E_TOO_LARGE;
}

kith_status user_of_name(const char* name, security_id& out) {
  if (std::strcmp(name, "*") == 0) return well_known(WinWorldSid, out);
  // Windows takes names such as "BA", too; kith's are numbers.
  if (std::strncmp(name, "S-1-", 4) != 0) return KITH_E_INVALID;
  PSID read = nullptr;
  if (!ConvertStringSidToSidA(name, &read)) {
    (void)fail_with_last_error();
    return KITH_E_INVALID;
  }
  const bool copied = CopySid(sizeof(out.bytes), out.bytes, read) != FALSE;
  LocalFree(read);
  return copied ? KITH_OK : KITH_E_INVALID;
}

kith_status access_rules::begin() {
  if (!InitializeSecurityDescriptor(&descriptor_, SECURITY_DESCRIPTOR_REVISION)) {
    return fail_with_last_error();
  }
  if (!InitializeAcl(reinterpret_cast<ACL*>(list_), sizeof(list_), ACL_REVISION)) {
    return fail_with_last_error();
  }
  return KITH_OK;
}

kith_status access_rules::allow(PSID who, DWORD rights) {
  return AddAccessAllowedAce(reinterpret_cast<ACL*>(list_), ACL_REVISION, rights, who)
             ? KITH_OK
             : fail_with_last_error();
}

kith_status access_rules::finish() {
  if (!SetSecurityDescriptorDacl(&descriptor_, TRUE, reinterpret_cast<ACL*>(list_), FALSE)) {
    return fail_with_last_error();
  }
  attributes_ = {sizeof(attributes_), &descriptor_, FALSE};
  return KITH_OK;
}

kith_status access_rules::allow_this_user() {
  security_id user, system;
  kith_status status = this_user(user);
  if (status == KITH_OK) status = well_known(WinLocalSystemSid, system);
  if (status == KITH_OK) status = begin();
  if (status == KITH_OK) status = allow(user.bytes, GENERIC_ALL);
  if (status == KITH_OK) status = allow(system.bytes, GENERIC_ALL);
  return status == KITH_OK ? finish() : status;
}

kith_status access_rules::allow_users(const char* const* users, DWORD rights) {
  kith_status status = allow_this_user();
  if (status == KITH_OK) status = this_user(owner_);
  for (; status == KITH_OK && users != nullptr && *users != nullptr; ++users) {
    security_id user;
    status = user_of_name(*users, user);
    if (status == KITH_OK) status = allow(user.bytes, rights);
  }
  if (status != KITH_OK) return status;
  return SetSecurityDescriptorOwner(&descriptor_, owner_.bytes, FALSE) ? KITH_OK : fail_with_last_error();
}

kith_status access_rules::allow_nobody() {
  // An empty list is not all: the owner of an object, which is every process of this user, may always change
  // the list, unless an entry for OWNER RIGHTS says what else he may. Reading the list does no harm.
  security_id owner;
  kith_status status = well_known(WinCreatorOwnerRightsSid, owner);
  if (status == KITH_OK) status = begin();
  if (status == KITH_OK) status = allow(owner.bytes, READ_CONTROL);
  return status == KITH_OK ? finish() : status;
}

}  // namespace kith::platform
