// SPDX-License-Identifier: MIT
#include "child_stdio.h"

#include <utility>

#include "mutex.h"
#include "stream_object.h"

namespace kith {

namespace {

bool is_sound(size_t which, const kith_stdio& wanted) {
  const bool wants_path = wanted.what == KITH_STDIO_FILE || wanted.what == KITH_STDIO_APPEND;
  if (wanted.reserved != 0 || wants_path != (wanted.path != nullptr)) return false;
  if (wants_path && wanted.path[0] == '\0') return false;
  if (wanted.what != KITH_STDIO_HANDLE && wanted.handle != 0) return false;
  if (wanted.what == KITH_STDIO_APPEND) return which != KITH_STDIN;
  return wanted.what != KITH_STDIO_STDOUT || which == KITH_STDERR;
}

}  // namespace

void process_streams::close_all() {
  for (void*& end : ends) handle_close(std::exchange(end, nullptr), object_kind::stream);
}

// A process that has no stdout has none that could be followed.
kith_status stdio_plan::follow_stdout() {
  merged_ = theirs_[KITH_STDOUT].valid();
  if (merged_) return KITH_OK;
  platform::native_handle& theirs = theirs_[KITH_STDERR];
  const kith_status status = platform::stdio_copy_own(KITH_STDOUT, theirs);
  return status == KITH_E_NOT_FOUND ? platform::stdio_open_null(KITH_STDERR, theirs) : status;
}

kith_status stdio_plan::prepare_one(size_t which, const kith_stdio& wanted) {
  if (wanted.what > KITH_STDIO_HANDLE) return KITH_E_UNSUPPORTED;
  if (!is_sound(which, wanted)) return KITH_E_INVALID;
  platform::native_handle& theirs = theirs_[which];
  switch (wanted.what) {
    case KITH_STDIO_NULL: return platform::stdio_open_null(which, theirs);
    case KITH_STDIO_FILE: return platform::stdio_open_file(which, wanted.path, false, theirs);
    case KITH_STDIO_APPEND: return platform::stdio_open_file(which, wanted.path, true, theirs);
    case KITH_STDIO_STDOUT: return follow_stdout();
    case KITH_STDIO_HANDLE: return platform::stdio_copy(wanted.handle, theirs);
    case KITH_STDIO_PIPE:
      ours_.was_pipe[which] = true;
      return stream_open(which == KITH_STDIN ? platform::pipe_use::write : platform::pipe_use::read,
                         &ours_.ends[which], theirs);
    default: return KITH_OK;
  }
}

kith_status stdio_plan::prepare(const kith_process_options& wanted) {
  const kith_stdio* const all[platform::standard_streams] = {&wanted.std_in, &wanted.std_out,
                                                             &wanted.std_err};
  for (size_t i = 0; i < platform::standard_streams; ++i) {
    if (const kith_status status = prepare_one(i, *all[i]); status != KITH_OK) return status;
  }
  return KITH_OK;
}

KITH_IN_FORKED_CHILD void stdio_plan::fill_in(
    const platform::native_handle* (&standard)[platform::standard_streams]) const {
  for (size_t i = 0; i < platform::standard_streams; ++i) {
    const platform::native_handle& handle = theirs_[merged_ && i == KITH_STDERR ? size_t{KITH_STDOUT} : i];
    standard[i] = handle.valid() ? &handle : nullptr;
  }
}

void stdio_plan::move_to(process_streams& out) {
  for (size_t i = 0; i < platform::standard_streams; ++i) {
    out.was_pipe[i] = ours_.was_pipe[i];
    out.ends[i] = std::exchange(ours_.ends[i], nullptr);
  }
}

}  // namespace kith
