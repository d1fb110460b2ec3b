// SPDX-License-Identifier: MIT
#include "parent.h"

#include <kith/kith.h>
#include <uv.h>

#include <atomic>
#include <utility>

#include "allocator.h"
#include "boot.h"
#include "segment_object.h"

namespace kith {

namespace {

// Each is written once, by the thread that has claimed it, and kept for the life of the process.
enum class progress : uint32_t { none, claimed, done };
std::atomic<progress> event_is_made{progress::none};
std::atomic<progress> name_is_known{progress::none};
std::atomic<progress> path_is_known{progress::none};
kith_event* stop_event = nullptr;
char own_name[longest_name + 1] = "";
char own_path[4096] = "";

// `make` answers whether it is done; otherwise the next one tries again.
template <class Make>
void do_once(std::atomic<progress>& state, Make make) {
  // Acquire, with the release of who has done it. Without writing, where it is done: after a fork that would copy the page.
  if (state.load(std::memory_order_acquire) == progress::done) return;
  progress seen = progress::none;
  // Acquire: as above.
  while (!state.compare_exchange_weak(seen, progress::claimed, std::memory_order_acquire)) {
    if (seen == progress::done) return;
    if (seen == progress::claimed) platform::yield_cpu();
    seen = progress::none;
  }
  state.store(make() ? progress::done : progress::none, std::memory_order_release);
}

void forget(std::atomic<progress>& state) {
  // Without writing to the page, if there is nothing to forget.
  if (state.load(std::memory_order_relaxed) != progress::none)
    state.store(progress::none, std::memory_order_relaxed);
}

shm::bootstrap_state* told() {
  const shm::segment* segment = boot_find();
  return segment == nullptr ? nullptr : reinterpret_cast<shm::bootstrap_state*>(segment->state);
}

// The event lies in the segment that says what we were started for, which stays mapped: this mapping is never closed.
mapping* share_stop_event(shm::bootstrap_state& state) {
  mapping* shared = make<mapping>();
  if (shared == nullptr) return nullptr;
  shared->references.store(2, std::memory_order_relaxed);
  shared->segment.state = reinterpret_cast<unsigned char*>(&state.stop);
  shared->segment.waiting = boot_find()->waiting;
  return shared;
}

void adopt_bells(const shm::bootstrap_state& state, platform::bells& out) {
  platform::native_handle handles[platform::most_bells];
  for (uint32_t i = 0; i < platform::most_bells; ++i) {
    const uint64_t number = state.stop_bells[i];
    if (number != 0) (void)platform::handle_adopt(number, handles[i]);
  }
  platform::bells_adopt(std::move(handles[0]), std::move(handles[1]), out);
}

kith_event* make_stop_event(shm::bootstrap_state& state) {
  mapping* shared = share_stop_event(state);
  if (shared == nullptr) return nullptr;
  platform::bells bells;
  adopt_bells(state, bells);
  void* made = nullptr;
  if (segment_object_open_borrowed(event_class, shared, std::move(bells), &made) != KITH_OK) return nullptr;
  return static_cast<kith_event*>(made);
}

// Byte by byte: the memory may be the parent's, too.
void copy_name(const char* given) {
  size_t length = 0;
  while (length < longest_name && given[length] != '\0') {
    own_name[length] = given[length];
    ++length;
  }
  own_name[length] = '\0';
}

}  // namespace

const char* program_path() {
  do_once(path_is_known, [] {
    size_t size = sizeof own_path;
    if (uv_exepath(own_path, &size) != 0) own_path[0] = '\0';
    return true;
  });
  return own_path;
}

// What is behind the last slash. A backslash is one in the names of Windows, and rare in others.
const char* file_of(const char* path) {
  const char* file = path;
  for (const char* each = path; *each != '\0'; ++each) {
    if ((*each == '/' || *each == '\\') && each[1] != '\0') file = each + 1;
  }
  return file;
}

KITH_IN_FORKED_CHILD void parent_forget() {
  forget(event_is_made);
  forget(name_is_known);
}

}  // namespace kith

using namespace kith;

kith_event* kith_stop_event(void) {
  shm::bootstrap_state* state = told();
  if (state == nullptr || (state->flags & shm::boot_can_be_asked) == 0) return nullptr;
  do_once(event_is_made, [&] {
    stop_event = make_stop_event(*state);
    if (stop_event == nullptr) return false;
    // Seq_cst, before the caller looks at the event: see ask_to_stop in process.cpp.
    state->hears.store(1, std::memory_order_seq_cst);
    std::atomic_thread_fence(std::memory_order_seq_cst);
    return true;
  });
  return event_is_made.load(std::memory_order_acquire) == progress::done ? stop_event : nullptr;
}

kith_status kith_stop_requested(int64_t timeout_ms) {
  if (!timeout_is_valid(timeout_ms)) return KITH_E_INVALID;
  kith_event* event = kith_stop_event();
  return event == nullptr ? KITH_E_NOT_FOUND : kith_event_wait(event, timeout_ms);
}

int32_t kith_parent_alive(void) {
  const shm::bootstrap_state* state = told();
  if (state == nullptr) return -1;
  return platform::alive({state->parent}) == liveness::dead ? 0 : 1;
}

int64_t kith_parent_id(void) {
  const shm::bootstrap_state* state = told();
  return state == nullptr ? -1 : static_cast<int64_t>(identity{state->parent}.pid());
}

const char* kith_self_name(void) {
  do_once(name_is_known, [] {
    copy_name(boot_own_name());
    if (own_name[0] == '\0') copy_name(file_of(program_path()));
    return true;
  });
  return own_name;
}
