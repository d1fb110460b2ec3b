// SPDX-License-Identifier: MIT
// Reading option structs of callers that were compiled with an older or newer header.
#pragma once

#include <kith/kith.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace kith {

// Copies min(given, ours) bytes; what the caller has beyond ours must be zero. first_size: the struct's size in the first release.
kith_status copy_options(const void* given, void* out, size_t our_size, size_t first_size);

// NULL means all defaults. Every option struct has `flags` after struct_size.
template <class T>
kith_status read_options(const T* given, T& out, uint32_t known_flags, size_t first_size = sizeof(T)) {
  out = T{};
  if (given == nullptr) return KITH_OK;
  if (kith_status status = copy_options(given, &out, sizeof(T), first_size); status != KITH_OK) return status;
  return (out.flags & ~known_flags) == 0 ? KITH_OK : KITH_E_UNSUPPORTED;
}

}  // namespace kith
