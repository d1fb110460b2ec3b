/* SPDX-License-Identifier: MIT
 *
 * The API from C99: every function is called, every number is what it was in the first release, every struct has the layout that
 * foreign function interfaces write down. */
#include <kith/kith.h>
#include <stdio.h>
#include <string.h>

static int failures = 0;

#define EXPECT(condition)                                             \
  do {                                                                \
    if (!(condition)) {                                               \
      fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
      ++failures;                                                     \
    }                                                                 \
  } while (0)

/* Numbers that are frozen: a program that was compiled long ago has them built in. */
struct frozen {
  int32_t is;
  int32_t was;
};

static void check_frozen(const struct frozen* numbers, size_t count) {
  size_t i;
  for (i = 0; i < count; ++i) {
    if (numbers[i].is != numbers[i].was)
      fprintf(stderr, "number %d has become %d\n", (int)numbers[i].was, (int)numbers[i].is);
    EXPECT(numbers[i].is == numbers[i].was);
  }
}

static void check_statuses(void) {
  static const struct frozen numbers[] = {
      {KITH_OK, 0},
      {KITH_OWNER_DIED, 1},
      {KITH_NOT_EQUAL, 2},
      {KITH_LAST, 3},
      {KITH_MISSED, 4},
      {KITH_E_INVALID, -1},
      {KITH_E_NO_MEMORY, -2},
      {KITH_E_TIMEOUT, -3},
      {KITH_E_CLOSED, -4},
      {KITH_E_PEER_DIED, -5},
      {KITH_E_TOO_LARGE, -6},
      {KITH_E_NOT_FOUND, -7},
      {KITH_E_DENIED, -8},
      {KITH_E_LIMIT, -9},
      {KITH_E_UNSUPPORTED, -10},
      {KITH_E_OS, -11},
      {KITH_E_EXISTS, -12},
      {KITH_E_NOT_OWNER, -13},
      {KITH_E_MISMATCH, -14},
      {KITH_E_PROTOCOL, -15},
      {KITH_E_MOVED, -16},
      {KITH_E_DEADLOCK, -17},
      {KITH_E_NO_CHILD_MAIN, -18},
      {KITH_E_NO_FUNCTION, -19},
      {KITH_E_NOT_A_PROGRAM, -20},
      {KITH_E_BAD_CWD, -21},
      {KITH_E_BUSY, -22},
      {KITH_E_INTERRUPTED, -23},
      {KITH_E_CANCELLED, -24},
      {KITH_E_BROKEN, -25},
      {KITH_E_NO_HOST, -29},
  };
  check_frozen(numbers, sizeof numbers / sizeof numbers[0]);
}

