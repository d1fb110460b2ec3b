// SPDX-License-Identifier: MIT
// Sending without waiting: what the channel has no room for is kept, and sent when it has.
#include <cstdlib>
#include <cstring>

#include "watch.h"

namespace kith_uv {

namespace {

void tell(kith_uv_watch& self, pending_message* message, kith_status status) {
  if (message->sent != nullptr) message->sent(&self, status, message->request);
  std::free(message);
}

pending_message* take_first(kith_uv_watch& self) {
  pending_message* const message = self.first;
  self.first = message->next;
  if (self.first == nullptr) self.last = nullptr;
  self.pending_bytes -= message->size;
  return message;
}

// Without waiting; the message remembers how far it came.
kith_status send_now(kith_uv_watch& self, pending_message& message) {
  if (!self.is_written) return kith_channel_send(channel_of(self), message.bytes(), message.size, 0);
  size_t written = 0;
  const kith_status status = kith_stream_write(stream_of(self), message.bytes() + message.done,
                                               message.size - message.done, &written, 0);
  message.done += written;
  return status;
}

bool has_room(kith_uv_watch& self) {
  kith_wait_item item{};
  item.object = self.object;
  item.events = KITH_WAIT_WRITE;
  size_t ready = 0;
  return kith_wait_any(&item, 1, &ready, 0) == KITH_OK;
}

// ---- a message that is larger than the ring: a send that does not wait can never send it ------------------------------------

void send_in_thread(uv_work_t* work) {
  kith_uv_watch& self = *static_cast<kith_uv_watch*>(work->data);
  (void)kith_cancel_use(self.cancel);
  self.work_status = kith_channel_send(channel_of(self), self.first->bytes(), self.first->size, KITH_FOREVER);
  (void)kith_cancel_use(nullptr);
}

void thread_is_done(uv_work_t* work, int) {
  kith_uv_watch& self = *static_cast<kith_uv_watch*>(work->data);
  self.working = false;
  tell(self, take_first(self), self.closing ? KITH_E_CLOSED : self.work_status);
  if (self.closing) {
    give_up_pending(self, KITH_E_CLOSED);
  } else {
    look_soon(self);
  }
  let_go(self);
}

bool start_thread(kith_uv_watch& self) {
  if (self.cancel == nullptr && kith_cancel_create(&self.cancel) != KITH_OK) return false;
  self.work.data = &self;
  if (uv_queue_work(self.loop, &self.work, send_in_thread, thread_is_done) != 0) return false;
  self.working = true;
  ++self.open;
  return true;
}

}  // namespace

void give_up_pending(kith_uv_watch& self, kith_status why) {
  // The first one is in the hands of a thread, which tells of it.
  while (self.first != nullptr && !self.working) tell(self, take_first(self), why);
}

void send_pending(kith_uv_watch& self) {
  while (self.first != nullptr && !self.working && !self.closing) {
    kith_status status = send_now(self, *self.first);
    if (status == KITH_E_TIMEOUT && self.is_channel && has_room(self)) {
      // There may have been none a moment ago. If there was, the message needs more than there ever is.
      status = kith_channel_send(channel_of(self), self.first->bytes(), self.first->size, 0);
      if (status == KITH_E_TIMEOUT && start_thread(self)) return;
    }
    if (status == KITH_E_TIMEOUT) return;
    tell(self, take_first(self), status);
  }
}

namespace {

// With room for its bytes, which are not copied yet.
kith_status make_message(size_t size, kith_uv_sent_cb sent, void* request, pending_message** out) {
  if (size > SIZE_MAX - sizeof(pending_message)) return KITH_E_TOO_LARGE;
  *out = static_cast<pending_message*>(std::malloc(sizeof(pending_message) + size));
  if (*out == nullptr) return KITH_E_NO_MEMORY;
  **out = {nullptr, size, 0, sent, request};
  return KITH_OK;
}

void enqueue(kith_uv_watch& self, pending_message* message, const void* data) {
  if (message->size != 0) std::memcpy(message->bytes(), data, message->size);
  (self.last != nullptr ? self.last->next : self.first) = message;
  self.last = message;
  self.pending_bytes += message->size;
  look_soon(self);
}

kith_status keep(kith_uv_watch& self, const void* data, size_t size, kith_uv_sent_cb sent, void* request) {
  const uint64_t most = self.options.most_pending;
  if (self.first != nullptr && (size > most || self.pending_bytes > most - size)) return KITH_E_BUSY;
  pending_message* message = nullptr;
  const kith_status status = make_message(size, sent, request, &message);
  if (status == KITH_OK) enqueue(self, message, data);
  return status;
}

kith_status send_message(kith_uv_watch& self, const void* data, size_t size, kith_uv_sent_cb sent,
                         void* request) {
  const kith_status status = kith_channel_send(channel_of(self), data, size, 0);
  if (status == KITH_E_TIMEOUT) return keep(self, data, size, sent, request);
  if (status == KITH_OK && sent != nullptr) sent(&self, KITH_OK, request);
  return status;
}

// Its memory is taken before: a part that was written cannot be refused any more.
kith_status send_bytes(kith_uv_watch& self, const void* data, size_t size, kith_uv_sent_cb sent,
                       void* request) {
  pending_message* message = nullptr;
  kith_status status = make_message(size, sent, request, &message);
  if (status != KITH_OK) return status;
  status = kith_stream_write(stream_of(self), data, size, &message->done, 0);
  if (status == KITH_E_TIMEOUT) {
    enqueue(self, message, data);
    return KITH_OK;
  }
  std::free(message);
  if (status == KITH_OK && sent != nullptr) sent(&self, KITH_OK, request);
  return status;
}

}  // namespace

}  // namespace kith_uv

using namespace kith_uv;

kith_status kith_uv_send(kith_uv_watch* watch, const void* data, size_t size, kith_uv_sent_cb sent,
                         void* request) {
  if (watch == nullptr || watch->closing || (data == nullptr && size != 0)) return KITH_E_INVALID;
  if (!watch->is_channel && !watch->is_written) return KITH_E_MISMATCH;
  if (watch->first != nullptr) return keep(*watch, data, size, sent, request);
  return watch->is_written ? send_bytes(*watch, data, size, sent, request)
                           : send_message(*watch, data, size, sent, request);
}

uint64_t kith_uv_pending(const kith_uv_watch* watch) { return watch == nullptr ? 0 : watch->pending_bytes; }
