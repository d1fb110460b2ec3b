// SPDX-License-Identifier: MIT
// What a child is told by its parent: one segment, found through the environment variable KITH_BOOT.
#pragma once

#include <atomic>
#include <cstdint>

#include "../platform.h"
#include "event.h"

namespace kith::shm {

// A piece of the data of the segment.
struct bootstrap_piece {
  uint64_t offset;
  uint64_t size;
};

enum class run_kind : uint32_t { program = 0, code = 1, name = 2, library = 3 };

// How far a child that runs a function has come. Written by the child, read by the parent after the child's end.
enum child_progress : uint32_t { child_started = 0, child_took_over = 1 };

inline constexpr uint32_t boot_version = KITH_VERSION_MAJOR * 100 + KITH_VERSION_MINOR;

enum bootstrap_flags : uint32_t {
  boot_ends_with_parent = 1,
  boot_can_be_asked = 2  // the segment is shared memory, so that a stop request arrives
};

struct bootstrap_state {
  uint64_t token;                   // equals the one in KITH_BOOT
  std::atomic<uint32_t> child_pid;  // whom it is meant for; 0: not known yet
  std::atomic<uint32_t> progress;   // child_progress
  std::atomic<int32_t> no_entry;    // the status why the function was not found, or KITH_OK
  uint32_t run;                     // run_kind
  uint64_t code_offset;
  unsigned char code_identity[platform::build_identity_size];
  bootstrap_piece name;      // of a registered function, or the path of the module or library; ends with NUL
  bootstrap_piece argument;  // begins at a multiple of 64
  bootstrap_piece shares;    // share_record[]
  uint64_t parent;           // the identity of who started it
  uint32_t flags;            // bootstrap_flags
  std::atomic<uint32_t> hears;                // 1: the child looks for stop requests
  event_state stop;                           // set by the parent: the child is to end
  uint64_t stop_bells[platform::most_bells];  // as the child knows them. 0: none
  bootstrap_piece own_name;                   // of the child; ends with NUL
  bootstrap_piece symbol;                     // run_kind::library: the name of the function; ends with NUL
  uint32_t version;                           // of the parent's kith: major * 100 + minor
  uint32_t for_guest;  // 1: the function belongs to a copy of kith that is not the program's
  uint64_t reserved[1];
};
static_assert(sizeof(bootstrap_state) == 256);

inline constexpr uint32_t most_share_handles = 3;

struct share_record {
  bootstrap_piece name;  // without NUL
  uint32_t kind;         // segment_kind
  uint32_t end;          // of a channel: 0 or 1
  // Of its handles, as the child knows them: the segment; a channel's control stream, or the bells of an event, queue or broadcast. 0: none.
  uint64_t numbers[most_share_handles];
};
static_assert(sizeof(share_record) == 48);

}  // namespace kith::shm