static void check_numbers(void) {
  static const struct frozen numbers[] = {
      {KITH_HAS_FORK, 1},
      {KITH_HAS_SEALED_MEMORY, 2},
      {KITH_HAS_READ_ONLY_SHARE, 3},
      {KITH_HAS_PROCESS_HANDLE, 4},
      {KITH_FOREVER, -1},
      {KITH_I8, 1},
      {KITH_U8, 2},
      {KITH_I16, 3},
      {KITH_U16, 4},
      {KITH_I32, 5},
      {KITH_U32, 6},
      {KITH_I64, 7},
      {KITH_U64, 8},
      {KITH_F32, 9},
      {KITH_F64, 10},
      {KITH_STRUCT, 11},
      {KITH_START_SPAWN, 0},
      {KITH_START_FORK, 1},
      {KITH_PROCESS_CLEAN_ENV, 1},
      {KITH_PROCESS_KEEP_DESCRIPTORS, 2},
      {KITH_PROCESS_BATCH_FILES, 4},
      {KITH_PROCESS_DETACHED, 8},
      {KITH_EXIT_CODE, 1},
      {KITH_EXIT_SIGNAL, 2},
      {KITH_EXIT_EXCEPTION, 3},
      {KITH_EXIT_KILLED, 4},
      {KITH_EXIT_UNKNOWN, 5},
      {KITH_EXIT_NO_CHILD_MAIN, 6},
      {KITH_EXIT_NO_ENTRY, 7},
      {KITH_MEMORY_READ_ONLY_SHARE, 1},
      {KITH_MEMORY_COMMIT, 2},
      {KITH_MEMORY_LAZY, 4},
      {KITH_LOCK_RECURSIVE, 8},
      {KITH_SEMAPHORE_SIGNAL, 1},
      {KITH_SEMAPHORE_LARGEST, 1000000000},
      {KITH_SEMAPHORE_MOST_OWNED, 4096},
      {KITH_CONDITION_MOST_WAITERS, 1024},
      {KITH_EVENT_AUTO_RESET, 1},
      {KITH_BROADCAST_HOLD, 1},
      {KITH_BROADCAST_MOST_READERS, 1024},
      {KITH_HISTORY_ALL, -1},
      {KITH_OBJECT_BROADCAST, 16},
      {KITH_EVENT_INITIALLY_SET, 2},
      {KITH_BARRIER_MOST_PARTIES, 4096},
      {KITH_QUEUE_TASKS, 1},
      {KITH_QUEUE_MOST_WORKERS, 256},
  };
  check_frozen(numbers, sizeof numbers / sizeof numbers[0]);
}

static void check_layout(void) {
  EXPECT(sizeof(kith_status) == 4);
  EXPECT(sizeof(kith_type) == 4);
  EXPECT(sizeof(kith_exit) == 16);
  EXPECT(offsetof(kith_exit, code) == 8);
  EXPECT(sizeof(kith_share) == 2 * sizeof(void*));
  EXPECT(sizeof(kith_memory_options) == 8);
  EXPECT(sizeof(kith_array_options) == 16);
  EXPECT(offsetof(kith_array_options, element_size) == 8);
  EXPECT(sizeof(kith_value_options) == 16);
  EXPECT(sizeof(kith_lock_options) == 8);
  EXPECT(sizeof(kith_owner) == 24);
  EXPECT(offsetof(kith_owner, held_ms) == 8);
  EXPECT(offsetof(kith_owner, alive) == 16);
  EXPECT(sizeof(kith_semaphore_options) == 16);
  EXPECT(offsetof(kith_semaphore_options, maximum) == 8);
  EXPECT(sizeof(kith_condition_options) == 8);
  EXPECT(sizeof(kith_event_options) == 8);
  EXPECT(sizeof(kith_barrier_options) == 8);
  EXPECT(sizeof(kith_channel_options) == 24);
  EXPECT(offsetof(kith_channel_options, ring_size) == 8);
  EXPECT(sizeof(kith_queue_options) == 24);
  EXPECT(offsetof(kith_queue_options, capacity) == 8);
  EXPECT(offsetof(kith_queue_options, most_items) == 16);
  EXPECT(sizeof(kith_answer) == 40);
  EXPECT(offsetof(kith_answer, status) == 16);
  EXPECT(offsetof(kith_answer, end) == 24);
  EXPECT(sizeof(kith_pool_progress) == 48);
  EXPECT(sizeof(void*) != 8 || offsetof(kith_pool_options, workers) == 128);
  EXPECT(sizeof(void*) != 8 || sizeof(kith_pool_options) == 152);
  EXPECT(sizeof(void*) != 8 || offsetof(kith_process_options, cwd) == 80);
  EXPECT(sizeof(void*) != 8 || offsetof(kith_process_options, std_in) == 112);
  EXPECT(sizeof(void*) != 8 || sizeof(kith_process_options) == 192);
  EXPECT(sizeof(void*) != 8 || sizeof(kith_stdio) == 24);
  EXPECT(offsetof(kith_stdio, path) == 8);
  EXPECT(sizeof(void*) != 8 || sizeof(kith_communicate_options) == 32);
  EXPECT(offsetof(kith_process_options, struct_size) == 0);
  EXPECT(offsetof(kith_process_options, flags) == 4);
  EXPECT(offsetof(kith_process_options, argv) == 8);
}

