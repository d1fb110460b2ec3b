// SPDX-License-Identifier: MIT
#include "name_card.h"

#include <cstring>

#include "segment.h"

namespace kith::shm {

namespace {

struct letter_of_kind {
  segment_kind kind;
  char letter;
};

// Part of the layout, as names of files. 'e', 's' and 't' have another meaning in the folder of names.
constexpr letter_of_kind letters[] = {
    {segment_kind::memory, 'm'},    {segment_kind::array, 'a'},     {segment_kind::value, 'v'},
    {segment_kind::lock, 'l'},      {segment_kind::semaphore, 'p'}, {segment_kind::condition, 'c'},
    {segment_kind::event, 'n'},     {segment_kind::barrier, 'b'},   {segment_kind::queue, 'q'},
    {segment_kind::broadcast, 'r'},
};

// A word that is free, or of a process that has died. Relaxed: the words refer to no other memory.
bool take_seat(std::atomic<uint64_t>& seat, identity me, bool also_of_dead) {
  uint64_t seen = seat.load(std::memory_order_relaxed);
  if (seen != 0 && !(also_of_dead && platform::alive({seen}) == liveness::dead)) return false;
  return seat.compare_exchange_strong(seen, me.bits, std::memory_order_relaxed);
}

// Where all words are taken by the living, one more user is not written down.
uint32_t find_seat(name_card& card) {
  const identity me = platform::self();
  for (const bool also_of_dead : {false, true}) {
    for (uint32_t i = 0; i < name_card_users; ++i) {
      if (!take_seat(card.users[i], me, also_of_dead)) continue;
      card.sleepers[i].store(0, std::memory_order_relaxed);  // what a killed one left
      return i;
    }
  }
  return name_card_users;
}

}  // namespace

char name_letter_of(segment_kind kind) {
  for (const letter_of_kind& each : letters) {
    if (each.kind == kind) return each.letter;
  }
  return 0;
}

segment_kind name_kind_of(char letter) {
  for (const letter_of_kind& each : letters) {
    if (each.letter == letter) return each.kind;
  }
  return segment_kind{};
}

void name_card_begin(name_card& card, const name_plan& plan, segment_kind, named_part& out) {
  const bool persistent = (plan.flags & KITH_NAME_PERSISTENT) != 0;
  uint64_t flags = plan.flags & card_public_flags;
  if (persistent) flags |= card_was_persistent;
  card.flags.store(flags, std::memory_order_relaxed);
  card.creator.store(platform::self().bits, std::memory_order_relaxed);
  card.name_size.store(plan.name.size, std::memory_order_relaxed);
  std::memcpy(card.name, plan.name.text, plan.name.size);
  out = {&card, find_seat(card), plan.key, persistent};
}

kith_status name_card_join(name_card& card, segment_kind kind, bool writable, named_part& out) {
  if (card.ready.load(std::memory_order_acquire) != name_card_ready) return KITH_E_MISMATCH;
  // Once, as another process may write to it.
  const uint64_t size = card.name_size.load(std::memory_order_relaxed);
  if (size == 0 || size > sizeof card.name || name_letter_of(kind) == 0) return KITH_E_MISMATCH;
  sha256 hash;
  hash.add(card.name, static_cast<size_t>(size));
  const bool was_persistent = (card.flags.load(std::memory_order_relaxed) & card_was_persistent) != 0;
  out = {writable ? &card : nullptr, name_card_users, platform::name_key_of(name_letter_of(kind), hash.end()),
         was_persistent};
  if (writable) out.seat = find_seat(card);
  return KITH_OK;
}

void counted_sleeper::begin(const wait_area& area) {
  if (sleepers_ != nullptr || area.card == nullptr || area.seat >= name_card_users) return;
  if (area.card->users[area.seat].load(std::memory_order_relaxed) != platform::self().bits) return;
  sleepers_ = &area.card->sleepers[area.seat];
  sleepers_->fetch_add(1, std::memory_order_relaxed);
}

void counted_sleeper::end() {
  if (sleepers_ != nullptr) sleepers_->fetch_sub(1, std::memory_order_relaxed);
  sleepers_ = nullptr;
}

// In a forked child the word is another process's, and stays.
void name_card_leave(named_part& self) {
  if (self.card != nullptr && self.seat < name_card_users) {
    uint64_t mine = platform::self().bits;
    self.card->users[self.seat].compare_exchange_strong(mine, 0, std::memory_order_relaxed);
  }
  self = {};
}

}  // namespace kith::shm
