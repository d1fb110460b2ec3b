/* SPDX-License-Identifier: MIT
 *
 * One call waits for several things at once: messages of two children, and the end of each. */
#include <kith/kith.h>
#include <stdio.h>
#include <stdlib.h>

enum { children = 2, messages = 3 };

/* Ends the program when a call did not succeed, saying what failed and why. */
static void check(kith_status status, const char* what) {
  if (status == KITH_OK) return;
  fprintf(stderr, "%s: %s\n", what, kith_status_text(status));
  exit(1);
}

static int32_t reporter(const void* argument, size_t argument_size) {
  (void)argument_size;
  kith_channel* parent;
  check(kith_channel_inherit("parent", &parent), "take the channel");
  for (int32_t i = 1; i <= messages; ++i)
    check(kith_channel_send(parent, &i, sizeof i, KITH_FOREVER), "report");
  kith_channel_close(parent);
  return *(const int32_t*)argument;
}

/* What is waited for: a line or a process. */
struct source {
  kith_channel* line;
  kith_process* process;
  int32_t* result; /* the sum of what came through the line; how the process ended */
};

/* [serve] */
/* Takes all that is there, without waiting. 1: it has ended. */
static int serve(const struct source* source) {
  if (source->process != NULL) {
    kith_exit end;
    check(kith_process_wait(source->process, 0, &end), "see how it ended");
    *source->result = (int32_t)end.code;
    return 1;
  }
  int32_t number;
  size_t size;
  kith_status status;
  while ((status = kith_channel_recv(source->line, &number, sizeof number, &size, 0)) == KITH_OK)
    *source->result += number;
  return status != KITH_E_TIMEOUT; /* KITH_E_CLOSED: all has come */
}
/* [serve] end */

static void start(int32_t number, struct source* line, struct source* process) {
  kith_channel* theirs;
  check(kith_channel_create(NULL, &line->line, &theirs), "create a channel");
  const kith_share share = {"parent", theirs};
  const kith_process_options options = {.struct_size = sizeof options,
                                        .entry = reporter,
                                        .argument = &number,
                                        .argument_size = sizeof number,
                                        .shares = &share,
                                        .share_count = 1};
  check(kith_process_spawn(&options, &process->process), "start a child");
  kith_channel_close(theirs);
}

int main(void) {
  int32_t code;
  if (kith_child_main(&code)) return code;

  int32_t sums[children] = {0}, codes[children] = {0};
  struct source sources[2 * children] = {{0}};
  for (int32_t i = 0; i < children; ++i) {
    sources[2 * i].result = &sums[i];
    sources[2 * i + 1].result = &codes[i];
    start(i, &sources[2 * i], &sources[2 * i + 1]);
  }

  /* [wait] */
  kith_wait_item items[2 * children] = {{0}};
  size_t watched = 2 * children;
  while (watched > 0) {
    for (size_t i = 0; i < watched; ++i)
      items[i].object = sources[i].line != NULL ? (const void*)sources[i].line : sources[i].process;
    size_t ready;
    check(kith_wait_any(items, watched, &ready, KITH_FOREVER), "wait");
    for (size_t i = watched;
         i-- > 0;) { /* from the back, as the last takes the place of one that has ended */
      if (items[i].ready == 0 || !serve(&sources[i])) continue;
      kith_channel_close(sources[i].line);
      kith_process_close(sources[i].process);
      sources[i] = sources[--watched];
    }
  }
  /* [wait] end */

  for (int i = 0; i < children; ++i)
    printf("child %d: the sum of its reports is %d, it ended with %d\n", i, (int)sums[i], (int)codes[i]);
  return 0;
}
