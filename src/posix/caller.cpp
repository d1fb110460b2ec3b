// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "descriptor_message.h"
#include "gather.h"
#include "meeting.h"
#include "stream_record.h"

namespace kith::platform {

namespace {

#if defined(__linux__)

// Linux says it in another way when the queue of those who wait is full.
bool may_be_full(uid_t, const meeting_name&) { return false; }

#else

// BSD says then that nobody listens. Whether somebody does is to be seen by the claim; of another user it is not.
bool may_be_full(uid_t owner, const meeting_name& name) {
  if (owner != geteuid()) return false;
  runtime_folder own;
  native_handle claim;
  if (folder_open(folder_kind::own, false, own) != KITH_OK) return false;
  const file_name file = file_name_of(letter_of_claim, name.hash);
  if (folder_open_file(own, file.text, 0, 0, claim) != KITH_OK) return false;
  return flock(claim.get(), LOCK_SH | LOCK_NB) != 0;
}

#endif

kith_status connect_in(folder_kind kind, uid_t owner, const meeting_name& name, native_handle& out) {
  runtime_folder folder;
  if (const kith_status status = folder_find(kind, owner, folder); status != KITH_OK) return status;
  native_handle made;
  if (const kith_status status = socket_open(made); status != KITH_OK) return status;
  const sockaddr_un address = socket_address(folder, file_name_of(letter_of_socket, name.hash));
  // A signal does not interrupt it: it does not wait.
  if (connect(made.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
    out = std::move(made);
    return KITH_OK;
  }
  if (errno == EAGAIN || errno == EINTR) return KITH_E_TIMEOUT;
  if (errno != ECONNREFUSED && errno != ENOENT && errno != ENOTSOCK && errno != EPROTOTYPE)
    return fail(errno);
  return errno == ECONNREFUSED && may_be_full(owner, name) ? KITH_E_TIMEOUT : fail(ENOENT);
}

#if defined(__linux__)

kith_status ask_peer(int socket, uid_t& user, int64_t& pid) {
  ucred known{};
  socklen_t size = sizeof known;
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &known, &size) != 0) return fail(errno);
  user = known.uid;
  pid = known.pid;
  return KITH_OK;
}

#else

kith_status ask_peer(int socket, uid_t& user, int64_t& pid) {
  gid_t group = 0;
  if (getpeereid(socket, &user, &group) != 0) return fail(errno);
  pid = 0;
#if defined(LOCAL_PEERPID)
  pid_t known = 0;
  socklen_t size = sizeof known;
  if (getsockopt(socket, SOL_LOCAL, LOCAL_PEERPID, &known, &size) == 0) pid = known;
#endif
  return KITH_OK;
}

#endif

kith_status after_read(ssize_t result, size_t& got) {
  if (result > 0) {
    got = static_cast<size_t>(result);
    return KITH_OK;
  }
  if (result == 0) return KITH_E_PEER_DIED;
  return errno == EAGAIN || errno == EWOULDBLOCK ? KITH_E_TIMEOUT : fail(errno);
}

kith_status after_write(ssize_t result, size_t size) {
  if (result < 0) return fail(errno);
  return static_cast<size_t>(result) == size ? KITH_OK : KITH_E_PROTOCOL;
}

}  // namespace

#if defined(SOCK_CLOEXEC)

kith_status socket_open(native_handle& out) {
  out = own_descriptor(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  return out.valid() ? KITH_OK : fail(errno);
}

#else

kith_status socket_open(native_handle& out) {
  out = own_descriptor(socket(AF_UNIX, SOCK_STREAM, 0));
  return out.valid() ? socket_set_up(out.get()) : fail(errno);
}

#endif

kith_status socket_set_up(int socket) {
  if (const kith_status status = set_close_on_exec(socket); status != KITH_OK) return status;
#if defined(SO_NOSIGPIPE)
  const int on = 1;
  // macOS refuses that for a socket whose other side has gone; then there is nobody to write to.
  (void)setsockopt(socket, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
#endif
  const int flags = fcntl(socket, F_GETFL);
  return flags == -1 || fcntl(socket, F_SETFL, flags | O_NONBLOCK) == -1 ? fail(errno) : KITH_OK;
}

sockaddr_un socket_address(const runtime_folder& folder, const file_name& file) {
  sockaddr_un out{};
  out.sun_family = AF_UNIX;
  const size_t length = std::strlen(folder.path);
  static_assert(sizeof out.sun_path > sizeof folder.path - 4 + 1 + 33);  // folder_find has seen to it
  std::memcpy(out.sun_path, folder.path, length);
  out.sun_path[length] = '/';
  std::memcpy(out.sun_path + length + 1, file.text, std::strlen(file.text));
  return out;
}

kith_status caller_connect(const meeting_name& name, const char* user, caller& out) {
  const uid_t self = geteuid();
  const uid_t owner = user == nullptr ? self : static_cast<uid_t>(std::strtoul(user, nullptr, 10));
  native_handle made;
  kith_status status = KITH_E_NOT_FOUND;
  if (owner == self) status = connect_in(folder_kind::own, owner, name, made);
  if (status == KITH_E_NOT_FOUND) status = connect_in(folder_kind::open, owner, name, made);
  if (status == KITH_OK) out.socket = std::move(made);
  return status;
}

// The kernel notes it when the two connect. A process that went on to become another user is still that one.
kith_status caller_peer(const caller& self, stranger& out) {
  uid_t user = 0;
  if (const kith_status status = ask_peer(self.socket.get(), user, out.pid); status != KITH_OK) return status;
  std::snprintf(out.user.text, sizeof out.user.text, "%lu", static_cast<unsigned long>(user));
  return KITH_OK;
}

// Descriptors from who has come to us are let go by the kernel: we have no room for them.
kith_status caller_read(caller& self, void* out, size_t size, size_t& got) {
  const int socket = self.socket.get();
  if (self.listens) return after_read(restart([&] { return recv(socket, out, size, MSG_DONTWAIT); }), got);
  received_descriptors came;
  const kith_status status = after_read(receive_with_descriptors(socket, out, size, 0, came), got);
  if (came.count == 1) self.came = std::move(came.handles[0]);
  if (status == KITH_OK && came.cut_off && came.count == 0) return fail(EMFILE);
  return status == KITH_OK && came.count > 1 ? KITH_E_PROTOCOL : status;
}

kith_status caller_write(caller& self, const void* bytes, size_t size) {
  return after_write(restart([&] { return send(self.socket.get(), bytes, size, send_flags); }), size);
}

int64_t caller_poll_handle(const caller& self) { return self.socket.get(); }

bool caller_may_fetch(const caller&) { return false; }

kith_status caller_write_with(caller& self, void* bytes, size_t size, handle_label&, bool,
                              const native_handle& handle) {
  const native_handle* const handles[] = {&handle};
  return after_write(send_with_descriptors(self.socket.get(), bytes, size, send_flags, handles, 1), size);
}

kith_status caller_fetch(caller& self, const handle_label&, native_handle& out) {
  if (!self.came.valid()) return KITH_E_PROTOCOL;
  out = std::move(self.came);
  return KITH_OK;
}

void caller_to_stream(caller& self, stream& out) {
  if (self.gather >= 0) gather_remove(self.gather, self.socket.get());
  out.socket = std::move(self.socket);
  caller_close(self);
}

void caller_close(caller& self) {
  if (self.gather >= 0 && self.socket.valid()) gather_remove(self.gather, self.socket.get());
  self = caller{};
}

// The listener's list of those who have connected is the parent's, too.
void caller_forget(caller& self) { self = caller{}; }

}  // namespace kith::platform
