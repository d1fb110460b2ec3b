/* SPDX-License-Identifier: MIT
 *
 * Four processes count together: once without a lock, by an operation that no other can interrupt, and once under a
 * lock, which keeps two numbers in step. */
#include <kith/kith.h>
#include <stdio.h>
#include <stdlib.h>

enum { workers = 4, rounds = 1000 };

typedef struct pair {
  int64_t up;
  int64_t down;
} pair;

/* Ends the program when a call did not succeed, saying what failed and why. */
static void check(kith_status status, const char* what) {
  if (status == KITH_OK) return;
  fprintf(stderr, "%s: %s\n", what, kith_status_text(status));
  exit(1);
}

/* [worker] */
static int32_t count(const void* argument, size_t argument_size) {
  (void)argument;
  (void)argument_size;
  kith_value *counter, *both;
  check(kith_value_inherit("counter", &counter), "take counter");
  check(kith_value_inherit("both", &both), "take both");
  pair* numbers = kith_value_data(both);

  for (int i = 0; i < rounds; ++i) {
    check(kith_value_add(counter, 1, NULL), "add");

    check(kith_lock_acquire(kith_value_lock(both), KITH_FOREVER), "acquire");
    ++numbers->up;
    --numbers->down;
    check(kith_lock_release(kith_value_lock(both)), "release");
  }
  kith_value_close(both);
  kith_value_close(counter);
  return 0;
}
/* [worker] end */

/* [create] */
static void create_values(kith_value** counter, kith_value** both) {
  const kith_value_options options = {.struct_size = sizeof options, .element_size = sizeof(pair)};
  check(kith_value_create(KITH_I64, NULL, NULL, counter), "create counter");
  check(kith_value_create(KITH_STRUCT, NULL, &options, both), "create both");
}
/* [create] end */

int main(void) {
  int32_t code;
  if (kith_child_main(&code)) return code;

  kith_value *counter, *both;
  create_values(&counter, &both);

  const kith_share shares[] = {{"counter", counter}, {"both", both}};
  const kith_process_options options = {
      .struct_size = sizeof options, .entry = count, .shares = shares, .share_count = 2};
  kith_process* processes[workers];
  for (int i = 0; i < workers; ++i) check(kith_process_spawn(&options, &processes[i]), "start a worker");
  for (int i = 0; i < workers; ++i) {
    kith_exit end;
    check(kith_process_wait(processes[i], KITH_FOREVER, &end), "wait for a worker");
    kith_process_close(processes[i]);
  }

  int64_t total;
  pair numbers;
  check(kith_value_load(counter, &total, sizeof total), "load counter");
  check(kith_value_load(both, &numbers, sizeof numbers), "load both");
  printf("counter: %d\nboth: %d, %d\n", (int)total, (int)numbers.up, (int)numbers.down);
  kith_value_close(both);
  kith_value_close(counter);
  return 0;
}
