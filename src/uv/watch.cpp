// SPDX-License-Identifier: MIT
// A watch: takes what is there, arms the object, waits for its handle, and begins again.
#include "watch.h"

#include <cstdlib>
#include <cstring>
#include <new>

namespace kith_uv {

namespace {

constexpr uint32_t default_most_per_turn = 64;
constexpr uint64_t default_most_pending = uint64_t{16} << 20;
constexpr uint64_t look_every_ms = 250;
constexpr uint64_t look_often_ms = 25;  // where there is no handle to wait for

void turn(kith_uv_watch& self);

void timer_rang(uv_timer_t* timer) { turn(*static_cast<kith_uv_watch*>(timer->data)); }

void is_next_turn(uv_idle_t* again) {
  uv_idle_stop(again);
  turn(*static_cast<kith_uv_watch*>(again->data));
}

void became_ready(readiness& ready) { turn(*static_cast<kith_uv_watch*>(ready.owner)); }

bool takes(const kith_uv_watch& self) { return self.tells && !self.paused && !self.ended; }

uint32_t awaited_events(const kith_uv_watch& self) {
  return (takes(self) ? uint32_t{KITH_WAIT_READ} : 0u) |
         (self.first != nullptr && !self.working ? uint32_t{KITH_WAIT_WRITE} : 0u);
}

// Nothing is there now. What comes between the last look and the arming makes arming say KITH_E_BUSY. What it says of an object
// that is closed or has moved, the next turn finds out, and tells.
void sleep(kith_uv_watch& self) {
  if (self.ready.begun()) self.ready.stop();
  const uint32_t events = awaited_events(self);
  if (events == 0) {
    uv_timer_stop(&self.timer);
    return;
  }
  const bool armed = self.ready.begun() && kith_poll_arm(self.object, events) == KITH_OK;
  if (self.ready.begun() && !armed) return look_soon(self);
  const bool polled = armed && self.ready.start(self.is_written) == 0;
  const uint64_t period = polled ? look_every_ms : look_often_ms;
  uv_timer_start(&self.timer, timer_rang, period, period);
}

void turn(kith_uv_watch& self) {
  if (self.closing) return;
  send_pending(self);
  uint32_t told = 0;
  step last = step::took;
  while (!self.closing && takes(self) && told < self.options.most_per_turn && last == step::took) {
    last = self.take(self);
    if (last == step::took) ++told;
    if (last == step::ended) self.ended = true;
  }
  if (self.closing) return;
  if (takes(self) && last == step::took) {
    look_soon(self);  // there may be more, but others have their turn first
  } else {
    sleep(self);
  }
}

void free_watch(kith_uv_watch& self) {
  if (self.closed != nullptr) self.closed(&self);
  kith_cancel_close(self.cancel);
  std::free(self.buffer);
  self.~kith_uv_watch();
  std::free(&self);
}

void handle_closed(uv_handle_t* handle) { let_go(*static_cast<kith_uv_watch*>(handle->data)); }
void readiness_ended(readiness& ready) { let_go(*static_cast<kith_uv_watch*>(ready.owner)); }

kith_status read_options(const kith_uv_options* given, kith_uv_options& out) {
  if (given != nullptr) {
    if (given->struct_size < sizeof out) return KITH_E_INVALID;
    if (given->struct_size > sizeof out || given->flags != 0 || given->reserved != 0)
      return KITH_E_UNSUPPORTED;
    out = *given;
  }
  if (out.most_per_turn == 0) out.most_per_turn = default_most_per_turn;
  if (out.most_pending == 0) out.most_pending = default_most_pending;
  return KITH_OK;
}

// A system without a handle for the object is no failure: then the timer looks oftener.
kith_status begin_readiness(kith_uv_watch& self, kith_status found, int64_t handle) {
  if (found == KITH_E_UNSUPPORTED) return KITH_OK;
  if (found != KITH_OK) return found;
  self.ready.owner = &self;
  switch (self.ready.begin(self.loop, handle, became_ready)) {
    case 0: ++self.open; return KITH_OK;
    case UV_EEXIST: return KITH_E_BUSY;  // a watch of this loop has it
    case UV_ENOMEM: return KITH_E_NO_MEMORY;
    default: return KITH_E_OS;
  }
}

// Begins in the loop's next turn. `found` and `handle` are what kith_..._poll_handle said; `set_up(watch)` fills in the rest.
template <class SetUp>
kith_status begin(uv_loop_t* loop, const kith_uv_options* options, kith_status found, int64_t handle,
                  kith_uv_watch** out, SetUp set_up) {
  if (loop == nullptr || out == nullptr) return KITH_E_INVALID;
  kith_uv_options wanted{};
  if (const kith_status status = read_options(options, wanted); status != KITH_OK) return status;
  void* const place = std::malloc(sizeof(kith_uv_watch));
  if (place == nullptr) return KITH_E_NO_MEMORY;
  kith_uv_watch& self = *::new (place) kith_uv_watch;
  self.loop = loop;
  self.options = wanted;
  set_up(self);
  const kith_status status = begin_readiness(self, found, handle);
  if (status != KITH_OK) {
    self.~kith_uv_watch();
    std::free(place);
    return status;
  }
  // These two never fail.
  (void)uv_timer_init(loop, &self.timer);
  (void)uv_idle_init(loop, &self.again);
  self.timer.data = self.again.data = &self;
  self.open += 2;
  look_soon(self);
  *out = &self;
  return KITH_OK;
}

}  // namespace

void look_soon(kith_uv_watch& self) {
  if (!self.closing) uv_idle_start(&self.again, is_next_turn);
}

void let_go(kith_uv_watch& self) {
  if (--self.open == 0) free_watch(self);
}

}  // namespace kith_uv

