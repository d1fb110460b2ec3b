// SPDX-License-Identifier: MIT
// The listener's side, and what both have in common.
#include "handshake.h"

#include <cstring>
#include <utility>

#include "shm/segment.h"

namespace kith {

namespace {

bool is_one_of(const char* const* users, const char* user) {
  if (users == nullptr) return false;
  for (; *users != nullptr; ++users) {
    if (std::strcmp(*users, everybody) == 0 || std::strcmp(*users, user) == 0) return true;
  }
  return false;
}

// Whether the first sizeof(T) bytes of a message are there, and were not before.
template <class T>
bool has_just_come(size_t before, size_t now) {
  return before < sizeof(T) && now >= sizeof(T);
}

kith_status check_begin_of(const void* message) {
  handshake_begin begin;
  std::memcpy(&begin, message, sizeof begin);
  return handshake_check(begin);
}

}  // namespace

handshake_begin handshake_beginning() {
  return {handshake_magic, handshake_byte_order, handshake_version, shm::segment_layout_version};
}

kith_status handshake_check(const handshake_begin& begin) {
  // Of the other byte order it is another machine's kith.
  if (begin.magic == 0x7468'6965 && begin.byte_order == 0x0403'0201) return KITH_E_MISMATCH;
  if (begin.magic != handshake_magic || begin.byte_order != handshake_byte_order) return KITH_E_PROTOCOL;
  const bool is_same = begin.version == handshake_version && begin.layout == shm::segment_layout_version;
  return is_same ? KITH_OK : KITH_E_MISMATCH;
}

// Both numbers used once, the name and the side are in it, so that no proof is good for another connection or the other side.
digest handshake_proof(const shared_key& key, side whose, const nonce& of_connector, const nonce& of_listener,
                       const platform::meeting_name& name) {
  hmac_sha256 code(key.bytes, key.size);
  constexpr char purpose[] = "kith endpoint 1";
  code.add(purpose, sizeof purpose);
  code.add(&whose, 1);
  code.add(of_connector.bytes, sizeof of_connector.bytes);
  code.add(of_listener.bytes, sizeof of_listener.bytes);
  code.add(name.text, name.size);
  return code.end();
}

kith_status read_meeting_name(const char* name, platform::meeting_name& out) {
  if (name == nullptr) return KITH_E_INVALID;
  size_t size = 0;
  while (size <= platform::longest_meeting_name && name[size] != '\0') ++size;
  if (size == 0 || size > platform::longest_meeting_name) return KITH_E_INVALID;
  sha256 hash;
  hash.add(name, size);
  out = {name, size, hash.end()};
  return KITH_OK;
}

kith_status read_message(platform::caller& from, void* into, size_t size, size_t& got) {
  unsigned char* const bytes = static_cast<unsigned char*>(into);
  while (got < size) {
    size_t now = 0;
    const kith_status status = platform::caller_read(from, bytes + got, size - got, now);
    if (status != KITH_OK) return status;
    got += now;
    if (!has_just_come<handshake_begin>(got - now, got)) continue;
    if (const kith_status checked = check_begin_of(bytes); checked != KITH_OK) return checked;
  }
  return KITH_OK;
}

// ---- a visitor -------------------------------------------------------------------------------------------------------------------------

kith_status visitor::advance(const doorman& rules) {
  kith_status status = KITH_OK;
  while (status == KITH_OK && stage_ != stage::admitted) status = step(rules);
  // Who is not kith is told nothing; who is gone cannot be.
  if (status != KITH_OK && status != KITH_E_TIMEOUT && status != KITH_E_PROTOCOL &&
      status != KITH_E_PEER_DIED)
    refuse(status);
  return status;
}

kith_status visitor::step(const doorman& rules) {
  switch (stage_) {
    case stage::greeting: return take_greeting(rules);
    case stage::proof: return take_proof(rules);
    case stage::admitted: break;
  }
  return KITH_OK;
}

// The greeting and the name come in one piece, and are read in one where they did. Not more than the right one has: who is kith says no more yet.
kith_status visitor::take_greeting(const doorman& rules) {
  const size_t all = sizeof greeting_ + rules.name->size;
  while (got_ < all) {
    unsigned char piece[sizeof(greeting) + 256];
    size_t got = 0;
    kith_status status =
        platform::caller_read(line_, piece, all - got_ < sizeof piece ? all - got_ : sizeof piece, got);
    if (status == KITH_OK) status = take_piece(rules, piece, got);
    if (status != KITH_OK) return status;
  }
  if (((greeting_.flags & greeting_has_key) != 0) != (rules.key.bytes != nullptr)) return KITH_E_WRONG_KEY;
  if (rules.key.bytes != nullptr) return ask_for_proof();
  stage_ = stage::admitted;
  return KITH_OK;
}

// Each part is looked at as soon as it is there, before what comes behind it.
kith_status visitor::take_piece(const doorman& rules, const unsigned char* piece, size_t size) {
  const size_t before = got_;
  const size_t missing = before < sizeof greeting_ ? sizeof greeting_ - before : 0;
  const size_t words = missing < size ? missing : size;
  std::memcpy(reinterpret_cast<unsigned char*>(&greeting_) + before, piece, words);
  got_ += size;
  kith_status status = KITH_OK;
  if (has_just_come<handshake_begin>(before, got_)) status = check_begin_of(&greeting_);
  if (status == KITH_OK && has_just_come<greeting>(before, got_)) status = check_greeting(rules);
  if (status != KITH_OK || size == words) return status;
  const size_t at = before + words - sizeof greeting_;
  return std::memcmp(piece + words, rules.name->text + at, size - words) == 0 ? KITH_OK : KITH_E_NOT_FOUND;
}

kith_status visitor::check_greeting(const doorman& rules) {
  if (const kith_status status = platform::caller_peer(line_, who_); status != KITH_OK) return status;
  const bool is_allowed =
      std::strcmp(who_.user.text, rules.own->text) == 0 || is_one_of(rules.users, who_.user.text);
  if (!is_allowed) return KITH_E_DENIED;
  const uint64_t here = platform::pid_namespace();
  if (greeting_.pid_namespace != 0 && here != 0 && greeting_.pid_namespace != here) return KITH_E_UNSUPPORTED;
  // Another name with the same hash.
  return greeting_.name_size == rules.name->size ? KITH_OK : KITH_E_NOT_FOUND;
}

answer visitor::make_answer(kith_status status) {
  answer out{};
  out.begin = handshake_beginning();
  out.status = status;
  out.mine = mine_;
  return out;
}

kith_status visitor::ask_for_proof() {
  if (const kith_status status = platform::random_bytes(&mine_, sizeof mine_); status != KITH_OK)
    return status;
  answer asks = make_answer(KITH_OK);
  asks.flags = answer_asks_for_proof;
  got_ = 0;
  stage_ = stage::proof;
  return platform::caller_write(line_, &asks, sizeof asks);
}

kith_status visitor::take_proof(const doorman& rules) {
  if (const kith_status status = read_message(line_, &proof_, sizeof proof_, got_); status != KITH_OK)
    return status;
  const digest expected = handshake_proof(rules.key, side::connects, greeting_.mine, mine_, *rules.name);
  if (!digests_are_equal(proof_.mine, expected)) return KITH_E_WRONG_KEY;
  stage_ = stage::admitted;
  return KITH_OK;
}

kith_status visitor::admit(const doorman& rules, const platform::native_handle& memory,
                           platform::stream& out) {
  answer comes = make_answer(KITH_OK);
  if (rules.key.bytes != nullptr)
    comes.proven = handshake_proof(rules.key, side::listens, greeting_.mine, mine_, *rules.name);
  const bool may_fetch = (greeting_.flags & greeting_fetches) != 0;
  const kith_status status =
      platform::caller_write_with(line_, &comes, sizeof comes, comes.memory, may_fetch, memory);
  if (status == KITH_OK) platform::caller_to_stream(line_, out);
  return status;
}

void visitor::refuse(kith_status why) {
  const answer no = make_answer(why);
  (void)platform::caller_write(line_, &no, sizeof no);
}

}  // namespace kith
