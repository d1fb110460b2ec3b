/* SPDX-License-Identifier: MIT
 *
 * A worker that is asked to stop puts its things in order and ends. One that would not is killed, with all that it has started. */
#include <kith/kith.h>
#include <stdio.h>
#include <stdlib.h>

/* Ends the program when a call did not succeed, saying what failed and why. */
static void check(kith_status status, const char* what) {
  if (status == KITH_OK) return;
  fprintf(stderr, "%s: %s\n", what, kith_status_text(status));
  exit(1);
}

/* [worker] */
static int32_t work_until_stopped(const void* argument, size_t argument_size) {
  (void)argument;
  (void)argument_size;
  kith_value* done;
  check(kith_value_inherit("done", &done), "take the counter");
  while (kith_stop_requested(0) == KITH_E_TIMEOUT) check(kith_value_add(done, 1, NULL), "work");
  printf("%s: asked to stop, putting things in order\n", kith_self_name());
  kith_value_close(done);
  return 0;
}
/* [worker] end */

/* [event] */
static int32_t serve_until_stopped(const void* argument, size_t argument_size) {
  (void)argument;
  (void)argument_size;
  kith_channel* line;
  check(kith_channel_inherit("line", &line), "take the line");
  kith_wait_item items[] = {{.object = line},
                            {.object = kith_stop_event()}}; /* from here on it can be asked */
  check(kith_channel_send(line, "ready", 5, KITH_FOREVER), "say that we are ready");
  size_t ready;
  check(kith_wait_any(items, 2, &ready, KITH_FOREVER), "wait for a message or the request");
  if (items[1].ready != 0) printf("%s: asked to stop while waiting\n", kith_self_name());
  kith_channel_close(line);
  return 0;
}
/* [event] end */

/* [tree] */
static kith_process* start(kith_entry entry, const char* name, kith_share share) {
  const kith_process_options options = {.struct_size = sizeof options,
                                        .flags = KITH_PROCESS_TREE, /* what it starts is ended with it */
                                        .entry = entry,
                                        .shares = &share,
                                        .share_count = 1,
                                        .name = name};
  kith_process* process;
  check(kith_process_spawn(&options, &process), "start a process");
  return process;
}
/* [tree] end */

/* [stop] */
static void stop(kith_process* process) {
  kith_exit end; /* asks it; has patience for five seconds; kills what is left of the tree */
  check(kith_process_stop(process, 0, 5000, KITH_FOREVER, &end), "stop the process");
  printf("%s: exit code %d\n", kith_process_name(process), (int)end.code);
  kith_process_close(process);
}
/* [stop] end */

int main(void) {
  int32_t code;
  if (kith_child_main(&code)) return code;

  kith_value* done;
  check(kith_value_create(KITH_I64, NULL, NULL, &done), "create a counter");
  kith_process* worker = start(work_until_stopped, "worker", (kith_share){"done", done});
  int64_t count = 0;
  while (count < 1000) check(kith_value_load(done, &count, sizeof count), "look at its progress");
  stop(worker);
  fflush(stdout); /* before the next one prints */
  kith_value_close(done);

  kith_channel *ours, *theirs;
  check(kith_channel_create(NULL, &ours, &theirs), "create a channel");
  kith_process* server = start(serve_until_stopped, "server", (kith_share){"line", theirs});
  char ready[8];
  size_t size;
  check(kith_channel_recv(ours, ready, sizeof ready, &size, KITH_FOREVER), "wait until it is ready");
  stop(server);
  kith_channel_close(theirs);
  kith_channel_close(ours);
  return 0;
}
