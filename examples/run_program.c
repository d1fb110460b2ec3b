/* SPDX-License-Identifier: MIT
 *
 * Runs a program with arguments, a changed environment and a working directory, and tells how it ended. The program is
 * this one, called in another way, so that it is there on every OS. */
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

static int greet(int argc, char** argv) {
  const char* greeting = getenv("GREETING");
  for (int i = 2; i < argc; ++i) printf("%s, %s!\n", greeting != NULL ? greeting : "?", argv[i]);
  return 3;
}

/* [run] */
static kith_exit run(const char* program) {
  const char* const arguments[] = {program, "--greet", "world", "two words", "\"quotes\" \\", NULL};
  const char* const changes[] = {"GREETING=Hello", "LANG", NULL}; /* sets the one, removes the other */
  const kith_process_options options = {
      .struct_size = sizeof options, .argv = arguments, .env = changes, .cwd = "/"};
  kith_process* process;
  kith_exit end;
  check(kith_process_spawn(&options, &process), "start the program");
  check(kith_process_wait(process, KITH_FOREVER, &end), "wait for its end");
  kith_process_close(process);
  return end;
}
/* [run] end */

/* [missing] */
static void run_what_is_not_there(void) {
  const char* const arguments[] = {"./there-is-no-such-program", NULL};
  const kith_process_options options = {.struct_size = sizeof options, .argv = arguments};
  kith_process* process;
  const kith_status status = kith_process_spawn(&options, &process);
  printf("%s\n",
         kith_status_name(status)); /* KITH_E_NOT_FOUND: nothing was started, there is nothing to close */
}
/* [missing] end */

int main(int argc, char** argv) {
  if (argc > 1 && strcmp(argv[1], "--greet") == 0) return greet(argc, argv);

  const kith_exit end = run(argv[0]);
  if (end.kind == KITH_EXIT_CODE) printf("exit code %d\n", (int)end.code);
  run_what_is_not_there();
  return 0;
}
