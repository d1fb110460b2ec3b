/* SPDX-License-Identifier: MIT
 *
 * Two programs at a time, the output of one being the input of the other, as `count 1000 | sum` in a shell. Both are this
 * program, called in another way, so that they are there on every OS. */
#include <kith/kith.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Ends the program when a call did not succeed, saying what failed and why. */
static void check(kith_status status, const char* what) {
  if (status == KITH_OK) return;
  fprintf(stderr, "%s: %s\n", what, kith_status_text(status));
  exit(1);
}

static int count(int last) {
  for (int i = 1; i <= last; ++i) printf("%d\n", i);
  return 0;
}

static int sum(void) {
  long total = 0;
  int number;
  while (scanf("%d", &number) == 1) total += number;
  printf("%ld", total);
  return 0;
}

/* [pipeline] */
static void run_pipeline(const char* program) {
  const char* const count_arguments[] = {program, "--count", "1000", NULL};
  const char* const sum_arguments[] = {program, "--sum", NULL};
  kith_process_options counts = {.struct_size = sizeof counts, .argv = count_arguments};
  kith_process_options sums = {.struct_size = sizeof sums, .argv = sum_arguments};
  kith_os_handle *read_end, *write_end;
  kith_process *first, *second;
  kith_exit end;
  const void* output;
  size_t size;
  check(kith_pipe_create(&read_end, &write_end), "create the pipe between them");
  counts.std_out.what = KITH_STDIO_HANDLE;
  counts.std_out.handle = kith_os_handle_number(write_end);
  sums.std_in.what = KITH_STDIO_HANDLE;
  sums.std_in.handle = kith_os_handle_number(read_end);
  sums.std_out.what = KITH_STDIO_PIPE; /* its result is for us */
  check(kith_process_spawn(&counts, &first), "start the one that writes");
  check(kith_process_spawn(&sums, &second), "start the one that reads");
  kith_os_handle_close(write_end); /* or the one that reads would wait for what we might write */
  kith_os_handle_close(read_end);
  check(kith_process_communicate(second, NULL, 60000, &end), "read the result");
  check(kith_process_output(second, KITH_STDOUT, &output, &size), "look at it");
  printf("the sum is %.*s\n", (int)size, (const char*)output);
  check(kith_process_wait(first, KITH_FOREVER, &end), "wait for the one that writes");
  printf("exit code %d\n", (int)end.code);
  kith_process_close(second);
  kith_process_close(first);
}
/* [pipeline] end */

int main(int argc, char** argv) {
  if (argc > 2 && strcmp(argv[1], "--count") == 0) return count(atoi(argv[2]));
  if (argc > 1 && strcmp(argv[1], "--sum") == 0) return sum();

  run_pipeline(argv[0]);
  return 0;
}
