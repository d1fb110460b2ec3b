// SPDX-License-Identifier: MIT
// The folder is found without looking at the environment, which differs between a session, a service and a cron job of one user; KITH_RUNTIME_DIR
// changes that for who must. What lies in the way and is not ours is refused, never used and never removed.
#include "runtime_folder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>

namespace kith::platform {

namespace {

bool may_trust_environment() { return getuid() == geteuid() && getgid() == getegid(); }

// Others may write into it only if they cannot take away what is ours.
bool is_good_base(const char* path) {
  struct stat info;
  if (stat(path, &info) != 0 || !S_ISDIR(info.st_mode)) return false;
  const bool is_ours = info.st_uid == 0 || info.st_uid == geteuid();
  return is_ours && ((info.st_mode & (S_IWGRP | S_IWOTH)) == 0 || (info.st_mode & S_ISVTX) != 0);
}

// nullptr: there is none that could be trusted.
const char* base_folder() {
  const char* const wanted = std::getenv("KITH_RUNTIME_DIR");
  if (wanted != nullptr && wanted[0] == '/' && may_trust_environment())
    return is_good_base(wanted) ? wanted : nullptr;
#if defined(__linux__)
  // Only root could change that. Relaxed: it refers to no other memory.
  static constinit std::atomic<bool> known{false};
  if (!known.load(std::memory_order_relaxed))
    known.store(is_good_base("/dev/shm"), std::memory_order_relaxed);
  if (known.load(std::memory_order_relaxed)) return "/dev/shm";
#endif
  return is_good_base("/tmp") ? "/tmp" : nullptr;
}

kith_status make_folder(const char* path, mode_t mode) {
  if (mkdir(path, mode) == 0) {
    // The umask may have taken away what others need.
    return chmod(path, mode) == 0 ? KITH_OK : fail(errno);
  }
  return errno == EEXIST ? KITH_OK : fail(errno);
}

kith_status denied(int os_error) {
  (void)fail(os_error);
  return KITH_E_DENIED;
}

mode_t mode_of(folder_kind kind) { return kind == folder_kind::open ? 0711 : 0700; }

kith_status check_folder(const struct stat& info, folder_kind kind, uid_t owner) {
  const bool is_good =
      S_ISDIR(info.st_mode) && info.st_uid == owner && (info.st_mode & 0777 & ~mode_of(kind)) == 0;
  return is_good ? KITH_OK : denied(EPERM);
}

}  // namespace

kith_status folder_find(folder_kind kind, uid_t owner, runtime_folder& out) {
  const char* const base = base_folder();
  if (base == nullptr) return denied(EPERM);
  const int length =
      std::snprintf(out.path, sizeof out.path, "%s/kith-%lu%s", base, static_cast<unsigned long>(owner),
                    kind == folder_kind::open ? "-open" : "");
  // The path of a socket, with its file's name, must fit into 104 bytes (macOS).
  if (length < 0 || static_cast<size_t>(length) >= sizeof out.path - 4) return fail(ENAMETOOLONG);
  struct stat info;
  if (lstat(out.path, &info) != 0) return fail(errno);
  return check_folder(info, kind, owner);
}

kith_status folder_open(folder_kind kind, bool make, runtime_folder& out) {
  const uid_t owner = geteuid();
  kith_status status = folder_find(kind, owner, out);
  if (status == KITH_E_NOT_FOUND && make) status = make_folder(out.path, mode_of(kind));
  if (status != KITH_OK) return status;
  native_handle opened = own_descriptor(
      restart([&] { return open(out.path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC); }));
  if (!opened.valid()) return errno == ELOOP || errno == ENOTDIR ? denied(errno) : fail(errno);
  struct stat info;
  if (fstat(opened.get(), &info) != 0) return fail(errno);
  if (status = check_folder(info, kind, owner); status != KITH_OK) return status;
  out.handle = std::move(opened);
  return KITH_OK;
}

kith_status folder_open_file(const runtime_folder& folder, const char* name, int flags, mode_t mode,
                             native_handle& out) {
  // O_NONBLOCK: it may be a pipe, that somebody has put there.
  constexpr int always = O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;
  native_handle opened =
      own_descriptor(restart([&] { return openat(folder.handle.get(), name, flags | always, mode); }));
  if (!opened.valid()) {
    const bool is_strange = errno == ELOOP || errno == EISDIR || errno == ENXIO || errno == EMLINK;
    return is_strange ? denied(errno) : fail(errno);
  }
  struct stat info;
  if (fstat(opened.get(), &info) != 0) return fail(errno);
  if (!S_ISREG(info.st_mode) || info.st_uid != geteuid() || info.st_nlink > 1) return denied(EPERM);
  out = std::move(opened);
  return KITH_OK;
}

file_name file_name_of(char letter, const digest& hash) {
  file_name out;
  char* end = out.text;
  *end++ = letter;
  for (int i = 0; i < 16; ++i) {
    *end++ = "0123456789abcdef"[hash.bytes[i] >> 4];
    *end++ = "0123456789abcdef"[hash.bytes[i] & 15];
  }
  return out;
}

}  // namespace kith::platform
