/* SPDX-License-Identifier: MIT
 *
 * Processes that were given nothing meet at a counter by its name. None of them owns it: it is there while anybody uses it. */
#include <kith/kith.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { visitors = 4, rounds = 1000 };

/* Ends the program when a call did not succeed, saying what failed and why. */
static void check(kith_status status, const char* what) {
  if (status == KITH_OK) return;
  fprintf(stderr, "%s: %s\n", what, kith_status_text(status));
  exit(1);
}

/* [open] */
/* Whoever comes first makes it; nobody sees it before it is complete. */
static kith_value* open_counter(const char* name) {
  const kith_naming naming = {
      .struct_size = sizeof naming, .flags = KITH_NAME_CREATE | KITH_NAME_OPEN, .name = name};
  const int64_t first = 100;
  kith_value* counter;
  check(kith_value_open_named(&naming, KITH_I64, &first, NULL, &counter, NULL), "open the counter");
  return counter;
}
/* [open] end */

static int32_t visit(const void* name, size_t size) {
  (void)size;
  kith_value* counter = open_counter(name);
  for (int i = 0; i < rounds; ++i) check(kith_value_add(counter, 1, NULL), "add");
  kith_value_close(counter);
  return 0;
}

/* [list] */
static void show(const char* name) {
  kith_names* names;
  check(kith_names_list(&names), "list the names");
  for (size_t i = 0; i < kith_names_count(names); ++i) {
    kith_name_info info = {.struct_size = sizeof info};
    check(kith_names_at(names, i, &info), "ask for one");
    if (strcmp(info.name, name) != 0) continue; /* somebody else's */
    printf("it has %d bytes and %d user\n", (int)info.size, (int)info.user_count);
  }
  kith_names_close(names);
}
/* [list] end */

int main(void) {
  int32_t code;
  if (kith_child_main(&code)) return code;

  kith_process* processes[visitors];
  char name[64];
  snprintf(name, sizeof name, "example counter %p", (void*)processes); /* so that two runs do not meet */
  kith_value* counter = open_counter(name);
  const kith_process_options options = {
      .struct_size = sizeof options, .entry = visit, .argument = name, .argument_size = sizeof name};
  for (int i = 0; i < visitors; ++i) check(kith_process_spawn(&options, &processes[i]), "start a visitor");
  for (int i = 0; i < visitors; ++i) {
    kith_exit end;
    check(kith_process_wait(processes[i], KITH_FOREVER, &end), "wait for a visitor");
    kith_process_close(processes[i]);
  }
  int64_t total;
  check(kith_value_load(counter, &total, sizeof total), "load");
  printf("counter: %d\n", (int)total);
  show(name);
  kith_value_close(counter); /* the last user goes, and the counter with it */
  const kith_naming naming = {.struct_size = sizeof naming, .flags = KITH_NAME_OPEN, .name = name};
  printf("afterwards: %s\n",
         kith_status_name(kith_value_open_named(&naming, KITH_I64, NULL, NULL, &counter, NULL)));
  return 0;
}
