// SPDX-License-Identifier: MIT
// Handles for the other side: the sender duplicates them into the receiver's process, and the message says their numbers.
//
// The kernel writes each number, within the call that makes the handle, to where we tell it: into the slot, in memory that the receiver
// has too. So when we are killed at any moment the receiver finds the number there or in a message, and closes what it
// does not want. It adopts only what is what the message says. A peer that lies about numbers can make us
// close a kith object of our own; it needs no right to our process for that, but the right to write to a channel of ours,
// which only those have to whom we gave it.
#include "watched_process.h"
#include "win32_error.h"

namespace kith::platform {
namespace {

kith_status open_receiver(identity who, native_handle& out) {
  switch (open_if_alive(who, PROCESS_DUP_HANDLE, out)) {
    case liveness::alive: return KITH_OK;
    case liveness::dead: return KITH_E_PEER_DIED;
    case liveness::unknown: break;
  }
  return fail(ERROR_ACCESS_DENIED);
}

HANDLE handle_of(uint64_t number) { return reinterpret_cast<HANDLE>(static_cast<uintptr_t>(number)); }

// Takes back what we have put into the receiver's process.
void unpack(HANDLE receiver, const parcel_label& label) {
  for (size_t i = 0; i < label.count; ++i) {
    DuplicateHandle(receiver, handle_of(label.numbers[i]), nullptr, nullptr, 0, FALSE,
                    DUPLICATE_CLOSE_SOURCE);
  }
}

kith_status pack(HANDLE receiver, const parcel& sent, shm::parcel_slot& slot, parcel_label& packed) {
  for (; packed.count < sent.count; ++packed.count) {
    std::atomic<uint64_t>& number = slot.numbers[packed.count];
    static_assert(sizeof number >= sizeof(HANDLE));
    if (!DuplicateHandle(GetCurrentProcess(), sent.handles[packed.count]->get(), receiver,
                         reinterpret_cast<HANDLE*>(&number), 0, FALSE, DUPLICATE_SAME_ACCESS)) {
      const DWORD error = GetLastError();
      // We have the right: it says this of a process that is about to end.
      return error == ERROR_ACCESS_DENIED ? KITH_E_TIMEOUT : fail(static_cast<int32_t>(error));
    }
    packed.numbers[packed.count] = number.load(std::memory_order_relaxed);
  }
  return KITH_OK;
}

bool numbers_differ(const parcel_label& label) {
  const uint64_t* const numbers = label.numbers;
  return (label.count < 2 || numbers[0] != numbers[1]) &&
         (label.count < 3 || (numbers[2] != numbers[0] && numbers[2] != numbers[1]));
}

}  // namespace

kith_status parcel_send(stream&, identity receiver, const parcel& sent, shm::parcel_slot& slot,
                        parcel_label& out) {
  if (receiver.nobody()) return KITH_E_TIMEOUT;
  parcel_label packed{sent.ticket, 0, {}};
  native_handle process;
  if (const kith_status status = open_receiver(receiver, process); status != KITH_OK) return status;
  for (std::atomic<uint64_t>& number : slot.numbers) number.store(0, std::memory_order_relaxed);
  const kith_status status = pack(process.get(), sent, slot, packed);
  if (status == KITH_OK) {
    out = packed;
  } else {
    unpack(process.get(), packed);
  }
  return status;
}

kith_status parcel_take(stream&, const parcel_label& label, native_handle (&out)[most_handles_of_parcel],
                        bool&) {
  if (!numbers_differ(label)) return KITH_E_PROTOCOL;
  native_handle taken[most_handles_of_parcel];
  for (size_t i = 0; i < label.count; ++i) {
    if (handle_adopt(label.numbers[i], taken[i]) == KITH_OK) continue;
    for (native_handle& each : taken) parcel_refuse(std::move(each));
    return KITH_E_PROTOCOL;
  }
  for (size_t i = 0; i < label.count; ++i) out[i] = std::move(taken[i]);
  return KITH_OK;
}

// The number may be that of a handle which somebody else in this process owns.
void parcel_refuse(native_handle&& handle) { (void)handle.release(); }

}  // namespace kith::platform
