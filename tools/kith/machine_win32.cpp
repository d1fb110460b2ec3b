// SPDX-License-Identifier: MIT
#include <windows.h>

#include <string>

#include "machine.h"

namespace command {

namespace {

const char* architecture(WORD code) {
  switch (code) {
    case PROCESSOR_ARCHITECTURE_AMD64: return "x86-64";
    case PROCESSOR_ARCHITECTURE_ARM64: return "arm64";
    case PROCESSOR_ARCHITECTURE_INTEL: return "x86";
    default: return "another processor";
  }
}

}  // namespace

void add_system(report& to) {
  SYSTEM_INFO info{};
  GetNativeSystemInfo(&info);
  to.push_back({"system", verdict::fact, std::string("Windows, ") + architecture(info.wProcessorArchitecture), ""});
  to.push_back({"processors", verdict::fact, std::to_string(info.dwNumberOfProcessors), ""});
}

void add_limits(report& to) {
  MEMORYSTATUSEX memory{};
  memory.dwLength = sizeof memory;
  if (!GlobalMemoryStatusEx(&memory)) return;
  to.push_back({"memory_to_be_promised", verdict::fact, std::to_string(memory.ullAvailPageFile >> 20) + " MiB",
                "shared memory is taken from it when it is created"});
}

void add_calls(report& to) {
  to.push_back({"waiting", verdict::fallback, "named events",
                "Windows waits on addresses within a process only: more than 64 sleepers in one object nap"});
}

}  // namespace command
