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
void reset(world& w) { new (w.shared) shared_state{}; }

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

kith_status acquire(world& w, kith::deadline until) {
  return kith::shm::lock_acquire(w.shared->lock, w.area, {until, nullptr, nullptr});
}

void release(world& w) { kith::shm::lock_release(w.shared->lock, w.area); }

void await(const std::function<bool()>& condition) {
  const timespec pause{0, 20'000};
  while (!condition()) nanosleep(&pause, nullptr);
}

}  // namespace stepkill
