// SPDX-License-Identifier: MIT
// A peer that writes into the control stream what kith never writes there. Here all bytes are bells.
#include <windows.h>

#include "../support.h"
#include "channel.h"

TEST_CASE_FIXTURE(test::nothing_leaks, "rubbish on the control stream does no harm") {
  test::channel_pair line = test::make_channel(4096);
  CHECK(test::tell(line.a, "before"));
  {
    kith::pinned<kith::channel_object> mad(line.a.get(), kith::object_kind::channel);
    REQUIRE_OK(mad.status());
    OVERLAPPED overlapped{};
    overlapped.hEvent = CreateEventW(nullptr, TRUE, FALSE, nullptr);
    DWORD written = 0;
    WriteFile(mad->stream.pipe.get(), "rubbish", 7, nullptr, &overlapped);
    CHECK(GetOverlappedResult(mad->stream.pipe.get(), &overlapped, &written, TRUE) != 0);
    CHECK(written == 7);
    CloseHandle(overlapped.hEvent);
  }
  CHECK(test::hear(line.b, "before"));
  char buffer[8];
  size_t size = 0;
  CHECK_STATUS(kith_channel_recv(line.b, buffer, sizeof buffer, &size, 50), KITH_E_TIMEOUT);
  CHECK(test::tell(line.a, "after"));
  CHECK(test::hear(line.b, "after"));
  line.a.close();
  CHECK(test::hear(line.b, "(KITH_E_CLOSED)"));
}
