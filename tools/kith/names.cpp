// SPDX-License-Identifier: MIT
#include "names.h"

#include <algorithm>
#include <tuple>

#include "text.h"

namespace command {

namespace {

struct known_kind {
  int32_t kind;
  const char* text;
};

constexpr known_kind known_kinds[] = {
    {KITH_OBJECT_MEMORY, "memory"},       {KITH_OBJECT_ARRAY, "array"},
    {KITH_OBJECT_VALUE, "value"},         {KITH_OBJECT_LOCK, "lock"},
    {KITH_OBJECT_SEMAPHORE, "semaphore"}, {KITH_OBJECT_CONDITION, "condition"},
    {KITH_OBJECT_EVENT, "event"},         {KITH_OBJECT_BARRIER, "barrier"},
    {KITH_OBJECT_QUEUE, "queue"},         {KITH_OBJECT_BROADCAST, "broadcast"},
    {KITH_OBJECT_ENDPOINT, "endpoint"},
};

class names_list {
 public:
  names_list() = default;
  names_list(const names_list&) = delete;
  names_list& operator=(const names_list&) = delete;
  ~names_list() { kith_names_close(names_); }

  kith_status take() { return kith_names_list(&names_); }
  size_t count() const { return kith_names_count(names_); }
  kith_status at(size_t index, named& out) const {
    out.info = {};
    out.info.struct_size = sizeof out.info;
    const kith_status status = kith_names_at(names_, index, &out.info);
    if (status != KITH_OK) return status;
    out.name = out.info.name;
    out.users.assign(out.info.users, out.info.users + out.info.user_count);
    std::sort(out.users.begin(), out.users.end());
    return KITH_OK;
  }

 private:
  kith_names* names_ = nullptr;
};

bool is_less(const named& a, const named& b) {
  return std::tie(a.name, a.info.kind) < std::tie(b.name, b.info.kind);
}

bool is_same(const named& a, const named& b) { return a.info.kind == b.info.kind && a.name == b.name; }

}  // namespace

bool named::has_size() const {
  return info.kind == KITH_OBJECT_MEMORY || info.kind == KITH_OBJECT_ARRAY || info.kind == KITH_OBJECT_VALUE;
}

bool named::has_lock() const {
  return info.kind == KITH_OBJECT_LOCK || info.kind == KITH_OBJECT_ARRAY || info.kind == KITH_OBJECT_VALUE;
}

bool named::has_ring() const { return info.kind == KITH_OBJECT_QUEUE || info.kind == KITH_OBJECT_BROADCAST; }

bool named::has_capacity() const {
  return has_ring() || info.kind == KITH_OBJECT_SEMAPHORE || info.kind == KITH_OBJECT_BARRIER ||
         info.kind == KITH_OBJECT_EVENT;
}

std::string kind_text(int32_t kind) {
  for (const known_kind& each : known_kinds) {
    if (each.kind == kind) return each.text;
  }
  return "kind " + std::to_string(kind);
}

std::optional<int32_t> kind_of(std::string_view text) {
  for (const known_kind& each : known_kinds) {
    if (each.text == text) return each.kind;
  }
  return std::nullopt;
}

std::string type_text(kith_type type) {
  constexpr const char* texts[] = {"",    "i8",  "u8",  "i16", "u16", "i32",
                                   "u32", "i64", "u64", "f32", "f64", "struct"};
  return type > 0 && type <= KITH_STRUCT ? texts[type] : "type " + std::to_string(type);
}

kith_status list_names(std::vector<named>& out) {
  names_list list;
  if (const kith_status status = list.take(); status != KITH_OK) return status;
  out.resize(list.count());
  for (size_t i = 0; i < out.size(); ++i) {
    if (const kith_status status = list.at(i, out[i]); status != KITH_OK) return status;
  }
  std::stable_sort(out.begin(), out.end(), is_less);
  // A folder that changes while it is read may name twice what was removed and made anew meanwhile.
  out.erase(std::unique(out.begin(), out.end(), is_same), out.end());
  return KITH_OK;
}

bool selection::takes(const named& each) const {
  const bool is_of_kind =
      kinds.empty() || std::find(kinds.begin(), kinds.end(), each.info.kind) != kinds.end();
  return is_of_kind &&
         (patterns.empty() || std::any_of(patterns.begin(), patterns.end(),
                                          [&](const auto& pattern) { return matches(pattern, each.name); }));
}

selection selection_of(const std::vector<std::string>& words, size_t first_pattern) {
  selection out;
  for (size_t i = 0; i < words.size(); ++i) {
    const std::optional<int32_t> kind = i < first_pattern ? kind_of(words[i]) : std::nullopt;
    if (kind) {
      out.kinds.push_back(*kind);
    } else {
      out.patterns.push_back(words[i]);
    }
  }
  return out;
}

}  // namespace command
