// SPDX-License-Identifier: MIT
// How a loop learns that a handle of kith is ready: what differs between systems of the libuv integration.
#pragma once

#include <uv.h>

#include <cstdint>

namespace kith_uv {

struct readiness;
using ready_call = void (*)(readiness& self);

// Does not keep the loop alive. Its handles are libuv's: it must stay where it is from begin until `ended` of end.
struct readiness {
  // `handle` as kith_..._poll_handle gave it. A number of libuv's: 0, or why not.
  int begin(uv_loop_t* its_loop, int64_t its_handle, ready_call call);
  // Calls back once or more while the handle is ready, until stop. `writing`: it becomes ready for that.
  int start(bool writing);
  void stop();
  void end(ready_call call);
  bool begun() const { return loop != nullptr; }

  void* owner = nullptr;

  uv_loop_t* loop = nullptr;
  int64_t handle = -1;
  ready_call when_ready = nullptr;
  ready_call ended = nullptr;
  void* waiting = nullptr;  // Windows: the wait of the thread pool
  union {
    uv_poll_t poll;
    uv_async_t async;
  } uv;
};

}  // namespace kith_uv
