// SPDX-License-Identifier: MIT
#include "parking_model.h"

namespace model {

namespace {

using at = parking_model::at;

// As in the real tickets: the low two bits are the state.
enum slot_state : uint8_t { idle = 0, waiting = 1, woken = 2, state_mask = 3 };

uint8_t turn(uint8_t ticket, slot_state to) { return static_cast<uint8_t>(((ticket | state_mask) + 1) | to); }
uint8_t in_state(uint8_t ticket, slot_state to) { return static_cast<uint8_t>((ticket & ~state_mask) | to); }

int place(int slot, parking_model::word which) { return slot * parking_model::words_of_slot + which; }

bool is_over(at now) { return now == at::finished || now == at::dead; }

uint8_t bit(int c) { return static_cast<uint8_t>(1u << c); }

// The generations of a slot's tickets, which are only compared for equality, and counted up.
struct generations {
  bool used[64] = {};

  void see(uint8_t ticket) { used[ticket >> 2] = true; }

  void renumber(uint8_t& ticket) const {
    unsigned rank = 0;
    for (int i = 0; i < ticket >> 2; ++i) rank += used[i];
    ticket = static_cast<uint8_t>(rank << 2 | (ticket & state_mask));
  }
};

// Calls `visit` for each place where a ticket of the slot is kept.
template <class State, class Visit>
void each_ticket(State& s, int slot, Visit visit) {
  const int where = place(slot, parking_model::ticket);
  visit(s.shared.words[where]);
  for (int c = 0; c < parking_setup::most_cores; ++c) {
    for (int i = 0; i < s.shared.counts[c]; ++i)
      if (s.shared.buffers[c][i].where == where) visit(s.shared.buffers[c][i].value);
    if (s.cores[c].slot == slot) visit(s.cores[c].ticket);
  }
}

}  // namespace

parking_model::state parking_model::first() const {
  state s{};
  s.crashes_left = static_cast<uint8_t>(setup.crashes);
  for (int c = 0; c < parking_setup::most_cores; ++c)
    s.cores[c].now = c >= cores ? at::finished : is_waker(c) ? at::change_word : at::look;
  return s;
}

const char* parking_model::violation(const state& s) const {
  switch (s.what) {
    case broken::nothing: return nullptr;
    case broken::slot_shared: return "two live waiters share a slot";
    case broken::wrong_waiter: return "a wake reaches a waiter of another word";
    case broken::passed_over: return "a wake passes over a sleeper";
  }
  return "no such violation";
}

// A waiter whose word stays zero, as the waker was killed, waits for ever, and rightly so.
bool parking_model::ended(const state& s) const {
  for (int c = 0; c < cores; ++c) {
    if (is_over(s.cores[c].now)) continue;
    if (is_waker(c) || s.shared.words[word_of(s, c)] != 0) return false;
    for (int other = setup.waiters; other < cores; ++other)
      if (!is_over(s.cores[other].now)) return false;
  }
  return s.shared.drained();
}

void parking_model::add(const state& s, int c, const char* what, sink& out, luck kind) const {
  state next = s;
  for (int slot = 0; slot < setup.slots; ++slot) {
    generations known;
    each_ticket(next, slot, [&](uint8_t ticket) { known.see(ticket); });
    each_ticket(next, slot, [&](uint8_t& ticket) { known.renumber(ticket); });
  }
  out.add(next, c, what, kind);
}

void parking_model::steps(const state& s, sink& out) const {
  for (int c = 0; c < cores; ++c) {
    for (int i = 0; i < s.shared.counts[c]; ++i) {
      if (!s.shared.may_commit(c, i)) continue;
      state next = s;
      next.shared.commit(c, i);
      const int where = s.shared.buffers[c][i].where;
      static const char* const names[] = {"'s store to the occupant arrives", "'s store to the key arrives",
                                          "'s store to the ticket arrives", "'s store to the bell arrives"};
      add(next, c, where >= first_key ? "'s store to the word arrives" : names[where % words_of_slot], out);
    }
    if (is_over(s.cores[c].now)) continue;
    core_steps(s, c, out);
    if (s.crashes_left > 0) crash(s, c, out);
  }
}

void parking_model::core_steps(const state& s, int c, sink& out) const {
  const at now = s.cores[c].now;
  if (now <= at::take)
    look_steps(s, c, out);
  else if (now <= at::nap)
    claim_steps(s, c, out);
  else if (now <= at::write_key_late)
    register_steps(s, c, out);
  else if (now <= at::asleep)
    sleep_steps(s, c, out);
  else if (now <= at::free_slot)
    leave_steps(s, c, out);
  else if (now <= at::scan_key)
    scan_steps(s, c, out);
  else
    ring_steps(s, c, out);
}

void parking_model::crash(const state& s, int c, sink& out) const {
  state next = s;
  --next.crashes_left;
  stop_sleep(next, c);
  next.cores[c] = {};
  next.cores[c].now = at::dead;
  add(next, c, "is killed", out, luck::accident);
}

// Of core c. What it has stored is visible before its death is, as the kernel's end of a process is ordered after all it did.
bool parking_model::is_dead(const state& s, int c) const {
  return s.cores[c].now == at::dead && s.shared.counts[c] == 0;
}

void parking_model::next_round(state& s, int c) const {
  const uint8_t done = static_cast<uint8_t>(s.cores[c].round + 1);
  const bool more = done < parking_setup::most_rounds && setup.keys[c][done] != 0;
  s.cores[c] = {};
  s.cores[c].now = !more ? at::finished : is_waker(c) ? at::change_word : at::look;
  s.cores[c].round = more ? done : 0;
}

// The caller of park, who looks at the word before and after.
void parking_model::look_steps(const state& s, int c, sink& out) const {
  state next = s;
  core_state& core = next.cores[c];
  if (core.now == at::take) {
    if (next.shared.compare_exchange(c, word_of(s, c), core.seen, static_cast<uint8_t>(core.seen - 1)))
      next_round(next, c);
    else
      core.now = at::look;
    return add(next, c, "takes one", out);
  }
  core.seen = s.shared.load(c, word_of(s, c));
  core.slot = 0;
  if (core.seen == 0)
    core.now = at::find_free;
  else if (setup.kind == change::adds)
    core.now = at::take;
  else
    next_round(next, c);
  add(next, c, "looks at the word", out);
}

void parking_model::claimed(state& s, int c) const {
  core_state& core = s.cores[c];
  core.holds = static_cast<uint8_t>(core.slot + 1);
  core.seen = 0;
  core.now = has(parking_fault::bell_reset_after_registering) ? at::write_key : at::reset_bell;
  for (int other = 0; other < cores; ++other)
    if (other != c && s.cores[other].holds == core.holds) s.what = broken::slot_shared;
}

// Not this slot: the next one, or the second search, or none.
void parking_model::pass_over(core_state& core) const {
  const bool among_dead = core.now > at::claim_free;
  core.seen = 0;
  core.now = among_dead ? at::find_dead : at::find_free;
  if (++core.slot < setup.slots) return;
  core.slot = 0;
  core.now = among_dead ? at::nap : at::find_dead;
}

// claim_slot
void parking_model::claim_steps(const state& s, int c, sink& out) const {
  state next = s;
  core_state& core = next.cores[c];
  const int where = place(core.slot, occupant);
  const uint8_t me = static_cast<uint8_t>(c + 1);
  switch (core.now) {
    case at::find_free:
    case at::find_dead:
      core.seen = s.shared.load(c, where);
      if ((core.seen == 0) == (core.now == at::find_free))
        core.now = core.now == at::find_free ? at::claim_free : at::probe;
      else
        pass_over(core);
      return add(next, c, "reads the occupant", out);
    case at::probe:
      if (is_dead(s, core.seen - 1))
        core.now = at::claim_dead;
      else
        pass_over(core);
      return add(next, c, "asks whether the occupant lives", out);
    case at::nap: core.now = at::look; return add(next, c, "has napped", out);
    default:
      if (has(core.now == at::claim_free ? parking_fault::slot_claimed_by_plain_store
                                         : parking_fault::dead_replaced_by_plain_store)) {
        next.shared.store(c, where, me);
        claimed(next, c);
      } else if (next.shared.compare_exchange(c, where, core.seen, me)) {
        claimed(next, c);
      } else {
        pass_over(core);
      }
      return add(next, c, "claims the slot", out);
  }
}

// The first half of park.
void parking_model::register_steps(const state& s, int c, sink& out) const {
  state next = s;
  core_state& core = next.cores[c];
  const int ticket_place = place(core.slot, ticket);
  switch (core.now) {
    case at::reset_bell:
    case at::reset_bell_late:
      next.shared.store(c, place(core.slot, bell), 0);
      core.now = core.now == at::reset_bell_late                ? at::fence
                 : has(parking_fault::key_written_after_ticket) ? at::read_ticket
                                                                : at::write_key;
      return add(next, c, "resets the bell", out);
    case at::write_key:
    case at::write_key_late:
      next.shared.store(c, place(core.slot, key), key_of(s, c));
      core.now = core.now == at::write_key ? at::read_ticket : at::fence;
      return add(next, c, "writes the key", out);
    case at::read_ticket:
      core.ticket = s.shared.load(c, ticket_place);
      core.now = at::write_waiting;
      return add(next, c, "reads the ticket", out);
    default:
      core.ticket =
          has(parking_fault::ticket_without_generation) ? uint8_t{waiting} : turn(core.ticket, waiting);
      next.shared.store(c, ticket_place, core.ticket,
                        has(parking_fault::waiting_stored_relaxed) ? order::relaxed : order::release);
      core.now = has(parking_fault::bell_reset_after_registering) ? at::reset_bell_late
                 : has(parking_fault::key_written_after_ticket)   ? at::write_key_late
                                                                  : at::fence;
      return add(next, c, "registers", out);
  }
}

// The core's sleep is over, or somebody has marked it: no waker misses it from now on.
void parking_model::stop_sleep(state& s, int c) const {
  for (core_state& waker : s.cores) waker.unmarked = static_cast<uint8_t>(waker.unmarked & ~bit(c));
}

void parking_model::sleep_steps(const state& s, int c, sink& out) const {
  state next = s;
  core_state& core = next.cores[c];
  switch (core.now) {
    case at::fence:
      if (!has(parking_fault::park_fence_missing)) next.shared.flush(c);
      core.now = has(parking_fault::word_not_looked_at_in_park) ? at::sleep : at::look_again;
      return add(next, c, "passes the fence", out);
    case at::look_again:
      core.now = s.shared.load(c, word_of(s, c)) == 0 ? at::sleep : at::read_ticket_leaving;
      return add(next, c, "looks at the word again", out);
    case at::sleep: {
      next.shared.flush(c);  // a system call
      uint8_t& ring = next.shared.words[place(core.slot, bell)];
      core.now = ring == 0 ? at::asleep : at::read_ticket_leaving;
      if (setup.bells == bell_kind::event) ring = 0;
      return add(next, c, "sleeps unless the bell has rung", out);
    }
    default:
      if (!setup.slices) return;
      stop_sleep(next, c);
      core.now = at::read_ticket_leaving;
      return add(next, c, "'s slice ends", out);
  }
}

// leave_slot
void parking_model::leave_steps(const state& s, int c, sink& out) const {
  state next = s;
  core_state& core = next.cores[c];
  const bool freed_first = has(parking_fault::freed_before_deaf);
  switch (core.now) {
    case at::read_ticket_leaving:
      core.ticket = s.shared.load(c, place(core.slot, ticket));
      core.now = freed_first ? at::free_slot : at::write_idle;
      return add(next, c, "reads the ticket to leave", out);
    case at::write_idle:
      core.ticket = has(parking_fault::ticket_without_generation) ? uint8_t{idle} : turn(core.ticket, idle);
      if (has(parking_fault::idle_by_plain_store))
        next.shared.store(c, place(core.slot, ticket), core.ticket);
      else
        next.shared.exchange(c, place(core.slot, ticket), core.ticket, order::release);
      core.ticket = 0;
      core.now = freed_first ? at::look : at::free_slot;
      return add(next, c, "makes the slot deaf", out);
    default:
      next.shared.store(c, place(core.slot, occupant), 0, order::release);
      core.holds = 0;
      core.now = freed_first ? at::write_idle : at::look;
      return add(next, c, "frees the slot", out);
  }
}

// Who sleeps for the waker's word, and has not been marked yet.
uint8_t parking_model::sleepers(const state& s, int c) const {
  uint8_t found = 0;
  for (int other = 0; other < setup.waiters; ++other) {
    const core_state& core = s.cores[other];
    if (core.now == at::asleep && key_of(s, other) == key_of(s, c) &&
        s.shared.words[place(core.slot, ticket)] == core.ticket)
      found = static_cast<uint8_t>(found | bit(other));
  }
  return found;
}

void parking_model::next_slot(state& s, int c) const {
  core_state& core = s.cores[c];
  core.ticket = 0;
  core.now = at::scan_ticket;
  if (++core.slot < setup.slots) return;
  if (core.unmarked != 0) s.what = broken::passed_over;
  next_round(s, c);
}

// One is woken, which is enough, or not.
void parking_model::woke(state& s, int c) const {
  if (setup.kind == change::opens)
    next_slot(s, c);
  else
    next_round(s, c);
}

// The waker changes the word, and unpark looks for whom to wake.
void parking_model::scan_steps(const state& s, int c, sink& out) const {
  state next = s;
  core_state& core = next.cores[c];
  switch (core.now) {
    case at::change_word:
      if (setup.kind == change::opens)
        next.shared.store(c, word_of(s, c), 1);
      else
        next.shared.exchange(c, word_of(s, c), static_cast<uint8_t>(s.shared.words[word_of(s, c)] + 1));
      core.now = at::unpark_fence;
      return add(next, c, "changes the word", out);
    case at::unpark_fence:
      if (!has(parking_fault::unpark_fence_missing)) next.shared.flush(c);
      core.unmarked = sleepers(next, c);
      core.now = at::scan_ticket;
      return add(next, c, "passes the fence of unpark", out);
    case at::scan_ticket:
      core.ticket = s.shared.load(c, place(core.slot, ticket));
      if ((core.ticket & state_mask) == waiting)
        core.now = at::scan_key;
      else
        next_slot(next, c);
      return add(next, c, "reads the ticket of a slot", out);
    default:
      if (s.shared.load(c, place(core.slot, key)) == key_of(s, c))
        core.now = at::mark;
      else
        next_slot(next, c);
      return add(next, c, "reads the key of the slot", out);
  }
}

// The waker has marked a ticket; is there a registered waiter that believes it is its own?
void parking_model::marked(state& s, int c) const {
  const core_state& waker = s.cores[c];
  for (int other = 0; other < setup.waiters; ++other) {
    const core_state& core = s.cores[other];
    if (core.holds != waker.slot + 1 || core.ticket != waker.ticket) continue;
    if (core.now <= at::write_waiting || core.now > at::asleep) continue;
    if (key_of(s, other) != key_of(s, c)) s.what = broken::wrong_waiter;
    stop_sleep(s, other);
  }
}

void parking_model::ring_steps(const state& s, int c, sink& out) const {
  state next = s;
  core_state& core = next.cores[c];
  const int bell_place = place(core.slot, bell);
  switch (core.now) {
    case at::mark: {
      const int where = place(core.slot, ticket);
      const uint8_t mark = in_state(core.ticket, woken);
      if (has(parking_fault::marked_by_plain_store)) {
        next.shared.store(c, where, mark);
        marked(next, c);
        core.now = at::ring;
      } else if (next.shared.compare_exchange(c, where, core.ticket, mark, order::release)) {
        marked(next, c);
        core.now = at::ring;
      } else if (has(parking_fault::failed_mark_counted)) {
        woke(next, c);
      } else {
        next_slot(next, c);
      }
      return add(next, c, "marks the ticket", out);
    }
    case at::ring:
      next.shared.store(c, bell_place, 1);
      next.shared.flush(c);
      core.ticket = 0;
      core.now = at::wake_sleeper;
      if (setup.bells == bell_kind::futex) return add(next, c, "rings the bell", out);
      [[fallthrough]];  // an event is rung and wakes in one step
    default:
      for (int other = 0; other < setup.waiters; ++other) {
        core_state& sleeper = next.cores[other];
        if (sleeper.now != at::asleep || sleeper.slot != core.slot) continue;
        stop_sleep(next, other);
        sleeper.now = at::read_ticket_leaving;
        if (setup.bells == bell_kind::event) next.shared.words[bell_place] = 0;
        break;
      }
      woke(next, c);
      return add(next, c, "wakes who sleeps on the bell", out);
  }
}

}  // namespace model
