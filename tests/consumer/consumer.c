/* SPDX-License-Identifier: MIT
 * What an installed kith must be able to do: the child adds to a value of the parent's. */
#include <kith/kith.h>
#include <stdio.h>
#include <string.h>

static int32_t add_one(const void* argument, size_t argument_size) {
  kith_value* sum = NULL;
  (void)argument;
  (void)argument_size;
  if (kith_value_inherit("sum", &sum) != KITH_OK) return 1;
  const kith_status status = kith_value_add(sum, 1, NULL);
  kith_value_close(sum);
  return status;
}

static kith_status run(kith_value* sum, int32_t* out) {
  const kith_share shares[] = {{"sum", sum}};
  kith_process_options options;
  kith_process* child = NULL;
  kith_exit end;
  memset(&options, 0, sizeof options);
  options.struct_size = sizeof options;
  options.entry = add_one;
  options.shares = shares;
  options.share_count = 1;
  kith_status status = kith_process_spawn(&options, &child);
  if (status == KITH_OK) status = kith_process_wait(child, KITH_FOREVER, &end);
  if (status == KITH_OK) status = kith_value_load(sum, out, sizeof *out);
  kith_process_close(child);
  return status;
}

int main(void) {
  int32_t code, sum = 41;
  kith_value* value = NULL;
  if (kith_child_main(&code)) return code;
  kith_status status = kith_value_create(KITH_I32, &sum, NULL, &value);
  if (status == KITH_OK) status = run(value, &sum);
  kith_value_close(value);
  printf("kith %d: %s, the sum is %d\n", (int)kith_version(), kith_status_name(status), (int)sum);
  return status == KITH_OK && sum == 42 && kith_version() == KITH_VERSION ? 0 : 1;
}
