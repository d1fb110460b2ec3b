// SPDX-License-Identifier: MIT
// What a named segment says about itself, behind everything else: its name, and who uses it.
//
// A user is a mapping of a process. Its identity stands in one word, put there by one compare-and-swap and taken out by another; the word of a
// process that was killed is free for the next. Beside it each user counts its own threads that sleep on the object: so what a killed one
// counted goes with it. The tables are for who wants to know; whether an object is used at all the OS tells (name_place.cpp).
#pragma once

#include <kith/kith.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "../platform.h"
#include "wait_area.h"

namespace kith::shm {

enum class segment_kind : uint32_t;

inline constexpr size_t name_card_alignment = 4096;
inline constexpr uint32_t name_card_users = 256;
inline constexpr uint64_t name_card_ready = 1;

struct name_card {
  // 1: the object is whole. Written last by who makes it: release, pairs with the acquire of who looks.
  std::atomic<uint64_t> ready;
  std::atomic<uint64_t> flags;  // KITH_NAME_PERSISTENT, which may go, KITH_NAME_OTHERS_..., card_lies_in_file
  std::atomic<uint64_t> creator;    // identity
  std::atomic<uint64_t> name_size;  // this and the name never change
  uint64_t reserved[4];
  std::atomic<uint64_t> users[name_card_users];     // identities; 0: free
  std::atomic<uint32_t> sleepers[name_card_users];  // threads of the user with that number
  char name[platform::longest_meeting_name];        // not ended by anything
};
static_assert(sizeof(name_card) == 64 + 12 * name_card_users + 4096);

// Made persistent, so that it may have a file on systems where others have none.
inline constexpr uint64_t card_was_persistent = uint64_t{1} << 32;
inline constexpr uint64_t card_public_flags =
    KITH_NAME_PERSISTENT | KITH_NAME_OTHERS_READ | KITH_NAME_OTHERS_USE;

// What a named segment is made with.
struct name_plan {
  platform::name_place* place;
  platform::name_key key;
  platform::meeting_name name;
  uint32_t flags;  // KITH_NAME_...
};

// Of a segment as this process has it mapped.
struct named_part {
  name_card* card = nullptr;  // nullptr: it has no name, or we cannot write to it
  uint32_t seat = name_card_users;
  platform::name_key key{};  // all zero: it has no name
  bool was_persistent = false;

  bool has_name() const { return key.text[0] != '\0'; }
};

// The letter of a kind; 0: it has no names.
char name_letter_of(segment_kind kind);
segment_kind name_kind_of(char letter);  // of a letter that name_letter_of gives; otherwise zero

// Nobody else has the segment.
void name_card_begin(name_card& card, const name_plan& plan, segment_kind kind, named_part& out);
// Of a segment that another process made. KITH_E_MISMATCH: the card is not one that kith writes.
kith_status name_card_join(name_card& card, segment_kind kind, bool writable, named_part& out);
void name_card_leave(named_part& self);

// One thread that sleeps on an object, for as long as it is counted. Does nothing for an object without a name, and in a forked child, whose
// words in the card are its parent's. All is relaxed: nothing depends on it.
class counted_sleeper {
 public:
  counted_sleeper() = default;
  ~counted_sleeper() { end(); }
  counted_sleeper(const counted_sleeper&) = delete;
  counted_sleeper& operator=(const counted_sleeper&) = delete;

  void begin(const wait_area& area);
  void end();

 private:
  std::atomic<uint32_t>* sleepers_ = nullptr;  // of the process; nullptr: it is not counted
};

}  // namespace kith::shm
