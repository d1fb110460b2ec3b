// SPDX-License-Identifier: MIT
// A named object is a section with a name, which is there for as long as any process has a handle to it, and is seen half made by nobody, as a mutex is held
// while one is made. One that is persistent has a file under it. Who finds the file without the section knows that nobody uses the object.
//
// What names there are, the directory of the session's objects says: NtQueryDirectoryObject. Windows documents it, with the remark that it may change;
// a table of ours in a section would have to be kept true through every kill, and would be full some day.
// These need windows.h before them.
// clang-format off
#include "windows_api.h"
#include <userenv.h>
#include <winternl.h>
// clang-format on

#include <cstddef>
#include <cstring>

#include "access_rules.h"
#include "pipe_io.h"
#include "utf16.h"
#include "win32_error.h"

namespace kith::platform {

namespace {

constexpr wchar_t session_names[] = L"Local\\";
constexpr wchar_t all_names[] = L"kith-";
constexpr wchar_t endpoint_names[] = L"kith-e-";

kith_status denied() { return fail(ERROR_ACCESS_DENIED); }

template <class Call>
Call call_of_ntdll(const char* name) {
  const HMODULE ntdll = GetModuleHandleW(L"ntdll.dll");
  const FARPROC found = ntdll == nullptr ? nullptr : GetProcAddress(ntdll, name);
  Call call = nullptr;
  static_assert(sizeof(call) == sizeof(found));
  std::memcpy(&call, &found, sizeof(call));
  return call;
}

// ---- how names are written -----------------------------------------------------------------------------------------------------------------

// Local\kith-<16 hex digits of the user>-<key><end>
struct object_name {
  wchar_t text[96];
};

wchar_t* append(wchar_t* end, const wchar_t* text) {
  while (*text != L'\0') *end++ = *text++;
  *end = L'\0';
  return end;
}

wchar_t* append(wchar_t* end, const char* text) {
  while (*text != '\0') *end++ = static_cast<wchar_t>(*text++);
  *end = L'\0';
  return end;
}

object_name name_of(const name_place& self, const char* key, const wchar_t* more = L"") {
  object_name out;
  append(append(append(append(out.text, session_names), self.prefix), key), more);
  return out;
}

object_name name_of_bell(const name_place& self, const name_key& key, uint32_t index) {
  const wchar_t more[] = {L'-', static_cast<wchar_t>(L'0' + index), L'\0'};
  return name_of(self, key.text, more);
}

kith_status write_prefix(name_place& out) {
  user_name user;
  if (const kith_status status = own_user(user); status != KITH_OK) return status;
  sha256 hash;
  hash.add(user.text, std::strlen(user.text));
  const digest whole = hash.end();
  uint64_t number;
  std::memcpy(&number, whole.bytes, sizeof(number));
  wchar_t* const end = write_hex(number, append(out.prefix, all_names));
  append(end, L"-");
  return KITH_OK;
}

// ---- files of what is persistent -----------------------------------------------------------------------------------------------------------

constexpr wchar_t environment_name[] = L"KITH_RUNTIME_DIR";

bool append_text(wide_text& out, const wchar_t* text) {
  size_t length = 0;
  while (text[length] != L'\0') ++length;
  if (!out.empty()) (void)out.resize(out.size() - 1);  // it shrinks
  return out.append(text, length) && out.append(L'\0');
}

kith_status folder_of_profile(wide_text& out) {
  HANDLE opened = nullptr;
  if (!OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &opened)) return fail_with_last_error();
  const native_handle token(opened);
  DWORD size = 0;
  GetUserProfileDirectoryW(token.get(), nullptr, &size);
  if (!out.resize(size)) return KITH_E_NO_MEMORY;
  if (size == 0 || !GetUserProfileDirectoryW(token.get(), out.data(), &size)) return fail_with_last_error();
  return append_text(out, L"\\AppData\\Local\\kith") ? KITH_OK : KITH_E_NO_MEMORY;
}

// Not by the environment, unless somebody wants it so: see runtime_folder.cpp of the POSIX port.
kith_status find_folder(wide_text& out) {
  const DWORD size = GetEnvironmentVariableW(environment_name, nullptr, 0);
  if (size <= 1) return folder_of_profile(out);
  if (!out.resize(size)) return KITH_E_NO_MEMORY;
  if (GetEnvironmentVariableW(environment_name, out.data(), size) != size - 1) return fail_with_last_error();
  return append_text(out, L"\\kith-names") ? KITH_OK : KITH_E_NO_MEMORY;
}

kith_status path_of(const name_place& self, const char* key, wide_text& out) {
  wchar_t wide[sizeof(name_key::text) + 1];
  append(append(wide, L"\\"), key);
  const bool written = out.append(self.folder.data(), self.folder.size()) && append_text(out, wide);
  return written ? KITH_OK : KITH_E_NO_MEMORY;
}

// One level: what is above it is there.
kith_status make_folder(const name_place& self) {
  access_rules ours;
  if (const kith_status status = ours.allow_users(nullptr, 0); status != KITH_OK) return status;
  if (CreateDirectoryW(self.folder.data(), ours.attributes())) return KITH_OK;
  const DWORD error = GetLastError();
  return error == ERROR_ALREADY_EXISTS ? KITH_OK : fail(static_cast<int32_t>(error));
}

bool is_ours(HANDLE file) {
  alignas(void*) unsigned char descriptor[sizeof(SECURITY_DESCRIPTOR) + 2 * SECURITY_MAX_SID_SIZE];
  DWORD needed = 0;
  PSID owner = nullptr;
  BOOL is_default = FALSE;
  security_id me;
  return GetKernelObjectSecurity(file, OWNER_SECURITY_INFORMATION, descriptor, sizeof(descriptor), &needed) &&
         GetSecurityDescriptorOwner(descriptor, &owner, &is_default) && owner != nullptr &&
         this_user(me) == KITH_OK && EqualSid(owner, me.bytes);
}

// A link is opened itself, and refused.
kith_status check_file(HANDLE file) {
  BY_HANDLE_FILE_INFORMATION info;
  if (!GetFileInformationByHandle(file, &info)) return fail_with_last_error();
  constexpr DWORD strange = FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_REPARSE_POINT;
  const bool is_plain = (info.dwFileAttributes & strange) == 0 && info.nNumberOfLinks <= 1;
  return is_plain && is_ours(file) ? KITH_OK : denied();
}

constexpr DWORD share_all = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;

// What is removed, and still open in a process that is just ending, is gone soon.
kith_status fail_at_file(DWORD error) {
  constexpr NTSTATUS delete_pending = static_cast<NTSTATUS>(0xC0000056);
  using last_status_call = NTSTATUS(NTAPI*)();
  const auto last_status = call_of_ntdll<last_status_call>("RtlGetLastNtStatus");
  const bool is_going =
      error == ERROR_ACCESS_DENIED && last_status != nullptr && last_status() == delete_pending;
  return is_going || error == ERROR_DELETE_PENDING ? kith_status{KITH_E_BUSY}
                                                   : fail(static_cast<int32_t>(error));
}

// KITH_E_NOT_FOUND: there is none.
kith_status open_file(const name_place& self, const name_key& key, native_handle& out) {
  wide_text path;
  if (const kith_status status = path_of(self, key.text, path); status != KITH_OK) return status;
  native_handle opened = owned_file(CreateFileW(
      path.data(), GENERIC_READ | GENERIC_WRITE, share_all, nullptr, OPEN_EXISTING,
      FILE_ATTRIBUTE_NORMAL | FILE_FLAG_OPEN_REPARSE_POINT | FILE_FLAG_BACKUP_SEMANTICS, nullptr));
  if (!opened.valid()) return fail_at_file(GetLastError());
  if (const kith_status status = check_file(opened.get()); status != KITH_OK) return status;
  out = std::move(opened);
  return KITH_OK;
}

kith_status make_file(name_place& self, const name_key& key, native_handle& out) {
  if (const kith_status status = make_folder(self); status != KITH_OK) return status;
  wide_text path;
  if (const kith_status status = path_of(self, key.text, path); status != KITH_OK) return status;
  access_rules ours;
  if (const kith_status status = ours.allow_users(nullptr, 0); status != KITH_OK) return status;
  native_handle made =
      owned_file(CreateFileW(path.data(), GENERIC_READ | GENERIC_WRITE | DELETE, share_all, ours.attributes(),
                             CREATE_NEW, FILE_ATTRIBUTE_NORMAL | FILE_FLAG_OPEN_REPARSE_POINT, nullptr));
  if (!made.valid()) return fail_at_file(GetLastError());
  out = std::move(made);
  return KITH_OK;
}

// ---- sections ------------------------------------------------------------------------------------------------------------------------------

// Of a file, or of the paging file. KITH_E_BUSY: one of that name is there.
kith_status make_section(const object_name& name, HANDLE file, uint64_t size, native_handle& out) {
  access_rules ours;
  if (const kith_status status = ours.allow_this_user(); status != KITH_OK) return status;
  const DWORD committed = file == INVALID_HANDLE_VALUE ? SEC_COMMIT : 0;
  native_handle made(CreateFileMappingW(file, ours.attributes(), PAGE_READWRITE | committed,
                                        static_cast<DWORD>(size >> 32), static_cast<DWORD>(size), name.text));
  const DWORD error = GetLastError();
  if (!made.valid()) return error == ERROR_INVALID_HANDLE ? denied() : fail(static_cast<int32_t>(error));
  if (error == ERROR_ALREADY_EXISTS) return KITH_E_BUSY;
  out = std::move(made);
  return KITH_OK;
}

// KITH_E_NOT_FOUND: there is none.
kith_status open_section(const object_name& name, DWORD rights, native_handle& out) {
  native_handle opened(OpenFileMappingW(rights, FALSE, name.text));
  if (!opened.valid()) {
    const DWORD error = GetLastError();
    return error == ERROR_INVALID_HANDLE ? denied() : fail(static_cast<int32_t>(error));
  }
  out = std::move(opened);
  return KITH_OK;
}

kith_status open_bells(const name_place& self, const name_key& key, uint32_t count, bells& out) {
  access_rules ours;
  if (const kith_status status = ours.allow_this_user(); status != KITH_OK) return status;
  bells opened;
  for (uint32_t i = 0; i < count; ++i) {
    const object_name name = name_of_bell(self, key, i);
    opened.handles[i].reset(CreateEventW(ours.attributes(), TRUE, FALSE, name.text));
    if (!opened.handles[i].valid()) {
      const DWORD error = GetLastError();
      return error == ERROR_INVALID_HANDLE ? denied() : fail(static_cast<int32_t>(error));
    }
  }
  out = std::move(opened);
  return KITH_OK;
}

// ---- the directory of the session ----------------------------------------------------------------------------------------------------------

struct directory_entry {
  UNICODE_STRING name;
  UNICODE_STRING type;
};

using open_directory_call = NTSTATUS(NTAPI*)(HANDLE*, ACCESS_MASK, OBJECT_ATTRIBUTES*);
using query_directory_call = NTSTATUS(NTAPI*)(HANDLE, void*, ULONG, BOOLEAN, BOOLEAN, ULONG*, ULONG*);

native_handle open_directory(open_directory_call call, const wchar_t* path) {
  constexpr ACCESS_MASK query = 1;
  wchar_t text[64];
  wchar_t* const end = append(text, path);
  UNICODE_STRING name{};
  name.Length = static_cast<USHORT>(static_cast<size_t>(end - text) * sizeof(wchar_t));
  name.MaximumLength = static_cast<USHORT>(name.Length + sizeof(wchar_t));
  name.Buffer = text;
  OBJECT_ATTRIBUTES attributes{};
  attributes.Length = sizeof(attributes);
  attributes.ObjectName = &name;
  HANDLE opened = nullptr;
  return native_handle(call(&opened, query, &attributes) >= 0 ? opened : nullptr);
}

// What `Local\` stands for.
native_handle open_session_directory() {
  const auto call = call_of_ntdll<open_directory_call>("NtOpenDirectoryObject");
  DWORD session = 0;
  if (call == nullptr || !ProcessIdToSessionId(GetCurrentProcessId(), &session)) return {};
  wchar_t digits[16];
  wchar_t* begin = digits + 15;
  *begin = L'\0';
  do {
    *--begin = static_cast<wchar_t>(L'0' + session % 10);
    session /= 10;
  } while (session != 0);
  wchar_t path[64];
  append(append(append(path, L"\\Sessions\\"), begin), L"\\BaseNamedObjects");
  native_handle found = open_directory(call, path);
  // Of session 0, in which services are.
  return found.valid() ? std::move(found) : open_directory(call, L"\\BaseNamedObjects");
}

constexpr NTSTATUS more_entries = 0x00000105;

// All in one call, which nothing can come between: the buffer grows until they fit. Wine gives one at a time, by its number: of one that goes
// meanwhile the next one has its number, and is passed over. So there they are visited twice.
template <class Visit>
kith_status visit_session(Visit visit) {
  const auto query = call_of_ntdll<query_directory_call>("NtQueryDirectoryObject");
  const native_handle directory = open_session_directory();
  if (query == nullptr || !directory.valid()) return KITH_E_UNSUPPORTED;
  buffer<uint64_t> entries;  // aligned as the entries are
  ULONG context = 0, length = 0;
  NTSTATUS status = more_entries;
  constexpr size_t most_bytes = size_t{16} << 20;
  for (size_t bytes = size_t{256} << 10; status == more_entries && bytes <= most_bytes; bytes *= 2) {
    if (!entries.resize(bytes / sizeof(uint64_t))) return KITH_E_NO_MEMORY;
    context = 0;
    status =
        query(directory.get(), entries.data(), static_cast<ULONG>(bytes), FALSE, TRUE, &context, &length);
  }
  const auto* each = reinterpret_cast<const directory_entry*>(entries.data());
  if (status >= 0) {
    for (; each->name.Buffer != nullptr; ++each) {
      if (const kith_status seen = visit(*each); seen != KITH_OK) return seen;
    }
    return KITH_OK;
  }
  constexpr int rounds = 2;
  BOOLEAN restart = TRUE;
  for (int round = 0; round < rounds;) {
    const ULONG bytes = static_cast<ULONG>(entries.size() * sizeof(uint64_t));
    const bool over = query(directory.get(), entries.data(), bytes, TRUE, restart, &context, &length) < 0;
    restart = over ? TRUE : FALSE;
    if (over) {
      ++round;
    } else if (const kith_status seen = visit(*each); seen != KITH_OK) {
      return seen;
    }
  }
  return KITH_OK;
}

bool begins_with(const UNICODE_STRING& name, const wchar_t* begin, size_t& length) {
  const size_t units = name.Length / sizeof(wchar_t);
  length = 0;
  while (begin[length] != L'\0') {
    if (length == units || name.Buffer[length] != begin[length]) return false;
    ++length;
  }
  return true;
}

// The rest of a name, if that is a key.
bool read_key(const wchar_t* text, size_t units, char letter, name_key& out) {
  out = {};
  size_t length = 0;
  if (letter != '\0') out.text[length++] = letter;
  if (units + length != name_key_length) return false;
  for (size_t i = 0; i < units; ++i) {
    if (text[i] > 127) return false;
    out.text[length++] = static_cast<char>(text[i]);
  }
  return is_name_key(out.text, length);
}

bool is_known(const buffer<name_key>& keys, const name_key& key) {
  for (const name_key& each : keys) {
    if (std::memcmp(each.text, key.text, sizeof(key.text)) == 0) return true;
  }
  return false;
}

kith_status add_key(buffer<name_key>& keys, const name_key& key) {
  return is_known(keys, key) || keys.append(key) ? KITH_OK : KITH_E_NO_MEMORY;
}

kith_status list_sections(const name_place& self, buffer<name_key>& out) {
  return visit_session([&](const directory_entry& entry) -> kith_status {
    size_t begin = 0;
    name_key key;
    const wchar_t* const text = entry.name.Buffer;
    const size_t units = entry.name.Length / sizeof(wchar_t);
    if (begins_with(entry.name, self.prefix, begin) && read_key(text + begin, units - begin, '\0', key))
      return add_key(out, key);
    if (begins_with(entry.name, endpoint_names, begin) &&
        read_key(text + begin, units - begin, letter_of_endpoint, key))
      return add_key(out, key);
    return KITH_OK;
  });
}

kith_status list_files(const name_place& self, buffer<name_key>& out) {
  wide_text pattern;
  if (const kith_status status = path_of(self, "*", pattern); status != KITH_OK) return status;
  WIN32_FIND_DATAW found;
  const HANDLE search = FindFirstFileW(pattern.data(), &found);
  if (search == INVALID_HANDLE_VALUE) return KITH_OK;  // nothing was ever persistent
  kith_status status = KITH_OK;
  do {
    size_t units = 0;
    while (found.cFileName[units] != L'\0') ++units;
    name_key key;
    if (read_key(found.cFileName, units, '\0', key)) status = add_key(out, key);
  } while (status == KITH_OK && FindNextFileW(search, &found));
  FindClose(search);
  return status;
}

// Some of a section, or all behind the offset if `size` is 0. Views begin at multiples of the granularity.
class section_view {
 public:
  section_view(HANDLE section, uint64_t offset, size_t size) {
    constexpr uint64_t granularity = 65536;  // on all there is
    const uint64_t begin = offset / granularity * granularity;
    inside_ = static_cast<size_t>(offset - begin);
    base_ = static_cast<const unsigned char*>(
        MapViewOfFile(section, FILE_MAP_READ, static_cast<DWORD>(begin >> 32), static_cast<DWORD>(begin),
                      size == 0 ? 0 : inside_ + size));
  }
  ~section_view() {
    if (base_ != nullptr) UnmapViewOfFile(base_);
  }
  section_view(const section_view&) = delete;
  section_view& operator=(const section_view&) = delete;
  bool valid() const { return base_ != nullptr; }
  const unsigned char* data() const { return base_ + inside_; }
  size_t mapped() const {
    MEMORY_BASIC_INFORMATION region{};
    return base_ != nullptr && VirtualQuery(base_, &region, sizeof(region)) != 0 ? region.RegionSize : 0;
  }

