// SPDX-License-Identifier: MIT
// A thread of the library's own: nobody joins it, and no signal of the host is ever handled in it.
#pragma once

#include <pthread.h>

#include <csignal>

namespace kith::platform {

inline bool start_library_thread(void* (*main)(void*), void* argument) {
  constexpr size_t stack_size = size_t{256} * 1024;
  pthread_attr_t attributes;
  if (pthread_attr_init(&attributes) != 0) return false;
  (void)pthread_attr_setstacksize(&attributes,
                                  stack_size);  // refused where that is too little: then the usual size
  (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);  // the new thread has the mask of its maker
  pthread_t thread;
  const bool started = pthread_create(&thread, &attributes, main, argument) == 0;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_attr_destroy(&attributes);
  return started;
}

}  // namespace kith::platform
