// SPDX-License-Identifier: MIT
#include "environment_block.h"

#include <algorithm>
#include <cwchar>

#include "win32_error.h"

namespace kith::platform {
namespace {

// Variables one behind the other, each with its NUL, and where each begins.
struct variables {
  wide_text text;
  buffer<size_t> begins;

  bool add(const wchar_t* variable) {
    return begins.append(text.size()) && text.append(variable, std::wcslen(variable) + 1);
  }
};

// The name of a drive's variable begins with its first '='.
size_t name_length(const wchar_t* variable) {
  const wchar_t* end = variable[0] == L'\0' ? nullptr : std::wcschr(variable + 1, L'=');
  return end == nullptr ? std::wcslen(variable) : static_cast<size_t>(end - variable);
}

bool same_name(const wchar_t* a, const wchar_t* b) {
  return compare_ignoring_case(a, name_length(a), b, name_length(b)) == 0;
}

bool contains(const variables& all, const wchar_t* variable) {
  for (const size_t begin : all.begins) {
    if (same_name(all.text.data() + begin, variable)) return true;
  }
  return false;
}

kith_status add_given(const char* const* env, variables& all) {
  wide_text variable;
  for (; *env != nullptr; ++env) {
    if (const kith_status status = to_utf16(*env, variable); status != KITH_OK) return status;
    if (!all.add(variable.data())) return KITH_E_NO_MEMORY;
  }
  return KITH_OK;
}

// "=C:=C:\folder" says what C:file means to a process that is on another drive. Nobody sets it as a variable,
// and a child that gets our environment unchanged has it too.
bool is_folder_of_drive(const wchar_t* variable) {
  return variable[0] == L'=' && variable[1] != L'\0' && variable[2] == L':';
}

// What a child needs whatever it was given. Without SystemRoot much of Windows fails in it, as sockets and
// side-by-side assemblies.
bool is_needed(const wchar_t* variable) {
  return is_folder_of_drive(variable) || same_name(variable, L"SystemRoot");
}

kith_status add_needed(variables& all) {
  wchar_t* const ours = GetEnvironmentStringsW();
  if (ours == nullptr) return fail_with_last_error();
  bool fits = true;
  for (const wchar_t* next = ours; *next != L'\0' && fits; next += std::wcslen(next) + 1) {
    if (is_needed(next) && !contains(all, next)) fits = all.add(next);
  }
  FreeEnvironmentStringsW(ours);
  return fits ? KITH_OK : KITH_E_NO_MEMORY;
}

void sort_by_name(variables& all) {
  const wchar_t* const text = all.text.data();
  std::sort(all.begins.begin(), all.begins.end(), [text](size_t a, size_t b) {
    return compare_ignoring_case(text + a, name_length(text + a), text + b, name_length(text + b)) < 0;
  });
}

}  // namespace

kith_status make_environment_block(const char* const* env, wide_text& out) {
  variables all;
  kith_status status = add_given(env, all);
  if (status == KITH_OK) status = add_needed(all);
  if (status != KITH_OK) return status;
  sort_by_name(all);
  out.clear();
  bool fits = true;
  for (const size_t begin : all.begins) {
    const wchar_t* variable = all.text.data() + begin;
    fits = fits && out.append(variable, std::wcslen(variable) + 1);
  }
  // Two, so that a block without any variable ends with two as well.
  return fits && out.append(L'\0') && out.append(L'\0') ? KITH_OK : KITH_E_NO_MEMORY;
}

}  // namespace kith::platform