 private:
  const unsigned char* base_ = nullptr;
  size_t inside_ = 0;
};

}  // namespace

// ---- the place -----------------------------------------------------------------------------------------------------------------------------

kith_status place_open(bool, name_place& out) {
  kith_status status = write_prefix(out);
  if (status == KITH_OK) status = find_folder(out.folder);
  access_rules ours;
  if (status == KITH_OK) status = ours.allow_this_user();
  if (status != KITH_OK) return status;
  const object_name name = name_of(out, "lock");
  out.mutex.reset(CreateMutexW(ours.attributes(), FALSE, name.text));
  if (out.mutex.valid()) return KITH_OK;
  const DWORD error = GetLastError();
  return error == ERROR_INVALID_HANDLE ? denied() : fail(static_cast<int32_t>(error));
}

// Their names are in their own sessions, and `Global\` sections take a privilege.
kith_status place_open_of(const char*, name_place&) { return KITH_E_UNSUPPORTED; }

// Who had it before may have died with it: what it left is seen to by whoever looks.
kith_status place_lock(name_place& self, deadline until) {
  const DWORD ms = static_cast<DWORD>(remaining_ms(until, clock_now()));
  const DWORD result = WaitForSingleObject(self.mutex.get(), ms);
  self.is_locked = result == WAIT_OBJECT_0 || result == WAIT_ABANDONED;
  if (self.is_locked) return KITH_OK;
  return result == WAIT_TIMEOUT ? kith_status{KITH_E_TIMEOUT} : fail_with_last_error();
}

