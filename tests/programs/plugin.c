/* SPDX-License-Identifier: MIT
 *
 * A library that a test loads. It exports a function, and one that gives the address of one that is not exported. */
#include <kith/kith.h>
#include <string.h>

#if defined(_WIN32)
#define EXPORTED __declspec(dllexport)
#else
#define EXPORTED __attribute__((visibility("default")))
#endif

static int32_t sum(const void* argument, size_t size) {
  int32_t total = 0;
  for (size_t i = 0; i + sizeof total <= size; i += sizeof total) {
    int32_t number;
    memcpy(&number, (const char*)argument + i, sizeof number);
    total += number;
  }
  return total;
}

EXPORTED int32_t kith_test_plugin_sum(const void* argument, size_t size);
int32_t kith_test_plugin_sum(const void* argument, size_t size) { return sum(argument, size); }

EXPORTED kith_entry kith_test_plugin_entry(void);
kith_entry kith_test_plugin_entry(void) { return sum; }
