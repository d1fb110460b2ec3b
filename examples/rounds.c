/* SPDX-License-Identifier: MIT
 *
 * Three processes start together, by an event, and work in rounds, by a barrier. Then one dies, and the others learn of it. */
#include <kith/kith.h>
#include <stdio.h>
#include <stdlib.h>

enum { parties = 3, rounds = 4 };

/* Ends the program when a call did not succeed, saying what failed and why. */
static void check(kith_status status, const char* what) {
  if (status >= KITH_OK) return; /* KITH_LAST is news, not a failure */
  fprintf(stderr, "%s: %s\n", what, kith_status_text(status));
  exit(1);
}

/* [rounds] */
/* Returns how often this process was the last to arrive, or 100 when another one had died. */
static int32_t worker(const void* argument, size_t argument_size) {
  const int32_t dies = *(const int32_t*)argument;
  kith_event* start;
  kith_barrier* barrier;
  int32_t last = 0;
  (void)argument_size;
  check(kith_event_inherit("start", &start), "take the event");
  check(kith_barrier_inherit("barrier", &barrier), "take the barrier");
  check(kith_event_wait(start, KITH_FOREVER), "wait for the start");
  for (int round = 0; round < rounds; ++round) {
    const kith_status status = kith_barrier_wait(barrier, KITH_FOREVER, NULL);
    check(status, "wait for the others");
    if (status == KITH_LAST) ++last; /* exactly one a round */
  }
  if (dies) _Exit(1);
  const kith_status status = kith_barrier_wait(barrier, KITH_FOREVER, NULL);
  return status == KITH_E_BROKEN ? 100 + last : last;
}
/* [rounds] end */

int main(void) {
  int32_t code;
  if (kith_child_main(&code)) return code;

  kith_event* start;
  kith_barrier* barrier;
  check(kith_event_create(NULL, &start), "create the event");
  check(kith_barrier_create(parties, NULL, &barrier), "create the barrier");
  const kith_share shares[] = {{"start", start}, {"barrier", barrier}};
  kith_process* children[parties];
  for (int32_t i = 0; i < parties; ++i) {
    const int32_t dies = i == 0;
    const kith_process_options options = {.struct_size = sizeof options,
                                          .entry = worker,
                                          .argument = &dies,
                                          .argument_size = sizeof dies,
                                          .shares = shares,
                                          .share_count = 2};
    check(kith_process_spawn(&options, &children[i]), "start a child");
  }
  check(kith_event_set(start), "start");
  for (int i = 0; i < parties; ++i) {
    kith_exit end;
    check(kith_process_wait(children[i], KITH_FOREVER, &end), "wait for a child");
    kith_process_close(children[i]);
    if (i > 0)
      printf("process %d %s\n", i, end.code >= 100 ? "was told that the barrier is broken" : "was not told");
  }
  kith_event_close(start);
  kith_barrier_close(barrier);
  return 0;
}
