// SPDX-License-Identifier: MIT
#include "entry.h"

#include <cstring>

#include "allocator.h"
#include "mutex.h"
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
