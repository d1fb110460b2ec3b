// SPDX-License-Identifier: MIT
#include "../yardsticks.h"

#include <windows.h>

#include <cstdio>
#include <cstdlib>
#include <string>

namespace bench {

namespace {

void start_by_create_process(const char* program) {
  std::string line = std::string("\"") + program + "\"";
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

}  // namespace bench
