/* SPDX-License-Identifier: MIT
 *
 * A process is killed while it holds a lock, in the middle of a change. The next one to acquire the lock is told, and
 * repairs what the lock protects. */
#include <kith/kith.h>
#include <stdio.h>
#include <stdlib.h>

enum { all_money = 100 };

typedef struct accounts {
  int32_t savings;
  int32_t wallet; /* together they make all_money, whenever nobody holds the lock */
} accounts;

/* Ends the program when a call did not succeed, saying what failed and why. */
static void check(kith_status status, const char* what) {
  if (status == KITH_OK) return;
  fprintf(stderr, "%s: %s\n", what, kith_status_text(status));
  exit(1);
}

/* The child takes money out of one account, and does not live to put it into the other. */
static int32_t move_money(const void* argument, size_t argument_size) {
  (void)argument;
  (void)argument_size;
  kith_value* shared;
  kith_channel* parent;
  char nothing;
  size_t size;
  check(kith_value_inherit("accounts", &shared), "take accounts");
  check(kith_channel_inherit("parent", &parent), "take the channel");

  accounts* money = kith_value_data(shared);
  check(kith_lock_acquire(kith_value_lock(shared), KITH_FOREVER), "acquire");
  money->savings -= 30;
  check(kith_channel_send(parent, NULL, 0, KITH_FOREVER), "say that the change has begun");
  check(kith_channel_recv(parent, &nothing, sizeof nothing, &size, KITH_FOREVER), "wait to be killed");
  return 0;
}

/* Starts the child, and kills it when it is in the middle of its change. */
static void run_and_kill_child(kith_value* shared) {
  kith_channel *ours, *childs;
  check(kith_channel_create(NULL, &ours, &childs), "create a channel");
  const kith_share shares[] = {{"accounts", shared}, {"parent", childs}};
  const kith_process_options options = {
      .struct_size = sizeof options, .entry = move_money, .shares = shares, .share_count = 2};
  kith_process* child;
  kith_exit end;
  size_t size;
  check(kith_process_spawn(&options, &child), "start the child");
  check(kith_channel_recv(ours, NULL, 0, &size, KITH_FOREVER), "wait for the child");
  check(kith_process_kill(child), "kill the child");
  check(kith_process_wait(child, KITH_FOREVER, &end), "wait for its end");
  printf("the child %s\n", end.kind == KITH_EXIT_KILLED ? "was killed" : "ended in another way");
  kith_process_close(child);
  kith_channel_close(childs);
  kith_channel_close(ours);
}

/* [repair] */
/* Acquires the lock; when its last owner died in the middle of a change, puts the accounts in order first. */
static void acquire_accounts(kith_value* shared) {
  kith_lock* lock = kith_value_lock(shared);
  accounts* money = kith_value_data(shared);
  const kith_status status = kith_lock_acquire(lock, KITH_FOREVER);
  if (status == KITH_OWNER_DIED) { /* the lock is held, as with KITH_OK */
    printf("the owner died: savings %d, wallet %d\n", (int)money->savings, (int)money->wallet);
    money->savings = all_money - money->wallet;
    check(kith_lock_mark_consistent(lock), "mark consistent");
  } else {
    check(status, "acquire");
  }
}
/* [repair] end */

int main(void) {
  int32_t code;
  if (kith_child_main(&code)) return code;

  const accounts start = {70, 30};
  const kith_value_options value_options = {.struct_size = sizeof value_options,
                                            .element_size = sizeof start};
  kith_value* shared;
  check(kith_value_create(KITH_STRUCT, &start, &value_options, &shared), "create accounts");
  run_and_kill_child(shared);

  const accounts* money = kith_value_data(shared);
  acquire_accounts(shared);
  printf("repaired: savings %d, wallet %d\n", (int)money->savings, (int)money->wallet);
  check(kith_lock_release(kith_value_lock(shared)), "release");
  kith_value_close(shared);
  return 0;
}
