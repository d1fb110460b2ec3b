// SPDX-License-Identifier: MIT
// The kill test: a process is killed after every single instruction of what can be done with a lock. Each time the next process
// must take the lock within 100 ms, and be told of the death exactly when the lock word named a dead process at the kill.
//
// For each kill point a victim is forked, driven there by ptrace, and killed. Linux only, and only without sanitizers, which would
// multiply the instructions. Exit code 77: this machine forbids ptrace.
//
//     stepkill_... [--quick | part of the name of a scenario]
#include "stepkill.h"

#include <sched.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstring>

namespace stepkill {

namespace {

constexpr int skipped = 77;
constexpr uint64_t late_allowed =
    5;  // of thousands: a busy machine now and then stops for 100 ms, and for all
constexpr uint64_t endless = 1'000;  // no operation makes so many system calls

// ---- the victim -----------------------------------------------------------------------------------------------------------

// Runs in the victim. It stops once in front of the operation; from there on the tester steps it.
[[noreturn]] void be_victim(world& w, const scenario& plan) {
  if (plan.before != nullptr) plan.before(w);
  w.shared->victim.store(kith::platform::find_self().bits);
  if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) _exit(skipped);
  raise(SIGSTOP);
  plan.operation(w);
  w.shared->victim_finished.store(1);
  _exit(0);
}

drive_result await_start(pid_t victim) {
  int status = 0;
  if (waitpid(victim, &status, 0) != victim || !WIFSTOPPED(status)) return drive_result::no_ptrace;
  return drive_result::there;
}

// ---- one kill point ---------------------------------------------------------------------------------------------------------

double in_ms(uint64_t ns) { return static_cast<double>(ns) / 1e6; }

struct tally {
  uint64_t points = 0;
  uint64_t told = 0;  // of a death
  uint64_t stuck = 0;
  uint64_t late = 0;  // in time when it was tried again: the machine stood still, not the lock
  uint64_t wrong = 0;
  uint64_t worst_ns = 0;
};

// What the next owner must be told, from the word as it was when the victim stood still for the last time: nobody else can make
// it name the victim, or unname it while the victim lives.
kith_status expected_verdict(const world& w, uint64_t word) {
  const uint64_t owner = word & ~kith::shm::lock_died;
  const bool owner_is_dead =
      owner != 0 && (owner == w.shared->victim.load() || owner == w.shared->dead_holder.load());
  return owner_is_dead || (word & kith::shm::lock_died) != 0 ? KITH_OWNER_DIED : KITH_OK;
}

void judge(const world& w, const kill_point& point, uint64_t word, const recovery& seen, tally& sum) {
  const kith_status expected = expected_verdict(w, word);
  const bool stuck = seen.status == KITH_E_TIMEOUT || seen.took_ns > patience_ns;
  const bool wrong = !stuck && seen.status != expected;
  if (stuck || wrong) {
    std::printf("  after %" PRIu64 " system calls and %" PRIu64 " instructions, with the word %" PRIx64
                ": %s after %.1f ms instead of %s\n",
                point.system_calls, point.instructions, word, kith_status_name(seen.status),
                in_ms(seen.took_ns), kith_status_name(expected));
    std::fflush(stdout);
  }
  sum.points += 1;
  sum.stuck += stuck ? 1 : 0;
  sum.wrong += wrong ? 1 : 0;
  sum.told += expected == KITH_OWNER_DIED ? 1 : 0;
  if (seen.took_ns > sum.worst_ns) sum.worst_ns = seen.took_ns;
}

// Waits for the end of a process; without `reap` it stays a zombie, as the victim of a parent that does not look.
void await_death(pid_t process, bool reap) {
  siginfo_t info;
  while (waitid(P_PID, static_cast<id_t>(process), &info, WEXITED | (reap ? 0 : WNOWAIT)) != 0 &&
         errno == EINTR) {
  }
}

// Nothing but lateness: worth a second try.
bool is_only_late(const world& w, uint64_t word, const recovery& seen) {
  return seen.took_ns > patience_ns &&
         (seen.status == expected_verdict(w, word) || seen.status == KITH_E_TIMEOUT);
}

drive_result kill_at(world& w, const kill_point& point, bool again, tally& sum) {
  reset(w);
  if (w.plan->prepare != nullptr) w.plan->prepare(w);
  const pid_t victim = start_helper([&w] { be_victim(w, *w.plan); });
  drive_result result = await_start(victim);
  if (result == drive_result::there) {
    if (w.plan->when_stopped != nullptr) w.plan->when_stopped(w);
    result = drive(w, victim, point);
  }
  const uint64_t word = w.shared->lock.word.load();
  const uint64_t killed_at = kith::platform::clock_now();
  kill(victim, SIGKILL);
  const bool stays_zombie = sum.points % 2 == 1;
  await_death(victim, !stays_zombie);
  if (result == drive_result::there) {
    const recovery seen = w.plan->recover(w, killed_at);
    if (!again && is_only_late(w, word, seen)) {
      result = drive_result::late;
    } else {
      judge(w, point, word, seen, sum);
    }
  }
  if (stays_zombie) await_death(victim, true);
  end_helpers(w);
  return result;
}

// ---- all kill points ----------------------------------------------------------------------------------------------------------

// Timing decides which way a waiter goes, so that a victim may never come by the point where it should be killed. Only when several did
// not, there is no such point.
drive_result kill_at_last(world& w, const kill_point& point, tally& sum) {
  drive_result result = drive_result::finished;
  for (int attempt = 0; attempt < 4 && result != drive_result::there; ++attempt) {
    const bool again = result == drive_result::late;
    result = kill_at(w, point, again, sum);
    if (result == drive_result::took_another_way) w.way.forget_checkpoint();
    if (result == drive_result::late) ++sum.late;
  }
  return result;
}

drive_result kill_everywhere(world& w, tally& sum) {
  for (uint64_t calls = 0; calls < endless; ++calls) {
    drive_result result = drive_result::there;
    uint64_t instructions = 0;
    for (; result == drive_result::there; instructions += w.stride) {
      result = kill_at_last(w, {calls, instructions}, sum);
    }
    const bool none_here = instructions == w.stride;  // not even after the system calls alone
    if (result == drive_result::no_ptrace || (result == drive_result::finished && none_here)) return result;
  }
  return drive_result::no_ptrace;
}

// Returns the exit code of the program.
int run_scenario(world& w, const scenario& plan) {
  tally sum;
  w.plan = &plan;
  w.way = route();
  const uint64_t began = kith::platform::clock_now();
  if (kill_everywhere(w, sum) == drive_result::no_ptrace) {
    std::printf("skipped: ptrace cannot single-step here\n");
    return skipped;
  }
  std::printf("%-60s %5" PRIu64 " points, %5" PRIu64 " deaths told, %" PRIu64 " stuck, %" PRIu64
              " wrong, %" PRIu64 " late, slowest recovery %.1f ms  [%.1f s]\n",
              plan.name, sum.points, sum.told, sum.stuck, sum.wrong, sum.late, in_ms(sum.worst_ns),
              in_ms(kith::platform::clock_now() - began) / 1e3);
  std::fflush(stdout);  // or each victim would have a copy of it
  return sum.stuck == 0 && sum.wrong == 0 && sum.late <= late_allowed && sum.points > 0 ? 0 : 1;
}

// On one CPU a waiter does not spin, so that its way is short enough to be tried at every instruction; and steps are cheap there.
void use_cpus(bool one, const cpu_set_t& all) {
  cpu_set_t chosen = all;
  for (size_t cpu = 0, found = 0; cpu < CPU_SETSIZE && one; ++cpu) {
    if (CPU_ISSET(cpu, &all) && found++ > 0) CPU_CLR(cpu, &chosen);
  }
  sched_setaffinity(0, sizeof chosen, &chosen);
}

}  // namespace

}  // namespace stepkill

int main(int argc, char** argv) {
  using namespace stepkill;
  world w;
  if (!open_world(w)) return 1;
  setpriority(PRIO_PROCESS, 0, -20);  // where it may: what else the machine does is not to be measured
  cpu_set_t cpus;
  sched_getaffinity(0, sizeof cpus, &cpus);
  const bool quick = argc > 1 && std::strcmp(argv[1], "--quick") == 0;
  const char* const wanted = argc > 1 && !quick ? argv[1] : "";
  int code = 0;
  for (const scenario& plan : scenarios()) {
    if (std::strstr(plan.name, wanted) == nullptr) continue;
    w.stride = quick ? plan.quick_stride : plan.stride;
    use_cpus(plan.one_cpu, cpus);
    const int result = run_scenario(w, plan);
    if (result == skipped) return skipped;
    code |= result;
  }
  return code;
}
