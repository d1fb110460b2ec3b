// SPDX-License-Identifier: MIT
// Each promise of kith that depends on the machine is tried, not looked up.
#include "doctor.h"

#include <kith/kith.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

#include "machine.h"
#include "names.h"
#include "text.h"

namespace command {

namespace {

using clock = std::chrono::steady_clock;

// In which everything must have happened: a machine on which it has not is ill, or very busy.
constexpr int64_t patience_ms = 10'000;
constexpr int hold_ms = 60;  // longer than the first slices of a wait, in which deaths are not told

template <class T>
constexpr uint32_t size_of_options() {
  return static_cast<uint32_t>(sizeof(T));
}

std::string ms_text(clock::duration time) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f ms", std::chrono::duration<double, std::milli>(time).count());
  return text;
}

int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(clock::now().time_since_epoch()).count();
}

// ---- the children ------------------------------------------------------------------------------------------------------------------

int32_t say_hello(const void*, size_t) {
  kith_event* event = nullptr;
  if (kith_event_inherit("ready", &event) != KITH_OK || kith_event_set(event) != KITH_OK) return 1;
  kith_event_close(event);
  return 0;
}

// Takes the lock, and ends without a release.
int32_t die_with_lock(const void*, size_t) {
  kith_event* event = nullptr;
  kith_lock* lock = nullptr;
  kith_value* died_at = nullptr;
  if (kith_event_inherit("ready", &event) != KITH_OK || kith_lock_inherit("lock", &lock) != KITH_OK ||
      kith_value_inherit("died_at", &died_at) != KITH_OK || kith_lock_acquire(lock, 0) != KITH_OK)
    return 1;
  kith_event_set(event);
  std::this_thread::sleep_for(std::chrono::milliseconds(hold_ms));
  kith_value_exchange(died_at, now_ns(), nullptr);
  std::_Exit(0);
}

// Objects of a check, closed at its end.
struct bench {
  kith_event* ready = nullptr;
  kith_lock* lock = nullptr;
  kith_value* died_at = nullptr;
  kith_process* child = nullptr;

  bench() = default;
  bench(const bench&) = delete;
  bench& operator=(const bench&) = delete;
  ~bench() {
    kith_process_kill(child);
    kith_exit end{};
    if (child != nullptr) (void)kith_process_wait(child, patience_ms, &end);
    kith_process_close(child);
    kith_event_close(ready);
    kith_lock_close(lock);
    kith_value_close(died_at);
  }

  kith_status start(kith_entry entry) {
    kith_status status = kith_event_create(nullptr, &ready);
    if (status == KITH_OK) status = kith_lock_create(nullptr, &lock);
    if (status == KITH_OK) status = kith_value_create(KITH_I64, nullptr, nullptr, &died_at);
    if (status != KITH_OK) return status;
    const kith_share shares[] = {{"ready", ready}, {"lock", lock}, {"died_at", died_at}};
    kith_process_options options{};
    options.struct_size = size_of_options<kith_process_options>();
    options.entry = entry;
    options.shares = shares;
    options.share_count = 3;
    status = kith_process_spawn(&options, &child);
    return status == KITH_OK ? kith_event_wait(ready, patience_ms) : status;
  }
};

// ---- the checks --------------------------------------------------------------------------------------------------------------------

