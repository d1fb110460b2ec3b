// SPDX-License-Identifier: MIT
// A worker that runs a function for each task: where the function is found, and the loop around it.
#include <cstring>

#include "platform.h"
#include "pool.h"

namespace kith {

namespace {

// What the pool tells its workers, in the argument of worker_main: this, the three paths, each with its NUL, and the user's argument at a
// multiple of 16.
struct written_place {
  uint64_t offset;
  unsigned char identity[platform::build_identity_size];
  uint64_t path_size;  // 0: there is no such function
};
enum { place_of_task, place_of_start, place_of_end, place_count };
struct worker_order {
  written_place places[place_count];
  uint64_t argument_offset, argument_size;
};

constexpr uint64_t argument_alignment = 16;
constexpr int32_t code_of_failure = 127;  // as a shell says "command not found"

kith_status write_place(kith_entry function, written_place& place, buffer<unsigned char>& out) {
  if (function == nullptr) return KITH_OK;
  platform::code_place found;
  if (kith_status status = platform::code_locate(function, found); status != KITH_OK) return status;
  const char* const path = found.path.empty() ? "" : found.path.data();
  place.offset = found.offset;
  std::memcpy(place.identity, found.identity, sizeof place.identity);
  place.path_size = std::strlen(path) + 1;
  return out.append(reinterpret_cast<const unsigned char*>(path), std::strlen(path) + 1) ? KITH_OK
                                                                                         : KITH_E_NO_MEMORY;
}

// `at`: where its path begins.
kith_status read_place(const written_place& place, const char* at, kith_entry& out) {
  if (place.path_size == 0) return KITH_OK;
  platform::code_place wanted;
  wanted.offset = place.offset;
  std::memcpy(wanted.identity, place.identity, sizeof wanted.identity);
  if (place.path_size > 1 && !assign(wanted.path, at)) return KITH_E_NO_MEMORY;
  return platform::code_resolve(wanted, out);
}

struct worker_functions {
  kith_entry functions[place_count] = {};
  const void* argument = nullptr;
  size_t argument_size = 0;
  kith_task task() const {
    return reinterpret_cast<kith_task>(reinterpret_cast<void (*)()>(functions[place_of_task]));
  }
};

// From our own parent, by the segment that it started us with: believed.
kith_status read_order(const void* argument, size_t size, worker_functions& out) {
  worker_order order;
  if (size < sizeof order) return KITH_E_MISMATCH;
  std::memcpy(&order, argument, sizeof order);
  const unsigned char* const bytes = static_cast<const unsigned char*>(argument);
  size_t at = sizeof order;
  for (int i = 0; i < place_count; ++i) {
    const kith_status status =
        read_place(order.places[i], reinterpret_cast<const char*>(bytes + at), out.functions[i]);
    if (status != KITH_OK) return status;
    at += static_cast<size_t>(order.places[i].path_size);
  }
  out.argument_size = static_cast<size_t>(order.argument_size);
  out.argument = out.argument_size == 0 ? nullptr : bytes + order.argument_offset;
  return KITH_OK;
}

kith_status serve(kith_worker* worker, kith_task task) {
  for (;;) {
    const void* data = nullptr;
    size_t size = 0;
    kith_status status = kith_worker_next(worker, &data, &size, KITH_FOREVER);
    if (status != KITH_OK) return status;
    status = kith_worker_done(worker, task(data, size, worker));
    if (status != KITH_OK) return status;
  }
}

}  // namespace

kith_status worker_order_write(const kith_pool_options& wanted, buffer<unsigned char>& out) {
  worker_order order{};
  const kith_entry task = reinterpret_cast<kith_entry>(reinterpret_cast<void (*)()>(wanted.task));
  const kith_entry functions[place_count] = {task, wanted.start, wanted.end};
  if (!out.resize(sizeof order)) return KITH_E_NO_MEMORY;
  for (int i = 0; i < place_count; ++i) {
    const kith_status status = write_place(functions[i], order.places[i], out);
    if (status != KITH_OK) return status;
  }
  order.argument_offset = (out.size() + argument_alignment - 1) / argument_alignment * argument_alignment;
  order.argument_size = wanted.argument_size;
  while (out.size() < order.argument_offset) {
    if (!out.append(0)) return KITH_E_NO_MEMORY;
  }
  if (!out.append(static_cast<const unsigned char*>(wanted.argument), wanted.argument_size))
    return KITH_E_NO_MEMORY;
  std::memcpy(out.data(), &order, sizeof order);
  return KITH_OK;
}

int32_t worker_main(const void* argument, size_t size) {
  worker_functions run;
  kith_worker* worker = nullptr;
  if (read_order(argument, size, run) != KITH_OK || kith_worker_open(&worker) != KITH_OK)
    return code_of_failure;
  if (run.functions[place_of_start] != nullptr) {
    const int32_t code = run.functions[place_of_start](run.argument, run.argument_size);
    if (code != 0) return code;
  }
  const kith_status status = serve(worker, run.task());
  kith_worker_close(worker);
  if (status != KITH_E_CLOSED) return code_of_failure;
  const kith_entry end = run.functions[place_of_end];
  return end != nullptr ? end(run.argument, run.argument_size) : 0;
}

}  // namespace kith
