/* SPDX-License-Identifier: MIT
 *
 * Another process holds a lock for too long: the message says which, and since when. */
#include <kith/kith.h>
#include <stdio.h>
#include <stdlib.h>

/* Ends the program when a call did not succeed, saying what failed and why. */
static void check(kith_status status, const char* what) {
  if (status == KITH_OK) return;
  fprintf(stderr, "%s: %s\n", what, kith_status_text(status));
  exit(1);
}

static int32_t hold(const void* argument, size_t argument_size) {
  kith_lock* lock;
  kith_event *held, *enough;
  (void)argument;
  (void)argument_size;
  check(kith_lock_inherit("lock", &lock), "take the lock");
  check(kith_event_inherit("held", &held), "take an event");
  check(kith_event_inherit("enough", &enough), "take an event");
  check(kith_lock_acquire(lock, KITH_FOREVER), "acquire");
  check(kith_event_set(held), "say that it is held");
  check(kith_event_wait(enough, KITH_FOREVER), "wait");
  check(kith_lock_release(lock), "release");
  return 0;
}

/* [explain] */
static void acquire_or_explain(kith_lock* lock, int64_t timeout_ms) {
  kith_owner owner;
  if (kith_lock_acquire(lock, timeout_ms) >= KITH_OK) return;
  check(kith_lock_owner(lock, &owner), "ask who holds it");
  fprintf(stderr, "gave up: process %lld has held the lock for at least %lld ms\n", (long long)owner.pid,
          (long long)owner.held_ms);
}
/* [explain] end */

int main(void) {
  int32_t code;
  if (kith_child_main(&code)) return code;

  kith_lock* lock;
  kith_event *held, *enough;
  check(kith_lock_create(NULL, &lock), "create a lock");
  check(kith_event_create(NULL, &held), "create an event");
  check(kith_event_create(NULL, &enough), "create an event");
  const kith_share shares[] = {{"lock", lock}, {"held", held}, {"enough", enough}};
  const kith_process_options options = {
      .struct_size = sizeof options, .entry = hold, .shares = shares, .share_count = 3};
  kith_process* child;
  kith_exit end;
  kith_owner owner;
  check(kith_process_spawn(&options, &child), "start the child");
  check(kith_event_wait(held, KITH_FOREVER), "wait until it holds the lock");
  acquire_or_explain(lock, 100);
  check(kith_lock_owner(lock, &owner), "ask who holds it");
  printf("it is the child: %s, for 50 ms or more: %s\n", owner.pid == kith_process_id(child) ? "yes" : "no",
         owner.held_ms >= 50 ? "yes" : "no");
  check(kith_event_set(enough), "let the child go");
  check(kith_process_wait(child, KITH_FOREVER, &end), "wait for the child");
  kith_process_close(child);
  kith_lock_close(lock);
  kith_event_close(held);
  kith_event_close(enough);
  return 0;
}
