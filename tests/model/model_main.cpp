// SPDX-License-Identifier: MIT
// Explores the models of the lock word and of the parking lot, and their known faults.
//
//   kith_model            the models as they ought to be: each must be sound
//   kith_model --faults   one fault at a time: each must be found, or the explorer is blind to it
//   ... --trace           shows how each fault shows itself
#include <chrono>
#include <cstdio>
#include <cstring>

#include "lock_model.h"
#include "parking_model.h"

using namespace model;

namespace {

// A state has about a hundred bytes and three edges of eight.
constexpr size_t most_states = 4'000'000;

bool show_traces = false;

constexpr lock_setup two_processes{.name = "lock: 2 processes, 2 rounds each", .rounds = {2, 2}};
constexpr lock_setup three_processes{.name = "lock: 3 processes, 5 rounds", .cores = 3, .rounds = {2, 2, 1}};
constexpr lock_setup sibling_threads{.name = "lock: 2 threads of a process and another process",
                                     .cores = 3,
                                     .rounds = {2, 1, 1},
                                     .identities = {1, 1, 2}};
constexpr lock_setup impatient{.name = "lock: 3 processes, the deadlines of two pass",
                               .cores = 3,
                               .rounds = {2, 1, 1},
                               .gives_up = {false, true, true}};
constexpr lock_setup one_crash{
    .name = "lock: 3 processes, 1 is killed", .cores = 3, .rounds = {1, 2, 1}, .slices = true, .crashes = 1};
constexpr lock_setup two_crashes{
    .name = "lock: 3 processes, 2 are killed", .cores = 3, .slices = true, .crashes = 2};

constexpr lock_setup lock_setups[] = {two_processes, three_processes, sibling_threads,
                                      impatient,     one_crash,       two_crashes};

struct fences_and_wait {
  const char* name;
  bool membarrier;
  wait_kind wait;
};

constexpr fences_and_wait ports[] = {
    {"membarrier, futex", true, wait_kind::futex},
    {"plain fences, futex", false, wait_kind::futex},
    {"plain fences, parking lot", false, wait_kind::parking},
};

constexpr parking_setup one_waiter{.name = "parking lot: 1 waiter, then for another word; 2 wakers",
                                   .waiters = 1,
                                   .wakers = 2,
                                   .keys = {{1, 2}, {1, 0}, {2, 0}},
                                   .kind = change::opens};
constexpr parking_setup one_late_waiter{
    .name = "parking lot: 1 waiter with slices, then for another word; 2 wakers",
    .waiters = 1,
    .wakers = 2,
    .keys = {{1, 2}, {1, 0}, {2, 0}},
    .kind = change::opens,
    .slices = true};
constexpr parking_setup two_words{.name = "parking lot: 2 waiters, 2 words, 2 wakers",
                                  .wakers = 2,
                                  .keys = {{1, 0}, {2, 0}, {1, 0}, {2, 0}},
                                  .kind = change::opens};
constexpr parking_setup one_word{.name = "parking lot: 2 waiters, 1 word, 2 wakers", .wakers = 2};
constexpr parking_setup three_waiters{
    .name = "parking lot: 3 waiters, 2 slots, 1 waker", .waiters = 3, .kind = change::opens};
constexpr parking_setup one_killed{.name = "parking lot: 3 waiters, 1 slot, 1 waker, 1 is killed",
                                   .slots = 1,
                                   .waiters = 3,
                                   .kind = change::opens,
                                   .slices = true,
                                   .crashes = 1};
constexpr parking_setup two_killed{.name = "parking lot: 2 waiters, 1 word, 1 waker twice, 2 are killed",
                                   .keys = {{1, 0}, {1, 0}, {1, 1}},
                                   .slices = true,
                                   .crashes = 2};

constexpr parking_setup parking_setups[] = {one_waiter,    one_late_waiter, two_words, one_word,
                                            three_waiters, one_killed,      two_killed};

struct bell_choice {
  const char* name;
  bell_kind kind;
};

constexpr bell_choice bells[] = {{"futex", bell_kind::futex}, {"event", bell_kind::event}};

constexpr size_t membarrier_futex = 0, plain_futex = 1, plain_parking = 2;

struct known_lock_fault {
  lock_fault fault;
  const char* name;
  lock_setup setup;
  size_t port;
};

constexpr known_lock_fault lock_faults[] = {
    {lock_fault::light_fence_missing, "no light fence", two_processes, plain_futex},
    {lock_fault::heavy_fence_missing, "no heavy fence, membarrier", two_processes, membarrier_futex},
    {lock_fault::heavy_fence_missing, "no heavy fence, plain fences", two_processes, plain_futex},
    {lock_fault::flag_not_raised_when_acquired, "flag not raised again by who was woken", three_processes,
     membarrier_futex},
    {lock_fault::flag_not_raised_when_giving_up, "flag not raised by who gives up", impatient,
     membarrier_futex},
    {lock_fault::word_not_looked_at_when_giving_up, "word not looked at by who gives up", impatient,
     membarrier_futex},
    {lock_fault::sleeper_sleeps_on_the_word, "sleeps while the word stays, not the flag", three_processes,
     membarrier_futex},
    {lock_fault::sleeper_sleeps_on_the_word, "the same, with threads", sibling_threads, plain_parking},
    {lock_fault::word_not_looked_at_before_sleep, "word not looked at before the sleep", two_processes,
     membarrier_futex},
    {lock_fault::woken_before_flag_is_down, "wakes, then lowers the flag", two_processes, membarrier_futex},
    {lock_fault::released_by_relaxed_store, "released by a relaxed store", two_processes, membarrier_futex},
    {lock_fault::token_cleared_after_release, "token cleared after the release", two_processes,
     membarrier_futex},
    {lock_fault::taken_by_plain_store, "taken by a plain store", two_processes, membarrier_futex},
    {lock_fault::dead_replaced_by_plain_store, "dead owner replaced by a plain store", one_crash,
     membarrier_futex},
    {lock_fault::verdict_not_kept_in_word, "D not kept by the next owner", one_crash, membarrier_futex},
    {lock_fault::verdict_lost_at_release, "D not kept by a release", one_crash, membarrier_futex},
};

struct known_parking_fault {
  parking_fault fault;
  const char* name;
  parking_setup setup;
};

constexpr known_parking_fault parking_faults[] = {
    {parking_fault::ticket_without_generation, "ticket without generation", one_waiter},
    {parking_fault::word_not_looked_at_in_park, "word not looked at in park", one_waiter},
    {parking_fault::park_fence_missing, "no fence in park", one_waiter},
    {parking_fault::unpark_fence_missing, "no fence in unpark", one_waiter},
    {parking_fault::bell_reset_after_registering, "bell reset after registering", one_word},
    {parking_fault::key_written_after_ticket, "key written after the ticket", one_waiter},
    {parking_fault::waiting_stored_relaxed, "ticket stored relaxed", one_waiter},
    {parking_fault::idle_by_plain_store, "ticket made idle by a plain store", one_word},
    {parking_fault::freed_before_deaf, "slot freed before it is deaf", one_word},
    {parking_fault::slot_claimed_by_plain_store, "free slot claimed by a plain store", one_word},
    {parking_fault::dead_replaced_by_plain_store, "dead occupant replaced by a plain store", one_killed},
    {parking_fault::marked_by_plain_store, "ticket marked by a plain store", one_waiter},
    {parking_fault::failed_mark_counted, "wake counted although the mark failed", one_word},
};

struct totals {
  size_t states = 0;
  int failures = 0;
};

template <class Model, class Setup>
outcome explore(const Setup& setup) {
  const Model subject(setup);
  return explorer<Model>(subject, most_states).run();
}

void print_trace(const outcome& result) {
  for (const std::string& step : result.trace) std::printf("      %s\n", step.c_str());
}

void must_be_sound(const char* name, const char* variant, const outcome& result, totals& sum) {
  const char* const verdict = result.violation != nullptr ? result.violation
                              : result.complete           ? "sound"
                                                          : "TOO MANY STATES";
  std::printf("%-72s %-26s %8zu states %9zu steps  %s\n", name, variant, result.states, result.steps,
              verdict);
  print_trace(result);
  sum.failures += result.violation != nullptr || !result.complete;
  sum.states += result.states;
}

void must_be_found(const char* model_name, const char* fault, const outcome& result, totals& sum) {
  std::printf("%-12s %-46s %8zu states  ", model_name, fault, result.states);
  if (result.violation != nullptr)
    std::printf("found after %zu steps: %s\n", result.trace.size(), result.violation);
  else
    std::printf("NOT FOUND\n");
  if (show_traces) print_trace(result);
  sum.failures += result.violation == nullptr;
  sum.states += result.states;
}

void explore_sound(totals& sum) {
  for (lock_setup setup : lock_setups) {
    for (const fences_and_wait& port : ports) {
      setup.membarrier = port.membarrier;
      setup.wait = port.wait;
      must_be_sound(setup.name, port.name, explore<lock_model>(setup), sum);
    }
  }
  for (parking_setup setup : parking_setups) {
    for (const bell_choice& bell : bells) {
      setup.bells = bell.kind;
      must_be_sound(setup.name, bell.name, explore<parking_model>(setup), sum);
    }
  }
}

void explore_faults(totals& sum) {
  for (const known_lock_fault& known : lock_faults) {
    lock_setup setup = known.setup;
    setup.membarrier = ports[known.port].membarrier;
    setup.wait = ports[known.port].wait;
    setup.fault = known.fault;
    must_be_found("lock", known.name, explore<lock_model>(setup), sum);
  }
  for (const known_parking_fault& known : parking_faults) {
    parking_setup setup = known.setup;
    setup.fault = known.fault;
    must_be_found("parking lot", known.name, explore<parking_model>(setup), sum);
  }
}

}  // namespace

int main(int argc, char** argv) {
  bool faults = false;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--faults") == 0)
      faults = true;
    else if (std::strcmp(argv[i], "--trace") == 0)
      show_traces = true;
    else
      return std::fprintf(stderr, "usage: kith_model [--faults] [--trace]\n"), 2;
  }
  const auto begin = std::chrono::steady_clock::now();
  totals sum;
  if (faults)
    explore_faults(sum);
  else
    explore_sound(sum);
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
  std::printf("%zu states in %.1f s, %d failures\n", sum.states, taken.count(), sum.failures);
  return sum.failures == 0 ? 0 : 1;
}
