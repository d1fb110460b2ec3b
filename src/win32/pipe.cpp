// SPDX-License-Identifier: MIT
// Reading: a read into a buffer of ours is always under way, and its event is what can be waited for. A read straight into the caller's
// buffer would have to be taken back at his deadline.
//
// Writing: a pending write that is taken back at a deadline cannot say how much of it the reader has taken. So writes never wait
// (PIPE_NOWAIT): Windows takes all of a piece, or nothing. Nothing tells when there is room again; who waits for that tries again.
#include <cstring>

#include "../allocator.h"
#include "access_rules.h"
#include "pipe_name.h"
#include "win32_error.h"

namespace kith::platform {

namespace {

constexpr DWORD reading_size = 65536;
constexpr DWORD writing_size = 1 << 20;         // large, as whoever waits for room looks only now and then
constexpr DWORD between_children_size = 65536;  // as on Linux
constexpr uint64_t try_again_after_ns = 10 * ns_per_ms;

}  // namespace

struct pipe_reader {
  SRWLOCK lock = SRWLOCK_INIT;  // guards all of it; never held while waiting
  OVERLAPPED state = {};
  native_handle event;  // manual reset: set when the read has ended
  bool under_way = false;
  bool ended = false;
  DWORD from = 0;  // what has come and was not taken: bytes[from, to)
  DWORD to = 0;
  unsigned char bytes[reading_size];
};

namespace {

class reader_guard {
 public:
  explicit reader_guard(pipe_reader& reader) : lock_(reader.lock) { AcquireSRWLockExclusive(&lock_); }
  ~reader_guard() { ReleaseSRWLockExclusive(&lock_); }
  reader_guard(const reader_guard&) = delete;
  reader_guard& operator=(const reader_guard&) = delete;

