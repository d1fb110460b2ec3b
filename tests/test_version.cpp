// SPDX-License-Identifier: MIT
#include "support.h"

TEST_CASE("the library has the version of its header") {
  CHECK(kith_version() == KITH_VERSION);
  CHECK(kith_abi_version() == KITH_ABI_VERSION);
  CHECK(KITH_VERSION == KITH_VERSION_MAJOR * 10000 + KITH_VERSION_MINOR * 100 + KITH_VERSION_PATCH);
}

TEST_CASE("a feature is there or not there, and what is no feature is not there") {
  for (const int32_t feature :
       {KITH_HAS_FORK, KITH_HAS_SEALED_MEMORY, KITH_HAS_READ_ONLY_SHARE, KITH_HAS_PROCESS_HANDLE}) {
    const int32_t answer = kith_has(feature);
    CHECK((answer == 0 || answer == 1));
  }
  for (const int32_t nonsense : {0, -1, 5, 1000, INT32_MAX, INT32_MIN}) CHECK(kith_has(nonsense) == 0);
  CHECK(kith_has(KITH_HAS_FORK) == (test::is_windows ? 0 : 1));
}
