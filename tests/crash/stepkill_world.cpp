// SPDX-License-Identifier: MIT
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include <cstdio>
#include <cstring>
#include <new>

#include "stepkill.h"

namespace stepkill {

using kith::platform::clock_now;

bool open_world(world& w) {
  void* place =
      mmap(nullptr, sizeof(shared_state), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (place == MAP_FAILED) {
    std::perror("mmap");
    return false;
  }
  w.shared = new (place) shared_state{};
  w.area.base = static_cast<unsigned char*>(place);
  if (kith::platform::parking_slots_wanted() > 0) {
    w.area.slots = w.shared->slots;
    w.area.slot_count = slot_count;
  }
  return kith::platform::wait_area_open(w.area) == KITH_OK;
}

// Every kill point begins with untouched memory: what an earlier victim left must not help a later one.
void reset(world& w) {
  new (w.shared) shared_state{};
  w.hint.store(0);
}

frozen look(const world& w) {
  const shared_state& from = *w.shared;
  frozen seen{};
  // First: a helper says what it has done after it has done it, so that what it says was done stands in the words that follow.
  seen.notified = from.notified.load();
  seen.lock = from.lock.word.load();
  for (uint32_t i = 0; i < permit_count; ++i) seen.permits[i] = from.permits[i].load();
  seen.count = from.semaphore.count.load();
  for (uint32_t i = 0; i < watched_condition_words; ++i)
    seen.condition_words[i] = from.condition_words[i].load();
  seen.victim_returned = from.victim_returned.load() != 0;
  seen.event = from.event.word.load();
  seen.phase = from.barrier.phase.load();
  seen.table_lock = from.barrier.lock.word.load();
  for (uint32_t i = 0; i < most_parties; ++i) {
    seen.seat_process[i] = from.seats[i].process.load();
    seen.seat_arrived[i] = from.seats[i].arrived.load();
  }
  seen.queue_head = from.queue.head.load();
  seen.queue_tail = from.queue.tail.load();
  seen.tasks_done = from.queue.done.load();
  seen.queue_shut = from.queue.shut.load() != 0;
  seen.broadcast_head = from.broadcast.head.load();
  seen.broadcast_shut = from.broadcast.shut.load() != 0;
  return seen;
}

bool names_dead(const world& w, uint64_t bits) {
  return bits != 0 && (bits == w.shared->victim.load() || bits == w.shared->dead_holder.load());
}

// ---- helpers -----------------------------------------------------------------------------------------------------------------

pid_t start_helper(const std::function<void()>& role) {
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child != 0) return child;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(1);
  role();
  _exit(0);
}

void end_helpers(world& w) {
  for (const pid_t helper : w.helpers) {
    kill(helper, SIGKILL);
    waitpid(helper, nullptr, 0);
  }
  w.helpers.clear();
}

void start_holder(world& w, const std::function<void()>& role) {
  w.helpers.push_back(start_helper(role));
  await([&w] { return w.shared->holder_ready.load() != 0; });
}

void let_holder_die(world& w) {
  end_helpers(w);
  w.shared->holder_ready.store(0);
}

void start_survivor(world& w, uint32_t index, const std::function<kith_status()>& role) {
  const pid_t process = start_helper([&] {
    w.shared->reports[index].identity.store(kith::platform::self().bits);
    finish(w, index, role());
    for (;;) pause();
  });
  w.survivors[index] = process;
  w.helpers.push_back(process);
}

void finish(world& w, uint32_t index, kith_status status) {
  report& mine = w.shared->reports[index];
  mine.done_at.store(clock_now());
  mine.status.store(status);
  mine.done.fetch_add(1);
}

bool is_back(const world& w, uint32_t index) { return w.shared->reports[index].done.load() != 0; }

bool is_process_asleep(pid_t process) {
  char path[64], state = '?';
  std::snprintf(path, sizeof path, "/proc/%d/stat", process);
  std::FILE* file = std::fopen(path, "r");
  if (file == nullptr) return false;
  if (std::fscanf(file, "%*d %*s %c", &state) != 1) state = '?';
  std::fclose(file);
  return state == 'S';
}

// It has not taken anything then: between its last look at the words and its report no survivor sleeps.
bool is_asleep(const world& w, uint32_t index) {
  return is_process_asleep(w.survivors[index]) && !is_back(w, index);
}

recovery await_survivor(world& w, uint32_t index, uint64_t since, uint32_t nth) {
  const report& its = w.shared->reports[index];
  const bool back = await_in_time(since, [&] { return its.done.load() >= nth; });
  const uint64_t at = back ? its.done_at.load() : clock_now();
  return {back ? its.status.load() : KITH_E_TIMEOUT, at > since ? at - since : 0};
}

void await(const std::function<bool()>& condition) {
  const timespec pause{0, 20'000};
  while (!condition()) nanosleep(&pause, nullptr);
}

bool await_in_time(uint64_t since, const std::function<bool()>& condition) {
  bool met = false;
  await([&] {
    met = condition();
    return met || clock_now() > since + patience_ns;
  });
  return met;
}

void pass_time(uint64_t ns) {
  const uint64_t until = clock_now() + ns;
  await([&] { return clock_now() >= until; });
}

void await_sleeping_victim(world& w) {
  const shared_state& shared = *w.shared;
  await([&] {
    const kith::identity victim{shared.victim.load()};
    return shared.holder_may_release.load() != 0 ||
           (!victim.nobody() && is_process_asleep(static_cast<pid_t>(victim.pid())));
  });
}

// ---- the lock ----------------------------------------------------------------------------------------------------------------

kith_status acquire(world& w, kith::deadline until) {
  return kith::shm::lock_acquire(w.shared->lock, w.area, {until, nullptr, nullptr});
}

void release(world& w) { kith::shm::lock_release(w.shared->lock, w.area); }

kith_status acquire_and_repair(world& w, kith::deadline until) {
  const kith_status status = acquire(w, until);
  if (status != KITH_OWNER_DIED) return status;
  w.shared->deaths_told.fetch_add(1);
  return kith::shm::lock_mark_consistent(w.shared->lock);
}

uint32_t deaths_of_lock(const world& w, uint64_t word) {
  return names_dead(w, word & ~kith::shm::lock_died) || (word & kith::shm::lock_died) != 0 ? 1 : 0;
}

}  // namespace stepkill
