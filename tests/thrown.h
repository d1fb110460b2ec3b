// SPDX-License-Identifier: MIT
// What the tests of kith.hpp share.
#pragma once

#include <kith/kith.hpp>

#include "support.h"

namespace test {

// The status of the kith::error that the call throws; KITH_OK: none.
template <class Call>
kith_status thrown_by(Call call) {
  try {
    call();
  } catch (const kith::error& why) {
    CHECK(std::string(why.what()).find("kith::") == 0);
    return why.why().value();
  }
  return KITH_OK;
}

}  // namespace test
