// SPDX-License-Identifier: MIT
#include "entry.h"

#include <cstring>

#include "allocator.h"
#include "mutex.h"
#include "platform.h"
#include "share.h"

namespace kith {

namespace {

struct registered_entry {
  registered_entry* next;
  kith_entry entry;
  char name[longest_name + 1];
};

registered_entry* entries = nullptr;  // guarded by the library mutex; lives as long as the process

registered_entry* find(const char* name) {
  for (registered_entry* each = entries; each != nullptr; each = each->next) {
    if (std::strcmp(each->name, name) == 0) return each;
  }
  return nullptr;
}

// What kith_entry_pack writes; the path of the module follows, with its NUL. May lie at any address.
struct packed_entry {
  char magic[8];
  uint64_t offset;
  unsigned char identity[platform::build_identity_size];
};
constexpr char packed_magic[8] = {'k', 'i', 't', 'h', 'c', 'o', 'd', 'e'};

kith_status read_packed(const unsigned char* bytes, size_t size, platform::code_place& out) {
  packed_entry head;
  if (size <= sizeof head || bytes[size - 1] != '\0') return KITH_E_MISMATCH;
  std::memcpy(&head, bytes, sizeof head);
  if (std::memcmp(head.magic, packed_magic, sizeof packed_magic) != 0) return KITH_E_MISMATCH;
  out.offset = head.offset;
  std::memcpy(out.identity, head.identity, sizeof out.identity);
  const char* const path = reinterpret_cast<const char*>(bytes + sizeof head);
  return path[0] == '\0' || assign(out.path, path) ? KITH_OK : KITH_E_NO_MEMORY;
}

}  // namespace

kith_status entry_find(const char* name, kith_entry& out) {
  library_guard guard;
  const registered_entry* found = find(name);
  if (found == nullptr) return KITH_E_NOT_FOUND;
  out = found->entry;
  return KITH_OK;
}

}  // namespace kith

using namespace kith;

kith_status kith_entry_register(const char* name, kith_entry entry) {
  if (!name_is_valid(name) || entry == nullptr) return KITH_E_INVALID;
  library_guard guard;
  if (const registered_entry* found = find(name); found != nullptr) {
    return found->entry == entry ? KITH_OK : KITH_E_EXISTS;
  }
  registered_entry* added = make<registered_entry>();
  if (added == nullptr) return KITH_E_NO_MEMORY;
  std::memcpy(added->name, name, std::strlen(name) + 1);
  added->entry = entry;
  added->next = entries;
  entries = added;
  return KITH_OK;
}

kith_status kith_entry_pack(kith_entry entry, void* buffer, size_t capacity, size_t* out_size) {
  if (entry == nullptr || out_size == nullptr || (buffer == nullptr && capacity != 0)) return KITH_E_INVALID;
  platform::code_place place;
  if (kith_status status = platform::code_locate(entry, place); status != KITH_OK) return status;
  packed_entry head{};
  std::memcpy(head.magic, packed_magic, sizeof head.magic);
  head.offset = place.offset;
  std::memcpy(head.identity, place.identity, sizeof head.identity);
  const char* const path = place.path.empty() ? "" : place.path.data();
  const size_t path_size = std::strlen(path) + 1;
  *out_size = sizeof head + path_size;
  if (*out_size > capacity) return KITH_E_TOO_LARGE;
  std::memcpy(buffer, &head, sizeof head);
  std::memcpy(static_cast<unsigned char*>(buffer) + sizeof head, path, path_size);
  return KITH_OK;
}

kith_status kith_entry_unpack(const void* packed, size_t size, kith_entry* out) {
  if (packed == nullptr || out == nullptr) return KITH_E_INVALID;
  platform::code_place place;
  const kith_status status = read_packed(static_cast<const unsigned char*>(packed), size, place);
  return status == KITH_OK ? platform::code_resolve(place, *out) : status;
}
