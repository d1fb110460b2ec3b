// SPDX-License-Identifier: MIT
// Exactly the given handles reach a child, while threads of its parent make inheritable ones of several kinds.
#include <windows.h>

#include <atomic>
#include <cwchar>
#include <string>

#include "../support.h"

using test::nothing_leaks;

namespace {

// By these a child knows what its parent's careless threads have opened.
constexpr wchar_t name_of_careless[] = L"kith-test-careless";
constexpr DWORD bytes_in_careless_pipe = 77;

HANDLE inheritable(HANDLE handle) {
  SetHandleInformation(handle, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT);
  return handle;
}

struct careless_things {
  HANDLE event = nullptr;
  HANDLE section = nullptr;
  HANDLE reader = nullptr;
  HANDLE writer = nullptr;
  HANDLE file = nullptr;

  explicit careless_things(const std::wstring& path, int number) {
    const std::wstring name = name_of_careless + std::to_wstring(number);
    SECURITY_ATTRIBUTES inherits{sizeof(SECURITY_ATTRIBUTES), nullptr, TRUE};
    event = CreateEventW(&inherits, TRUE, TRUE, (L"Local\\" + name + L"e").c_str());
    section = inheritable(CreateFileMappingW(INVALID_HANDLE_VALUE, nullptr, PAGE_READWRITE, 0, 100,
                                             (L"Local\\" + name + L"s").c_str()));
    CreatePipe(&reader, &writer, &inherits, 0);
    const char bytes[bytes_in_careless_pipe] = {};
    DWORD written = 0;
    WriteFile(writer, bytes, sizeof bytes, &written, nullptr);
    file = CreateFileW((path + L"\\" + name).c_str(), GENERIC_WRITE, FILE_SHARE_READ, &inherits,
                       CREATE_ALWAYS, FILE_ATTRIBUTE_NORMAL, nullptr);
  }
  ~careless_things() {
    for (const HANDLE each : {event, section, reader, writer, file}) CloseHandle(each);
  }
  careless_things(const careless_things&) = delete;
  careless_things& operator=(const careless_things&) = delete;
};

struct object_name {
  USHORT length;  // UNICODE_STRING
  USHORT room;
  wchar_t* text;
  wchar_t space[1024];
};

bool has_careless_name(HANDLE handle) {
  using query_object = LONG(WINAPI*)(HANDLE, int, void*, ULONG, ULONG*);
  static const auto query = reinterpret_cast<query_object>(
      reinterpret_cast<void*>(GetProcAddress(GetModuleHandleW(L"ntdll.dll"), "NtQueryObject")));
  constexpr int object_name_information = 1;
  object_name name{};
  ULONG size = 0;
  if (query(handle, object_name_information, &name, sizeof name - sizeof(wchar_t), &size) < 0) return false;
  return name.text != nullptr &&
         std::wstring_view(name.text, name.length / sizeof(wchar_t)).find(name_of_careless) !=
             std::wstring_view::npos;
}

bool is_careless(HANDLE handle) {
  const DWORD type = GetFileType(handle);
  // The name of a pipe is not asked for: it would wait for whoever reads from it.
  if (type == FILE_TYPE_PIPE) {
    DWORD available = 0;
    return PeekNamedPipe(handle, nullptr, 0, nullptr, &available, nullptr) != 0 &&
           available == bytes_in_careless_pipe;
  }
  return has_careless_name(handle);
}

// Handles are multiples of four, and the lowest free one is given out next: a long gap is the end.
int careless_handles_here() {
  constexpr uintptr_t longest_gap = 1024;
  int found = 0;
  for (uintptr_t number = 1, last = 0; number - last < longest_gap; ++number) {
    const HANDLE handle = reinterpret_cast<HANDLE>(number * 4);
    DWORD flags = 0;
    if (!GetHandleInformation(handle, &flags)) continue;
    last = number;
    found += is_careless(handle) ? 1 : 0;
  }
  return found;
}

int32_t counts_careless_handles(const void*, size_t) { return careless_handles_here(); }

class careless_threads {
 public:
  explicit careless_threads(const std::string& folder) {
    const std::wstring path(folder.begin(), folder.end());
    for (int i = 0; i < 2; ++i) {
      threads_[i] = std::thread([this, path, i] {
        while (!stop_) {
          const careless_things things(path, i);
          ++rounds_;
        }
      });
    }
    while (rounds_ == 0) std::this_thread::yield();
  }
  ~careless_threads() {
    stop_ = true;
    for (std::thread& each : threads_) each.join();
  }
  careless_threads(const careless_threads&) = delete;
  careless_threads& operator=(const careless_threads&) = delete;

 private:
  std::atomic<bool> stop_ = false;
  std::atomic<int> rounds_ = 0;
  std::thread threads_[2];
};

}  // namespace

TEST_CASE("the test knows a careless handle when it sees one") {
  const test::temporary_folder folder;
  const std::wstring path(folder.path().begin(), folder.path().end());
  CHECK(careless_handles_here() == 0);
  const careless_things things(path, 9);
  // The writing end of a pipe cannot be looked into.
  CHECK(careless_handles_here() >= 4);
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "no handle slips into a child while threads make inheritable ones and start others") {
  const test::temporary_folder folder;
  const careless_threads others(folder.path());
  std::atomic<int> wrong = 0;
  test::in_threads(2, [&](int) {
    for (int round = 0; round < 30; ++round) {
      test::memory memory;
      kith_memory_create(100, nullptr, memory.out());
      test::process child = test::start(counts_careless_handles, {{"memory", memory}});
      wrong += !(test::end_of(child) == test::shown_exit{KITH_EXIT_CODE, 0});
    }
  });
  CHECK(wrong == 0);
}
