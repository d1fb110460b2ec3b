/* SPDX-License-Identifier: MIT
 *
 * A station broadcasts prices. One reader keeps up and gets all of them; one sleeps meanwhile, misses the first, and is told how many. */
#include <kith/kith.h>
#include <stdio.h>
#include <stdlib.h>

enum { prices = 1000 };

struct price {
  int32_t number;
  int32_t cents;
};

/* Ends the program when a call did not succeed, saying what failed and why. */
static void check(kith_status status, const char* what) {
  if (status >= KITH_OK) return;
  fprintf(stderr, "%s: %s\n", what, kith_status_text(status));
  exit(1);
}

/* Reads to the end. */
static void read_all(kith_reader* reader, const char* name) {
  long got = 0, missed = 0;
  /* [read] */
  struct price price;
  size_t size;
  uint64_t missed_before_it;
  kith_status status;
  while ((status = kith_reader_next(reader, &price, sizeof price, &size, &missed_before_it, KITH_FOREVER)) >=
         KITH_OK) {
    ++got;
    if (status == KITH_MISSED) missed += (long)missed_before_it;
  }
  /* [read] end */
  if (status != KITH_E_CLOSED) check(status, "read");
  printf("%s: got %s, missed %s, together %ld\n", name, missed == 0 ? "all" : "the last",
         missed == 0 ? "none" : "the first", got + missed);
}

/* [listener] */
static int32_t listener(const void* argument, size_t argument_size) {
  (void)argument;
  (void)argument_size;
  kith_broadcast* broadcast;
  kith_event* ready;
  kith_reader* reader;
  check(kith_broadcast_inherit("prices", &broadcast), "take the broadcast");
  check(kith_event_inherit("ready", &ready), "take the event");
  check(kith_broadcast_subscribe(broadcast, 0, &reader), "subscribe"); /* from now on */
  check(kith_event_set(ready), "say that we listen");
  read_all(reader, "who keeps up");
  kith_reader_close(reader);
  kith_broadcast_close(broadcast);
  return 0;
}
/* [listener] end */

int main(void) {
  int32_t code;
  if (kith_child_main(&code)) return code;

  /* Two stations: one waits for its slowest reader, the other one for nobody. */
  /* [create] */
  const kith_broadcast_options patient = {.struct_size = sizeof patient, .flags = KITH_BROADCAST_HOLD};
  const kith_broadcast_options hasty = {.struct_size = sizeof hasty, .ring_size = 4096};
  kith_broadcast *for_all, *for_the_quick;
  check(kith_broadcast_create(&patient, &for_all), "create a broadcast");
  check(kith_broadcast_create(&hasty, &for_the_quick), "create a broadcast");
  /* [create] end */
  kith_event* ready;
  check(kith_event_create(NULL, &ready), "create an event");
  const kith_share shares[] = {{"prices", for_all}, {"ready", ready}};
  const kith_process_options options = {
      .struct_size = sizeof options, .entry = listener, .shares = shares, .share_count = 2};
  kith_process* child;
  check(kith_process_spawn(&options, &child), "start a listener");
  check(kith_event_wait(ready, KITH_FOREVER), "wait until it listens");
  kith_reader* sleepy;
  check(kith_broadcast_subscribe(for_the_quick, 0, &sleepy), "subscribe");

  /* [publish] */
  for (int32_t i = 0; i < prices; ++i) {
    const struct price price = {i, 100 + i % 7};
    check(kith_broadcast_publish(for_all, &price, sizeof price, KITH_FOREVER), "publish");

    struct price* in_place;
    check(kith_broadcast_reserve(for_the_quick, sizeof *in_place, (void**)&in_place, KITH_FOREVER),
          "reserve");
    *in_place = price;
    check(kith_broadcast_commit(for_the_quick, sizeof *in_place), "commit");
  }
  check(kith_broadcast_shutdown(for_all), "end the broadcast");
  check(kith_broadcast_shutdown(for_the_quick), "end the broadcast");
  /* [publish] end */

  kith_exit end;
  check(kith_process_wait(child, KITH_FOREVER, &end), "wait for the listener");
  read_all(sleepy, "who slept");

  /* [late] */
  kith_reader* late;
  struct price last;
  size_t size;
  check(kith_broadcast_subscribe(for_the_quick, 1, &late), "subscribe"); /* begins with the last message */
  check(kith_reader_next(late, &last, sizeof last, &size, NULL, 0), "read");
  printf("who came late: number %d\n", (int)last.number);
  /* [late] end */

  kith_reader_close(late);
  kith_reader_close(sleepy);
  kith_process_close(child);
  kith_event_close(ready);
  kith_broadcast_close(for_all);
  kith_broadcast_close(for_the_quick);
  return end.kind == KITH_EXIT_CODE ? (int)end.code : 1;
}
