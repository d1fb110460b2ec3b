// SPDX-License-Identifier: MIT
#include "access_rules.h"

#include "win32_error.h"

namespace kith::platform {
namespace {

struct security_id {
  alignas(SID) unsigned char bytes[SECURITY_MAX_SID_SIZE];
};

kith_status well_known(WELL_KNOWN_SID_TYPE type, security_id& out) {
  DWORD size = sizeof(out.bytes);
  return CreateWellKnownSid(type, nullptr, out.bytes, &size) ? KITH_OK : fail_with_last_error();
}

kith_status this_user(security_id& out) {
  HANDLE opened = nullptr;
  if (!OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &opened)) return fail_with_last_error();
  const native_handle token(opened);
  alignas(TOKEN_USER) unsigned char answer[sizeof(TOKEN_USER) + SECURITY_MAX_SID_SIZE];
  DWORD size = 0;
  if (!GetTokenInformation(token.get(), TokenUser, answer, sizeof(answer), &size)) {
    return fail_with_last_error();
  }
  const TOKEN_USER* user = reinterpret_cast<const TOKEN_USER*>(answer);
  return CopySid(sizeof(out.bytes), out.bytes, user->User.Sid) ? KITH_OK : fail_with_last_error();
}

}  // namespace

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
