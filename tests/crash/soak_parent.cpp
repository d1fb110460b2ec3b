// SPDX-License-Identifier: MIT
// Starts, kills and watches the workers, and gives them what they wait for.
#include "soak_parent.h"

namespace soak {

namespace {

constexpr uint64_t abort_interval_us = 300'000;
constexpr int most_tries = 5;
constexpr uint64_t too_many_sets = 50;
constexpr uint64_t too_long_for_sets_us = longest_wait_ms * 1'000;

uint64_t up_to(parent& all, uint64_t bound) { return next_random(all.self.random) % bound; }

}  // namespace

// ---- workers -----------------------------------------------------------------------------------------------------------------

bool start_worker(parent& all, uint32_t at) {
  worker& one = all.workers[at];
  place& where = all.self.notes->places[at];
  where.object = object_count;
  where.operation = starting;
  const worker_argument argument{++all.done.started, next_random(all.self.random), at, 0};
  kith_channel* const line = open_line(all, at);
  kith_share shares[share_count + 1];
  list_shares(all.self.all, shares);
  shares[share_count] = {"line", line};
  kith_process_options options{};
  options.struct_size = sizeof options;
  options.entry = work;
  options.argument = &argument;
  options.argument_size = sizeof argument;
  options.shares = shares;
  options.share_count = share_count + 1;
  kith_status status = kith_process_spawn(&options, &one.process);
  for (int tries = 1; tries < most_tries && status == KITH_E_OS && may_spawn_again(); ++tries)
    status = kith_process_spawn(&options, &one.process);
  kith_channel_close(line);  // the worker's now
  if (status != KITH_OK) {
    fail(all.self, "kith_process_spawn gave %s, of the OS %d", kith_status_name(status), kith_os_error());
    return false;
  }
  one.name = name_of(argument.number, at);
  one.progress_seen = where.progress;
  one.progress_seen_us = now_us();
  return true;
}

void bury(parent& all, uint32_t at, int32_t expected_kind) {
  worker& one = all.workers[at];
  place& where = all.self.notes->places[at];
  kith_exit end{};
  const kith_status status = kith_process_wait(one.process, 60'000, &end);
  if (status != KITH_OK) fail(all.self, "the end of a worker gave %s", kith_status_name(status));
  const bool expected = end.kind == expected_kind && (end.kind != KITH_EXIT_CODE || end.code == 0);
  if (!expected && where.failed == 0) {
    begin(all.self, static_cast<object_id>(where.object.load()),
          static_cast<operation_id>(where.operation.load()));
    fail(all.self, "a worker ended by itself there: kind %d, code %lld", end.kind,
         static_cast<long long>(end.code));
  }
  if (where.failed == 0) finish_line(all, at, end.kind == KITH_EXIT_KILLED);
  kith_process_close(one.process);
  one.process = nullptr;
  // The next one begins anew; what the last one held is the library's business.
  where.permit = 0;
  where.awaits_ticket = 0;
  ++all.done.doubts[where.doubt];
  where.doubt = no_doubt;
}

void kill_worker(parent& all, uint32_t at) {
  worker& one = all.workers[at];
  place& where = all.self.notes->places[at];
  where.doomed = one.name;
  const kith_status status = kith_process_kill(one.process);
  if (status != KITH_OK) fail(all.self, "kith_process_kill gave %s", kith_status_name(status));
  ++all.done.kills;
  bury(all, at, KITH_EXIT_KILLED);
  if (where.object < object_count)
    ++all.done.kills_at[where.object];
  else
    ++all.done.kills_while_starting;
}

// ---- what comes regularly ----------------------------------------------------------------------------------------------------

namespace {

// Each set lets all go that wait, however soon it is cleared: nobody is found in the same wait again and again.
void check_waits_for_sets(parent& all) {
  for (uint32_t at = 0; at < all.wanted.workers; ++at) {
    worker& one = all.workers[at];
    const place& where = all.self.notes->places[at];
    const uint64_t progress = where.progress;
    const bool waits = where.object == manual_event && where.operation == waiting;
    if (one.process == nullptr || !waits || progress != one.sets_progress) {
      one.sets_waited = 0;
      one.sets_progress = progress;
      one.sets_since_us = now_us();
    } else if (++one.sets_waited > too_many_sets && now_us() - one.sets_since_us > too_long_for_sets_us) {
      begin(all.self, manual_event, waiting);
      fail(all.self, "was set %llu times, and somebody still waits",
           static_cast<unsigned long long>(one.sets_waited));
    }
  }
}

void feed_events(parent& all) {
  expect(all.self, "kith_event_set", kith_event_set(all.self.all.auto_reset), KITH_OK);
  // Cleared at once: who waited comes back all the same.
  expect(all.self, "kith_event_set", kith_event_set(all.self.all.manual), KITH_OK);
  expect(all.self, "kith_event_clear", kith_event_clear(all.self.all.manual), KITH_OK);
  check_waits_for_sets(all);
}

void feed_signals(parent& all) {
  if (kith_semaphore_available(all.self.all.signals) > 1) return;
  const kith_status status = kith_semaphore_release(all.self.all.signals);
  if (status == KITH_OK) add(all.self.mine->signals_given);
  if (status != KITH_E_LIMIT) expect(all.self, "kith_semaphore_release", status, KITH_OK);
}

// Workers that wait all on the same side would wait for each other.
void feed_queue(parent& all) {
  actor& self = all.self;
  queue_room& queue = self.notes->queue;
  const kith_status told = enter(self, bounded_queue, self.all.queue, queue, longest_wait_ms);
  if (told < KITH_OK || self.wrong) return;
  check_queue(self, told);
  if (queue.count == 0 || queue.count == queue_capacity) change_queue(self, queue.count == 0);
  leave(self, self.all.queue, queue);
}

void feed_barrier(parent& all) {
  const uint64_t now = now_us();
  if (now - all.last_abort_us < abort_interval_us) return;
  all.last_abort_us = now;
  expect(all.self, "kith_barrier_abort", kith_barrier_abort(all.self.all.barrier), KITH_OK);
}

// Under the lock of the office: whoever has said that it waits, and lives, is in the wait now.
uint32_t ticket_waiters(const parent& all) {
  const board& notes = *all.self.notes;
  uint32_t count = 0;
  for (uint32_t i = 0; i < notes.workers; ++i) count += notes.places[i].awaits_ticket != 0 ? 1u : 0u;
  return count;
}

// The one notification went to somebody who waits. If that one is killed, it must go to another one: there have been enough.
void check_ticket(parent& all, bool somebody_waits) {
  ++all.looks_at_ticket;
  all.looks_with_waiter += somebody_waits ? 1u : 0u;
  const uint64_t age_ms = (now_us() - all.self.notes->tickets.since_us) / 1000;
  const bool often = all.looks_with_waiter * 2 > all.looks_at_ticket && all.looks_with_waiter > 10;
  if (age_ms < static_cast<uint64_t>(longest_wait_ms) || !often) return;
  all.self.mine->operation = waiting;
  fail(all.self,
       "a notification was lost %llu ms ago: nobody has come back with it, and of %llu looks %llu saw "
       "somebody waiting",
       static_cast<unsigned long long>(age_ms), static_cast<unsigned long long>(all.looks_at_ticket),
       static_cast<unsigned long long>(all.looks_with_waiter));
}

// As many as there are waiters, or fewer: each of those who are notified comes back and takes one.
void post_tickets(parent& all, uint64_t count) {
  ticket_room& office = all.self.notes->tickets;
  office.tickets = count;
  office.since_us = now_us();
  all.looks_at_ticket = all.looks_with_waiter = 0;
  all.done.tickets_posted += count;
  all.self.mine->operation = notifying;
  for (; count != 0; --count)
    expect(all.self, "kith_condition_notify", kith_condition_notify(all.self.all.ticket_posted, 1), KITH_OK);
}

// One that was just notified perhaps, and now waits for the lock, which we still hold.
void kill_ticket_waiter(parent& all) {
  const uint64_t end = now_us() + up_to(all, 300);
  while (now_us() < end) {
  }
  const auto first = static_cast<uint32_t>(up_to(all, all.wanted.workers));
  for (uint32_t i = 0; i < all.wanted.workers; ++i) {
    const uint32_t at = (first + i) % all.wanted.workers;
    if (all.workers[at].process == nullptr || all.self.notes->places[at].awaits_ticket == 0) continue;
    ++all.done.kills_while_notified;
    return kill_worker(all, at);
  }
}

void feed_tickets(parent& all) {
  actor& self = all.self;
  ticket_room& office = self.notes->tickets;
  const kith_status told = enter(self, ticket_office, self.all.tickets, office, longest_wait_ms);
  if (told < KITH_OK || self.wrong) return;
  if (told == KITH_OWNER_DIED) repair_tickets(self);
  const uint32_t waiters = ticket_waiters(all);
  if (office.tickets != 0) {
    check_ticket(all, waiters != 0);
  } else if (waiters != 0) {
    post_tickets(all, 1 + up_to(all, waiters));
    if (up_to(all, 16) == 0) kill_ticket_waiter(all);
  }
  if (self.notes->stop != 0) repair_tickets(self);  // lets all go
  leave(self, self.all.tickets, office);
}

}  // namespace

void feed(parent& all) {
  if (all.self.wrong) return;
  feed_events(all);
  feed_signals(all);
  feed_queue(all);
  feed_barrier(all);
  feed_tickets(all);
  feed_items(all);
  feed_broadcasts(all);
  for (uint32_t at = 0; at < all.wanted.workers && !all.self.wrong; ++at)
    if (all.workers[at].process != nullptr) feed_line(all, at);
}

// ---- watching ----------------------------------------------------------------------------------------------------------------

namespace {

void look_whether_stuck(parent& all, uint32_t at) {
  worker& one = all.workers[at];
  const place& where = all.self.notes->places[at];
  const uint64_t progress = where.progress;
  const uint64_t now = now_us();
  if (progress != one.progress_seen) {
    one.progress_seen = progress;
    one.progress_seen_us = now;
  }
  const uint64_t idle_ms = (now - one.progress_seen_us) / 1000;
  if (idle_ms < static_cast<uint64_t>(stuck_after_ms)) return;
  const uint32_t object = where.object;
  const uint32_t operation = where.operation;
  fail(all.self, "worker %llx (process %lld) is stuck for %llu ms in: %s, %s",
       static_cast<unsigned long long>(one.name), static_cast<long long>(kith_process_id(one.process)),
       static_cast<unsigned long long>(idle_ms), object_names[object], operation_names[operation]);
}

}  // namespace

void look_after(parent& all) {
  for (uint32_t at = 0; at < all.wanted.workers; ++at) {
    if (all.workers[at].process == nullptr) continue;
    kith_exit end{};
    const kith_status status = kith_process_wait(all.workers[at].process, 0, &end);
    if (status == KITH_OK) {
      bury(all, at, all.self.notes->stop != 0 ? KITH_EXIT_CODE : KITH_EXIT_KILLED);
      if (all.self.notes->places[at].failed != 0) all.self.wrong = true;
    } else if (status != KITH_E_TIMEOUT) {
      fail(all.self, "kith_process_wait gave %s", kith_status_name(status));
    } else {
      look_whether_stuck(all, at);
    }
  }
}

}  // namespace soak
