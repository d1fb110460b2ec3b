/* SPDX-License-Identifier: MIT
 *
 * Counts primes in worker processes, and draws how far they are. One task ends its worker: only that task is lost. */
#include <kith/kith.h>
#include <stdio.h>
#include <stdlib.h>

enum { tasks = 200, numbers_in_task = 2500 };

/* Ends the program when a call did not succeed, saying what failed and why. */
static void check(kith_status status, const char* what) {
  if (status == KITH_OK) return;
  fprintf(stderr, "%s: %s\n", what, kith_status_text(status));
  exit(1);
}

static int32_t is_prime(int32_t number) {
  for (int32_t i = 2; i * i <= number; ++i) {
    if (number % i == 0) return 0;
  }
  return number >= 2;
}

/* [task] */
/* Runs in a worker process, for each task. */
static int32_t count_primes(const void* task, size_t size, kith_worker* worker) {
  int32_t first, count = 0;
  if (size != sizeof first) return 1;
  first = *(const int32_t*)task;
  if (first < 0) _Exit(3); /* as a crash would */
  for (int32_t i = 0; i < numbers_in_task; ++i) count += is_prime(first + i);
  return kith_worker_reply(worker, &count, sizeof count);
}
/* [task] end */

/* [progress] */
static void draw(kith_pool* pool) {
  enum { width = 40 };
  kith_pool_progress now;
  check(kith_pool_get_progress(pool, &now), "ask how far they are");
  const uint64_t total = now.done + now.running + now.waiting;
  const int full = total == 0 ? 0 : (int)(now.done * width / total);
  fprintf(stderr, "\r[%.*s%*s] %d of %d, %d at work ", full, "########################################",
          width - full, "", (int)now.done, (int)total, (int)now.running);
}
/* [progress] end */

static void submit_all(kith_pool* pool) {
  for (int32_t i = 0; i < tasks; ++i) {
    const int32_t first = i * numbers_in_task, wrong = -1;
    check(kith_pool_submit(pool, &first, sizeof first, NULL, KITH_FOREVER), "submit a task");
    if (i == tasks / 2)
      check(kith_pool_submit(pool, &wrong, sizeof wrong, NULL, KITH_FOREVER), "submit a task");
  }
}

/* [take] */
static void take_all(kith_pool* pool) {
  int32_t primes = 0;
  for (int left = tasks + 1; left > 0;) {
    int32_t count;
    kith_answer answer;
    const kith_status status = kith_pool_next(pool, &count, sizeof count, &answer, 100);
    draw(pool);
    if (status == KITH_E_TIMEOUT) continue;
    --left;
    if (status == KITH_E_WORKER_DIED) {
      printf("a task ended its worker, with the code %d; another worker took its place\n",
             (int)answer.end.code);
    } else {
      check(status, "take a result");
      primes += count;
    }
  }
  fprintf(stderr, "\n");
  printf("primes below %d: %d\n", tasks * numbers_in_task, (int)primes);
}
/* [take] end */

int main(void) {
  int32_t code;
  if (kith_child_main(&code)) return code; /* the workers leave main here */

  /* [create] */
  const kith_pool_options options = {.struct_size = sizeof options,
                                     .task = count_primes}; /* a worker for each core */
  kith_pool* pool;
  check(kith_pool_create(&options, &pool), "create a pool");
  /* [create] end */

  submit_all(pool);
  take_all(pool);

  /* [map] */
  const int32_t firsts[] = {0, 10000, 20000};
  int32_t counts[3];
  check(kith_pool_map(pool, firsts, sizeof firsts[0], 3, counts, sizeof counts[0], NULL, KITH_FOREVER),
        "map");
  printf("in three ranges: %d, %d, %d\n", (int)counts[0], (int)counts[1], (int)counts[2]);

  check(kith_pool_shutdown(pool, KITH_POOL_FINISH, KITH_FOREVER), "end the workers");
  kith_pool_close(pool);
  /* [map] end */
  return 0;
}
