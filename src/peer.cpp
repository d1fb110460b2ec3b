// SPDX-License-Identifier: MIT
// Who has the other end of a channel.
#include <cstring>

#include "channel_turn.h"

namespace kith {

namespace {

bool is_there(channel_object& self, identity holder) {
  if (closed_by_peer(self)) return false;
  if (platform::stream_look(self.stream) == platform::stream_state::ended) return false;
  return holder.nobody() || platform::alive(holder) != liveness::dead;
}

}  // namespace

}  // namespace kith

using namespace kith;

kith_status kith_channel_peer(kith_channel* channel, kith_peer* out) {
  const pinned<channel_object> self(channel, object_kind::channel);
  if (self.status() != KITH_OK) return self.status();
  if (out == nullptr) return KITH_E_INVALID;
  const stream_looker look(*self);
  if (!look.may()) return KITH_E_MOVED;
  kith_peer told{};
  // What the other side has written there. Acquire: with its release in open_end.
  const identity holder{self->terms.shared_ends ? 0 : self->theirs().holder.load(std::memory_order_acquire)};
  told.alive = is_there(*self, holder) ? 1 : 0;
  told.pid = holder.pid();
  if (self->peer != nullptr) {
    told.pid = self->peer->pid;
    told.told_by_os = 1;
    std::memcpy(told.user, self->peer->user.text, sizeof told.user);
  }
  *out = told;
  return KITH_OK;
}
