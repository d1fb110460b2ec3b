// SPDX-License-Identifier: MIT
// Processes that are no relatives meet by a name.
#pragma once

#include <kith/cpp/base.hpp>
#include <kith/cpp/channel.hpp>

namespace kith {
inline namespace cpp {

struct endpoint_options {
  std::vector<std::string> users = {};  // who may connect beside this user; "*": everybody
  bytes_view key = {};                  // who connects must know it; none: no key
  channel_options channels = {};
  std::chrono::milliseconds handshake{0};  // how long who connects may take to say what kith says; 0: the default
};

struct connect_options {
  bool wait = false;  // until somebody listens, instead of KITH_E_NOT_FOUND
  std::string user = {};  // whose endpoint; "": this user's
  bytes_view key = {};
};

class endpoint : public owner<kith_endpoint, kith_endpoint_close> {
 public:
  using owner::owner;
  // Allocates, so it may throw std::bad_alloc.
  static result<endpoint> try_listen(const char* name, const endpoint_options& wanted = {}) {
    const std::vector<const char*> users = detail::pointers(wanted.users);
    auto options = detail::options<kith_endpoint_options>();
    options.ring_size = wanted.channels.ring_size;
    options.large_message = wanted.channels.large_message;
    options.channel_flags = wanted.channels.flags;
    options.handshake_ms = static_cast<uint32_t>(wanted.handshake.count());
    if (!wanted.users.empty()) options.users = users.data();
    options.key = wanted.key.data();
    options.key_size = wanted.key.size();
    return detail::own<endpoint>([&](kith_endpoint** out) { return kith_endpoint_listen(name, &options, out); });
  }
  // The channel to the next process that has connected.
  result<channel> try_accept(timeout wait = forever) const noexcept {
    return detail::own<channel>([&](kith_channel** out) { return kith_endpoint_accept(get(), out, wait.ms()); });
  }
#if KITH_HPP_THROWS
  explicit endpoint(const char* name, const endpoint_options& wanted = {})
      : endpoint(try_listen(name, wanted).value("kith::endpoint")) {}
  explicit endpoint(const std::string& name, const endpoint_options& wanted = {}) : endpoint(name.c_str(), wanted) {}
  channel accept(timeout wait = forever) const { return try_accept(wait).value("kith::endpoint::accept"); }
#endif
};

// The channel to who listens under that name, once that has accepted.
inline result<channel> try_connect(const char* name, const connect_options& wanted = {}, timeout wait = forever) noexcept {
  auto options = detail::options<kith_connect_options>(wanted.wait ? uint32_t{KITH_CONNECT_WAIT} : 0);
  if (!wanted.user.empty()) options.user = wanted.user.c_str();
  options.key = wanted.key.data();
  options.key_size = wanted.key.size();
  return detail::own<channel>([&](kith_channel** out) { return kith_connect(name, &options, out, wait.ms()); });
}
#if KITH_HPP_THROWS
inline channel connect(const std::string& name, const connect_options& wanted = {}, timeout wait = forever) {
  return try_connect(name.c_str(), wanted, wait).value("kith::connect");
}
#endif

}  // namespace cpp
}  // namespace kith
