// SPDX-License-Identifier: MIT
#include <windows.h>
// After windows.h, which it needs.
#include <shellapi.h>

#include <cstdio>
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

std::string utf8_of(const std::wstring& text) {
  const int length = static_cast<int>(text.size());
  const int size = WideCharToMultiByte(CP_UTF8, 0, text.data(), length, nullptr, 0, nullptr, nullptr);
  std::string out(static_cast<size_t>(size), '\0');
  WideCharToMultiByte(CP_UTF8, 0, text.data(), length, out.data(), size, nullptr, nullptr);
  return out;
}

std::wstring utf16_of(const std::string& text) {
  const int length = static_cast<int>(text.size());
  const int size = MultiByteToWideChar(CP_UTF8, 0, text.data(), length, nullptr, 0);
  std::wstring out(static_cast<size_t>(size), L'\0');
  MultiByteToWideChar(CP_UTF8, 0, text.data(), length, out.data(), size);
  return out;
}

std::wstring variable(const wchar_t* name) {
  const DWORD size = GetEnvironmentVariableW(name, nullptr, 0);
  std::wstring out(size, L'\0');
  if (size != 0) out.resize(GetEnvironmentVariableW(name, out.data(), size));
  return out;
}

HANDLE standard_output() { return GetStdHandle(STD_OUTPUT_HANDLE); }

bool is_console(DWORD& mode) { return GetConsoleMode(standard_output(), &mode) != 0; }

// Whatever code page the console has.
bool write_to_console(const std::string& text) {
  const std::wstring wide = utf16_of(text);
  DWORD written = 0;
  return wide.empty() || WriteConsoleW(standard_output(), wide.data(), static_cast<DWORD>(wide.size()),
                                       &written, nullptr) != 0;
}

}  // namespace

void add_system(report& to) {
  SYSTEM_INFO info{};
  GetNativeSystemInfo(&info);
  to.push_back(
      {"system", verdict::fact, std::string("Windows, ") + architecture(info.wProcessorArchitecture), ""});
  to.push_back({"processors", verdict::fact, std::to_string(info.dwNumberOfProcessors), ""});
}

void add_limits(report& to) {
  MEMORYSTATUSEX memory{};
  memory.dwLength = sizeof memory;
  if (!GlobalMemoryStatusEx(&memory)) return;
  to.push_back({"memory_to_be_promised", verdict::fact,
                std::to_string(memory.ullAvailPageFile >> 20) + " MiB",
                "shared memory is taken from it when it is created"});
}

void add_calls(report& to) {
  to.push_back({"waiting", verdict::fallback, "named events",
                "Windows waits on addresses within a process only: more than 64 sleepers in one object nap"});
}

// As src/win32/name_place.cpp finds it.
std::string place_of_names() {
  const std::wstring wanted = variable(L"KITH_RUNTIME_DIR");
  const std::wstring folder =
      wanted.empty() ? variable(L"USERPROFILE") + L"\\AppData\\Local\\kith" : wanted + L"\\kith-names";
  return "this session; persistent ones in " + utf8_of(folder);
}

// What main gets is of the code page of the system, which lacks most characters.
std::vector<std::string> arguments(int argc, char** argv) {
  int count = 0;
  wchar_t** const words = CommandLineToArgvW(GetCommandLineW(), &count);
  std::vector<std::string> out;
  for (int i = 1; words != nullptr && i < count; ++i) out.push_back(utf8_of(words[i]));
  for (int i = 1; words == nullptr && i < argc; ++i) out.push_back(argv[i]);
  LocalFree(words);
  return out;
}

bool put(const std::string& text) {
  DWORD mode = 0;
  if (is_console(mode)) return write_to_console(text);
  return std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0;
}

// https://learn.microsoft.com/windows/console/setconsolemode: ENABLE_VIRTUAL_TERMINAL_PROCESSING is refused by a console that does not know it.
bool find_screen(screen& out) {
  DWORD mode = 0;
  CONSOLE_SCREEN_BUFFER_INFO info{};
  if (!is_console(mode) || !GetConsoleScreenBufferInfo(standard_output(), &info) ||
      !SetConsoleMode(standard_output(), mode | ENABLE_VIRTUAL_TERMINAL_PROCESSING))
    return false;
  SetConsoleMode(standard_output(), mode);
  out = {static_cast<size_t>(info.srWindow.Bottom - info.srWindow.Top + 1),
         static_cast<size_t>(info.srWindow.Right - info.srWindow.Left + 1)};
  return true;
}

// The mode is the console's, not ours: it is put back at once, as Ctrl-C may end us at any time.
bool redraw(const std::string& text) {
  DWORD mode = 0;
  if (!is_console(mode)) return put(text);
  SetConsoleMode(standard_output(), mode | ENABLE_VIRTUAL_TERMINAL_PROCESSING);
  const bool written = write_to_console("\x1b[H\x1b[2J" + text);
  SetConsoleMode(standard_output(), mode);
  return written;
}

}  // namespace command
