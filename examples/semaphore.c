/* SPDX-License-Identifier: MIT
 *
 * Four processes share two licences: never more than two work at once. One is killed at work, and its licence comes back. */
#include <kith/kith.h>
#include <stdio.h>
#include <stdlib.h>

enum { licences = 2, workers = 4 };

/* Ends the program when a call did not succeed, saying what failed and why. */
static void check(kith_status status, const char* what) {
  if (status == KITH_OK) return;
  fprintf(stderr, "%s: %s\n", what, kith_status_text(status));
  exit(1);
}

typedef struct tools {
  kith_semaphore* semaphore;
  kith_array* counts; /* [0] how many work now, [1] the most at once, [2] jobs done */
} tools;

static tools inherit_tools(void) {
  tools t;
  check(kith_semaphore_inherit("licences", &t.semaphore), "take the semaphore");
  check(kith_array_inherit("counts", &t.counts), "take the array");
  return t;
}

/* [work] */
static void work(const tools* t) {
  int64_t before, most = 0;
  check(kith_semaphore_acquire(t->semaphore, KITH_FOREVER), "acquire a licence");
  check(kith_array_add(t->counts, 0, 1, &before), "begin");
  while (most < before + 1 &&
         kith_array_compare_exchange(t->counts, 1, &most, before + 1) == KITH_NOT_EQUAL) {
  }
  check(kith_array_add(t->counts, 2, 1, NULL), "work");
  check(kith_array_add(t->counts, 0, -1, NULL), "end");
  check(kith_semaphore_release(t->semaphore), "release the licence");
}
/* [work] end */

static int32_t worker(const void* argument, size_t argument_size) {
  (void)argument;
  (void)argument_size;
  const tools t = inherit_tools();
  for (int i = 0; i < 25; ++i) work(&t);
  return 0;
}

/* Takes both licences, and waits to be killed. */
static int32_t hoard(const void* argument, size_t argument_size) {
  (void)argument;
  (void)argument_size;
  const tools t = inherit_tools();
  kith_event *ready, *never;
  check(kith_event_inherit("ready", &ready), "take the event");
  for (int i = 0; i < licences; ++i) check(kith_semaphore_acquire(t.semaphore, KITH_FOREVER), "acquire");
  check(kith_event_create(NULL, &never), "create an event");
  check(kith_event_set(ready), "say that we have them");
  return kith_event_wait(never, KITH_FOREVER) == KITH_OK ? 0 : 1;
}

static kith_process* start(kith_entry entry, const tools* t, kith_event* ready) {
  const kith_share shares[] = {{"licences", t->semaphore}, {"counts", t->counts}, {"ready", ready}};
  const kith_process_options options = {
      .struct_size = sizeof options, .entry = entry, .shares = shares, .share_count = 3};
  kith_process* child;
  check(kith_process_spawn(&options, &child), "start a child");
  return child;
}

static void await_end(kith_process* child) {
  kith_exit end;
  check(kith_process_wait(child, KITH_FOREVER, &end), "wait for a child");
  kith_process_close(child);
}

int main(void) {
  int32_t code;
  if (kith_child_main(&code)) return code;

  tools t;
  kith_event* ready;
  check(kith_semaphore_create(licences, NULL, &t.semaphore), "create a semaphore");
  check(kith_array_create(KITH_I64, 3, NULL, &t.counts), "create an array");
  check(kith_event_create(NULL, &ready), "create an event");

  kith_process* children[workers];
  for (int i = 0; i < workers; ++i) children[i] = start(worker, &t, ready);
  for (int i = 0; i < workers; ++i) await_end(children[i]);
  const int64_t* counts = kith_array_data(t.counts);
  printf("jobs: %d, never more than %d at once: %s\n", (int)counts[2], (int)licences,
         counts[1] <= licences ? "true" : "false");

  kith_process* hoarder = start(hoard, &t, ready);
  check(kith_event_wait(ready, KITH_FOREVER), "wait for the hoarder");
  printf("free now: %u\n", (unsigned)kith_semaphore_available(t.semaphore));
  check(kith_process_kill(hoarder), "kill the hoarder");
  await_end(hoarder);

  /* [dead] */
  const kith_status status = kith_semaphore_acquire(t.semaphore, KITH_FOREVER);
  if (status == KITH_OWNER_DIED)
    printf("a licence came back from the dead\n"); /* and it is ours, as with KITH_OK */
  /* [dead] end */
  check(kith_semaphore_release(t.semaphore), "release");
  kith_semaphore_close(t.semaphore);
  kith_array_close(t.counts);
  kith_event_close(ready);
  return 0;
}
