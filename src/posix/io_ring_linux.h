// SPDX-License-Identifier: MIT
// An io_uring of Linux, for one purpose: to sleep on a futex and on the end of processes and streams at once, which no other call can do.
//
// Numbers and layouts are those of the kernel's <linux/io_uring.h>; the headers of many build machines are older than what is
// needed (waiting on futexes came with Linux 6.7). A ring is used by one thread, which drives it by system calls: no thread is made
// for it.
#pragma once

#include <cstdint>

#include "../platform.h"

namespace kith::platform {

class io_ring {
 public:
  io_ring() = default;
  ~io_ring() { close(); }
  io_ring(const io_ring&) = delete;
  io_ring& operator=(const io_ring&) = delete;

  // False: there is none to be had (an older kernel, or forbidden).
  bool open();
  bool is_open() const { return ring_.valid(); }

  // Both only note the request; hand_over, and the next wait, give it to the kernel. `tag` comes back with its completion.
  void sleep_on(const std::atomic<uint64_t>& word, uint64_t expected, uint64_t tag);
  void watch(int descriptor, uint32_t poll_events, uint64_t tag);  // once

  bool hand_over();

  struct completion {
    uint64_t tag;
    int32_t result;  // or a negative errno
  };
  enum class outcome { completed, timed_out, interrupted, failed };
  outcome wait(deadline until, completion& out);

  // The kernel refused what it should know: closes this one, and no other will be opened.
  void give_up_on_rings();

  // When it returns, no request of this ring is pending: none of them can be woken in somebody else's place any more.
  void close();

 private:
  struct request;
  request& next_request();
  bool take(completion& out);

  native_handle ring_;
  unsigned char* queues_ = nullptr;
  size_t queues_size_ = 0;
  request* requests_ = nullptr;
  uint32_t noted_ = 0;  // requests that the kernel does not have yet
  struct {
    std::atomic<uint32_t>*submit_tail, *complete_head, *complete_tail;
    uint32_t *submit_indices, submit_mask, complete_mask;
    const unsigned char* completions;
  } at_ = {};
};

}  // namespace kith::platform