void add_version(report& to) {
  const bool same = kith_version() == KITH_VERSION && kith_abi_version() == KITH_ABI_VERSION;
  const int32_t version = kith_version();
  to.push_back({"kith", same ? verdict::ok : verdict::failed,
                std::to_string(version / 10'000) + "." + std::to_string(version / 100 % 100) + "." +
                    std::to_string(version % 100) + ", ABI " + std::to_string(kith_abi_version()),
                same ? "" : "this program was compiled with another kith.h than the library that it found"});
}

void add_memory(report& to) {
  constexpr size_t size = size_t{1} << 20;
  kith_memory* memory = nullptr;
  const kith_status status = kith_memory_create(size, nullptr, &memory);
  kith_memory_close(memory);
  to.push_back({"shared_memory", status == KITH_OK ? verdict::ok : verdict::failed,
                status == KITH_OK ? "yes" : status_text(status), ""});
}

void add_feature(report& to, const char* name, int32_t feature, verdict without, const char* remark) {
  const bool has = kith_has(feature) != 0;
  to.push_back({name, has ? verdict::ok : without, has ? "yes" : "no", has ? "" : remark});
}

void add_features(report& to) {
  add_feature(to, "sealed_memory", KITH_HAS_SEALED_MEMORY, verdict::fallback,
              "a peer that goes out of its way can shrink what it was given (SIGBUS)");
  add_feature(to, "read_only_shares", KITH_HAS_READ_ONLY_SHARE, verdict::fallback,
              "a peer that goes out of its way can write to what it was given for reading");
  add_feature(to, "process_handles", KITH_HAS_PROCESS_HANDLE, verdict::fallback,
              "the end of a process that is no child is noticed within 25 ms instead of at once");
  add_feature(to, "fork", KITH_HAS_FORK, verdict::missing,
              "KITH_START_FORK is for POSIX; KITH_START_SPAWN works everywhere");
}

void add_start(report& to) {
  bench used;
  const clock::time_point began = clock::now();
  const kith_status status = used.start(say_hello);
  const std::string took = ms_text(clock::now() - began);
  to.push_back({"start_of_a_function", status == KITH_OK ? verdict::ok : verdict::failed,
                status == KITH_OK ? took : status_text(status), ""});
}

void add_death_of_owner(report& to) {
  bench used;
  kith_status status = used.start(die_with_lock);
  if (status == KITH_OK) status = kith_lock_acquire(used.lock, patience_ms);
  int64_t died_at = 0;
  const int64_t noticed_at = now_ns();
  if (status != KITH_OWNER_DIED || kith_value_load(used.died_at, &died_at, sizeof died_at) != KITH_OK) {
    to.push_back({"death_of_a_lock_owner", verdict::failed, status_text(status),
                  "it should have been KITH_OWNER_DIED"});
    return;
  }
  const auto late = std::chrono::nanoseconds(noticed_at - died_at);
  // The end of a process takes a millisecond or two; where deaths are looked for every 25 ms, 13 in the middle.
  const bool is_told = late < std::chrono::milliseconds(5);
  to.push_back({"death_of_a_lock_owner", is_told ? verdict::ok : verdict::fallback,
                "noticed after " + ms_text(late),
                is_told ? "" : "it is looked for every 25 ms, or this machine is busy"});
}

void add_channel(report& to) {
  kith_channel *a = nullptr, *b = nullptr;
  char text[8] = {};
  size_t size = 0;
  kith_status status = kith_channel_create(nullptr, &a, &b);
  if (status == KITH_OK) status = kith_channel_send(a, "hello", 5, patience_ms);
  if (status == KITH_OK) status = kith_channel_recv(b, text, sizeof text, &size, patience_ms);
  kith_channel_close(a);
  kith_channel_close(b);
  to.push_back({"channel", status == KITH_OK ? verdict::ok : verdict::failed,
                status == KITH_OK ? "yes" : status_text(status), ""});
}

void add_readers_handle(report& to) {
  kith_broadcast* broadcast = nullptr;
  kith_reader* reader = nullptr;
  int64_t handle = 0;
  kith_status status = kith_broadcast_create(nullptr, &broadcast);
  if (status == KITH_OK) status = kith_broadcast_subscribe(broadcast, 0, &reader);
  if (status == KITH_OK) status = kith_reader_poll_handle(reader, &handle);
  kith_reader_close(reader);
  kith_broadcast_close(broadcast);
  const bool works = status == KITH_OK || status == KITH_E_UNSUPPORTED;
  to.push_back({"handle_of_a_reader",
                status == KITH_OK ? verdict::ok
                : works           ? verdict::fallback
                                  : verdict::failed,
                status == KITH_OK ? "yes"
                : works           ? "no"
                                  : status_text(status),
                status == KITH_OK ? "" : "a loop looks at the readers of broadcasts every 25 ms"});
}

void add_names(report& to) {
  std::vector<named> all;
  const kith_status status = list_names(all);
  if (status != KITH_OK) {
    to.push_back({"names", verdict::failed, status_text(status), "they lie in " + place_of_names()});
    return;
  }
  const auto left =
      std::count_if(all.begin(), all.end(), [](const named& each) { return each.info.stale != 0; });
  to.push_back({"names", verdict::ok, std::to_string(all.size()) + " in " + place_of_names(), ""});
  to.push_back({"left_over_names", verdict::fact, std::to_string(left),
                left == 0 ? "" : "crashes have left them: kith ls shows and kith gc removes them"});
}

}  // namespace

report examine() {
  report all;
  add_version(all);
  add_system(all);
  add_limits(all);
  add_memory(all);
  add_features(all);
  add_calls(all);
  add_channel(all);
  add_readers_handle(all);
  add_names(all);
  add_start(all);
  add_death_of_owner(all);
  return all;
}

}  // namespace command
