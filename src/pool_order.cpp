// SPDX-License-Identifier: MIT
// What the user asked for when the pool was made, kept for the workers that take the place of others: the user's own may be gone by then.
#include <cstring>
#include <utility>

#include "object_transfer.h"
#include "pool.h"
#include "share.h"

namespace kith {

namespace {

bool is_shared_by_giving(object_kind kind) {
  switch (kind) {
    case object_kind::memory:
    case object_kind::array:
    case object_kind::value:
    case object_kind::lock:
    case object_kind::semaphore:
    case object_kind::condition:
    case object_kind::event:
    case object_kind::barrier:
    case object_kind::os_handle:
    case object_kind::pool_bell:
    case object_kind::queue: return true;
    default: return false;
  }
}

kith_status open_again(object& self, const void** out) {
  given_share described{"", 0, nullptr, &self, shm::segment_kind::memory, 0, {}};
  kith_status status =
      is_shared_by_giving(self.type->kind) ? share_describe(self, described) : kith_status{KITH_E_MISMATCH};
  claimed_share copies;
  for (size_t i = 0; status == KITH_OK && i < shm::most_share_handles; ++i) {
    if (described.handles[i] != nullptr)
      status = platform::handle_duplicate(*described.handles[i], copies.handles[i]);
  }
  void* made = nullptr;
  if (status == KITH_OK) status = object_open(self.type->kind, {}, copies, &made);
  if (status == KITH_OK) *out = made;
  return status;
}

size_t count_of(const char* const* list) {
  size_t count = 0;
  while (list != nullptr && list[count] != nullptr) ++count;
  return count;
}

// The size of all text, so that none of it moves when more is kept.
size_t size_of_text(const kith_pool_options& wanted) {
  size_t size = 0;
  for (const char* text : {wanted.entry_name, wanted.cwd, wanted.library, wanted.symbol, wanted.host}) {
    if (text != nullptr) size += std::strlen(text) + 1;
  }
  for (const char* const* list : {wanted.argv, wanted.env}) {
    for (size_t i = 0; i < count_of(list); ++i) size += std::strlen(list[i]) + 1;
  }
  for (size_t i = 0; i < wanted.share_count; ++i) {
    if (wanted.shares[i].name != nullptr) size += std::strlen(wanted.shares[i].name) + 1;
  }
  return size;
}

// There is room.
const char* keep_text(pool_order& self, const char* source) {
  if (source == nullptr) return nullptr;
  const size_t at = self.names.size();
  (void)self.names.append(source, std::strlen(source) + 1);
  return self.names.data() + at;
}

bool keep_list(pool_order& self, const char* const* list, buffer<const char*>& out) {
  if (list == nullptr) return true;
  for (size_t i = 0; i < count_of(list); ++i) {
    if (!out.append(keep_text(self, list[i]))) return false;
  }
  return out.append(nullptr);
}

kith_status keep_shares(const kith_pool_options& wanted, pool_order& self) {
  if (!self.shares.reserve(wanted.share_count + 2)) return KITH_E_NO_MEMORY;
  for (size_t i = 0; i < wanted.share_count; ++i) {
    kith_share kept{keep_text(self, wanted.shares[i].name), nullptr};
    if (!name_is_valid(kept.name)) return KITH_E_INVALID;
    for (const kith_share& other : self.shares) {
      if (std::strcmp(other.name, kept.name) == 0) return KITH_E_EXISTS;
    }
    const kith_status status = pool_share_again(wanted.shares[i].object, &kept.object);
    if (status != KITH_OK) return status;
    (void)self.shares.append(kept);  // there is room
  }
  return KITH_OK;
}

kith_status keep_argument(const kith_pool_options& wanted, pool_order& self) {
  if (wanted.task != nullptr) return worker_order_write(wanted, self.argument);
  const unsigned char* const bytes = static_cast<const unsigned char*>(wanted.argument);
  return self.argument.append(bytes, wanted.argument_size) ? KITH_OK : KITH_E_NO_MEMORY;
}

}  // namespace

kith_status pool_share_again(const void* object, const void** out) {
  kith::object* found = nullptr;
  kith_status status = handle_pin_any(object, found);
  if (status != KITH_OK) return status;
  status = open_again(*found, out);
  handle_unpin(object);
  return status;
}

kith_status pool_order_keep(const kith_pool_options& wanted, pool_order& out) {
  const bool has_room = out.names.reserve(size_of_text(wanted));
  if (!has_room || !keep_list(out, wanted.argv, out.argv) || !keep_list(out, wanted.env, out.env))
    return KITH_E_NO_MEMORY;
  kith_status status = keep_argument(wanted, out);
  if (status == KITH_OK) status = keep_shares(wanted, out);
  kith_process_options& process = out.process;
  process.struct_size = sizeof process;
  process.argv = wanted.argv != nullptr ? out.argv.data() : nullptr;
  process.env = wanted.env != nullptr ? out.env.data() : nullptr;
  process.entry = wanted.task != nullptr ? worker_main : wanted.entry;
  process.entry_name = keep_text(out, wanted.entry_name);
  process.cwd = keep_text(out, wanted.cwd);
  process.library = keep_text(out, wanted.library);
  process.symbol = keep_text(out, wanted.symbol);
  process.host = keep_text(out, wanted.host);
  process.argument = out.argument.empty() ? nullptr : out.argument.data();
  process.argument_size = out.argument.size();
  return status;
}

void pool_order_forget(pool_order& self) {
  for (const kith_share& each : self.shares) {
    object* found = nullptr;
    if (handle_pin_any(each.object, found) != KITH_OK) continue;
    handle_close(const_cast<void*>(each.object), found->type->kind);
    handle_unpin(each.object);
  }
  self.shares.clear();
}

}  // namespace kith
