// SPDX-License-Identifier: MIT
// Handles: what the user holds, and the objects behind them.
//
// A handle is the address of a slot with a generation in the low six bits; the slot knows which handle is its current one. Slots are
// never given back to the OS, so a handle that was closed can be looked up and is found to be stale, instead of reading freed
// memory. Slots are used again in the order they were freed and only when many wait, so a stale handle stays
// recognisable for thousands of creations.
//
// A call that waits pins the object, so that a close by another thread lets it finish; calls that do not wait look the object
// up without pinning, which costs no atomic write.
#pragma once

#include <kith/kith.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace kith {

enum class object_kind : uint32_t {
  process = 1,
  memory = 2,
  array = 3,
  value = 4,
  lock = 5,
  channel = 6,
  semaphore = 7,
  condition = 8,
  event = 9,
  barrier = 10,
  cancel = 11,
  queue = 12,
  stream = 13,
  pool = 14,
  broadcast = 16,
  reader = 17,
  endpoint = 15,
  os_handle = 18,
  names = 20,
  worker = 24,     // of a pool, in the worker's process
  pool_bell = 25,  // what a pool shares with its workers; no handle of the user's
  pool_lane = 26
};

struct object;

struct object_class {
  object_kind kind;
  void (*begin_close)(
      object& self);  // tells whoever waits; may be nullptr. Called once, in the thread that closes
  void (*destroy)(object* self);  // when no call uses it any more
};

struct object {
  const object_class* type;
  void* shortcut =
      nullptr;  // a copy of it is in the slot: spares the commonest calls a load that they would have to wait for
  // Seq_cst, set before begin_close wakes the waiters, who read it before they sleep again.
  std::atomic<bool> closed{false};
};

inline constexpr uintptr_t handle_tag_mask = 63;

// Aligned to 64, so that the low six bits of its address are free for the tag.
struct handle_slot {
  std::atomic<const void*> current;  // the open handle; nullptr: none
  object* body;
  void* shortcut;    // of the body
  object_kind kind;  // of the body, here because every call looks at it
  std::atomic<uint32_t> pins;
  uint32_t generation;  // guarded by the library mutex, as is next_free
  handle_slot* next_free;
};
static_assert(sizeof(handle_slot) <= 64);

inline handle_slot* slot_of(const void* handle) {
  return reinterpret_cast<handle_slot*>(reinterpret_cast<uintptr_t>(handle) & ~handle_tag_mask);
}

// Gives the object a handle; nullptr: no memory.
void* handle_open(object* self);

// The object behind a handle. KITH_E_INVALID: NULL or closed; KITH_E_MISMATCH: another kind.
inline kith_status handle_find(const void* handle, object_kind kind, object*& out) {
  const handle_slot* slot = slot_of(handle);
  // Acquire, with the release in handle_open: who sees the handle sees the object.
  if (slot == nullptr || slot->current.load(std::memory_order_acquire) != handle) return KITH_E_INVALID;
  if (slot->kind != kind) return KITH_E_MISMATCH;
  out = slot->body;
  return KITH_OK;
}

// The same, for the shortcut of the object.
inline kith_status handle_find_shortcut(const void* handle, object_kind kind, void*& out) {
  const handle_slot* slot = slot_of(handle);
  // Acquire: as in handle_find.
  if (slot == nullptr || slot->current.load(std::memory_order_acquire) != handle) return KITH_E_INVALID;
  if (slot->kind != kind) return KITH_E_MISMATCH;
  out = slot->shortcut;
  return KITH_OK;
}

// The same, and the object stays until handle_unpin.
kith_status handle_pin(const void* handle, object_kind kind, object*& out);
kith_status handle_pin_any(const void* handle, object*& out);
void handle_unpin(const void* handle);

// Ends the handle; the object goes when its last pin does. Nothing happens when it is NULL, closed, or of another kind.
void handle_close(void* handle, object_kind kind);

// Kinds together.
class object_kinds {
 public:
  template <class... Kinds>
  constexpr object_kinds(Kinds... kinds) : bits_(((1u << static_cast<uint32_t>(kinds)) | ...)) {}
  constexpr bool has(object_kind kind) const { return (bits_ >> static_cast<uint32_t>(kind) & 1) != 0; }
  constexpr bool meets(uint32_t bits) const { return (bits_ & bits) != 0; }

 private:
  uint32_t bits_;
};

// Calls `visit` for every open handle of these kinds. For the moments when no other thread uses the library.
void handle_for_each(object_kinds kinds, void (*visit)(void* handle, object& self, void* context),
                     void* context);

// The object behind a handle for the time of a call.
template <class T>
class pinned {
 public:
  pinned(const void* handle, object_kind kind) : handle_(handle) {
    object* found = nullptr;
    status_ = handle_pin(handle, kind, found);
    object_ = static_cast<T*>(found);
  }
  ~pinned() {
    if (object_ != nullptr) handle_unpin(handle_);
  }
  pinned(const pinned&) = delete;
  pinned& operator=(const pinned&) = delete;

  kith_status status() const { return status_; }
  T* operator->() const { return object_; }
  T& operator*() const { return *object_; }

 private:
  const void* handle_;
  kith_status status_;
  T* object_ = nullptr;
};

}  // namespace kith
