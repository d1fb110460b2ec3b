// SPDX-License-Identifier: MIT
// Our end of a pipe that is a standard stream of a child.
#pragma once

#include <kith/kith.h>

#include <atomic>

#include "object.h"
#include "platform.h"

namespace kith {

struct stream_object : object {
  platform::pipe pipe;
  std::atomic<bool> in_use{false};  // by a call that reads or writes

  bool reads() const { return pipe.use == platform::pipe_use::read; }
};

// A pipe: a handle for our end, and what the child is given.
kith_status stream_open(platform::pipe_use ours, void** out, platform::native_handle& theirs);

// For a handle that is known to be open.
stream_object& stream_behind(void* handle);

// In a forked child: it has no business with its parent's children.
void stream_forget_all();

}  // namespace kith
