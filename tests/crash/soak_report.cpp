// SPDX-License-Identifier: MIT
// What must hold when nobody lives any more, and the figures.
#include <cstdio>

#include "soak_parent.h"

namespace soak {

namespace {

unsigned long long shown(uint64_t number) { return number; }

uint64_t total(const parent& all, std::atomic<uint64_t> (place::*counters)[object_count], uint32_t object) {
  uint64_t sum = 0;
  for (uint32_t i = 0; i <= all.wanted.workers; ++i) sum += (all.self.notes->places[i].*counters)[object];
  return sum;
}

uint64_t longest_us(const parent& all, uint32_t object) {
  uint64_t longest = 0;
  for (uint32_t i = 0; i <= all.wanted.workers; ++i) {
    const uint64_t one = all.self.notes->places[i].longest_wait_us[object];
    if (one > longest) longest = one;
  }
  return longest;
}

// ---- what must hold ------------------------------------------------------------------------------------------------------------

void check_last_pair(actor& self, object_id object, kith_lock* lock, pair_room& pair) {
  const kith_status told = enter(self, object, lock, pair, longest_wait_ms);
  if (told < KITH_OK || self.wrong) return;
  check_pair(self, lock, pair, told);
  leave(self, lock, pair);
}

void check_last_queue(actor& self) {
  const kith_status told = enter(self, bounded_queue, self.all.queue, self.notes->queue, longest_wait_ms);
  if (told < KITH_OK || self.wrong) return;
  check_queue(self, told);
  leave(self, self.all.queue, self.notes->queue);
}

void check_all_permits(actor& self) {
  begin(self, owned_semaphore, acquiring);
  for (uint32_t i = 0; i < permit_count; ++i) {
    const kith_status told = kith_semaphore_acquire(self.all.permits, longest_wait_ms);
    if (told == KITH_OWNER_DIED) add(self.mine->deaths_told[owned_semaphore]);
    if (told < KITH_OK) fail(self, "permit %u of %u gave %s", i + 1, permit_count, kith_status_name(told));
  }
  expect(self, "one permit too many", kith_semaphore_acquire(self.all.permits, 100), KITH_E_TIMEOUT);
  for (uint32_t i = 0; i < permit_count; ++i)
    expect(self, "kith_semaphore_release", kith_semaphore_release(self.all.permits), KITH_OK);
}

// Exact, but for those who were killed in the middle.
void check_signals(parent& all) {
  begin(all.self, signal_semaphore, outside);
  const uint64_t given = signals_at_first + sum_of(all, &place::signals_given);
  const uint64_t taken = sum_of(all, &place::signals_taken);
  const uint64_t available = kith_semaphore_available(all.self.all.signals);
  const bool too_many = available + taken > given + all.done.doubts[giving_signal];
  const bool too_few = available + taken + all.done.doubts[taking_signal] < given;
  if (!too_many && !too_few) return;
  fail(all.self, "%llu given, %llu taken, %llu there; killed while they gave: %llu, took: %llu", shown(given),
       shown(taken), shown(available), shown(all.done.doubts[giving_signal]),
       shown(all.done.doubts[taking_signal]));
}

// For each round one was the last, and the others passed; but for those who were killed before they could say so.
void check_barrier(parent& all) {
  begin(all.self, barrier, outside);
  const uint64_t passed = sum_of(all, &place::barriers_passed);
  const uint64_t expected = sum_of(all, &place::barriers_last) * (barrier_parties - 1);
  const uint64_t killed = all.done.doubts[passing_barrier];
  if (passed > expected + killed * (barrier_parties - 1) || passed + killed < expected)
    fail(all.self, "%llu passed where %llu should have; %llu were killed in it", shown(passed),
         shown(expected), shown(killed));
  expect(all.self, "kith_barrier_reset", kith_barrier_reset(all.self.all.barrier), KITH_OK);
  if (kith_barrier_is_broken(all.self.all.barrier) != 0 || kith_barrier_waiting(all.self.all.barrier) != 0)
    fail(all.self, "it is not whole and empty after the reset");
}

void check_events(parent& all) {
  begin(all.self, auto_event, waiting);
  expect(all.self, "kith_event_set", kith_event_set(all.self.all.auto_reset), KITH_OK);
  expect(all.self, "kith_event_wait", kith_event_wait(all.self.all.auto_reset, 0), KITH_OK);
  expect(all.self, "a second kith_event_wait", kith_event_wait(all.self.all.auto_reset, 0), KITH_E_TIMEOUT);
  begin(all.self, manual_event, waiting);
  expect(all.self, "kith_event_wait", kith_event_wait(all.self.all.manual, 0), KITH_E_TIMEOUT);
}

// Nobody holds two things at a time, and who is told repairs: so there is at most one death to be told for each kill.
void check_deaths(parent& all) {
  begin(all.self, plain_lock, outside);
  if (deaths_told(all) > all.done.kills)
    fail(all.self, "%llu deaths were told, of %llu kills", shown(deaths_told(all)), shown(all.done.kills));
}

}  // namespace

uint64_t sum_of(const parent& all, std::atomic<uint64_t> place::*counter) {
  uint64_t sum = 0;
  for (uint32_t i = 0; i <= all.wanted.workers; ++i) sum += all.self.notes->places[i].*counter;
  return sum;
}

uint64_t deaths_told(const parent& all) {
  uint64_t sum = 0;
  for (uint32_t object = 0; object < object_count; ++object) sum += total(all, &place::deaths_told, object);
  return sum;
}

void check_at_the_end(parent& all) {
  actor& self = all.self;
  check_last_pair(self, plain_lock, self.all.plain, self.notes->plain);
  check_last_pair(self, recursive_lock, self.all.recursive, self.notes->recursive);
  check_last_pair(self, array_lock, kith_array_lock(self.all.array), pair_in_array(self.all));
  check_last_queue(self);
  check_all_permits(self);
  check_signals(all);
  check_barrier(all);
  check_events(all);
  check_items(all);
  check_broadcasts(all);
  check_deaths(all);
}

// ---- figures -------------------------------------------------------------------------------------------------------------------

void print_progress(const parent& all) {
  uint64_t uses = 0;
  for (uint32_t object = 0; object < object_count; ++object) uses += total(all, &place::uses, object);
  std::printf("%4llu s: %llu kills, %llu operations, %llu deaths told\n",
              shown((now_us() - all.began_us) / 1'000'000), shown(all.done.kills), shown(uses),
              shown(deaths_told(all)));
  std::fflush(stdout);
}

void print_table(const parent& all) {
  const tally& done = all.done;
  std::printf("\n%-20s %12s %8s %12s %16s\n", "", "operations", "kills", "deaths told", "longest wait ms");
  for (uint32_t object = 0; object < object_count; ++object) {
    std::printf("%-20s %12llu %8llu %12llu %16.1f\n", object_names[object],
                shown(total(all, &place::uses, object)), shown(done.kills_at[object]),
                shown(total(all, &place::deaths_told, object)),
                static_cast<double>(longest_us(all, object)) / 1000);
  }
  std::printf(
      "kill points: %llu (%llu while starting, %llu while suspended, %llu while notified), suspensions: "
      "%llu, "
      "workers: %llu\n",
      shown(done.kills), shown(done.kills_while_starting), shown(done.kills_while_suspended),
      shown(done.kills_while_notified), shown(done.suspensions), shown(done.started));
  std::printf("barriers: %llu passed, %llu broken, %llu timed out early; tickets: %llu posted, %llu taken\n",
              shown(sum_of(all, &place::barriers_last)), shown(sum_of(all, &place::barriers_broken)),
              shown(sum_of(all, &place::barriers_early)), shown(done.tickets_posted),
              shown(sum_of(all, &place::tickets_taken)));
  std::printf("messages: %llu received by either side, %llu given up; items: %llu\n", shown(done.messages),
              shown(sum_of(all, &place::messages_given_up)), shown(sum_of(all, &place::items_taken)));
  std::printf("broadcasts: %llu and %llu messages\n", shown(kith_broadcast_count(all.self.all.told)),
              shown(kith_broadcast_count(all.self.all.held)));
  std::printf("seconds: %llu, seed: %llu, at a time: %u workers\n",
              shown((now_us() - all.began_us) / 1'000'000), shown(all.wanted.seed), all.wanted.workers);
}

// In the order in which they happened: the first one may have caused the others.
void print_failures(const parent& all) {
  const board& notes = *all.self.notes;
  for (uint32_t order = 1; order <= notes.failures; ++order) {
    for (uint32_t i = 0; i <= all.wanted.workers; ++i) {
      const place& one = notes.places[i];
      if (one.failed != order) continue;
      const char* const who = i == all.wanted.workers ? "parent" : "worker";
      std::printf("FAILED (%s): %s\n", who, one.failure);
    }
  }
}

}  // namespace soak
