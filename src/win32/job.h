// SPDX-License-Identifier: MIT
#pragma once

#include "../platform.h"
#include "windows_api.h"

namespace kith::platform {

// What holds for all processes of a job: JOB_OBJECT_LIMIT_..., and nothing else.
inline bool job_limit(const native_handle& job, DWORD flags) {
  JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = {};
  limits.BasicLimitInformation.LimitFlags = flags;
  return SetInformationJobObject(job.get(), JobObjectExtendedLimitInformation, &limits, sizeof limits) != 0;
}

}  // namespace kith::platform
