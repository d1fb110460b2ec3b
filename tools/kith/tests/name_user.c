/* SPDX-License-Identifier: MIT
 *
 * A user of one named object, for the tests of the command: does what each line of stdin says, and answers with a line. Begins with a line that tells its
 * pid. When stdin ends it ends as a crash does: it closes nothing. */
#include <kith/kith.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef _WIN32
#include <process.h>
#define getpid _getpid
#else
#include <unistd.h>
#endif

static kith_memory* memory;
static kith_array* array;
static kith_value* value;
static kith_lock* lock;
static kith_semaphore* semaphore;
static kith_condition* condition;
static kith_event* event;
static kith_barrier* barrier;
static kith_queue* queue;
static kith_broadcast* broadcast;
static kith_endpoint* endpoint;

/* Names are written in hexadecimal digits, as they may contain anything. */
static void read_name(const char* digits, char* out, size_t size) {
  size_t length = 0;
  unsigned byte = 0;
  while (length + 1 < size && sscanf(digits + 2 * length, "%2x", &byte) == 1) out[length++] = (char)byte;
  out[length] = '\0';
}

static kith_status open_kind(const char* kind, const kith_naming* naming) {
  kith_queue_options of_queue = {.struct_size = sizeof of_queue, .capacity = 65536};
  kith_broadcast_options of_broadcast = {.struct_size = sizeof of_broadcast, .ring_size = 65536};
  if (strcmp(kind, "memory") == 0) return kith_memory_open_named(naming, 10000, NULL, &memory, NULL);
  if (strcmp(kind, "array") == 0) return kith_array_open_named(naming, KITH_F32, 6, NULL, &array, NULL);
  if (strcmp(kind, "value") == 0) return kith_value_open_named(naming, KITH_I64, NULL, NULL, &value, NULL);
  if (strcmp(kind, "lock") == 0) return kith_lock_open_named(naming, NULL, &lock, NULL);
  if (strcmp(kind, "semaphore") == 0) return kith_semaphore_open_named(naming, 3, NULL, &semaphore, NULL);
  if (strcmp(kind, "condition") == 0) return kith_condition_open_named(naming, NULL, &condition, NULL);
  if (strcmp(kind, "event") == 0) return kith_event_open_named(naming, NULL, &event, NULL);
  if (strcmp(kind, "barrier") == 0) return kith_barrier_open_named(naming, 2, NULL, &barrier, NULL);
  if (strcmp(kind, "queue") == 0) return kith_queue_open_named(naming, &of_queue, &queue, NULL);
  if (strcmp(kind, "broadcast") == 0)
    return kith_broadcast_open_named(naming, &of_broadcast, &broadcast, NULL);
  if (strcmp(kind, "endpoint") == 0) return kith_endpoint_listen(naming->name, NULL, &endpoint);
  return KITH_E_INVALID;
}

static kith_status open_it(const char* words) {
  char kind[32] = "", digits[1024] = "", name[512];
  unsigned flags = 0;
  if (sscanf(words, "%31s %1023s %u", kind, digits, &flags) < 2) return KITH_E_INVALID;
  read_name(digits, name, sizeof name);
  const kith_naming naming = {
      .struct_size = sizeof naming, .flags = KITH_NAME_CREATE | KITH_NAME_OPEN | flags, .name = name};
  return open_kind(kind, &naming);
}

static kith_status acquire(void) {
  if (semaphore != NULL) return kith_semaphore_acquire(semaphore, KITH_FOREVER);
  return kith_lock_acquire(array != NULL ? kith_array_lock(array) : lock, KITH_FOREVER);
}

static kith_status put(size_t size) {
  static char item[65536];
  if (size > sizeof item) return KITH_E_INVALID;
  return queue != NULL ? kith_queue_put(queue, item, size, 0)
                       : kith_broadcast_publish(broadcast, item, size, 0);
}

static void close_all(void) {
  kith_memory_close(memory);
  kith_array_close(array);
  kith_value_close(value);
  kith_lock_close(lock);
  kith_semaphore_close(semaphore);
  kith_condition_close(condition);
  kith_event_close(event);
  kith_barrier_close(barrier);
  kith_queue_close(queue);
  kith_broadcast_close(broadcast);
  kith_endpoint_close(endpoint);
}

static kith_status obey(const char* line) {
  if (strncmp(line, "open ", 5) == 0) return open_it(line + 5);
  if (strncmp(line, "put ", 4) == 0) return put((size_t)strtoul(line + 4, NULL, 10));
  if (strcmp(line, "acquire") == 0) return acquire();
  if (strcmp(line, "release") == 0) return kith_lock_release(lock);
  if (strcmp(line, "set") == 0) return kith_event_set(event);
  if (strcmp(line, "arrive") == 0) return kith_barrier_wait(barrier, KITH_FOREVER, NULL);
  if (strcmp(line, "close") != 0) return KITH_E_INVALID;
  close_all();
  return KITH_OK;
}

int main(void) {
  char line[2048];
  printf("%d\n", (int)getpid());
  fflush(stdout);
  while (fgets(line, sizeof line, stdin) != NULL) {
    line[strcspn(line, "\r\n")] = '\0';
    puts(kith_status_name(obey(line)));
    fflush(stdout);
  }
  return 0;
}
