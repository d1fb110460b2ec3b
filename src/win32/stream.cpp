// SPDX-License-Identifier: MIT
#include "../allocator.h"
#include "../mutex.h"
#include "access_rules.h"
#include "pipe_name.h"
#include "win32_error.h"

namespace kith::platform {

// The read that waits for the next bell. It lies in memory that stays, as Windows writes to it until it has ended. Guarded by the library
// mutex.
struct pending_read {
  OVERLAPPED state = {};
  native_handle event;  // manual reset: what the poller waits for; set when the read has ended
  unsigned char bells[64];
  bool began = false;
};

namespace {

constexpr DWORD buffer_size = 4096;

bool is_under_way(const pending_read& read) { return read.began && !HasOverlappedIoCompleted(&read.state); }

// Reads on for as long as there is something, then leaves one read pending. Bytes that are there are read at once.
void read_bells(const stream& self, pending_read& read) {
  for (;;) {
    read.state = {};
    read.state.hEvent = read.event.get();
    read.began = true;
    // Resets the event as it begins.
    if (ReadFile(self.pipe.get(), read.bells, sizeof read.bells, nullptr, &read.state)) continue;
    if (GetLastError() == ERROR_IO_PENDING) return;
    // The other side has ended: the event must say so, whether or not the call has come as far as to set it.
    read.began = false;
    SetEvent(read.event.get());
    return;
  }
}

// For a call whose state lies on our stack: Windows must be done with it before we go.
void cancel_call(const stream& self, OVERLAPPED& state) {
  DWORD ignored = 0;
  CancelIoEx(self.pipe.get(), &state);
  GetOverlappedResult(self.pipe.get(), &state, &ignored, TRUE);
}

void cancel_read(const stream& self, pending_read& read) {
  if (is_under_way(read)) cancel_call(self, read.state);
  read.began = false;
}

kith_status prepare_read(stream& self) {
  if (self.bells != nullptr) return KITH_OK;
  pending_read* const made = make<pending_read>();
  if (made == nullptr) return KITH_E_NO_MEMORY;
  made->event.reset(CreateEventW(nullptr, TRUE, FALSE, nullptr));
  if (!made->event.valid()) {
    const kith_status status = fail_with_last_error();
    unmake(made);
    return status;
  }
  self.bells = made;
  return KITH_OK;
}

enum class bells_found { none, some, ended };

// Takes bells that nobody waits for: while somebody does, whatever comes goes to the pending read.
bells_found drop_bells(const stream& self) {
  const library_guard guard;
  DWORD available = 0;
  if (!PeekNamedPipe(self.pipe.get(), nullptr, 0, nullptr, &available, nullptr)) return bells_found::ended;
  if (available == 0 || (self.bells != nullptr && is_under_way(*self.bells))) return bells_found::none;
  const native_handle event(CreateEventW(nullptr, TRUE, FALSE, nullptr));
  if (!event.valid()) return bells_found::none;
  unsigned char bells[64];
  OVERLAPPED state = {};
  state.hEvent = event.get();
  const DWORD size = available < sizeof bells ? available : sizeof bells;
  if (ReadFile(self.pipe.get(), bells, size, nullptr, &state)) return bells_found::some;
  // The process that the end was given to has been quicker.
  if (GetLastError() == ERROR_IO_PENDING) cancel_call(self, state);
  return bells_found::none;
}

}  // namespace

// Overlapped, because a call on a synchronous handle waits until the one of another thread is done; bytes and
// not messages, because only these behave alike everywhere.
kith_status stream_create(stream& a, stream& b) {
  pipe_name name;
  access_rules ours;
  kith_status status = make_pipe_name(name);
  if (status == KITH_OK) status = ours.allow_this_user();
  if (status != KITH_OK) return status;
  native_handle server = own_file(
      CreateNamedPipeW(name.text, PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED | FILE_FLAG_FIRST_PIPE_INSTANCE,
                       PIPE_TYPE_BYTE | PIPE_READMODE_BYTE | PIPE_WAIT | PIPE_REJECT_REMOTE_CLIENTS, 1,
                       buffer_size, buffer_size, 0, ours.attributes()));
  if (!server.valid()) return fail_with_last_error();
  // A new pipe listens: this connects, and ConnectNamedPipe would only say so. The other flags keep whoever
  // might hold the first end from acting in the name of the second.
  native_handle client =
      own_file(CreateFileW(name.text, GENERIC_READ | GENERIC_WRITE, 0, nullptr, OPEN_EXISTING,
                           FILE_FLAG_OVERLAPPED | SECURITY_SQOS_PRESENT | SECURITY_IDENTIFICATION, nullptr));
  if (!client.valid()) return fail_with_last_error();
  a.pipe = std::move(server);
  b.pipe = std::move(client);
  return KITH_OK;
}

// Windows keeps what the other end wrote before it ended, and tells of the end only behind that: bells are taken away. As many as
// can lie in the pipe; one who rings on and on has not ended.
stream_state stream_look(const stream& self) {
  DWORD available = 0;
  if (!PeekNamedPipe(self.pipe.get(), nullptr, 0, nullptr, &available, nullptr)) return stream_state::ended;
  for (DWORD most = available + 1; available != 0 && most != 0; --most) {
    const bells_found found = drop_bells(self);
    if (found == bells_found::ended) return stream_state::ended;
    if (found == bells_found::none) break;
  }
  return stream_state::open;
}

// A full pipe has bells in it. The write that cannot be done at once is taken back, and waited for: its state is on our stack.
void stream_ring(stream& self) {
  const native_handle event(CreateEventW(nullptr, TRUE, FALSE, nullptr));
  if (!event.valid()) return;
  OVERLAPPED state = {};
  state.hEvent = event.get();
  constexpr unsigned char bell = 1;
  if (WriteFile(self.pipe.get(), &bell, 1, nullptr, &state) || GetLastError() != ERROR_IO_PENDING) return;
  cancel_call(self, state);
}

// A read ends with the thread that began it; then the event is set, and the poller comes here again.
kith_status stream_arm(stream& self) {
  const library_guard guard;
  if (const kith_status status = prepare_read(self); status != KITH_OK) return status;
  if (!is_under_way(*self.bells)) read_bells(self, *self.bells);
  return KITH_OK;
}

void stream_disarm(stream& self) {
  const library_guard guard;
  if (self.bells != nullptr) cancel_read(self, *self.bells);
}

kith_status stream_poll_handle(stream& self, int64_t& out) {
  const library_guard guard;
  if (const kith_status status = prepare_read(self); status != KITH_OK) return status;
  out = reinterpret_cast<intptr_t>(self.bells->event.get());
  return KITH_OK;
}

const native_handle* stream_handle(const stream& self) { return &self.pipe; }

kith_status stream_adopt(native_handle&& object, stream& out) {
  if (GetFileType(object.get()) != FILE_TYPE_PIPE) return KITH_E_MISMATCH;
  out.pipe = std::move(object);
  return KITH_OK;
}

void stream_close(stream& self) {
  stream_disarm(self);
  unmake(std::exchange(self.bells, nullptr));
  self.pipe.reset();
}

}  // namespace kith::platform
