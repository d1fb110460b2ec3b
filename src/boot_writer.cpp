// SPDX-License-Identifier: MIT
#include <cstring>
#include <new>
#include <utility>

#include "boot.h"

namespace kith {

namespace {

constexpr uint64_t argument_alignment = 64;

// Hands out pieces of the data one after the other; with base == nullptr it only measures.
struct piece_writer {
  unsigned char* base;
  uint64_t used = 0;

  shm::bootstrap_piece put(const void* source, uint64_t size, uint64_t alignment) {
    used = (used + alignment - 1) / alignment * alignment;
    const shm::bootstrap_piece piece{used, size};
    if (base != nullptr && size != 0 && source != nullptr)
      std::memcpy(base + used, source, static_cast<size_t>(size));
    used += size;
    return piece;
  }
};

const char* name_of(const boot_plan& plan) {
  if (plan.run == shm::run_kind::name) return plan.entry_name;
  if (plan.run == shm::run_kind::library) return plan.library.data();
  return plan.place.path.empty() ? "" : plan.place.path.data();
}

// The same walk measures and writes, so that the two cannot differ. Ports write the numbers of the handles later.
uint64_t write_pieces(const boot_plan& plan, const given_shares& shares, shm::bootstrap_state* state,
                      unsigned char* base) {
  piece_writer writer{base};
  const char* name = name_of(plan);
  const shm::bootstrap_piece name_piece = writer.put(name, std::strlen(name) + 1, 1);
  const char* symbol = plan.symbol != nullptr ? plan.symbol : "";
  const shm::bootstrap_piece symbol_piece = writer.put(symbol, std::strlen(symbol) + 1, 1);
  const shm::bootstrap_piece argument = writer.put(plan.argument, plan.argument_size, argument_alignment);
  const shm::bootstrap_piece own_name = writer.put(plan.own_name, std::strlen(plan.own_name) + 1, 1);
  const uint64_t count = shares.list().size();
  const shm::bootstrap_piece records = writer.put(nullptr, count * sizeof(shm::share_record), 8);
  if (state != nullptr) {
    state->name = name_piece;
    state->symbol = symbol_piece;
    state->argument = argument;
    state->shares = records;
    state->own_name = own_name;
  }
  uint64_t at = records.offset;
  for (const given_share& each : shares.list()) {
    shm::share_record record{};
    record.name = writer.put(each.name, each.name_size, 1);
    record.kind = static_cast<uint32_t>(each.kind);
    record.end = each.end;
    if (base != nullptr) std::memcpy(base + at, &record, sizeof record);
    at += sizeof record;
  }
  return writer.used;
}

kith_status list_stop_bells(boot_segment& self) {
  for (uint32_t i = 0; i < platform::most_bells; ++i) {
    const platform::native_handle& bell = platform::bells_handle(self.stop_bells, i);
    if (bell.valid() && !self.passed.append({&bell, &self.state().stop_bells[i]})) return KITH_E_NO_MEMORY;
  }
  return KITH_OK;
}

kith_status list_handles(const given_shares& shares, boot_segment& self) {
  shm::share_record* records =
      reinterpret_cast<shm::share_record*>(self.segment.data + self.state().shares.offset);
  for (size_t i = 0; i < shares.list().size(); ++i) {
    for (size_t which = 0; which < shm::most_share_handles; ++which) {
      const platform::native_handle* handle = shares.list()[i].handles[which];
      if (handle != nullptr && !self.passed.append({handle, &records[i].numbers[which]}))
        return KITH_E_NO_MEMORY;
    }
  }
  return list_stop_bells(self);
}

// As printf does, which would take longer than all the rest of it.
char* put_hex(char* at, uint64_t value) {
  int digits = 1;
  while (digits < 16 && (value >> (4 * digits)) != 0) ++digits;
  for (int i = digits - 1; i >= 0; --i) *at++ = "0123456789abcdef"[value >> (4 * i) & 15];
  return at;
}

kith_status write_variable(boot_segment& self) {
  char line[80] = "KITH_BOOT=1:";
  char* at = put_hex(line + std::strlen(line), platform::handle_number(*self.handle));
  *at++ = ':';
  at = put_hex(at, self.state().token);
  return assign(self.variable, line, static_cast<size_t>(at - line)) ? KITH_OK : KITH_E_NO_MEMORY;
}

kith_status fill_in(const boot_plan& plan, const given_shares& shares, boot_segment& out) {
  shm::bootstrap_state& state = *::new (out.segment.state) shm::bootstrap_state{};
  state.run = static_cast<uint32_t>(plan.run);
  state.version = shm::boot_version;
  state.for_guest = plan.run == shm::run_kind::library || boot_is_guest() ? 1 : 0;
  state.code_offset = plan.place.offset;
  std::memcpy(state.code_identity, plan.place.identity, sizeof state.code_identity);
  state.parent = platform::self().bits;
  state.flags = (plan.ends_with_parent ? uint32_t{shm::boot_ends_with_parent} : 0) |
                (plan.can_be_asked ? uint32_t{shm::boot_can_be_asked} : 0);
  write_pieces(plan, shares, &state, out.segment.data);
  return list_handles(shares, out);
}

}  // namespace

namespace {

// Where that is to be had, what is small is not mapped but written, when the child has been made and all numbers are known.
bool stage(const shm::segment_plan& wanted, boot_segment& out) {
  size_t used = 0;
  if (shm::segment_stage(wanted, out.small_copy, sizeof out.small_copy, out.segment, used) != KITH_OK)
    return false;
  if (platform::memory_create_unwritten(used, out.segment.memory) != KITH_OK) return false;
  out.handle = &out.segment.memory.object;
  out.unwritten = used;
  return true;
}

kith_status make_segment(const shm::segment_plan& wanted, bool may_be_staged, boot_segment& out) {
  if (may_be_staged && stage(wanted, out)) return KITH_OK;
  out.segment = {};
  const kith_status status = shm::segment_create(wanted, out.segment);
  if (status == KITH_OK) out.handle = &platform::memory_handle(out.segment.memory);
  return status;
}

kith_status write_shared(const boot_plan& plan, const given_shares& shares, bool may_be_staged,
                         boot_segment& out) {
  shm::segment_plan wanted{shm::segment_kind::bootstrap};
  wanted.data_size = static_cast<size_t>(write_pieces(plan, shares, nullptr, nullptr));
  if (wanted.data_size < plan.argument_size) return KITH_E_TOO_LARGE;
  if (kith_status status = platform::bells_create(1, out.stop_bells); status != KITH_OK) return status;
  if (kith_status status = make_segment(wanted, may_be_staged, out); status != KITH_OK) return status;
  const kith_status status = fill_in(plan, shares, out);
  if (status != KITH_OK) shm::segment_close(out.segment);
  return status;
}

kith_status write_private(const boot_plan& plan, const given_shares& shares, boot_segment& out) {
  const size_t size = static_cast<size_t>(write_pieces(plan, shares, nullptr, nullptr));
  constexpr size_t overhead = sizeof(shm::bootstrap_state) + argument_alignment;
  if (size < plan.argument_size || size > SIZE_MAX - overhead) return KITH_E_TOO_LARGE;
  unsigned char* place = out.small_copy;
  if (size + overhead > sizeof out.small_copy) {
    if (!out.private_copy.resize(size + overhead)) return KITH_E_NO_MEMORY;
    place = out.private_copy.data();
  }
  const uintptr_t start = reinterpret_cast<uintptr_t>(place);
  out.segment.state = place + (argument_alignment - start % argument_alignment) % argument_alignment;
  out.segment.data = out.segment.state + sizeof(shm::bootstrap_state);
  out.segment.data_size = size;
  return fill_in(plan, shares, out);
}

}  // namespace

kith_status boot_write(const boot_plan& plan, const given_shares& shares, boot_segment& out) {
  kith_status status = write_shared(plan, shares, platform::bootstraps_are_staged, out);
  if (status != KITH_OK) return status;
  status = platform::random_bytes(&out.state().token, sizeof out.state().token);
  if (status == KITH_OK) status = write_variable(out);
  if (status != KITH_OK) shm::segment_close(out.segment);
  return status;
}

void boot_hand_over(boot_segment& boot, platform::spawn_plan& spawn) {
  spawn.bootstrap = boot.handle;
  spawn.passed = boot.passed.data();
  spawn.passed_count = boot.passed.size();
  spawn.child_pid = &boot.state().child_pid;
  spawn.unwritten = boot.unwritten == 0 ? nullptr : boot.small_copy;
  spawn.unwritten_size = boot.unwritten;
}

bool boot_map(shm::segment& boot) {
  if (boot.memory.base != nullptr) return true;
  if (!boot.memory.object.valid()) return false;
  shm::segment mapped;
  if (shm::segment_attach(std::move(boot.memory.object), shm::segment_kind::bootstrap, mapped) != KITH_OK)
    return false;
  boot = std::move(mapped);
  platform::memory_keep_mapping_only(boot.memory);
  return true;
}

// Relaxed: the child has ended, which the OS told us after its last write.
static boot_report report_in(const shm::segment& boot) {
  const shm::bootstrap_state& state = *reinterpret_cast<const shm::bootstrap_state*>(boot.state);
  return {state.progress.load(std::memory_order_relaxed), state.no_entry.load(std::memory_order_relaxed)};
}

boot_report boot_read_report(const shm::segment& boot) {
  if (boot.memory.base != nullptr) return report_in(boot);
  alignas(64) unsigned char copy[sizeof(boot_segment::small_copy)];
  const size_t size = platform::memory_peek(boot.memory.object, copy, sizeof copy);
  shm::segment seen;
  const bool sound = shm::segment_read(copy, size, shm::segment_kind::bootstrap, seen) == KITH_OK;
  return sound ? report_in(seen) : boot_report{};
}

kith_status boot_write_for_fork(const boot_plan& plan, const given_shares& shares, boot_segment& out) {
  return plan.can_be_asked ? write_shared(plan, shares, false, out) : write_private(plan, shares, out);
}

}  // namespace kith
