// SPDX-License-Identifier: MIT
#include "object.h"

#include <new>

#include "allocator.h"
#include "mutex.h"
#include "platform.h"

namespace kith {

namespace {

constexpr uint32_t slots_per_chunk = 32;
constexpr uint32_t quarantine = 16;  // slots that must be free before one is used again

struct alignas(64) padded_slot {
  handle_slot slot;
};
static_assert(sizeof(padded_slot) == 64);

struct chunk {
  chunk* next;
  padded_slot* slots;
};

// Guarded by the library mutex. First in, first out.
struct handle_table {
  uint32_t kinds_seen =
      0;  // a bit for each kind that ever had a handle: a forked child need not look for the others
  uint32_t free_count = 0;
  chunk* chunks = nullptr;
  handle_slot* first_free = nullptr;
  handle_slot* last_free = nullptr;
};
constinit handle_table table;

void put_free(handle_slot* freed) {
  freed->next_free = nullptr;
  (table.last_free == nullptr ? table.first_free : table.last_free->next_free) = freed;
  table.last_free = freed;
  ++table.free_count;
}

bool add_chunk() {
  chunk* added = make<chunk>();
  void* memory = allocate((slots_per_chunk + 1) * sizeof(padded_slot));
  if (added == nullptr || memory == nullptr) {
    unmake(added);
    deallocate(memory);
    return false;
  }
  const uintptr_t aligned = (reinterpret_cast<uintptr_t>(memory) + handle_tag_mask) & ~handle_tag_mask;
  added->slots = reinterpret_cast<padded_slot*>(aligned);
  for (uint32_t i = 0; i < slots_per_chunk; ++i) put_free(&(::new (&added->slots[i]) padded_slot{})->slot);
  added->next = table.chunks;
  table.chunks = added;
  return true;
}

handle_slot* take_free(object_kind kind) {
  library_guard guard;
  table.kinds_seen |= 1u << static_cast<uint32_t>(kind);
  if (table.free_count <= quarantine && !add_chunk()) return nullptr;
  handle_slot* taken = table.first_free;
  table.first_free = taken->next_free;
  if (table.first_free == nullptr) table.last_free = nullptr;
  --table.free_count;
  ++taken->generation;
  return taken;
}

void let_go(handle_slot* slot) {
  object* body = slot->body;
  slot->body = nullptr;
  body->type->destroy(body);
  library_guard guard;
  put_free(slot);
}

// A pin can only be added to another one: the open handle's own, or that of a call which still runs.
bool try_pin(handle_slot& slot, const void* handle) {
  uint32_t pins = slot.pins.load(std::memory_order_relaxed);
  do {
    if (pins == 0) return false;
  } while (
      !slot.pins.compare_exchange_weak(pins, pins + 1, std::memory_order_acquire, std::memory_order_relaxed));
  // The object may be another one than the handle's by now; the pin keeps it from becoming yet another while we look.
  if (slot.current.load(std::memory_order_acquire) == handle) return true;
  handle_unpin(&slot);
  return false;
}

}  // namespace

void* handle_open(object* self) {
  handle_slot* slot = take_free(self->type->kind);
  if (slot == nullptr) return nullptr;
  slot->body = self;
  slot->shortcut = self->shortcut;
  slot->kind = self->type->kind;
  slot->pins.store(1, std::memory_order_relaxed);  // the open handle's own
  void* handle =
      reinterpret_cast<void*>(reinterpret_cast<uintptr_t>(slot) | (slot->generation & handle_tag_mask));
  slot->current.store(handle,
                      std::memory_order_release);  // pairs with the acquires in handle_find and try_pin
  return handle;
}

kith_status handle_pin_any(const void* handle, object*& out) {
  handle_slot* slot = slot_of(handle);
  if (slot == nullptr || !try_pin(*slot, handle)) return KITH_E_INVALID;
  out = slot->body;
  return KITH_OK;
}

kith_status handle_pin(const void* handle, object_kind kind, object*& out) {
  object* found = nullptr;
  if (kith_status status = handle_pin_any(handle, found); status != KITH_OK) return status;
  if (found->type->kind != kind) {
    handle_unpin(handle);
    return KITH_E_MISMATCH;
  }
  out = found;
  return KITH_OK;
}

void handle_unpin(const void* handle) {
  handle_slot* slot = slot_of(handle);
  // Acquire and release: the last one out destroys the object after everything that the others did with it.
  if (slot->pins.fetch_sub(1, std::memory_order_acq_rel) == 1) let_go(slot);
}

void handle_close(void* handle, object_kind kind) {
  object* self = nullptr;
  if (handle_pin(handle, kind, self) != KITH_OK) return;
  const void* expected = handle;
  // One of several that close at once wins. From here on the handle is stale: no new call finds it.
  if (slot_of(handle)->current.compare_exchange_strong(expected, nullptr, std::memory_order_acq_rel,
                                                       std::memory_order_relaxed)) {
    self->closed.store(true, std::memory_order_seq_cst);
    if (self->type->begin_close != nullptr) self->type->begin_close(*self);
    handle_unpin(handle);  // the open handle's own pin
  }
  handle_unpin(handle);
}

KITH_IN_FORKED_CHILD void handle_for_each(object_kinds kinds,
                                          void (*visit)(void* handle, object& self, void* context),
                                          void* context) {
  if (!kinds.meets(table.kinds_seen)) return;
  for (chunk* each = table.chunks; each != nullptr; each = each->next) {
    for (uint32_t i = 0; i < slots_per_chunk; ++i) {
      handle_slot& slot = each->slots[i].slot;
      const void* handle = slot.current.load(std::memory_order_acquire);
      if (handle != nullptr && kinds.has(slot.kind)) visit(const_cast<void*>(handle), *slot.body, context);
    }
  }
}

}  // namespace kith