static void check_version_and_status(void) {
  EXPECT(kith_version() == KITH_VERSION);
  EXPECT(kith_abi_version() == KITH_ABI_VERSION);
  EXPECT(kith_has(0) == 0);
  EXPECT(strcmp(kith_status_name(KITH_OK), "KITH_OK") == 0);
  EXPECT(strlen(kith_status_text(KITH_E_TIMEOUT)) > 0);
  EXPECT(kith_os_error() == 0);
}

/* The child: takes one object of each kind, and uses it. */
static int32_t child(const void* argument, size_t size) {
  kith_memory* memory = NULL;
  kith_array* array = NULL;
  kith_value* value = NULL;
  kith_lock* lock = NULL;
  kith_channel* channel = NULL;
  char text[8];
  size_t length = 0;

  EXPECT(size == 3 && memcmp(argument, "abc", 3) == 0);
  EXPECT(kith_memory_inherit("memory", &memory) == KITH_OK);
  EXPECT(kith_array_inherit("array", &array) == KITH_OK);
  EXPECT(kith_value_inherit("value", &value) == KITH_OK);
  EXPECT(kith_lock_inherit("lock", &lock) == KITH_OK);
  EXPECT(kith_channel_inherit("channel", &channel) == KITH_OK);
  EXPECT(kith_lock_acquire(lock, 10000) == KITH_OK);
  memcpy(kith_memory_data(memory), "hello", 6);
  EXPECT(kith_array_add(array, 1, 41, NULL) == KITH_OK);
  EXPECT(kith_value_add(value, 1, NULL) == KITH_OK);
  EXPECT(kith_lock_release(lock) == KITH_OK);
  EXPECT(kith_channel_recv(channel, text, sizeof text, &length, 10000) == KITH_OK);
  EXPECT(kith_channel_send(channel, text, length, 10000) == KITH_OK);
  kith_memory_close(memory);
  kith_array_close(array);
  kith_value_close(value);
  kith_lock_close(lock);
  kith_channel_close(channel);
  return failures == 0 ? 7 : 8;
}

static void check_memory(kith_memory* memory) {
  EXPECT(kith_memory_size(memory) == 64);
  EXPECT(kith_memory_data(memory) != NULL);
}

static void check_array(kith_array* array) {
  int64_t number = 0;
  EXPECT(kith_array_data(array) != NULL);
  EXPECT(kith_array_count(array) == 4);
  EXPECT(kith_array_type(array) == KITH_I32);
  EXPECT(kith_array_element_size(array) == 4);
  EXPECT(kith_lock_acquire(kith_array_lock(array), 0) == KITH_OK);
  EXPECT(kith_lock_release(kith_array_lock(array)) == KITH_OK);
  EXPECT(kith_array_add(array, 0, 2, &number) == KITH_OK && number == 0);
  EXPECT(kith_array_exchange(array, 0, 5, &number) == KITH_OK && number == 2);
  EXPECT(kith_array_compare_exchange(array, 0, &number, 6) == KITH_NOT_EQUAL && number == 5);
}

static void check_value(kith_value* value) {
  int64_t number = 0;
  int64_t content = 7;
  EXPECT(kith_value_data(value) != NULL);
  EXPECT(kith_value_type(value) == KITH_I64);
  EXPECT(kith_value_size(value) == sizeof content);
  EXPECT(kith_value_lock(value) != NULL);
  EXPECT(kith_value_store(value, &content, sizeof content) == KITH_OK);
  content = 0;
  EXPECT(kith_value_load(value, &content, sizeof content) == KITH_OK && content == 7);
  EXPECT(kith_value_add(value, 1, &number) == KITH_OK && number == 7);
  EXPECT(kith_value_exchange(value, 9, &number) == KITH_OK && number == 8);
  EXPECT(kith_value_compare_exchange(value, &number, 10) == KITH_NOT_EQUAL && number == 9);
}

