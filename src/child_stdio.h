// SPDX-License-Identifier: MIT
// The standard streams of children.
#pragma once

#include <kith/kith.h>

#include "buffer.h"
#include "object.h"
#include "platform.h"

namespace kith {

// What a process object keeps of them. Guarded by the library mutex, or owned by the call that has set `in_use`.
struct process_streams {
  process_streams() = default;
  process_streams(const process_streams&) = delete;
  process_streams& operator=(const process_streams&) = delete;
  ~process_streams() { close_all(); }
  void close_all();

  bool was_pipe[platform::standard_streams] = {};
  void* ends[platform::standard_streams] =
      {};               // streams of ours that nobody has taken, and that have not ended
  bool in_use = false;  // by kith_process_communicate

  bool has_begun = false;  // with an input of that size
  size_t input_size = 0;
  size_t input_written = 0;
  buffer<unsigned char> output[platform::standard_streams];  // that of stdin is not used
  uint64_t most_output = UINT64_MAX;                         // to be shown
};

// What a child is to have, made ready before it starts.
class stdio_plan {
 public:
  kith_status prepare(const kith_process_options& wanted);
  // Lets the child have it; nullptr where it inherits. Good while this lives.
  void fill_in(const platform::native_handle* (&standard)[platform::standard_streams]) const;
  // The child has started: our ends are the process's.
  void move_to(process_streams& out);

 private:
  kith_status prepare_one(size_t which, const kith_stdio& wanted);
  kith_status follow_stdout();

  process_streams ours_;
  platform::native_handle theirs_[platform::standard_streams];
  bool merged_ = false;  // stderr is where stdout is
};

// process.cpp
process_streams& streams_of(object& process);
kith_exit process_reap(object& process);  // it has ended

}  // namespace kith
