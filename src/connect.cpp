// SPDX-License-Identifier: MIT
// The connector's side of a meeting.
#include <kith/kith.h>

#include <cstring>
#include <utility>

#include "channel.h"
#include "handshake.h"
#include "options.h"
#include "waiting.h"

namespace kith {

namespace {

// A wait is looked after so often: a cancel rings no bell here.
constexpr uint64_t slice_ns = 20 * ns_per_ms;
// A listener answers some 10 us after it was woken, and to be woken ourselves would take half as long again: so we look so many times, each of which
// is a system call, before we sleep. Where that does not help, as on one CPU, it is left out.
constexpr int looks_for_an_answer = 48;
constinit shm::spinner spin_for_answer{looks_for_an_answer};
// Between two looks for somebody who listens, or has room.
constexpr uint64_t look_ns = 5 * ns_per_ms;

class attempt {
 public:
  attempt(const connection_wish& wish, bool is_own_user, const shm::patience& limits)
      : wish_(wish), is_own_user_(is_own_user), limits_(limits), waiting_(limits) {}

  kith_status run(bool waits_for_listener, void** out);

 private:
  kith_status begin(connector& line, bool waits_for_listener);
  kith_status await_answer(connector& line, platform::native_handle& memory);
  kith_status nap(platform::wait_slot* slots, size_t count, uint64_t longest_ns);

  const connection_wish& wish_;
  const bool is_own_user_;
  const shm::patience& limits_;
  const shm::waiter waiting_;
};

// KITH_OK: look again.
kith_status attempt::nap(platform::wait_slot* slots, size_t count, uint64_t longest_ns) {
  const uint64_t now = platform::clock_now();
  if (const kith_status stop = waiting_.must_stop(now); stop != KITH_OK) return stop;
  const kith_status status =
      platform::wait_many(slots, count, earlier(deadline_after(now, longest_ns), limits_.until));
  const bool goes_on = status == KITH_E_TIMEOUT || (status == KITH_E_INTERRUPTED && !limits_.interruptible);
  return goes_on ? KITH_OK : status;
}

kith_status attempt::begin(connector& line, bool waits_for_listener) {
  for (;;) {
    const kith_status status = line.begin(wish_, is_own_user_);
    const bool is_to_come = status == KITH_E_TIMEOUT || (status == KITH_E_NOT_FOUND && waits_for_listener);
    if (!is_to_come) return status;
    platform::wait_slot none;
    platform::wait_slot_leave_out(none);
    if (const kith_status stop = nap(&none, 1, look_ns); stop != KITH_OK) return stop;
  }
}

kith_status attempt::await_answer(connector& line, platform::native_handle& memory) {
  kith_status status = line.advance(wish_, memory);
  const auto is_there = [&] {
    status = line.advance(wish_, memory);
    return status != KITH_E_TIMEOUT;
  };
  if (status == KITH_E_TIMEOUT && limits_.until.at_ns != at_once.at_ns) (void)spin_for_answer.spin(is_there);
  for (;; status = line.advance(wish_, memory)) {
    if (status != KITH_E_TIMEOUT) return status;
    platform::wait_slot slot;
    if (const kith_status set =
            platform::wait_slot_set(slot, platform::wait_for::handle, line.poll_handle(), KITH_WAIT_READ);
        set != KITH_OK)
      return set;
    const kith_status stop = nap(&slot, 1, slice_ns);
    // Did it come in the last moment? Then it is ours already.
    if (stop != KITH_OK) return line.advance(wish_, memory) == KITH_OK ? KITH_OK : stop;
  }
}

kith_status attempt::run(bool waits_for_listener, void** out) {
  connector line;
  platform::native_handle memory;
  kith_status status = begin(line, waits_for_listener);
  if (status == KITH_OK) status = await_answer(line, memory);
  if (status != KITH_OK) return status;
  shm::segment segment;
  status = shm::segment_attach(std::move(memory), shm::segment_kind::channel, segment);
  if (status != KITH_OK) {
    line.refuse_memory(std::move(memory));
    return status;
  }
  platform::stream stream;
  line.finish(stream);
  return channel_open_connected(std::move(segment), std::move(stream), 1, line.who(), out);
}

}  // namespace

}  // namespace kith

using namespace kith;

kith_status kith_connect(const char* name, const kith_connect_options* options, kith_channel** out,
                         int64_t timeout_ms) {
  kith_connect_options wanted;
  if (kith_status status = read_options(options, wanted, KITH_CONNECT_WAIT); status != KITH_OK) return status;
  if (out == nullptr || !timeout_is_valid(timeout_ms)) return KITH_E_INVALID;
  if ((wanted.key == nullptr) != (wanted.key_size == 0)) return KITH_E_INVALID;
  if (wanted.user != nullptr && !platform::user_is_valid(wanted.user)) return KITH_E_INVALID;
  platform::user_name own;
  connection_wish wish{};
  kith_status status = read_meeting_name(name, wish.name);
  if (status == KITH_OK) status = platform::own_user(own);
  if (status != KITH_OK) return status;
  const bool is_own = wanted.user == nullptr || std::strcmp(wanted.user, own.text) == 0;
  wish.user = is_own ? own.text : wanted.user;
  wish.key = {wanted.key, wanted.key_size};
  const call_patience limits(timeout_ms);
  void* handle = nullptr;
  status = attempt(wish, is_own, limits).run((wanted.flags & KITH_CONNECT_WAIT) != 0, &handle);
  if (status == KITH_OK) *out = static_cast<kith_channel*>(handle);
  return status;
}
