// SPDX-License-Identifier: MIT
// The handle is a descriptor: libuv polls it.
#include "readiness.h"

namespace kith_uv {

namespace {

readiness& of(void* data) { return *static_cast<readiness*>(data); }

// An error of the descriptor is told like its readiness: the calls on the object find out.
void polled(uv_poll_t* poll, int, int) { of(poll->data).when_ready(of(poll->data)); }
void closed(uv_handle_t* handle) { of(handle->data).ended(of(handle->data)); }

}  // namespace

int readiness::begin(uv_loop_t* its_loop, int64_t its_handle, ready_call call) {
  const int result = uv_poll_init(its_loop, &uv.poll, static_cast<int>(its_handle));
  if (result != 0) return result;
  uv.poll.data = this;
  uv_unref(reinterpret_cast<uv_handle_t*>(&uv.poll));
  loop = its_loop;
  handle = its_handle;
  when_ready = call;
  return 0;
}

int readiness::start(bool writing) {
  return uv_poll_start(&uv.poll, writing ? UV_WRITABLE : UV_READABLE, polled);
}

void readiness::stop() { uv_poll_stop(&uv.poll); }

void readiness::end(ready_call call) {
  ended = call;
  uv_close(reinterpret_cast<uv_handle_t*>(&uv.poll), closed);
}

}  // namespace kith_uv
