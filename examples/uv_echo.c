/* SPDX-License-Identifier: MIT
 *
 * One libuv loop: it serves an echo to a child over a channel, shows the progress of a second child that works through a
 * list, and learns how both end. Nothing waits but the loop. */
#include <kith/kith_uv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { job_count = 20 };

static void check(kith_status status, const char* what) {
  if (status == KITH_OK) return;
  fprintf(stderr, "%s: %s\n", what, kith_status_text(status));
  exit(1);
}

/* ---- the children ---- */

/* Sends some words, and counts those that come back. */
static int32_t talk(const void* argument, size_t argument_size) {
  (void)argument;
  (void)argument_size;
  static const char* const words[] = {"one", "two", "three"};
  kith_channel* line;
  check(kith_channel_inherit("line", &line), "take the channel");
  int32_t matches = 0;
  for (int i = 0; i < 3; ++i) {
    char answer[16] = "";
    size_t size;
    check(kith_channel_send(line, words[i], strlen(words[i]), KITH_FOREVER), "send");
    check(kith_channel_recv(line, answer, sizeof answer - 1, &size, KITH_FOREVER), "receive");
    if (strcmp(answer, words[i]) == 0) ++matches;
  }
  kith_channel_close(line);
  return matches;
}

/* Tells after each job how many are done. */
static int32_t work(const void* argument, size_t argument_size) {
  (void)argument;
  (void)argument_size;
  kith_queue* progress;
  check(kith_queue_inherit("progress", &progress), "take the queue");
  for (int32_t done = 1; done <= job_count; ++done)
    check(kith_queue_put(progress, &done, sizeof done, KITH_FOREVER), "tell the progress");
  check(kith_queue_shutdown(progress), "end the queue");
  kith_queue_close(progress);
  return 0;
}

static kith_process* start(kith_entry entry, const char* name, const void* object) {
  const kith_share share = {name, object};
  const kith_process_options options = {
      .struct_size = sizeof options, .entry = entry, .shares = &share, .share_count = 1};
  kith_process* child;
  check(kith_process_spawn(&options, &child), "start a child");
  return child;
}

/* ---- the callbacks: all run in the loop ---- */

/* [echo] */
static void echo(kith_uv_watch* watch, kith_status status, const kith_uv_message* message) {
  if (status == KITH_OK) {
    check(kith_uv_send(watch, message->data, message->size, NULL, NULL), "echo");
  } else {
    kith_uv_close(watch, NULL); /* KITH_E_CLOSED: the child has hung up */
  }
}
/* [echo] end */

static void show_progress(kith_uv_watch* watch, kith_status status, const kith_uv_message* message) {
  if (status != KITH_OK) {
    kith_uv_close(watch, NULL);
    return;
  }
  int32_t done;
  memcpy(&done, message->data, sizeof done);
  if (done % 5 != 0) return;
  printf("progress: [");
  for (int32_t i = 1; i <= job_count; ++i) putchar(i <= done ? '#' : '.');
  printf("] %d of %d\n", (int)done, job_count);
}

static void note_exit(kith_uv_watch* watch, kith_status status, const kith_exit* how) {
  check(status, "wait for a child");
  *(kith_exit*)kith_uv_user(watch) = *how;
  kith_uv_close(watch, NULL);
}

int main(void) {
  int32_t code;
  if (kith_child_main(&code)) return code;

  kith_channel *ours, *theirs;
  kith_queue* progress;
  check(kith_channel_create(NULL, &ours, &theirs), "create a channel");
  check(kith_queue_create(NULL, &progress), "create a queue");
  kith_process* talker = start(talk, "line", theirs);
  kith_process* worker = start(work, "progress", progress);
  kith_channel_close(theirs); /* it has moved to the child */

  /* [loop] */
  uv_loop_t* loop = uv_default_loop();
  kith_uv_watch* watch;
  kith_exit talked, worked;
  kith_uv_options options = {.struct_size = sizeof options};
  check(kith_uv_channel(loop, ours, &options, echo, &watch), "watch the channel");
  check(kith_uv_queue(loop, progress, &options, show_progress, &watch), "watch the queue");
  options.user = &talked;
  check(kith_uv_process(loop, talker, &options, note_exit, &watch), "watch the talker");
  options.user = &worked;
  check(kith_uv_process(loop, worker, &options, note_exit, &watch), "watch the worker");
  uv_run(loop, UV_RUN_DEFAULT); /* until all four have told their last */
  /* [loop] end */

  printf("echoed: %d of 3\n", (int)talked.code);
  printf("worker ended with %d\n", (int)worked.code);
  uv_loop_close(loop);
  kith_channel_close(ours);
  kith_queue_close(progress);
  kith_process_close(talker);
  kith_process_close(worker);
  return 0;
}
