// SPDX-License-Identifier: MIT
// TerminateProcess sets an exit code, and there is nothing else by which to tell who ended a process. These
// two, "KI" and the number of the signal that does the same on POSIX, are unlikely enough to be anybody
// else's.
#pragma once

#include <cstdint>

namespace kith::platform {

inline constexpr uint32_t exit_code_terminated = 0x4B49'000F;
inline constexpr uint32_t exit_code_killed = 0x4B49'0009;

}  // namespace kith::platform