void place_unlock(name_place& self) {
  if (self.is_locked) ReleaseMutex(self.mutex.get());
  self.is_locked = false;
}

kith_status place_take(name_place& self, const name_key& key, deadline, place_state& state,
                       native_handle& out) {
  state = place_state::none;
  const object_name name = name_of(self, key.text);
  kith_status status = open_section(name, FILE_MAP_READ | FILE_MAP_WRITE, out);
  if (status == KITH_OK) state = place_state::used;
  if (status != KITH_E_NOT_FOUND) return status;
  native_handle file;
  status = open_file(self, key, file);
  if (status == KITH_E_NOT_FOUND) return KITH_OK;
  if (status != KITH_OK) return status;
  // Its creator was killed before it had a size: no section can be made of it, and nothing is in it.
  LARGE_INTEGER size{};
  if (!GetFileSizeEx(file.get(), &size)) return fail_with_last_error();
  status = size.QuadPart == 0 ? KITH_OK : make_section(name, file.get(), 0, out);
  if (status != KITH_OK) return status;
  if (size.QuadPart == 0) out = std::move(file);
  state = place_state::unused;
  return KITH_OK;
}

kith_status place_read(const native_handle& taken, uint64_t offset, void* out, size_t size) {
  const section_view view(taken.get(), offset, size);
  if (!view.valid()) return KITH_E_MISMATCH;
  std::memcpy(out, view.data(), size);
  return KITH_OK;
}

