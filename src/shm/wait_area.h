// SPDX-License-Identifier: MIT
// What waiting on a word of a mapped segment needs beside the word. Local to this process.
#pragma once

#include <cstdint>

namespace kith {

namespace shm {
struct parking_slot;
struct name_card;
}  // namespace shm

struct wait_area {
  shm::parking_slot* slots = nullptr;  // in the segment; nullptr where the OS waits on addresses
  uint32_t slot_count = 0;
  uint64_t id[2] = {0, 0};        // of the segment: names the bells
  unsigned char* base = nullptr;  // of the segment: a word is known to all processes by its offset from here
  void* bells = nullptr;          // the port's: one event a slot, opened when first needed
  shm::name_card* card =
      nullptr;  // of an object with a name: who sleeps is counted there, as a thread of the user with this number
  uint32_t seat = 0;
};

}  // namespace kith
