// SPDX-License-Identifier: MIT
// A pipe that an overlapped call can use needs a name. Nobody can know one of these before, and nobody else may open it.
#pragma once

#include "../platform.h"
#include "hex.h"
#include "windows_api.h"

namespace kith::platform {

inline constexpr wchar_t pipe_name_begin[] = L"\\\\.\\pipe\\kith-";
inline constexpr size_t pipe_name_begin_length = sizeof(pipe_name_begin) / sizeof(wchar_t) - 1;

struct pipe_name {
  wchar_t text[pipe_name_begin_length + 2 * hex_digits + 1];
};

inline kith_status make_pipe_name(pipe_name& out) {
  uint64_t random[2];
  if (const kith_status status = random_bytes(random, sizeof(random)); status != KITH_OK) return status;
  wchar_t* end = out.text;
  for (size_t i = 0; i < pipe_name_begin_length; ++i) *end++ = pipe_name_begin[i];
  end = write_hex(random[1], write_hex(random[0], end));
  *end = L'\0';
  return KITH_OK;
}

inline native_handle own_file(HANDLE handle) {
  return native_handle(handle == INVALID_HANDLE_VALUE ? nullptr : handle);
}

}  // namespace kith::platform
