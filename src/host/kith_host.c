/* SPDX-License-Identifier: MIT
 *
 * kith-host: runs a function of a library for a process that was started for it (kith_process_options.library). All is done by
 * kith_child_main. */
#include <kith/kith.h>
#include <stdio.h>

int main(void) {
  int32_t code;
  if (kith_child_main(&code)) return code;
  fprintf(stderr, "kith-host %d.%d.%d is started by kith_process_spawn, for a function of a library.\n",
          KITH_VERSION_MAJOR, KITH_VERSION_MINOR, KITH_VERSION_PATCH);
  return 2;
}
