// SPDX-License-Identifier: MIT
// The memory that the OS has really given for a channel: its file has as many blocks.
#include <sys/stat.h>

#include "channel.h"
#include "posix_support.h"

namespace {

uint64_t pages_in_use(kith_channel* end) {
  kith::pinned<kith::channel_object> self(end, kith::object_kind::channel);
  REQUIRE_OK(self.status());
  struct stat about {};
  REQUIRE(fstat(self->segment.memory.object.get(), &about) == 0);
  return static_cast<uint64_t>(about.st_blocks) * 512 / static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace

TEST_CASE("an idle channel takes at most three pages; those of its rings come when they are used") {
  const test::channel_pair line = test::make_channel(1 << 20);
  CHECK(pages_in_use(line.a) <= 3);
  CHECK(test::tell(line.a, "hello"));
  CHECK(test::hear(line.b, "hello"));
  if (pages_in_use(line.a) == 0) SKIP_CASE("this OS does not tell what memory an object takes");
  CHECK(pages_in_use(line.a) <= 4);
  const std::vector<unsigned char> large(100'000);
  CHECK_OK(kith_channel_send(line.a, large.data(), large.size(), 0));
  CHECK(pages_in_use(line.a) > 20);
}
