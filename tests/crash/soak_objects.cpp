// SPDX-License-Identifier: MIT
#include <chrono>
#include <cstdarg>
#include <cstdio>

#include "soak.h"

namespace soak {

const char* const object_names[object_count + 1] = {
    "lock",    "recursive lock",     "lock of an array", "semaphore",         "signal semaphore",
    "queue",   "ticket (condition)", "auto-reset event", "manual event",      "barrier",
    "channel", "items (queue)",      "broadcast",        "holding broadcast", "nothing yet"};

const char* const operation_names[operation_count] = {
    "starting", "acquire", "acquire again", "release",     "mark consistent", "wait",          "notify",
    "set",      "clear",   "reset",         "send or put", "receive or get",  "outside a call"};

// ---- objects -----------------------------------------------------------------------------------------------------------------

namespace {

template <class Options>
Options with_flags(uint32_t flags) {
  Options options{};
  options.struct_size = sizeof options;
  options.flags = flags;
  return options;
}

bool create_semaphores(objects& all) {
  auto signal = with_flags<kith_semaphore_options>(KITH_SEMAPHORE_SIGNAL);
  signal.maximum = most_signals;
  return kith_semaphore_create(permit_count, nullptr, &all.permits) == KITH_OK &&
         kith_semaphore_create(signals_at_first, &signal, &all.signals) == KITH_OK;
}

bool create_locks(objects& all) {
  const auto recursive = with_flags<kith_lock_options>(KITH_LOCK_RECURSIVE);
  const size_t words = (sizeof(pair_room) + 7) / 8;
  return kith_lock_create(nullptr, &all.plain) == KITH_OK &&
         kith_lock_create(&recursive, &all.recursive) == KITH_OK &&
         kith_lock_create(nullptr, &all.queue) == KITH_OK &&
         kith_lock_create(nullptr, &all.tickets) == KITH_OK &&
         kith_array_create(KITH_U64, words, nullptr, &all.array) == KITH_OK;
}

bool create_items(objects& all) {
  kith_queue_options options{};
  options.struct_size = sizeof options;
  options.capacity = item_room;
  return kith_queue_create(&options, &all.items) == KITH_OK;
}

bool create_conditions(objects& all) {
  return kith_condition_create(nullptr, &all.not_empty) == KITH_OK &&
         kith_condition_create(nullptr, &all.not_full) == KITH_OK &&
         kith_condition_create(nullptr, &all.ticket_posted) == KITH_OK;
}

}  // namespace

bool create_objects(objects& all) {
  const auto auto_reset = with_flags<kith_event_options>(KITH_EVENT_AUTO_RESET);
  return kith_memory_create(sizeof(board), nullptr, &all.memory) == KITH_OK && create_locks(all) &&
         create_semaphores(all) && create_conditions(all) &&
         kith_event_create(&auto_reset, &all.auto_reset) == KITH_OK &&
         kith_event_create(nullptr, &all.manual) == KITH_OK &&
         kith_barrier_create(barrier_parties, nullptr, &all.barrier) == KITH_OK && create_items(all) &&
         create_broadcasts(all);
}

bool inherit_objects(objects& all) {
  return kith_memory_inherit("board", &all.memory) == KITH_OK &&
         kith_lock_inherit("plain", &all.plain) == KITH_OK &&
         kith_lock_inherit("recursive", &all.recursive) == KITH_OK &&
         kith_array_inherit("array", &all.array) == KITH_OK &&
         kith_semaphore_inherit("permits", &all.permits) == KITH_OK &&
         kith_semaphore_inherit("signals", &all.signals) == KITH_OK &&
         kith_lock_inherit("queue", &all.queue) == KITH_OK &&
         kith_condition_inherit("not empty", &all.not_empty) == KITH_OK &&
         kith_condition_inherit("not full", &all.not_full) == KITH_OK &&
         kith_lock_inherit("tickets", &all.tickets) == KITH_OK &&
         kith_condition_inherit("ticket posted", &all.ticket_posted) == KITH_OK &&
         kith_event_inherit("auto-reset", &all.auto_reset) == KITH_OK &&
         kith_event_inherit("manual", &all.manual) == KITH_OK &&
         kith_barrier_inherit("barrier", &all.barrier) == KITH_OK &&
         kith_queue_inherit("items", &all.items) == KITH_OK &&
         kith_broadcast_inherit("told", &all.told) == KITH_OK &&
         kith_broadcast_inherit("held", &all.held) == KITH_OK &&
         kith_channel_inherit("line", &all.line) == KITH_OK;
}

void list_shares(const objects& all, kith_share* shares) {
  const kith_share listed[share_count] = {{"board", all.memory},
                                          {"plain", all.plain},
                                          {"recursive", all.recursive},
                                          {"array", all.array},
                                          {"permits", all.permits},
                                          {"signals", all.signals},
                                          {"queue", all.queue},
                                          {"not empty", all.not_empty},
                                          {"not full", all.not_full},
                                          {"tickets", all.tickets},
                                          {"ticket posted", all.ticket_posted},
                                          {"auto-reset", all.auto_reset},
                                          {"manual", all.manual},
                                          {"barrier", all.barrier},
                                          {"items", all.items},
                                          {"told", all.told},
                                          {"held", all.held}};
  for (size_t i = 0; i < share_count; ++i) shares[i] = listed[i];
}

void close_objects(objects& all) {
  kith_lock_close(all.plain);
  kith_lock_close(all.recursive);
  kith_array_close(all.array);
  kith_semaphore_close(all.permits);
  kith_semaphore_close(all.signals);
  kith_lock_close(all.queue);
  kith_condition_close(all.not_empty);
  kith_condition_close(all.not_full);
  kith_lock_close(all.tickets);
  kith_condition_close(all.ticket_posted);
  kith_event_close(all.auto_reset);
  kith_event_close(all.manual);
  kith_barrier_close(all.barrier);
  kith_queue_close(all.items);
  kith_broadcast_close(all.told);
  kith_broadcast_close(all.held);
  kith_channel_close(all.line);
  kith_memory_close(all.memory);
  all = {};
}

pair_room& pair_in_array(const objects& all) { return *static_cast<pair_room*>(kith_array_data(all.array)); }

// ---- actors ------------------------------------------------------------------------------------------------------------------

bool is_doomed(const board& notes, uint64_t name) {
  const uint64_t at = name & ((1u << place_bits) - 1);
  return at <= notes.workers && notes.places[at].doomed >= name;
}

uint64_t now_us() {
  const auto since_start = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(since_start).count());
}

// splitmix64
uint64_t next_random(uint64_t& state) {
  state += 0x9E3779B97F4A7C15u;
  uint64_t mixed = state;
  mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9u;
  mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBu;
  return mixed ^ (mixed >> 31);
}

void add(std::atomic<uint64_t>& counter, uint64_t more) { counter.store(counter.load() + more); }

void begin(actor& self, object_id object, operation_id operation) {
  self.mine->object = object;
  self.mine->operation = operation;
}

void fail(actor& self, const char* format, ...) {
  if (self.wrong) return;
  self.wrong = true;
  place& mine = *self.mine;
  mine.failed = ++self.notes->failures;  // first, so that a kill meanwhile does not hide it
  const int used = std::snprintf(mine.failure, sizeof mine.failure, "%s, %s: ", object_names[mine.object],
                                 operation_names[mine.operation]);
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(mine.failure + used, sizeof mine.failure - static_cast<size_t>(used), format, arguments);
  va_end(arguments);
}

void expect(actor& self, const char* call, kith_status status, kith_status expected) {
  if (status != expected) fail(self, "%s gave %s", call, kith_status_name(status));
}

}  // namespace soak
