/* SPDX-License-Identifier: MIT
 *
 * Three workers take tasks from one queue. One is killed at work: its task is lost, and whoever waits for all tasks is told so. */
#include <kith/kith.h>
#include <stdio.h>
#include <stdlib.h>

enum { workers = 3, tasks = 30 };

/* Ends the program when a call did not succeed, saying what failed and why. */
static void check(kith_status status, const char* what) {
  if (status == KITH_OK) return;
  fprintf(stderr, "%s: %s\n", what, kith_status_text(status));
  exit(1);
}

/* [worker] */
static int32_t worker(const void* argument, size_t argument_size) {
  (void)argument;
  (void)argument_size;
  kith_queue* queue;
  kith_value* sum;
  check(kith_queue_inherit("tasks", &queue), "take the queue");
  check(kith_value_inherit("sum", &sum), "take the value");

  int32_t number;
  size_t size;
  kith_status status;
  while ((status = kith_queue_get(queue, &number, sizeof number, &size, KITH_FOREVER)) == KITH_OK) {
    check(kith_value_add(sum, (int64_t)number * number, NULL), "work");
    check(kith_queue_task_done(queue), "say that it is done");
  }
  return status == KITH_E_CLOSED ? 0 : 1; /* the queue was shut down, and is empty */
}
/* [worker] end */

/* Takes a task, and waits to be killed. */
static int32_t sleeper(const void* argument, size_t argument_size) {
  (void)argument;
  (void)argument_size;
  kith_queue* queue;
  kith_event *taken, *never;
  int32_t number;
  size_t size;
  check(kith_queue_inherit("tasks", &queue), "take the queue");
  check(kith_event_inherit("taken", &taken), "take the event");
  check(kith_event_create(NULL, &never), "create an event");
  check(kith_queue_get(queue, &number, sizeof number, &size, KITH_FOREVER), "take a task");
  check(kith_event_set(taken), "say that we have it");
  return kith_event_wait(never, KITH_FOREVER) == KITH_OK ? 0 : 1;
}

static kith_process* start(kith_entry entry, kith_queue* queue, kith_value* sum, kith_event* taken) {
  const kith_share shares[] = {{"tasks", queue}, {"sum", sum}, {"taken", taken}};
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

  kith_value* sum;
  kith_event* taken;
  check(kith_value_create(KITH_I64, NULL, NULL, &sum), "create a value");
  check(kith_event_create(NULL, &taken), "create an event");

  /* [tasks] */
  const kith_queue_options options = {.struct_size = sizeof options, .flags = KITH_QUEUE_TASKS};
  kith_queue* queue;
  check(kith_queue_create(&options, &queue), "create a queue");

  kith_process* children[workers];
  for (int i = 0; i < workers; ++i) children[i] = start(worker, queue, sum, taken);
  for (int32_t number = 1; number <= tasks; ++number) {
    check(kith_queue_put(queue, &number, sizeof number, KITH_FOREVER), "put a task");
  }
  check(kith_queue_join(queue, KITH_FOREVER), "wait until all tasks are done");
  printf("the sum of %d squares: %d\n", (int)tasks, (int)*(const int64_t*)kith_value_data(sum));

  check(kith_queue_shutdown(queue), "let the workers go");
  for (int i = 0; i < workers; ++i) await_end(children[i]);
  kith_queue_close(queue);
  /* [tasks] end */

  check(kith_queue_create(&options, &queue), "create another queue");
  const int32_t one = 1;
  check(kith_queue_put(queue, &one, sizeof one, KITH_FOREVER), "put a task");
  kith_process* unlucky = start(sleeper, queue, sum, taken);
  check(kith_event_wait(taken, KITH_FOREVER), "wait until it is taken");
  check(kith_process_kill(unlucky), "kill the worker");
  await_end(unlucky);

  /* [lost] */
  if (kith_queue_join(queue, KITH_FOREVER) == KITH_OWNER_DIED)
    printf("no task is open, but some died with their worker\n");
  /* [lost] end */
  kith_queue_close(queue);
  kith_value_close(sum);
  kith_event_close(taken);
  return 0;
}
