// SPDX-License-Identifier: MIT
// A shared segment: a header that says what it is, the state of the object, parking slots, and the user's bytes.
#pragma once

#include <kith/kith.h>

#include <cstddef>
#include <cstdint>

#include "../platform.h"
#include "name_card.h"

namespace kith::shm {

// What a segment holds; part of the layout. The last one is no segment: a share of that kind is a handle of the OS.
enum class segment_kind : uint32_t {
  memory = 1,
  array = 2,
  value = 3,
  lock = 4,
  channel = 5,
  bootstrap = 6,
  semaphore = 7,
  condition = 8,
  event = 9,
  barrier = 10,
  queue = 11,
  broadcast = 16,
  os_handle = 18,
  pool_bell = 20,
  pool_lane = 21
};

// The first 128 bytes of every segment. Fixed-width fields only, offsets instead of pointers, the same for 32 and 64 bit.
//
// Behind it: the state (state_size bytes, fixed for each kind), the parking slots (slot_count of 64 bytes), the data (data_size
// bytes). Each part begins at a multiple of 64. A named one has a name_card behind all that, at the next multiple of 4096.
struct segment_header {
  uint32_t magic;
  uint32_t byte_order;
  uint32_t layout_version;
  uint32_t kind;
  uint64_t id[2];  // random
  uint32_t state_size;
  uint32_t slot_count;
  uint64_t data_size;
  int32_t type;  // kith_type of the elements, 0 where there are none
  uint32_t reserved;
  uint64_t element_size;
  uint64_t pid_namespace;  // of the creator: identities mean nothing in another one
  uint64_t card;           // where its name_card lies; 0: it has no name
  uint64_t unused[6];
};
static_assert(sizeof(segment_header) == 128);

inline constexpr uint32_t segment_magic = 0x6874'696B;  // "kith" in a little-endian dump
inline constexpr uint32_t segment_byte_order = 0x0102'0304;
inline constexpr uint32_t segment_layout_version = 1;
inline constexpr uint32_t max_slot_count = 1024;

// A segment as this process has it mapped. The fields are copies that were checked: the header is not read again.
struct segment {
  platform::memory memory;
  wait_area waiting;
  unsigned char* state = nullptr;
  unsigned char* data = nullptr;
  size_t data_size = 0;
  size_t element_size = 0;
  kith_type type = 0;
  named_part name;
};

struct segment_plan {
  segment_kind kind;
  kith_type type = 0;
  size_t element_size = 0;
  size_t data_size = 0;
  bool waited_on = true;  // somebody may wait on a word in it
  bool commit = true;
  bool read_only_share = false;
  const name_plan* name = nullptr;  // nullptr: it has none
};

// Where the parts of a segment lie. total == 0: too large for this machine.
struct segment_layout {
  size_t slots;
  size_t data;
  size_t card;  // 0: none
  size_t total;
};
segment_layout lay_out(uint32_t state_size, uint32_t slot_count, uint64_t data_size, bool has_card);
// Whether a header is one that kith writes for such a segment, in memory of that size. It is a copy that nobody else can write to.
bool header_is_sound(const segment_header& header, segment_kind kind, size_t memory_size);

// Bytes of the state of a segment of that kind; 0 for memory.
uint32_t state_size_of(segment_kind kind);

kith_status segment_create(const segment_plan& plan, segment& out);
// Lays one out in memory of ours, from where it is written to `out.memory` later. KITH_E_TOO_LARGE: it does not fit.
kith_status segment_stage(const segment_plan& plan, unsigned char* bytes, size_t size, segment& out,
                          size_t& used);
// Maps a segment that another process made. KITH_E_MISMATCH: it is none, another kind, or of another layout.
kith_status segment_attach(platform::native_handle&& object, segment_kind kind, segment& out);
// The same for memory that is mapped already. When it fails, the memory is as it was.
kith_status segment_attach_memory(platform::memory&& memory, segment_kind kind, segment& out);
// The same of a copy of its beginning, which begins at a multiple of 64: good for looking only, and not for waiting. `out` borrows `bytes`, and is
// not closed. KITH_E_TOO_LARGE: there is more of it.
kith_status segment_read(unsigned char* bytes, size_t size, segment_kind kind, segment& out);
void segment_close(segment& self);

}  // namespace kith::shm
