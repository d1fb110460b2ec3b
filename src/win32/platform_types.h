// SPDX-License-Identifier: MIT
// The types of the Windows port that shared code holds but never looks into. A HANDLE is a void*: windows.h stays out of here.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "../buffer.h"

#if defined(_MSC_VER)
#include <intrin.h>
#endif

// As windows.h declares it; the header itself stays out.
extern "C" __declspec(dllimport) unsigned long __stdcall GetCurrentThreadId(void);

#define KITH_IN_FORKED_CHILD  // there is no fork

namespace kith::platform {

// A hint: the cache line there will be read soon. Any address will do.
inline void prefetch_line(const void* place) {
#if !defined(_MSC_VER)
  __builtin_prefetch(place);
#elif defined(_M_ARM64)
  __prefetch(place);
#else
  _mm_prefetch(static_cast<const char*>(place), _MM_HINT_T0);
#endif
}

// Owns a HANDLE. None of ours is inheritable; a child gets what it was given by DuplicateHandle.
class native_handle {
 public:
  native_handle() = default;
  explicit native_handle(void* handle)
      : handle_(handle) {}  // INVALID_HANDLE_VALUE must be turned into nullptr before
  native_handle(native_handle&& other) noexcept : handle_(other.release()) {}
  native_handle& operator=(native_handle&& other) noexcept {
    if (this != &other) reset(other.release());
    return *this;
  }
  native_handle(const native_handle&) = delete;
  native_handle& operator=(const native_handle&) = delete;
  ~native_handle() { reset(); }

  bool valid() const { return handle_ != nullptr; }
  void* get() const { return handle_; }
  void* release() { return std::exchange(handle_, nullptr); }
  void reset(void* handle = nullptr);  // handle.cpp: the only place that calls CloseHandle

 private:
  void* handle_ = nullptr;
};

struct memory {
  native_handle object;
  native_handle read_only;  // what others are given, once restricted
  void* base = nullptr;
  size_t size = 0;
  bool writable = true;
};

struct pending_read;  // stream.cpp

// The poll handle of a stream is an event, which tells nothing before a read is under way.
inline constexpr bool stream_handle_tells_end = false;

// With their parent, so that they need not look after it.
inline constexpr bool os_ends_children = true;
inline constexpr bool bootstraps_are_staged = false;

// Moved only into one that is empty. A read that is pending does not mind: it knows the pipe, not the stream.
// What a sender hands over is a handle of this process already; the slot in the segment says which.
inline constexpr bool parcels_lie_in_slots = true;

struct stream {
  stream() = default;
  stream(stream&& other) noexcept : pipe(std::move(other.pipe)), bells(std::exchange(other.bells, nullptr)) {}
  stream& operator=(stream&& other) noexcept {
    pipe = std::move(other.pipe);
    bells = std::exchange(other.bells, nullptr);
    return *this;
  }

  native_handle pipe;
  pending_read* bells = nullptr;  // once somebody has asked for a handle to poll
};

// listener.cpp, caller.cpp: in memory that stays, as Windows writes to it until a call has ended.
struct listening;
struct calling;

struct listener {
  listening* state = nullptr;
};

struct caller {
  calling* state = nullptr;
};

enum class pipe_use;
struct pipe_reader;  // pipe.cpp

struct pipe {
  native_handle end;
  pipe_use use{};
  pipe_reader* reader = nullptr;        // of an end that we read
  std::atomic<uint64_t> full_at_ns{0};  // when a write last found no room
};

struct bells {
  native_handle handles[2];  // events
};

// name_place.cpp
inline constexpr bool names_are_made_aside = false;
// The handles of a process go with it, and a section with its last handle.
inline constexpr bool names_outlive_users = false;

struct name_place {
  native_handle mutex;
  bool is_locked = false;
  wchar_t prefix[32] = {};  // of the names of its objects, behind "Local"
  buffer<wchar_t> folder;   // for those that are persistent
  native_handle made;       // the file of one that was made and not published yet
};

enum class wait_for : uint32_t;

struct wait_slot {
  bool is_used = false;
  wait_for what{};
  intptr_t handle = 0;
  uint32_t events = 0;
  // Threads of the system's pool may write it; UnregisterWaitEx waits for them.
  std::atomic<uint32_t> ready{0};
  void* wait = nullptr;  // of the pool
  void* told = nullptr;  // the event that a thread of the pool sets
};

struct process {
  int64_t pid = -1;
  native_handle handle;
  native_handle job;  // of a tree
};

inline uint64_t current_thread() { return GetCurrentThreadId(); }

}  // namespace kith::platform
