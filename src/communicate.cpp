// SPDX-License-Identifier: MIT
// A whole conversation with a child: input, output, errors and its end at the same time.
#include <kith/kith.h>

#include <utility>

#include "child_stdio.h"
#include "mutex.h"
#include "options.h"
#include "pipe_wait.h"
#include "readiness.h"
#include "stream_object.h"
#include "waiting.h"

namespace kith {

namespace {

constexpr size_t piece_size = 65536;
// After so many rounds without a sleep it looks at the clock, and whether the child lives.
constexpr uint32_t rounds_between_looks = 16;

// For one call at a time.
class use_of_streams {
 public:
  explicit use_of_streams(process_streams& streams) : streams_(streams) {
    const library_guard guard;
    is_mine_ = !std::exchange(streams.in_use, true);
  }
  ~use_of_streams() {
    const library_guard guard;
    if (is_mine_) streams_.in_use = false;
  }
  use_of_streams(const use_of_streams&) = delete;
  use_of_streams& operator=(const use_of_streams&) = delete;
  bool is_mine() const { return is_mine_; }

 private:
  process_streams& streams_;
  bool is_mine_;
};

class conversation {
 public:
  conversation(object& process, const kith_communicate_options& wanted, const shm::patience& limits)
      : process_(process), streams_(streams_of(process)), wanted_(wanted), waiting_(limits) {}
  conversation(const conversation&) = delete;
  conversation& operator=(const conversation&) = delete;

  kith_status begin();
  kith_status run();

 private:
  kith_status go_round(bool& progress);
  kith_status feed(bool& progress);
  kith_status collect(size_t which, bool& progress);
  void look_for_end();
  bool is_over() const;
  kith_status sleep();
  void drop(size_t which) { handle_close(std::exchange(streams_.ends[which], nullptr), object_kind::stream); }
  platform::pipe& pipe(size_t which) { return stream_behind(streams_.ends[which]).pipe; }
  bool to_the_end() const { return (wanted_.flags & KITH_COMMUNICATE_TO_THE_END) != 0; }

  object& process_;
  process_streams& streams_;
  const kith_communicate_options& wanted_;
  pipe_wait waiting_;
  bool has_ended_ = false;                        // the child
  size_t left_[platform::standard_streams] = {};  // bytes that were in the pipes when it had ended
};

kith_status conversation::begin() {
  if (streams_.has_begun && streams_.input_size != wanted_.input_size) return KITH_E_INVALID;
  streams_.has_begun = true;
  streams_.input_size = wanted_.input_size;
  streams_.most_output = wanted_.most_output == 0 ? UINT64_MAX : wanted_.most_output;
  return KITH_OK;
}

// A child that does not want its input has a right to that.
kith_status conversation::feed(bool& progress) {
  if (streams_.ends[KITH_STDIN] == nullptr) return KITH_OK;
  kith_status status = KITH_E_CLOSED;
  if (streams_.input_written < streams_.input_size) {
    const unsigned char* const rest =
        static_cast<const unsigned char*>(wanted_.input) + streams_.input_written;
    size_t put = 0;
    status = platform::pipe_write(pipe(KITH_STDIN), rest, streams_.input_size - streams_.input_written, put);
    streams_.input_written += put;
  }
  if (status == KITH_E_TIMEOUT) return KITH_OK;
  if (status == KITH_E_CLOSED) {
    drop(KITH_STDIN);
    return KITH_OK;
  }
  progress = progress || status == KITH_OK;
  return status;
}

// One byte more than is wanted is taken, to tell whether there is more.
kith_status conversation::collect(size_t which, bool& progress) {
  if (streams_.ends[which] == nullptr || (has_ended_ && !to_the_end() && left_[which] == 0)) return KITH_OK;
  buffer<unsigned char>& output = streams_.output[which];
  const size_t before = output.size();
  if (before > streams_.most_output) return KITH_E_TOO_LARGE;
  size_t room = piece_size;
  if (room > streams_.most_output - before) room = static_cast<size_t>(streams_.most_output - before) + 1;
  if (has_ended_ && !to_the_end() && room > left_[which]) room = left_[which];
  if (before > SIZE_MAX - room || !output.resize(before + room)) return KITH_E_NO_MEMORY;
  size_t got = 0;
  const kith_status status = platform::pipe_read(pipe(which), output.data() + before, room, got);
  (void)output.resize(before + got);  // smaller: cannot fail
  if (status == KITH_E_TIMEOUT) {
    left_[which] = 0;
    return KITH_OK;
  }
  if (status == KITH_E_CLOSED) {
    drop(which);
    return KITH_OK;
  }
  if (status != KITH_OK) return status;
  progress = true;
  left_[which] -= got < left_[which] ? got : left_[which];
  return output.size() > streams_.most_output ? KITH_E_TOO_LARGE : KITH_OK;
}

kith_status conversation::go_round(bool& progress) {
  kith_status status = feed(progress);
  if (status == KITH_OK) status = collect(KITH_STDOUT, progress);
  if (status == KITH_OK) status = collect(KITH_STDERR, progress);
  return status;
}

// What it wrote before its end is in the pipes now. Whoever has inherited them may add to it for ever.
void conversation::look_for_end() {
  if (has_ended_ || !process_has_ended(process_)) return;
  has_ended_ = true;
  for (const size_t which : {size_t{KITH_STDOUT}, size_t{KITH_STDERR}}) {
    if (streams_.ends[which] != nullptr) left_[which] = platform::pipe_available(pipe(which));
  }
}

bool conversation::is_over() const {
  if (!has_ended_) return false;
  for (const size_t which : {size_t{KITH_STDOUT}, size_t{KITH_STDERR}}) {
    if (streams_.ends[which] != nullptr && (to_the_end() || left_[which] != 0)) return false;
  }
  return true;
}

kith_status conversation::sleep() {
  for (size_t i = 0; i < platform::standard_streams; ++i) {
    if (streams_.ends[i] != nullptr && !(has_ended_ && i == KITH_STDIN)) waiting_.add(pipe(i));
  }
  int64_t handle = 0;
  if (!has_ended_ && process_handle_to_poll(process_, handle) == KITH_OK) {
    waiting_.add_handle(handle);
  } else if (!has_ended_) {
    waiting_.look_often();
  }
  return waiting_.sleep();
}

kith_status conversation::run() {
  for (uint32_t rounds = 1;; ++rounds) {
    bool progress = false;
    if (const kith_status status = go_round(progress); status != KITH_OK) return status;
    const bool looks = !progress || rounds % rounds_between_looks == 0;
    const bool had_ended = has_ended_;
    if (looks) look_for_end();
    if (is_over()) break;
    kith_status stop = KITH_OK;
    if (progress) {
      waiting_.made_progress();
      if (looks) stop = waiting_.must_stop();
    } else if (had_ended == has_ended_) {
      stop = sleep();
    }
    if (stop != KITH_OK) return stop;
  }
  drop(KITH_STDIN);
  return KITH_OK;
}

kith_status pin_own_process(const pinned<object>& self) {
  if (self.status() != KITH_OK) return self.status();
  return process_is_ours(*self) ? KITH_OK : KITH_E_INVALID;
}

bool is_output(int32_t which) { return which == KITH_STDOUT || which == KITH_STDERR; }

}  // namespace

}  // namespace kith

