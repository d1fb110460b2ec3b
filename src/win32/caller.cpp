// SPDX-License-Identifier: MIT
#include <aclapi.h>

#include <cstring>

#include "../allocator.h"
#include "access_rules.h"
#include "pipe_io.h"
#include "win32_error.h"

namespace kith::platform {

namespace {

// ---- who the other side is --------------------------------------------------------------------------------------------------------------

// The thread may act for somebody already, and goes on so afterwards.
class other_user {
 public:
  explicit other_user(HANDLE pipe) {
    HANDLE before = nullptr;
    if (OpenThreadToken(GetCurrentThread(), TOKEN_IMPERSONATE, TRUE, &before)) before_.reset(before);
    acts_ = ImpersonateNamedPipeClient(pipe) != FALSE;
  }
  ~other_user() {
    if (acts_ || before_.valid()) SetThreadToken(nullptr, before_.get());
  }
  other_user(const other_user&) = delete;
  other_user& operator=(const other_user&) = delete;
  bool acts() const { return acts_; }

 private:
  native_handle before_;
  bool acts_ = false;
};

kith_status user_of_client(HANDLE pipe, user_name& out) {
  native_handle token;
  {
    const other_user acting(pipe);
    if (!acting.acts()) return fail_with_last_error();
    HANDLE opened = nullptr;
    if (!OpenThreadToken(GetCurrentThread(), TOKEN_QUERY, TRUE, &opened)) return fail_with_last_error();
    token.reset(opened);
  }
  security_id user;
  const kith_status status = user_of_token(token.get(), user);
  return status == KITH_OK ? name_of_user(user.bytes, out) : status;
}

// Who made the pipe owns it: another process of that name would have made another one.
kith_status user_of_server(HANDLE pipe, user_name& out) {
  PSID owner = nullptr;
  PSECURITY_DESCRIPTOR descriptor = nullptr;
  const DWORD error = GetSecurityInfo(pipe, SE_KERNEL_OBJECT, OWNER_SECURITY_INFORMATION, &owner, nullptr,
                                      nullptr, nullptr, &descriptor);
  if (error != ERROR_SUCCESS) return fail(static_cast<int32_t>(error));
  const kith_status status = owner == nullptr ? KITH_E_DENIED : name_of_user(owner, out);
  LocalFree(descriptor);
  return status;
}

uint32_t process_of(const calling& self) {
  ULONG pid = 0;
  const BOOL known = self.listens ? GetNamedPipeClientProcessId(self.pipe.get(), &pid)
                                  : GetNamedPipeServerProcessId(self.pipe.get(), &pid);
  return known ? pid : 0;
}

// ---- reading ----------------------------------------------------------------------------------------------------------------------------

kith_status fail_to_read(DWORD error) {
  const kith_status status = fail(static_cast<int32_t>(error));
  return error == ERROR_BROKEN_PIPE || error == ERROR_PIPE_NOT_CONNECTED || error == ERROR_NO_DATA
             ? KITH_E_PEER_DIED
             : status;
}

// KITH_E_TIMEOUT: it goes on.
kith_status end_read(calling& self) {
  if (!HasOverlappedIoCompleted(&self.state)) return KITH_E_TIMEOUT;
  self.reads = false;
  DWORD size = 0;
  if (!GetOverlappedResult(self.pipe.get(), &self.state, &size, FALSE)) return fail_to_read(GetLastError());
  self.have = size;
  self.taken = 0;
  return KITH_OK;
}

kith_status begin_read(calling& self, size_t size) {
  self.state = {};
  self.state.hEvent = self.event;
  self.reads = true;
  if (self.disturbed != nullptr) *self.disturbed = true;
  const DWORD most = static_cast<DWORD>(size < sizeof(self.bytes) ? size : sizeof(self.bytes));
  if (ReadFile(self.pipe.get(), self.bytes, most, nullptr, &self.state)) return KITH_OK;
  const DWORD error = GetLastError();
  if (error == ERROR_IO_PENDING) return KITH_OK;
  self.reads = false;
  return fail_to_read(error);
}

HANDLE handle_of(uint64_t number) { return reinterpret_cast<HANDLE>(static_cast<uintptr_t>(number)); }

// Not in a form that calls take for a handle of another kind, such as -1 for the process itself.
bool may_be_handle(uint64_t number) { return number != 0 && number <= INT32_MAX && number % 4 == 0; }

}  // namespace

kith_status caller_connect(const meeting_name& name, const char* user, caller& out) {
  user_name own;
  if (user == nullptr) {
    if (const kith_status status = own_user(own); status != KITH_OK) return status;
    user = own.text;
  }
  const meeting_path path = path_of_meeting(L"\\\\.\\pipe\\kith-", user, name);
  // Whoever listens may learn who we are, and may not act in our name.
  native_handle pipe = owned_file(
      CreateFileW(path.text, rights_of_stranger, 0, nullptr, OPEN_EXISTING,
                  FILE_FLAG_OVERLAPPED | SECURITY_SQOS_PRESENT | SECURITY_IDENTIFICATION, nullptr));
  if (!pipe.valid()) return GetLastError() == ERROR_PIPE_BUSY ? KITH_E_TIMEOUT : fail_with_last_error();
  calling* const made = make<calling>();
  if (made == nullptr) return KITH_E_NO_MEMORY;
  made->pipe = std::move(pipe);
  made->own_event.reset(CreateEventW(nullptr, TRUE, FALSE, nullptr));
  made->event = made->own_event.get();
  if (made->event == nullptr) {
    const kith_status status = fail_with_last_error();
    unmake(made);
    return status;
  }
  out.state = made;
  return KITH_OK;
}

kith_status caller_peer(const caller& self, stranger& out) {
  const calling& call = *self.state;
  out.pid = process_of(call);
  return call.listens ? user_of_client(call.pipe.get(), out.user) : user_of_server(call.pipe.get(), out.user);
}

kith_status caller_read(caller& self, void* out, size_t size, size_t& got) {
  calling& call = *self.state;
  while (call.taken == call.have) {
    kith_status status = call.reads ? KITH_OK : begin_read(call, size);
    if (status == KITH_OK) status = end_read(call);
    if (status != KITH_OK) return status;
  }
  const size_t left = call.have - call.taken;
  got = left < size ? left : size;
  std::memcpy(out, call.bytes + call.taken, got);
  call.taken += got;
  return KITH_OK;
}

kith_status caller_write(caller& self, const void* bytes, size_t size) {
  const native_handle event(CreateEventW(nullptr, TRUE, FALSE, nullptr));
  if (!event.valid()) return fail_with_last_error();
  const HANDLE pipe = self.state->pipe.get();
  OVERLAPPED state = {};
  state.hEvent = event.get();
  if (!WriteFile(pipe, bytes, static_cast<DWORD>(size), nullptr, &state)) {
    const DWORD error = GetLastError();
    if (error != ERROR_IO_PENDING) return fail_to_read(error);
    if (!HasOverlappedIoCompleted(&state)) {
      end_call(pipe, state);
      return KITH_E_PROTOCOL;  // there was room for it: the other side has put something of its own there
    }
  }
  DWORD written = 0;
  if (!GetOverlappedResult(pipe, &state, &written, FALSE)) return fail_to_read(GetLastError());
  return written == size ? KITH_OK : KITH_E_PROTOCOL;
}

int64_t caller_poll_handle(const caller& self) { return reinterpret_cast<intptr_t>(self.state->event); }

bool caller_may_fetch(const caller& self) {
  calling& call = *self.state;
  const uint32_t pid = process_of(call);
  if (pid != 0) call.process.reset(OpenProcess(PROCESS_DUP_HANDLE, FALSE, pid));
  return call.process.valid();
}

kith_status caller_write_with(caller& self, void* bytes, size_t size, handle_label& label,
                              bool other_may_fetch, const native_handle& handle) {
  const native_handle process(OpenProcess(PROCESS_DUP_HANDLE, FALSE, process_of(*self.state)));
  if (!process.valid()) {
    if (!other_may_fetch) {
      (void)fail_with_last_error();
      return KITH_E_DENIED;
    }
    label = {handle_number(handle), 1, 0};
    return caller_write(self, bytes, size);
  }
  HANDLE copy = nullptr;
  if (!DuplicateHandle(GetCurrentProcess(), handle.get(), process.get(), &copy, 0, FALSE,
                       DUPLICATE_SAME_ACCESS))
    return fail_with_last_error();
  label = {reinterpret_cast<uintptr_t>(copy), 0, 0};
  const kith_status status = caller_write(self, bytes, size);
  if (status != KITH_OK)
    DuplicateHandle(process.get(), copy, nullptr, nullptr, 0, FALSE, DUPLICATE_CLOSE_SOURCE);
  return status;
}

kith_status caller_fetch(caller& self, const handle_label& label, native_handle& out) {
  if (label.fetch == 0) return handle_adopt(label.number, out) == KITH_OK ? KITH_OK : KITH_E_PROTOCOL;
  if (!may_be_handle(label.number) || !self.state->process.valid()) return KITH_E_PROTOCOL;
  HANDLE copy = nullptr;
  if (!DuplicateHandle(self.state->process.get(), handle_of(label.number), GetCurrentProcess(), &copy, 0,
                       FALSE, DUPLICATE_SAME_ACCESS)) {
    // It has ended, or has closed the channel already.
    return GetLastError() == ERROR_INVALID_HANDLE ? KITH_E_PEER_DIED : fail_with_last_error();
  }
  out.reset(copy);
  return KITH_OK;
}

void caller_to_stream(caller& self, stream& out) {
  calling& call = *self.state;
  if (call.reads) end_call(call.pipe.get(), call.state);
  call.reads = false;
  out.pipe = std::move(call.pipe);
  caller_close(self);
}

void caller_close(caller& self) {
  calling* const call = std::exchange(self.state, nullptr);
  if (call == nullptr) return;
  if (call->reads) end_call(call->pipe.get(), call->state);
  unmake(call);
}

void caller_forget(caller& self) { self.state = nullptr; }  // there is no fork here

}  // namespace kith::platform
