// SPDX-License-Identifier: MIT
// What ends the waits of the calling thread: the timeout of the call, a close of the object by another thread, the kith_cancel that the
// thread uses, and signals if it asked for that.
#pragma once

#include <kith/kith.h>

#include "object.h"
#include "shm/patience.h"

namespace kith {

struct cancel_object : object {
  shm::cancellation state;
};

// Lives as long as the call: it pins the kith_cancel.
class call_patience : public shm::patience {
 public:
  call_patience(int64_t timeout_ms, const object& waited_for, shm::spinner* spin = nullptr);
  explicit call_patience(int64_t timeout_ms);  // for several objects, or none
  ~call_patience();
  call_patience(const call_patience&) = delete;
  call_patience& operator=(const call_patience&) = delete;

 private:
  const void* used_ = nullptr;
};

}  // namespace kith
