// SPDX-License-Identifier: MIT
// The types of the POSIX port that shared code holds but never looks into.
#pragma once

#include <poll.h>
#include <pthread.h>
#include <sys/types.h>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "../identity.h"

// On what a forked child runs before and after its function. A new process pays for each 64 KiB of code that it is the first to enter, so
// the linker is asked to lay these side by side.
#if defined(__GNUC__)
#define KITH_IN_FORKED_CHILD __attribute__((hot, noinline))
#else
#define KITH_IN_FORKED_CHILD
#endif

namespace kith::platform {

// A hint: the cache line there will be read soon. Any address will do.
inline void prefetch_line(const void* place) { __builtin_prefetch(place); }

// Owns a descriptor. All of ours are close-on-exec; a child gets those it was given by having the flag
// cleared there.
class native_handle {
 public:
  native_handle() = default;
  explicit native_handle(int descriptor) : descriptor_(descriptor) {}
  native_handle(native_handle&& other) noexcept : descriptor_(other.release()) {}
  native_handle& operator=(native_handle&& other) noexcept {
    if (this != &other) reset(other.release());
    return *this;
  }
  native_handle(const native_handle&) = delete;
  native_handle& operator=(const native_handle&) = delete;
  ~native_handle() { reset(); }

  bool valid() const { return descriptor_ >= 0; }
  int get() const { return descriptor_; }
  int release() { return std::exchange(descriptor_, -1); }
  void reset(int descriptor = -1);  // handle.cpp: the only place that calls close

 private:
  int descriptor_ = -1;
};

struct memory {
  native_handle object;
  native_handle read_only;  // what others are given once it is restricted, where it takes another one
  void* base = nullptr;
  size_t size = 0;
  bool writable = true;
  bool restricted = false;
};

// With their parent, so that they need not look after it.
// And whether the bootstrap segment of a child is written by one call, for less than mapping it takes.
#if defined(__linux__) && !defined(KITH_PORTABLE)
inline constexpr bool os_ends_children = true;
inline constexpr bool bootstraps_are_staged = true;
#else
inline constexpr bool os_ends_children = false;
inline constexpr bool bootstraps_are_staged = false;
#endif

// What a sender hands over waits in the socket, and goes with it.
inline constexpr bool parcels_lie_in_slots = false;

// The poll handle of a stream is ready from its end on, also where nobody has armed.
inline constexpr bool stream_handle_tells_end = true;

struct stream {
  native_handle socket;
};

struct listener {
  native_handle socket;
  native_handle claim;   // the file that says that the name is ours, locked for as long as we live
  native_handle gather;  // becomes readable with the socket, and with those who have connected
  native_handle folder, open_folder;
  char file[40] = {};  // of the claim; that of the socket ends with another letter
};

struct caller {
  native_handle socket;
  native_handle came;  // with the bytes that were read last
  int gather = -1;     // the listener's, if it watches us
  bool listens = false;
};

// A folder of names: see runtime_folder.h.
struct runtime_folder {
  native_handle handle;
  char path[72] = {};
};

// name_place.cpp
inline constexpr bool names_are_made_aside = true;
// A file stays when its last user was killed, or when there is nobody yet.
inline constexpr bool names_outlive_users = true;

struct name_place {
  runtime_folder own, open;  // open: for objects that other users may have; perhaps not there
  uid_t owner = 0;
  bool is_foreign = false;  // another user's: only the path of `open` is there
  bool is_locked = false;
  char made[40] = {};  // the file that was made and not published yet
  bool made_in_open = false;
};

enum class pipe_use;

struct pipe {
  native_handle end;
  pipe_use use{};
};

struct bells {
  native_handle handles[2];  // see bell_*.cpp
  bool are_fifos = false;    // of a named object; told from others where that makes a difference
};

struct wait_slot {
  pollfd item{-1, 0, 0};
};

struct process {
  int64_t pid = -1;
  native_handle watch;  // pidfd or kqueue; invalid where there is neither
  bool collected = false;
  bool tree = false;     // its pid is the number of a process group, and so is kept by not reaping it
  bool foreign = false;  // not our child: `who` it is
  identity who;
};

// The register that points to the thread's own data is the cheapest name of a thread; asking the kernel would
// be a system call.
inline uint64_t current_thread() {
#if defined(__linux__) && defined(__has_builtin)
#if __has_builtin(__builtin_thread_pointer)
  return reinterpret_cast<uintptr_t>(__builtin_thread_pointer());
#else
  return std::bit_cast<uintptr_t>(pthread_self());
#endif
#else
  return std::bit_cast<uintptr_t>(pthread_self());
#endif
}

}  // namespace kith::platform
