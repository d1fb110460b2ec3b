// SPDX-License-Identifier: MIT
// The listener's side of a meeting. Nothing is done behind the user's back: whoever calls kith_endpoint_accept looks after all who have connected,
// none of whom is waited for.
#include "endpoint.h"

#include <kith/kith.h>

#include <cstring>
#include <utility>

#include "allocator.h"
#include "channel.h"
#include "handshake.h"
#include "options.h"
#include "readiness.h"
#include "waiting.h"

namespace kith {

namespace {

constexpr uint32_t default_handshake_ms = 5000;
constexpr size_t most_users = 16;
// Who have connected and have not said all yet. When one more comes, the first of them goes.
constexpr size_t most_visitors = 64;

struct endpoint_object : object {
  identity owner;
  platform::listener place;
  text name;
  platform::meeting_name meeting{};
  kith_channel_options channels{};
  uint32_t handshake_ms = default_handshake_ms;
  platform::user_name own;
  platform::user_name users[most_users];
  const char* user_list[most_users + 1] = {};
  bool has_users = false;
  buffer<unsigned char> key;

  std::atomic<bool> turn{false};  // one thread at a time looks after the visitors
  // Guarded by the turn.
  visitor* visitors[most_visitors] = {};
  size_t visitor_count = 0;
  shm::segment next;  // memory for the next channel, made beforehand

