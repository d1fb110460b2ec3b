// SPDX-License-Identifier: MIT
// CreateProcessW is always told the file by its full path. Left to itself it would also look into the
// directory of this program, the working directory and the Windows directories, and guess where in a command
// line the program ends.
#include "program.h"

#include <cwchar>

#include "win32_error.h"

namespace kith::platform {
namespace {

constexpr DWORD first_guess = MAX_PATH;

// Calls get(text, room), which answers as most Windows calls with text do: 0 is an error, less than the room
// the length without NUL, more the room that it wants.
template <class Get>
kith_status read_text(wide_text& out, Get get) {
  for (DWORD room = first_guess;;) {
    if (!out.resize(room)) return KITH_E_NO_MEMORY;
    const DWORD length = get(out.data(), room);
    if (length == 0) return fail_with_last_error();
    if (length < room) return out.resize(length + 1) ? KITH_OK : KITH_E_NO_MEMORY;
    // GetModuleFileNameW does not say how much it wants: it fills the room.
    room = length > room ? length : 2 * room;
  }
}

bool is_directory(DWORD attributes) { return (attributes & FILE_ATTRIBUTE_DIRECTORY) != 0; }

bool has_extension(const wide_text& path) { return std::wcschr(last_part(path.data()), L'.') != nullptr; }

template <size_t size>
bool append_text(wide_text& path, const wchar_t (&literal)[size]) {
  return path.resize(path.size() - 1) && path.append(literal, size);
}

bool is_batch_file(const wide_text& path) {
  size_t end = path.size() - 1;
  while (end > 0 && (path[end - 1] == L'.' || path[end - 1] == L' ')) --end;  // Windows does not see these
  if (end < 4) return false;
  const wchar_t* extension = path.data() + end - 4;
  return compare_ignoring_case(extension, 4, L".bat", 4) == 0 ||
         compare_ignoring_case(extension, 4, L".cmd", 4) == 0;
}

bool is_file(const wide_text& path) {
  const DWORD attributes = GetFileAttributesW(path.data());
  return attributes != INVALID_FILE_ATTRIBUTES && !is_directory(attributes);
}

// A name with the .exe that it may have been meant with, if there is such a file; else the name as it is.
kith_status from_path(const wide_text& name, wide_text& out) {
  kith_status status = full_path(name.data(), out);
  if (status != KITH_OK || has_extension(name)) return status;
  if (!append_text(out, L".exe")) return KITH_E_NO_MEMORY;
  return is_file(out) ? KITH_OK : full_path(name.data(), out);
}

// Not SearchPathW, which stops at a folder that has the name of the program.
kith_status from_search(const wide_text& name, wide_text& out) {
  wide_text folders, joined;
  const kith_status has_path = read_text(
      folders, [](wchar_t* text, DWORD room) { return GetEnvironmentVariableW(L"PATH", text, room); });
  if (has_path != KITH_OK) return has_path == KITH_E_NO_MEMORY ? has_path : KITH_E_NOT_FOUND;
  const wchar_t* entry = folders.data();
  while (*entry != L'\0') {
    const size_t length = std::wcscspn(entry, L";");
    joined.clear();
    const bool fits = joined.append(entry, length) && joined.append(L'\\') &&
                      joined.append(name.data(), name.size()) &&
                      (has_extension(name) || append_text(joined, L".exe"));
    if (!fits) return KITH_E_NO_MEMORY;
    if (length != 0 && is_file(joined)) return full_path(joined.data(), out);  // the folder may be relative
    entry += entry[length] == L'\0' ? length : length + 1;
  }
  return KITH_E_NOT_FOUND;
}

}  // namespace

kith_status full_path(const wchar_t* path, wide_text& out) {
  return read_text(out,
                   [path](wchar_t* text, DWORD room) { return GetFullPathNameW(path, room, text, nullptr); });
}

kith_status file_of_module(void* module, wide_text& out) {
  return read_text(out, [module](wchar_t* text, DWORD room) {
    return GetModuleFileNameW(static_cast<HMODULE>(module), text, room);
  });
}

const wchar_t* last_part(const wchar_t* path) {
  const wchar_t* part = path;
  for (; *path != L'\0'; ++path) {
    if (*path == L'\\' || *path == L'/' || *path == L':') part = path + 1;
  }
  return part;
}

kith_status find_program(const char* name, wide_text& out, program_kind& kind) {
  wide_text wide;
  kith_status status = to_utf16(name, wide);
  if (status != KITH_OK) return status;
  if (wide[0] == L'\0') return KITH_E_NOT_FOUND;
  const bool is_path = last_part(wide.data()) != wide.data();
  status = is_path ? from_path(wide, out) : from_search(wide, out);
  if (status != KITH_OK) return status;
  const DWORD attributes = GetFileAttributesW(out.data());
  if (attributes == INVALID_FILE_ATTRIBUTES) return fail_with_last_error();
  if (is_directory(attributes)) {
    return KITH_E_NOT_A_PROGRAM;  // CreateProcessW would say that access is denied
  }
  kind = is_batch_file(out) ? program_kind::batch_file : program_kind::executable;
  return KITH_OK;
}

kith_status find_command_interpreter(wide_text& out) {
  const kith_status status =
      read_text(out, [](wchar_t* text, DWORD room) { return GetSystemDirectoryW(text, room); });
  if (status != KITH_OK) return status;
  return append_text(out, L"\\cmd.exe") ? KITH_OK : KITH_E_NO_MEMORY;
}

kith_status find_directory(const char* name, wide_text& out) {
  wide_text wide;
  if (const kith_status status = to_utf16(name, wide); status != KITH_OK) return status;
  if (wide[0] == L'\0') return KITH_E_BAD_CWD;
  if (full_path(wide.data(), out) != KITH_OK) return KITH_E_BAD_CWD;
  const DWORD attributes = GetFileAttributesW(out.data());
  if (attributes == INVALID_FILE_ATTRIBUTES || !is_directory(attributes)) return KITH_E_BAD_CWD;
  // Opened as the child will open it. One that it may not enter would otherwise leave it in another
  // directory.
  constexpr DWORD share_all = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;
  const HANDLE opened = CreateFileW(out.data(), FILE_TRAVERSE | SYNCHRONIZE, share_all, nullptr,
                                    OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, nullptr);
  if (opened == INVALID_HANDLE_VALUE) return KITH_E_BAD_CWD;
  native_handle(opened).reset();
  return KITH_OK;
}

}  // namespace kith::platform
