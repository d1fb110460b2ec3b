// SPDX-License-Identifier: MIT
// A peer that writes into the control stream, where kith writes nothing.
#include <windows.h>

#include "../support.h"
#include "channel.h"

TEST_CASE_FIXTURE(test::nothing_leaks,
                  "rubbish on the control stream is refused, and what was sent before is received") {
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
  CHECK(test::hear(line.b, "(KITH_E_PROTOCOL)"));
  kith_status status = KITH_OK;
  while (status == KITH_OK) status = kith_channel_send(line.b, "x", 1, test::generous);
  CHECK_STATUS(status, KITH_E_PROTOCOL);
}
