// SPDX-License-Identifier: MIT
// How a child learns what it was started for and what it was given: the parent writes a bootstrap segment, the child finds it
// through KITH_BOOT=<version>:<handle>:<token>, which it removes at once, so that neither its own children nor the user see it.
#pragma once

#include <kith/kith.h>

#include "platform.h"
#include "share.h"
#include "shm/bootstrap.h"
#include "shm/segment.h"

namespace kith {

// ---- the parent's side (boot_writer.cpp) -----------------------------------------------------------------------------------

struct boot_plan {
  shm::run_kind run = shm::run_kind::program;
  platform::code_place place;        // run_kind::code
  const char* entry_name = nullptr;  // run_kind::name
  text library;                      // run_kind::library
  const char* symbol = nullptr;
  const void* argument = nullptr;
  size_t argument_size = 0;
  const char* own_name = "";  // of the child
  bool ends_with_parent = true;
  bool can_be_asked = true;  // to stop; false only for a child made by fork
};

struct boot_segment {
  shm::segment segment;
  const platform::native_handle* handle =
      nullptr;                 // of the segment, for the child; nullptr: it is not shared memory
  platform::bells stop_bells;  // ring for the stop event
  // Where the segment lies when it is not shared memory: in place if it is small.
  buffer<unsigned char> private_copy;
  alignas(64) unsigned char small_copy[1024];
  size_t unwritten = 0;  // bytes of small_copy that the segment is to hold, and does not yet; 0: it is mapped
  buffer<platform::passed_handle> passed;
  text variable;     // KITH_BOOT=...
  boot_segment() {}  // not `= default`: that would zero small_copy wherever one is value-initialised

  shm::bootstrap_state& state() const { return *reinterpret_cast<shm::bootstrap_state*>(segment.state); }
};

kith_status boot_write(const boot_plan& plan, const given_shares& shares, boot_segment& out);
void boot_hand_over(boot_segment& boot, platform::spawn_plan& spawn);
// Of what was handed over without being mapped: maps it, and lets go of the handle. false: there is none, or it cannot be.
bool boot_map(shm::segment& boot);

// How far the child came, once it has ended.
struct boot_report {
  uint32_t progress = shm::child_started;
  int32_t no_entry = KITH_OK;
};
boot_report boot_read_report(const shm::segment& boot);

// For a child made by fork, which has our memory: the same without a variable, and without shared memory if it cannot be asked to stop.
kith_status boot_write_for_fork(const boot_plan& plan, const given_shares& shares, boot_segment& out);

// ---- the child's side (boot_reader.cpp) ------------------------------------------------------------------------------------

// Reads KITH_BOOT when first called. What it finds is kept for the life of the process.
shm::run_kind boot_run();

// What this process was told, or nullptr.
shm::segment* boot_find();
// The same, to be shared with the parent: where boot_find has a copy only. nullptr also: it cannot be mapped.
shm::segment* boot_share();
const char* boot_own_name();  // "": it was told none
// For a forked child: `boot`, which lives as long as the process, is what it was told. Only a pointer is kept, as every page that a
// forked child writes to is copied for it first.
void boot_adopt(const boot_segment& boot);

// kith_child_main was called.
void boot_take_over();
bool boot_taken_over();

// More than one copy of kith can be in one process: kith-host has one inside, and the library that it loads uses another. The first one, the
// host, takes over, and passes the boot on by setting KITH_BOOT once more; the second one, its guest, finds that all is in order.
bool boot_is_guest();
void boot_end_guest();  // the host's side, after the function: the guest closes the channel ends that are open

// The function to run, and its argument. Failures are left in the segment for the parent to read.
struct boot_task {
  kith_entry entry = nullptr;
  const void* argument = nullptr;
  size_t argument_size = 0;
};
kith_status boot_find_task(boot_task& out);

}  // namespace kith