 private:
  SRWLOCK& lock_;
};

bool says_end(DWORD error) {
  return error == ERROR_BROKEN_PIPE || error == ERROR_PIPE_NOT_CONNECTED || error == ERROR_NO_DATA;
}

kith_status end_or_fail(pipe_reader& reader, DWORD error) {
  reader.under_way = false;
  if (!says_end(error)) return fail(static_cast<int32_t>(error));
  reader.ended = true;
  SetEvent(reader.event.get());
  return KITH_E_CLOSED;
}

kith_status begin_read(pipe& self) {
  pipe_reader& reader = *self.reader;
  reader.state = {};
  reader.state.hEvent = reader.event.get();
  reader.under_way = true;
  // Resets the event as it begins.
  if (ReadFile(self.end.get(), reader.bytes, reading_size, nullptr, &reader.state)) return KITH_OK;
  const DWORD error = GetLastError();
  return error == ERROR_IO_PENDING ? KITH_OK : end_or_fail(reader, error);
}

// KITH_OK: there is something. KITH_E_TIMEOUT: not yet, and a read is under way.
kith_status fill(pipe& self) {
  pipe_reader& reader = *self.reader;
  while (reader.from == reader.to) {
    if (reader.ended) return KITH_E_CLOSED;
    if (!reader.under_way) {
      if (const kith_status status = begin_read(self); status != KITH_OK) return status;
    }
    if (!HasOverlappedIoCompleted(&reader.state)) return KITH_E_TIMEOUT;
    DWORD got = 0;
    if (GetOverlappedResult(self.end.get(), &reader.state, &got, FALSE)) {
      reader.under_way = false;
      reader.from = 0;
      reader.to = got;  // none: somebody has written nothing
    } else if (const DWORD error = GetLastError(); error == ERROR_OPERATION_ABORTED) {
      reader.under_way = false;  // the thread that began it has ended
    } else {
      return end_or_fail(reader, error);
    }
  }
  return KITH_OK;
}

void end_read(pipe& self) {
  pipe_reader& reader = *self.reader;
  DWORD ignored = 0;
  if (!reader.under_way) return;
  CancelIoEx(self.end.get(), &reader.state);
  GetOverlappedResult(self.end.get(), &reader.state, &ignored, TRUE);  // Windows writes to it no more
  reader.under_way = false;
}

kith_status make_reader(pipe_reader*& out) {
  pipe_reader* const made = make<pipe_reader>();
  if (made == nullptr) return KITH_E_NO_MEMORY;
  made->event.reset(CreateEventW(nullptr, TRUE, FALSE, nullptr));
  if (!made->event.valid()) {
    const kith_status status = fail_with_last_error();
    unmake(made);
    return status;
  }
  out = made;
  return KITH_OK;
}

kith_status open_pipe(pipe_use use, native_handle& ours, native_handle& theirs) {
  const bool reads = use == pipe_use::read;
  pipe_name name;
  access_rules rules;
  kith_status status = make_pipe_name(name);
  if (status == KITH_OK) status = rules.allow_this_user();
  if (status != KITH_OK) return status;
  const DWORD direction = reads ? PIPE_ACCESS_INBOUND | FILE_FLAG_OVERLAPPED : PIPE_ACCESS_OUTBOUND;
  const DWORD size = reads ? reading_size : writing_size;
  ours =
      own_file(CreateNamedPipeW(name.text, direction | FILE_FLAG_FIRST_PIPE_INSTANCE,
                                PIPE_TYPE_BYTE | PIPE_READMODE_BYTE | PIPE_WAIT | PIPE_REJECT_REMOTE_CLIENTS,
                                1, size, size, 0, rules.attributes()));
  if (!ours.valid()) return fail_with_last_error();
  // The attributes let a program ask for, and set, the mode of the pipe, as some do.
  const DWORD access = reads ? GENERIC_WRITE | FILE_READ_ATTRIBUTES : GENERIC_READ | FILE_WRITE_ATTRIBUTES;
  theirs = own_file(CreateFileW(name.text, access, 0, nullptr, OPEN_EXISTING,
                                SECURITY_SQOS_PRESENT | SECURITY_IDENTIFICATION, nullptr));
  if (!theirs.valid()) return fail_with_last_error();
  DWORD mode = PIPE_READMODE_BYTE | PIPE_NOWAIT;
  if (!reads && !SetNamedPipeHandleState(ours.get(), &mode, nullptr, nullptr)) return fail_with_last_error();
  return KITH_OK;
}

}  // namespace

kith_status pipe_create(pipe_use ours, pipe& out, native_handle& theirs) {
  native_handle our_end, their_end;
  kith_status status = open_pipe(ours, our_end, their_end);
  if (status == KITH_OK && ours == pipe_use::read) status = make_reader(out.reader);
  if (status != KITH_OK) return status;
  out.end = std::move(our_end);
  out.use = ours;
  theirs = std::move(their_end);
  return KITH_OK;
}

kith_status pipe_read(pipe& self, void* out, size_t capacity, size_t& got) {
  pipe_reader& reader = *self.reader;
  const reader_guard guard(reader);
  if (const kith_status status = fill(self); status != KITH_OK) return status;
  const size_t there = reader.to - reader.from;
  got = there < capacity ? there : capacity;
  std::memcpy(out, reader.bytes + reader.from, got);
  reader.from += static_cast<DWORD>(got);
  return KITH_OK;
}

// A piece that does not fit is tried in halves: there may be room for a part of it.
kith_status pipe_write(pipe& self, const void* data, size_t size, size_t& put) {
  for (DWORD piece = static_cast<DWORD>(size < writing_size ? size : writing_size); piece != 0; piece /= 2) {
    DWORD written = 0;
    if (!WriteFile(self.end.get(), data, piece, &written, nullptr)) {
      const DWORD error = GetLastError();
      return says_end(error) ? KITH_E_CLOSED : fail(static_cast<int32_t>(error));
    }
    if (written == 0) continue;
    put = written;
    return KITH_OK;
  }
  // Relaxed: a hint for pipe_is_ready.
  self.full_at_ns.store(clock_now(), std::memory_order_relaxed);
  return KITH_E_TIMEOUT;
}

bool pipe_is_ready(pipe& self) {
  if (self.use == pipe_use::read) {
    const reader_guard guard(*self.reader);
    return fill(self) != KITH_E_TIMEOUT;
  }
  const uint64_t full_at = self.full_at_ns.load(std::memory_order_relaxed);
  return full_at == 0 || clock_now() - full_at >= try_again_after_ns;
}

size_t pipe_available(pipe& self) {
  const reader_guard guard(*self.reader);
  DWORD more = 0;
  if (fill(self) != KITH_OK) return 0;
  if (!PeekNamedPipe(self.end.get(), nullptr, 0, nullptr, &more, nullptr)) more = 0;
  return size_t{self.reader->to - self.reader->from} + more;
}

kith_status pipe_poll_handle(pipe& self, int64_t& out) {
  if (self.use != pipe_use::read) return KITH_E_UNSUPPORTED;
  out = reinterpret_cast<intptr_t>(self.reader->event.get());
  return KITH_OK;
}

void pipe_close(pipe& self) {
  if (self.reader != nullptr) end_read(self);
  unmake(std::exchange(self.reader, nullptr));
  self.end.reset();
}

// An anonymous pipe, whose ends are synchronous: the C runtimes of programs read and write without an OVERLAPPED, which a handle that was opened for
// overlapped calls does not take. That is also why an end of pipe_create is no good for a child.
kith_status pipe_create_for_children(native_handle& read_end, native_handle& write_end) {
  HANDLE made[2] = {};
  if (!CreatePipe(&made[0], &made[1], nullptr, between_children_size)) return fail_with_last_error();
  read_end.reset(made[0]);
  write_end.reset(made[1]);
  return KITH_OK;
}

}  // namespace kith::platform
