/* SPDX-License-Identifier: MIT
 *
 * Processes do not share variables. The child process p1 fills its list; the list of the main program stays empty. */
#include <kith/kith.h>
#include <stdio.h>
#include <stdlib.h>

/* A global variable: every process has its own. */
static int32_t result[4];
static size_t result_count = 0;

/* Ends the program when a call did not succeed, saying what failed and why. */
static void check(kith_status status, const char* what) {
  if (status == KITH_OK) return;
  fprintf(stderr, "%s: %s\n", what, kith_status_text(status));
  exit(1);
}

static void print_result(const char* where) {
  printf("Result(in %s) [", where);
  for (size_t i = 0; i < result_count; ++i) printf("%s%d", i == 0 ? "" : ", ", (int)result[i]);
  printf("]\n");
}

/* What the child does. It gets a copy of the bytes that the parent handed to it. */
static int32_t square_list(const void* argument, size_t argument_size) {
  const int32_t* mylist = argument;
  const size_t count = argument_size / sizeof mylist[0];
  for (size_t i = 0; i < count; ++i) result[result_count++] = mylist[i] * mylist[i];
  print_result("process p1");
  return 0;
}

int main(void) {
  /* The child is this program, started again. Here it leaves main, to run its function; the parent goes on. */
  int32_t code;
  if (kith_child_main(&code)) return code;

  const int32_t mylist[] = {1, 2, 3, 4};
  const kith_process_options options = {/* what is not named has its default */
                                        .struct_size = sizeof options,
                                        .entry = square_list,
                                        .argument = mylist,
                                        .argument_size = sizeof mylist};

  kith_process* p1;
  kith_exit end;
  check(kith_process_spawn(&options, &p1), "start p1");
  check(kith_process_wait(p1, KITH_FOREVER, &end), "wait for p1");
  kith_process_close(p1);

  print_result("main program");
  return end.kind == KITH_EXIT_CODE && end.code == 0 ? 0 : 1;
}
