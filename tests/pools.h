// SPDX-License-Identifier: MIT
// What the tests of pools share.
#pragma once

#include <algorithm>
#include <cstring>

#include "support.h"

namespace test {

struct pool_plan {
  kith_task task = nullptr;
  uint32_t workers = 2;
  shares given = {};
  uint64_t ring_size = 0;
  uint64_t most_tasks = 0;
};

kith_pool_options options_of(const pool_plan& plan);  // what they point to must outlive them
pool make_pool(const pool_plan& plan);

template <class T>
uint64_t submit(kith_pool* pool, const T& task) {
  uint64_t ticket = 0;
  REQUIRE_OK(kith_pool_submit(pool, &task, sizeof task, &ticket, generous));
  CHECK(ticket != 0);
  return ticket;
}

// The result as a T; its status otherwise is in `status`.
template <class T>
struct taken {
  T result{};
  kith_answer answer{};
  kith_status status = KITH_OK;
};

template <class T>
taken<T> take_next(kith_pool* pool, int64_t timeout_ms = generous) {
  taken<T> got;
  got.status = kith_pool_next(pool, &got.result, sizeof(T), &got.answer, timeout_ms);
  return got;
}

template <class T>
taken<T> take_result(kith_pool* pool, uint64_t ticket, int64_t timeout_ms = generous) {
  taken<T> got;
  got.status = kith_pool_result(pool, ticket, &got.result, sizeof(T), &got.answer, timeout_ms);
  return got;
}

kith_pool_progress progress_of(kith_pool* pool);
// Ends it in good order; then no child is left.
void finish(kith_pool* pool);

// ---- tasks -------------------------------------------------------------------------------------------------------------------------

int32_t square(const void* task, size_t size, kith_worker* worker);      // of an int64_t
int32_t echo_task(const void* task, size_t size, kith_worker* worker);   // the same bytes
int32_t process_id(const void* task, size_t size, kith_worker* worker);  // an int64_t: of the worker

}  // namespace test
