// SPDX-License-Identifier: MIT
#include "environment.h"

#include <uv.h>

#include <cstring>

#include "platform.h"

namespace kith {

namespace {

// Up to the '=', which may also be the first character on Windows ("=C:" holds the directory of a drive).
size_t name_length(const char* line) {
  const char* const end = line[0] == '\0' ? nullptr : std::strchr(line + 1, '=');
  return end == nullptr ? std::strlen(line) : static_cast<size_t>(end - line);
}

void remove(environment& self, const char* name, size_t length) {
  size_t kept = 0;
  for (const char* line : self.lines) {
    if (!platform::same_variable(line, name_length(line), name, length)) self.lines[kept++] = line;
  }
  (void)self.lines.resize(kept);  // never grows
}

bool add(environment& self, const char* name, size_t name_size, const char* value, size_t value_size) {
  char* line = static_cast<char*>(allocate(name_size + value_size + 2));
  if (line == nullptr || !self.made.append(line)) {
    deallocate(line);
    return false;
  }
  if (!self.lines.append(line)) return false;
  std::memcpy(line, name, name_size);
  line[name_size] = '=';
  std::memcpy(line + name_size + 1, value, value_size);
  line[name_size + 1 + value_size] = '\0';
  return true;
}

kith_status copy_own(environment& self) {
  uv_env_item_t* items = nullptr;
  int count = 0;
  if (uv_os_environ(&items, &count) != 0) return KITH_E_NO_MEMORY;
  bool ok = true;
  for (int i = 0; i < count && ok; ++i) {
    ok = add(self, items[i].name, std::strlen(items[i].name), items[i].value, std::strlen(items[i].value));
  }
  uv_os_free_environ(items, count);
  return ok ? KITH_OK : KITH_E_NO_MEMORY;
}

// As they stand, where they can be had so: to copy each is a fifth of what kith adds to a bare start of a function.
kith_status add_own(environment& self) {
  const char* const* const own = platform::own_variables();
  if (own == nullptr) return copy_own(self);
  size_t count = 0;
  while (own[count] != nullptr) ++count;
  constexpr size_t room_for_changes = 8;
  const bool fits = self.lines.reserve(count + room_for_changes) && self.lines.append(own, count);
  return fits ? KITH_OK : KITH_E_NO_MEMORY;
}

// "NAME=value" sets, "NAME" removes.
kith_status change(environment& self, const char* line) {
  const size_t length = name_length(line);
  if (length == 0 || line[0] == '=') return KITH_E_INVALID;
  remove(self, line, length);
  if (line[length] == '\0') return KITH_OK;
  const char* value = line + length + 1;
  return add(self, line, length, value, std::strlen(value)) ? KITH_OK : KITH_E_NO_MEMORY;
}

// The one line that is `KITH_BOOT`: it is not there, or only if the user has put it there.
kith_status set_last(environment& self, const char* line, bool may_be_there) {
  if (may_be_there) remove(self, line, name_length(line));
  return self.lines.append(line) ? KITH_OK : KITH_E_NO_MEMORY;
}

}  // namespace

environment::~environment() {
  for (char* line : made) deallocate(line);
}

kith_status environment_build(bool clean, const char* const* changes, const char* extra, environment& out) {
  kith_status status = clean ? KITH_OK : add_own(out);
  if (status == KITH_OK) status = change(out, "KITH_BOOT");  // of our own parent, if nobody has read it yet
  for (size_t i = 0; status == KITH_OK && changes != nullptr && changes[i] != nullptr; ++i) {
    status = change(out, changes[i]);
  }
  if (status == KITH_OK && extra != nullptr) status = set_last(out, extra, changes != nullptr);
  if (status == KITH_OK && !out.lines.append(nullptr)) status = KITH_E_NO_MEMORY;
  return status;
}

}  // namespace kith
