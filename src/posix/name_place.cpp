// SPDX-License-Identifier: MIT
// A named object is a file in the user's folder, which each of its users keeps open with a shared lock (flock). The kernel lets go of the lock with the
// last copy of the descriptor, however its processes end: so who gets an exclusive lock knows that nobody uses the object. Going from the exclusive to
// the shared lock takes two steps, and so do looking and removing: all that happens with a lock on the folder, for microseconds.
//
// A file gets its name when the object in it is finished: what a killed creator leaves has a name that nobody looks for.
#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "meeting.h"
#include "memory_common.h"

namespace kith::platform {

namespace {

constexpr char letter_of_unfinished = 't';
constexpr uint64_t shortest_nap_ns = 50'000, longest_nap_ns = ns_per_ms;

enum class lock_kind { alone, shared };

// Errno is EWOULDBLOCK: somebody has a lock that excludes it.
bool lock_now(const native_handle& file, lock_kind kind) {
  const int how = (kind == lock_kind::alone ? LOCK_EX : LOCK_SH) | LOCK_NB;
  return restart([&] { return flock(file.get(), how); }) == 0;
}

// A call that waited in the kernel could not end at a deadline.
template <class Attempt>
kith_status try_until(deadline until, Attempt attempt) {
  uint64_t ns = shortest_nap_ns;
  for (;;) {
    if (attempt()) return KITH_OK;
    if (errno != EWOULDBLOCK) return fail(errno);
    if (passed(until, clock_now())) return KITH_E_TIMEOUT;
    (void)nap(until, ns);
    if (ns < longest_nap_ns) ns *= 2;
  }
}

kith_status denied() {
  (void)fail(EPERM);
  return KITH_E_DENIED;
}

bool lies_in_open(uint32_t flags) { return (flags & (KITH_NAME_OTHERS_READ | KITH_NAME_OTHERS_USE)) != 0; }

mode_t mode_of_file(uint32_t flags) {
  if ((flags & KITH_NAME_OTHERS_USE) != 0) return 0666;
  return (flags & KITH_NAME_OTHERS_READ) != 0 ? 0644 : 0600;
}

// ---- files ---------------------------------------------------------------------------------------------------------------------------------

struct file_path {
  char text[sizeof(runtime_folder::path) + 44];
};

file_path path_of(const runtime_folder& folder, const char* file) {
  file_path out;
  std::snprintf(out.text, sizeof out.text, "%s/%s", folder.path, file);
  return out;
}

// Another user's folder cannot be opened, but gone through. May it only be read, it is opened for that.
kith_status open_foreign(const name_place& self, const char* file, native_handle& out) {
  const file_path path = path_of(self.open, file);
  constexpr int always = O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;
  native_handle opened = own_descriptor(restart([&] { return open(path.text, O_RDWR | always); }));
  if (!opened.valid() && errno == EACCES)
    opened = own_descriptor(restart([&] { return open(path.text, O_RDONLY | always); }));
  if (!opened.valid()) return errno == ELOOP || errno == EISDIR ? denied() : fail(errno);
  struct stat info;
  if (fstat(opened.get(), &info) != 0) return fail(errno);
  if (!S_ISREG(info.st_mode) || info.st_uid != self.owner || info.st_nlink > 1) return denied();
  out = std::move(opened);
  return KITH_OK;
}

// KITH_E_NOT_FOUND: in none of the folders.
kith_status open_object(const name_place& self, const char* file, native_handle& out) {
  if (self.is_foreign) return open_foreign(self, file, out);
  const kith_status status = folder_open_file(self.own, file, 0, 0, out);
  const bool is_elsewhere = status == KITH_E_NOT_FOUND && self.open.handle.valid();
  return is_elsewhere ? folder_open_file(self.open, file, 0, 0, out) : status;
}

kith_status remove_file(const runtime_folder& folder, const char* file) {
  if (!folder.handle.valid() || unlinkat(folder.handle.get(), file, 0) == 0 || errno == ENOENT)
    return KITH_OK;
  return fail(errno);
}

bool has_no_name(const native_handle& file) {
  struct stat info;
  return fstat(file.get(), &info) == 0 && info.st_nlink == 0;
}

// ---- bells ---------------------------------------------------------------------------------------------------------------------------------

struct bell_file {
  char text[40];
};

bell_file name_of_bell(const char* object, uint32_t index) {
  bell_file out{};
  std::memcpy(out.text, object, name_key_length);
  out.text[name_key_length] = '-';
  out.text[name_key_length + 1] = static_cast<char>('0' + index);
  return out;
}

// For reading and writing: so it never ends, and nobody waits in the opening.
kith_status open_bell(const runtime_folder& folder, uid_t owner, const bell_file& file, native_handle& out) {
  const file_path path = path_of(folder, file.text);
  native_handle opened =
      own_descriptor(restart([&] { return open(path.text, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK); }));
  if (!opened.valid()) return errno == ENOENT || errno == ELOOP ? denied() : fail(errno);
  struct stat info;
  if (fstat(opened.get(), &info) != 0) return fail(errno);
  if (!S_ISFIFO(info.st_mode) || info.st_uid != owner) return denied();
  out = std::move(opened);
  return KITH_OK;
}

// One that lies there is left over: there is no object of that name.
kith_status make_bell(const name_place& self, const runtime_folder& folder, const bell_file& file,
                      mode_t mode, native_handle& out) {
  if (const kith_status status = remove_file(folder, file.text); status != KITH_OK) return status;
  const file_path path = path_of(folder, file.text);
  if (mkfifo(path.text, 0600) != 0) return fail(errno);
  kith_status status = open_bell(folder, self.owner, file, out);
  // Not the mode of mkfifo, from which the umask is taken away.
  if (status == KITH_OK && fchmod(out.get(), mode) != 0) status = fail(errno);
  if (status != KITH_OK) (void)remove_file(folder, file.text);
  return status;
}

void remove_bells(const name_place& self, const char* object) {
  for (uint32_t i = 0; i < most_bells; ++i) {
    const bell_file file = name_of_bell(object, i);
    (void)remove_file(self.own, file.text);
    (void)remove_file(self.open, file.text);
  }
}

// ---- looking around ------------------------------------------------------------------------------------------------------------------------

// Calls `visit` with each name in a folder.
template <class Visit>
kith_status visit_names(const runtime_folder& folder, Visit visit) {
  if (!folder.handle.valid()) return KITH_OK;
  native_handle copy = own_descriptor(
      restart([&] { return openat(folder.handle.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
  if (!copy.valid()) return fail(errno);
  DIR* const names = fdopendir(copy.get());
  if (names == nullptr) return fail(errno);
  (void)copy.release();  // it is the stream's
  kith_status status = KITH_OK;
  while (status == KITH_OK) {
    const dirent* const entry = readdir(names);
    if (entry == nullptr) break;
    status = visit(entry->d_name);
  }
  closedir(names);
  return status;
}

// Its creator has the shared lock until it is finished.
void sweep_unfinished(const runtime_folder& folder, const char* file) {
  native_handle opened;
  if (folder_open_file(folder, file, 0, 0, opened) != KITH_OK) return;
  if (lock_now(opened, lock_kind::alone)) (void)remove_file(folder, file);
}

void sweep_bell(const name_place& self, const runtime_folder& folder, const char* file) {
  name_key object{};
  std::memcpy(object.text, file, name_key_length);
  for (const runtime_folder* each : {&self.own, &self.open}) {
    struct stat info;
    if (each->handle.valid() && fstatat(each->handle.get(), object.text, &info, AT_SYMLINK_NOFOLLOW) == 0)
      return;
  }
  (void)remove_file(folder, file);
}

void sweep_folder(const name_place& self, const runtime_folder& folder) {
  (void)visit_names(folder, [&](const char* file) {
    const size_t length = std::strlen(file);
    if (is_name_key(file, length) && file[0] == letter_of_unfinished) sweep_unfinished(folder, file);
    if (length == name_key_length + 2 && is_name_key(file, name_key_length) && file[name_key_length] == '-')
      sweep_bell(self, folder, file);
    return kith_status{KITH_OK};
  });
}

}  // namespace

// ---- the place -----------------------------------------------------------------------------------------------------------------------------

kith_status place_open(bool make, name_place& out) {
  out.owner = geteuid();
  if (const kith_status status = folder_open(folder_kind::own, make, out.own); status != KITH_OK)
    return status;
  const kith_status status = folder_open(folder_kind::open, false, out.open);
  return status == KITH_E_NOT_FOUND ? KITH_OK : status;
}

kith_status place_open_of(const char* user, name_place& out) {
  out.owner = static_cast<uid_t>(std::strtoul(user, nullptr, 10));
  out.is_foreign = true;
  return folder_find(folder_kind::open, out.owner, out.open);
}

kith_status place_lock(name_place& self, deadline until) {
  const kith_status status = try_until(until, [&] { return lock_now(self.own.handle, lock_kind::alone); });
  self.is_locked = status == KITH_OK;
  return status;
}

// By name, not by closing: another thread may fork meanwhile, and its child has a copy of the descriptor.
void place_unlock(name_place& self) {
  if (self.is_locked) (void)flock(self.own.handle.get(), LOCK_UN);
  self.is_locked = false;
}

// Those of other users who look have the lock for a moment, without that of the folder: so it is tried again.
kith_status place_take(name_place& self, const name_key& key, deadline until, place_state& state,
                       native_handle& out) {
  for (;;) {
    state = place_state::none;
    native_handle opened;
    kith_status status = open_object(self, key.text, opened);
    if (status == KITH_E_NOT_FOUND) return KITH_OK;
    if (status != KITH_OK) return status;
    bool was_alone = false;
    status = try_until(until, [&] {
      was_alone = lock_now(opened, lock_kind::alone);
      return lock_now(opened, lock_kind::shared);
    });
    if (status != KITH_OK) return status;
    if (has_no_name(opened)) continue;  // removed before we had the lock
    state = was_alone ? place_state::unused : place_state::used;
    out = std::move(opened);
    return KITH_OK;
  }
}

kith_status place_read(const native_handle& taken, uint64_t offset, void* out, size_t size) {
  const ssize_t got = restart([&] { return pread(taken.get(), out, size, static_cast<off_t>(offset)); });
  if (got < 0) return fail(errno);
  return static_cast<size_t>(got) == size ? KITH_OK : KITH_E_MISMATCH;
}

uint64_t place_size(const native_handle& taken) {
  struct stat info;
  return fstat(taken.get(), &info) == 0 ? static_cast<uint64_t>(info.st_size) : 0;
}

kith_status place_attach(native_handle&& taken, memory& out) {
  memory made;
  made.object = std::move(taken);
  const kith_status status = map_foreign_object(made);
  if (status == KITH_OK) {
    out = std::move(made);
  } else {
    taken = std::move(made.object);
  }
  return status;
}

kith_status place_bells(name_place& self, const name_key& key, uint32_t count, bells& out) {
  bells opened;
  opened.are_fifos = true;
  struct stat info;
  const bool lies_in_own =
      self.own.handle.valid() && fstatat(self.own.handle.get(), key.text, &info, AT_SYMLINK_NOFOLLOW) == 0;
  const runtime_folder& folder = lies_in_own ? self.own : self.open;
  for (uint32_t i = 0; i < count; ++i) {
    const bell_file file = name_of_bell(key.text, i);
    const kith_status status = open_bell(folder, self.owner, file, opened.handles[i]);
    if (status != KITH_OK) return status;
  }
  out = std::move(opened);
  return KITH_OK;
}

kith_status place_remove(name_place& self, const name_key& key) {
  const kith_status first = remove_file(self.own, key.text);
  const kith_status second = remove_file(self.open, key.text);
  remove_bells(self, key.text);
  return first != KITH_OK ? first : second;
}

// ---- making one ----------------------------------------------------------------------------------------------------------------------------

kith_status place_make(name_place& self, const name_key&, uint32_t flags, size_t size, bool commit,
                       memory& out) {
  const bool in_open = lies_in_open(flags);
  if (in_open && !self.open.handle.valid()) {
    const kith_status status = folder_open(folder_kind::open, true, self.open);
    if (status != KITH_OK) return status;
  }
  const runtime_folder& folder = in_open ? self.open : self.own;
  for (;;) {
    digest random;
    if (const kith_status status = random_bytes(&random, sizeof random); status != KITH_OK) return status;
    const name_key file = name_key_of(letter_of_unfinished, random);
    memory made;
    kith_status status = folder_open_file(folder, file.text, O_CREAT | O_EXCL, 0600, made.object);
    if (status != KITH_OK) return status;
    // Before it had its lock somebody may have taken it for one that was left behind.
    if (!lock_now(made.object, lock_kind::shared) || has_no_name(made.object)) {
      (void)remove_file(folder, file.text);
      continue;
    }
    status = memory_fill(made, size, commit);
    if (status != KITH_OK) {
      (void)remove_file(folder, file.text);
      return status;
    }
    std::memcpy(self.made, file.text, sizeof file.text);
    self.made_in_open = in_open;
    out = std::move(made);
    return KITH_OK;
  }
}

kith_status place_publish(name_place& self, const name_key& key, uint32_t flags, const memory& made,
                          uint32_t bell_count, bells& out) {
  const runtime_folder& folder = self.made_in_open ? self.open : self.own;
  const mode_t mode = mode_of_file(flags);
  bells opened;
  opened.are_fifos = true;
  kith_status status = KITH_OK;
  for (uint32_t i = 0; status == KITH_OK && i < bell_count; ++i)
    status = make_bell(self, folder, name_of_bell(key.text, i), mode, opened.handles[i]);
  if (status == KITH_OK && fchmod(made.object.get(), mode) != 0) status = fail(errno);
  const int at = folder.handle.get();
  if (status == KITH_OK && renameat(at, self.made, at, key.text) != 0) status = fail(errno);
  if (status != KITH_OK) {
    if (bell_count != 0) remove_bells(self, key.text);
    return status;
  }
  self.made[0] = '\0';
  out = std::move(opened);
  return KITH_OK;
}

void place_give_up(name_place& self) {
  if (self.made[0] == '\0') return;
  (void)remove_file(self.made_in_open ? self.open : self.own, self.made);
  self.made[0] = '\0';
}

// ---- all of them ---------------------------------------------------------------------------------------------------------------------------

kith_status place_list(name_place& self, buffer<name_key>& out) {
  const auto add = [&](const char* file) -> kith_status {
    name_key key{};
    const size_t length = std::strlen(file);
    if (!is_name_key(file, length) || file[0] == letter_of_socket || file[0] == letter_of_unfinished)
      return KITH_OK;
    std::memcpy(key.text, file, length);
    return out.append(key) ? KITH_OK : KITH_E_NO_MEMORY;
  };
  const kith_status status = visit_names(self.own, add);
  return status == KITH_OK ? visit_names(self.open, add) : status;
}

void place_sweep(name_place& self) {
  sweep_folder(self, self.own);
  sweep_folder(self, self.open);
}

// Its listener has the claim locked for as long as it lives. The lock of the folder has nothing to do with that.
kith_status place_look_at_endpoint(name_place& self, const name_key& key, endpoint_claim& out) {
  native_handle claim;
  const kith_status status = folder_open_file(self.own, key.text, 0, 0, claim);
  if (status != KITH_OK) return status;
  out.lives = !lock_now(claim, lock_kind::shared);
  if (has_no_name(claim)) return KITH_E_NOT_FOUND;
  char content[longest_meeting_name + 16];
  const ssize_t size = restart([&] { return pread(claim.get(), content, sizeof content - 1, 0); });
  if (size < 0) return fail(errno);
  content[size] = '\0';
  // Not written yet, as it is made at this moment.
  out.name_size = std::strlen(content);
  if (out.name_size == 0 || out.name_size > longest_meeting_name) return KITH_E_NOT_FOUND;
  std::memcpy(out.name, content, out.name_size);
  const bool has_pid = out.name_size < static_cast<size_t>(size);
  out.pid = has_pid ? std::strtoll(content + out.name_size + 1, nullptr, 10) : 0;
  return KITH_OK;
}

bool place_remove_endpoint(name_place& self, const name_key& key) {
  native_handle claim;
  if (folder_open_file(self.own, key.text, 0, 0, claim) != KITH_OK) return false;
  if (!lock_now(claim, lock_kind::alone) || has_no_name(claim)) return false;
  name_key socket_file = key;
  socket_file.text[0] = letter_of_socket;
  // As listener_withdraw does it, the claim last.
  if (remove_file(self.own, socket_file.text) != KITH_OK ||
      remove_file(self.open, socket_file.text) != KITH_OK)
    return false;
  return remove_file(self.own, key.text) == KITH_OK;
}

}  // namespace kith::platform
