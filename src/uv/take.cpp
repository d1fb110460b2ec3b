// SPDX-License-Identifier: MIT
// What a watch tells: one message, item, event or exit, or the bytes that have come.
#include <cstdlib>

#include "watch.h"

namespace kith_uv {

namespace {

constexpr size_t first_capacity = 65536;

bool make_room(kith_uv_watch& self, size_t wanted) {
  if (wanted <= self.capacity) return true;
  void* const larger = std::realloc(self.buffer, wanted);
  if (larger == nullptr) return false;
  self.buffer = static_cast<unsigned char*>(larger);
  self.capacity = wanted;
  return true;
}

// `receive(message)` fills in what is not `data`. With a buffer that is too small it says how large it must be.
template <class Receive>
step take_with(kith_uv_watch& self, Receive receive) {
  kith_uv_message message{};
  kith_status status = make_room(self, first_capacity) ? receive(message) : KITH_E_NO_MEMORY;
  // Again and again: another receiver may take the message, and the next be larger.
  while (status == KITH_E_TOO_LARGE)
    status = make_room(self, message.size) ? receive(message) : KITH_E_NO_MEMORY;
  // Memory may come back; there is nothing that could be told of.
  if (status == KITH_E_TIMEOUT || status == KITH_E_NO_MEMORY) return step::nothing;
  message.data = self.buffer;
  const bool came = status >= KITH_OK;
  self.on_message(&self, status, came ? &message : nullptr);
  return came ? step::took : step::ended;
}

}  // namespace

step take_message(kith_uv_watch& self) {
  return take_with(self, [&](kith_uv_message& to) {
    return kith_channel_recv_object(channel_of(self), &to.object, &to.kind, self.buffer, self.capacity,
                                    &to.size, 0);
  });
}

step take_item(kith_uv_watch& self) {
  return take_with(self, [&](kith_uv_message& to) {
    return kith_queue_get(static_cast<kith_queue*>(self.object), self.buffer, self.capacity, &to.size, 0);
  });
}

step take_broadcast(kith_uv_watch& self) {
  return take_with(self, [&](kith_uv_message& to) {
    return kith_reader_next(static_cast<kith_reader*>(self.object), self.buffer, self.capacity, &to.size,
                            &to.missed, 0);
  });
}

step take_bytes(kith_uv_watch& self) {
  return take_with(self, [&](kith_uv_message& to) {
    return kith_stream_read(stream_of(self), self.buffer, self.capacity, &to.size, 0);
  });
}

step take_event(kith_uv_watch& self) {
  const kith_status status = kith_event_wait(static_cast<kith_event*>(self.object), 0);
  if (status == KITH_E_TIMEOUT) return step::nothing;
  self.on_event(&self, status);
  return status == KITH_OK ? step::took : step::ended;
}

step take_exit(kith_uv_watch& self) {
  kith_exit how{};
  const kith_status status = kith_process_wait(static_cast<kith_process*>(self.object), 0, &how);
  if (status == KITH_E_TIMEOUT) return step::nothing;
  self.on_exit(&self, status, status == KITH_OK ? &how : nullptr);
  return step::ended;
}

// Out of memory or descriptors is no end: who has connected waits.
step take_caller(kith_uv_watch& self) {
  kith_channel* channel = nullptr;
  const kith_status status = kith_endpoint_accept(static_cast<kith_endpoint*>(self.object), &channel, 0);
  if (status == KITH_E_TIMEOUT || status == KITH_E_NO_MEMORY || status == KITH_E_LIMIT) return step::nothing;
  self.on_accept(&self, status, channel);
  return status == KITH_OK ? step::took : step::ended;
}

}  // namespace kith_uv
