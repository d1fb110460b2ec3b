// SPDX-License-Identifier: MIT
// The parent's side of the soak.
#pragma once

#include "soak.h"

namespace soak {

struct plan {
  uint64_t seconds = 60;
  uint64_t seed = 0;
  uint32_t workers = 5;
};

struct worker {
  kith_process* process = nullptr;
  kith_channel* line = nullptr;  // our end
  std::atomic<uint64_t> sent{0};
  std::atomic<uint64_t> received{0};
  uint64_t name = 0;
  uint64_t progress_seen = 0;
  uint64_t progress_seen_us = 0;
  uint64_t sets_waited = 0;  // how often the manual event was set in one and the same wait for it,
  uint64_t sets_progress = 0;
  uint64_t sets_since_us = 0;
};

// What the parent did.
struct tally {
  uint64_t started = 0;
  uint64_t kills = 0;
  uint64_t kills_while_starting = 0;
  uint64_t kills_while_suspended = 0;
  uint64_t kills_while_notified = 0;
  uint64_t suspensions = 0;
  uint64_t doubts[doubt_count] = {};  // kills by what the killed was about
  uint64_t kills_at[object_count] = {};
  uint64_t tickets_posted = 0;
  uint64_t messages = 0;
};

struct parent {
  plan wanted;
  actor self;
  worker workers[most_workers];
  tally done;
  uint64_t began_us = 0;
  uint64_t last_abort_us = 0;
  uint64_t looks_at_ticket = 0;  // since it was posted
  uint64_t looks_with_waiter = 0;
};

// ---- soak_parent.cpp -----------------------------------------------------------------------------------------------------------

bool start_worker(parent& all, uint32_t at);
// Waits for the end of one that was told to end or killed, and puts its place in order.
void bury(parent& all, uint32_t at, int32_t expected_kind);
void kill_worker(parent& all, uint32_t at);
// What must come regularly comes from here, as any worker may be killed: sets, signals, tickets, the breaking of barriers.
void feed(parent& all);
// Nobody ends by itself, nobody fails, everybody gets on.
void look_after(parent& all);

// ---- soak_messages.cpp ---------------------------------------------------------------------------------------------------------

kith_channel* open_line(parent& all, uint32_t at);
void feed_line(parent& all, uint32_t at);
void finish_line(parent& all, uint32_t at, bool killed);
void feed_items(parent& all);
void check_items(parent& all);

// ---- soak_broadcasts.cpp -------------------------------------------------------------------------------------------------------

bool listen_from_the_beginning(actor& self);
void feed_broadcasts(parent& all);
void check_broadcasts(parent& all);

// ---- soak_report.cpp -----------------------------------------------------------------------------------------------------------

void check_at_the_end(parent& all);
void print_progress(const parent& all);
void print_table(const parent& all);
void print_failures(const parent& all);
uint64_t sum_of(const parent& all, std::atomic<uint64_t> place::*counter);
uint64_t deaths_told(const parent& all);

}  // namespace soak
