// SPDX-License-Identifier: MIT
// What stands behind a kith_uv_watch.
#pragma once

#include <kith/kith_uv.h>

#include <cstddef>
#include <cstdint>

#include "readiness.h"

namespace kith_uv {

// A message that waits for room in the channel. Its bytes lie behind it.
struct pending_message {
  pending_message* next;
  size_t size;
  size_t done;  // so many bytes of it are written: of a stream
  kith_uv_sent_cb sent;
  void* request;

  unsigned char* bytes() { return reinterpret_cast<unsigned char*>(this + 1); }
};

enum class step {
  took,     // something was told
  nothing,  // there is nothing now
  ended     // the last thing was told
};

}  // namespace kith_uv

struct kith_uv_watch {
  // What differs between kinds of objects. Takes one thing and tells it.
  kith_uv::step (*take)(kith_uv_watch& self) = nullptr;
  void* object = nullptr;
  kith_uv_message_cb on_message = nullptr;  // one of these; none: a channel that only sends
  kith_uv_event_cb on_event = nullptr;
  kith_uv_exit_cb on_exit = nullptr;
  kith_uv_accept_cb on_accept = nullptr;
  kith_uv_options options{};
  bool tells = false;  // it has a callback
  bool is_channel = false;
  bool is_written = false;  // a stream that we write

  uv_loop_t* loop = nullptr;
  kith_uv::readiness ready;
  uv_timer_t timer;  // keeps the loop alive, and looks now and then
  uv_idle_t again;   // looks in the loop's next turn. A timer of 0 ms would ring again in the same one
  bool paused = false;
  bool ended = false;  // nothing more comes
  bool closing = false;
  int open = 0;  // handles and works of libuv that still refer to us
  kith_uv_close_cb closed = nullptr;

  unsigned char* buffer = nullptr;  // for what is received
  size_t capacity = 0;

  kith_uv::pending_message* first = nullptr;
  kith_uv::pending_message* last = nullptr;
  uint64_t pending_bytes = 0;
  uv_work_t work;  // sends the first one, which is larger than the ring
  bool working = false;
  kith_cancel* cancel = nullptr;  // ends that
  kith_status work_status = KITH_OK;
};

namespace kith_uv {

inline kith_stream* stream_of(const kith_uv_watch& self) { return static_cast<kith_stream*>(self.object); }
inline kith_channel* channel_of(const kith_uv_watch& self) { return static_cast<kith_channel*>(self.object); }

// take.cpp
step take_message(kith_uv_watch& self);
step take_item(kith_uv_watch& self);
step take_broadcast(kith_uv_watch& self);
step take_bytes(kith_uv_watch& self);
step take_event(kith_uv_watch& self);
step take_exit(kith_uv_watch& self);
step take_caller(kith_uv_watch& self);

// send.cpp
void send_pending(kith_uv_watch& self);  // as far as there is room
void give_up_pending(kith_uv_watch& self, kith_status why);

// watch.cpp
void look_soon(kith_uv_watch& self);  // in the loop's next turn
void let_go(kith_uv_watch& self);     // of one of `open`

}  // namespace kith_uv
