/* SPDX-License-Identifier: MIT
 *
 * Shared memory: the child process p1 squares a list into a shared array and puts the sum into a shared value. The main
 * program sees both. */
#include <kith/kith.h>
#include <stdio.h>
#include <stdlib.h>

/* Ends the program when a call did not succeed, saying what failed and why. */
static void check(kith_status status, const char* what) {
  if (status == KITH_OK) return;
  fprintf(stderr, "%s: %s\n", what, kith_status_text(status));
  exit(1);
}

static void print_squares(const char* where, const kith_array* result, kith_value* square_sum) {
  const int32_t* squares = kith_array_data(result);
  int32_t sum;
  check(kith_value_load(square_sum, &sum, sizeof sum), "load square_sum");
  printf("Result(in %s): [", where);
  for (size_t i = 0; i < kith_array_count(result); ++i) printf("%s%d", i == 0 ? "" : ", ", (int)squares[i]);
  printf("]\nSum of squares(in %s): %d\n", where, (int)sum);
}

/* [child] */
static int32_t square_list(const void* argument, size_t argument_size) {
  const int32_t* mylist = argument;
  const size_t count = argument_size / sizeof mylist[0];

  /* Take what the parent gave, by name. */
  kith_array* result;
  kith_value* square_sum;
  check(kith_array_inherit("result", &result), "take result");
  check(kith_value_inherit("square_sum", &square_sum), "take square_sum");

  /* The elements are plain memory. Nobody else uses them now, so no lock is needed. */
  int32_t* squares = kith_array_data(result);
  int32_t sum = 0;
  for (size_t i = 0; i < count; ++i) sum += squares[i] = mylist[i] * mylist[i];
  check(kith_value_store(square_sum, &sum, sizeof sum), "store square_sum");

  print_squares("process p1", result, square_sum);
  kith_value_close(square_sum);
  kith_array_close(result);
  return 0;
}
/* [child] end */

/* [parent] */
int main(void) {
  /* The child is this program, started again. Here it leaves main, to run its function; the parent goes on. */
  int32_t code;
  if (kith_child_main(&code)) return code;

  const int32_t mylist[] = {1, 2, 3, 4};
  kith_array* result; /* four integers, all 0 */
  kith_value* square_sum;
  check(kith_array_create(KITH_I32, 4, NULL, &result), "create result");
  check(kith_value_create(KITH_I32, NULL, NULL, &square_sum), "create square_sum");

  const kith_share shares[] = {{"result", result}, {"square_sum", square_sum}};
  const kith_process_options options = {
      /* what is not named has its default */
      .struct_size = sizeof options,  .entry = square_list, .argument = mylist,
      .argument_size = sizeof mylist, .shares = shares,     .share_count = 2};

  kith_process* p1;
  kith_exit end;
  check(kith_process_spawn(&options, &p1), "start p1");
  check(kith_process_wait(p1, KITH_FOREVER, &end), "wait for p1");

  print_squares("main program", result, square_sum);
  kith_process_close(p1);
  kith_value_close(square_sum);
  kith_array_close(result);
  return end.kind == KITH_EXIT_CODE && end.code == 0 ? 0 : 1;
}
/* [parent] end */
