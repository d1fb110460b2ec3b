// SPDX-License-Identifier: MIT
#include "options.h"

namespace kith {

kith_status copy_options(const void* given, void* out, size_t our_size, size_t first_size) {
  uint32_t size;
  std::memcpy(&size, given, sizeof size);
  if (size < first_size) return KITH_E_INVALID;
  const unsigned char* bytes = static_cast<const unsigned char*>(given);
  for (size_t i = our_size; i < size; ++i) {
    if (bytes[i] != 0) return KITH_E_UNSUPPORTED;
  }
  std::memcpy(out, given, size < our_size ? size : our_size);
  return KITH_OK;
}

}  // namespace kith
