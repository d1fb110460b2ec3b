// SPDX-License-Identifier: MIT
// A peer that writes into the control stream, where kith writes nothing.
#include "channel.h"
#include "posix_support.h"

TEST_CASE_FIXTURE(test::nothing_leaks,
                  "rubbish on the control stream is refused, and what was sent before is received") {
  test::channel_pair line = test::make_channel(4096);
  CHECK(test::tell(line.a, "before"));
  {
    kith::pinned<kith::channel_object> mad(line.a.get(), kith::object_kind::channel);
    REQUIRE_OK(mad.status());
    REQUIRE(write(mad->stream.socket.get(), "rubbish", 7) == 7);
  }
  CHECK(test::hear(line.b, "before"));
  CHECK(test::hear(line.b, "(KITH_E_PROTOCOL)"));
  kith_status status = KITH_OK;
  while (status == KITH_OK) status = kith_channel_send(line.b, "x", 1, test::generous);
  CHECK_STATUS(status, KITH_E_PROTOCOL);
  CHECK_STATUS(kith_channel_send(line.b, "x", 1, 0), KITH_E_PROTOCOL);
}
