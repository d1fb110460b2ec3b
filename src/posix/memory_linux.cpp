// SPDX-License-Identifier: MIT
// Shared memory by memfd: it has no name to be left behind, is not bound by the size of /dev/shm, and seals
// keep a peer from shrinking it, which would end us by SIGBUS.
#include "linux_calls.h"
#include "memory_common.h"

namespace kith::platform {

namespace {

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U  // Linux 6.3
#endif
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010  // Linux 5.1
#endif

constexpr int size_seals = F_SEAL_SHRINK | F_SEAL_GROW;

native_handle open_memfd() {
  const unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  int descriptor = memfd_create("kith", flags | MFD_NOEXEC_SEAL);
  if (descriptor == -1 && errno == EINVAL) descriptor = memfd_create("kith", flags);
  return own_descriptor(descriptor);
}

bool add_seals(const native_handle& object, int seals) {
  return fcntl(object.get(), F_ADD_SEALS, seals) == 0;
}

// Makes the object as large as its memory, too. In pieces: the kernel undoes a call that a signal interrupts, so one large call would never end under a
// profiler's timer.
kith_status commit_object(int object, size_t size) {
  if (const kith_status status = check_size_limit(size); status != KITH_OK) return status;
  if (const kith_status status = check_free_memory(size); status != KITH_OK) return status;
  constexpr size_t piece = size_t{1} << 20;
  for (size_t done = 0; done < size; done += piece) {
    const size_t length = size - done < piece ? size - done : piece;
    const auto allocate_piece = [&] {
      return fallocate(object, 0, static_cast<off_t>(done), static_cast<off_t>(length));
    };
    if (restart(allocate_piece) == 0) continue;
    return errno == EOPNOTSUPP || errno == ENOSYS ? set_object_size(object, size) : fail(errno);
  }
  return KITH_OK;
}

// A memfd, or where the kernel or a sandbox has none, a POSIX shared memory object.
kith_status create_object(memory& made) {
  made.object = open_memfd();
  if (made.object.valid()) return KITH_OK;
  if (errno != ENOSYS && errno != EPERM && errno != EACCES) return fail(errno);
  return shm_object_create(made.object, made.read_only);
}

bool can_add_seals(int seals) {
  const native_handle object = open_memfd();
  return object.valid() && add_seals(object, seals);
}

// Asks once. The answer is the same whoever finds it, and refers to no other memory: relaxed.
bool probe(std::atomic<int>& answer, int seals) {
  int known = answer.load(std::memory_order_relaxed);
  if (known == 0) {
    known = can_add_seals(seals) ? 1 : -1;
    answer.store(known, std::memory_order_relaxed);
  }
  return known > 0;
}

// The seals of a file that is no memfd are missing; such a one is taken only where we could make no better
// ourselves.
bool may_shrink(const native_handle& object) {
  const int seals = fcntl(object.get(), F_GET_SEALS);
  return (seals == -1 || (seals & F_SEAL_SHRINK) == 0) && memory_is_sealed();
}

// Named objects are files, which have no seals. A memfd never has a name, and so must have them; a file of our user that has one is his, whatever is
// done to it.
bool is_named_file_of_ours(const native_handle& object) {
  struct stat info;
  return fstat(object.get(), &info) == 0 && S_ISREG(info.st_mode) && info.st_nlink == 1 &&
         info.st_uid == geteuid();
}

}  // namespace

bool memory_is_sealed() {
  static constinit std::atomic<int> answer{0};
  return probe(answer, size_seals);
}

bool memory_share_is_read_only() {
  static constinit std::atomic<int> answer{0};
  return probe(answer, F_SEAL_FUTURE_WRITE);
}

kith_status memory_fill(memory& made, size_t size, bool commit) {
  made.size = whole_pages(size);
  if (made.size == 0) return KITH_E_TOO_LARGE;
  const kith_status status =
      commit ? commit_object(made.object.get(), made.size) : set_object_size(made.object.get(), made.size);
  return status == KITH_OK ? map_object(made, PROT_READ | PROT_WRITE) : status;
}

kith_status memory_create(size_t size, bool commit, bool may_restrict, memory& out) {
  memory made;
  kith_status status = create_object(made);
  if (!may_restrict) made.read_only.reset();  // there is one where there is no memfd
  if (status == KITH_OK) status = memory_fill(made, size, commit);
  if (status != KITH_OK) return status;
  add_seals(made.object, size_seals);
  out = std::move(made);
  return KITH_OK;
}

kith_status memory_attach(native_handle&& object, memory& out) {
  memory made;
  made.object = std::move(object);
  if (may_shrink(made.object) && !is_named_file_of_ours(made.object)) return KITH_E_MISMATCH;
  const kith_status status = map_foreign_object(made);
  if (status == KITH_OK) out = std::move(made);
  return status;
}

// The seals are the child's to add, when it has its size.
kith_status memory_create_unwritten(size_t size, memory& out) {
  if (const kith_status status = check_size_limit(size); status != KITH_OK) return status;
  native_handle object = open_memfd();
  if (!object.valid()) return fail(errno);
  out.object = std::move(object);
  out.size = size;
  return KITH_OK;
}

// Bare calls: see variable_take.
#if defined(__LP64__)
static long read_at_begin(int object, void* out, size_t size) {
  return bare_call(SYS_pread64, object, address(out), static_cast<long>(size), 0);
}
static long write_at(int object, size_t offset, const uint32_t& value) {
  return bare_call(SYS_pwrite64, object, address(&value), sizeof value, static_cast<long>(offset));
}
#else
static long read_at_begin(int object, void* out, size_t size) { return pread(object, out, size, 0); }
static long write_at(int object, size_t offset, const uint32_t& value) {
  return pwrite(object, &value, sizeof value, static_cast<off_t>(offset));
}
#endif

// A memfd only: nobody waits for what is read of one, and nothing is taken out.
size_t memory_peek(const native_handle& object, void* out, size_t size) {
  if (bare_call(SYS_fcntl, object.get(), F_GET_SEALS) < 0) return 0;
  const long got = read_at_begin(object.get(), out, size);
  return got > 0 ? static_cast<size_t>(got) : 0;
}

// Whoever writes beyond the limit for files is sent SIGXFSZ.
bool memory_poke(const native_handle& object, size_t offset, uint32_t value) {
  uint64_t limit[2] = {};  // struct rlimit64: now, at most
  if (bare_call(SYS_prlimit64, 0, RLIMIT_FSIZE, 0, address(limit)) != 0 || offset + sizeof value > limit[0])
    return false;
  return write_at(object.get(), offset, value) == static_cast<long>(sizeof value);
}

// A read-only descriptor alone holds nobody back, who may open /proc/self/fd/N for writing: the seal does.
// Our own mapping is older than the seal and stays writable.
kith_status memory_restrict(memory& self) {
  if (!add_seals(self.object, F_SEAL_FUTURE_WRITE) && !self.read_only.valid()) {
    if (errno != EINVAL) return fail(errno);
    char path[40];  // before Linux 5.1: as good as it gets, and memory_share_is_read_only says no
    std::snprintf(path, sizeof path, "/proc/self/fd/%d", self.object.get());
    self.read_only = own_descriptor(open(path, O_RDONLY | O_CLOEXEC));
    if (!self.read_only.valid()) return fail(errno);
  }
  self.restricted = true;
  return KITH_OK;
}

// Before others get it, the seals are sealed: a peer could add one of its own, and lock later children out.
const native_handle& memory_handle(const memory& self) {
  add_seals(self.object, F_SEAL_SEAL);
  return handle_for_others(self);
}

void memory_close(memory& self) { unmap_object(self); }

}  // namespace kith::platform
