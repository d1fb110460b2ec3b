// SPDX-License-Identifier: MIT
#include "queue.h"

namespace kith::shm {

namespace {

struct item_header {
  uint64_t size;
  uint64_t unused;
};
static_assert(sizeof(item_header) == ring_alignment);

uint64_t bytes_of(uint64_t size) { return sizeof(item_header) + ring_padded(size); }

uint64_t relaxed(const std::atomic<uint64_t>& word) { return word.load(std::memory_order_relaxed); }
void set(std::atomic<uint64_t>& word, uint64_t value) { word.store(value, std::memory_order_relaxed); }

// How far items have been put, as far as who takes must know: to behind `tail`.
uint64_t head_beyond(const queue_view& self, uint64_t tail) {
  const uint64_t seen = relaxed(self.state->seen_head);
  if (seen != tail && seen - tail <= self.ring.size) return seen;
  const uint64_t head =
      self.state->head.load(std::memory_order_acquire);  // pairs with the release in try_put
  set(self.state->seen_head, head);
  return head;
}

// How many bytes are used, as far as who puts must know: whether there is room for `bytes` more.
uint64_t used_before(const queue_view& self, uint64_t head, uint64_t bytes) {
  const uint64_t seen = head - relaxed(self.state->seen_tail);
  if (seen <= self.ring.size && self.ring.size - seen >= bytes) return seen;
  const uint64_t tail =
      self.state->tail.load(std::memory_order_acquire);  // pairs with the release in try_get
  set(self.state->seen_tail, tail);
  return head - tail;
}

// The item at `tail`. KITH_E_BUSY: there is none; KITH_E_PROTOCOL: what is there is none of ours.
kith_status look(const queue_view& self, uint64_t tail, item_header& out) {
  const uint64_t used = head_beyond(self, tail) - tail;
  if (used == 0) return KITH_E_BUSY;
  if (used > self.ring.size || used % ring_alignment != 0 || tail % ring_alignment != 0)
    return KITH_E_PROTOCOL;
  self.ring.copy_out(tail, &out, sizeof out);
  return out.size <= used && bytes_of(out.size) <= used ? KITH_OK : KITH_E_PROTOCOL;
}

// ---- the notes of what is being done ------------------------------------------------------------------------------------------
//
// While next_head (next_tail) is not head (tail), a put (take) is being done. The releases keep the order in which a process that is killed has
// written them.

void begin_put(queue_state& state, uint64_t head, uint64_t puts) {
  state.next_puts.store(puts, std::memory_order_relaxed);
  state.next_head.store(head, std::memory_order_release);
}

void begin_take(queue_state& state, uint64_t tail, uint64_t takes) {
  state.next_tail.store(tail, std::memory_order_relaxed);
  state.next_takes.store(takes, std::memory_order_release);
}

// Items ever put, also while one is being put, and when its putter was killed in the middle: it may have counted an item that never was.
// Seq_cst, with the store in count_put: who joins has no lock, and looks after it has raised its flag.
uint64_t puts_so_far(const queue_state& state) {
  return state.head.load() == state.next_head.load() ? state.puts.load() : state.next_puts.load() - 1;
}

// Items ever taken: who was killed in the middle has perhaps not counted what it took.
uint64_t takes_so_far(const queue_state& state) {
  return state.tail.load() == state.next_tail.load() ? state.next_takes.load() : state.takes.load();
}

// ---- after a death -----------------------------------------------------------------------------------------------------------

void repair_puts(queue_state& state) {
  set(state.puts, puts_so_far(state));
  state.next_head.store(relaxed(state.head), std::memory_order_release);  // not before puts is right
}

bool is_of_the_dead(const queue_desk& desk) {
  return relaxed(desk.tasks) != 0 && platform::alive(identity{relaxed(desk.process)}) == liveness::dead;
}

// A desk may say too much, never too little: a task is written there before it is taken, and called done before it is crossed out. So it is a
// dead one's desk that says too much now.
void repair_desks(const queue_view& self) {
  if (self.desks == nullptr) return;
  uint64_t on_desks = 0;
  for (uint32_t i = 0; i < queue_desks; ++i) on_desks += relaxed(self.desks[i].tasks);
  const uint64_t open = relaxed(self.state->takes) - relaxed(self.state->done);
  uint64_t too_many = on_desks > open ? on_desks - open : 0;
  for (uint32_t i = 0; i < queue_desks && too_many != 0; ++i) {
    queue_desk& desk = self.desks[i];
    if (!is_of_the_dead(desk)) continue;
    const uint64_t tasks = relaxed(desk.tasks), crossed_out = tasks < too_many ? tasks : too_many;
    set(desk.tasks, tasks - crossed_out);
    too_many -= crossed_out;
  }
}

// A call that does not wait waits for the lock all the same: it is held for microseconds, and an item that is there must be found.
constexpr uint64_t lock_patience_ns = 20 * ns_per_ms;

patience limits_for_lock(const patience& limits) {
  patience own = limits;
  if (limits.until.at_ns == at_once.at_ns)
    own.until = deadline_after(platform::clock_now(), lock_patience_ns);
  return own;
}

// One of the two locks, for the time of a step.
class access {
 public:
  access(const queue_view& self, lock_state& lock, const patience& limits) : self_(self), lock_(lock) {
    status_ = lock_try_fast(lock) ? KITH_OK : lock_acquire_slow(lock, *self.waiting, limits_for_lock(limits));
    if (status_ == KITH_OWNER_DIED) status_ = repair();
  }
  ~access() {
    if (status_ == KITH_OK) (void)lock_release(lock_, *self_.waiting);
  }
  access(const access&) = delete;
  access& operator=(const access&) = delete;
  kith_status status() const { return status_; }

