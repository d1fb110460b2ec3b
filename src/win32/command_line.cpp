// SPDX-License-Identifier: MIT
#include "command_line.h"

#include <cwchar>

namespace kith::platform {
namespace {

bool append(wide_text& line, wchar_t unit, size_t count = 1) {
  for (; count > 0; --count) {
    if (!line.append(unit)) return false;
  }
  return true;
}

// The first word is taken apart by a rule of its own: up to the next quote, without escapes. A path has no
// quotes in it.
bool append_program(wide_text& line, const wide_text& program) {
  return append(line, L'"') && line.append(program.data(), program.size() - 1) && append(line, L'"');
}

// Backslashes mean themselves, but in front of a quote two mean one, and an odd one makes the quote mean
// itself.
bool append_quoted(wide_text& line, const wchar_t* argument) {
  if (!append(line, L'"')) return false;
  size_t backslashes = 0;
  for (; *argument != L'\0'; ++argument) {
    if (*argument == L'"' && !append(line, L'\\', backslashes + 1)) return false;
    backslashes = *argument == L'\\' ? backslashes + 1 : 0;
    if (!append(line, *argument)) return false;
  }
  return append(line, L'\\', backslashes) && append(line, L'"');  // the last quote is to mean its end
}

bool append_argument(wide_text& line, const wide_text& argument) {
  if (!append(line, L' ')) return false;
  const bool plain = argument.size() > 1 && std::wcspbrk(argument.data(), L" \t\n\v\"") == nullptr;
  return plain ? line.append(argument.data(), argument.size() - 1) : append_quoted(line, argument.data());
}

kith_status finish(wide_text& line) {
  if (!append(line, L'\0')) return KITH_E_NO_MEMORY;
  return line.size() > max_command_line ? KITH_E_TOO_LARGE : KITH_OK;
}

}  // namespace

kith_status make_command_line(const char* const* argv, wide_text& out) {
  out.clear();
  wide_text argument;
  for (size_t i = 0; argv[i] != nullptr; ++i) {
    if (const kith_status status = to_utf16(argv[i], argument); status != KITH_OK) return status;
    if (!(i == 0 ? append_program(out, argument) : append_argument(out, argument))) return KITH_E_NO_MEMORY;
    if (out.size() > max_command_line) return KITH_E_TOO_LARGE;
  }
  return finish(out);
}

kith_status make_command_line(const wide_text& program, wide_text& out) {
  out.clear();
  return append_program(out, program) ? finish(out) : KITH_E_NO_MEMORY;
}

}  // namespace kith::platform