static void check_lock(kith_lock* lock) {
  kith_owner owner;
  memset(&owner, 0, sizeof owner);
  EXPECT(kith_lock_acquire(lock, KITH_FOREVER) == KITH_OK);
  EXPECT(kith_lock_mark_consistent(lock) == KITH_OK);
  EXPECT(kith_lock_owner(lock, &owner) == KITH_OK && owner.pid > 0 && owner.alive == 1);
  EXPECT(kith_lock_release(lock) == KITH_OK);
}

static void check_semaphore(void) {
  kith_semaphore_options options = {sizeof(kith_semaphore_options), KITH_SEMAPHORE_SIGNAL, 1, 0};
  kith_semaphore* semaphore = NULL;
  EXPECT(kith_semaphore_create(0, &options, &semaphore) == KITH_OK);
  EXPECT(kith_semaphore_acquire(semaphore, 0) == KITH_E_TIMEOUT);
  EXPECT(kith_semaphore_release(semaphore) == KITH_OK);
  EXPECT(kith_semaphore_release(semaphore) == KITH_E_LIMIT);
  EXPECT(kith_semaphore_available(semaphore) == 1);
  EXPECT(kith_semaphore_acquire(semaphore, KITH_FOREVER) == KITH_OK);
  kith_semaphore_close(semaphore);
  EXPECT(kith_semaphore_inherit("semaphore", &semaphore) == KITH_E_NOT_FOUND);
}

static void check_condition(kith_lock* lock) {
  kith_condition_options options = {sizeof(kith_condition_options), 0};
  kith_condition* condition = NULL;
  EXPECT(kith_condition_create(&options, &condition) == KITH_OK);
  EXPECT(kith_condition_notify(condition, 1) == KITH_OK);
  EXPECT(kith_condition_notify_all(condition) == KITH_OK);
  EXPECT(kith_lock_acquire(lock, 0) == KITH_OK);
  EXPECT(kith_condition_wait(condition, lock, 1) == KITH_E_TIMEOUT);
  EXPECT(kith_lock_release(lock) == KITH_OK);
  kith_condition_close(condition);
  EXPECT(kith_condition_inherit("condition", &condition) == KITH_E_NOT_FOUND);
}

static void check_event(void) {
  kith_event_options options = {sizeof(kith_event_options), KITH_EVENT_INITIALLY_SET};
  kith_event* event = NULL;
  EXPECT(kith_event_create(&options, &event) == KITH_OK);
  EXPECT(kith_event_wait(event, 0) == KITH_OK);
  EXPECT(kith_event_clear(event) == KITH_OK);
  EXPECT(kith_event_is_set(event) == 0);
  EXPECT(kith_event_set(event) == KITH_OK);
  EXPECT(kith_event_is_set(event) == 1);
  kith_event_close(event);
  EXPECT(kith_event_inherit("event", &event) == KITH_E_NOT_FOUND);
}

static void check_barrier(void) {
  kith_barrier_options options = {sizeof(kith_barrier_options), 0};
  kith_barrier* barrier = NULL;
  uint32_t place = 7;
  EXPECT(kith_barrier_create(1, &options, &barrier) == KITH_OK);
  EXPECT(kith_barrier_wait(barrier, 0, &place) == KITH_LAST && place == 0);
  EXPECT(kith_barrier_parties(barrier) == 1);
  EXPECT(kith_barrier_waiting(barrier) == 0);
  EXPECT(kith_barrier_abort(barrier) == KITH_OK);
  EXPECT(kith_barrier_is_broken(barrier) == 1);
  EXPECT(kith_barrier_reset(barrier) == KITH_OK);
  kith_barrier_close(barrier);
  EXPECT(kith_barrier_inherit("barrier", &barrier) == KITH_E_NOT_FOUND);
}

