// SPDX-License-Identifier: MIT
#include "access_rules.h"
#include "hex.h"
#include "win32_error.h"

namespace kith::platform {
namespace {

constexpr wchar_t name_begin[] = L"\\\\.\\pipe\\kith-";
constexpr size_t name_begin_length = sizeof(name_begin) / sizeof(wchar_t) - 1;

// A pipe that goes both ways needs a name. Nobody can know this one before, and nobody else may open it.
struct pipe_name {
  wchar_t text[name_begin_length + 2 * hex_digits + 1];
};

kith_status make_name(pipe_name& out) {
  uint64_t random[2];
  if (const kith_status status = random_bytes(random, sizeof(random)); status != KITH_OK) return status;
  wchar_t* end = out.text;
  for (size_t i = 0; i < name_begin_length; ++i) *end++ = name_begin[i];
  end = write_hex(random[1], write_hex(random[0], end));
  *end = L'\0';
  return KITH_OK;
}

native_handle owned(HANDLE handle) {
  return native_handle(handle == INVALID_HANDLE_VALUE ? nullptr : handle);
}

}  // namespace

// Overlapped, because a call on a synchronous handle waits until the one of another thread is done; bytes and
// not messages, because only these behave alike everywhere.
kith_status stream_create(stream& a, stream& b) {
  constexpr DWORD buffer_size = 4096;
  pipe_name name;
  access_rules ours;
  kith_status status = make_name(name);
  if (status == KITH_OK) status = ours.allow_this_user();
  if (status != KITH_OK) return status;
  native_handle server = owned(
      CreateNamedPipeW(name.text, PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED | FILE_FLAG_FIRST_PIPE_INSTANCE,
                       PIPE_TYPE_BYTE | PIPE_READMODE_BYTE | PIPE_WAIT | PIPE_REJECT_REMOTE_CLIENTS, 1,
                       buffer_size, buffer_size, 0, ours.attributes()));
  if (!server.valid()) return fail_with_last_error();
  // A new pipe listens: this connects, and ConnectNamedPipe would only say so. The other flags keep whoever
  // might hold the first end from acting in the name of the second.
  native_handle client =
      owned(CreateFileW(name.text, GENERIC_READ | GENERIC_WRITE, 0, nullptr, OPEN_EXISTING,
                        FILE_FLAG_OVERLAPPED | SECURITY_SQOS_PRESENT | SECURITY_IDENTIFICATION, nullptr));
  if (!client.valid()) return fail_with_last_error();
  a.pipe = std::move(server);
  b.pipe = std::move(client);
  return KITH_OK;
}

// What the other end wrote before it ended is looked at first: Windows keeps it until it was read.
stream_state stream_look(const stream& self) {
  DWORD available = 0;
  if (!PeekNamedPipe(self.pipe.get(), nullptr, 0, nullptr, &available, nullptr)) return stream_state::ended;
  return available > 0 ? stream_state::has_data : stream_state::open;
}

const native_handle* stream_handle(const stream& self) { return &self.pipe; }

kith_status stream_adopt(native_handle&& object, stream& out) {
  if (GetFileType(object.get()) != FILE_TYPE_PIPE) return KITH_E_MISMATCH;
  out.pipe = std::move(object);
  return KITH_OK;
}

void stream_close(stream& self) { self.pipe.reset(); }

}  // namespace kith::platform
