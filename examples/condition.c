/* SPDX-License-Identifier: MIT
 *
 * A mailbox for one number, between two processes: a condition says when it has been filled, another one when it is empty. */
#include <kith/kith.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct mailbox {
  int32_t full; /* 0 or 1 */
  int32_t number;
} mailbox;

typedef struct tools {
  kith_value* box; /* a mailbox, with the lock that guards it */
  kith_condition* filled;
  kith_condition* emptied;
} tools;

/* Ends the program when a call did not succeed, saying what failed and why. */
static void check(kith_status status, const char* what) {
  if (status == KITH_OK) return;
  fprintf(stderr, "%s: %s\n", what, kith_status_text(status));
  exit(1);
}

/* [put] */
static void put(const tools* t, int32_t number) {
  kith_lock* lock = kith_value_lock(t->box);
  mailbox* box = kith_value_data(t->box);
  check(kith_lock_acquire(lock, KITH_FOREVER), "acquire");
  while (box->full) check(kith_condition_wait(t->emptied, lock, KITH_FOREVER), "wait until it is empty");
  box->number = number;
  box->full = 1;
  check(kith_lock_release(lock), "release");
  check(kith_condition_notify(t->filled, 1), "notify");
}

static int32_t get(const tools* t) {
  kith_lock* lock = kith_value_lock(t->box);
  mailbox* box = kith_value_data(t->box);
  check(kith_lock_acquire(lock, KITH_FOREVER), "acquire");
  while (!box->full) check(kith_condition_wait(t->filled, lock, KITH_FOREVER), "wait until it is full");
  box->full = 0;
  const int32_t number = box->number;
  check(kith_lock_release(lock), "release");
  check(kith_condition_notify(t->emptied, 1), "notify");
  return number;
}
/* [put] end */

static int32_t count_to_five(const void* argument, size_t argument_size) {
  (void)argument;
  (void)argument_size;
  tools t;
  check(kith_value_inherit("box", &t.box), "take the box");
  check(kith_condition_inherit("filled", &t.filled), "take a condition");
  check(kith_condition_inherit("emptied", &t.emptied), "take a condition");
  for (int32_t i = 1; i <= 5; ++i) put(&t, i);
  return 0;
}

int main(void) {
  int32_t code;
  if (kith_child_main(&code)) return code;

  tools t;
  const kith_value_options sized = {.struct_size = sizeof sized, .element_size = sizeof(mailbox)};
  check(kith_value_create(KITH_STRUCT, NULL, &sized, &t.box), "create the box");
  check(kith_condition_create(NULL, &t.filled), "create a condition");
  check(kith_condition_create(NULL, &t.emptied), "create a condition");
  const kith_share shares[] = {{"box", t.box}, {"filled", t.filled}, {"emptied", t.emptied}};
  const kith_process_options options = {
      .struct_size = sizeof options, .entry = count_to_five, .shares = shares, .share_count = 3};
  kith_process* child;
  kith_exit end;
  check(kith_process_spawn(&options, &child), "start the child");
  for (int i = 0; i < 5; ++i) printf("got %d\n", (int)get(&t));
  check(kith_process_wait(child, KITH_FOREVER, &end), "wait for the child");
  kith_process_close(child);
  kith_value_close(t.box);
  kith_condition_close(t.filled);
  kith_condition_close(t.emptied);
  return 0;
}
