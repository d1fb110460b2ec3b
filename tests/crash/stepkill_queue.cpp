// SPDX-License-Identifier: MIT
// What can be done with a queue. All items are of one size, filled with a letter of their own, and the first wraps around the ring's end.
#include <algorithm>
#include <cstring>

#include "stepkill.h"

namespace stepkill {

namespace {

using kith::at_once;
using kith::deadline;
using kith::deadline_after;
using kith::no_deadline;
using kith::platform::clock_now;
using kith::shm::queue_view;

constexpr uint64_t victim_patience_ns = 2 * kith::ns_per_ms;
constexpr size_t item_size = 40;  // not more: some processors copy a byte a step
constexpr uint64_t begins_at = kith::shm::queue_smallest - 32;

queue_view view(world& w) {
  return {&w.shared->queue, nullptr, {w.shared->ring, kith::shm::queue_smallest}, &w.area};
}

queue_view tasks(world& w) {
  queue_view with_desks = view(w);
  with_desks.desks = w.shared->desks;
  return with_desks;
}

// ---- steps -----------------------------------------------------------------------------------------------------------------------

kith_status put(const queue_view& queue, char letter, deadline until) {
  char item[item_size];
  std::memset(item, letter, sizeof item);
  return kith::shm::queue_put(queue, item, sizeof item, {until});
}

// 0: none, as the status says; '?': it is not whole.
char get(const queue_view& queue, deadline until, kith_status* status = nullptr) {
  char item[item_size];
  kith::shm::queue_item taken{item, sizeof item, 0};
  const kith_status result = kith::shm::queue_get(queue, taken, {until});
  if (status != nullptr) *status = result;
  if (result != KITH_OK) return 0;
  const bool whole = taken.size == item_size &&
                     std::all_of(item, item + item_size, [&](char each) { return each == item[0]; });
  return whole ? item[0] : '?';
}

void put_now(const queue_view& queue, const char* letters) {
  for (; *letters != '\0'; ++letters) put(queue, *letters, no_deadline);
}

// ---- before ----------------------------------------------------------------------------------------------------------------------

void begin(world& w) {
  kith::shm::queue_state& queue = w.shared->queue;
  for (auto* position : {&queue.head, &queue.next_head, &queue.tail, &queue.next_tail})
    position->store(begins_at);
}

void begin_with_one(world& w) {
  begin(w);
  put_now(view(w), "A");
}

void begin_with_two(world& w) {
  begin(w);
  put_now(view(w), "AB");
}

void begin_full(world& w) {
  begin_with_two(w);
  w.shared->queue.most_items.store(2);
}

// Says which item it has.
void let_another_wait_for_an_item(world& w) {
  start_survivor(w, 0, [&w] {
    kith_status status = KITH_OK;
    w.shared->reports[0].place.store(static_cast<uint32_t>(get(view(w), no_deadline, &status)));
    return status;
  });
  await([&w] { return w.shared->queue.takers.load() != 0 && is_asleep(w, 0); });
}

// Until its task, the only one but what the victim puts, is done.
void let_another_join(world& w) {
  get(tasks(w), no_deadline);
  start_survivor(w, 0, [&w] { return kith::shm::queue_join(tasks(w), {no_deadline}); });
  await([&w] { return w.shared->queue.joiners.load() != 0 && is_asleep(w, 0); });
}

void let_another_wait_for_long(world& w) {
  let_another_wait_for_an_item(w);
  pass_time(long_wait_ns);
}

void let_another_wait_for_room(world& w) {
  start_survivor(w, 0, [&w] { return put(view(w), 'C', no_deadline); });
  await([&w] { return w.shared->queue.putters.load() != 0 && is_asleep(w, 0); });
}

// Puts an item when the victim sleeps, or at the end.
void let_another_put(world& w) {
  begin(w);
  w.helpers.push_back(start_helper([&w] {
    await_sleeping_victim(w);
    put_now(view(w), "A");
    w.shared->notified.store(1);
    for (;;) pause();
  }));
}

void let_another_put_and_a_third_wait(world& w) {
  let_another_put(w);
  let_another_wait_for_an_item(w);
}

// ---- operations ------------------------------------------------------------------------------------------------------------------

void put_v(world& w) { put_now(view(w), "V"); }
void put_a_task(world& w) { put_now(tasks(w), "V"); }
void take(world& w) { get(view(w), no_deadline); }
void take_in_time(world& w) { get(view(w), deadline_after(clock_now(), victim_patience_ns)); }
void shut(world& w) { kith::shm::queue_shut(view(w)); }

void do_a_task(world& w) {
  get(tasks(w), no_deadline);
  kith::shm::queue_task_done(tasks(w), {});
}

// ---- afterwards ------------------------------------------------------------------------------------------------------------------

// Another item can be put; then there are these and it, and they are counted.
void find(const queue_view& queue, std::string expected, judgement& verdict) {
  if (verdict.stuck()) return;
  const uint64_t since = clock_now();
  const kith_status status = put(queue, 'Z', deadline_after(since, patience_ns));
  verdict.came_back("the next to put", {status, clock_now() - since}, KITH_OK);
  expected += 'Z';
  for (const char letter : expected) {
    verdict.must(
        kith::shm::queue_count(queue) ==
            static_cast<uint64_t>(expected.end() - std::find(expected.begin(), expected.end(), letter)),
        "all items are counted");
    verdict.must(get(queue, at_once) == letter, "each item comes, whole, in order");
  }
  kith_status end = KITH_OK;
  get(queue, at_once, &end);
  verdict.must(end == KITH_E_TIMEOUT, "no more items than that");
}

void find_what_was_put(world& w, const frozen& then, judgement& verdict) {
  const bool was_put = then.queue_head != begins_at + 64;
  find(view(w), was_put ? "AV" : "A", verdict);
}

void find_what_was_not_taken(world& w, const frozen& then, judgement& verdict) {
  const bool was_taken = then.queue_tail != begins_at;
  find(view(w), was_taken ? "B" : "AB", verdict);
}

// Put by the victim: then the waiter comes back by itself. Otherwise somebody else puts one.
void let_the_waiter_have_it(world& w, const frozen& then, judgement& verdict) {
  const bool was_put = then.queue_head != begins_at;
  const uint64_t since = was_put ? then.killed_at : clock_now();
  if (!was_put)
    verdict.must(put(view(w), 'B', deadline_after(since, patience_ns)) == KITH_OK, "another one can put");
  verdict.came_back("the waiter", await_survivor(w, 0, since), KITH_OK);
  verdict.must(w.shared->reports[0].place.load() == static_cast<uint32_t>(was_put ? 'V' : 'B'),
               "the waiter has the item");
  find(view(w), "", verdict);
}

void let_the_waiter_have_room(world& w, const frozen& then, judgement& verdict) {
  const bool was_taken = then.queue_tail != begins_at;
  const uint64_t since = was_taken ? then.killed_at : clock_now();
  if (!was_taken)
    verdict.must(get(view(w), deadline_after(since, patience_ns)) == 'A', "another one can take");
  verdict.came_back("the waiter", await_survivor(w, 0, since), KITH_OK);
  w.shared->queue.most_items.store(0);
  find(view(w), "BC", verdict);
}

// False: it was not to be had in time.
bool await_the_item(world& w, judgement& verdict) {
  w.shared->holder_may_release.store(1);
  const bool put = await_in_time(clock_now(), [&w] { return w.shared->notified.load() != 0; });
  if (!put) verdict.too_slow("another one puts");
  return put;
}

void find_the_item_unless_it_was_taken(world& w, const frozen& then, judgement& verdict) {
  const bool was_taken = then.queue_tail != begins_at;
  if (await_the_item(w, verdict)) find(view(w), was_taken ? "" : "A", verdict);
}

// Two items are put, and the waiter takes one: the other one is there unless the victim took it.
void let_the_waiter_have_another(world& w, const frozen&, judgement& verdict) {
  if (!await_the_item(w, verdict)) return;
  const uint64_t since = clock_now();
  verdict.must(put(view(w), 'B', deadline_after(since, patience_ns)) == KITH_OK, "another one can put");
  verdict.came_back("the waiter", await_survivor(w, 0, since), KITH_OK);
  const bool one_left = kith::shm::queue_count(view(w)) != 0;
  find(view(w), one_left ? "B" : "", verdict);
}

void let_the_waiter_go(world& w, const frozen& then, judgement& verdict) {
  const uint64_t since = then.queue_shut ? then.killed_at : clock_now();
  if (!then.queue_shut) shut(w);
  verdict.came_back("the waiter", await_survivor(w, 0, since), KITH_E_CLOSED);
}

// The other tasks are done. The victim's is lost when it had taken it, and not called it done.
void join_what_is_left(world& w, const frozen& then, judgement& verdict) {
  const queue_view queue = tasks(w);
  const bool was_taken = then.queue_tail != begins_at;
  const bool is_lost = was_taken && then.tasks_done == 0;
  verdict.must_tell(is_lost ? 1 : 0);
  find(queue, was_taken ? "B" : "AB", verdict);
  for (int i = was_taken ? 2 : 3; i > 0; --i)
    verdict.must(kith::shm::queue_task_done(queue, {}) == KITH_OK, "each can be called done");
  const uint64_t since = clock_now();
  const kith_status status = kith::shm::queue_join(queue, {deadline_after(since, patience_ns)});
  verdict.came_back("who joins", {status, clock_now() - since}, is_lost ? KITH_OWNER_DIED : KITH_OK);
  verdict.must(kith::shm::queue_task_done(queue, {}) == KITH_E_NOT_OWNER, "no more are open");
  for (const kith::shm::queue_desk& desk : w.shared->desks)
    verdict.must(desk.tasks.load() == 0, "no task is left on a desk");
}

// An item that was not put whole is nobody's task, though the victim may have counted it.
void let_the_joiner_go(world& w, const frozen& then, judgement& verdict) {
  const queue_view queue = tasks(w);
  const bool was_put = then.queue_head != begins_at + 64;
  if (was_put) {
    verdict.must(get(queue, at_once) == 'V', "what was put can be taken");
    verdict.must(kith::shm::queue_task_done(queue, {}) == KITH_OK, "it can be called done");
  }
  verdict.must(kith::shm::queue_task_done(queue, {}) == KITH_OK, "the other task can be called done");
  verdict.came_back("who joins", await_survivor(w, 0, clock_now()), KITH_OK);
}

constexpr scenario all[] = {
    {"queue: put an item", true, 1, begin_with_one, nullptr, nullptr, put_v, find_what_was_put},
    {"queue: put an item, while another process waits for one", true, 1, begin, nullptr,
     let_another_wait_for_an_item, put_v, let_the_waiter_have_it},
    {"queue: put an item, while another process has waited for long", true, 1, begin, nullptr,
     let_another_wait_for_long, put_v, let_the_waiter_have_it, 5},
    {"queue: take an item", true, 1, begin_with_two, nullptr, nullptr, take, find_what_was_not_taken},
    {"queue: take an item, while another process waits for room", true, 1, begin_full, nullptr,
     let_another_wait_for_room, take, let_the_waiter_have_room},
    {"queue: wait for an item, take it", true, 7, let_another_put, nullptr, nullptr, take,
     find_the_item_unless_it_was_taken},
    {"queue: wait beside another waiter, take an item", true, 7, let_another_put_and_a_third_wait, nullptr,
     nullptr, take_in_time, let_the_waiter_have_another, 3},
    {"queue: take a task, call it done", true, 31, begin_with_two, nullptr, nullptr, do_a_task,
     join_what_is_left},
    {"queue: put a task, while another process joins", true, 1, begin_with_one, nullptr, let_another_join,
     put_a_task, let_the_joiner_go},
    {"queue: shut it down, while another process waits", true, 1, begin, nullptr,
     let_another_wait_for_an_item, shut, let_the_waiter_go},
};

}  // namespace

std::span<const scenario> queue_scenarios() { return all; }

}  // namespace stepkill
