/* SPDX-License-Identifier: MIT
 *
 * A library that kith-host loads. It is built with the shared kith and with a static one inside. */
#include <kith/kith.h>
#include <stdlib.h>
#include <string.h>

#if defined(_WIN32)
#include <windows.h>
#define EXPORTED __declspec(dllexport)
/* getenv would answer from a copy that was made when the program started. */
static int boot_is_set(void) { return GetEnvironmentVariableA("KITH_BOOT", NULL, 0) != 0; }
#else
static int boot_is_set(void) { return getenv("KITH_BOOT") != NULL; }
#define EXPORTED __attribute__((visibility("default")))
#endif

#define NEEDS(condition) \
  if (!(condition)) return __LINE__

/* Squares the elements of the array that it was given. */
static int32_t square(const void* argument, size_t size) {
  kith_array* numbers = NULL;
  int32_t* element;
  size_t i;
  (void)argument;
  (void)size;
  NEEDS(kith_array_inherit("numbers", &numbers) == KITH_OK);
  element = kith_array_data(numbers);
  for (i = 0; i < kith_array_count(numbers); ++i) element[i] *= element[i];
  kith_array_close(numbers);
  return 0;
}

/* Sends its argument back, and returns with the channel end open. */
EXPORTED int32_t hosted_echo(const void* argument, size_t size);
int32_t hosted_echo(const void* argument, size_t size) {
  kith_channel* line = NULL;
  NEEDS(kith_channel_inherit("line", &line) == KITH_OK);
  NEEDS(!boot_is_set()); /* whoever reads it removes it */
  NEEDS(kith_channel_send(line, argument, size, KITH_FOREVER) == KITH_OK);
  return 7;
}

EXPORTED int32_t hosted_square(const void* argument, size_t size);
int32_t hosted_square(const void* argument, size_t size) { return square(argument, size); }

/* Has a child of its own do it, which runs a function that nobody exports. */
EXPORTED int32_t hosted_delegate(const void* argument, size_t size);
int32_t hosted_delegate(const void* argument, size_t size) {
  kith_array* numbers = NULL;
  kith_process* child = NULL;
  kith_process_options options;
  kith_share share;
  kith_exit end;
  int32_t code = 77;
  (void)argument;
  (void)size;
  NEEDS(kith_child_main(&code) == 0 && code == 77);
  NEEDS(kith_array_inherit("numbers", &numbers) == KITH_OK);
  share.name = "numbers";
  share.object = numbers;
  memset(&options, 0, sizeof options);
  options.struct_size = sizeof options;
  options.entry = square;
  options.shares = &share;
  options.share_count = 1;
  NEEDS(kith_process_spawn(&options, &child) == KITH_OK);
  NEEDS(kith_process_wait(child, KITH_FOREVER, &end) == KITH_OK);
  NEEDS(end.kind == KITH_EXIT_CODE);
  kith_process_close(child);
  kith_array_close(numbers);
  return (int32_t)end.code;
}
