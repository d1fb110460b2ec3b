// SPDX-License-Identifier: MIT
// A fuzzer in the place of a process that gives us an object: it owns the segment, and what its header says. We attach it, use it a little
// and close it, or refuse it. A header that was true once is changed, or copied into a segment of another size.
#include "channel.h"
#include "fuzz_support.h"
#include "object_transfer.h"
#include "segment_object.h"

namespace {

using fuzz::hostage;
using fuzz::reader;

constexpr int most_changes = 64;
constexpr size_t header_size = sizeof(kith::shm::segment_header);

// What a receiver of the object would have in its hands. Of a channel end the giver keeps nothing that it would use.
bool take_handles(const hostage& one, kith::claimed_share& out) {
  kith::object* found = nullptr;
  if (kith::handle_pin_any(one.object, found) != KITH_OK) return false;
  kith::given_share given{};
  given.given = found;
  const bool described = kith::share_describe(*found, given) == KITH_OK;
  for (size_t i = 0; described && i < kith::shm::most_share_handles; ++i) {
    if (given.handles[i] != nullptr)
      (void)kith::platform::handle_duplicate(*given.handles[i], out.handles[i]);
  }
  out.end = given.end;
  if (described && one.kind == KITH_OBJECT_CHANNEL)
    kith::channel_end_move(static_cast<kith::channel_object&>(*found), false);
  kith::handle_unpin(one.object);
  return described;
}

void change(reader& input, fuzz::hostile_mapping& memory) {
  for (int i = 0; i < most_changes && !input.empty(); ++i) {
    switch (input.byte() % 4) {
      case 0:
      case 1: memory.store_number(input, 0, header_size); break;
      case 2: memory.store_number(input, header_size, 2'048); break;
      default: memory.scribble(input); break;
    }
  }
}

void attach_and_use(int32_t kind, kith::claimed_share& came) {
  void* object = nullptr;
  if (kith::object_open(static_cast<kith::object_kind>(kind), {}, came, &object) != KITH_OK) return;
  fuzz::in_time([&] { fuzz::use_and_close(kind, object); });
}

void attack(reader& input) {
  hostage one;
  if (!one.make(input.byte())) return;
  kith::claimed_share came;
  const int32_t kind = input.byte() % 8 == 0 ? input.byte() % 17 : one.kind;
  if (!take_handles(one, came)) return;
  if (input.byte() % 8 == 0) came.end = input.byte();
  change(input, *one.memory);
  if (input.byte() % 4 == 0) came.handles[0] = fuzz::copy_of_some_size(input, *one.memory);
  attach_and_use(kind, came);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::run([&] {
    reader input(data, size);
    attack(input);
  });
  return 0;
}
