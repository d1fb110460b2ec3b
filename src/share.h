// SPDX-License-Identifier: MIT
// Giving objects to a child by name, and the child's taking of them.
#pragma once

#include <kith/kith.h>

#include "buffer.h"
#include "object.h"
#include "platform.h"
#include "shm/bootstrap.h"
#include "shm/segment.h"

namespace kith {

inline constexpr size_t longest_name = 255;

// 1 to 255 bytes.
bool name_is_valid(const char* name);

// One share as a spawn carries it.
struct given_share {
  const char* name;
  size_t name_size;
  const void* user_handle;  // to tell the same channel end given twice
  object* given;            // pinned while the spawn runs
  shm::segment_kind kind;
  uint32_t end;
  // The segment; then a channel's stream, or the bells of an event, queue or broadcast. nullptr: none.
  const platform::native_handle* handles[shm::most_share_handles];
};

// Says what another process needs to get the object; reserves a channel end, so that nobody uses it while it moves, until
// channel_end_move.
kith_status share_describe(object& self, given_share& out);

// All shares of one spawn: checked, pinned, and their channel ends reserved. Whatever happens, the destructor lets go again.
class given_shares {
 public:
  given_shares() = default;
  given_shares(const given_shares&) = delete;
  given_shares& operator=(const given_shares&) = delete;
  ~given_shares();

  kith_status add_all(const kith_share* shares, size_t count);
  void moved();  // the child has them: the channel ends are no longer ours

  const buffer<given_share>& list() const { return list_; }

 private:
  kith_status add(const kith_share& share);
  buffer<given_share> list_;
  bool moved_ = false;
};

// What a child takes: the handles behind a name. Once only.
struct claimed_share {
  platform::native_handle handles[shm::most_share_handles];
  uint32_t end = 0;
};

// KITH_E_INVALID: no valid name; KITH_E_NOT_FOUND; KITH_E_MISMATCH: another kind; KITH_E_MOVED: taken before.
kith_status share_claim(const char* name, shm::segment_kind kind, claimed_share& out);

bool shares_may_be_left();  // false: none was given
// Takes a share that nobody has taken yet, of that kind; KITH_E_NOT_FOUND: there is none.
kith_status share_claim_left_over(shm::segment_kind kind, claimed_share& out);

}  // namespace kith
