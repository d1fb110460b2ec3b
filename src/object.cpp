// SPDX-License-Identifier: MIT
#include "object.h"

#include <new>

#include "allocator.h"
#include "mutex.h"

namespace kith {

namespace {

constexpr uintptr_t tag_mask = 63;
constexpr uint32_t slots_per_chunk = 128;
constexpr uint32_t quarantine = 64;  // slots that must be free before one is used again

// 64 bytes, aligned to 64, so that the low six bits of its address are free for the tag.
struct slot {
  std::atomic<uint64_t> state;  // generation << 32 | pins; an even generation is free, an odd one open
  object* body;
  slot* next_free;
  unsigned char padding[64 - sizeof(std::atomic<uint64_t>) - 2 * sizeof(void*)];
};
static_assert(sizeof(slot) == 64);

struct chunk {
  chunk* next;
  slot* slots;
};

// Guarded by the library mutex. First in, first out.
chunk* chunks = nullptr;
slot* first_free = nullptr;
slot* last_free = nullptr;
uint32_t free_count = 0;

uint64_t generation_of(uint64_t state) { return state >> 32; }
uint64_t pins_of(uint64_t state) { return state & UINT32_MAX; }

slot* slot_of(const void* handle) {
  return reinterpret_cast<slot*>(reinterpret_cast<uintptr_t>(handle) & ~tag_mask);
}

bool is_current(const void* handle, uint64_t state) {
  const uint64_t generation = generation_of(state);
  return (generation & 1) != 0 && (generation & tag_mask) == (reinterpret_cast<uintptr_t>(handle) & tag_mask);
}

void put_free(slot* freed) {
  freed->next_free = nullptr;
  (last_free == nullptr ? first_free : last_free->next_free) = freed;
  last_free = freed;
  ++free_count;
}

bool add_chunk() {
  chunk* added = make<chunk>();
  void* memory = allocate((slots_per_chunk + 1) * sizeof(slot));
  if (added == nullptr || memory == nullptr) {
    unmake(added);
    deallocate(memory);
    return false;
  }
  const uintptr_t aligned = (reinterpret_cast<uintptr_t>(memory) + tag_mask) & ~tag_mask;
  added->slots = reinterpret_cast<slot*>(aligned);
  for (uint32_t i = 0; i < slots_per_chunk; ++i) put_free(::new (&added->slots[i]) slot{});
  added->next = chunks;
  chunks = added;
  return true;
}

slot* take_free() {
  library_guard guard;
  if (free_count <= quarantine && !add_chunk()) return nullptr;
  slot* taken = first_free;
  first_free = taken->next_free;
  if (first_free == nullptr) last_free = nullptr;
  --free_count;
  return taken;
}

void let_go(slot* place) {
  object* body = place->body;
  place->body = nullptr;
  body->type->destroy(body);
  library_guard guard;
  put_free(place);
}

// Raises the pins if the handle is current. The object cannot go between the look and the pin, as both are one exchange.
bool try_pin(const void* handle) {
  slot* place = slot_of(handle);
  uint64_t state = place->state.load(std::memory_order_relaxed);
  do {
    if (!is_current(handle, state)) return false;
    // Acquire, with the release in handle_open: who sees the generation sees the object.
  } while (!place->state.compare_exchange_weak(state, state + 1, std::memory_order_acquire, std::memory_order_relaxed));
  return true;
}

}  // namespace

void* handle_open(object* self) {
  slot* place = take_free();
  if (place == nullptr) return nullptr;
  place->body = self;
  const uint64_t generation = generation_of(place->state.load(std::memory_order_relaxed)) + 1;
  // Release, with the acquires in try_pin and handle_find. One pin is the open handle's own.
  place->state.store(generation << 32 | 1, std::memory_order_release);
  return reinterpret_cast<void*>(reinterpret_cast<uintptr_t>(place) | (generation & tag_mask));
}

kith_status handle_find_any(const void* handle, object*& out) {
  slot* place = slot_of(handle);
  if (place == nullptr) return KITH_E_INVALID;
  if (!is_current(handle, place->state.load(std::memory_order_acquire))) return KITH_E_INVALID;
  out = place->body;
  return KITH_OK;
}

kith_status handle_find(const void* handle, object_kind kind, object*& out) {
  object* found = nullptr;
  if (kith_status status = handle_find_any(handle, found); status != KITH_OK) return status;
  if (found->type->kind != kind) return KITH_E_MISMATCH;
  out = found;
  return KITH_OK;
}

kith_status handle_pin(const void* handle, object_kind kind, object*& out) {
  slot* place = slot_of(handle);
  if (place == nullptr || !try_pin(handle)) return KITH_E_INVALID;
  if (place->body->type->kind != kind) {
    handle_unpin(handle);
    return KITH_E_MISMATCH;
  }
  out = place->body;
  return KITH_OK;
}

void handle_unpin(const void* handle) {
  slot* place = slot_of(handle);
  // Acquire and release: the last one out destroys the object after everything that the others did with it.
  if (pins_of(place->state.fetch_sub(1, std::memory_order_acq_rel)) == 1) let_go(place);
}

void handle_close(void* handle, object_kind kind) {
  object* self = nullptr;
  if (handle_pin(handle, kind, self) != KITH_OK) return;
  slot* place = slot_of(handle);
  uint64_t state = place->state.load(std::memory_order_relaxed);
  bool won = false;
  do {
    won = is_current(handle, state);
    // One generation further: no new pin, no other close.
  } while (won && !place->state.compare_exchange_weak(state, state + (uint64_t{1} << 32), std::memory_order_acq_rel,
                                                      std::memory_order_relaxed));
  if (won) {
    self->closed.store(true, std::memory_order_seq_cst);
    if (self->type->begin_close != nullptr) self->type->begin_close(*self);
    handle_unpin(handle);  // the open handle's own pin
  }
  handle_unpin(handle);
}

void handle_for_each(object_kind kind, void (*visit)(void* handle, object& self, void* context), void* context) {
  for (chunk* each = chunks; each != nullptr; each = each->next) {
    for (uint32_t i = 0; i < slots_per_chunk; ++i) {
      slot& place = each->slots[i];
      const uint64_t generation = generation_of(place.state.load(std::memory_order_acquire));
      if ((generation & 1) == 0 || place.body->type->kind != kind) continue;
      void* handle = reinterpret_cast<void*>(reinterpret_cast<uintptr_t>(&place) | (generation & tag_mask));
      visit(handle, *place.body, context);
    }
  }
}

}  // namespace kith
