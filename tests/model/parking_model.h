// SPDX-License-Identifier: MIT
// The parking lot (src/shm/parking_lot.h) as abstract steps, one access to shared memory each.
//
// A waiter parks while its word is zero. Checked: no slot has two live occupants; a wake reaches only who waits for its word, however long
// the waker was suspended; a wake passes over no sleeper; every waiter whose word is not zero can finish, which without slices means that no
// wake is lost.
//
// Left out: the wrap of the 62-bit count in a ticket (generations are renumbered, so the count never ends).
#pragma once

#include "explore.h"
#include "memory.h"

namespace model {

// One known fault each, which the explorer must find.
enum class parking_fault {
  none,
  ticket_without_generation,
  word_not_looked_at_in_park,
  park_fence_missing,
  unpark_fence_missing,
  bell_reset_after_registering,
  key_written_after_ticket,
  waiting_stored_relaxed,
  idle_by_plain_store,
  freed_before_deaf,
  slot_claimed_by_plain_store,
  dead_replaced_by_plain_store,
  marked_by_plain_store,
  failed_mark_counted,
};

// A word in the slot with a futex, or an event that is reset when it ends a wait, as on Windows.
enum class bell_kind { futex, event };

// What a waker does to the word: `opens` sets it and wakes all, `adds` adds one and wakes one.
enum class change { opens, adds };

struct parking_setup {
  static constexpr int most_cores = 4;
  static constexpr int most_slots = 2;
  static constexpr int most_rounds = 2;

  const char* name;
  int slots = 2;
  int waiters = 2;  // the first cores
  int wakers = 1;   // those behind them
  uint8_t keys[most_cores][most_rounds] = {
      {1, 0}, {1, 0}, {1, 0}, {1, 0}};  // of each round; 0: no such round
  change kind = change::adds;           // after `adds` each waiter takes one away again
  bell_kind bells = bell_kind::futex;
  bool slices = false;
  int crashes = 0;
  parking_fault fault = parking_fault::none;
};

struct parking_model {
  enum class at : uint8_t {
    look,
    take,
    find_free,
    claim_free,
    find_dead,
    probe,
    claim_dead,
    nap,
    reset_bell,
    write_key,
    read_ticket,
    write_waiting,
    reset_bell_late,
    write_key_late,
    fence,
    look_again,
    sleep,
    asleep,
    read_ticket_leaving,
    write_idle,
    free_slot,
    change_word,
    unpark_fence,
    scan_ticket,
    scan_key,
    mark,
    ring,
    wake_sleeper,
    finished,
    dead,
  };

  struct core_state {
    at now;
    uint8_t round;
    uint8_t slot;
    uint8_t seen;    // a word or an occupant
    uint8_t ticket;  // of `slot`, as it was read or written
    // What the checks know and no process does.
    uint8_t holds;  // slot + 1, from claiming to freeing it
    uint8_t
        unmarked;  // of a waker: the sleepers, a bit each, that were there when it began and that nobody has woken since
  };

  // The words of slot i begin at i * words_of_slot; the words that are waited for follow behind the slots.
  enum word : uint8_t { occupant, key, ticket, bell, words_of_slot };
  static constexpr int first_key = parking_setup::most_slots * words_of_slot;
  static constexpr int word_count = first_key + 2;

  enum class broken : uint8_t { nothing, slot_shared, wrong_waiter, passed_over };

  struct state {
    memory<parking_setup::most_cores, word_count, 6> shared;
    core_state cores[parking_setup::most_cores];
    uint8_t crashes_left;
    broken what;
  };

  using sink = step_sink<state>;

  explicit parking_model(const parking_setup& chosen)
      : setup(chosen), cores(chosen.waiters + chosen.wakers) {}

  state first() const;
  void steps(const state& s, sink& out) const;
  const char* violation(const state& s) const;
  bool ended(const state& s) const;

 private:
  void core_steps(const state& s, int c, sink& out) const;
  void look_steps(const state& s, int c, sink& out) const;
  void claim_steps(const state& s, int c, sink& out) const;
  void register_steps(const state& s, int c, sink& out) const;
  void sleep_steps(const state& s, int c, sink& out) const;
  void leave_steps(const state& s, int c, sink& out) const;
  void scan_steps(const state& s, int c, sink& out) const;
  void ring_steps(const state& s, int c, sink& out) const;
  void claimed(state& s, int c) const;
  void marked(state& s, int c) const;
  void next_slot(state& s, int c) const;
  void woke(state& s, int c) const;
  void pass_over(core_state& core) const;
  void next_round(state& s, int c) const;
  void stop_sleep(state& s, int c) const;
  uint8_t sleepers(const state& s, int c) const;
  void crash(const state& s, int c, sink& out) const;
  bool is_dead(const state& s, int c) const;
  void add(const state& s, int c, const char* what, sink& out, luck kind = luck::usual) const;
  bool has(parking_fault fault) const { return setup.fault == fault; }
  bool is_waker(int c) const { return c >= setup.waiters; }
  uint8_t key_of(const state& s, int c) const { return setup.keys[c][s.cores[c].round]; }
  int word_of(const state& s, int c) const { return first_key + key_of(s, c) - 1; }

  const parking_setup setup;
  const int cores;
};

}  // namespace model