 private:
  kith_status repair() {
    if (&lock_ == &self_.state->put_lock) {
      repair_puts(*self_.state);
    } else {
      set(self_.state->takes, takes_so_far(*self_.state));
      repair_desks(self_);
    }
    return lock_mark_consistent(lock_);
  }

  const queue_view& self_;
  lock_state& lock_;
  kith_status status_;
};

// Waits until nobody is in the middle of a put.
kith_status settle_puts(const queue_view& self, const patience& limits) {
  return access(self, self.state->put_lock, limits).status();
}

// ---- sleepers -------------------------------------------------------------------------------------------------------------------

// Who finds nothing raises a flag, makes a heavy fence and looks again, then sleeps on the flag; who changes something looks at the flag then,
// after the light fence that lies in the release of its lock. So one of them sees what the other did.
void wake_one(const queue_view& self, std::atomic<uint64_t>& flag) {
  if (relaxed(flag) == 0) return;
  flag.store(0);
  platform::wake(*self.waiting, flag, 1);
}

// Tries until it succeeds or must stop. `attempt` answers KITH_E_BUSY for "not now"; `possible` tells whether it, or that of the next
// sleeper, would succeed; `worth_while` what a spin waits for.
template <class Attempt, class Possible, class WorthWhile>
kith_status keep_trying(const queue_view& self, std::atomic<uint64_t>& flag, const patience& limits,
                        Attempt attempt, Possible possible, WorthWhile worth_while) {
  kith_status status = attempt();
  if (status != KITH_E_BUSY) return status;
  // Rare: where items stream, who looks seldom finds several at a look, and the other side keeps its line meanwhile.
  if (limits.spin_for(worth_while, pace::rare) || possible()) status = attempt();
  waiter waiting(limits);
  bool announced = false;
  while (status == KITH_E_BUSY) {
    const uint64_t now = platform::clock_now();
    status = waiting.must_stop(now);
    if (status != KITH_OK) break;
    flag.store(1);
    announced = true;
    platform::heavy_fence();  // the same
    status = attempt();
    if (status != KITH_E_BUSY) break;
    waiting.sleep(*self.waiting, flag, 1, {}, now);
    status = attempt();
  }
  if (!announced) return status;
  waiting.sleep_no_more();
  flag.store(1);
  platform::heavy_fence();  // pairs with the light one in the release of the lock of who makes it possible
  // Who goes without may have had a wake that is of use to another: to one whose item is smaller, or whose buffer is larger.
  if (status != KITH_OK || possible()) wake_one(self, flag);
  return status;
}

bool has_items(const queue_view& self) { return self.state->head.load() != self.state->tail.load(); }

bool is_shut(const queue_view& self) { return self.state->shut.load() != 0; }

// ---- putting -------------------------------------------------------------------------------------------------------------------

bool may_have_one_more(const queue_view& self) {
  const uint64_t most = relaxed(self.state->most_items);
  return most == 0 || puts_so_far(*self.state) - takes_so_far(*self.state) < most;
}

bool has_room(const queue_view& self, uint64_t bytes) {
  const uint64_t used = relaxed(self.state->head) - relaxed(self.state->tail);
  return used <= self.ring.size && self.ring.size - used >= bytes && may_have_one_more(self);
}

uint64_t larger(uint64_t a, uint64_t b) { return a > b ? a : b; }

// So much that who waits for room to come back has something to do.
bool has_room_for_some(const queue_view& self) { return has_room(self, self.ring.size / 4); }

// Seq_cst for who joins, without the lock. Where nobody can, an atomic instruction would wait until the item has left this core.
void count_put(const queue_view& self, uint64_t puts) {
  if (self.desks == nullptr) return self.state->puts.store(puts, std::memory_order_release);
  self.state->puts.store(puts);
}

kith_status try_put(const queue_view& self, const void* data, uint64_t size, const patience& limits) {
  const access locked(self, self.state->put_lock, limits);
  if (locked.status() != KITH_OK) return locked.status();
  if (is_shut(self)) return KITH_E_CLOSED;
  const uint64_t head = relaxed(self.state->head), bytes = bytes_of(size);
  const uint64_t used = used_before(self, head, bytes);
  if (used > self.ring.size || head % ring_alignment != 0) return KITH_E_PROTOCOL;
  if (self.ring.size - used < bytes || !may_have_one_more(self)) return KITH_E_BUSY;
  const item_header header{size, 0};
  self.ring.copy_in(head, &header, sizeof header);
  self.ring.copy_in(head + sizeof header, data, size);
  const uint64_t puts = relaxed(self.state->puts) + 1;
  begin_put(*self.state, head + bytes, puts);
  count_put(self, puts);
  self.state->head.store(head + bytes, std::memory_order_release);  // pairs with the acquire in head_beyond
  return KITH_OK;
}

// ---- taking -----------------------------------------------------------------------------------------------------------------------

// The desk of this process, or else one without tasks, or else nullptr. Each process looks from another place on, so that it finds its own
// at once; and none has its own behind one that nobody ever had.
queue_desk* find_desk(const queue_view& self) {
  const identity me = platform::self();
  queue_desk* free = nullptr;
  for (uint32_t i = 0; i < queue_desks; ++i) {
    queue_desk& desk = self.desks[(me.pid() + i) % queue_desks];
    const identity owner{relaxed(desk.process)};
    if (owner == me) return &desk;
    if (free == nullptr && relaxed(desk.tasks) == 0) free = &desk;
    if (owner.nobody()) break;
  }
  return free;
}

// No more than there are: one process may call done what another one has on its desk.
void call_done(const queue_view& self, uint64_t tasks) {
  const uint64_t done = relaxed(self.state->done), open = relaxed(self.state->takes) - done;
  self.state->done.store(done + (tasks < open ? tasks : open));  // seq_cst, for who joins
}

// The tasks of the dead count as done: nobody else will call them so.
void clear_desks_of_the_dead(const queue_view& self) {
  for (uint32_t i = 0; i < queue_desks; ++i) {
    queue_desk& desk = self.desks[i];
    if (!is_of_the_dead(desk)) continue;
    // Lost first: were we killed before the desk is clear, a loss would be told twice, but not missed.
    set(self.state->lost, relaxed(self.state->lost) + relaxed(desk.tasks));
    call_done(self, relaxed(desk.tasks));
    set(desk.tasks, 0);
  }
}

kith_status take_desk(const queue_view& self) {
  if (self.desks == nullptr) return KITH_OK;
  queue_desk* desk = find_desk(self);
  if (desk == nullptr) {
    clear_desks_of_the_dead(self);
    desk = find_desk(self);
  }
  if (desk == nullptr) return KITH_E_LIMIT;
  set(desk->process, platform::self().bits);
  set(desk->tasks, relaxed(desk->tasks) + 1);
  return KITH_OK;
}

kith_status try_get(const queue_view& self, queue_item& item, const patience& limits) {
  const access locked(self, self.state->take_lock, limits);
  if (locked.status() != KITH_OK) return locked.status();
  const uint64_t tail = relaxed(self.state->tail);
  item_header header;
  kith_status status = look(self, tail, header);
  if (status != KITH_OK) return status;
  item.size = header.size;
  if (header.size > item.capacity) return KITH_E_TOO_LARGE;
  if (status = take_desk(self); status != KITH_OK) return status;
  self.ring.copy_out(tail + sizeof header, item.buffer, header.size);
  const uint64_t next = tail + bytes_of(header.size), takes = relaxed(self.state->takes) + 1;
  begin_take(*self.state, next, takes);
  self.state->tail.store(next, std::memory_order_release);    // pairs with the acquire in used_before
  self.state->takes.store(takes, std::memory_order_release);  // not before tail: see begin_take
  return KITH_OK;
}

// Of a queue that is shut and empty, KITH_E_CLOSED. Who looked before the shutdown may still be putting; who gets the lock afterwards sees it.
kith_status get_or_learn_the_end(const queue_view& self, queue_item& item, const patience& limits) {
  kith_status status = try_get(self, item, limits);
  if (status != KITH_E_BUSY || !is_shut(self)) return status;
  if (status = settle_puts(self, limits); status != KITH_OK) return status;
  status = try_get(self, item, limits);
  return status == KITH_E_BUSY ? KITH_E_CLOSED : status;
}

}  // namespace

kith_status queue_put(const queue_view& self, const void* data, uint64_t size, const patience& limits) {
  if (size > self.ring.size || bytes_of(size) > self.ring.size) return KITH_E_TOO_LARGE;
  const kith_status status = keep_trying(
      self, self.state->putters, limits, [&] { return try_put(self, data, size, limits); },
      [&] { return is_shut(self) || has_room(self, bytes_of(size)); },
      // Not for one item only, or each would wait for the taker of the one before.
      [&] { return is_shut(self) || has_room(self, larger(bytes_of(size), self.ring.size / 8)); });
  if (status != KITH_OK) return status;
  wake_one(self, self.state->takers);
  tell_pollers(self.state->poll_takers, self.bells);
  return KITH_OK;
}

kith_status queue_get(const queue_view& self, queue_item& item, const patience& limits) {
  const auto may_come = [&] { return is_shut(self) || has_items(self); };
  const kith_status status = keep_trying(
      self, self.state->takers, limits, [&] { return get_or_learn_the_end(self, item, limits); }, may_come,
      may_come);
  if (status != KITH_OK) return status;
  wake_one(self, self.state->putters);
  // Told when it is worth while to come: not for each item that a full queue loses.
  platform::light_fence();  // pairs with the heavy one of who raised the flag
  if (relaxed(self.state->poll_putters) != 0 && has_room_for_some(self))
    ring_pollers(self.state->poll_putters, self.bells);
  return KITH_OK;
}

void queue_shut(const queue_view& self) {
  self.state->shut.store(1);
  queue_wake_all(self);
}

uint64_t queue_count(const queue_view& self) {
  const uint64_t count = puts_so_far(*self.state) - takes_so_far(*self.state);
  return count <= self.ring.size / sizeof(item_header) ? count : 0;  // read while another one changes them
}

void queue_wake_all(const queue_view& self) {
  for (std::atomic<uint64_t>* flag : {&self.state->takers, &self.state->putters, &self.state->joiners}) {
    flag->store(0);  // one that has looked, and does not sleep yet, must not
    platform::wake(*self.waiting, *flag, UINT32_MAX);
  }
  tell_pollers(self.state->poll_takers, self.bells);
  tell_pollers(self.state->poll_putters, self.bells);
}

uint32_t queue_ready(const queue_view& self, uint32_t events) {
  if (is_shut(self)) return events;
  uint32_t ready = 0;
  if ((events & KITH_WAIT_READ) != 0 && has_items(self)) ready |= KITH_WAIT_READ;
  if ((events & KITH_WAIT_WRITE) != 0 && has_room_for_some(self)) ready |= KITH_WAIT_WRITE;
  return ready;
}

// ---- tasks ------------------------------------------------------------------------------------------------------------------------

namespace {

// Done is read first: what is put meanwhile can then only make it look less done than it is.
bool all_are_done(const queue_view& self) {
  const uint64_t done = self.state->done.load();
  return done == puts_so_far(*self.state);
}

// Of whom, when not of this process: any, so that there are as many tasks on the desks as are open.
queue_desk* desk_with_a_task(const queue_view& self) {
  queue_desk* const own = find_desk(self);
  if (own != nullptr && relaxed(own->tasks) != 0) return own;
  for (uint32_t i = 0; i < queue_desks; ++i) {
    if (relaxed(self.desks[i].tasks) != 0) return &self.desks[i];
  }
  return nullptr;
}

kith_status call_one_done(const queue_view& self, const patience& limits) {
  const access locked(self, self.state->take_lock, limits);
  if (locked.status() != KITH_OK) return locked.status();
  if (relaxed(self.state->done) == relaxed(self.state->takes)) return KITH_E_NOT_OWNER;
  call_done(self, 1);
  queue_desk* const desk = desk_with_a_task(self);
  if (desk != nullptr) set(desk->tasks, relaxed(desk->tasks) - 1);
  return KITH_OK;
}

bool a_worker_died(const queue_view& self) {
  for (uint32_t i = 0; i < queue_desks; ++i) {
    if (is_of_the_dead(self.desks[i])) return true;
  }
  return false;
}

// KITH_E_BUSY: tasks are open.
kith_status conclude(const queue_view& self, uint64_t lost_before, const patience& limits) {
  const access locked(self, self.state->take_lock, limits);
  if (locked.status() != KITH_OK) return locked.status();
  clear_desks_of_the_dead(self);
  if (!all_are_done(self)) return KITH_E_BUSY;
  // News are also losses that nobody was told of: another one's wait may have ended before all was done.
  const uint64_t lost = relaxed(self.state->lost);
  const bool news = lost != lost_before || lost != relaxed(self.state->told);
  set(self.state->told, lost);
  return news ? KITH_OWNER_DIED : KITH_OK;
}

}  // namespace

kith_status queue_task_done(const queue_view& self, const patience& limits) {
  if (self.desks == nullptr) return KITH_E_MISMATCH;
  const kith_status status = call_one_done(self, limits);
  if (status == KITH_OK && all_are_done(self) && self.state->joiners.exchange(0) != 0)
    platform::wake(*self.waiting, self.state->joiners, UINT32_MAX);
  return status;
}

kith_status queue_join(const queue_view& self, const patience& limits) {
  if (self.desks == nullptr) return KITH_E_MISMATCH;
  const uint64_t lost_before = self.state->lost.load();
  waiter waiting(limits);
  uint64_t now = platform::clock_now();
  bool look_around = passed(limits.until, now) && waiting.should_look_around_when_polling(now);
  for (;;) {
    if (all_are_done(self) || (look_around && a_worker_died(self))) {
      const kith_status status = conclude(self, lost_before, limits);
      if (status != KITH_E_BUSY) return status;
    }
    if (const kith_status stop = waiting.must_stop(now); stop != KITH_OK) return stop;
    self.state->joiners.store(1);
    if (!all_are_done(self)) waiting.sleep(*self.waiting, self.state->joiners, 1, {{}, true}, now);
    now = platform::clock_now();
    look_around = waiting.should_look_around();
  }
}

}  // namespace kith::shm
