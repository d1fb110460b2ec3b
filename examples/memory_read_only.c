/* SPDX-License-Identifier: MIT
 *
 * Memory that the parent writes and its children can only read. One child reads; another tries to write, which the OS
 * does not let it survive. */
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

/* [reader] */
static int32_t read_page(const void* argument, size_t argument_size) {
  (void)argument;
  (void)argument_size;
  kith_memory* page;
  check(kith_memory_inherit("page", &page), "take the page");
  printf("the reader sees: %s\n", (const char*)kith_memory_data(page));
  kith_memory_close(page);
  return 0;
}
/* [reader] end */

static int32_t write_page(const void* argument, size_t argument_size) {
  (void)argument;
  (void)argument_size;
  kith_memory* page;
  check(kith_memory_inherit("page", &page), "take the page");
  strcpy(kith_memory_data(page), "I was here");
  kith_memory_close(page);
  return 0;
}

static kith_exit run(kith_entry entry, const kith_memory* page) {
  const kith_share shares[] = {{"page", page}};
  const kith_process_options options = {
      .struct_size = sizeof options, .entry = entry, .shares = shares, .share_count = 1};
  kith_process* child;
  kith_exit end;
  check(kith_process_spawn(&options, &child), "start a child");
  check(kith_process_wait(child, KITH_FOREVER, &end), "wait for its end");
  kith_process_close(child);
  return end;
}

int main(void) {
  int32_t code;
  if (kith_child_main(&code)) return code;

  /* [create] */
  const kith_memory_options options = {.struct_size = sizeof options, .flags = KITH_MEMORY_READ_ONLY_SHARE};
  kith_memory* page;
  check(kith_memory_create(4096, &options, &page), "create the page");
  strcpy(kith_memory_data(page), "a page for all to read");
  /* [create] end */

  run(read_page, page);
  const kith_exit end = run(write_page, page);
  printf("the writer %s\n", end.kind == KITH_EXIT_CODE && end.code == 0 ? "wrote" : "was ended by the OS");
  printf("the page is still: %s\n", (const char*)kith_memory_data(page));
  kith_memory_close(page);
  return 0;
}
