/* SPDX-License-Identifier: MIT
 *
 * The shortest program: a child process adds to a number of its parent's. */
/* [hello] */
#include <kith/kith.h>
#include <stdio.h>

static int32_t add(const void *argument, size_t argument_size) {
  kith_value *sum;
  if (argument_size != sizeof(int32_t) || kith_value_inherit("sum", &sum) != KITH_OK) return 1;
  const kith_status status = kith_value_add(sum, *(const int32_t *)argument, NULL);
  kith_value_close(sum);
  return status;
}

int main(void) {
  int32_t code, start = 40, more = 2, sum;
  if (kith_child_main(&code)) return code; /* the child runs its function here */

  kith_value *value;
  kith_process *child;
  kith_exit end;
  if (kith_value_create(KITH_I32, &start, NULL, &value) != KITH_OK) return 1;
  const kith_share shares[] = {{"sum", value}};
  const kith_process_options options = {.struct_size = sizeof options, .entry = add, .argument = &more,
                                        .argument_size = sizeof more, .shares = shares, .share_count = 1};
  if (kith_process_spawn(&options, &child) != KITH_OK) return 1;
  if (kith_process_wait(child, KITH_FOREVER, &end) != KITH_OK) return 1;
  if (kith_value_load(value, &sum, sizeof sum) != KITH_OK) return 1;
  printf("sum: %d\n", (int)sum);
  kith_process_close(child);
  kith_value_close(value);
  return 0;
}
/* [hello] end */
