// SPDX-License-Identifier: MIT
// The connector's side of a handshake.
#include <cstring>
#include <utility>

#include "handshake.h"

namespace kith {

namespace {

// What a listener may say instead of letting us in.
bool is_refusal(kith_status status) {
  switch (status) {
    case KITH_E_DENIED:
    case KITH_E_LIMIT:
    case KITH_E_MISMATCH:
    case KITH_E_NOT_FOUND:
    case KITH_E_NO_MEMORY:
    case KITH_E_UNSUPPORTED:
    case KITH_E_WRONG_KEY: return true;
    default: return false;
  }
}

}  // namespace

kith_status connector::begin(const connection_wish& wish, bool is_own_user) {
  kith_status status = KITH_OK;
  // A number that only a proof needs.
  if (wish.key.bytes != nullptr) status = platform::random_bytes(&mine_, sizeof mine_);
  if (status == KITH_OK)
    status = platform::caller_connect(wish.name, is_own_user ? nullptr : wish.user, line_);
  if (status != KITH_OK) return status;
  unsigned char message[platform::most_of_greeting];
  greeting said{};
  said.begin = handshake_beginning();
  said.flags = (wish.key.bytes != nullptr ? greeting_has_key : 0u) |
               (platform::caller_may_fetch(line_) ? greeting_fetches : 0u);
  said.name_size = static_cast<uint32_t>(wish.name.size);
  said.pid_namespace = platform::pid_namespace();
  said.mine = mine_;
  std::memcpy(message, &said, sizeof said);
  std::memcpy(message + sizeof said, wish.name.text, wish.name.size);
  // In one piece, and at once: the other side wakes by the connection, and need not wait.
  status = platform::caller_write(line_, message, sizeof said + wish.name.size);
  if (status == KITH_OK) status = platform::caller_peer(line_, who_);
  // Somebody has got there before the one whom we want. He has learned nothing but the name.
  if (status == KITH_OK && std::strcmp(who_.user.text, wish.user) != 0) status = KITH_E_DENIED;
  return status;
}

kith_status connector::prove(const connection_wish& wish) {
  theirs_ = answer_.mine;
  proof known{};
  known.begin = handshake_beginning();
  known.mine = handshake_proof(wish.key, side::connects, mine_, theirs_, wish.name);
  proven_ = true;
  got_ = 0;
  return platform::caller_write(line_, &known, sizeof known);
}

// What we fetched ourselves is a handle of our own; a number that we were told may be that of any.
void connector::refuse_memory(platform::native_handle&& memory) const {
  if (answer_.memory.fetch == 0 && memory.valid()) platform::parcel_refuse(std::move(memory));
}

kith_status connector::advance(const connection_wish& wish, platform::native_handle& memory) {
  for (;;) {
    kith_status status = read_message(line_, &answer_, sizeof answer_, got_);
    if (status != KITH_OK) return status;
    if (answer_.status != KITH_OK) return is_refusal(answer_.status) ? answer_.status : KITH_E_PROTOCOL;
    const bool has_key = wish.key.bytes != nullptr;
    if ((answer_.flags & answer_asks_for_proof) == 0) {
      // One who lets us in without having asked does not know the key either.
      if (has_key != proven_) return KITH_E_WRONG_KEY;
      break;
    }
    if (!has_key || proven_) return KITH_E_PROTOCOL;
    if (status = prove(wish); status != KITH_OK) return status;
  }
  if (proven_) {
    const digest expected = handshake_proof(wish.key, side::listens, mine_, theirs_, wish.name);
    if (!digests_are_equal(answer_.proven, expected)) return KITH_E_WRONG_KEY;
  }
  return platform::caller_fetch(line_, answer_.memory, memory);
}

}  // namespace kith