static int32_t double_it(const void* task, size_t size, kith_worker* worker) {
  int32_t number;
  if (size != sizeof number) return 1;
  memcpy(&number, task, size);
  number *= 2;
  return kith_worker_reply(worker, &number, sizeof number);
}

static void check_pool(void) {
  kith_pool_options options = {0};
  kith_pool* pool = NULL;
  kith_pool_progress progress;
  kith_answer answer, answers[2];
  uint64_t ticket = 0;
  int64_t handle = 0;
  int32_t number = 21, numbers[2] = {1, 2}, doubled[2] = {0, 0};
  size_t sizes[2] = {4, 4}, count = 0;
  options.struct_size = sizeof options;
  options.task = double_it;
  options.workers = 1;
  EXPECT(kith_pool_create(&options, &pool) == KITH_OK);
  EXPECT(kith_pool_submit(pool, &number, sizeof number, &ticket, KITH_FOREVER) == KITH_OK);
  EXPECT(kith_pool_result(pool, ticket, &number, sizeof number, &answer, KITH_FOREVER) == KITH_OK);
  EXPECT(number == 42 && answer.code == 0 && answer.size == sizeof number && answer.ticket == ticket);
  EXPECT(kith_pool_map(pool, numbers, 4, 2, doubled, 4, answers, KITH_FOREVER) == KITH_OK);
  EXPECT(doubled[0] == 2 && doubled[1] == 4);
  EXPECT(kith_pool_submit_many(pool, numbers, sizes, 2, NULL, &count, KITH_FOREVER) == KITH_OK && count == 2);
  EXPECT(kith_pool_next(pool, &number, sizeof number, &answer, KITH_FOREVER) == KITH_OK);
  EXPECT(kith_pool_next_many(pool, doubled, sizeof doubled, answers, 2, &count, KITH_FOREVER) == KITH_OK &&
         count == 1);
  EXPECT(kith_pool_drop(pool, ticket) == KITH_E_NOT_FOUND);
  EXPECT(kith_pool_poll_handle(pool, &handle) == KITH_OK);
  EXPECT(kith_pool_get_progress(pool, &progress) == KITH_OK && progress.done == 5 && progress.workers == 1);
  EXPECT(kith_pool_shutdown(pool, KITH_POOL_FINISH, KITH_FOREVER) == KITH_OK);
  kith_pool_close(pool);
}

static void check_queue(void) {
  kith_queue_options options = {sizeof(kith_queue_options), KITH_QUEUE_TASKS, 4096, 1};
  kith_queue* queue = NULL;
  char text[8];
  size_t size = 0;
  EXPECT(kith_queue_create(&options, &queue) == KITH_OK);
  EXPECT(kith_queue_put(queue, "abc", 3, 0) == KITH_OK);
  EXPECT(kith_queue_put(queue, "abc", 3, 0) == KITH_E_TIMEOUT);
  EXPECT(kith_queue_count(queue) == 1);
  EXPECT(kith_queue_get(queue, text, sizeof text, &size, KITH_FOREVER) == KITH_OK && size == 3);
  EXPECT(kith_queue_join(queue, 0) == KITH_E_TIMEOUT);
  EXPECT(kith_queue_task_done(queue) == KITH_OK);
  EXPECT(kith_queue_join(queue, KITH_FOREVER) == KITH_OK);
  EXPECT(kith_queue_shutdown(queue) == KITH_OK);
  EXPECT(kith_queue_get(queue, text, sizeof text, &size, KITH_FOREVER) == KITH_E_CLOSED);
  kith_queue_close(queue);
  EXPECT(kith_queue_inherit("queue", &queue) == KITH_E_NOT_FOUND);
}

