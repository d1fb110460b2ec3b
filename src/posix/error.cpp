// SPDX-License-Identifier: MIT
#include <cerrno>

#include "posix_internal.h"

namespace kith::platform {

namespace {

struct translation {
  int os_error;
  kith_status status;
};

// EAGAIN is missing on purpose: it means a limit when processes are made, and nothing of the kind elsewhere.
constexpr translation translations[] = {
    {ENOMEM, KITH_E_NO_MEMORY},       {ENOSPC, KITH_E_NO_MEMORY},       {EMFILE, KITH_E_LIMIT},
    {ENFILE, KITH_E_LIMIT},           {ETOOMANYREFS, KITH_E_LIMIT},     {EACCES, KITH_E_DENIED},
    {EPERM, KITH_E_DENIED},           {ENOENT, KITH_E_NOT_FOUND},       {ENOTDIR, KITH_E_NOT_FOUND},
    {ENAMETOOLONG, KITH_E_NOT_FOUND}, {ELOOP, KITH_E_NOT_FOUND},        {ENOEXEC, KITH_E_NOT_A_PROGRAM},
    {EISDIR, KITH_E_NOT_A_PROGRAM},
#ifdef ELIBBAD
    {ELIBBAD, KITH_E_NOT_A_PROGRAM},
#endif
#ifdef EBADMACHO
    {EBADEXEC, KITH_E_NOT_A_PROGRAM}, {EBADARCH, KITH_E_NOT_A_PROGRAM}, {EBADMACHO, KITH_E_NOT_A_PROGRAM},
#endif
    {EEXIST, KITH_E_EXISTS},          {ETIMEDOUT, KITH_E_TIMEOUT},      {EPIPE, KITH_E_PEER_DIED},
    {ECONNRESET, KITH_E_PEER_DIED},   {ENOSYS, KITH_E_UNSUPPORTED},     {EOPNOTSUPP, KITH_E_UNSUPPORTED},
    {ENOTSUP, KITH_E_UNSUPPORTED},    {E2BIG, KITH_E_TOO_LARGE},        {EFBIG, KITH_E_TOO_LARGE},
};

constinit thread_local int32_t latest_error = 0;

}  // namespace

kith_status status_from_os(int32_t os_error) {
  for (const translation& known : translations) {
    if (known.os_error == os_error) return known.status;
  }
  return KITH_E_OS;
}

kith_status fail(int32_t os_error) {
  latest_error = os_error;
  return status_from_os(os_error);
}

int32_t last_os_error() { return latest_error; }

}  // namespace kith::platform
