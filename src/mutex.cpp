// SPDX-License-Identifier: MIT
#include "mutex.h"

#include <uv.h>

namespace kith {

namespace {

uv_once_t once = UV_ONCE_INIT;
uv_mutex_t mutex;

// uv_mutex_init fails only when the process cannot even make a mutex; then uv_mutex_lock would abort, as libuv does.
void make_mutex() { (void)uv_mutex_init(&mutex); }

}  // namespace

void library_mutex_lock() {
  uv_once(&once, make_mutex);
  uv_mutex_lock(&mutex);
}

void library_mutex_unlock() { uv_mutex_unlock(&mutex); }

}  // namespace kith