static void check_ends_of_waits(void) {
  kith_cancel* cancel = NULL;
  kith_event* event = NULL;
  EXPECT(kith_event_create(NULL, &event) == KITH_OK);
  EXPECT(kith_cancel_create(&cancel) == KITH_OK);
  EXPECT(kith_cancel_use(cancel) == KITH_OK);
  EXPECT(kith_cancel_fire(cancel) == KITH_OK);
  EXPECT(kith_event_wait(event, KITH_FOREVER) == KITH_E_CANCELLED);
  EXPECT(kith_cancel_reset(cancel) == KITH_OK);
  EXPECT(kith_event_wait(event, 1) == KITH_E_TIMEOUT);
  EXPECT(kith_cancel_use(NULL) == KITH_OK);
  EXPECT(kith_wait_interruptible(1) == 0);
  EXPECT(kith_wait_interruptible(0) == 1);
  kith_cancel_close(cancel);
  kith_event_close(event);
}

static void check_process(const kith_share* shares, size_t share_count, kith_channel* channel) {
  kith_process_options options;
  kith_process* process = NULL;
  kith_exit end;
  char text[8];
  size_t length = 0;

  memset(&options, 0, sizeof options);
  memset(&end, 0, sizeof end);
  options.struct_size = sizeof options;
  options.entry = child;
  options.argument = "abc";
  options.argument_size = 3;
  options.shares = shares;
  options.share_count = share_count;
  EXPECT(kith_process_spawn(&options, &process) == KITH_OK);
  EXPECT(kith_process_id(process) > 0);
  EXPECT(kith_channel_send(channel, "ping", 4, 10000) == KITH_OK);
  EXPECT(kith_channel_recv(channel, text, sizeof text, &length, 10000) == KITH_OK);
  EXPECT(length == 4 && memcmp(text, "ping", 4) == 0);
  EXPECT(kith_process_wait(process, 60000, &end) == KITH_OK);
  EXPECT(end.kind == KITH_EXIT_CODE && end.code == 7);
  EXPECT(kith_process_terminate(process) == KITH_OK);
  EXPECT(kith_process_kill(process) == KITH_OK);
  kith_process_close(process);
}

int main(void) {
  kith_memory* memory = NULL;
  kith_array* array = NULL;
  kith_value* value = NULL;
  kith_lock* lock = NULL;
  kith_channel* a = NULL;
  kith_channel* b = NULL;
  kith_share shares[5];
  int32_t code;

  EXPECT(kith_entry_register("child", child) == KITH_OK);
  if (kith_child_main(&code)) return code;

  check_statuses();
  check_numbers();
  check_layout();
  check_version_and_status();

  EXPECT(kith_memory_create(64, NULL, &memory) == KITH_OK);
  EXPECT(kith_array_create(KITH_I32, 4, NULL, &array) == KITH_OK);
  EXPECT(kith_value_create(KITH_I64, NULL, NULL, &value) == KITH_OK);
  EXPECT(kith_lock_create(NULL, &lock) == KITH_OK);
  EXPECT(kith_channel_create(NULL, &a, &b) == KITH_OK);
  check_memory(memory);
  check_array(array);
  check_value(value);
  check_lock(lock);
  check_semaphore();
  check_condition(lock);
  check_event();
  check_barrier();
  check_queue();
  check_pool();
  check_ends_of_waits();

  shares[0].name = "memory", shares[0].object = memory;
  shares[1].name = "array", shares[1].object = array;
  shares[2].name = "value", shares[2].object = value;
  shares[3].name = "lock", shares[3].object = lock;
  shares[4].name = "channel", shares[4].object = b;
  check_process(shares, 5, a);
  EXPECT(strcmp((const char*)kith_memory_data(memory), "hello") == 0);
  EXPECT(((const int32_t*)kith_array_data(array))[1] == 41);
  EXPECT(*(const int64_t*)kith_value_data(value) == 10);

  kith_memory_close(memory);
  kith_array_close(array);
  kith_value_close(value);
  kith_lock_close(lock);
  kith_channel_close(a);
  kith_channel_close(b);
  return failures == 0 ? 0 : 1;
}
