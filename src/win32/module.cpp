// SPDX-License-Identifier: MIT
#include <cstring>

#include "library.h"
#include "program.h"
#include "win32_error.h"

namespace kith::platform {
namespace {

// The headers of a module where the loader has put them, so they are whole.
const IMAGE_NT_HEADERS* headers_of(HMODULE module) {
  const auto* base = reinterpret_cast<const unsigned char*>(module);
  const auto* dos = reinterpret_cast<const IMAGE_DOS_HEADER*>(base);
  if (dos->e_magic != IMAGE_DOS_SIGNATURE) return nullptr;
  const auto* headers = reinterpret_cast<const IMAGE_NT_HEADERS*>(base + dos->e_lfanew);
  return headers->Signature == IMAGE_NT_SIGNATURE ? headers : nullptr;
}

const IMAGE_SECTION_HEADER* first_section(const IMAGE_NT_HEADERS& headers) {
  const auto* optional = reinterpret_cast<const unsigned char*>(&headers.OptionalHeader);
  return reinterpret_cast<const IMAGE_SECTION_HEADER*>(optional + headers.FileHeader.SizeOfOptionalHeader);
}

bool is_code(const IMAGE_NT_HEADERS& headers, uint64_t offset) {
  const IMAGE_SECTION_HEADER* section = first_section(headers);
  for (size_t i = 0; i < headers.FileHeader.NumberOfSections; ++i, ++section) {
    const uint64_t begin = section->VirtualAddress;
    if ((section->Characteristics & IMAGE_SCN_MEM_EXECUTE) == 0 || offset < begin) continue;
    if (offset - begin < section->Misc.VirtualSize) return true;
  }
  return false;
}

constexpr uint64_t hash_begin = 0xCBF2'9CE4'8422'2325;  // FNV-1a, 64 bits

uint64_t hash(uint64_t before, const void* bytes, size_t size) {
  const unsigned char* next = static_cast<const unsigned char*>(bytes);
  for (; size > 0; --size) before = (before ^ *next++) * 0x0000'0100'0000'01B3;
  return before;
}

uint64_t hash_of_name(const wide_text& path) {
  uint64_t result = hash_begin;
  for (const wchar_t* unit = last_part(path.data()); *unit != L'\0'; ++unit) {
    const wchar_t lower = *unit >= L'A' && *unit <= L'Z' ? static_cast<wchar_t>(*unit - L'A' + L'a') : *unit;
    result = hash(result, &lower, sizeof(lower));
  }
  return result;
}

// Which build of a module it is. A build that is to be reproducible has no time stamp, and most have no check
// sum; then the name of the file and the exact places and sizes of the sections have to do.
struct build_identity {
  uint32_t stamp;
  uint32_t image_size;
  uint32_t check_sum;
  uint32_t entry_point;
  uint64_t sections;
  uint64_t name;
};
static_assert(sizeof(build_identity) == build_identity_size);

build_identity identity_of(const IMAGE_NT_HEADERS& headers, const wide_text& path) {
  const size_t sections_size = headers.FileHeader.NumberOfSections * sizeof(IMAGE_SECTION_HEADER);
  build_identity result = {};
  result.stamp = headers.FileHeader.TimeDateStamp;
  result.image_size = headers.OptionalHeader.SizeOfImage;
  result.check_sum = headers.OptionalHeader.CheckSum;
  result.entry_point = headers.OptionalHeader.AddressOfEntryPoint;
  result.sections = hash(hash_begin, first_section(headers), sections_size);
  result.name = hash_of_name(path);
  return result;
}

bool is_build(HMODULE module, const code_place& place) {
  const IMAGE_NT_HEADERS* headers = headers_of(module);
  wide_text path;
  if (headers == nullptr || file_of_module(module, path) != KITH_OK) return false;
  const build_identity found = identity_of(*headers, path);
  return std::memcmp(&found, place.identity, sizeof(found)) == 0;
}

kith_status list_modules(buffer<HMODULE>& out) {
  DWORD bytes = 256 * sizeof(HMODULE);
  do {
    if (!out.resize(bytes / sizeof(HMODULE))) return KITH_E_NO_MEMORY;
    const DWORD room = static_cast<DWORD>(out.size() * sizeof(HMODULE));
    if (!K32EnumProcessModules(GetCurrentProcess(), out.data(), room, &bytes)) return fail_with_last_error();
  } while (bytes > out.size() * sizeof(HMODULE));
  return out.resize(bytes / sizeof(HMODULE)) ? KITH_OK : KITH_E_NO_MEMORY;
}

// Finds it and keeps it loaded. nullptr: there is none, or the modules cannot be listed, as happens while
// another thread loads one.
HMODULE hold_loaded(const code_place& place) {
  buffer<HMODULE> modules;
  if (list_modules(modules) != KITH_OK) return nullptr;
  for (const HMODULE listed : modules) {
    HMODULE held = nullptr;
    // Another thread may have unloaded it since it was listed, so it is not looked into before we hold it.
    if (!GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS, reinterpret_cast<LPCWSTR>(listed),
                            &held)) {
      continue;
    }
    if (is_build(held, place)) return held;
    FreeLibrary(held);
  }
  return nullptr;
}

kith_status load(const text& path, HMODULE& out) {
  wide_text wide;
  if (const kith_status status = to_utf16(path.data(), path.size() - 1, wide); status != KITH_OK) {
    return status;
  }
  return load_library(wide, out) == KITH_OK ? KITH_OK : KITH_E_MISMATCH;
}

// What is found stays loaded for ever: a function in it may be called at any time.
kith_status find_module(const code_place& place, HMODULE& out) {
  if (place.path.size() <= 1) {
    out = GetModuleHandleW(nullptr);
    return is_build(out, place) ? KITH_OK : KITH_E_MISMATCH;
  }
  out = hold_loaded(place);
  if (out != nullptr) return KITH_OK;
  if (const kith_status status = load(place.path, out); status != KITH_OK) return status;
  if (is_build(out, place)) return KITH_OK;
  FreeLibrary(out);
  return KITH_E_MISMATCH;
}

}  // namespace

