// SPDX-License-Identifier: MIT
#include "../platform.h"
#include "windows_api.h"

namespace kith::platform {
namespace {

struct translation {
  int32_t os_error;
  kith_status status;
};

// Not in every winerror.h.
constexpr int32_t error_virus_infected = 225;
constexpr int32_t error_elevation_required = 740;

constexpr translation table[] = {
    {ERROR_NOT_ENOUGH_MEMORY, KITH_E_NO_MEMORY},
    {ERROR_OUTOFMEMORY, KITH_E_NO_MEMORY},
    {ERROR_COMMITMENT_LIMIT, KITH_E_NO_MEMORY},
    {ERROR_COMMITMENT_MINIMUM, KITH_E_NO_MEMORY},
    {ERROR_DISK_FULL, KITH_E_NO_MEMORY},  // Wine keeps sections in a file

    {ERROR_TOO_MANY_OPEN_FILES, KITH_E_LIMIT},
    {ERROR_NO_MORE_USER_HANDLES, KITH_E_LIMIT},
    {ERROR_NO_SYSTEM_RESOURCES, KITH_E_LIMIT},
    {ERROR_NOT_ENOUGH_QUOTA, KITH_E_LIMIT},
    {ERROR_WORKING_SET_QUOTA, KITH_E_LIMIT},
    {ERROR_MAX_THRDS_REACHED, KITH_E_LIMIT},

    {ERROR_FILE_NOT_FOUND, KITH_E_NOT_FOUND},
    {ERROR_PATH_NOT_FOUND, KITH_E_NOT_FOUND},
    {ERROR_INVALID_DRIVE, KITH_E_NOT_FOUND},
    {ERROR_BAD_NETPATH, KITH_E_NOT_FOUND},
    {ERROR_BAD_NET_NAME, KITH_E_NOT_FOUND},
    {ERROR_INVALID_NAME, KITH_E_NOT_FOUND},  // a path that no file can have
    {ERROR_BAD_PATHNAME, KITH_E_NOT_FOUND},
    {ERROR_FILENAME_EXCED_RANGE, KITH_E_NOT_FOUND},
    {ERROR_MOD_NOT_FOUND, KITH_E_NOT_FOUND},
    {ERROR_ENVVAR_NOT_FOUND, KITH_E_NOT_FOUND},  // there is no PATH to look in

    {ERROR_ACCESS_DENIED, KITH_E_DENIED},
    {ERROR_PRIVILEGE_NOT_HELD, KITH_E_DENIED},
    {error_elevation_required, KITH_E_DENIED},
    {ERROR_ACCESS_DISABLED_BY_POLICY, KITH_E_DENIED},
    {error_virus_infected, KITH_E_DENIED},

    {ERROR_BAD_FORMAT, KITH_E_NOT_A_PROGRAM},
    {ERROR_BAD_EXE_FORMAT, KITH_E_NOT_A_PROGRAM},
    {ERROR_INVALID_EXE_SIGNATURE, KITH_E_NOT_A_PROGRAM},
    {ERROR_EXE_MARKED_INVALID, KITH_E_NOT_A_PROGRAM},
    {ERROR_EXE_MACHINE_TYPE_MISMATCH, KITH_E_NOT_A_PROGRAM},
    {ERROR_EXE_CANNOT_MODIFY_SIGNED_BINARY, KITH_E_NOT_A_PROGRAM},
    {ERROR_FILE_INVALID, KITH_E_NOT_A_PROGRAM},  // what an empty file is to the loader

    {ERROR_DIRECTORY, KITH_E_BAD_CWD},
    {ERROR_NO_UNICODE_TRANSLATION, KITH_E_INVALID},
    {ERROR_ALREADY_EXISTS, KITH_E_EXISTS},
    {ERROR_FILE_EXISTS, KITH_E_EXISTS},
    {ERROR_BROKEN_PIPE, KITH_E_PEER_DIED},
    {ERROR_PIPE_NOT_CONNECTED, KITH_E_PEER_DIED},
    {ERROR_NO_DATA, KITH_E_PEER_DIED},
    {ERROR_NOT_SUPPORTED, KITH_E_UNSUPPORTED},
    {ERROR_CALL_NOT_IMPLEMENTED, KITH_E_UNSUPPORTED},
    {ERROR_TIMEOUT, KITH_E_TIMEOUT},
    {WAIT_TIMEOUT, KITH_E_TIMEOUT},
};

thread_local int32_t last_error = 0;

}  // namespace

kith_status status_from_os(int32_t os_error) {
  for (const translation& entry : table) {
    if (entry.os_error == os_error) return entry.status;
  }
  return KITH_E_OS;
}

kith_status fail(int32_t os_error) {
  last_error = os_error;
  return status_from_os(os_error);
}

int32_t last_os_error() { return last_error; }

}  // namespace kith::platform
