// SPDX-License-Identifier: MIT
#include "pools.h"

#include <uv.h>

namespace test {

kith_pool_options options_of(const pool_plan& plan) {
  auto options = defaults<kith_pool_options>();
  options.task = plan.task;
  options.workers = plan.workers;
  options.shares = plan.given.data();
  options.share_count = plan.given.size();
  options.ring_size = plan.ring_size;
  options.most_tasks = plan.most_tasks;
  return options;
}

pool make_pool(const pool_plan& plan) {
  const kith_pool_options options = options_of(plan);
  pool made;
  kith_status status = kith_pool_create(&options, made.out());
  if (status == KITH_E_OS && may_spawn_again()) status = kith_pool_create(&options, made.out());
  REQUIRE_OK(status);
  return made;
}

kith_pool_progress progress_of(kith_pool* pool) {
  kith_pool_progress progress{};
  REQUIRE_OK(kith_pool_get_progress(pool, &progress));
  return progress;
}

void finish(kith_pool* pool) { CHECK_OK(kith_pool_shutdown(pool, KITH_POOL_FINISH, generous)); }

int32_t square(const void* task, size_t size, kith_worker* worker) {
  int64_t number = 0;
  if (size != sizeof number) return 1;
  std::memcpy(&number, task, sizeof number);
  number *= number;
  return kith_worker_reply(worker, &number, sizeof number) == KITH_OK ? 0 : 2;
}

int32_t echo_task(const void* task, size_t size, kith_worker* worker) {
  return kith_worker_reply(worker, task, size) == KITH_OK ? 0 : 2;
}

int32_t process_id(const void*, size_t, kith_worker* worker) {
  const int64_t id = uv_os_getpid();
  return kith_worker_reply(worker, &id, sizeof id) == KITH_OK ? 0 : 2;
}

}  // namespace test
