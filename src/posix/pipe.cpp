// SPDX-License-Identifier: MIT
// Pipes, not socket pairs, though a socket could be told to raise no SIGPIPE: a program may open /dev/stdin or /dev/fd/1 again, which
// Linux refuses for a socket, and expects what a shell would give it.
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "posix_internal.h"

namespace kith::platform {

namespace {

kith_status open_pipe(native_handle (&ends)[2]) {
  int made[2];
#if defined(__APPLE__)
  // As for sockets (stream.cpp): no child of ours can inherit it before the flag is set.
  if (::pipe(made) != 0) return fail(errno);
  for (int i = 0; i < 2; ++i) ends[i] = own_descriptor(made[i]);
  for (const native_handle& end : ends) {
    if (const kith_status status = set_close_on_exec(end.get()); status != KITH_OK) return status;
  }
#else
  if (::pipe2(made, O_CLOEXEC) != 0) return fail(errno);
  for (int i = 0; i < 2; ++i) ends[i] = own_descriptor(made[i]);
#endif
  return KITH_OK;
}

// Of our end alone: the two ends of a pipe have such flags of their own.
kith_status never_wait(const native_handle& end) {
  const int flags = fcntl(end.get(), F_GETFL);
  return flags == -1 || fcntl(end.get(), F_SETFL, flags | O_NONBLOCK) == -1 ? fail(errno) : KITH_OK;
}

#if defined(F_SETNOSIGPIPE)

kith_status raise_no_signal(const native_handle& end) {
  return fcntl(end.get(), F_SETNOSIGPIPE, 1) == -1 ? fail(errno) : KITH_OK;
}

ssize_t write_quietly(int end, const void* data, size_t size) {
  return restart([&] { return ::write(end, data, size); });
}

#else

kith_status raise_no_signal(const native_handle&) { return KITH_OK; }

// The signal goes to the thread that writes. It is blocked there, and taken back where it came; one that was waiting before is the
// program's own and stays.
class sigpipe_blocked {
 public:
  sigpipe_blocked() {
    sigemptyset(&only_);
    sigaddset(&only_, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &only_, &before_);
    was_waiting_ = sigismember(&before_, SIGPIPE) == 1 && is_waiting();
  }
  ~sigpipe_blocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  sigpipe_blocked(const sigpipe_blocked&) = delete;
  sigpipe_blocked& operator=(const sigpipe_blocked&) = delete;

  void take_back() {
    int taken = 0;
    if (!was_waiting_ && is_waiting()) sigwait(&only_, &taken);
  }

 private:
  static bool is_waiting() {
    sigset_t waiting;
    return sigpending(&waiting) == 0 && sigismember(&waiting, SIGPIPE) == 1;
  }

  sigset_t only_;
  sigset_t before_;
  bool was_waiting_ = false;
};

ssize_t write_quietly(int end, const void* data, size_t size) {
  sigpipe_blocked signal;
  const ssize_t result = restart([&] { return ::write(end, data, size); });
  if (result == -1 && errno == EPIPE) {
    signal.take_back();
    errno = EPIPE;
  }
  return result;
}

#endif

// How poll() tells of what the end is for, or of the end of the other side.
bool poll_says_ready(const pipe& self) {
  pollfd item{self.end.get(), static_cast<short>(self.use == pipe_use::read ? POLLIN : POLLOUT), 0};
  return restart([&] { return poll(&item, 1, 0); }) > 0;
}

bool would_wait(int error) { return error == EAGAIN || error == EWOULDBLOCK; }

}  // namespace

kith_status pipe_create(pipe_use ours, pipe& out, native_handle& theirs) {
  native_handle ends[2];
  kith_status status = open_pipe(ends);
  if (status != KITH_OK) return status;
  native_handle& our_end = ends[ours == pipe_use::read ? 0 : 1];
  status = never_wait(our_end);
  if (status == KITH_OK && ours == pipe_use::write) status = raise_no_signal(our_end);
  if (status != KITH_OK) return status;
  theirs = std::move(ends[ours == pipe_use::read ? 1 : 0]);
  out.end = std::move(our_end);
  out.use = ours;
  return KITH_OK;
}

kith_status pipe_read(pipe& self, void* out, size_t capacity, size_t& got) {
  constexpr size_t most =
      size_t{1} << 30;  // what a read takes at once is limited, on some systems by a refusal
  const ssize_t result =
      restart([&] { return ::read(self.end.get(), out, capacity < most ? capacity : most); });
  if (result == -1) return would_wait(errno) ? KITH_E_TIMEOUT : fail(errno);
  if (result == 0) return KITH_E_CLOSED;
  got = static_cast<size_t>(result);
  return KITH_OK;
}

kith_status pipe_write(pipe& self, const void* data, size_t size, size_t& put) {
  constexpr size_t most = size_t{1} << 30;
  const ssize_t result = write_quietly(self.end.get(), data, size < most ? size : most);
  if (result == -1 && errno == EPIPE) return KITH_E_CLOSED;
  if (result == -1) return would_wait(errno) ? KITH_E_TIMEOUT : fail(errno);
  put = static_cast<size_t>(result);
  return KITH_OK;
}

bool pipe_is_ready(pipe& self) { return poll_says_ready(self); }

size_t pipe_available(pipe& self) {
  int bytes = 0;
  return ioctl(self.end.get(), FIONREAD, &bytes) == 0 && bytes > 0 ? static_cast<size_t>(bytes) : 0;
}

kith_status pipe_poll_handle(pipe& self, int64_t& out) {
  out = self.end.get();
  return KITH_OK;
}

void pipe_close(pipe& self) { self.end.reset(); }

kith_status pipe_create_for_children(native_handle& read_end, native_handle& write_end) {
  native_handle ends[2];
  if (const kith_status status = open_pipe(ends); status != KITH_OK) return status;
  read_end = std::move(ends[0]);
  write_end = std::move(ends[1]);
  return KITH_OK;
}

}  // namespace kith::platform
