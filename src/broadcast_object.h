// SPDX-License-Identifier: MIT
// What those who publish and those who read have in common: the segment of a broadcast, and its readers.
#pragma once

#include <kith/kith.h>

#include <atomic>

#include "bias.h"
#include "segment_object.h"
#include "shm/broadcast.h"

namespace kith {

// A reader holds a pin on the handle of its broadcast: closing that leaves its readers what they need.
struct reader_object : object {
  const void* source_handle = nullptr;
  segment_object* source = nullptr;
  shm::broadcast_view view;

  // 1: a thread is in a call. Who has set it and has dismissed the favourite, or is the favourite and inside, and only he, uses what follows, and the
  // object stays until he is done; so a call that need not wait needs no pin.
  std::atomic<uint32_t> in_use{0};
  bias turns;
  uint64_t process = 0;  // whose threads have the turns: a forked child's begin anew
  shm::broadcast_reader reader;
  shm::broadcast_message shown{};
  bool is_showing = false;

  // Where several readers have one core, a yield lasts as long as the others read, a whole ring perhaps, and that is what it is for: who sleeps
  // instead must be woken by the writer, who then writes nothing. A process that computes takes milliseconds.
  shm::spinner spin{shm::spinner::usual_pauses, 0, 500'000};
  platform::native_handle ear;  // once somebody polls. Guarded by the library mutex
};

}  // namespace kith
