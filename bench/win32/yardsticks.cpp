// SPDX-License-Identifier: MIT
#include "../yardsticks.h"

#include <windows.h>

#include <cstdio>
#include <cstdlib>
#include <string>

namespace bench {

namespace {

void start_by_create_process(const char* program, const char* argument) {
  std::string line = std::string("\"") + program + "\"";
  if (argument != nullptr) line += std::string(" ") + argument;
  STARTUPINFOA how{};
  how.cb = sizeof how;
  PROCESS_INFORMATION child{};
  if (!CreateProcessA(nullptr, line.data(), nullptr, nullptr, FALSE, 0, nullptr, nullptr, &how, &child)) {
    std::fprintf(stderr, "bench: CreateProcess: error %lu\n", GetLastError());
    std::exit(1);
  }
  WaitForSingleObject(child.hProcess, INFINITE);
  CloseHandle(child.hThread);
  CloseHandle(child.hProcess);
}

constexpr start_yardstick programs[] = {{"CreateProcess", start_by_create_process}};

}  // namespace

std::span<const lock_yardstick> lock_yardsticks() { return {}; }
std::span<const start_yardstick> function_yardsticks() { return {}; }
std::span<const start_yardstick> program_yardsticks() { return programs; }
std::span<const message_yardstick> message_yardsticks() { return {}; }
std::span<const queue_yardstick> queue_yardsticks() { return {}; }

std::span<const connect_yardstick> connect_yardsticks() { return {}; }
std::span<const many_yardstick> many_yardsticks() { return {}; }
std::span<const wake_yardstick> wake_yardsticks() { return {}; }

bool allow_handles(size_t) { return true; }  // as many as there is memory for

double cpu_seconds() {
  FILETIME created, exited, kernel, user;
  if (!GetProcessTimes(GetCurrentProcess(), &created, &exited, &kernel, &user)) return 0;
  const auto seconds = [](const FILETIME& t) {
    return static_cast<double>(static_cast<uint64_t>(t.dwHighDateTime) << 32 | t.dwLowDateTime) / 1e7;
  };
  return seconds(kernel) + seconds(user);
}

void use_last_cpu() {
  DWORD_PTR ours = 0, all = 0;
  if (!GetProcessAffinityMask(GetCurrentProcess(), &ours, &all) || all == 0) return;
  while ((all & (all - 1)) != 0) all &= all - 1;  // the highest bit
  SetProcessAffinityMask(GetCurrentProcess(), all);
}

one_cpu::one_cpu() {
  DWORD_PTR ours = 0, all = 0;
  if (!GetProcessAffinityMask(GetCurrentProcess(), &ours, &all) || ours == 0) return;
  before_ = ours;
  SetProcessAffinityMask(GetCurrentProcess(), ours & (~ours + 1));  // the lowest bit
}

one_cpu::~one_cpu() {
  if (before_ != 0) SetProcessAffinityMask(GetCurrentProcess(), static_cast<DWORD_PTR>(before_));
}

}  // namespace bench
