/* SPDX-License-Identifier: MIT
 *
 * Message passing: the main program sends a list to the child process p1, which sends back the squares, then their sum.
 * Nothing is shared. */
#include <kith/kith.h>
#include <stdio.h>
#include <stdlib.h>

enum { capacity = 16 }; /* of the lists in this program; a message may be of any size */

/* Ends the program when a call did not succeed, saying what failed and why. */
static void check(kith_status status, const char* what) {
  if (status == KITH_OK) return;
  fprintf(stderr, "%s: %s\n", what, kith_status_text(status));
  exit(1);
}

static void print_squares(const char* where, const int32_t* squares, size_t count, int32_t sum) {
  printf("Result(in %s): [", where);
  for (size_t i = 0; i < count; ++i) printf("%s%d", i == 0 ? "" : ", ", (int)squares[i]);
  printf("]\nSum of squares(in %s): %d\n", where, (int)sum);
}

/* [child] */
static int32_t square_list(const void* argument, size_t argument_size) {
  (void)argument;
  (void)argument_size;
  kith_channel* parent;
  check(kith_channel_inherit("parent", &parent), "take the channel");

  /* A message is received as it was sent: whole. */
  int32_t list[capacity], sum = 0;
  size_t size;
  check(kith_channel_recv(parent, list, sizeof list, &size, KITH_FOREVER), "receive the list");
  const size_t count = size / sizeof list[0];
  for (size_t i = 0; i < count; ++i) sum += list[i] *= list[i];

  print_squares("process p1", list, count, sum);
  check(kith_channel_send(parent, list, size, KITH_FOREVER), "send the squares");
  check(kith_channel_send(parent, &sum, sizeof sum, KITH_FOREVER), "send the sum");
  kith_channel_close(parent);
  return 0;
}
/* [child] end */

/* [start] */
/* Starts p1, which gets one end of a channel; the other end is ours. */
static kith_process* start_p1(kith_channel** out_channel) {
  kith_channel* p1_end;
  check(kith_channel_create(NULL, out_channel, &p1_end), "create a channel");

  const kith_share shares[] = {{"parent", p1_end}};
  const kith_process_options options = {/* what is not named has its default */
                                        .struct_size = sizeof options,
                                        .entry = square_list,
                                        .shares = shares,
                                        .share_count = 1};

  kith_process* p1;
  check(kith_process_spawn(&options, &p1), "start p1");
  kith_channel_close(p1_end); /* it has moved to the child: all that is left to do with our handle */
  return p1;
}
/* [start] end */

/* [parent] */
int main(void) {
  /* The child is this program, started again. Here it leaves main, to run its function; the parent goes on. */
  int32_t code;
  if (kith_child_main(&code)) return code;

  const int32_t mylist[] = {1, 2, 3, 4};
  kith_channel* channel;
  kith_process* p1 = start_p1(&channel);

  int32_t squares[capacity], sum;
  size_t size, sum_size;
  kith_exit end;
  check(kith_channel_send(channel, mylist, sizeof mylist, KITH_FOREVER), "send the list");
  check(kith_channel_recv(channel, squares, sizeof squares, &size, KITH_FOREVER), "receive the squares");
  check(kith_channel_recv(channel, &sum, sizeof sum, &sum_size, KITH_FOREVER), "receive the sum");
  check(kith_process_wait(p1, KITH_FOREVER, &end), "wait for p1");

  print_squares("main program", squares, size / sizeof squares[0], sum);
  kith_process_close(p1);
  kith_channel_close(channel);
  return end.kind == KITH_EXIT_CODE && end.code == 0 ? 0 : 1;
}
/* [parent] end */
