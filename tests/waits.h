// SPDX-License-Identifier: MIT
// Every kind of call that waits, each on an object that never lets it go by itself. For what is true of all of them: a close, a
// cancel or a signal ends them.
#pragma once

#include <atomic>

#include "support.h"

namespace test {

class endless_waits;

struct wait_kind {
  std::string name;
  kith_status (*call)(endless_waits& on, int64_t timeout_ms);
  void (*close)(endless_waits& on);   // the handle of what the call waits for
  void (*let_go)(endless_waits& on);  // the next call need not wait; nullptr: it always must
};

extern const std::vector<wait_kind> kinds_of_waits;

// What the calls wait for. The thread that makes it holds the lock, so the calls are for other threads.
class endless_waits {
 public:
  endless_waits();
  ~endless_waits();
  endless_waits(const endless_waits&) = delete;
  endless_waits& operator=(const endless_waits&) = delete;

  lock held = make_lock();
  semaphore empty = make_semaphore(1);
  semaphore no_signal = make_signal(0);
  condition silent = make_condition();
  lock of_condition = make_lock();
  event clear = make_event();
  event clear_by_itself = make_event(KITH_EVENT_AUTO_RESET);
  barrier lonely = make_barrier(2);
  channel_pair quiet = make_channel();
  channel_pair full = make_channel(4096);
  channel_pair silent_line = make_channel();
  channel_pair silent_batches = make_channel();
  channel_pair reserved = make_channel(4096);
  channel_pair full_of_batches = make_channel(4096);
  channel_pair shared = make_channel(0, KITH_CHANNEL_SHARED_ENDS);
  channel_pair shared_and_full = make_channel(4096, KITH_CHANNEL_SHARED_ENDS);
  queue nothing_there = make_queue();
  queue no_room = make_queue(4096);
  queue undone = make_queue(0, KITH_QUEUE_TASKS);
  owner<kith_broadcast, kith_broadcast_close> silent_broadcast, silent_too, full_broadcast;
  owner<kith_reader, kith_reader_close> listener, watcher, slow_reader;
  channel_pair line = make_channel();
  process child;  // with pipes that it neither reads nor writes
  stream to_child;
  stream from_child;
  std::thread other_party;  // of the barrier, when it is let go
  int64_t pid = 0;
};

// Gives another thread the time to go to sleep in a call that it has begun: to close a handle while a call begins is forbidden.
void let_it_sleep();

// Calls in a thread of its own, for ever. The handles are those at the beginning.
class waiting_thread {
 public:
  // What the thread does before it calls.
  using preparation = std::function<void()>;

  waiting_thread(endless_waits& on, const wait_kind& kind, const preparation& prepare = {});
  ~waiting_thread();
  waiting_thread(const waiting_thread&) = delete;
  waiting_thread& operator=(const waiting_thread&) = delete;

  kith_status result();  // when it has come back
  bool is_back() const { return back_; }
  std::thread& thread() { return thread_; }

 private:
  std::atomic<bool> began_ = false;
  std::atomic<bool> back_ = false;
  kith_status result_ = KITH_OK;
  std::thread thread_;
};

}  // namespace test
