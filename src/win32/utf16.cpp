// SPDX-License-Identifier: MIT
#include "utf16.h"

#include <climits>
#include <cstring>

#include "win32_error.h"

namespace kith::platform {

kith_status to_utf16(const char* source, size_t length, wide_text& out) {
  if (length > INT_MAX) return KITH_E_TOO_LARGE;
  // UTF-16 never has more units than UTF-8 has bytes.
  if (!out.resize(length + 1)) return KITH_E_NO_MEMORY;
  int units = 0;
  if (length != 0) {  // which the call below takes for a mistake
    const int bytes = static_cast<int>(length);
    units = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, source, bytes, out.data(), bytes);
    if (units == 0) return fail_with_last_error();
  }
  out[static_cast<size_t>(units)] = L'\0';
  return out.resize(static_cast<size_t>(units) + 1) ? KITH_OK : KITH_E_NO_MEMORY;
}

kith_status to_utf16(const char* source, wide_text& out) {
  return to_utf16(source, std::strlen(source), out);
}

kith_status to_utf8(const wchar_t* source, size_t length, text& out) {
  if (length > INT_MAX / 3) return KITH_E_TOO_LARGE;
  // A unit becomes three bytes at most: a character of four bytes has two units.
  if (!out.resize(length * 3 + 1)) return KITH_E_NO_MEMORY;
  int bytes = 0;
  if (length != 0) {
    bytes = WideCharToMultiByte(CP_UTF8, WC_ERR_INVALID_CHARS, source, static_cast<int>(length), out.data(),
                                static_cast<int>(length * 3), nullptr, nullptr);
    if (bytes == 0) return fail_with_last_error();
  }
  out[static_cast<size_t>(bytes)] = '\0';
  return out.resize(static_cast<size_t>(bytes) + 1) ? KITH_OK : KITH_E_NO_MEMORY;
}

int compare_ignoring_case(const wchar_t* a, size_t a_length, const wchar_t* b, size_t b_length) {
  return CompareStringOrdinal(a, static_cast<int>(a_length), b, static_cast<int>(b_length), TRUE) -
         CSTR_EQUAL;
}

}  // namespace kith::platform
