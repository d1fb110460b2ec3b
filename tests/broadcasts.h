// SPDX-License-Identifier: MIT
// What the tests of broadcasts share: owners, and messages that tell which they are.
#pragma once

#include <algorithm>
#include <cstring>

#include "support.h"
#include "waits.h"

namespace test {

using broadcast = owner<kith_broadcast, kith_broadcast_close>;
using reader = owner<kith_reader, kith_reader_close>;
using bytes = std::vector<unsigned char>;

inline broadcast make_broadcast(uint64_t ring_size = 0, uint32_t flags = 0, uint32_t most_readers = 0,
                                uint64_t history = 0) {
  auto options = defaults<kith_broadcast_options>();
  options.ring_size = ring_size;
  options.flags = flags;
  options.most_readers = most_readers;
  options.history = history;
  broadcast made;
  REQUIRE_OK(kith_broadcast_create(&options, made.out()));
  return made;
}

inline reader subscribe(kith_broadcast* broadcast, int64_t history = 0) {
  reader made;
  REQUIRE_OK(kith_broadcast_subscribe(broadcast, history, made.out()));
  return made;
}

inline bool take(broadcast& out, const char* name) {
  return kith_broadcast_inherit(name, out.out()) == KITH_OK;
}

// A message that tells who made it and which it is; all of the rest follows from these.
struct mark {
  uint64_t maker;
  uint64_t number;
};

inline bytes make_message(const mark& is) {
  bytes message = noise(sizeof(mark) + is.number % 50, is.number ^ (is.maker << 32));
  std::memcpy(message.data(), &is, sizeof is);
  return message;
}

inline kith_status publish(kith_broadcast* broadcast, const mark& is, int64_t timeout_ms = generous) {
  const bytes message = make_message(is);
  return kith_broadcast_publish(broadcast, message.data(), message.size(), timeout_ms);
}

// KITH_E_PROTOCOL: it is not whole.
inline kith_status check_message(const unsigned char* data, size_t size, mark& is) {
  if (size < sizeof is) return KITH_E_PROTOCOL;
  std::memcpy(&is, data, sizeof is);
  const bytes expected = make_message(is);
  return expected.size() == size && std::equal(expected.begin(), expected.end(), data) ? KITH_OK
                                                                                       : KITH_E_PROTOCOL;
}

inline kith_status next(kith_reader* reader, mark& is, uint64_t& missed, int64_t timeout_ms = generous) {
  unsigned char buffer[200];
  size_t size = 0;
  missed = 0;
  const kith_status status = kith_reader_next(reader, buffer, sizeof buffer, &size, &missed, timeout_ms);
  if (status < KITH_OK) return status;
  const kith_status whole = check_message(buffer, size, is);
  return whole == KITH_OK ? status : whole;
}

// A call in a thread of its own, which has had the time to go to sleep in it.
class sleeping_call {
 public:
  explicit sleeping_call(std::function<kith_status()> call)
      : thread_([this, call = std::move(call)] { result_ = call(); }) {
    let_it_sleep();
  }
  kith_status result() {
    thread_.join();
    return result_;
  }

 private:
  kith_status result_ = KITH_OK;
  std::thread thread_;
};

}  // namespace test
