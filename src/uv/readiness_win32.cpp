// SPDX-License-Identifier: MIT
// The handle is a HANDLE: a thread of the system's pool waits for it, and wakes the loop. libuv's own polling takes sockets only.
#include <windows.h>

#include "readiness.h"

namespace kith_uv {

namespace {

readiness& of(void* data) { return *static_cast<readiness*>(data); }

void CALLBACK signalled(void* data, BOOLEAN) { uv_async_send(&of(data).uv.async); }

// A send that was on its way when we stopped may come late; the watch looks, and finds nothing.
void woken(uv_async_t* async) { of(async->data).when_ready(of(async->data)); }
void closed(uv_handle_t* handle) { of(handle->data).ended(of(handle->data)); }

}  // namespace

int readiness::begin(uv_loop_t* its_loop, int64_t its_handle, ready_call call) {
  const int result = uv_async_init(its_loop, &uv.async, woken);
  if (result != 0) return result;
  uv.async.data = this;
  uv_unref(reinterpret_cast<uv_handle_t*>(&uv.async));
  loop = its_loop;
  handle = its_handle;
  when_ready = call;
  return 0;
}

int readiness::start(bool) {
  if (waiting != nullptr) return 0;
  HANDLE wait = nullptr;
  if (!RegisterWaitForSingleObject(&wait, reinterpret_cast<HANDLE>(static_cast<intptr_t>(handle)), signalled,
                                   this, INFINITE, WT_EXECUTEINWAITTHREAD | WT_EXECUTEONLYONCE))
    return UV_ENOMEM;
  waiting = wait;
  return 0;
}

void readiness::stop() {
  if (waiting == nullptr) return;
  // Returns when no callback runs any more, so that `this` may go afterwards.
  (void)UnregisterWaitEx(waiting, INVALID_HANDLE_VALUE);
  waiting = nullptr;
}

void readiness::end(ready_call call) {
  stop();
  ended = call;
  uv_close(reinterpret_cast<uv_handle_t*>(&uv.async), closed);
}

}  // namespace kith_uv
