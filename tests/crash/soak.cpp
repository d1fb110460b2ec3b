// SPDX-License-Identifier: MIT
// kith_soak [--seconds S | --minutes N] [--seed X] [--workers W]: random kills over all synchronisation objects (soak.h).
//
// Exit code 1: something did not hold, and the last lines say what. The seed makes the same choices again, though not at the same
// moments.
#include "soak.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "soak_parent.h"

namespace {

using namespace soak;

constexpr uint64_t report_interval_us = 10'000'000;

// ---- options -------------------------------------------------------------------------------------------------------------------

bool read_number(const char* text, uint64_t& out) {
  char* end = nullptr;
  out = std::strtoull(text, &end, 0);
  return *text >= '0' && *text <= '9' && *end == 0;
}

bool read_option(const char* name, uint64_t value, plan& out) {
  if (std::strcmp(name, "--seconds") == 0) return (out.seconds = value) != 0;
  if (std::strcmp(name, "--minutes") == 0) return (out.seconds = value * 60) != 0;
  if (std::strcmp(name, "--seed") == 0) return (out.seed = value, true);
  if (std::strcmp(name, "--workers") != 0 || value < barrier_parties || value > most_workers) return false;
  out.workers = static_cast<uint32_t>(value);
  return true;
}

bool read_options(int argc, char** argv, plan& out) {
  out.seed = now_us();
  for (int i = 1; i < argc; i += 2) {
    uint64_t value = 0;
    if (i + 1 == argc || !read_number(argv[i + 1], value) || !read_option(argv[i], value, out)) return false;
  }
  return true;
}

// ---- the run -------------------------------------------------------------------------------------------------------------------

void pause_us(uint64_t microseconds) { std::this_thread::sleep_for(std::chrono::microseconds(microseconds)); }

uint64_t up_to(parent& all, uint64_t bound) { return next_random(all.self.random) % bound; }

// Mostly one that works already: to start takes longer than to be killed.
bool choose_victim(parent& all, uint32_t& out) {
  const bool anyone = up_to(all, 16) == 0;
  const auto first = static_cast<uint32_t>(up_to(all, all.wanted.workers));
  for (uint32_t i = 0; i < all.wanted.workers; ++i) {
    out = (first + i) % all.wanted.workers;
    if (all.workers[out].process == nullptr) continue;
    if (anyone || all.self.notes->places[out].object != object_count) return true;
  }
  return false;
}

void kill_somebody(parent& all) {
  uint32_t victim = 0;
  if (!choose_victim(all, victim)) return;
  kill_worker(all, victim);
}

// A suspended one is not dead: nobody may be told so. Another one is killed meanwhile, or it itself.
void suspend_somebody(parent& all) {
  uint32_t sleeper = 0;
  if (!choose_victim(all, sleeper)) return;
  const int64_t pid = kith_process_id(all.workers[sleeper].process);
  if (!suspend(pid)) return;
  ++all.done.suspensions;
  uint32_t victim = 0;
  if (choose_victim(all, victim)) {
    pause_us(up_to(all, 5'000));
    kill_worker(all, victim);
    if (victim == sleeper) ++all.done.kills_while_suspended;
  }
  pause_us(up_to(all, 40'000));
  if (all.workers[sleeper].process != nullptr) resume(pid);
}

void replace_the_killed(parent& all) {
  for (uint32_t at = 0; at < all.wanted.workers; ++at)
    if (all.workers[at].process == nullptr && !all.self.wrong) (void)start_worker(all, at);
}

// Mostly 1 to 20 ms. Now and then long enough for workers to fall asleep for their longest slices.
void wait_for_next_kill(parent& all) {
  const uint64_t pause_ms = up_to(all, 40) == 0 ? 100 + up_to(all, 200) : 1 + up_to(all, 20);
  const uint64_t end = now_us() + pause_ms * 1000;
  while (!all.self.wrong && now_us() < end) {
    pause_us(up_to(all, 2'000));
    feed(all);
  }
}

void run(parent& all) {
  uint64_t reported_us = all.began_us;
  while (!all.self.wrong && now_us() - all.began_us < all.wanted.seconds * 1'000'000) {
    wait_for_next_kill(all);
    look_after(all);
    if (all.self.wrong) return;
    up_to(all, 10) == 0 ? suspend_somebody(all) : kill_somebody(all);
    replace_the_killed(all);
    if (now_us() - reported_us < report_interval_us) continue;
    reported_us = now_us();
    print_progress(all);
  }
}

// Half of them may finish, the others are killed.
void end_workers(parent& all) {
  for (uint32_t at = 0; at < all.wanted.workers; at += 2)
    if (all.workers[at].process != nullptr) kill_worker(all, at);
  all.self.notes->stop = 1;  // not before: a killed one must not have finished
  for (bool some = true; some && !all.self.wrong;) {
    some = false;
    feed(all);
    look_after(all);
    for (uint32_t at = 0; at < all.wanted.workers; ++at) some = some || all.workers[at].process != nullptr;
    pause_us(2'000);
  }
}

// After a failure: whoever failed too has its say, the others are killed.
void end_all(parent& all) {
  all.self.notes->stop = 1;
  pause_us(100'000);
  for (uint32_t at = 0; at < all.wanted.workers; ++at)
    if (all.workers[at].process != nullptr) kill_worker(all, at);
}

bool prepare(parent& all) {
  if (!create_objects(all.self.all)) return false;
  board* const notes = static_cast<board*>(kith_memory_data(all.self.all.memory));
  notes->workers = all.wanted.workers;
  all.self.notes = notes;
  all.self.mine = &notes->places[all.wanted.workers];
  all.self.me = name_of(1, all.wanted.workers);
  all.self.random = all.wanted.seed;
  all.last_abort_us = now_us();
  return listen_from_the_beginning(all.self);
}

// What the OS and its libraries keep open from the first process on is there before handles are counted.
void warm_up(parent& all) {
  if (!start_worker(all, 0)) return;
  while (!all.self.wrong && all.self.notes->places[0].progress == 0) {
    pause_us(1'000);
    feed(all);
    look_after(all);
  }
  if (all.workers[0].process != nullptr) kill_worker(all, 0);
}

void soak_all(parent& all) {
  warm_up(all);
  const size_t handles = open_handles();
  all.began_us = now_us();
  for (uint32_t at = 0; at < all.wanted.workers && !all.self.wrong; ++at) (void)start_worker(all, at);
  run(all);
  if (!all.self.wrong) end_workers(all);
  end_all(all);
  if (all.self.wrong) return;
  check_at_the_end(all);
  begin(all.self, plain_lock, outside);
  const size_t now_open = open_handles();
  if (now_open != handles)
    fail(all.self, "%zu handles were open at first, %zu at the end", handles, now_open);
  if (has_children()) fail(all.self, "a child is left");
}

}  // namespace

int main(int argc, char** argv) {
  int32_t code = 0;
  if (kith_child_main(&code)) return code;
  static parent all;
  if (!read_options(argc, argv, all.wanted)) {
    std::fprintf(stderr, "usage: kith_soak [--seconds S | --minutes N] [--seed X] [--workers %u..%u]\n",
                 barrier_parties, most_workers);
    return 2;
  }
  if (!prepare(all)) {
    std::fprintf(stderr, "kith_soak: the objects could not be made\n");
    return 2;
  }
  soak_all(all);
  print_table(all);
  print_failures(all);
  const bool wrong = all.self.wrong || all.self.notes->failures != 0;
  std::printf("%s\n", wrong ? "soak: FAILED" : "soak: everything held");
  stop_listening(all.self);
  close_objects(all.self.all);
  return wrong ? 1 : 0;
}
