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

template <size_t size>
bool append_text(wide_text& line, const wchar_t (&literal)[size]) {
  return line.append(literal, size - 1);
}

// Characters that mean nothing to cmd.exe, wherever they stand. A batch file sees the quotes around an
// argument, so a plain word gets none.
bool is_plain(wchar_t unit) {
  const bool letter = (unit >= L'a' && unit <= L'z') || (unit >= L'A' && unit <= L'Z');
  const bool digit = unit >= L'0' && unit <= L'9';
  return letter || digit || (unit != L'\0' && std::wcschr(L"#$+-./:@\\_", unit) != nullptr);
}

// In quotes cmd.exe leaves everything alone but the quote, which ends them, and the percent sign.
//   A quote is doubled: cmd.exe sees an end and a new beginning, so what follows is quoted again, and stays
// so when it is read once more; the C runtime sees a quote.
//   There is no escape for the percent sign on a command line. %cd:~,% is a piece of no characters of a
// variable that is always there: the sign before it finds no partner that would make it another variable.
bool append_for_batch(wide_text& line, const wchar_t* argument) {
  if (!append(line, L'"')) return false;
  size_t backslashes = 0;
  for (; *argument != L'\0'; ++argument) {
    const wchar_t unit = *argument;
    if (unit == L'"' && !append(line, L'\\', backslashes)) return false;
    if (unit == L'"' && !append(line, L'"')) return false;
    if (unit == L'%' && !append_text(line, L"%%cd:~,")) return false;
    backslashes = unit == L'\\' ? backslashes + 1 : 0;
    if (!append(line, unit)) return false;
  }
  return append(line, L'\\', backslashes) && append(line, L'"');
}

// A line break ends the command for cmd.exe, in quotes too; of other control characters nobody says what
// they do.
bool has_control_character(const wide_text& argument) {
  for (const wchar_t unit : argument) {
    if ((unit < L' ' && unit != L'\t' && unit != L'\0') || unit == 0x7F) return true;
  }
  return false;
}

// A last backslash would make a quote out of the closing one in a batch file that says "%~1".
bool append_batch_argument(wide_text& line, const wide_text& argument) {
  bool plain = argument.size() > 1 && argument[argument.size() - 2] != L'\\';
  for (size_t i = 0; i + 1 < argument.size(); ++i) plain = plain && is_plain(argument[i]);
  if (!append(line, L' ')) return false;
  return plain ? line.append(argument.data(), argument.size() - 1) : append_for_batch(line, argument.data());
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

// /d: no commands from the registry before ours; /e:on: %cd:~,% needs the extensions; /v:off: an exclamation
// mark is one; /s: the first quote behind /c and the last of the line are taken away, whatever is between.
kith_status make_batch_line(const wide_text& batch_file, const char* const* argv, wide_text& out) {
  out.clear();
  if (std::wcsncmp(batch_file.data(), L"\\\\?\\", 4) == 0) return KITH_E_UNSUPPORTED;
  if (!append_text(out, L"cmd.exe /d /e:on /v:off /s /c \"")) return KITH_E_NO_MEMORY;
  if (!append_for_batch(out, batch_file.data())) return KITH_E_NO_MEMORY;
  wide_text argument;
  for (size_t i = 1; argv[i] != nullptr; ++i) {
    if (const kith_status status = to_utf16(argv[i], argument); status != KITH_OK) return status;
    if (has_control_character(argument)) return KITH_E_INVALID;
    if (!append_batch_argument(out, argument)) return KITH_E_NO_MEMORY;
    if (out.size() > max_batch_line) return KITH_E_TOO_LARGE;
  }
  if (!append(out, L'"')) return KITH_E_NO_MEMORY;
  return out.size() > max_batch_line ? KITH_E_TOO_LARGE : finish(out);
}

}  // namespace kith::platform
