// SPDX-License-Identifier: MIT
#include "strangers.h"

#include <uv.h>

namespace test {

std::string unique_name(const char* what) {
  static uint64_t state = 0;
  if (state == 0) uv_random(nullptr, nullptr, &state, sizeof state, 0, nullptr);
  return std::string("test ") + what + " " + std::to_string(uv_os_getpid()) + " " +
         std::to_string(next_random(state));
}

endpoint listen(const std::string& name, const kith_endpoint_options* options) {
  endpoint made;
  REQUIRE_OK(kith_endpoint_listen(name.c_str(), options, made.out()));
  return made;
}

meeting meet(kith_endpoint* at, const std::string& name, const kith_connect_options* options,
             int64_t timeout_ms) {
  meeting out;
  std::thread other([&] { out.accepted = kith_endpoint_accept(at, out.ends.a.out(), timeout_ms); });
  out.connected = kith_connect(name.c_str(), options, out.ends.b.out(), timeout_ms);
  other.join();
  return out;
}

}  // namespace test
