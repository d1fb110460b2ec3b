/* SPDX-License-Identifier: MIT
 *
 * Ctrl-C ends a wait that would otherwise have no end. (The program sends the signal to itself.) */
#include <kith/kith.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

/* Ends the program when a call did not succeed, saying what failed and why. */
static void check(kith_status status, const char* what) {
  if (status == KITH_OK) return;
  fprintf(stderr, "%s: %s\n", what, kith_status_text(status));
  exit(1);
}

/* [cancel] */
static kith_cancel* stop;

static void on_interrupt(int number) {
  (void)number;
  kith_cancel_fire(stop); /* may be called in a signal handler, and never comes too early */
}

static void wait_for_work(kith_event* work) {
  check(kith_cancel_use(stop), "use the cancel"); /* from now on, for all waits of this thread */
  const kith_status status = kith_event_wait(work, KITH_FOREVER);
  printf("%s: %s\n", kith_status_name(status), kith_status_text(status));
}
/* [cancel] end */

int main(void) {
  kith_event* work;
  check(kith_event_create(NULL, &work), "create an event");
  check(kith_cancel_create(&stop), "create a cancel");
  signal(SIGINT, on_interrupt);
  raise(SIGINT);
  wait_for_work(work);
  kith_cancel_close(stop);
  kith_event_close(work);
  return 0;
}
