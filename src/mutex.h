// SPDX-License-Identifier: MIT
// The library's one mutex inside a process: it guards the table of handles, the registered functions and the reaping of children.
// Never held while waiting.
#pragma once

namespace kith {

void library_mutex_lock();
void library_mutex_unlock();

class library_guard {
 public:
  library_guard() { library_mutex_lock(); }
  ~library_guard() { library_mutex_unlock(); }
  library_guard(const library_guard&) = delete;
  library_guard& operator=(const library_guard&) = delete;
};

}  // namespace kith
