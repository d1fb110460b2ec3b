// SPDX-License-Identifier: MIT
// The table of a pool's tasks, and the lists in it.
#include "pool.h"

namespace kith {

namespace {

constexpr uint32_t most_tasks = UINT32_MAX - 1;
constexpr uint64_t one_use = uint64_t{1} << 32;

}  // namespace

kith_status task_make(task_table& table, uint32_t& out) {
  if (table.first_free == no_task) {
    const size_t count = table.tasks.size();
    if (count >= most_tasks || !table.tasks.append(pool_task{})) return KITH_E_NO_MEMORY;
    pool_task& added = table.tasks.back();
    added.ticket = count + 1;  // the low half is never 0
    added.next = no_task;
    table.first_free = static_cast<uint32_t>(count);
  }
  out = table.first_free;
  pool_task& made = table.tasks[out];
  table.first_free = made.next;
  made.ticket += one_use;
  made.bytes = nullptr;
  made.size = 0;
  made.map = nullptr;
  made.is_unwanted = false;
  return KITH_OK;
}

void task_free(task_table& table, uint32_t index) {
  pool_task& freed = table.tasks[index];
  deallocate(freed.bytes);
  freed.bytes = nullptr;
  freed.phase = task_phase::free;
  freed.next = table.first_free;
  table.first_free = index;
}

uint32_t task_find(const task_table& table, uint64_t ticket) {
  const uint64_t place = (ticket & (one_use - 1)) - 1;
  if (place >= table.tasks.size()) return no_task;
  const pool_task& found = table.tasks[static_cast<size_t>(place)];
  const bool is_it =
      found.ticket == ticket && found.phase != task_phase::free && found.map == nullptr && !found.is_unwanted;
  return is_it ? static_cast<uint32_t>(place) : no_task;
}

void task_append(task_table& table, task_list& list, uint32_t index) {
  table.tasks[index].previous = list.last;
  table.tasks[index].next = no_task;
  (list.last == no_task ? list.first : table.tasks[list.last].next) = index;
  list.last = index;
  ++list.count;
}

void task_prepend(task_table& table, task_list& list, uint32_t index) {
  table.tasks[index].previous = no_task;
  table.tasks[index].next = list.first;
  (list.first == no_task ? list.last : table.tasks[list.first].previous) = index;
  list.first = index;
  ++list.count;
}

void task_remove(task_table& table, task_list& list, uint32_t index) {
  const pool_task& removed = table.tasks[index];
  (removed.previous == no_task ? list.first : table.tasks[removed.previous].next) = removed.next;
  (removed.next == no_task ? list.last : table.tasks[removed.next].previous) = removed.previous;
  --list.count;
}

unsigned char* task_room(pool_task& task, uint64_t size) {
  if (size <= sizeof task.small) return task.small;
  task.bytes = size > SIZE_MAX ? nullptr : static_cast<unsigned char*>(allocate(static_cast<size_t>(size)));
  return task.bytes;
}

}  // namespace kith
