// SPDX-License-Identifier: MIT
// The lock word (src/shm/lock_word.h) as abstract steps, one access to shared memory each.
//
// Checked: never two inside; the protected data is what the last owner left; whoever takes the lock is told of a death exactly when the last
// owner died inside, until somebody has marked the data consistent; an owner can always release; everybody can always finish, which without
// slices means that no wake is lost.
//
// Left out: the spin before sleeping, the depth of a recursive lock (only its owner reads it), a closed handle or a cancel (they leave like a
// passed deadline), who asks for the owner's name (raises the flag for nothing, as the last waiter that was woken does), and time: a slice and a deadline end at any
// moment.
#pragma once

#include "explore.h"
#include "memory.h"

namespace model {

// One known fault each, which the explorer must find.
enum class lock_fault {
  none,
  light_fence_missing,
  heavy_fence_missing,
  flag_not_raised_when_acquired,
  flag_not_raised_when_giving_up,
  word_not_looked_at_when_giving_up,
  sleeper_sleeps_on_the_word,
  word_not_looked_at_before_sleep,
  woken_before_flag_is_down,
  released_by_relaxed_store,
  token_cleared_after_release,
  taken_by_plain_store,
  dead_replaced_by_plain_store,
  verdict_not_kept_in_word,
  verdict_lost_at_release,
};

// What a wake may meet. A futex wakes one who sleeps. The parking lot may also pick one who has registered and does not sleep yet, or not any
// more: its call comes back too.
enum class wait_kind { futex, parking };

struct lock_setup {
  static constexpr int most_cores = 3;

  const char* name;
  int cores = 2;
  uint8_t rounds[most_cores] = {1, 1, 1};      // how often each takes the lock
  uint8_t identities[most_cores] = {1, 2, 3};  // equal ones: threads of one process
  bool membarrier = true;                      // the light fence is none, the heavy one is everybody's
  wait_kind wait = wait_kind::futex;
  bool slices = false;             // a sleep may end by itself, and the sleeper asks whether the owner lives
  int crashes = 0;                 // that may strike at any step
  bool gives_up[most_cores] = {};  // whose deadline may pass
  lock_fault fault = lock_fault::none;
};

struct lock_model {
  enum class at : uint8_t {
    try_fast,
    look,
    probe,
    take,
    replace_dead,
    announce,
    heavy_fence,
    look_again,
    wait,
    registered,  // in the parking lot, before its compare
    asleep,
    leaving,  // in the parking lot, after its sleep
    write_token,
    raise_flag,
    read_data,
    write_data,
    decide,
    mark_consistent,
    check_token,
    clear_token,
    release_word,
    clear_token_late,
    light_fence,
    look_for_waiters,
    lower_flag,
    wake,
    raise_when_leaving,
    fence_when_leaving,
    look_when_leaving,
    finished,
    dead,
  };

  struct core_state {
    at now;
    uint8_t seen;  // the word as it was last read
    uint8_t rounds;
    uint8_t announced;
    uint8_t probing;
    uint8_t told;    // the verdict of this round
    uint8_t inside;  // from the compare-and-swap that took the lock to the store that releases it
    uint8_t leaves;  // this wake is the last thing it does
  };

  enum word : uint8_t { lock, token, waiters, data, word_count };
  enum class broken : uint8_t { nothing, exclusion, stale_data, false_verdict, missed_verdict, not_owner };

  struct state {
    memory<lock_setup::most_cores, word_count, 8> shared;
    core_state cores[lock_setup::most_cores];
    uint8_t crashes_left;
    // What the checks know and no process does.
    uint8_t suspect;  // an owner died inside, and nobody has marked the data consistent since
    uint8_t written;  // what the data ought to be
    broken what;
  };

  using sink = step_sink<state>;

  explicit lock_model(const lock_setup& chosen) : setup(chosen) {}

  state first() const;
  void steps(const state& s, sink& out) const;
  const char* violation(const state& s) const;
  bool ended(const state& s) const;

 private:
  void core_steps(const state& s, int c, sink& out) const;
  void acquire_steps(const state& s, int c, sink& out) const;
  void sleep_steps(const state& s, int c, sink& out) const;
  void inside_steps(const state& s, int c, sink& out) const;
  void release_steps(const state& s, int c, sink& out) const;
  void give_up_steps(const state& s, int c, sink& out) const;
  void pass_heavy_fence(state& s, int c) const;
  void looked(state& s, int c, sink& out) const;
  void took(state& s, int c, bool told) const;
  void wake_one(const state& s, int c, sink& out) const;
  void crash(const state& s, int c, sink& out) const;
  bool is_dead(const state& s, uint8_t identity) const;
  bool may_sleep(const state& s, int c) const;
  void next_round(core_state& core) const;
  bool has(lock_fault fault) const { return setup.fault == fault; }

  const lock_setup setup;
};

}  // namespace model