using namespace kith;

kith_status kith_process_take_stream(kith_process* process, int32_t which, kith_stream** out) {
  const pinned<object> self(process, object_kind::process);
  if (const kith_status status = pin_own_process(self); status != KITH_OK) return status;
  if (out == nullptr || (which != KITH_STDIN && !is_output(which))) return KITH_E_INVALID;
  process_streams& streams = streams_of(*self);
  const library_guard guard;
  if (!streams.was_pipe[which]) return KITH_E_NOT_FOUND;
  if (streams.in_use) return KITH_E_BUSY;
  if (streams.ends[which] == nullptr) return KITH_E_MOVED;
  *out = static_cast<kith_stream*>(std::exchange(streams.ends[which], nullptr));
  return KITH_OK;
}

kith_status kith_process_communicate(kith_process* process, const kith_communicate_options* options,
                                     int64_t timeout_ms, kith_exit* out) {
  const pinned<object> self(process, object_kind::process);
  if (const kith_status status = pin_own_process(self); status != KITH_OK) return status;
  kith_communicate_options wanted;
  const kith_status known = read_options(options, wanted, KITH_COMMUNICATE_TO_THE_END);
  if (known != KITH_OK) return known;
  const bool is_sound = wanted.input != nullptr || wanted.input_size == 0;
  if (out == nullptr || !is_sound || !timeout_is_valid(timeout_ms)) return KITH_E_INVALID;
  const use_of_streams use(streams_of(*self));
  if (!use.is_mine()) return KITH_E_BUSY;
  const call_patience limits(timeout_ms, *self);
  conversation talk(*self, wanted, limits);
  kith_status status = talk.begin();
  if (status == KITH_OK) status = talk.run();
  if (status == KITH_OK) *out = process_reap(*self);
  return status;
}

kith_status kith_process_output(kith_process* process, int32_t which, const void** out_data,
                                size_t* out_size) {
  const pinned<object> self(process, object_kind::process);
  if (const kith_status status = pin_own_process(self); status != KITH_OK) return status;
  if (out_data == nullptr || out_size == nullptr || !is_output(which)) return KITH_E_INVALID;
  const process_streams& streams = streams_of(*self);
  const library_guard guard;
  if (!streams.was_pipe[which]) return KITH_E_NOT_FOUND;
  if (streams.in_use) return KITH_E_BUSY;
  const size_t size = streams.output[which].size();
  *out_size = size < streams.most_output ? size : static_cast<size_t>(streams.most_output);
  *out_data = *out_size == 0 ? nullptr : streams.output[which].data();
  return KITH_OK;
}