  doorman rules() const {
    const shared_key known{key.empty() ? nullptr : key.data(), key.size()};
    return {&meeting, has_users ? user_list : nullptr, &own, known};
  }
};

// ---- those who have connected ----------------------------------------------------------------------------------------------------------

void drop_visitor(endpoint_object& self, size_t index) {
  unmake(self.visitors[index]);
  --self.visitor_count;
  for (size_t i = index; i < self.visitor_count; ++i) self.visitors[i] = self.visitors[i + 1];
}

kith_status take_segment(endpoint_object& self, shm::segment& out) {
  if (self.next.memory.base == nullptr) return channel_make_segment(self.channels, out);
  out = std::exchange(self.next, {});
  return KITH_OK;
}

// Where one has come, others will. To make the memory takes as long as all else that lets somebody in, most of it for the pages that are
// touched first. Now there is time: who was just let in has to map his before he can say anything. Where it fails, the next one finds out why.
void make_next_segment(endpoint_object& self) {
  if (self.next.memory.base != nullptr) return;
  if (channel_make_segment(self.channels, self.next) == KITH_OK) channel_touch_segment(self.next);
}

kith_status let_in(endpoint_object& self, visitor& who, void** out) {
  shm::segment segment;
  kith_status status = take_segment(self, segment);
  if (status != KITH_OK) {
    who.refuse(status);
    return status;
  }
  platform::stream stream;
  status = who.admit(self.rules(), platform::memory_handle(segment.memory), stream);
  if (status == KITH_OK) {
    make_next_segment(self);
    return channel_open_connected(std::move(segment), std::move(stream), 0, who.who(), out);
  }
  shm::segment_close(segment);
  // He has gone, or the OS keeps us from handing him anything: the next one is looked at.
  if (status != KITH_E_PEER_DIED) who.refuse(status);
  return KITH_E_TIMEOUT;
}

// KITH_E_TIMEOUT: nobody is let in, and the place of the one who was looked at is another's now, unless `stays`.
kith_status see_to(endpoint_object& self, size_t index, uint64_t now, void** out, bool& stays) {
  visitor& who = *self.visitors[index];
  kith_status status = who.advance(self.rules());
  stays = status == KITH_E_TIMEOUT && !passed(who.until(), now) && who.wait_at(self.place) == KITH_OK;
  if (stays) return KITH_E_TIMEOUT;
  if (status == KITH_OK) status = let_in(self, who, out);
  drop_visitor(self, index);
  return status == KITH_OK || status == KITH_E_NO_MEMORY || status == KITH_E_LIMIT ? status : KITH_E_TIMEOUT;
}

// Looks at each once. KITH_E_TIMEOUT: nobody is to be let in yet.
kith_status see_to_visitors(endpoint_object& self, uint64_t now, void** out) {
  kith_status status = KITH_E_TIMEOUT;
  for (size_t i = 0; status == KITH_E_TIMEOUT && i < self.visitor_count;) {
    bool stays = false;
    status = see_to(self, i, now, out, stays);
    if (stays) ++i;
  }
  return status;
}

kith_status add_visitor(endpoint_object& self, platform::caller&& line, uint64_t now) {
  visitor* const added = make<visitor>(std::move(line), deadline_in(now, self.handshake_ms));
  if (added == nullptr) {
    platform::caller_close(line);
    return KITH_E_NO_MEMORY;
  }
  if (self.visitor_count == most_visitors) drop_visitor(self, 0);
  self.visitors[self.visitor_count++] = added;
  return KITH_OK;
}

// Who has said all when he comes, as is usual, is let in before the next one is looked for. So many at a time: others have their turn although new
// ones come and come.
kith_status see_to_new_ones(endpoint_object& self, uint64_t now, void** out) {
  for (size_t i = 0; i < most_visitors; ++i) {
    platform::caller line;
    kith_status status = platform::listener_take(self.place, line);
    if (status == KITH_OK) status = add_visitor(self, std::move(line), now);
    if (status == KITH_E_TIMEOUT) return status;
    if (status != KITH_OK) return self.visitor_count == 0 ? status : KITH_E_TIMEOUT;
    bool stays = false;
    status = see_to(self, self.visitor_count - 1, now, out, stays);
    if (status != KITH_E_TIMEOUT) return status;
  }
  return KITH_E_TIMEOUT;
}

// With the turn. First those who have waited, or others who come and come would always be before them.
kith_status look_after_visitors(endpoint_object& self, void** out) {
  do {
    platform::listener_quiet(self.place);
    const uint64_t now = platform::clock_now();
    kith_status status = see_to_visitors(self, now, out);
    if (status == KITH_E_TIMEOUT) status = see_to_new_ones(self, now, out);
    if (status != KITH_E_TIMEOUT) {
      platform::listener_ring(self.place);  // we have not seen to all
      return status;
    }
  } while (platform::listener_must_look_again(self.place));
  return KITH_E_TIMEOUT;
}

kith_status try_accept(endpoint_object& self, void** out) {
  // Acquire and release: the next one sees the visitors as the last one left them.
  while (self.turn.exchange(true, std::memory_order_acquire)) platform::yield_cpu();
  const bool is_over = self.closed.load(std::memory_order_seq_cst) || !(self.owner == platform::self());
  const kith_status status = is_over ? KITH_E_CLOSED : look_after_visitors(self, out);
  self.turn.store(false, std::memory_order_release);
  return status;
}

// ---- the object ------------------------------------------------------------------------------------------------------------------------

// In a process that was forked from the one that listens it is not ours to end.
void forget(endpoint_object& self) {
  while (self.visitor_count != 0) {
    self.visitors[self.visitor_count - 1]->forget();
    drop_visitor(self, self.visitor_count - 1);
  }
  platform::listener_forget(self.place);
  shm::segment_close(self.next);
}

void begin_close(object& object) {
  endpoint_object& self = static_cast<endpoint_object&>(object);
  if (!(self.owner == platform::self())) return forget(self);
  platform::listener_withdraw(self.place);
}

void destroy(object* object) {
  endpoint_object* self = static_cast<endpoint_object*>(object);
  while (self->visitor_count != 0) drop_visitor(*self, self->visitor_count - 1);
  platform::listener_close(self->place);
  shm::segment_close(self->next);
  if (!self->key.empty()) std::memset(self->key.data(), 0, self->key.size());
  unmake(self);
}

constexpr object_class endpoint_class{object_kind::endpoint, begin_close, destroy};

kith_status read_users(const char* const* given, endpoint_object& out) {
  if (given == nullptr) return KITH_OK;
  out.has_users = true;
  for (size_t i = 0; given[i] != nullptr; ++i) {
    const bool is_valid = std::strcmp(given[i], everybody) == 0 || platform::user_is_valid(given[i]);
    if (!is_valid || i == most_users || std::strlen(given[i]) >= KITH_USER_SIZE) return KITH_E_INVALID;
    std::strcpy(out.users[i].text, given[i]);
    out.user_list[i] = out.users[i].text;
  }
  return KITH_OK;
}

kith_status read_terms(const kith_endpoint_options& wanted, endpoint_object& out) {
  if ((wanted.channel_flags & ~uint32_t{KITH_CHANNEL_LOW_CPU}) != 0) return KITH_E_UNSUPPORTED;
  if ((wanted.key == nullptr) != (wanted.key_size == 0)) return KITH_E_INVALID;
  out.channels.ring_size = wanted.ring_size;
  out.channels.large_message = wanted.large_message;
  out.channels.flags = wanted.channel_flags;
  if (wanted.handshake_ms != 0) out.handshake_ms = wanted.handshake_ms;
  kith_status status = channel_check_options(out.channels);
  if (status == KITH_OK) status = read_users(wanted.users, out);
  if (status == KITH_OK) status = platform::own_user(out.own);
  if (status != KITH_OK) return status;
  const bool kept = out.key.append(static_cast<const unsigned char*>(wanted.key), wanted.key_size);
  return kept ? KITH_OK : KITH_E_NO_MEMORY;
}

// The name is copied: the object keeps it.
kith_status keep_name(const char* name, endpoint_object& out) {
  kith_status status = read_meeting_name(name, out.meeting);
  if (status != KITH_OK) return status;
  if (!assign(out.name, name, out.meeting.size)) return KITH_E_NO_MEMORY;
  out.meeting.text = out.name.data();
  return KITH_OK;
}

kith_status listen(const char* name, const kith_endpoint_options& wanted, endpoint_object& out) {
  kith_status status = keep_name(name, out);
  if (status == KITH_OK) status = read_terms(wanted, out);
  if (status != KITH_OK) return status;
  return platform::listener_open(out.meeting, out.has_users ? out.user_list : nullptr, out.place);
}

}  // namespace

KITH_IN_FORKED_CHILD void endpoint_forget_all() {
  handle_for_each(
      object_kind::endpoint,
      [](void* handle, object& object, void*) {
        endpoint_object& self = static_cast<endpoint_object&>(object);
        forget(self);
        handle_close(handle, object_kind::endpoint);
      },
      nullptr);
}

bool endpoint_is_ready(object& self) {
  return platform::listener_is_ready(static_cast<endpoint_object&>(self).place);
}

int64_t endpoint_handle_to_poll(const object& self) {
  return platform::listener_poll_handle(static_cast<const endpoint_object&>(self).place);
}

}  // namespace kith

