// SPDX-License-Identifier: MIT
// Queues: items in a ring, with a lock for those who put and another one for those who take, so that the two sides work at the same time.
//
// An item exists from the store of `head` on, and is taken by the store of `tail`: a process that is killed in the middle has put or taken
// nothing, or all of one item. The counts beside them may then be one off; each side notes what it is about to do before, and whoever gets its
// lock next, with KITH_OWNER_DIED, sets them right from that note. A put is counted before the item exists and a take after it was taken, so that
// never more items are taken, or tasks done, than were put.
//
// The data of an item is ordered between the sides by head (release by who puts, acquire by who takes), and the room that it leaves by tail, the
// other way. Each side keeps what it last saw of the other's position, and looks again only when that does not do: the line of the other
// side costs as much as the copy of several items.
//
// With tasks, each process that has taken some, and not yet called them done, has a desk, where it is written how many. The desk of a dead
// process is cleared by whoever waits for the tasks to be done, or needs a desk. A desk without tasks is anybody's.
#pragma once

#include <kith/kith.h>

#include <atomic>
#include <cstdint>

#include "../platform.h"
#include "byte_ring.h"
#include "lock_word.h"
#include "patience.h"
#include "poll_flag.h"

namespace kith::shm {

inline constexpr uint32_t queue_desks = KITH_QUEUE_MOST_WORKERS;

struct queue_state {
  lock_state put_lock;
  // Written under put_lock.
  std::atomic<uint64_t> head;       // bytes ever put
  std::atomic<uint64_t> puts;       // items ever put
  std::atomic<uint64_t> next_head;  // differs from head: a put is being done, and this will be head
  std::atomic<uint64_t> next_puts;  // and this puts
  std::atomic<uint64_t> seen_tail;
  uint64_t put_line[3];

  lock_state take_lock;
  // Written under take_lock.
  std::atomic<uint64_t> tail;       // bytes ever taken
  std::atomic<uint64_t> takes;      // items ever taken
  std::atomic<uint64_t> next_tail;  // as for putting
  std::atomic<uint64_t> next_takes;
  std::atomic<uint64_t> seen_head;
  std::atomic<uint64_t> done;  // tasks ever done, or lost
  std::atomic<uint64_t> lost;  // tasks whose process died
  std::atomic<uint64_t> told;  // of these: of which a join has told

  std::atomic<uint64_t> takers;        // 1: somebody may sleep, on this word, until there is an item
  std::atomic<uint64_t> putters;       // the same, until there is room
  std::atomic<uint64_t> joiners;       // the same, until all tasks are done
  std::atomic<uint64_t> shut;          // 1: nothing can be put any more
  std::atomic<uint64_t> poll_takers;   // who waits on bells for an item: see poll_flag.h
  std::atomic<uint64_t> poll_putters;  // the same, for room
  uint64_t flag_line[2];

  std::atomic<uint64_t> most_items;  // 0: no bound but the bytes. Written before anybody else has the segment
  uint64_t option_line[7];
};
static_assert(sizeof(queue_state) == 384);

// Guarded by take_lock.
struct queue_desk {
  std::atomic<uint64_t> process;  // identity
  std::atomic<uint64_t> tasks;    // taken, and not done
};
static_assert(sizeof(queue_desk) == 16);

// The data of the segment is the desks, where there are tasks, and the ring behind them.
inline constexpr uint64_t queue_smallest = 4096, queue_largest = uint64_t{1} << 30;
// 64 bytes more, so that no ring together with the desks has the size of a ring.
inline constexpr uint64_t size_of_queue_desks = queue_desks * sizeof(queue_desk) + 64;

inline bool queue_has_desks(uint64_t size_of_data) { return (size_of_data & (size_of_data - 1)) != 0; }

// Of the ring; 0: not the data of a queue.
inline uint64_t queue_capacity(uint64_t size_of_data) {
  const uint64_t desks = queue_has_desks(size_of_data) ? size_of_queue_desks : 0;
  const uint64_t ring = size_of_data > desks ? size_of_data - desks : 0;
  return ring >= queue_smallest && ring <= queue_largest && (ring & (ring - 1)) == 0 ? ring : 0;
}

struct queue_view {
  queue_state* state = nullptr;
  queue_desk* desks = nullptr;  // queue_desks of them; nullptr: no tasks
  byte_ring ring;
  wait_area* waiting = nullptr;
  const platform::bells* bells = nullptr;  // nullptr: nobody is told who waits on handles
};

struct queue_item {
  void* buffer;
  uint64_t capacity;
  uint64_t size;  // of the item: also when it is larger than the buffer, and stays
};

kith_status queue_put(const queue_view& self, const void* data, uint64_t size, const patience& limits);
kith_status queue_get(const queue_view& self, queue_item& item, const patience& limits);
kith_status queue_task_done(const queue_view& self, const patience& limits);
kith_status queue_join(const queue_view& self, const patience& limits);
void queue_shut(const queue_view& self);
uint64_t queue_count(const queue_view& self);
// Which of KITH_WAIT_READ and KITH_WAIT_WRITE are true now. Without the lock: a hint, but for who has raised a flag and made a heavy fence.
uint32_t queue_ready(const queue_view& self, uint32_t events);
void queue_wake_all(const queue_view& self);

}  // namespace kith::shm
