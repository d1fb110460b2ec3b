// SPDX-License-Identifier: MIT
// What the tests of named objects share.
#pragma once

#include "strangers.h"

namespace test {

using broadcast = owner<kith_broadcast, kith_broadcast_close>;
using names = owner<kith_names, kith_names_close>;

inline constexpr uint32_t create = KITH_NAME_CREATE, open = KITH_NAME_OPEN, either = create | open;

// The name must outlive it.
inline kith_naming naming(const std::string& name, uint32_t flags) {
  kith_naming wanted = defaults<kith_naming>();
  wanted.flags = flags;
  wanted.name = name.c_str();
  return wanted;
}

inline constexpr int32_t named_kinds[] = {
    KITH_OBJECT_MEMORY,    KITH_OBJECT_ARRAY, KITH_OBJECT_VALUE,   KITH_OBJECT_LOCK,  KITH_OBJECT_SEMAPHORE,
    KITH_OBJECT_CONDITION, KITH_OBJECT_EVENT, KITH_OBJECT_BARRIER, KITH_OBJECT_QUEUE, KITH_OBJECT_BROADCAST};

// A named object of any kind, as small as can be: memory of 64 bytes, an array of 8 KITH_I64, one permit, one party.
class named_object {
 public:
  named_object() = default;
  named_object(named_object&& other) noexcept { *this = std::move(other); }
  named_object& operator=(named_object&& other) noexcept {
    close();
    kind_ = other.kind_;
    handle_ = std::exchange(other.handle_, nullptr);
    return *this;
  }
  ~named_object() { close(); }

  kith_status open(int32_t kind, const kith_naming& wanted, int32_t* out_created = nullptr);
  kith_status inherit(int32_t kind, const char* share);
  void close();
  void* get() const { return handle_; }

 private:
  int32_t kind_ = KITH_OBJECT_NONE;
  void* handle_ = nullptr;
};

// Opens it and closes it again: what another one would get.
kith_status open_status(int32_t kind, const std::string& name, uint32_t flags);

struct listed_name {
  kith_name_info info;  // its pointers are good no more
  std::string name;
  std::vector<int64_t> users;
};
// Of names that begin so.
std::vector<listed_name> list_names(const std::string& begin);

listed_name only_one(const std::string& name);  // there must be exactly one that begins so
std::vector<int64_t> sorted(std::vector<int64_t> ids);

// What a child needs to know to open something.
struct visit {
  char name[200];
  int32_t kind;
  uint32_t flags;
};
visit visit_of(const std::string& name, int32_t kind, uint32_t flags);

// A child that was given nothing but a channel, opens a named object, says by what status, and has it until it hears something.
struct stranger {
  test::channel line;
  test::process process;
};
stranger start_stranger(const visit& wish);

// This test's own place of names, for its children, too. Windows: of those that are persistent.
class own_names {
 public:
  own_names();
  ~own_names();
  own_names(const own_names&) = delete;
  own_names& operator=(const own_names&) = delete;
  const std::string& base() const { return folder_.path(); }
  std::vector<std::string> files() const;  // that lie in it

 private:
  temporary_folder folder_;
};

}  // namespace test
