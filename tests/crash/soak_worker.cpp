// SPDX-License-Identifier: MIT
// What workers do with each object, and what must hold.
#include <thread>

#include "soak.h"

namespace soak {

namespace {

uint64_t up_to(actor& self, uint64_t bound) { return next_random(self.random) % bound; }
bool one_in(actor& self, uint64_t bound) { return up_to(self, bound) == 0; }

// Stays where it is for a while, so that it is killed there often.
void linger(actor& self) {
  const uint64_t kind = up_to(self, 12);
  if (kind == 0) std::this_thread::yield();
  if (kind != 1) return;
  const uint64_t end = now_us() + up_to(self, 300);
  while (now_us() < end) {
  }
}

void note_wait(actor& self, object_id object, uint64_t waited_us) {
  std::atomic<uint64_t>& longest = self.mine->longest_wait_us[object];
  if (waited_us > longest) longest = waited_us;
}

// A wait that may be in vain ended so. Only if it was short, that is no news.
void gave_up(actor& self, int64_t timeout_ms) {
  if (timeout_ms == longest_wait_ms)
    fail(self, "waited for %lld ms in vain", static_cast<long long>(timeout_ms));
}

void note_death(actor& self, object_id object, kith_status told) {
  if (told == KITH_OWNER_DIED) add(self.mine->deaths_told[object]);
}

// Says who is inside now. Whoever still stands there was killed, and then we were told.
void take_room(actor& self, room& where, kith_status told) {
  const uint64_t found = where.inside.exchange(self.me);
  const auto who = static_cast<unsigned long long>(found);
  if (found == 0) return;
  if (told == KITH_OK) fail(self, "worker %llx is inside, too, and no death was told", who);
  if (!is_doomed(*self.notes, found)) fail(self, "was told of a death, but worker %llx inside lives", who);
}

}  // namespace

// ---- locks -------------------------------------------------------------------------------------------------------------------

kith_status enter(actor& self, object_id object, kith_lock* lock, room& where, int64_t timeout_ms) {
  begin(self, object, acquiring);
  const uint64_t start = now_us();
  const kith_status status = kith_lock_acquire(lock, timeout_ms);
  note_wait(self, object, now_us() - start);
  if (status == KITH_E_TIMEOUT) gave_up(self, timeout_ms);
  if (status == KITH_E_TIMEOUT) return status;
  if (status != KITH_OK && status != KITH_OWNER_DIED) {
    fail(self, "gave %s", kith_status_name(status));
    return status;
  }
  note_death(self, object, status);
  take_room(self, where, status);
  return status;
}

void leave(actor& self, kith_lock* lock, room& where) {
  self.mine->operation = releasing;
  where.inside = 0;
  expect(self, "kith_lock_release", kith_lock_release(lock), KITH_OK);
}

void check_pair(actor& self, kith_lock* lock, pair_room& pair, kith_status told) {
  const uint64_t a = pair.a;
  const uint64_t b = pair.b;
  const auto shown_a = static_cast<unsigned long long>(a);
  const auto shown_b = static_cast<unsigned long long>(b);
  if (told == KITH_OK && a != b) fail(self, "a is %llu, b is %llu, and no death was told", shown_a, shown_b);
  if (a != b && a != b + 1) fail(self, "a is %llu, b is %llu: never written so", shown_a, shown_b);
  if (told != KITH_OWNER_DIED) return;
  pair.b = a;
  self.mine->operation = marking;
  expect(self, "kith_lock_mark_consistent", kith_lock_mark_consistent(lock), KITH_OK);
}

namespace {

void change_pair(actor& self, pair_room& pair) {
  self.mine->operation = outside;
  const uint64_t next = pair.a + 1;
  pair.a = next;
  linger(self);
  pair.b = next;
}

// More of the same lock by the same thread: as often as one likes, or not at all. Gives how often it must be released for it.
uint64_t acquire_again(actor& self, kith_lock* lock, bool recursive) {
  self.mine->operation = acquiring_again;
  if (!recursive) {
    if (one_in(self, 8))
      expect(self, "a second acquire", kith_lock_acquire(lock, longest_wait_ms), KITH_E_DEADLOCK);
    return 0;
  }
  const uint64_t times = up_to(self, 4);
  for (uint64_t i = 0; i < times; ++i)
    expect(self, "a second acquire", kith_lock_acquire(lock, longest_wait_ms), KITH_OK);
  return times;
}

void use_pair(actor& self, object_id object, kith_lock* lock, pair_room& pair) {
  const kith_status told = enter(self, object, lock, pair, some_timeout(self));
  if (told < KITH_OK || self.wrong) return;
  check_pair(self, lock, pair, told);
  const uint64_t times = acquire_again(self, lock, object == recursive_lock);
  change_pair(self, pair);
  self.mine->operation = releasing;
  for (uint64_t i = 0; i < times; ++i) expect(self, "kith_lock_release", kith_lock_release(lock), KITH_OK);
  leave(self, lock, pair);
  // A depth that a dead owner left behind would show here.
  if (one_in(self, 4)) expect(self, "a release too many", kith_lock_release(lock), KITH_E_NOT_OWNER);
}

void use_plain_lock(actor& self) { use_pair(self, plain_lock, self.all.plain, self.notes->plain); }
void use_recursive_lock(actor& self) {
  use_pair(self, recursive_lock, self.all.recursive, self.notes->recursive);
}
void use_array_lock(actor& self) {
  use_pair(self, array_lock, kith_array_lock(self.all.array), pair_in_array(self.all));
}

// ---- semaphores --------------------------------------------------------------------------------------------------------------

// Read twice alike: as every permit taken is another number, so they all stood there at the moment between.
bool read_permits(const board& notes, uint64_t (&permits)[most_workers]) {
  for (uint32_t i = 0; i < notes.workers; ++i) permits[i] = notes.places[i].permit;
  for (uint32_t i = 0; i < notes.workers; ++i)
    if (notes.places[i].permit != permits[i]) return false;
  return true;
}

constexpr uint32_t taken_bits = 24;

void check_holders(actor& self) {
  uint64_t permits[most_workers];
  if (!read_permits(*self.notes, permits)) return;
  uint32_t holders = 0;
  for (uint32_t i = 0; i < self.notes->workers; ++i) {
    // Who is doomed may be dead, and its permit somebody else's.
    const bool lives = permits[i] != 0 && !is_doomed(*self.notes, permits[i] >> taken_bits);
    holders += lives ? 1u : 0u;
  }
  if (holders > permit_count) fail(self, "%u hold a permit, and there are %u", holders, permit_count);
}

void use_permit(actor& self) {
  begin(self, owned_semaphore, acquiring);
  const int64_t timeout_ms = some_timeout(self);
  const uint64_t start = now_us();
  const kith_status told = kith_semaphore_acquire(self.all.permits, timeout_ms);
  note_wait(self, owned_semaphore, now_us() - start);
  if (told == KITH_E_TIMEOUT) return gave_up(self, timeout_ms);
  if (told < KITH_OK) return expect(self, "kith_semaphore_acquire", told, KITH_OK);
  note_death(self, owned_semaphore, told);
  self.mine->operation = outside;
  self.mine->permit = self.me << taken_bits | (++self.permits_taken & ((1u << taken_bits) - 1));
  check_holders(self);
  linger(self);
  check_holders(self);
  self.mine->operation = releasing;
  self.mine->permit = 0;
  expect(self, "kith_semaphore_release", kith_semaphore_release(self.all.permits), KITH_OK);
  if (one_in(self, 4))
    expect(self, "a release too many", kith_semaphore_release(self.all.permits), KITH_E_NOT_OWNER);
}

void take_signal(actor& self) {
  begin(self, signal_semaphore, acquiring);
  const int64_t timeout_ms = some_timeout(self);
  self.mine->doubt = taking_signal;
  const uint64_t start = now_us();
  const kith_status status = kith_semaphore_acquire(self.all.signals, timeout_ms);
  if (status == KITH_OK) add(self.mine->signals_taken);
  self.mine->doubt = no_doubt;
  note_wait(self, signal_semaphore, now_us() - start);
  if (status == KITH_E_TIMEOUT) return gave_up(self, timeout_ms);
  expect(self, "kith_semaphore_acquire", status, KITH_OK);
}

void give_signal(actor& self) {
  begin(self, signal_semaphore, releasing);
  self.mine->doubt = giving_signal;
  const kith_status status = kith_semaphore_release(self.all.signals);
  if (status == KITH_OK) add(self.mine->signals_given);
  self.mine->doubt = no_doubt;
  if (status != KITH_E_LIMIT) expect(self, "kith_semaphore_release", status, KITH_OK);
  const uint32_t available = kith_semaphore_available(self.all.signals);
  if (available > most_signals) fail(self, "%u signals, and %u are the most", available, most_signals);
}

void use_signals(actor& self) { one_in(self, 2) ? take_signal(self) : give_signal(self); }

// ---- conditions --------------------------------------------------------------------------------------------------------------

// Waits in a room; whoever waits there is not inside. KITH_OWNER_DIED: repair.
kith_status wait_in(actor& self, kith_condition* condition, kith_lock* lock, room& where,
                    int64_t timeout_ms) {
  const auto object = static_cast<object_id>(self.mine->object.load());
  self.mine->operation = waiting;
  where.inside = 0;
  const kith_status status = kith_condition_wait(condition, lock, timeout_ms);
  if (status != KITH_OK && status != KITH_OWNER_DIED && status != KITH_E_TIMEOUT) {
    fail(self, "gave %s", kith_status_name(status));
    return status;
  }
  note_death(self, object, status);
  take_room(self, where, status == KITH_OWNER_DIED ? status : KITH_OK);
  return status;
}

bool is_ready(const queue_room& queue, bool produces) {
  return produces ? queue.count < queue_capacity : queue.count > 0;
}

// Nobody waits for long for what is there.
void check_wait(actor& self, bool produces, uint64_t start) {
  const queue_room& queue = self.notes->queue;
  if (!is_ready(queue, produces)) return;
  const uint64_t ready = produces ? queue.not_full_since_us : queue.not_empty_since_us;
  const uint64_t now = now_us();
  const uint64_t from = ready > start ? ready : start;
  const uint64_t waited = now > from ? now - from : 0;
  note_wait(self, bounded_queue, waited);
  if (waited / 1000 < static_cast<uint64_t>(longest_wait_ms)) return;
  fail(self, "waited for %llu ms though it was %s", static_cast<unsigned long long>(waited / 1000),
       produces ? "not full" : "not empty");
}

}  // namespace

// Whoever was killed may have owed a notification.
void repair_queue(actor& self) {
  queue_room& queue = self.notes->queue;
  queue.count = queue.produced - queue.consumed;
  queue.not_empty_since_us = now_us();
  queue.not_full_since_us = now_us();
  self.mine->operation = notifying;
  expect(self, "kith_condition_notify_all", kith_condition_notify_all(self.all.not_empty), KITH_OK);
  expect(self, "kith_condition_notify_all", kith_condition_notify_all(self.all.not_full), KITH_OK);
  self.mine->operation = marking;
  expect(self, "kith_lock_mark_consistent", kith_lock_mark_consistent(self.all.queue), KITH_OK);
}

void check_queue(actor& self, kith_status told) {
  if (told == KITH_OWNER_DIED) repair_queue(self);
  const queue_room& queue = self.notes->queue;
  const uint64_t count = queue.count;
  if (count == queue.produced - queue.consumed && count <= queue_capacity) return;
  fail(self, "%llu produced, %llu consumed, and %llu there", static_cast<unsigned long long>(queue.produced),
       static_cast<unsigned long long>(queue.consumed), static_cast<unsigned long long>(count));
}

void change_queue(actor& self, bool produce) {
  self.mine->operation = outside;
  queue_room& queue = self.notes->queue;
  if (produce) {
    if (queue.count == 0) queue.not_empty_since_us = now_us();
    queue.produced = queue.produced + 1;
    linger(self);
    queue.count = queue.count + 1;
  } else {
    if (queue.count == queue_capacity) queue.not_full_since_us = now_us();
    queue.consumed = queue.consumed + 1;
    linger(self);
    queue.count = queue.count - 1;
  }
  self.mine->operation = notifying;
  kith_condition* const changed = produce ? self.all.not_empty : self.all.not_full;
  expect(self, "kith_condition_notify", kith_condition_notify(changed, 1), KITH_OK);
}

// Whoever was killed inside may have come for a ticket, with a notification that is used up; and when nobody else waits, nobody can be
// notified in its place. So what is posted is void, and those who still come for it find nothing.
void repair_tickets(actor& self) {
  self.notes->tickets.tickets = 0;
  self.mine->operation = notifying;
  expect(self, "kith_condition_notify_all", kith_condition_notify_all(self.all.ticket_posted), KITH_OK);
  self.mine->operation = marking;
  expect(self, "kith_lock_mark_consistent", kith_lock_mark_consistent(self.all.tickets), KITH_OK);
}

namespace {

void use_queue(actor& self) {
  queue_room& queue = self.notes->queue;
  const bool produce = one_in(self, 2);
  kith_condition* const ready = produce ? self.all.not_full : self.all.not_empty;
  const kith_status told = enter(self, bounded_queue, self.all.queue, queue, longest_wait_ms);
  if (told < KITH_OK || self.wrong) return;
  check_queue(self, told);
  while (!self.wrong && !is_ready(queue, produce)) {
    const uint64_t start = now_us();
    const kith_status status = wait_in(self, ready, self.all.queue, queue, some_timeout(self));
    if (self.wrong) return;
    check_queue(self, status);
    check_wait(self, produce, start);
    if (status == KITH_E_TIMEOUT && !is_ready(queue, produce)) return leave(self, self.all.queue, queue);
  }
  change_queue(self, produce);
  leave(self, self.all.queue, queue);
}

// A ticket is taken by one who was notified, never by one who comes along: so a notification that is lost leaves a ticket, and the
// parent sees it. Waits without end: whoever the parent sees waiting can be notified.
void use_tickets(actor& self) {
  ticket_room& office = self.notes->tickets;
  const kith_status told = enter(self, ticket_office, self.all.tickets, office, longest_wait_ms);
  if (told < KITH_OK || self.wrong) return;
  if (told == KITH_OWNER_DIED) repair_tickets(self);
  if (self.notes->stop != 0) return leave(self, self.all.tickets, office);
  self.mine->awaits_ticket = 1;
  const kith_status status = wait_in(self, self.all.ticket_posted, self.all.tickets, office, KITH_FOREVER);
  if (self.wrong) return;
  self.mine->awaits_ticket = 0;
  if (status == KITH_OWNER_DIED) repair_tickets(self);
  if (office.tickets != 0) {
    note_wait(self, ticket_office, now_us() - office.since_us);
    office.tickets = office.tickets - 1;
    add(self.mine->tickets_taken);
  }
  leave(self, self.all.tickets, office);
}

// ---- events ------------------------------------------------------------------------------------------------------------------

void wait_for_event(actor& self, object_id object, kith_event* event) {
  begin(self, object, waiting);
  const int64_t timeout_ms = some_timeout(self);
  const uint64_t start = now_us();
  const kith_status status = kith_event_wait(event, timeout_ms);
  note_wait(self, object, now_us() - start);
  if (status == KITH_E_TIMEOUT) return gave_up(self, timeout_ms);
  expect(self, "kith_event_wait", status, KITH_OK);
}

void use_auto_event(actor& self) {
  if (!one_in(self, 3)) return wait_for_event(self, auto_event, self.all.auto_reset);
  begin(self, auto_event, setting);
  expect(self, "kith_event_set", kith_event_set(self.all.auto_reset), KITH_OK);
}

void use_manual_event(actor& self) {
  if (!one_in(self, 4)) return wait_for_event(self, manual_event, self.all.manual);
  begin(self, manual_event, setting);
  expect(self, "kith_event_set", kith_event_set(self.all.manual), KITH_OK);
  begin(self, manual_event, clearing);
  expect(self, "kith_event_clear", kith_event_clear(self.all.manual), KITH_OK);
}

// ---- barrier -----------------------------------------------------------------------------------------------------------------

void reset_barrier(actor& self) {
  self.mine->operation = resetting;
  if (kith_barrier_is_broken(self.all.barrier) == 0) return;
  expect(self, "kith_barrier_reset", kith_barrier_reset(self.all.barrier), KITH_OK);
}

void judge_barrier(actor& self, kith_status status, int64_t timeout_ms, uint64_t waited_us) {
  if (status == KITH_E_BROKEN) add(self.mine->barriers_broken);
  if (status == KITH_E_TIMEOUT) {
    const bool early = waited_us + 1000 < static_cast<uint64_t>(timeout_ms) * 1000;
    if (early) add(self.mine->barriers_early);
    if (!early) gave_up(self, timeout_ms);
  } else if (status != KITH_E_BROKEN && status != KITH_LAST) {
    expect(self, "kith_barrier_wait", status, KITH_OK);
  }
}

void use_barrier(actor& self) {
  begin(self, barrier, waiting);
  const int64_t timeout_ms = one_in(self, 8) ? static_cast<int64_t>(1 + up_to(self, 30)) : longest_wait_ms;
  uint32_t number = 0;
  self.mine->doubt = passing_barrier;
  const uint64_t start = now_us();
  const kith_status status = kith_barrier_wait(self.all.barrier, timeout_ms, &number);
  if (status == KITH_OK) add(self.mine->barriers_passed);
  if (status == KITH_LAST) add(self.mine->barriers_last);
  self.mine->doubt = no_doubt;
  const uint64_t waited = now_us() - start;
  note_wait(self, barrier, waited);
  judge_barrier(self, status, timeout_ms, waited);
  if (number >= barrier_parties) fail(self, "gave the number %u to one of %u", number, barrier_parties);
  if (status < KITH_OK && !self.wrong) reset_barrier(self);
}

}  // namespace

const turn turns[object_count] = {
    use_plain_lock, use_recursive_lock, use_array_lock, use_permit, use_signals, use_queue, use_tickets,
    use_auto_event, use_manual_event,   use_barrier,    use_line,   use_items,   use_told,  use_held};

// ---- the worker --------------------------------------------------------------------------------------------------------------

namespace {

// So many of one kind in a row: few where one waits for the parent, many where there is contention for microseconds.
constexpr uint64_t most_turns[object_count] = {400, 400, 400, 400, 400, 100, 2, 10, 4, 50, 60, 200, 200, 200};

bool goes_on(const actor& self) { return self.notes->stop == 0 && !self.wrong; }

}  // namespace

int32_t work(const void* argument, size_t size) {
  if (size != sizeof(worker_argument)) return 2;
  const auto& given = *static_cast<const worker_argument*>(argument);
  actor self;
  if (!inherit_objects(self.all)) return 3;
  self.notes = static_cast<board*>(kith_memory_data(self.all.memory));
  self.mine = &self.notes->places[given.place];
  self.me = name_of(given.number, given.place);
  self.random = given.seed;
  while (goes_on(self)) {
    const auto object = static_cast<object_id>(up_to(self, object_count));
    for (uint64_t left = 1 + up_to(self, most_turns[object]); left != 0 && goes_on(self); --left) {
      turns[object](self);
      add(self.mine->uses[object]);
      add(self.mine->progress);
    }
  }
  // What a worker that fails still holds looks to the others like what a killed one held.
  if (self.wrong) self.mine->doomed = self.me;
  stop_listening(self);
  close_objects(self.all);
  return self.wrong ? 1 : 0;
}

}  // namespace soak
