/* SPDX-License-Identifier: MIT
 *
 * A library with one function that can be started as a process: by seed_native.py, with kith-host. */
#include <kith/kith.h>
#include <stdio.h>

#if defined(_WIN32)
#define EXPORTED __declspec(dllexport)
#else
#define EXPORTED __attribute__((visibility("default")))
#endif

/* [function] */
EXPORTED int32_t square_list(const void* argument, size_t argument_size) {
  const int32_t* mylist = argument;
  const size_t count = argument_size / sizeof mylist[0];
  kith_array* result;
  kith_value* square_sum;
  if (kith_array_inherit("result", &result) != KITH_OK) return 1;
  if (kith_value_inherit("square_sum", &square_sum) != KITH_OK) return 1;

  int32_t* squares = kith_array_data(result);
  int32_t sum = 0;
  for (size_t i = 0; i < count; ++i) sum += squares[i] = mylist[i] * mylist[i];
  /* [function] end */

  printf("Result(in process p1): [");
  for (size_t i = 0; i < count; ++i) printf("%s%d", i == 0 ? "" : ", ", (int)squares[i]);
  printf("]\nSum of squares(in process p1): %d\n", (int)sum);
  fflush(stdout);
  const kith_status status = kith_value_store(square_sum, &sum, sizeof sum);
  kith_value_close(square_sum);
  kith_array_close(result);
  return status == KITH_OK ? 0 : 1;
}
