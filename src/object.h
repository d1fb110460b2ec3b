// SPDX-License-Identifier: MIT
// Handles: what the user holds, and the objects behind them.
//
// A handle is the address of a slot with the slot's generation in the low six bits. Slots are never given back to the OS, so a
// handle that was closed can be looked up and is found to be of an old generation, instead of reading freed memory. Slots are used
// again in the order they were freed and only when many wait, so a stale handle stays recognisable for thousands of creations.
//
// A call that waits pins the object, so that a close by another thread lets it finish; calls that do not wait look the object
// up without pinning, which costs no atomic write.
#pragma once

#include <kith/kith.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace kith {

enum class object_kind : uint32_t { process = 1, memory = 2, array = 3, value = 4, lock = 5, channel = 6 };

struct object;

struct object_class {
  object_kind kind;
  void (*begin_close)(object& self);  // tells whoever waits; may be nullptr. Called once, in the thread that closes
  void (*destroy)(object* self);      // when no call uses it any more
};

struct object {
  const object_class* type;
  // Seq_cst, set before begin_close wakes the waiters, who read it before they sleep again.
  std::atomic<bool> closed{false};
};

// Gives the object a handle; nullptr: no memory.
void* handle_open(object* self);

// The object behind a handle. KITH_E_INVALID: NULL or closed; KITH_E_MISMATCH: another kind.
kith_status handle_find(const void* handle, object_kind kind, object*& out);
kith_status handle_find_any(const void* handle, object*& out);

// The same, and the object stays until handle_unpin.
kith_status handle_pin(const void* handle, object_kind kind, object*& out);
void handle_unpin(const void* handle);

// Ends the handle; the object goes when its last pin does. Nothing happens when it is NULL, closed, or of another kind.
void handle_close(void* handle, object_kind kind);

// Calls `visit` for every open handle of a kind. For the moments when no other thread uses the library.
void handle_for_each(object_kind kind, void (*visit)(void* handle, object& self, void* context), void* context);

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
