// SPDX-License-Identifier: MIT
// A socket in the user's folder. Whose the name is, is decided by the lock on a file beside it (the claim), which the kernel lets go of when the
// process ends, in whatever way. So a socket that was left behind is taken away only by who has the claim, and a live one by nobody.
#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "gather.h"
#include "meeting.h"

namespace kith::platform {

namespace {

constexpr int backlog = 1024;  // the kernel may allow less

// Who connects may look at a claim that was left behind, with a lock of its own: for microseconds.
bool lock_claim(const native_handle& claim) {
  constexpr int tries = 5;
  for (int i = 0; i < tries; ++i) {
    if (restart([&] { return flock(claim.get(), LOCK_EX | LOCK_NB); }) == 0) return true;
    if (errno != EWOULDBLOCK) return false;
    (void)nap(no_deadline, ns_per_ms);
    errno = EWOULDBLOCK;
  }
  return false;
}

// The file may be removed by who had it, between our opening and our locking: then it is not the one of that name any more.
kith_status claim_name(const runtime_folder& folder, const file_name& file, native_handle& out) {
  for (;;) {
    native_handle claim;
    const kith_status status = folder_open_file(folder, file.text, O_CREAT, 0600, claim);
    if (status != KITH_OK) return status;
    if (!lock_claim(claim)) return errno == EWOULDBLOCK ? KITH_E_EXISTS : fail(errno);
    struct stat info;
    if (fstat(claim.get(), &info) != 0) return fail(errno);
    if (info.st_nlink == 0) continue;
    out = std::move(claim);
    return KITH_OK;
  }
}

// So that the claims tell what names there are: <name> NUL <pid of who listens>.
kith_status write_name(const native_handle& claim, const meeting_name& name) {
  char content[longest_meeting_name + 16];
  std::memcpy(content, name.text, name.size);
  const int length = std::snprintf(content + name.size + 1, sizeof content - name.size - 1, "%u", own_pid());
  content[name.size] = '\0';
  const size_t size = name.size + 1 + static_cast<size_t>(length);
  if (ftruncate(claim.get(), 0) != 0) return fail(errno);
  const ssize_t written = restart([&] { return pwrite(claim.get(), content, size, 0); });
  if (written < 0) return fail(errno);
  return static_cast<size_t>(written) == size ? KITH_OK : fail(ENOSPC);
}

// With the claim: what lies there is left over.
kith_status remove_socket(const native_handle& folder, const char* file) {
  if (!folder.valid() || unlinkat(folder.get(), file, 0) == 0 || errno == ENOENT) return KITH_OK;
  (void)fail(errno);
  return KITH_E_DENIED;
}

kith_status bind_socket(const runtime_folder& folder, const file_name& file, folder_kind kind,
                        listener& made) {
  if (const kith_status status = socket_open(made.socket); status != KITH_OK) return status;
  const sockaddr_un address = socket_address(folder, file);
  if (bind(made.socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return fail(errno);
  // Before anybody can connect. In a folder that only we can write to.
  const mode_t mode = kind == folder_kind::open ? 0666 : 0600;
  if (fchmodat(folder.handle.get(), file.text, mode, 0) != 0) return fail(errno);
  return listen(made.socket.get(), backlog) == 0 ? KITH_OK : fail(errno);
}

// With the claim.
kith_status open_place(const meeting_name& name, const char* const* users, const runtime_folder& own,
                       listener& made) {
  if (const kith_status status = write_name(made.claim, name); status != KITH_OK) return status;
  const folder_kind kind = users == nullptr ? folder_kind::own : folder_kind::open;
  runtime_folder open;
  const kith_status found = folder_open(folder_kind::open, users != nullptr, open);
  if (found != KITH_OK && users != nullptr) return found;
  if (found == KITH_OK) made.open_folder = std::move(open.handle);
  const file_name file = file_name_of(letter_of_socket, name.hash);
  const native_handle* const folders[] = {&own.handle, &made.open_folder};
  for (const native_handle* each : folders) {
    if (const kith_status status = remove_socket(*each, file.text); status != KITH_OK) return status;
  }
  if (users == nullptr) return bind_socket(own, file, kind, made);
  open.handle = std::move(made.open_folder);
  const kith_status status = bind_socket(open, file, kind, made);
  made.open_folder = std::move(open.handle);
  return status;
}

#if defined(SOCK_CLOEXEC)
int accept_one(int socket) { return accept4(socket, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK); }
kith_status set_up_accepted(int) { return KITH_OK; }
#else
int accept_one(int socket) { return accept(socket, nullptr, nullptr); }
kith_status set_up_accepted(int accepted) { return socket_set_up(accepted); }
#endif

}  // namespace

kith_status own_user(user_name& out) {
  std::snprintf(out.text, sizeof out.text, "%lu", static_cast<unsigned long>(geteuid()));
  return KITH_OK;
}

bool user_is_valid(const char* user) {
  if (user[0] < '0' || user[0] > '9' || std::strlen(user) > 10) return false;
  char* end = nullptr;
  const unsigned long long number = std::strtoull(user, &end, 10);
  // The last one means nobody.
  return *end == '\0' && number < UINT32_MAX && (user[0] != '0' || user[1] == '\0');
}

kith_status listener_open(const meeting_name& name, const char* const* users, listener& out) {
  listener made;
  runtime_folder own;
  if (const kith_status status = folder_open(folder_kind::own, true, own); status != KITH_OK) return status;
  const file_name file = file_name_of(letter_of_claim, name.hash);
  std::memcpy(made.file, file.text, sizeof made.file);
  kith_status status = claim_name(own, file, made.claim);
  if (status != KITH_OK) return status;
  status = open_place(name, users, own, made);
  made.folder = std::move(own.handle);
  if (status == KITH_OK) status = gather_open(made.gather);
  if (status == KITH_OK) status = gather_add(made.gather.get(), made.socket.get());
  if (status == KITH_OK) {
    out = std::move(made);
  } else {
    listener_withdraw(made);
  }
  return status;
}

kith_status listener_take(listener& self, caller& out) {
  for (;;) {
    native_handle taken = own_descriptor(restart([&] { return accept_one(self.socket.get()); }));
    // One that went away before we came.
    if (!taken.valid() && (errno == ECONNABORTED || errno == EPROTO)) continue;
    if (!taken.valid())
      return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINVAL ? KITH_E_TIMEOUT : fail(errno);
    if (const kith_status status = set_up_accepted(taken.get()); status != KITH_OK) return status;
    out.socket = std::move(taken);
    out.listens = true;
    return KITH_OK;
  }
}

// What it has said before counts, too.
kith_status listener_watch(listener& self, caller& whom) {
  if (whom.gather >= 0) return KITH_OK;
  const kith_status status = gather_add(self.gather.get(), whom.socket.get());
  if (status == KITH_OK) whom.gather = self.gather.get();
  return status;
}

int64_t listener_poll_handle(const listener& self) { return self.gather.get(); }

bool listener_is_ready(const listener& self) {
  pollfd item{self.gather.get(), POLLIN, 0};
  return restart([&] { return poll(&item, 1, 0); }) > 0;
}

void listener_quiet(listener&) {}
bool listener_must_look_again(listener&) { return false; }
void listener_ring(listener&) {}

// The claim goes last: until then nobody else takes the name. Who is about to, and has opened the file already, sees that it has gone.
void listener_withdraw(listener& self) {
  file_name socket_file;
  std::memcpy(socket_file.text, self.file, sizeof socket_file.text);
  socket_file.text[0] = letter_of_socket;
  const native_handle* const folders[] = {&self.folder, &self.open_folder};
  for (const native_handle* each : folders) (void)remove_socket(*each, socket_file.text);
  if (self.folder.valid()) unlinkat(self.folder.get(), self.file, 0);
  self.claim.reset();
  // Whoever waits wakes, and who connects by an address that he had found already is refused.
  if (self.socket.valid()) shutdown(self.socket.get(), SHUT_RDWR);
}

void listener_close(listener& self) { self = listener{}; }

// Not shutdown: that would end the parent's.
void listener_forget(listener& self) { self = listener{}; }

}  // namespace kith::platform
