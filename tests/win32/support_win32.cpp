// SPDX-License-Identifier: MIT
#include <windows.h>
// Needs windows.h before it.
#include <shellapi.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "../support.h"

namespace test {

const char* const exe_suffix = ".exe";
const char* const plugin_suffix = ".dll";
const bool is_windows = true;
const shown_exit crashed{KITH_EXIT_EXCEPTION, 0xC0000005};

namespace {

int32_t nothing(const void*, size_t) { return 0; }

std::string utf8(const wchar_t* wide) {
  const int size = WideCharToMultiByte(CP_UTF8, 0, wide, -1, nullptr, 0, nullptr, nullptr);
  std::string text(static_cast<size_t>(size), '\0');
  WideCharToMultiByte(CP_UTF8, 0, wide, -1, text.data(), size, nullptr, nullptr);
  text.resize(std::strlen(text.c_str()));
  return text;
}

bool is_ascii(const std::string& text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) >= 0x80) return false;
  }
  return true;
}

}  // namespace

namespace {

// Wine 8 answers 0 to GetProcessHandleCount. Handles are multiples of four, and the lowest free one is given out next, so a long gap
// is the end.
size_t count_one_by_one() {
  constexpr uintptr_t longest_gap = 256;
  size_t count = 0;
  for (uintptr_t number = 1, last = 0; number - last < longest_gap; ++number) {
    DWORD flags = 0;
    if (!GetHandleInformation(reinterpret_cast<HANDLE>(number * 4), &flags)) continue;
    ++count;
    last = number;
  }
  return count;
}

}  // namespace

size_t open_handles() {
  DWORD count = 0;
  GetProcessHandleCount(GetCurrentProcess(), &count);
  return count != 0 ? count : count_one_by_one();
}

bool has_children() { return false; }

std::set<std::string> names_of_shared_memory() { return {}; }

void warm_up() {
  now_ms();  // libuv's clock starts Winsock when it is first asked
  // The library of threads keeps what as many threads as ever lived at once have needed, and a critical section keeps the object
  // that its first waiter slept on: kith's own mutex, and those of the heap.
  std::atomic<int> running{0};
  in_threads(16, [&](int) {
    ++running;
    while (running.load() < 16) std::this_thread::yield();
    for (int i = 0; i < 500; ++i) {
      kith_entry_register("warm up", nothing);
      std::free(std::malloc(100));
    }
  });
  process child = start(nothing);
  end_of(child);
  // The first wait of a process opens the folder of named objects, and more; each kind of wait in a thread of its own opens all of
  // it.
  channel_pair pair = make_channel(4096);
  lock held = make_lock();
  kith_lock_acquire(held, 0);
  const std::vector<unsigned char> large(100'000);
  in_threads(4, [&](int thread) {
    std::vector<unsigned char> received;
    if (thread == 0) kith_channel_send(pair.a, large.data(), large.size(), 20);
    if (thread == 1) receive(pair.a, received, 20);
    if (thread == 2) kith_lock_acquire(held, 20);
    if (thread == 3) kith_lock_acquire(held, 20);
  });
  in_threads(2, [&](int thread) {
    std::vector<unsigned char> received;
    if (thread == 0) kith_channel_send(pair.a, large.data(), large.size(), generous);
    if (thread == 1) receive(pair.b, received);
  });
}

static bool is_wine() {
  return GetProcAddress(GetModuleHandleW(L"ntdll.dll"), "wine_get_version") != nullptr;
}

bool lists_names_in_one_step() { return !is_wine(); }

bool duplicates_in_one_step() { return !is_wine(); }

bool may_die_while_it_spawns() { return !is_wine() || std::getenv("KITH_TEST_WINE_SPAWN") != nullptr; }

// Wine 8 fails to start about one process in a thousand, whoever asks (ERROR_INTERNAL_ERROR: the new process died before it began).
bool may_spawn_again() { return is_wine() && kith_os_error() == ERROR_INTERNAL_ERROR; }

bool allow_handles(int) { return true; }

bool handle_is_ready(int64_t handle, int timeout_ms) {
  return WaitForSingleObject(reinterpret_cast<HANDLE>(static_cast<intptr_t>(handle)),
                             static_cast<DWORD>(timeout_ms)) == WAIT_OBJECT_0;
}

void kill_by_id(int64_t pid) {
  const HANDLE process = OpenProcess(PROCESS_TERMINATE, FALSE, static_cast<DWORD>(pid));
  if (process == nullptr) return;
  TerminateProcess(process, 9);
  CloseHandle(process);
}

bool has_ended(int64_t pid) {
  const HANDLE process = OpenProcess(SYNCHRONIZE, FALSE, static_cast<DWORD>(pid));
  if (process == nullptr) return true;
  const bool ended = WaitForSingleObject(process, 0) == WAIT_OBJECT_0;
  CloseHandle(process);
  return ended;
}

// Windows has no parents that matter: a test asks for the processes it knows.
heir_of_grandchildren::heir_of_grandchildren() {}
heir_of_grandchildren::~heir_of_grandchildren() {}
void heir_of_grandchildren::await_all() const {}

bool is_ended_child(int64_t pid) { return has_ended(pid); }

void crash() {
  // No box on the screen, no debugger.
  SetErrorMode(SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX);
  RaiseException(EXCEPTION_ACCESS_VIOLATION, EXCEPTION_NONCONTINUABLE, 0, nullptr);
  end_at_once(98);
}

void end_at_once(int code) {
  TerminateProcess(GetCurrentProcess(), static_cast<UINT>(code));
  for (;;) Sleep(INFINITE);
}

bool make_writable(void* address, size_t size) {
  DWORD before = 0;
  return VirtualProtect(address, size, PAGE_READWRITE, &before) != 0;
}

std::vector<std::string> utf8_arguments(int argc, char** argv) {
  int count = 0;
  wchar_t** wide = CommandLineToArgvW(GetCommandLineW(), &count);
  std::vector<std::string> arguments;
  for (int i = 0; i < count; ++i) arguments.push_back(utf8(wide[i]));
  LocalFree(wide);
  // Two parsers of the command line must understand it alike: the shell's, and the C runtime's, which made argv.
  bool alike = count == argc;
  for (int i = 1; alike && i < argc; ++i) {
    const std::string& argument = arguments[static_cast<size_t>(i)];
    alike = !is_ascii(argument) || argument == argv[i];
  }
  if (!alike) arguments.push_back("(the C runtime sees other arguments)");
  return arguments;
}

}  // namespace test