using namespace kith;

kith_status kith_endpoint_listen(const char* name, const kith_endpoint_options* options,
                                 kith_endpoint** out) {
  kith_endpoint_options wanted;
  if (kith_status status = read_options(options, wanted, 0); status != KITH_OK) return status;
  if (out == nullptr) return KITH_E_INVALID;
  endpoint_object* self = make<endpoint_object>();
  if (self == nullptr) return KITH_E_NO_MEMORY;
  self->type = &endpoint_class;
  self->owner = platform::self();
  kith_status status = listen(name, wanted, *self);
  void* handle = status == KITH_OK ? handle_open(self) : nullptr;
  if (handle == nullptr) {
    if (status == KITH_OK) {
      platform::listener_withdraw(self->place);
      status = KITH_E_NO_MEMORY;
    }
    destroy(self);
    return status;
  }
  *out = static_cast<kith_endpoint*>(handle);
  return KITH_OK;
}

kith_status kith_endpoint_accept(kith_endpoint* endpoint, kith_channel** out, int64_t timeout_ms) {
  const pinned<endpoint_object> self(endpoint, object_kind::endpoint);
  if (self.status() != KITH_OK) return self.status();
  if (out == nullptr || !timeout_is_valid(timeout_ms)) return KITH_E_INVALID;
  const uint64_t begin = platform::clock_now();
  const deadline until = deadline_in(begin, timeout_ms);
  for (;;) {
    void* channel = nullptr;
    kith_status status = try_accept(*self, &channel);
    if (status == KITH_OK) *out = static_cast<kith_channel*>(channel);
    if (status != KITH_E_TIMEOUT) return status;
    const uint64_t now = platform::clock_now();
    if (passed(until, now)) return KITH_E_TIMEOUT;
    const int64_t left = until.never() ? int64_t{KITH_FOREVER} : int64_t{remaining_ms(until, now)};
    kith_wait_item item{endpoint, 0, KITH_WAIT_OBJECT, KITH_WAIT_READ, 0, 0};
    size_t ready = 0;
    status = kith_wait_any(&item, 1, &ready, left);
    if (self->closed.load(std::memory_order_seq_cst)) return KITH_E_CLOSED;
    if (status != KITH_OK && status != KITH_E_TIMEOUT) return status;
  }
}

void kith_endpoint_close(kith_endpoint* endpoint) { handle_close(endpoint, object_kind::endpoint); }
