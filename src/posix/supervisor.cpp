// SPDX-License-Identifier: MIT
#include "supervisor.h"

#include <poll.h>
#include <pthread.h>
#include <sys/wait.h>

#include "../allocator.h"
#include "../buffer.h"
#include "library_thread.h"

namespace kith::platform {

namespace {

// Where there is no handle by which the end of a child is seen.
constexpr uint64_t between_looks_ms = 25;

struct orphan {
  pid_t pid;
  int watch;  // -1: none
};

// Guarded by the lock below. Plain, and never destroyed.
struct shared_state {
  buffer<orphan>* arrived = nullptr;  // not yet seen by the thread
  bells* bell = nullptr;              // rings for what arrives; there is one while there is a thread
  identity owner;                     // the process that all this belongs to
};
constinit shared_state state;

// A lock that a fork cannot break: it names the process that holds it. In a forked child the parent's threads are gone,
// and what they held and had half done was the parent's.
constinit std::atomic<uint64_t> lock_word{0};

class state_guard {
 public:
  state_guard() {
    const uint64_t me = self().bits;
    uint64_t seen = 0;
    // Acquire, with the release of who held it before.
    while (!lock_word.compare_exchange_weak(seen, me, std::memory_order_acquire, std::memory_order_relaxed)) {
      if (seen == me) {
        yield_cpu();
        seen = 0;
      }
    }
    // A forked child: the descriptors were its parent's or are closed, the list may be half written. Both are left alone.
    if (!(state.owner == self())) state = shared_state{nullptr, nullptr, self()};
  }
  ~state_guard() { lock_word.store(0, std::memory_order_release); }
  state_guard(const state_guard&) = delete;
  state_guard& operator=(const state_guard&) = delete;
};

// Anything but "it still runs" is the end of our interest in the pid.
bool reap(pid_t pid) {
  return restart([&] { return waitpid(pid, nullptr, WNOHANG); }) != 0;
}

// Reaps those that have ended; the others stay in the list. Tells how many have gone.
size_t reap_all(buffer<orphan>& list) {
  size_t kept = 0;
  for (const orphan& each : list) {
    if (reap(each.pid)) {
      native_handle(each.watch).reset();
    } else {
      list[kept++] = each;
    }
  }
  const size_t gone = list.size() - kept;
  (void)list.resize(kept);  // smaller: never fails
  return gone;
}

// ---- the thread

void rest() { (void)nap(no_deadline, between_looks_ms * ns_per_ms); }

// Sleeps until a child seems to have ended or one arrives. False: it could not sleep.
bool await_news(buffer<orphan>& list, const bells& bell, buffer<pollfd>& items) {
  if (!items.resize(list.size() + 1)) return false;
  items[0] = {bell.handles[0].get(), POLLIN, 0};
  bool all_watched = true;
  for (size_t i = 0; i < list.size(); ++i) {
    items[i + 1] = {list[i].watch, POLLIN, 0};  // poll passes over -1
    if (list[i].watch < 0) all_watched = false;
  }
  const int timeout = all_watched ? -1 : static_cast<int>(between_looks_ms);
  const int ready = poll(items.data(), static_cast<nfds_t>(items.size()), timeout);
  // A host that closes every descriptor there is closes ours.
  for (size_t i = 0; ready > 0 && i < list.size(); ++i) {
    if ((items[i + 1].revents & POLLNVAL) != 0) list[i].watch = -1;
  }
  return ready >= 0 && (items[0].revents & POLLNVAL) == 0;
}

// Takes in what has arrived. False: there is nothing left to do, and who comes from now on makes another thread.
bool take_arrived(buffer<orphan>& list, bells& bell) {
  const state_guard guard;
  buffer<orphan>& arrived = *state.arrived;
  if (list.append(arrived.data(), arrived.size())) arrived.clear();
  if (!list.empty() || !arrived.empty()) return true;
  unmake(state.arrived);
  state.arrived = nullptr;
  bell = std::move(*state.bell);
  unmake(state.bell);
  state.bell = nullptr;
  return false;
}

void* supervisor_main(void* given) {
  bells& bell = *static_cast<bells*>(given);
  buffer<orphan> list;
  buffer<pollfd> items;
  bells last;  // closed when the state is no longer ours to touch
  while (take_arrived(list, last)) {
    const bool slept = await_news(list, bell, items);
    const bool rang = bell_quiet(bell, 0);
    const bool reaped = reap_all(list) != 0;
    // The end of a child is told a moment before it can be reaped; where a debugger has it, that moment is long.
    if (!slept || (!reaped && !rang)) rest();
  }
  return nullptr;
}

// ---- the others

// Makes the list, and the thread, of which there is one as long as there is a bell.
bool begin() {
  if (state.arrived == nullptr) state.arrived = make<buffer<orphan>>();
  return state.arrived != nullptr;
}

void start_thread() {
  if (state.bell != nullptr || state.arrived == nullptr || state.arrived->empty()) return;
  state.bell = make<bells>();
  if (state.bell == nullptr) return;
  const bool started =
      bells_create(1, *state.bell) == KITH_OK && start_library_thread(supervisor_main, state.bell);
  if (started) return;
  unmake(state.bell);
  state.bell = nullptr;
}

}  // namespace

void supervise(pid_t pid, native_handle&& watch) {
  const state_guard guard;
  if (!begin() || !state.arrived->append({pid, watch.get()}))
    return;  // a zombie until we end: all that can be done
  (void)watch.release();
  if (state.bell != nullptr) {
    bell_ring(*state.bell, 0);
  } else {
    start_thread();
  }
}

void reap_unsupervised() {
  const state_guard guard;
  if (state.arrived == nullptr || state.bell != nullptr) return;
  reap_all(*state.arrived);
  start_thread();
}

}  // namespace kith::platform
