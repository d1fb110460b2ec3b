/* SPDX-License-Identifier: MIT
 *
 * The shortest program: a child process adds to a number of its parent's. */
/* [hello] */
#include <kith/kith.h>
#include <stdio.h>

/* [readme] */
static int32_t add(const void* argument, size_t argument_size) { /* runs in a process of its own */
  kith_value* sum;
  if (argument_size != sizeof(int32_t) || kith_value_inherit("sum", &sum) != KITH_OK) return 1;
  return kith_value_add(sum, *(const int32_t*)argument, NULL); /* atomic, in shared memory */
}

static kith_status start_adding(kith_value* sum, int32_t more, kith_process** child) {
  const kith_share share = {"sum", sum}; /* exactly this reaches the child */
  const kith_process_options options = {.struct_size = sizeof options,
                                        .entry = add,
                                        .argument = &more,
                                        .argument_size = sizeof more,
                                        .shares = &share,
                                        .share_count = 1};
  return kith_process_spawn(&options, child);
}
/* [readme] end */

int main(void) {
  int32_t code, sum = 40;
  if (kith_child_main(&code)) return code; /* the child runs its function here */

  kith_value* value;
  kith_process* child;
  kith_exit end;
  if (kith_value_create(KITH_I32, &sum, NULL, &value) != KITH_OK) return 1;
  if (start_adding(value, 2, &child) != KITH_OK) return 1;
  if (kith_process_wait(child, KITH_FOREVER, &end) != KITH_OK) return 1;
  if (kith_value_load(value, &sum, sizeof sum) != KITH_OK) return 1;
  printf("sum: %d\n", (int)sum);
  kith_process_close(child);
  kith_value_close(value);
  return 0;
}
/* [hello] end */
