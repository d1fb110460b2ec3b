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
  visitor* visitors[most_visitors] = {};
  size_t visitor_count = 0;

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

// So many at a time: others have their turn although new ones come and come.
kith_status take_new_ones(endpoint_object& self) {
  for (size_t i = 0; i < most_visitors; ++i) {
    platform::caller line;
    const kith_status status = platform::listener_take(self.place, line);
    if (status == KITH_E_TIMEOUT) return KITH_OK;
    if (status != KITH_OK) return status;
    const deadline until = deadline_in(platform::clock_now(), self.handshake_ms);
    visitor* const added = make<visitor>(std::move(line), until);
    if (added == nullptr) {
      platform::caller_close(line);
      return KITH_E_NO_MEMORY;
    }
    if (self.visitor_count == most_visitors) drop_visitor(self, 0);
    self.visitors[self.visitor_count++] = added;
  }
  return KITH_OK;
}

kith_status let_in(endpoint_object& self, visitor& who, void** out) {
  shm::segment segment;
  kith_status status = channel_make_segment(self.channels, segment);
  if (status != KITH_OK) {
    who.refuse(status);
    return status;
  }
  platform::stream stream;
  status = who.admit(self.rules(), platform::memory_handle(segment.memory), stream);
  if (status == KITH_OK)
    return channel_open_connected(std::move(segment), std::move(stream), 0, who.who(), out);
  shm::segment_close(segment);
  // He has gone, or the OS keeps us from handing him anything: the next one is looked at.
  if (status != KITH_E_PEER_DIED) who.refuse(status);
  return KITH_E_TIMEOUT;
}

// Looks at each once. KITH_E_TIMEOUT: nobody is to be let in yet.
kith_status see_to_visitors(endpoint_object& self, void** out) {
  const uint64_t now = platform::clock_now();
  for (size_t i = 0; i < self.visitor_count;) {
    visitor& each = *self.visitors[i];
    kith_status status = each.advance(self.rules());
    if (status == KITH_E_TIMEOUT && !passed(each.until(), now) && each.wait_at(self.place) == KITH_OK) {
      ++i;
      continue;
    }
    if (status == KITH_OK) status = let_in(self, each, out);
    drop_visitor(self, i);
    if (status == KITH_OK || status == KITH_E_NO_MEMORY || status == KITH_E_LIMIT) return status;
  }
  return KITH_E_TIMEOUT;
}

// With the turn.
kith_status look_after_visitors(endpoint_object& self, void** out) {
  do {
    platform::listener_quiet(self.place);
    kith_status status = take_new_ones(self);
    if (status != KITH_OK && self.visitor_count == 0) return status;
    status = see_to_visitors(self, out);
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
