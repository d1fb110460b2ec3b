/* SPDX-License-Identifier: MIT
 *
 * A program with a mistake: its main never calls kith_child_main. It starts a function of itself; the child runs main from its
 * beginning, as any program does, and would start a child of its own, without end, if the library let it. */
#include <kith/kith.h>
#include <string.h>

static int32_t never_runs(const void* argument, size_t size) {
  (void)argument;
  (void)size;
  return 50;
}

int main(void) {
  kith_process_options options;
  kith_process* child = NULL;
  kith_exit end;
  kith_status status;

  memset(&options, 0, sizeof options);
  options.struct_size = sizeof options;
  options.entry = never_runs;
  status = kith_process_spawn(&options, &child);
  if (status == KITH_E_NO_CHILD_MAIN) { /* we are the child */
    return strstr(kith_status_text(status), "kith_child_main") != NULL ? 40 : 41;
  }
  if (status != KITH_OK) return 42;
  if (kith_process_wait(child, 60000, &end) != KITH_OK) return 43;
  kith_process_close(child);
  if (end.kind != KITH_EXIT_NO_CHILD_MAIN) return 44;
  return end.code == 40 ? 0 : 45;
}
