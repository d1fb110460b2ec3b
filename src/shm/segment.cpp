// SPDX-License-Identifier: MIT
#include "segment.h"

#include <cstring>
#include <new>
#include <utility>

#include "barrier.h"
#include "bootstrap.h"
#include "broadcast.h"
#include "condition.h"
#include "element.h"
#include "event.h"
#include "lock_word.h"
#include "parking_lot.h"
#include "pool_lane.h"
#include "queue.h"
#include "ring.h"
#include "semaphore.h"

namespace kith::shm {

namespace {

kith_status open_waiting(segment& self, const segment_header& header, const segment_layout& places) {
  self.waiting.base = static_cast<unsigned char*>(self.memory.base);
  self.waiting.slot_count = header.slot_count;
  self.waiting.slots =
      header.slot_count == 0 ? nullptr : reinterpret_cast<parking_slot*>(self.waiting.base + places.slots);
  self.waiting.id[0] = header.id[0];
  self.waiting.id[1] = header.id[1];
  return platform::wait_area_open(self.waiting);
}

void fill_in(segment& self, unsigned char* base, const segment_header& header, const segment_layout& places) {
  self.state = header.state_size == 0 ? nullptr : base + sizeof(segment_header);
  self.data = base + places.data;
  self.data_size = static_cast<size_t>(header.data_size);
  self.element_size = static_cast<size_t>(header.element_size);
  self.type = header.type;
}

bool header_is_ours(const segment_header& header, segment_kind kind) {
  return header.magic == segment_magic && header.byte_order == segment_byte_order &&
         header.layout_version == segment_layout_version && header.kind == static_cast<uint32_t>(kind) &&
         header.state_size == state_size_of(kind) && header.slot_count <= max_slot_count;
}

bool typed_elements_fit(const segment_header& header, segment_kind kind) {
  size_t size = 0;
  if (header.element_size == 0 || element_size_of(header.type, header.element_size, size) != KITH_OK)
    return false;
  if (header.data_size == 0 || header.data_size % header.element_size != 0) return false;
  return kind == segment_kind::array || header.data_size == header.element_size;
}

// Whether the elements that a header speaks of are some that kith makes, and fill the data.
bool elements_fit(const segment_header& header, segment_kind kind) {
  const uint64_t size_of_data = header.data_size;
  switch (kind) {
    case segment_kind::memory: return size_of_data != 0;
    case segment_kind::semaphore:
      return size_of_data <= KITH_SEMAPHORE_MOST_OWNED * 8 && size_of_data % 8 == 0;
    case segment_kind::condition: return size_of_data == KITH_CONDITION_MOST_WAITERS * 8;
    case segment_kind::barrier:
      return size_of_data != 0 && size_of_data % sizeof(barrier_seat) == 0 &&
             size_of_data <= KITH_BARRIER_MOST_PARTIES * sizeof(barrier_seat);
    case segment_kind::queue: return queue_capacity(size_of_data) != 0;
    case segment_kind::broadcast: return broadcast_fits(size_of_data, header.element_size);
    case segment_kind::array:
    case segment_kind::value: return typed_elements_fit(header, kind);
    default: return true;
  }
}

// The one pid in a bootstrap segment was written by the child itself, and to find out the namespace costs a tenth of its start.
bool names_processes(segment_kind kind) { return kind != segment_kind::bootstrap; }

name_card& card_at(const platform::memory& memory, const segment_layout& places) {
  return *reinterpret_cast<name_card*>(static_cast<unsigned char*>(memory.base) + places.card);
}

kith_status make_memory(const segment_plan& plan, size_t size, platform::memory& out) {
  if (plan.name == nullptr) return platform::memory_create(size, plan.commit, plan.read_only_share, out);
  return platform::place_make(*plan.name->place, plan.name->key, plan.name->flags, size, plan.commit, out);
}

bool is_elsewhere(uint64_t pid_namespace) {
  const uint64_t here = platform::pid_namespace();
  return pid_namespace != 0 && here != 0 && pid_namespace != here;
}

}  // namespace

segment_layout lay_out(uint32_t state_size, uint32_t slot_count, uint64_t data_size, bool has_card) {
  const uint64_t slots = sizeof(segment_header) + state_size;
  const uint64_t data = slots + uint64_t{slot_count} * sizeof(parking_slot);
  // PTRDIFF_MAX is the largest object that pointers can be subtracted in; 1 MiB leaves room to round up to pages, and for a card.
  const uint64_t largest = static_cast<uint64_t>(PTRDIFF_MAX) - (1u << 20);
  if (data_size > largest - data) return {0, 0, 0, 0};
  const uint64_t end = data + data_size;
  const uint64_t card = has_card ? (end + name_card_alignment - 1) & ~(name_card_alignment - 1) : 0;
  const uint64_t total = has_card ? card + sizeof(name_card) : end;
  return {static_cast<size_t>(slots), static_cast<size_t>(data), static_cast<size_t>(card),
          static_cast<size_t>(total)};
}

bool header_is_sound(const segment_header& header, segment_kind kind, size_t memory_size) {
  if (!header_is_ours(header, kind) || !elements_fit(header, kind)) return false;
  const segment_layout places =
      lay_out(header.state_size, header.slot_count, header.data_size, header.card != 0);
  return places.total != 0 && places.total <= memory_size && places.card == header.card;
}

uint32_t state_size_of(segment_kind kind) {
  switch (kind) {
    case segment_kind::memory:
    case segment_kind::os_handle: return 0;
    case segment_kind::array:
    case segment_kind::value:
    case segment_kind::lock: return sizeof(lock_state);
    case segment_kind::channel: return sizeof(channel_state);
    case segment_kind::bootstrap: return sizeof(bootstrap_state);
    case segment_kind::semaphore: return sizeof(semaphore_state);
    case segment_kind::condition: return sizeof(condition_state);
    case segment_kind::event: return sizeof(event_state);
    case segment_kind::barrier: return sizeof(barrier_state);
    case segment_kind::queue: return sizeof(queue_state);
    case segment_kind::pool_bell: return sizeof(pool_bell_state);
    case segment_kind::pool_lane: return sizeof(pool_lane_state);
    case segment_kind::broadcast: return sizeof(broadcast_state);
  }
  return 0;
}

namespace {

kith_status make_header(const segment_plan& plan, segment_header& header) {
  header.magic = segment_magic;
  header.byte_order = segment_byte_order;
  header.layout_version = segment_layout_version;
  header.kind = static_cast<uint32_t>(plan.kind);
  header.state_size = state_size_of(plan.kind);
  header.slot_count = plan.waited_on ? platform::parking_slots_wanted() : 0;
  header.data_size = plan.data_size;
  header.type = plan.type;
  header.element_size = plan.element_size;
  if (names_processes(plan.kind)) header.pid_namespace = platform::pid_namespace();
  return platform::random_bytes(header.id, sizeof header.id);
}

void count_sleepers(segment& self) {
  self.waiting.card = self.name.card;
  self.waiting.seat = self.name.seat;
}

}  // namespace

kith_status segment_stage(const segment_plan& plan, unsigned char* bytes, size_t size, segment& out,
                          size_t& used) {
  segment_header header{};
  if (kith_status status = make_header(plan, header); status != KITH_OK) return status;
  if (header.slot_count != 0) return KITH_E_UNSUPPORTED;  // a copy of it would be good for nothing
  const segment_layout places = lay_out(header.state_size, 0, plan.data_size, false);
  if (places.total == 0 || places.total > size) return KITH_E_TOO_LARGE;
  std::memset(bytes, 0, places.total);
  std::memcpy(bytes, &header, sizeof header);
  fill_in(out, bytes, header, places);
  used = places.total;
  return KITH_OK;
}

kith_status segment_create(const segment_plan& plan, segment& out) {
  segment_header header{};
  if (kith_status status = make_header(plan, header); status != KITH_OK) return status;
  const segment_layout places =
      lay_out(header.state_size, header.slot_count, plan.data_size, plan.name != nullptr);
  if (places.total == 0) return KITH_E_TOO_LARGE;
  header.card = places.card;
  segment made;
  if (kith_status status = make_memory(plan, places.total, made.memory); status != KITH_OK) return status;
  // Written before anybody else has the segment, so that its pages have an owner before the first wait (Darwin keys waits by
  // the memory object). All state begins as zero bytes, which is what the OS gives.
  std::memcpy(made.memory.base, &header, sizeof header);
  kith_status status = open_waiting(made, header, places);
  if (status == KITH_OK && plan.read_only_share) status = platform::memory_restrict(made.memory);
  if (status != KITH_OK) {
    segment_close(made);
    return status;
  }
  fill_in(made, static_cast<unsigned char*>(made.memory.base), header, places);
  if (plan.name != nullptr) {
    name_card_begin(card_at(made.memory, places), *plan.name, plan.kind, made.name);
    count_sleepers(made);
  }
  out = std::move(made);
  return KITH_OK;
}

kith_status segment_attach(platform::native_handle&& object, segment_kind kind, segment& out) {
  platform::memory mapped;
  if (kith_status status = platform::memory_attach(std::move(object), mapped); status != KITH_OK)
    return status;
  const kith_status status = segment_attach_memory(std::move(mapped), kind, out);
  if (status != KITH_OK) {
    object = std::move(mapped.object);  // handed back: it may be somebody else's
    platform::memory_close(mapped);
  }
  return status;
}

kith_status segment_attach_memory(platform::memory&& memory, segment_kind kind, segment& out) {
  segment_header header;
  if (memory.size < sizeof header) return KITH_E_MISMATCH;
  std::memcpy(&header, memory.base, sizeof header);  // once: a peer may write while we check
  const bool writable = memory.writable || kind == segment_kind::memory;
  if (!writable || !header_is_sound(header, kind, memory.size)) return KITH_E_MISMATCH;
  if (names_processes(kind) && is_elsewhere(header.pid_namespace)) return KITH_E_UNSUPPORTED;
  const segment_layout places =
      lay_out(header.state_size, header.slot_count, header.data_size, header.card != 0);
  segment made;
  if (header.card != 0) {
    const kith_status status = name_card_join(card_at(memory, places), kind, memory.writable, made.name);
    if (status != KITH_OK) return status;
  }
  made.memory = std::move(memory);
  memory = {};  // a pointer stays when it is moved from
  if (kith_status status = open_waiting(made, header, places); status != KITH_OK) {
    name_card_leave(made.name);
    memory = std::move(made.memory);
    return status;
  }
  fill_in(made, static_cast<unsigned char*>(made.memory.base), header, places);
  count_sleepers(made);
  out = std::move(made);
  return KITH_OK;
}

kith_status segment_read(unsigned char* bytes, size_t size, segment_kind kind, segment& out) {
  segment_header header;
  if (size < sizeof header) return KITH_E_MISMATCH;
  std::memcpy(&header, bytes, sizeof header);
  if (!header_is_ours(header, kind) || header.slot_count != 0 || header.card != 0) return KITH_E_MISMATCH;
  const segment_layout places = lay_out(header.state_size, 0, header.data_size, false);
  if (places.total == 0 || places.total > size) return KITH_E_TOO_LARGE;
  fill_in(out, bytes, header, places);
  return KITH_OK;
}

void segment_close(segment& self) {
  name_card_leave(self.name);
  platform::wait_area_close(self.waiting);
  self.waiting = {};
  platform::memory_close(self.memory);
  self.state = self.data = nullptr;
}

}  // namespace kith::shm