using namespace kith_uv;

kith_status kith_uv_channel(uv_loop_t* loop, kith_channel* channel, const kith_uv_options* options,
                            kith_uv_message_cb callback, kith_uv_watch** out) {
  int64_t handle = -1;
  const kith_status found = kith_channel_poll_handle(channel, &handle);
  return begin(loop, options, found, handle, out, [&](kith_uv_watch& self) {
    self.object = channel;
    self.on_message = callback;
    self.tells = callback != nullptr;
    self.take = take_message;
    self.is_channel = true;
  });
}

kith_status kith_uv_queue(uv_loop_t* loop, kith_queue* queue, const kith_uv_options* options,
                          kith_uv_message_cb callback, kith_uv_watch** out) {
  if (callback == nullptr) return KITH_E_INVALID;
  int64_t handle = -1;
  const kith_status found = kith_queue_poll_handle(queue, &handle);
  return begin(loop, options, found, handle, out, [&](kith_uv_watch& self) {
    self.object = queue;
    self.on_message = callback;
    self.tells = true;
    self.take = take_item;
  });
}

kith_status kith_uv_reader(uv_loop_t* loop, kith_reader* reader, const kith_uv_options* options,
                           kith_uv_message_cb callback, kith_uv_watch** out) {
  if (callback == nullptr) return KITH_E_INVALID;
  int64_t handle = -1;
  const kith_status found = kith_reader_poll_handle(reader, &handle);
  return begin(loop, options, found, handle, out, [&](kith_uv_watch& self) {
    self.object = reader;
    self.on_message = callback;
    self.tells = true;
    self.take = take_broadcast;
  });
}

kith_status kith_uv_event(uv_loop_t* loop, kith_event* event, const kith_uv_options* options,
                          kith_uv_event_cb callback, kith_uv_watch** out) {
  if (callback == nullptr) return KITH_E_INVALID;
  int64_t handle = -1;
  const kith_status found = kith_event_poll_handle(event, &handle);
  return begin(loop, options, found, handle, out, [&](kith_uv_watch& self) {
    self.object = event;
    self.on_event = callback;
    self.tells = true;
    self.take = take_event;
    self.options.most_per_turn = 1;  // a manual-reset event stays set
  });
}

kith_status kith_uv_stream(uv_loop_t* loop, kith_stream* stream, const kith_uv_options* options,
                           kith_uv_message_cb callback, kith_uv_watch** out) {
  // To write nothing is to ask which kind it is.
  const bool is_written = kith_stream_write(stream, nullptr, 0, nullptr, 0) == KITH_OK;
  if (is_written == (callback != nullptr)) return KITH_E_INVALID;
  int64_t handle = -1;
  const kith_status found = kith_stream_poll_handle(stream, &handle);
  return begin(loop, options, found, handle, out, [&](kith_uv_watch& self) {
    self.object = stream;
    self.on_message = callback;
    self.tells = callback != nullptr;
    self.is_written = is_written;
    self.take = take_bytes;
  });
}

kith_status kith_uv_process(uv_loop_t* loop, kith_process* process, const kith_uv_options* options,
                            kith_uv_exit_cb callback, kith_uv_watch** out) {
  if (callback == nullptr) return KITH_E_INVALID;
  int64_t handle = -1;
  const kith_status found = kith_process_poll_handle(process, &handle);
  return begin(loop, options, found, handle, out, [&](kith_uv_watch& self) {
    self.object = process;
    self.on_exit = callback;
    self.tells = true;
    self.take = take_exit;
  });
}

kith_status kith_uv_endpoint(uv_loop_t* loop, kith_endpoint* endpoint, const kith_uv_options* options,
                             kith_uv_accept_cb callback, kith_uv_watch** out) {
  if (callback == nullptr) return KITH_E_INVALID;
  int64_t handle = -1;
  const kith_status found = kith_endpoint_poll_handle(endpoint, &handle);
  return begin(loop, options, found, handle, out, [&](kith_uv_watch& self) {
    self.object = endpoint;
    self.on_accept = callback;
    self.tells = true;
    self.take = take_caller;
  });
}

kith_status kith_uv_pause(kith_uv_watch* watch) {
  if (watch == nullptr || watch->closing) return KITH_E_INVALID;
  watch->paused = true;
  look_soon(*watch);  // it finds nothing to wait for, or room only
  return KITH_OK;
}

kith_status kith_uv_resume(kith_uv_watch* watch) {
  if (watch == nullptr || watch->closing) return KITH_E_INVALID;
  watch->paused = false;
  look_soon(*watch);
  return KITH_OK;
}

kith_status kith_uv_unref(kith_uv_watch* watch) {
  if (watch == nullptr || watch->closing) return KITH_E_INVALID;
  uv_unref(reinterpret_cast<uv_handle_t*>(&watch->timer));
  uv_unref(reinterpret_cast<uv_handle_t*>(&watch->again));
  return KITH_OK;
}

void* kith_uv_user(const kith_uv_watch* watch) { return watch == nullptr ? nullptr : watch->options.user; }

void kith_uv_close(kith_uv_watch* watch, kith_uv_close_cb closed) {
  if (watch == nullptr || watch->closing) return;
  kith_uv_watch& self = *watch;
  self.closing = true;
  self.closed = closed;
  if (self.ready.begun()) (void)kith_poll_disarm(self.object);
  if (self.working) (void)kith_cancel_fire(self.cancel);
  uv_close(reinterpret_cast<uv_handle_t*>(&self.timer), handle_closed);
  uv_close(reinterpret_cast<uv_handle_t*>(&self.again), handle_closed);
  if (self.ready.begun()) self.ready.end(readiness_ended);
  give_up_pending(self, KITH_E_CLOSED);
}