uint64_t place_size(const native_handle& taken) { return section_view(taken.get(), 0, 0).mapped(); }

kith_status place_attach(native_handle&& taken, memory& out) { return memory_attach(std::move(taken), out); }

// Of one that is persistent, and that nobody has used, there are none yet.
kith_status place_bells(name_place& self, const name_key& key, uint32_t count, bells& out) {
  return open_bells(self, key, count, out);
}

kith_status place_remove(name_place& self, const name_key& key) {
  wide_text path;
  if (const kith_status status = path_of(self, key.text, path); status != KITH_OK) return status;
  if (DeleteFileW(path.data())) return KITH_OK;
  const DWORD error = GetLastError();
  if (error == ERROR_FILE_NOT_FOUND || error == ERROR_PATH_NOT_FOUND) return KITH_OK;
  // Mapped, or open, in a process that is just ending.
  const bool is_held =
      error == ERROR_USER_MAPPED_FILE || error == ERROR_SHARING_VIOLATION || error == ERROR_ACCESS_DENIED;
  return is_held ? kith_status{KITH_E_BUSY} : fail_at_file(error);
}

// ---- making one ----------------------------------------------------------------------------------------------------------------------------

// A section of that name that is there all the same is of a creator that died a moment ago, and will go.
kith_status place_make(name_place& self, const name_key& key, uint32_t flags, size_t size, bool,
                       memory& out) {
  if ((flags & (KITH_NAME_OTHERS_READ | KITH_NAME_OTHERS_USE)) != 0) return KITH_E_UNSUPPORTED;
  const object_name name = name_of(self, key.text);
  native_handle section;
  kith_status status = KITH_OK;
  if ((flags & KITH_NAME_PERSISTENT) != 0) status = make_file(self, key, self.made);
  const HANDLE under = self.made.valid() ? self.made.get() : INVALID_HANDLE_VALUE;
  if (status == KITH_OK) status = make_section(name, under, size, section);
  if (status == KITH_OK) status = memory_attach(std::move(section), out);
  if (status != KITH_OK) place_give_up(self);
  return status;
}

