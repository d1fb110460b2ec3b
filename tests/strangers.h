// SPDX-License-Identifier: MIT
// What the tests of endpoints share.
#pragma once

#include <string>

#include "support.h"

namespace test {

using endpoint = owner<kith_endpoint, kith_endpoint_close>;

// No other test, and no other run of this one, uses it.
std::string unique_name(const char* what);

endpoint listen(const std::string& name, const kith_endpoint_options* options = nullptr);

// Connects in this thread while another one accepts.
struct meeting {
  channel_pair ends;  // a: who accepted, b: who connected
  kith_status accepted = KITH_E_OS;
  kith_status connected = KITH_E_OS;
};
meeting meet(kith_endpoint* at, const std::string& name, const kith_connect_options* options = nullptr,
             int64_t timeout_ms = generous);

}  // namespace test
