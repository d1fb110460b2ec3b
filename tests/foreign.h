// SPDX-License-Identifier: MIT
// What the OS can wait for and kith knows nothing of; and waiting as a loop of the user's own does.
#pragma once

#include <cstdint>

#include "support.h"

namespace test {

// False: the handle was not ready in that time.
bool os_says_ready(int64_t handle, int64_t timeout_ms);

void close_os_handle(int64_t handle);

// A pipe, or an event.
class foreign_handle {
 public:
  foreign_handle();
  ~foreign_handle();
  foreign_handle(const foreign_handle&) = delete;
  foreign_handle& operator=(const foreign_handle&) = delete;
  int64_t handle() const { return handle_; }
  void make_ready();

 private:
  int64_t handle_ = 0;
  int64_t other_ = 0;
};

// Two connected sockets.
class socket_pair {
 public:
  socket_pair();
  ~socket_pair();
  socket_pair(const socket_pair&) = delete;
  socket_pair& operator=(const socket_pair&) = delete;
  int64_t socket() const { return ends_[0]; }
  void other_writes();
  void other_closes();

 private:
  int64_t ends_[2] = {-1, -1};
};

// Like nothing_leaks, after the first use of sockets, for which the system keeps something open.
class sockets_that_do_not_leak {
 public:
  sockets_that_do_not_leak() = default;

 private:
  socket_pair first_use_;
  nothing_leaks leaks_;
};

// Items of kith_wait_any.
inline kith_wait_item item_of(const void* object, uint32_t events = 0) {
  return {object, 0, KITH_WAIT_OBJECT, events, 7, 0};
}
inline kith_wait_item item_of_handle(int64_t handle, uint32_t events = 0) {
  return {nullptr, handle, KITH_WAIT_HANDLE, events, 7, 0};
}
inline kith_wait_item item_of_socket(int64_t socket, uint32_t events = 0) {
  return {nullptr, socket, KITH_WAIT_SOCKET, events, 7, 0};
}

using wait_items = std::vector<kith_wait_item>;

// How many are ready; 0 when it failed.
inline kith_status wait_any(wait_items& items, int64_t timeout_ms, size_t* ready = nullptr) {
  size_t count = 0;
  const kith_status status = kith_wait_any(items.data(), items.size(), &count, timeout_ms);
  if (ready != nullptr) *ready = count;
  return status;
}

}  // namespace test