kith_status code_locate(kith_entry entry, code_place& out) {
  HMODULE module = nullptr;
  constexpr DWORD by_address =
      GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT;
  if (!GetModuleHandleExW(by_address, reinterpret_cast<LPCWSTR>(entry), &module)) return KITH_E_NO_FUNCTION;
  const uint64_t offset = reinterpret_cast<uintptr_t>(entry) - reinterpret_cast<uintptr_t>(module);
  const IMAGE_NT_HEADERS* headers = headers_of(module);
  if (headers == nullptr || !is_code(*headers, offset)) return KITH_E_NO_FUNCTION;

  wide_text path;
  text utf8;
  kith_status status = file_of_module(module, path);
  const bool is_program = module == GetModuleHandleW(nullptr);
  if (status == KITH_OK && !is_program) status = to_utf8(path.data(), path.size() - 1, utf8);
  if (status != KITH_OK) return status;
  if (!out.path.resize(utf8.size())) return KITH_E_NO_MEMORY;
  if (!utf8.empty()) std::memcpy(out.path.data(), utf8.data(), utf8.size());
  const build_identity identity = identity_of(*headers, path);
  std::memcpy(out.identity, &identity, sizeof(identity));
  out.offset = offset;
  return KITH_OK;
}

kith_status code_resolve(const code_place& place, kith_entry& out) {
  HMODULE module = nullptr;
  if (const kith_status status = find_module(place, module); status != KITH_OK) return status;
  if (!is_code(*headers_of(module), place.offset)) return KITH_E_NO_FUNCTION;
  out = reinterpret_cast<kith_entry>(reinterpret_cast<uintptr_t>(module) +
                                     static_cast<uintptr_t>(place.offset));
  return KITH_OK;
}

}  // namespace kith::platform
