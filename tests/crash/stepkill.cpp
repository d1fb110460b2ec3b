// SPDX-License-Identifier: MIT
// The kill test: a process is killed after every single instruction of what can be done with a synchronisation object. Each time the
// survivors must be back within 100 ms, and be told exactly what the words said when the victim stood still for the last time. Only who is
// late is tried again: "stuck" is who is late each time.
//
// For each kill point a victim is forked, driven there by ptrace, and killed. Linux only, and only without sanitizers, which would
// multiply the instructions. Exit code 77: this machine forbids ptrace.
//
//     stepkill_... [--coarse STEP] [part of the name of a scenario]
#include "stepkill.h"

#include <sched.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace stepkill {

namespace {

constexpr int skipped = 77;
// A virtual machine stands still now and then, for longer than the survivors have. So who is late is tried again, each time after a
// longer breath. A fault is late each time, or with many of the kill points, and neither is forgiven.
constexpr int most_tries = 8;
constexpr uint64_t breath_ns = 20 * kith::ns_per_ms;
constexpr uint64_t late_allowed = 5;           // of any number of kill points,
constexpr uint64_t points_for_each_late = 20;  // and one more of so many
constexpr uint64_t enough = 20;                // of failures, after which a scenario says nothing new
constexpr uint64_t endless = 1'000;            // no operation makes so many system calls
// Instructions after a system call that are all tried, whatever the stride.
constexpr uint64_t dense_way = 400;

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
  uint64_t told = 0;  // of deaths
  uint64_t stuck = 0;
  uint64_t late = 0;  // and tried again
  uint64_t wrong = 0;
  uint64_t worst_ns = 0;

  void add(const tally& other) {
    points += other.points;
    told += other.told;
    stuck += other.stuck;
    late += other.late;
    wrong += other.wrong;
    worst_ns = std::max(worst_ns, other.worst_ns);
  }
};

void count(const kill_point& point, const judgement& verdict, tally& sum) {
  if (verdict.stuck() || verdict.wrong()) {
    std::printf("  after %" PRIu64 " system calls and %" PRIu64 " instructions:%s\n", point.system_calls,
                point.instructions, verdict.complaints().c_str());
    std::fflush(stdout);
  }
  sum.points += 1;
  sum.stuck += verdict.stuck() ? 1u : 0u;
  sum.wrong += verdict.wrong() ? 1u : 0u;
  sum.told += verdict.deaths();
  sum.worst_ns = std::max(sum.worst_ns, verdict.slowest_ns());
}

// Waits for the end of a process; without `reap` it stays a zombie, as the victim of a parent that does not look.
void await_death(pid_t process, bool reap) {
  siginfo_t info;
  while (waitid(P_PID, static_cast<id_t>(process), &info, WEXITED | (reap ? 0 : WNOWAIT)) != 0 &&
         errno == EINTR) {
  }
}

// Late, and nothing else: worth another try.
drive_result recover_and_judge(world& w, const kill_point& point, const frozen& then, bool last_try,
                               tally& sum) {
  judgement verdict;
  w.plan->recover(w, then, verdict);
  if (!last_try && verdict.stuck() && !verdict.wrong()) return drive_result::late;
  count(point, verdict, sum);
  return drive_result::there;
}

drive_result kill_at(world& w, const kill_point& point, bool last_try, tally& sum) {
  reset(w);
  if (w.plan->prepare != nullptr) w.plan->prepare(w);
  const pid_t victim = start_helper([&w] { be_victim(w, *w.plan); });
  drive_result result = await_start(victim);
  if (result == drive_result::there) {
    if (w.plan->when_stopped != nullptr) w.plan->when_stopped(w);
    result = drive(w, victim, point);
  }
  frozen then = look(w);
  then.killed_at = kith::platform::clock_now();
  kill(victim, SIGKILL);
  const bool stays_zombie = sum.points % 2 == 1;
  await_death(victim, !stays_zombie);
  if (result == drive_result::there) result = recover_and_judge(w, point, then, last_try, sum);
  if (stays_zombie) await_death(victim, true);
  end_helpers(w);
  return result;
}

// ---- all kill points ----------------------------------------------------------------------------------------------------------

// Timing decides which way a waiter goes, so that a victim may never come by the point where it should be killed. Only when several did
// not, there is no such point.
drive_result kill_at_last(world& w, const kill_point& point, tally& sum) {
  constexpr int most_ways = 4;
  int late = 0, not_there = 0;
  for (;;) {
    const drive_result result = kill_at(w, point, late + 1 == most_tries, sum);
    if (result == drive_result::there) return result;
    if (result == drive_result::took_another_way) w.way.forget_checkpoint();
    if (result == drive_result::late) {
      ++sum.late;
      pass_time(static_cast<uint64_t>(++late) * breath_ns);
    } else if (++not_there == most_ways) {
      return result;
    }
  }
}

// `coarse`: steps are so many times as long, for builds without optimisation, which have several times the instructions, and for whom
// time is short.
uint64_t next_instruction_to_try(const scenario& plan, uint64_t instructions, uint64_t coarse) {
  const uint64_t step = plan.step * coarse;
  return instructions + (instructions < dense_way ? step : step * plan.stride);
}

