/* SPDX-License-Identifier: MIT
 *
 * Every wait has a deadline. The child never answers and never ends: the parent loses patience with it, twice. */
#include <kith/kith.h>
#include <stdio.h>
#include <stdlib.h>

/* Ends the program when a call did not succeed, saying what failed and why. */
static void check(kith_status status, const char* what) {
  if (status == KITH_OK) return;
  fprintf(stderr, "%s: %s\n", what, kith_status_text(status));
  exit(1);
}

static int32_t listen_and_say_nothing(const void* argument, size_t argument_size) {
  (void)argument;
  (void)argument_size;
  kith_channel* parent;
  size_t size;
  check(kith_channel_inherit("parent", &parent), "take the channel");
  check(kith_channel_recv(parent, NULL, 0, &size, KITH_FOREVER), "receive");
  return 0;
}

int main(void) {
  int32_t code;
  if (kith_child_main(&code)) return code;

  kith_channel *channel, *childs_end;
  check(kith_channel_create(NULL, &channel, &childs_end), "create a channel");
  const kith_share shares[] = {{"parent", childs_end}};
  const kith_process_options options = {
      .struct_size = sizeof options, .entry = listen_and_say_nothing, .shares = shares, .share_count = 1};
  kith_process* child;
  check(kith_process_spawn(&options, &child), "start the child");
  kith_channel_close(childs_end);

  /* [wait] */
  char answer[100];
  size_t size;
  kith_exit end;
  kith_status status = kith_channel_recv(channel, answer, sizeof answer, &size, 50);
  printf("an answer within 50 ms: %s\n", kith_status_name(status));
  status = kith_process_wait(child, 50, &end);
  printf("its end within 50 ms: %s\n", kith_status_name(status));
  /* [wait] end */

  /* [stop] */
  /* Asks the process to end; if it has not ended in a second, ends it. */
  check(kith_process_stop(child, 0, 1000, KITH_FOREVER, &end), "stop the child");
  /* [stop] end */
  printf("stopped: %s\n", end.kind == KITH_EXIT_KILLED ? "KITH_EXIT_KILLED" : "it had ended by itself");
  status = kith_channel_recv(channel, answer, sizeof answer, &size, KITH_FOREVER);
  printf("an answer now: %s\n", kith_status_name(status));
  kith_process_close(child);
  kith_channel_close(channel);
  return 0;
}
