// SPDX-License-Identifier: MIT
#include <uv.h>

#include <cstdio>
#include <cstring>
#include <new>
#include <utility>

#include "boot.h"
#include "channel.h"
#include "entry.h"
#include "mutex.h"
#include "once.h"
#include "parent.h"

namespace kith {

namespace {

constexpr int64_t longest_wait_for_parent_ms = 10'000;

// Written once, by read_variable or adopt_forked; the claims are guarded by the library mutex. In one piece, beside a word that does not begin
// as zero: see once.h.
struct knowledge {
  once is_read;
  bool present = false;
  bool taken_over = false;
  bool guest = false;
  bool is_copy = false;  // `segment` is what fits into `copy`; what is written goes to the memory itself
  uint64_t bootstrap_number = 0;
  // They live as long as the process, and are made in place: a child that takes no memory has no heap to set up.
  shm::segment* segment = nullptr;
  buffer<bool>* claims = nullptr;  // one a share
  alignas(shm::segment) unsigned char place_of_segment[sizeof(shm::segment)] = {};
  alignas(buffer<bool>) unsigned char place_of_claims[sizeof(buffer<bool>)] = {};
  alignas(shm::segment) unsigned char place_of_shared[sizeof(shm::segment)] = {};
  shm::segment* shared = nullptr;  // once it was wanted, where `segment` is a copy
  alignas(64) unsigned char copy[1024] = {};
};
constinit knowledge known;

// Set in a forked child, until the first call that wants to know.
const boot_segment* forked = nullptr;

// The host's: what its guest wants to be called at the end. Release by the guest, acquire by the host.
using at_end = std::atomic<void (*)()>;
at_end end_of_guest{nullptr};

shm::bootstrap_state& state() { return *reinterpret_cast<shm::bootstrap_state*>(known.segment->state); }

bool piece_is_inside(const shm::bootstrap_piece& piece) {
  return piece.offset <= known.segment->data_size && piece.size <= known.segment->data_size - piece.offset;
}

const char* at(const shm::bootstrap_piece& piece) {
  return reinterpret_cast<const char*>(known.segment->data + piece.offset);
}

size_t share_count() { return static_cast<size_t>(state().shares.size / sizeof(shm::share_record)); }

shm::share_record share_at(size_t index) {
  shm::share_record record;
  std::memcpy(&record, known.segment->data + state().shares.offset + index * sizeof record, sizeof record);
  return record;
}

// Version, handle and token, in hexadecimal; from a host also the address of its end_of_guest. false: not ours.
struct boot_variable {
  uint64_t number = 0;
  uint64_t token = 0;
  uint64_t host = 0;
};

// As it was written by printf. strtoull would do, and touch two pages more of the C library; each costs the new process a page fault.
bool read_hex(const char*& at, uint64_t& out) {
  constexpr size_t most_digits = 16;
  size_t digits = 0;
  out = 0;
  for (; digits <= most_digits; ++at, ++digits) {
    const bool decimal = *at >= '0' && *at <= '9';
    if (!decimal && (*at < 'a' || *at > 'f')) break;
    out = out * 16 + static_cast<uint64_t>(decimal ? *at - '0' : *at - 'a' + 10);
  }
  return digits != 0 && digits <= most_digits;
}

bool parse(const char* at, boot_variable& out) {
  if (std::strncmp(at, "1:", 2) != 0) return false;
  at += 2;
  if (!read_hex(at, out.number) || *at++ != ':' || !read_hex(at, out.token)) return false;
  if (*at == ':' && !read_hex(++at, out.host)) return false;
  return *at == '\0';
}

// Where the OS tells the parent our pid only after we began to run (Darwin), it may not have been written yet.
bool meant_for_us() {
  deadline until{};  // the clock is not asked where the pid is there already
  for (;;) {
    // Acquire, with the release of the port: the numbers of the handles were written before.
    const uint32_t pid = state().child_pid.load(std::memory_order_acquire);
    if (pid != 0) return pid == platform::own_pid();
    if (until.at_ns == 0) until = deadline_in(platform::clock_now(), longest_wait_for_parent_ms);
    if (passed(until, platform::clock_now())) return false;
    uv_sleep(1);
  }
}

bool is_text(const shm::bootstrap_piece& piece) {
  return piece_is_inside(piece) && piece.size != 0 && at(piece)[piece.size - 1] == '\0';
}

bool pieces_are_sound() {
  const shm::bootstrap_state& boot = state();
  if (!piece_is_inside(boot.argument) || !piece_is_inside(boot.shares)) return false;
  if (!is_text(boot.name) || !is_text(boot.symbol) || !is_text(boot.own_name)) return false;
  if (boot.shares.size % sizeof(shm::share_record) != 0) return false;
  for (size_t i = 0; i < share_count(); ++i) {
    if (!piece_is_inside(share_at(i).name)) return false;
  }
  return boot.run <= static_cast<uint32_t>(shm::run_kind::library);
}

bool prepare_claims() {
  known.claims = ::new (known.place_of_claims) buffer<bool>;
  if (!known.claims->resize(share_count())) return false;
  for (bool& each : *known.claims) each = false;
  return true;
}

void own_the_handle(uint64_t number) {
  platform::native_handle handle;
  if (number != 0 && platform::handle_adopt(number, handle) == KITH_OK) (void)handle.release();
}

// Our own children must not inherit what we were given. (The segment is owned already.)
void own_the_handles() {
  for (const uint64_t number : state().stop_bells) own_the_handle(number);
  for (size_t i = 0; i < share_count(); ++i) {
    for (const uint64_t number : share_at(i).numbers) own_the_handle(number);
  }
}

// What the kernel does to map a page costs more than all the rest that a child does to learn what it is to run. So what is short is copied. Where the
// pid may still be missing, it is mapped.
bool copy_segment(platform::native_handle& handle, uint64_t token) {
  const size_t size = platform::memory_peek(handle, known.copy, sizeof known.copy);
  if (shm::segment_read(known.copy, size, shm::segment_kind::bootstrap, *known.segment) != KITH_OK)
    return false;
  // Acquire: see meant_for_us.
  const bool is_ours = state().token == token &&
                       state().child_pid.load(std::memory_order_acquire) == platform::own_pid() &&
                       pieces_are_sound() && prepare_claims();
  if (!is_ours) return false;
  known.segment->memory.object = std::move(handle);
  known.is_copy = true;
  return true;
}

bool open_segment(uint64_t number, uint64_t token) {
  platform::native_handle handle;
  if (platform::handle_adopt(number, handle) != KITH_OK) return false;
  known.segment = ::new (known.place_of_segment) shm::segment;
  if (copy_segment(handle, token)) return true;
  if (shm::segment_attach(std::move(handle), shm::segment_kind::bootstrap, *known.segment) == KITH_OK) {
    // A child of a child may find the variable of its parent, and another handle of that number.
    if (state().token == token && meant_for_us() && pieces_are_sound() && prepare_claims()) return true;
    handle = std::move(known.segment->memory.object);
    shm::segment_close(*known.segment);
  }
  known.segment = nullptr;
  // It may be somebody else's: not ours to close. segment_attach moves from it on success only.
  (void)handle.release();  // NOLINT(bugprone-use-after-move)
  return false;
}

// What the parent reads after our end, so relaxed.
template <class Word>
void tell_parent(std::atomic<Word>& word, Word value) {
  const size_t offset = static_cast<size_t>(reinterpret_cast<unsigned char*>(&word) - known.copy);
  if (known.is_copy &&
      platform::memory_poke(known.segment->memory.object, offset, static_cast<uint32_t>(value)))
    return;
  const ptrdiff_t in_state = reinterpret_cast<unsigned char*>(&word) - known.segment->state;
  shm::segment* const shared = boot_share();
  if (shared == nullptr) return;
  reinterpret_cast<std::atomic<Word>*>(shared->state + in_state)->store(value, std::memory_order_relaxed);
}

// The address was written by the host in this very process: the token and the pid have told us so.
void become_guest(uint64_t host) {
  known.guest = true;
  known.taken_over = true;
  reinterpret_cast<at_end*>(static_cast<uintptr_t>(host))
      ->store(channel_close_all, std::memory_order_release);
}

// Before the library is loaded, as its constructors may want their shares.
kith_status pass_on() {
  char value[80];
  std::snprintf(value, sizeof value, "1:%llx:%llx:%llx",
                static_cast<unsigned long long>(known.bootstrap_number),
                static_cast<unsigned long long>(state().token),
                static_cast<unsigned long long>(reinterpret_cast<uintptr_t>(&end_of_guest)));
  return uv_os_setenv("KITH_BOOT", value) == 0 ? KITH_OK : KITH_E_NO_MEMORY;
}

void read_variable() {
  char value[80];
  if (!platform::variable_take("KITH_BOOT", value, sizeof value)) return;
  boot_variable variable;
  if (!parse(value, variable)) return;
  known.present = open_segment(variable.number, variable.token);
  if (!known.present) return;
  known.bootstrap_number = variable.number;
  own_the_handles();
  if (variable.host != 0) {
    become_guest(variable.host);  // the host looks after the parent
  } else if (!platform::os_ends_children && (state().flags & shm::boot_ends_with_parent) != 0) {
    platform::watch_parent({state().parent});
  }
}

// What this process was told before it forked was told to its parent.
void adopt_forked() {
  known.is_read.set_done();
  known.present = false;
  known.guest = false;
  known.is_copy = false;
  known.taken_over = true;
  known.segment = make<shm::segment>();  // not in place: what our parent was told lies there
  if (known.segment != nullptr) {
    known.segment->state = forked->segment.state;
    known.segment->data = forked->segment.data;
    known.segment->data_size = forked->segment.data_size;
    known.segment->waiting = forked->segment.waiting;
    known.present = pieces_are_sound() && prepare_claims();
  }
  forked = nullptr;
}

kith_status find_entry(const shm::bootstrap_state& boot, kith_entry& out) {
  if (boot.for_guest != 0) {
    if (const kith_status status = pass_on(); status != KITH_OK) return status;
  }
  if (boot.run == static_cast<uint32_t>(shm::run_kind::library)) {
    if (boot.version != shm::boot_version) return KITH_E_MISMATCH;
    return platform::symbol_resolve(at(boot.name), at(boot.symbol), out);
  }
  if (boot.run == static_cast<uint32_t>(shm::run_kind::name)) return entry_find(at(boot.name), out);
  platform::code_place place;
  place.offset = boot.code_offset;
  std::memcpy(place.identity, boot.code_identity, sizeof place.identity);
  if (boot.name.size > 1 && !assign(place.path, at(boot.name))) return KITH_E_NO_MEMORY;
  return platform::code_resolve(place, out);
}

// Claimed even if it fails: handles that are not good now will not become so.
kith_status claim(size_t index, const shm::share_record& record, claimed_share& out) {
  (*known.claims)[index] = true;
  const size_t needed = record.kind == static_cast<uint32_t>(shm::segment_kind::channel) ? 2 : 1;
  for (size_t which = 0; which < shm::most_share_handles; ++which) {
    if (which >= needed && record.numbers[which] == 0) continue;
    kith_status status = platform::handle_adopt(record.numbers[which], out.handles[which]);
    if (status != KITH_OK) return status;
  }
  out.end = record.end;
  return KITH_OK;
}

}  // namespace

shm::run_kind boot_run() {
  if (forked != nullptr) adopt_forked();
  known.is_read.call([] {
    read_variable();
    return true;
  });
  return known.present ? static_cast<shm::run_kind>(state().run) : shm::run_kind::program;
}

shm::segment* boot_find() {
  (void)boot_run();
  return known.present ? known.segment : nullptr;
}

shm::segment* boot_share() {
  if (!known.is_copy) return boot_find();
  const library_guard guard;
  if (known.shared != nullptr) return known.shared;
  platform::native_handle handle;
  if (platform::handle_copy_in(static_cast<int64_t>(known.bootstrap_number), handle) != KITH_OK)
    return nullptr;
  shm::segment* const shared = ::new (known.place_of_shared) shm::segment;
  if (shm::segment_attach(std::move(handle), shm::segment_kind::bootstrap, *shared) != KITH_OK)
    return nullptr;
  platform::memory_keep_mapping_only(shared->memory);
  return known.shared = shared;
}

const char* boot_own_name() { return boot_find() == nullptr ? "" : at(state().own_name); }

KITH_IN_FORKED_CHILD void boot_adopt(const boot_segment& boot) {
  forked = &boot;
  parent_forget();
}

void boot_take_over() {
  known.taken_over = true;
  if (known.present) tell_parent(state().progress, uint32_t{shm::child_took_over});
}

bool boot_taken_over() { return known.taken_over || forked != nullptr; }

bool boot_is_guest() {
  (void)boot_run();
  return known.guest;
}

void boot_end_guest() {
  void (*const end)() = end_of_guest.load(std::memory_order_acquire);
  if (end != nullptr) end();
}

kith_status boot_find_task(boot_task& out) {
  const shm::bootstrap_state& boot = state();
  kith_status status = find_entry(boot, out.entry);
  if (status != KITH_OK) {
    tell_parent(state().no_entry, int32_t{status});
    return status;
  }
  out.argument_size = static_cast<size_t>(boot.argument.size);
  out.argument = out.argument_size == 0 ? nullptr : at(boot.argument);
  return KITH_OK;
}

kith_status share_claim(const char* name, shm::segment_kind kind, claimed_share& out) {
  if (!name_is_valid(name)) return KITH_E_INVALID;
  (void)boot_run();
  if (!known.present) return KITH_E_NOT_FOUND;
  library_guard guard;
  for (size_t i = 0; i < share_count(); ++i) {
    const shm::share_record record = share_at(i);
    if (record.name.size != std::strlen(name) || std::memcmp(at(record.name), name, record.name.size) != 0)
      continue;
    if (record.kind != static_cast<uint32_t>(kind)) return KITH_E_MISMATCH;
    return (*known.claims)[i] ? KITH_E_MOVED : claim(i, record, out);
  }
  return KITH_E_NOT_FOUND;
}

// Without writing to any page of a forked child.
KITH_IN_FORKED_CHILD bool shares_may_be_left() { return forked == nullptr || !forked->passed.empty(); }

kith_status share_claim_left_over(shm::segment_kind kind, claimed_share& out) {
  (void)boot_run();
  if (!known.present || known.claims->empty())
    return KITH_E_NOT_FOUND;  // without the mutex: most functions end so
  library_guard guard;
  for (size_t i = 0; i < share_count(); ++i) {
    const shm::share_record record = share_at(i);
    if (record.kind == static_cast<uint32_t>(kind) && !(*known.claims)[i]) return claim(i, record, out);
  }
  return KITH_E_NOT_FOUND;
}

}  // namespace kith
