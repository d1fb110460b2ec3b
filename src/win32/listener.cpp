// SPDX-License-Identifier: MIT
// A named pipe of which some instances wait for somebody at any time. Whose the name is, is decided by a named section (the claim), which is gone with
// the process; Wine does not know FILE_FLAG_FIRST_PIPE_INSTANCE, and it says what names there are.
#include <cstring>

#include "../allocator.h"
#include "access_rules.h"
#include "pipe_io.h"
#include "win32_error.h"

namespace kith::platform {

namespace {

// So many may connect between two looks.
constexpr size_t most_instances = 8;

struct instance {
  native_handle pipe;
  OVERLAPPED state = {};
  bool connected = false;  // at once, so that nothing is pending
};

}  // namespace

struct listening {
  native_handle event;
  native_handle claim;
  meeting_path path;
  access_rules rules;
  instance instances[most_instances];
  bool disturbed = false;  // a call was begun since the last look
};

namespace {

kith_status claim_name(const char* user, const meeting_name& name, native_handle& out) {
  access_rules ours;
  if (const kith_status status = ours.allow_this_user(); status != KITH_OK) return status;
  const meeting_path path = path_of_meeting(L"Local\\kith-e-", user, name);
  native_handle made(CreateFileMappingW(INVALID_HANDLE_VALUE, ours.attributes(), PAGE_READWRITE, 0,
                                        sizeof(claimed_name), path.text));
  const DWORD error = GetLastError();
  if (made.valid() && error == ERROR_ALREADY_EXISTS) return fail(ERROR_ALREADY_EXISTS);
  // Something that is not ours has the name: another kind of object, or another user's.
  if (!made.valid())
    return error == ERROR_INVALID_HANDLE ? fail(ERROR_ACCESS_DENIED) : fail(static_cast<int32_t>(error));
  claimed_name* const view = static_cast<claimed_name*>(MapViewOfFile(made.get(), FILE_MAP_WRITE, 0, 0, 0));
  if (view == nullptr) return fail_with_last_error();
  view->pid = GetCurrentProcessId();
  std::memcpy(view->text, name.text, name.size);
  std::atomic_ref<uint32_t>(view->size).store(static_cast<uint32_t>(name.size), std::memory_order_release);
  UnmapViewOfFile(view);
  out = std::move(made);
  return KITH_OK;
}

kith_status make_instance(listening& self, DWORD further_flags, native_handle& out) {
  native_handle made = owned_file(CreateNamedPipeW(
      self.path.text, PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED | further_flags,
      PIPE_TYPE_BYTE | PIPE_READMODE_BYTE | PIPE_WAIT | PIPE_REJECT_REMOTE_CLIENTS, PIPE_UNLIMITED_INSTANCES,
      meeting_buffer_size, meeting_buffer_size, 0, self.rules.attributes()));
  if (!made.valid()) return fail_with_last_error();
  out = std::move(made);
  return KITH_OK;
}

void await_somebody(listening& self, instance& each) {
  each.connected = false;
  self.disturbed = true;
  each.state = {};
  each.state.hEvent = self.event.get();
  if (ConnectNamedPipe(each.pipe.get(), &each.state)) return;
  const DWORD error = GetLastError();
  if (error == ERROR_IO_PENDING) return;
  each.connected = true;  // somebody was there already, and may have gone, too
  SetEvent(self.event.get());
}

void refill(listening& self) {
  for (instance& each : self.instances) {
    if (!each.pipe.valid() && make_instance(self, 0, each.pipe) == KITH_OK) await_somebody(self, each);
  }
}

// Between the end of an endpoint of this process and that of its last call its pipes are still there.
kith_status make_first_instance(listening& self) {
  constexpr int tries = 20;
  constexpr DWORD nap_ms = 5;
  for (int i = 0;; ++i) {
    const kith_status status = make_instance(self, FILE_FLAG_FIRST_PIPE_INSTANCE, self.instances[0].pipe);
    if (status != KITH_E_DENIED) return status;
    if (i == tries) return KITH_E_EXISTS;  // in another session of this user
    Sleep(nap_ms);
  }
}

kith_status open_place(const meeting_name& name, const char* const* users, listening& self) {
  user_name own;
  if (const kith_status status = own_user(own); status != KITH_OK) return status;
  if (const kith_status status = claim_name(own.text, name, self.claim); status != KITH_OK) return status;
  if (const kith_status status = self.rules.allow_users(users, rights_of_stranger); status != KITH_OK)
    return status;
  self.path = path_of_meeting(L"\\\\.\\pipe\\kith-", own.text, name);
  self.event.reset(CreateEventW(nullptr, TRUE, FALSE, nullptr));
  if (!self.event.valid()) return fail_with_last_error();
  if (const kith_status status = make_first_instance(self); status != KITH_OK) return status;
  await_somebody(self, self.instances[0]);
  refill(self);
  return KITH_OK;
}

bool has_somebody(const instance& each) {
  return each.pipe.valid() && (each.connected || HasOverlappedIoCompleted(&each.state));
}

kith_status give_to_caller(listening& self, instance& each, caller& out) {
  calling* const made = make<calling>();
  if (made == nullptr) return KITH_E_NO_MEMORY;
  made->pipe = std::move(each.pipe);
  made->event = self.event.get();
  made->disturbed = &self.disturbed;
  made->listens = true;
  out.state = made;
  return KITH_OK;
}

}  // namespace

meeting_path path_of_meeting(const wchar_t* begin, const char* user, const meeting_name& name) {
  sha256 hash;
  hash.add(user, std::strlen(user) + 1);
  hash.add(name.text, name.size);
  const digest both = hash.end();
  uint64_t numbers[2];
  std::memcpy(numbers, both.bytes, sizeof(numbers));
  meeting_path out;
  wchar_t* end = out.text;
  while (*begin != L'\0') *end++ = *begin++;
  end = write_hex(numbers[1], write_hex(numbers[0], end));
  *end = L'\0';
  return out;
}

void end_call(HANDLE handle, OVERLAPPED& state) {
  DWORD ignored = 0;
  CancelIoEx(handle, &state);
  GetOverlappedResult(handle, &state, &ignored, TRUE);
}

kith_status own_user(user_name& out) {
  security_id user;
  const kith_status status = this_user(user);
  return status == KITH_OK ? name_of_user(user.bytes, out) : status;
}

bool user_is_valid(const char* user) {
  security_id ignored;
  return std::strcmp(user, "*") != 0 && user_of_name(user, ignored) == KITH_OK;
}

kith_status listener_open(const meeting_name& name, const char* const* users, listener& out) {
  listening* const made = make<listening>();
  if (made == nullptr) return KITH_E_NO_MEMORY;
  listener opened{made};
  const kith_status status = open_place(name, users, *made);
  if (status == KITH_OK) {
    out = opened;
  } else {
    listener_close(opened);
  }
  return status;
}

kith_status listener_take(listener& self, caller& out) {
  listening& place = *self.state;
  for (instance& each : place.instances) {
    if (!has_somebody(each)) continue;
    const kith_status status = give_to_caller(place, each, out);
    refill(place);
    return status;
  }
  return KITH_E_TIMEOUT;
}

kith_status listener_watch(listener&, caller&) { return KITH_OK; }  // its reads set the event

int64_t listener_poll_handle(const listener& self) {
  return reinterpret_cast<intptr_t>(self.state->event.get());
}

bool listener_is_ready(const listener& self) {
  return WaitForSingleObject(self.state->event.get(), 0) == WAIT_OBJECT_0;
}

// Before looking: what ends while we look makes it ready again.
void listener_quiet(listener& self) { ResetEvent(self.state->event.get()); }

// Each call that is begun resets the event: what had ended before is to be found by looking.
bool listener_must_look_again(listener& self) { return std::exchange(self.state->disturbed, false); }

void listener_ring(listener& self) { SetEvent(self.state->event.get()); }

// The pipes go when the last call has left: one may be looking at them.
void listener_withdraw(listener& self) {
  if (self.state == nullptr) return;
  self.state->claim.reset();
  SetEvent(self.state->event.get());
}

void listener_close(listener& self) {
  listening* const place = std::exchange(self.state, nullptr);
  if (place == nullptr) return;
  for (instance& each : place->instances) {
    if (each.pipe.valid() && !each.connected) end_call(each.pipe.get(), each.state);
    each.pipe.reset();
  }
  unmake(place);
}

void listener_forget(listener& self) { self.state = nullptr; }  // there is no fork here

}  // namespace kith::platform
