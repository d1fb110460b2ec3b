// SPDX-License-Identifier: MIT
// A kqueue tells of the end of the parent, to a thread that waits for nothing else.
#include <sys/event.h>
#include <unistd.h>

#include "library_thread.h"
#include "posix_internal.h"

namespace kith::platform {

namespace {

constexpr uint64_t between_looks = 100 * ns_per_ms;

constinit identity parent;

// Invalid: no event will come.
native_handle watch_for_end(uint32_t pid) {
  native_handle queue = own_descriptor(kqueue());
  if (!queue.valid() || set_close_on_exec(queue.get()) != KITH_OK) return native_handle();
  struct kevent change;
  EV_SET(&change, pid, EVFILT_PROC, EV_ADD, NOTE_EXIT, 0, nullptr);
  if (restart([&] { return kevent(queue.get(), &change, 1, nullptr, 0, nullptr); }) != 0) queue.reset();
  return queue;
}

// The descriptor of the kqueue, or -1.
int queue_of_parent = -1;

void* look_after_parent(void*) {
  struct kevent event;
  // It may have ended before its end was watched for, and another one may have its number.
  if (queue_of_parent >= 0 && alive(parent) != liveness::dead)
    (void)restart([&] { return kevent(queue_of_parent, nullptr, 0, &event, 1, nullptr); });
  while (alive(parent) != liveness::dead) (void)nap(no_deadline, between_looks);
  kill(getpid(), SIGKILL);
  return nullptr;
}

}  // namespace

void watch_parent(identity who) {
  parent = who;
  queue_of_parent = watch_for_end(who.pid()).release();  // for as long as we live
  (void)start_library_thread(look_after_parent, nullptr);
}

}  // namespace kith::platform
