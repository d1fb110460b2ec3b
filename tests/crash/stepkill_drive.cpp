// SPDX-License-Identifier: MIT
// Driving a victim to its kill point, by ptrace.
#include <elf.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>

#include <algorithm>

#include "stepkill.h"

namespace stepkill {

namespace {

constexpr uint64_t checkpoint_distance = 16;

// ---- what differs between processors ------------------------------------------------------------------------------------------

#if defined(__x86_64__)
constexpr bool knows_instructions = true;
constexpr unsigned long system_call = 0x050F, system_call_mask = 0xFFFF;  // syscall
constexpr unsigned long trap = 0xCC, trap_mask = 0xFF;                    // int3
constexpr unsigned long trap_length = 1;                                  // by which the trap has moved on
unsigned long long& counter_of(user_regs_struct& registers) { return registers.rip; }
#elif defined(__aarch64__)
constexpr bool knows_instructions = true;
constexpr unsigned long system_call = 0xD4000001, system_call_mask = 0xFFFFFFFF;  // svc 0
constexpr unsigned long trap = 0xD4200000, trap_mask = 0xFFFFFFFF;                // brk 0
constexpr unsigned long trap_length = 0;
unsigned long long& counter_of(user_regs_struct& registers) { return registers.pc; }
#else  // all of the way is stepped, through the system calls too
constexpr bool knows_instructions = false;
constexpr unsigned long system_call = 0, system_call_mask = 0, trap = 0, trap_mask = 0, trap_length = 0;
unsigned long long& counter_of(user_regs_struct&) {
  static unsigned long long none = 0;
  return none;
}
#endif

user_regs_struct registers_of(pid_t victim) {
  user_regs_struct registers{};
  iovec place{&registers, sizeof registers};
  ptrace(PTRACE_GETREGSET, victim, NT_PRSTATUS, &place);
  return registers;
}

uint64_t next_instruction(pid_t victim) {
  user_regs_struct registers = registers_of(victim);
  return counter_of(registers);
}

void jump(pid_t victim, uint64_t address) {
  user_regs_struct registers = registers_of(victim);
  counter_of(registers) = address;
  iovec place{&registers, sizeof registers};
  ptrace(PTRACE_SETREGSET, victim, NT_PRSTATUS, &place);
}

unsigned long code_at(pid_t victim, uint64_t address) {
  return static_cast<unsigned long>(ptrace(PTRACE_PEEKTEXT, victim, address, nullptr));
}

bool is_system_call(pid_t victim, uint64_t address) {
  return knows_instructions && (code_at(victim, address) & system_call_mask) == system_call;
}

// Lets the victim go on until it stops again. False: it has ended, or the operation has.
bool resume(const world& w, pid_t victim, __ptrace_request how) {
  int status = 0;
  if (w.shared->victim_finished.load() != 0 || ptrace(how, victim, nullptr, nullptr) != 0) return false;
  return waitpid(victim, &status, 0) == victim && WIFSTOPPED(status);
}

// At full speed. The victim's code is its own copy.
bool run_to(const world& w, pid_t victim, uint64_t address) {
  const unsigned long code = code_at(victim, address);
  ptrace(PTRACE_POKETEXT, victim, address, (code & ~trap_mask) | trap);
  if (!resume(w, victim, PTRACE_CONT)) return false;
  ptrace(PTRACE_POKETEXT, victim, address, code);
  const bool arrived = next_instruction(victim) == address + trap_length;
  if (arrived) jump(victim, address);
  return arrived;
}

}  // namespace

void route::start_at(uint64_t system_calls) {
  if (system_calls == system_calls_) return;
  *this = route();
  system_calls_ = system_calls;
}

void route::note(uint64_t instructions, uint64_t address) {
  if (instructions != addresses_.size()) return;
  const bool first_time = std::find(addresses_.begin(), addresses_.end(), address) == addresses_.end();
  addresses_.push_back(address);
  if (!knows_instructions || !first_time || instructions < checkpoint_.instructions + checkpoint_distance)
    return;
  checkpoint_ = {instructions, address};
}

drive_result drive(world& w, pid_t victim, const kill_point& point) {
  for (uint64_t i = 0; i < 2 * point.system_calls; ++i) {  // each stops at its entry and at its exit
    if (!resume(w, victim, PTRACE_SYSCALL)) return drive_result::finished;
  }
  w.way.start_at(point.system_calls);
  uint64_t done = 0;
  const checkpoint known = w.way.last_checkpoint();
  if (known.instructions > 0 && known.instructions <= point.instructions) {
    if (!run_to(w, victim, known.address)) return drive_result::took_another_way;
    done = known.instructions;
  }
  for (; done < point.instructions; ++done) {
    const uint64_t next = next_instruction(victim);
    if (is_system_call(victim, next)) return drive_result::at_system_call;
    w.way.note(done, next);
    if (!resume(w, victim, PTRACE_SINGLESTEP)) return drive_result::finished;
  }
  return w.shared->victim_finished.load() != 0 ? drive_result::finished : drive_result::there;
}

}  // namespace stepkill
