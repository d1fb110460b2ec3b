// SPDX-License-Identifier: MIT
// What those who publish and those who read have in common: the segment of a broadcast, and its readers.
#pragma once

#include <kith/kith.h>

#include <atomic>

#include "segment_object.h"
#include "shm/broadcast.h"

namespace kith {

// A reader holds a pin on the handle of its broadcast: closing that leaves its readers what they need.
struct reader_object : object {
  const void* source_handle = nullptr;
  segment_object* source = nullptr;
  shm::broadcast_view view;

  // 1: a thread is in a call. Who has set it, and only he, uses what follows, and the object stays until it is 0 again; so a call that need not
  // wait needs no pin.
  std::atomic<uint32_t> in_use{0};
  shm::broadcast_reader reader;
  shm::broadcast_message shown{};
  bool is_showing = false;

  shm::spinner spin;
  platform::native_handle ear;  // once somebody polls. Guarded by the library mutex
};

}  // namespace kith
