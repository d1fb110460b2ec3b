/* SPDX-License-Identifier: MIT
 *
 * Runs a program, gives it input, and captures its output; then talks to one line by line. The program is this one,
 * called in another way, so that it is there on every OS. */
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

/* What the program does: it answers each line of its stdin. */
static int shout(void) {
  char line[256];
  int lines = 0;
  while (fgets(line, sizeof line, stdin) != NULL) {
    line[strcspn(line, "\r\n")] = '\0';
    printf("%s!\n", line);
    fflush(stdout); /* a pipe is no terminal: without this the line would wait for others */
    ++lines;
  }
  fprintf(stderr, "%d lines\n", lines);
  return 0;
}

static void print_output(const char* of, const void* data, size_t size) {
  const char* text = (const char*)data;
  printf("%s:", of);
  for (size_t i = 0; i < size; ++i) {
    if (text[i] == '\n' || text[i] == '\r') continue;
    printf("%s%c", i == 0 || text[i - 1] == '\n' ? " " : "", text[i]);
  }
  printf("\n");
}

/* [capture] */
static void capture(const char* program) {
  const char* const arguments[] = {program, "--shout", NULL};
  const kith_process_options options = {.struct_size = sizeof options,
                                        .argv = arguments,
                                        .std_in = {.what = KITH_STDIO_PIPE},
                                        .std_out = {.what = KITH_STDIO_PIPE},
                                        .std_err = {.what = KITH_STDIO_PIPE}};
  const char input[] = "hello\nworld\n";
  const kith_communicate_options talk = {
      .struct_size = sizeof talk, .input = input, .input_size = sizeof input - 1, .most_output = 1000000};
  kith_process* process;
  kith_exit end;
  const void* data;
  size_t size;
  check(kith_process_spawn(&options, &process), "start the program");
  check(kith_process_communicate(process, &talk, 60000, &end), "talk to it, until it ends");
  check(kith_process_output(process, KITH_STDOUT, &data, &size), "look at its output");
  print_output("stdout", data, size);
  check(kith_process_output(process, KITH_STDERR, &data, &size), "look at its errors");
  print_output("stderr", data, size);
  printf("exit code %d\n", (int)end.code);
  kith_process_close(process); /* what `data` points to goes with it */
}
/* [capture] end */

/* [streams] */
static void ask(kith_stream* to, kith_stream* from, const char* question) {
  char answer[256];
  size_t filled = 0;
  check(kith_stream_write(to, question, strlen(question), NULL, 5000), "ask");
  do { /* a read brings what is there, perhaps a part of the line */
    size_t size = 0;
    check(kith_stream_read(from, answer + filled, sizeof answer - filled, &size, 5000), "hear the answer");
    filled += size;
  } while (answer[filled - 1] != '\n' && filled < sizeof answer);
  print_output("answer", answer, filled);
}

static void converse(const char* program) {
  const char* const arguments[] = {program, "--shout", NULL};
  const kith_process_options options = {.struct_size = sizeof options,
                                        .argv = arguments,
                                        .std_in = {.what = KITH_STDIO_PIPE},
                                        .std_out = {.what = KITH_STDIO_PIPE},
                                        .std_err = {.what = KITH_STDIO_NULL}};
  kith_process* process;
  kith_stream* to;
  kith_stream* from;
  kith_exit end;
  check(kith_process_spawn(&options, &process), "start the program");
  check(kith_process_take_stream(process, KITH_STDIN, &to), "take its stdin");
  check(kith_process_take_stream(process, KITH_STDOUT, &from), "take its stdout");
  ask(to, from, "how are you\n");
  ask(to, from, "and now\n");
  kith_stream_close(to); /* the end of its stdin, and so of the program */
  check(kith_process_wait(process, KITH_FOREVER, &end), "wait for its end");
  kith_stream_close(from);
  kith_process_close(process);
}
/* [streams] end */

int main(int argc, char** argv) {
  if (argc > 1 && strcmp(argv[1], "--shout") == 0) return shout();

  capture(argv[0]);
  converse(argv[0]);
  return 0;
}
