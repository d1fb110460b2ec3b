// SPDX-License-Identifier: MIT
#include "parent.h"

#include <kith/kith.h>
#include <uv.h>

#include <atomic>
#include <cstring>
#include <utility>

#include "allocator.h"
#include "boot.h"
#include "once.h"
#include "segment_object.h"

namespace kith {

namespace {

// Each is written once, by the thread that has claimed it, and kept for the life of the process.
constinit once event_is_made;
constinit once name_is_known;
constinit once path_is_known;
kith_event* stop_event = nullptr;
char own_name[longest_name + 1] = "";
const char* own_path = "";

shm::bootstrap_state& state_of(const shm::segment& segment) {
  return *reinterpret_cast<shm::bootstrap_state*>(segment.state);
}

const shm::bootstrap_state* told() {
  const shm::segment* segment = boot_find();
  return segment == nullptr ? nullptr : &state_of(*segment);
}

// The event lies in the segment that says what we were started for, which stays mapped: this mapping is never closed.
mapping* share_stop_event(shm::segment& segment) {
  mapping* shared = make<mapping>();
  if (shared == nullptr) return nullptr;
  shared->references.store(2, std::memory_order_relaxed);
  shared->segment.state = reinterpret_cast<unsigned char*>(&state_of(segment).stop);
  shared->segment.waiting = segment.waiting;
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

kith_event* make_stop_event(shm::segment& segment) {
  mapping* shared = share_stop_event(segment);
  if (shared == nullptr) return nullptr;
  platform::bells bells;
  adopt_bells(*told(), bells);
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
  path_is_known.call([] {
    char path[4096];
    size_t size = sizeof path;  // becomes the length
    char* const kept = uv_exepath(path, &size) == 0 ? static_cast<char*>(allocate(size + 1)) : nullptr;
    if (kept == nullptr) return true;
    std::memcpy(kept, path, size);
    kept[size] = '\0';
    own_path = kept;
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
  event_is_made.forget();
  name_is_known.forget();
}

}  // namespace kith

using namespace kith;

kith_event* kith_stop_event(void) {
  const shm::bootstrap_state* state = told();
  if (state == nullptr || (state->flags & shm::boot_can_be_asked) == 0) return nullptr;
  event_is_made.call([&] {
    shm::segment* const shared = boot_share();
    stop_event = shared == nullptr ? nullptr : make_stop_event(*shared);
    if (stop_event == nullptr) return false;
    // Seq_cst, before the caller looks at the event: see ask_to_stop in process.cpp.
    state_of(*shared).hears.store(1, std::memory_order_seq_cst);
    std::atomic_thread_fence(std::memory_order_seq_cst);
    return true;
  });
  return event_is_made.done() ? stop_event : nullptr;
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
  name_is_known.call([] {
    copy_name(boot_own_name());
    if (own_name[0] == '\0') copy_name(file_of(program_path()));
    return true;
  });
  return own_name;
}