drive_result kill_everywhere(world& w, uint64_t coarse, tally& sum) {
  for (uint64_t calls = 0; calls < endless; ++calls) {
    drive_result result = kill_at_last(w, {calls, 0}, sum);
    // Not even after the system calls alone.
    if (result == drive_result::no_ptrace || result == drive_result::finished) return result;
    for (uint64_t at = 0; result == drive_result::there;) {
      if (sum.stuck + sum.wrong >= enough) return drive_result::finished;
      at = next_instruction_to_try(*w.plan, at, coarse);
      result = kill_at_last(w, {calls, at}, sum);
    }
    if (result == drive_result::no_ptrace) return result;
  }
  return drive_result::no_ptrace;
}

void print(const char* name, const tally& sum, uint64_t began) {
  std::printf("%-70s %5" PRIu64 " kill points, %5" PRIu64 " deaths told, %" PRIu64 " stuck, %" PRIu64
              " wrong, %" PRIu64 " late, slowest recovery %.1f ms  [%.1f s]\n",
              name, sum.points, sum.told, sum.stuck, sum.wrong, sum.late, in_ms(sum.worst_ns),
              in_ms(kith::platform::clock_now() - began) / 1e3);
  std::fflush(stdout);  // or each victim would have a copy of it
}

// Returns the exit code of the program.
int run_scenario(world& w, const scenario& plan, uint64_t coarse, tally& total) {
  tally sum;
  w.plan = &plan;
  w.way = route();
  const uint64_t began = kith::platform::clock_now();
  if (kill_everywhere(w, coarse, sum) == drive_result::no_ptrace) {
    std::printf("skipped: ptrace cannot single-step here\n");
    return skipped;
  }
  print(plan.name, sum, began);
  total.add(sum);
  const bool in_time = sum.late <= late_allowed + sum.points / points_for_each_late;
  if (!in_time) std::printf("  too many were late\n");
  return sum.stuck == 0 && sum.wrong == 0 && in_time && sum.points > 0 ? 0 : 1;
}

void use_cpus(bool one, const cpu_set_t& all) {
  cpu_set_t chosen = all;
  for (size_t cpu = 0, found = 0; cpu < CPU_SETSIZE && one; ++cpu) {
    if (CPU_ISSET(cpu, &all) && found++ > 0) CPU_CLR(cpu, &chosen);
  }
  sched_setaffinity(0, sizeof chosen, &chosen);
}

std::vector<scenario> all_scenarios() {
  std::vector<scenario> all;
  for (const auto& some : {lock_scenarios(), semaphore_scenarios(), condition_scenarios(), event_scenarios(),
                           barrier_scenarios(), queue_scenarios(), broadcast_scenarios(), channel_scenarios(),
                           pool_scenarios()}) {
    all.insert(all.end(), some.begin(), some.end());
  }
  return all;
}

}  // namespace

// ---- judgement ------------------------------------------------------------------------------------------------------------------

void judgement::came_back(const char* who, const recovery& seen, kith_status expected) {
  if (stuck_) return;  // what comes after is its consequence
  slowest_ns_ = std::max(slowest_ns_, seen.took_ns);
  stuck_ = seen.took_ns > patience_ns || (seen.status == KITH_E_TIMEOUT && expected != KITH_E_TIMEOUT);
  const bool wrong = !stuck_ && seen.status != expected;
  wrong_ = wrong_ || wrong;
  if (!stuck_ && !wrong) return;
  char text[200];
  std::snprintf(text, sizeof text, " %s: %s after %.1f ms instead of %s;", who, kith_status_name(seen.status),
                in_ms(seen.took_ns), kith_status_name(expected));
  complaints_ += text;
}

void judgement::must(bool truth, const char* what) {
  if (stuck_ || truth) return;
  wrong_ = true;
  complaints_ += std::string(" not so: ") + what + ";";
}

void judgement::too_slow(const char* what) {
  stuck_ = true;
  complaints_ += std::string(" too slow: ") + what + ";";
}

}  // namespace stepkill

int main(int argc, char** argv) {
  using namespace stepkill;
  world w;
  if (!open_world(w)) return 1;
  setpriority(PRIO_PROCESS, 0, -20);  // where it may: what else the machine does is not to be measured
  cpu_set_t cpus;
  sched_getaffinity(0, sizeof cpus, &cpus);
  const bool is_coarse = argc > 2 && std::strcmp(argv[1], "--coarse") == 0;
  const uint64_t asked = is_coarse ? std::strtoull(argv[2], nullptr, 10) : 1;
  const uint64_t coarse = asked == 0 ? 1 : asked;
  const int names_from = is_coarse ? 3 : 1;
  const char* const wanted = argc > names_from ? argv[names_from] : "";
  const uint64_t began = kith::platform::clock_now();
  tally total;
  int code = 0;
  for (const scenario& plan : all_scenarios()) {
    if (std::strstr(plan.name, wanted) == nullptr) continue;
    use_cpus(plan.one_cpu, cpus);
    const int result = run_scenario(w, plan, coarse, total);
    if (result == skipped) return skipped;
    code |= result;
  }
  print("total", total, began);
  return code;
}
