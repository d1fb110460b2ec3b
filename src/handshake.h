// SPDX-License-Identifier: MIT
// What two strangers say before there is a channel. Whatever comes is a stranger's: it is checked, whole, before anything is done about it.
//
//   who connects                        who listens
//   greeting, name              ->
//                               <-      answer, and the memory of the channel
//
// With a key, the first answer asks for a proof instead, and has a number used once:
//
//   proof                       ->
//                               <-      answer with the listener's proof, and the memory of the channel
//
// So the one who listens shows nothing that depends on the key to one who does not know it.
#pragma once

#include <kith/kith.h>

#include <cstddef>
#include <cstdint>

#include "platform.h"
#include "sha256.h"

namespace kith {

inline constexpr uint32_t handshake_magic = 0x6569'6874;  // "thie" in a little-endian dump
inline constexpr uint32_t handshake_byte_order = 0x0102'0304;
inline constexpr uint32_t handshake_version = 1;

// The first fields of each message, which no version changes.
struct handshake_begin {
  uint32_t magic;
  uint32_t byte_order;
  uint32_t version;
  uint32_t layout;  // of segments
};

struct nonce {
  unsigned char bytes[32];
};

enum : uint32_t {
  greeting_has_key = 1,
  greeting_fetches = 2,  // who connects may take handles out of the listener's process
  answer_asks_for_proof = 4
};

struct greeting {
  handshake_begin begin;
  uint32_t flags;
  uint32_t name_size;
  uint64_t pid_namespace;
  nonce mine;
};
static_assert(sizeof(greeting) == 64);

struct proof {
  handshake_begin begin;
  digest mine;
};
static_assert(sizeof(proof) == 48);

struct answer {
  handshake_begin begin;
  int32_t status;  // KITH_OK, or why not
  uint32_t flags;
  platform::handle_label memory;
  nonce mine;
  digest proven;
};
static_assert(sizeof(answer) == 104);

handshake_begin handshake_beginning();
// KITH_E_PROTOCOL: it is not kith's; KITH_E_MISMATCH: it is another version's.
kith_status handshake_check(const handshake_begin& begin);

// A key, as somebody was given it. nullptr: none.
struct shared_key {
  const void* bytes = nullptr;
  size_t size = 0;
};

enum class side : unsigned char { listens = 1, connects = 2 };
digest handshake_proof(const shared_key& key, side whose, const nonce& of_connector, const nonce& of_listener,
                       const platform::meeting_name& name);

inline constexpr const char* everybody = "*";

// The name of an endpoint. KITH_E_INVALID: it is none.
kith_status read_meeting_name(const char* name, platform::meeting_name& out);

// Reads as much as is there of a message, which begins with a handshake_begin. KITH_E_TIMEOUT: it is not all there yet. That it is another
// version's is known before the rest has come, whose size may be another.
kith_status read_message(platform::caller& from, void* into, size_t size, size_t& got);

// ---- the listener's side --------------------------------------------------------------------------------------------------------------

struct doorman {
  const platform::meeting_name* name;
  const char* const* users;  // beside `own`
  const platform::user_name* own;
  shared_key key;
};

// Somebody who has connected and is not let in yet.
class visitor {
 public:
  visitor(platform::caller&& line, deadline until) : until_(until) { std::swap(line_, line); }
  ~visitor() { platform::caller_close(line_); }
  visitor(const visitor&) = delete;
  visitor& operator=(const visitor&) = delete;

  // KITH_OK: he may come in. KITH_E_TIMEOUT: he has not said all yet. Everything else: he is not let in, and knows it if he is kith.
  kith_status advance(const doorman& rules);
  // The last answer, with the memory. Then the line is the stream.
  kith_status admit(const doorman& rules, const platform::native_handle& memory, platform::stream& out);
  void refuse(kith_status why);
  kith_status wait_at(platform::listener& place) { return platform::listener_watch(place, line_); }
  void forget() { platform::caller_forget(line_); }  // in a forked child: it is the parent's
  deadline until() const { return until_; }
  const platform::stranger& who() const { return who_; }

 private:
  enum class stage { greeting, proof, admitted };

  kith_status step(const doorman& rules);
  kith_status take_greeting(const doorman& rules);
  kith_status take_piece(const doorman& rules, const unsigned char* piece, size_t size);
  kith_status check_greeting(const doorman& rules);
  kith_status ask_for_proof();
  kith_status take_proof(const doorman& rules);
  answer make_answer(kith_status status);

  platform::caller line_;
  deadline until_;
  stage stage_ = stage::greeting;
  size_t got_ = 0;  // of what is read at this stage: the greeting and the name, or the proof
  greeting greeting_{};
  proof proof_{};
  nonce mine_{};
  platform::stranger who_;
};

// ---- the connector's side: handshake_out.cpp --------------------------------------------------------------------------------------------

struct connection_wish {
  platform::meeting_name name;
  const char* user;  // whose endpoint; never nullptr
  shared_key key;
};

class connector {
 public:
  connector() = default;
  ~connector() { platform::caller_close(line_); }
  connector(const connector&) = delete;
  connector& operator=(const connector&) = delete;

  // KITH_E_TIMEOUT: not just now.
  kith_status begin(const connection_wish& wish, bool is_own_user);
  // KITH_OK: the memory has come. KITH_E_TIMEOUT: not yet.
  kith_status advance(const connection_wish& wish, platform::native_handle& memory);
  // The memory is not what it should be.
  void refuse_memory(platform::native_handle&& memory) const;
  void finish(platform::stream& out) { platform::caller_to_stream(line_, out); }
  int64_t poll_handle() const { return platform::caller_poll_handle(line_); }
  const platform::stranger& who() const { return who_; }

 private:
  kith_status prove(const connection_wish& wish);

  platform::caller line_;
  size_t got_ = 0;
  answer answer_{};
  nonce mine_{};
  nonce theirs_{};
  bool proven_ = false;
  platform::stranger who_;
};

}  // namespace kith
