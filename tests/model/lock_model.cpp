// SPDX-License-Identifier: MIT
#include "lock_model.h"

namespace model {

namespace {

// As in the real word: the lowest bit is D, the rest names the owner.
constexpr uint8_t died = 1;
uint8_t named(uint8_t identity) { return static_cast<uint8_t>(identity << 1); }
uint8_t owner_of(uint8_t word) { return static_cast<uint8_t>(word >> 1); }

// Threads of one process share an identity but not a token.
uint8_t token_of(int c) { return static_cast<uint8_t>(c + 1); }

using at = lock_model::at;

bool is_live(const lock_model::core_state& core) { return core.now != at::dead; }
bool is_over(const lock_model::core_state& core) { return core.now == at::finished || core.now == at::dead; }

}  // namespace

lock_model::state lock_model::first() const {
  state s{};
  s.crashes_left = static_cast<uint8_t>(setup.crashes);
  for (int c = 0; c < lock_setup::most_cores; ++c) {
    s.cores[c].rounds = setup.rounds[c];
    s.cores[c].now = c < setup.cores ? at::try_fast : at::finished;
  }
  return s;
}

const char* lock_model::violation(const state& s) const {
  switch (s.what) {
    case broken::nothing: return nullptr;
    case broken::exclusion: return "two are inside";
    case broken::stale_data: return "an owner does not see what the last one wrote";
    case broken::false_verdict: return "OWNER_DIED although nobody died inside";
    case broken::missed_verdict: return "no OWNER_DIED although somebody died inside";
    case broken::not_owner: return "an owner that releases is not the owner";
  }
  return "no such violation";
}

bool lock_model::ended(const state& s) const {
  for (const core_state& core : s.cores)
    if (!is_over(core)) return false;
  return s.shared.drained();
}

void lock_model::steps(const state& s, sink& out) const {
  for (int c = 0; c < setup.cores; ++c) {
    for (int i = 0; i < s.shared.counts[c]; ++i) {
      if (!s.shared.may_commit(c, i)) continue;
      state next = s;
      next.shared.commit(c, i);
      static const char* const names[] = {"'s store to the word arrives", "'s store to the token arrives",
                                          "'s store to the flag arrives", "'s store to the data arrives"};
      out.add(next, c, names[s.shared.buffers[c][i].where]);
    }
    if (is_over(s.cores[c])) continue;
    core_steps(s, c, out);
    if (s.crashes_left > 0) crash(s, c, out);
  }
}

void lock_model::core_steps(const state& s, int c, sink& out) const {
  const at now = s.cores[c].now;
  if (now <= at::heavy_fence)
    acquire_steps(s, c, out);
  else if (now <= at::leaving)
    sleep_steps(s, c, out);
  else if (now <= at::mark_consistent)
    inside_steps(s, c, out);
  else if (now <= at::wake)
    release_steps(s, c, out);
  else
    give_up_steps(s, c, out);
}

// What a killed process has stored becomes visible, in any order it might have; it is seen dead only after that, as the kernel's end of
// a process is ordered after all it did.
void lock_model::crash(const state& s, int c, sink& out) const {
  state next = s;
  --next.crashes_left;
  for (int other = 0; other < setup.cores; ++other) {
    core_state& core = next.cores[other];
    if (setup.identities[other] != setup.identities[c] || core.now == at::finished) continue;
    if (core.inside) next.suspect = 1;
    core = {};
    core.now = at::dead;
  }
  out.add(next, c, "is killed", luck::accident);
}

bool lock_model::is_dead(const state& s, uint8_t identity) const {
  for (int c = 0; c < setup.cores; ++c)
    if (setup.identities[c] == identity && (is_live(s.cores[c]) || s.shared.counts[c] != 0)) return false;
  return true;
}

// The compare-and-swap has worked.
void lock_model::took(state& s, int c, bool told) const {
  core_state& core = s.cores[c];
  for (const core_state& other : s.cores)
    if (other.inside) s.what = broken::exclusion;
  if (told && !s.suspect) s.what = broken::false_verdict;
  if (!told && s.suspect) s.what = broken::missed_verdict;
  core.inside = 1;
  core.told = told;
  core.seen = 0;
  core.probing = 0;
  core.now = at::write_token;
}

void lock_model::looked(state& s, int c, sink& out) const {
  core_state& core = s.cores[c];
  core.seen = s.shared.load(c, lock);
  const uint8_t owner = owner_of(core.seen);
  if (owner == 0) {
    core.now = at::take;
    out.add(s, c, "looks: the word is free");
    return;
  }
  core.now = core.probing && owner != setup.identities[c] ? at::probe : at::announce;
  out.add(s, c, "looks: the word names an owner");
  if (!setup.gives_up[c]) return;
  core.now = core.announced && !has(lock_fault::flag_not_raised_when_giving_up) ? at::raise_when_leaving
                                                                                : at::finished;
  core.seen = core.announced = 0;
  out.add(s, c, "looks: the word names an owner; gives up", luck::accident);
}

void lock_model::pass_heavy_fence(state& s, int c) const {
  if (setup.membarrier)
    s.shared.flush_all();
  else
    s.shared.flush(c);
}

// lock_try_fast and lock_acquire_slow. The exchange that announces is a plain store here, which orders less.
void lock_model::acquire_steps(const state& s, int c, sink& out) const {
  state next = s;
  core_state& core = next.cores[c];
  const uint8_t me = named(setup.identities[c]);
  switch (core.now) {
    case at::try_fast:
      if (next.shared.compare_exchange(c, lock, 0, me))
        took(next, c, false);
      else
        core.now = at::look;
      return out.add(next, c, "tries the fast path");
    case at::look: return looked(next, c, out);
    case at::probe:
      core.probing = 0;
      core.now = at::announce;
      if (is_dead(s, owner_of(core.seen))) {
        core.announced = 1;
        core.now = at::replace_dead;
      }
      return out.add(next, c, "asks whether the owner lives");
    case at::take: {
      const uint8_t flags = has(lock_fault::verdict_not_kept_in_word) ? 0 : core.seen & died;
      const bool told = (core.seen & died) != 0;
      if (has(lock_fault::taken_by_plain_store)) {
        next.shared.store(c, lock, me | flags);
        took(next, c, told);
      } else if (next.shared.compare_exchange(c, lock, core.seen, me | flags)) {
        took(next, c, told);
      } else {
        core.now = at::look;
      }
      return out.add(next, c, "takes the free word");
    }
    case at::replace_dead:
      if (has(lock_fault::dead_replaced_by_plain_store)) {
        next.shared.store(c, lock, me | died);
        took(next, c, true);
      } else if (next.shared.compare_exchange(c, lock, core.seen, me | died)) {
        took(next, c, true);
      } else {
        core.now = at::look;
        core.probing = 1;
      }
      return out.add(next, c, "takes the dead owner's word");
    case at::announce:
      next.shared.store(c, waiters, 1);
      core.announced = 1;
      core.now = at::heavy_fence;
      return out.add(next, c, "raises the flag");
    default:
      if (!has(lock_fault::heavy_fence_missing)) pass_heavy_fence(next, c);
      core.now = has(lock_fault::word_not_looked_at_before_sleep) ? at::wait : at::look_again;
      return out.add(next, c, "passes the heavy fence");
  }
}

// The compare of the wait: with the flag, which is down if a releaser has seen it.
bool lock_model::may_sleep(const state& s, int c) const {
  if (has(lock_fault::sleeper_sleeps_on_the_word)) return s.shared.words[lock] == s.cores[c].seen;
  return s.shared.words[waiters] == 1;
}

// sleep_a_slice and platform::wait. A kernel's wait and a park are full fences before they compare.
void lock_model::sleep_steps(const state& s, int c, sink& out) const {
  state next = s;
  core_state& core = next.cores[c];
  switch (core.now) {
    case at::look_again:
      core.now = s.shared.load(c, lock) == core.seen ? at::wait : at::look;
      return out.add(next, c, "looks at the word again");
    case at::wait:
      next.shared.flush(c);
      if (setup.wait == wait_kind::parking)
        core.now = at::registered;
      else
        core.now = may_sleep(next, c) ? at::asleep : at::look;
      return out.add(next, c, setup.wait == wait_kind::parking ? "registers" : "compares and sleeps");
    case at::registered:
      core.now = may_sleep(next, c) ? at::asleep : at::leaving;
      return out.add(next, c, "compares and sleeps");
    case at::leaving: core.now = at::look; return out.add(next, c, "leaves its slot");
    default: {
      const at after = setup.wait == wait_kind::parking ? at::leaving : at::look;
      core.now = after;
      if (setup.gives_up[c]) out.add(next, c, "'s deadline ends its sleep", luck::accident);
      core.probing = 1;
      if (setup.slices) out.add(next, c, "'s slice ends");
    }
  }
}

void lock_model::inside_steps(const state& s, int c, sink& out) const {
  state next = s;
  core_state& core = next.cores[c];
  switch (core.now) {
    case at::write_token:
      next.shared.store(c, token, token_of(c));
      core.now =
          core.announced && !has(lock_fault::flag_not_raised_when_acquired) ? at::raise_flag : at::read_data;
      core.announced = 0;
      return out.add(next, c, "writes its token");
    case at::raise_flag:
      next.shared.store(c, waiters, 1);
      core.now = at::read_data;
      return out.add(next, c, "raises the flag for the others");
    case at::read_data:
      if (s.shared.load(c, data) != s.written) next.what = broken::stale_data;
      core.now = at::write_data;
      return out.add(next, c, "reads the data");
    case at::write_data:
      next.shared.store(c, data, ++next.written);
      core.now = core.told ? at::decide : at::check_token;
      return out.add(next, c, "writes the data");
    case at::decide:
      core.now = at::check_token;
      out.add(next, c, "leaves the data suspect");
      core.now = at::mark_consistent;
      return out.add(next, c, "finds the data in order");
    default:
      next.shared.store(c, lock, named(setup.identities[c]));
      next.suspect = 0;
      core.now = at::check_token;
      return out.add(next, c, "marks the data consistent");
  }
}

void lock_model::next_round(core_state& core) const {
  const uint8_t left = core.leaves ? 0 : static_cast<uint8_t>(core.rounds - 1);
  core = {};
  core.rounds = left;
  core.now = left > 0 ? at::try_fast : at::finished;
}

// lock_release and lock_wake_one.
void lock_model::release_steps(const state& s, int c, sink& out) const {
  state next = s;
  core_state& core = next.cores[c];
  switch (core.now) {
    case at::check_token:
      if (s.shared.load(c, token) != token_of(c)) next.what = broken::not_owner;
      core.now = has(lock_fault::token_cleared_after_release) ? at::release_word : at::clear_token;
      return out.add(next, c, "checks its token");
    case at::clear_token:
    case at::clear_token_late:
      next.shared.store(c, token, 0);
      core.now = core.now == at::clear_token ? at::release_word : at::light_fence;
      return out.add(next, c, "clears its token");
    case at::release_word: {
      // Nobody else writes the word meanwhile, so reading D is no access of its own.
      const uint8_t kept = has(lock_fault::verdict_lost_at_release) ? 0 : s.shared.load(c, lock) & died;
      next.shared.store(c, lock, kept,
                        has(lock_fault::released_by_relaxed_store) ? order::relaxed : order::release);
      core.inside = core.told = 0;
      core.now = has(lock_fault::token_cleared_after_release) ? at::clear_token_late : at::light_fence;
      return out.add(next, c, "stores the free word");
    }
    case at::light_fence:
      if (!setup.membarrier && !has(lock_fault::light_fence_missing)) next.shared.flush(c);
      core.now = at::look_for_waiters;
      return out.add(next, c, "passes the light fence");
    case at::look_for_waiters:
      if (s.shared.load(c, waiters) == 0)
        next_round(core);
      else
        core.now = has(lock_fault::woken_before_flag_is_down) ? at::wake : at::lower_flag;
      return out.add(next, c, "looks at the flag");
    case at::lower_flag:
      next.shared.store(c, waiters, 0);
      if (has(lock_fault::woken_before_flag_is_down))
        next_round(core);
      else
        core.now = at::wake;
      return out.add(next, c, "lowers the flag");
    default: wake_one(s, c, out);
  }
}

// Whom of several, the OS decides: all ways are tried. A kernel's wake and an unpark begin with a full fence.
void lock_model::wake_one(const state& s, int c, sink& out) const {
  state next = s;
  next.shared.flush(c);
  if (has(lock_fault::woken_before_flag_is_down))
    next.cores[c].now = at::lower_flag;
  else
    next_round(next.cores[c]);
  bool woke = false;
  for (int other = 0; other < lock_setup::most_cores; ++other) {
    const at there = s.cores[other].now;
    if (there != at::asleep && there != at::registered && there != at::leaving) continue;
    state woken = next;
    woken.cores[other].now = at::look;
    static const char* const names[] = {"wakes A", "wakes B", "wakes C"};
    out.add(woken, c, names[other]);
    woke = true;
  }
  if (!woke) out.add(next, c, "finds nobody to wake");
}

// A waiter that leaves may have had the wake that was meant for another: it puts the flag up for the next owner to see, and looks whether
// that one has gone already.
void lock_model::give_up_steps(const state& s, int c, sink& out) const {
  state next = s;
  core_state& core = next.cores[c];
  switch (core.now) {
    case at::raise_when_leaving:
      next.shared.store(c, waiters, 1);
      core.now = has(lock_fault::word_not_looked_at_when_giving_up) ? at::finished : at::fence_when_leaving;
      return out.add(next, c, "raises the flag and goes");
    case at::fence_when_leaving:
      pass_heavy_fence(next, c);
      core.now = at::look_when_leaving;
      return out.add(next, c, "passes the heavy fence");
    default:
      core.now = at::finished;
      if (owner_of(s.shared.load(c, lock)) == 0) {
        core.leaves = 1;
        core.now = at::lower_flag;
      }
      return out.add(next, c, "looks whether somebody is left to wake the others");
  }
}

}  // namespace model