kith_status place_publish(name_place& self, const name_key& key, uint32_t, const memory&, uint32_t bell_count,
                          bells& out) {
  const kith_status status = open_bells(self, key, bell_count, out);
  if (status == KITH_OK) self.made.reset();
  return status;
}

// By its handle: by now the name may be that of another one's file.
void place_give_up(name_place& self) {
  if (!self.made.valid()) return;
  FILE_DISPOSITION_INFO gone{};
  gone.DeleteFile = TRUE;
  SetFileInformationByHandle(self.made.get(), FileDispositionInfo, &gone, sizeof(gone));
  self.made.reset();
}

// ---- all of them ---------------------------------------------------------------------------------------------------------------------------

kith_status place_list(name_place& self, buffer<name_key>& out) {
  const kith_status status = list_sections(self, out);
  return status == KITH_OK ? list_files(self, out) : status;
}

void place_sweep(name_place&) {}  // what is not finished has its name already, and is found by that

kith_status place_look_at_endpoint(name_place&, const name_key& key, endpoint_claim& out) {
  object_name name;
  append(append(append(name.text, session_names), endpoint_names), key.text + 1);
  native_handle section;
  const kith_status status = open_section(name, FILE_MAP_READ, section);
  if (status != KITH_OK) return status;
  const section_view view(section.get(), 0, sizeof(claimed_name));
  if (!view.valid()) return KITH_E_NOT_FOUND;
  const claimed_name& claim = *reinterpret_cast<const claimed_name*>(view.data());
  // Acquire: pairs with the release in listener.cpp. 0: it is being made at this moment.
  const uint32_t size =
      std::atomic_ref<uint32_t>(const_cast<uint32_t&>(claim.size)).load(std::memory_order_acquire);
  if (size == 0 || size > sizeof(claim.text)) return KITH_E_NOT_FOUND;
  out.lives = true;
  out.pid = claim.pid;
  out.name_size = size;
  std::memcpy(out.name, claim.text, size);
  return KITH_OK;
}

bool place_remove_endpoint(name_place&, const name_key&) { return false; }  // it goes with its process

}  // namespace kith::platform
