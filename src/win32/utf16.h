// SPDX-License-Identifier: MIT
// Text between kith (UTF-8) and Windows (UTF-16). Nothing is replaced: text that is not valid is
// KITH_E_INVALID.
#pragma once

#include <kith/kith.h>

#include <cstddef>

#include "../buffer.h"

namespace kith::platform {

// Ends with NUL; size() counts it.
using wide_text = buffer<wchar_t>;

kith_status to_utf16(const char* source, size_t length, wide_text& out);
kith_status to_utf16(const char* source, wide_text& out);
kith_status to_utf8(const wchar_t* source, size_t length, text& out);

// Compares as Windows compares names of files and variables: -1, 0 or 1.
int compare_ignoring_case(const wchar_t* a, size_t a_length, const wchar_t* b, size_t b_length);

}  // namespace kith::platform
