// SPDX-License-Identifier: MIT
// A peer that writes into the control stream what kith never writes there.
#include "channel.h"
#include "posix_support.h"

TEST_CASE_FIXTURE(test::nothing_leaks,
                  "rubbish on the control stream is refused where it is read, and does no harm elsewhere") {
  test::channel_pair line = test::make_channel(4096);
  CHECK(test::tell(line.a, "before"));
  {
    kith::pinned<kith::channel_object> mad(line.a.get(), kith::object_kind::channel);
    REQUIRE_OK(mad.status());
    REQUIRE(write(mad->stream.socket.get(), "rubbish", 7) == 7);
  }
  CHECK(test::hear(line.b, "before"));
  char buffer[8];
  size_t size = 0;
  CHECK_STATUS(kith_channel_recv(line.b, buffer, sizeof buffer, &size, 50), KITH_E_TIMEOUT);
  CHECK_STATUS(kith_poll_arm(line.b, KITH_WAIT_READ), KITH_E_PROTOCOL);
  CHECK(test::tell(line.a, "after"));
  CHECK(test::hear(line.b, "after"));
  line.a.close();
  CHECK(test::hear(line.b, "(KITH_E_CLOSED)"));
}
