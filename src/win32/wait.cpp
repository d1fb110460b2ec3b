// SPDX-License-Identifier: MIT
// Windows waits on addresses within a process only, so the waiters of a segment sleep in its parking lot
// (shm/parking_lot.h). The bell of a slot is a named event, which every process that has the segment opens
// when it first needs it; the name is gone with the last handle.
#include "../allocator.h"
#include "../shm/parking_lot.h"
#include "access_rules.h"
#include "hex.h"
#include "watched_process.h"
#include "windows_api.h"

namespace kith::platform {
namespace {

using bell_cache = std::atomic<void*>;

bell_cache* bells_of(const wait_area& area) { return static_cast<bell_cache*>(area.bells); }

constexpr wchar_t name_begin[] = L"Local\\kith-";
constexpr size_t name_begin_length = sizeof(name_begin) / sizeof(wchar_t) - 1;

// Local\kith-<id of the segment>-<slot>
struct bell_name {
  wchar_t text[name_begin_length + 3 * hex_digits + 2];
};

void make_name(const wait_area& area, uint32_t slot, bell_name& out) {
  wchar_t* end = out.text;
  for (size_t i = 0; i < name_begin_length; ++i) *end++ = name_begin[i];
  end = write_hex(area.id[1], write_hex(area.id[0], end));
  *end++ = L'-';
  end = write_hex(slot, end);
  *end = L'\0';
}

// Opens the event, which was there already if another process had to do with this slot. nullptr: it cannot be
// had.
HANDLE open_bell(const wait_area& area, uint32_t slot) {
  bell_name name;
  make_name(area, slot, name);
  access_rules ours;
  if (ours.allow_this_user() != KITH_OK) return nullptr;
  return CreateEventW(ours.attributes(), FALSE, FALSE, name.text);
}

HANDLE bell_of(const wait_area& area, uint32_t slot) {
  bell_cache& cached = bells_of(area)[slot];
  void* known =
      cached.load(std::memory_order_acquire);  // pairs with the release of the thread that opened it
  if (known != nullptr) return known;
  native_handle opened(open_bell(area, slot));
  if (!opened.valid()) return nullptr;
  // Release, for the acquire above; acquire on failure: another thread was faster, its handle counts and ours
  // is closed.
  if (!cached.compare_exchange_strong(known, opened.get(), std::memory_order_release,
                                      std::memory_order_acquire)) {
    return known;
  }
  return opened.release();
}

wait_result after(deadline until) {
  // Waits count in ticks of the timer and may end a little early.
  return passed(until, clock_now()) ? wait_result::timed_out : wait_result::look_again;
}

struct event_bells {
  static void reset(wait_area& area, uint32_t slot) {
    if (const HANDLE bell = bell_of(area, slot); bell != nullptr) ResetEvent(bell);
  }

  static void ring(wait_area& area, uint32_t slot) {
    if (const HANDLE bell = bell_of(area, slot); bell != nullptr) SetEvent(bell);
  }

  static wait_result nap(deadline until) {
    Sleep(1);
    return after(until);
  }

  static wait_result sleep(wait_area& area, uint32_t slot, deadline until, identity watch) {
    const HANDLE bell = bell_of(area, slot);
    if (bell == nullptr) return nap(until);
    native_handle process;
    if (!watch.nobody() && open_if_alive(watch, 0, process) == liveness::dead)
      return wait_result::watched_died;
    const HANDLE objects[] = {bell, process.get()};
    const DWORD ms = static_cast<DWORD>(remaining_ms(until, clock_now()));
    switch (WaitForMultipleObjects(process.valid() ? 2 : 1, objects, FALSE, ms)) {
      case WAIT_OBJECT_0: return wait_result::look_again;
      case WAIT_OBJECT_0 + 1: return wait_result::watched_died;
      case WAIT_TIMEOUT: return after(until);
      default: return nap(until);
    }
  }
};

}  // namespace

uint32_t parking_slots_wanted() { return 64; }

kith_status wait_area_open(wait_area& area) {
  if (area.slot_count == 0) return KITH_OK;
  const size_t count = area.slot_count;
  bell_cache* bells = static_cast<bell_cache*>(allocate(count * sizeof(bell_cache)));
  if (bells == nullptr) return KITH_E_NO_MEMORY;
  for (size_t i = 0; i < count; ++i) ::new (&bells[i]) bell_cache(nullptr);
  area.bells = bells;
  return KITH_OK;
}

void wait_area_close(wait_area& area) {
  bell_cache* bells = bells_of(area);
  if (bells == nullptr) return;
  // Relaxed: whoever closes the segment has seen to it that no other thread uses it any more.
  for (size_t i = 0; i < area.slot_count; ++i)
    native_handle(bells[i].load(std::memory_order_relaxed)).reset();
  deallocate(bells);
  area.bells = nullptr;
}

void long_sleep_end(long_sleep&) {}

wait_result wait(wait_area& area, const std::atomic<uint64_t>& word, uint64_t expected, deadline until,
                 identity watch, long_sleep& memory) {
  memory.watches = true;
  return shm::park<event_bells>(area, word, expected, until, watch);
}

void wake(wait_area& area, const std::atomic<uint64_t>& word, uint32_t count) {
  shm::unpark<event_bells>(area, word, count);
}

}  // namespace kith::platform
