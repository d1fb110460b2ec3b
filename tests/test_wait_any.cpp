// SPDX-License-Identifier: MIT
#include <algorithm>
#include <atomic>
#include <cstring>

#include "foreign.h"
#include "waits.h"

using test::item_of;
using test::item_of_handle;
using test::item_of_socket;
using test::nothing_leaks;
using test::sockets_that_do_not_leak;
using test::wait_any;
using test::wait_items;

namespace {

constexpr uint32_t both = KITH_WAIT_READ | KITH_WAIT_WRITE;

kith_status get_now(kith_queue* queue) {
  char item[16];
  size_t size = 0;
  return kith_queue_get(queue, item, sizeof item, &size, 0);
}

void fill(kith_queue* queue) {
  const std::string item(100, 'x');
  while (kith_queue_put(queue, item.data(), item.size(), 0) == KITH_OK) continue;
}

void empty(kith_queue* queue) {
  char item[128];
  size_t size = 0;
  while (kith_queue_get(queue, item, sizeof item, &size, 0) == KITH_OK) continue;
}

// Waits for one object, for ever, in a thread of its own.
class waiter_thread {
 public:
  explicit waiter_thread(wait_items items, kith_cancel* cancel = nullptr)
      : items_(std::move(items)), thread_([this, cancel] {
          CHECK_OK(kith_cancel_use(cancel));
          started_ = true;
          status_ = wait_any(items_, test::generous, &ready_);
          CHECK_OK(kith_cancel_use(nullptr));
        }) {
    CHECK(test::becomes_true([&] { return started_.load(); }));
  }
  ~waiter_thread() {
    if (thread_.joinable()) thread_.join();
  }
  waiter_thread(const waiter_thread&) = delete;
  waiter_thread& operator=(const waiter_thread&) = delete;

  kith_status result() {
    thread_.join();
    return status_;
  }
  size_t ready() const { return ready_; }
  const wait_items& items() const { return items_; }

 private:
  wait_items items_;
  std::atomic<bool> started_ = false;
  kith_status status_ = KITH_OK;
  size_t ready_ = 0;
  std::thread thread_;
};

// Says what it hears until "end": each line is told by the event, or the queue, that it waits for.
int32_t wait_for_event(const void*, size_t) {
  test::event event;
  test::channel line;
  CHILD_NEEDS(test::take(event, "event") && test::take(line, "line"));
  CHILD_NEEDS(test::tell(line, "waiting"));
  wait_items items{item_of(event)};
  CHILD_NEEDS(wait_any(items, KITH_FOREVER) == KITH_OK && items[0].ready == KITH_WAIT_READ);
  return 0;
}

// Takes items until the queue is shut down, and counts them.
int32_t take_by_waiting(const void*, size_t) {
  test::queue queue;
  test::value taken;
  CHILD_NEEDS(test::take(queue, "queue") && test::take(taken, "taken"));
  for (;;) {
    wait_items items{item_of(queue)};
    CHILD_NEEDS(wait_any(items, test::generous) == KITH_OK);
    kith_status status = get_now(queue);
    for (; status == KITH_OK; status = get_now(queue)) test::count_up(taken);
    if (status == KITH_E_CLOSED) return 0;
    CHILD_NEEDS(status == KITH_E_TIMEOUT);
  }
}

int32_t put_by_waiting(const void* argument, size_t) {
  int32_t count = 0;
  std::memcpy(&count, argument, sizeof count);
  test::queue queue;
  CHILD_NEEDS(test::take(queue, "queue"));
  for (int32_t put = 0; put < count;) {
    wait_items items{item_of(queue, KITH_WAIT_WRITE)};
    CHILD_NEEDS(wait_any(items, test::generous) == KITH_OK);
    while (put < count && kith_queue_put(queue, "item", 5, 0) == KITH_OK) ++put;
  }
  return 0;
}

// A child that has begun to wait for the event, with others perhaps.
struct waiting_child {
  test::channel_pair line = test::make_channel();
  test::process process;

  explicit waiting_child(kith_event* event)
      : process(test::start(wait_for_event, {{"event", event}, {"line", line.b}})) {
    REQUIRE(test::hear(line.a, "waiting"));
  }
};

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks, "an event is ready to be waited for while it is set") {
  for (const uint32_t flags : {uint32_t{0}, uint32_t{KITH_EVENT_AUTO_RESET}}) {
    test::event event = test::make_event(flags);
    wait_items items{item_of(event)};
    CHECK_STATUS(wait_any(items, 0), KITH_E_TIMEOUT);
    CHECK(items[0].ready == 0);
    CHECK_OK(kith_event_set(event));
    size_t ready = 0;
    CHECK_OK(wait_any(items, 0, &ready));
    CHECK(ready == 1);
    CHECK(items[0].ready == KITH_WAIT_READ);
    CHECK(kith_event_is_set(event) == 1);  // nothing was taken
    CHECK_OK(kith_event_clear(event));
    CHECK_STATUS(wait_any(items, 1), KITH_E_TIMEOUT);
  }
}

TEST_CASE_FIXTURE(
    nothing_leaks,
    "a queue is ready for those who take when it has items, for those who put when it has room") {
  test::queue queue = test::make_queue(4096);
  wait_items items{item_of(queue, both)};
  CHECK_OK(wait_any(items, 0));
  CHECK(items[0].ready == KITH_WAIT_WRITE);
  CHECK_OK(kith_queue_put(queue, "x", 1, 0));
  CHECK_OK(wait_any(items, 0));
  CHECK(items[0].ready == both);
  fill(queue);
  CHECK_OK(wait_any(items, 0));
  CHECK(items[0].ready == KITH_WAIT_READ);
  CHECK_OK(kith_queue_shutdown(queue));
  CHECK_OK(wait_any(items, 0));
  CHECK(items[0].ready == both);
}

TEST_CASE_FIXTURE(nothing_leaks, "a channel is ready when there is a message, room, or the end") {
  test::channel_pair pair = test::make_channel(4096);
  wait_items items{item_of(pair.a, both)};
  CHECK_OK(wait_any(items, 0));
  CHECK(items[0].ready == KITH_WAIT_WRITE);
  CHECK(test::tell(pair.b, "hello"));
  CHECK_OK(wait_any(items, 0));
  CHECK(items[0].ready == both);
  CHECK(test::hear(pair.a, "hello"));
  items[0].events = KITH_WAIT_READ;
  CHECK_STATUS(wait_any(items, 0), KITH_E_TIMEOUT);
  pair.b.close();
  CHECK_OK(wait_any(items, test::generous));
  CHECK(items[0].ready == KITH_WAIT_READ);
}

TEST_CASE_FIXTURE(nothing_leaks, "a process is ready when it has ended") {
  test::channel_pair line = test::make_channel();
  test::process child = test::start_role({"stay"}, {{"line", line.b}});
  CHECK(test::hear(line.a, "ready"));
  wait_items items{item_of(child)};
  CHECK_STATUS(wait_any(items, 0), KITH_E_TIMEOUT);
  CHECK_STATUS(wait_any(items, 20), KITH_E_TIMEOUT);
  line.a.close();
  CHECK_OK(wait_any(items, test::generous));
  CHECK(items[0].ready == KITH_WAIT_READ);
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
  CHECK_OK(wait_any(items, 0));
}

TEST_CASE_FIXTURE(sockets_that_do_not_leak,
                  "handles and sockets that are not kith's are waited for beside its objects") {
  test::foreign_handle handle;
  test::socket_pair sockets;
  test::event event = test::make_event();
  wait_items items{item_of_handle(handle.handle()), item_of(event), item_of_socket(sockets.socket())};
  CHECK_STATUS(wait_any(items, 0), KITH_E_TIMEOUT);
  CHECK_STATUS(wait_any(items, 30), KITH_E_TIMEOUT);
  sockets.other_writes();
  size_t ready = 0;
  CHECK_OK(wait_any(items, test::generous, &ready));
  CHECK(ready == 1);
  CHECK(items[2].ready == KITH_WAIT_READ);
  handle.make_ready();
  CHECK_OK(kith_event_set(event));
  CHECK_OK(wait_any(items, test::generous, &ready));
  CHECK(ready == 3);
  wait_items writing{item_of_socket(sockets.socket(), KITH_WAIT_WRITE)};
  CHECK_OK(wait_any(writing, 0));
  CHECK(writing[0].ready == KITH_WAIT_WRITE);
}

TEST_CASE_FIXTURE(sockets_that_do_not_leak, "the end of a socket's other side is ready to be read") {
  test::socket_pair sockets;
  wait_items items{item_of_socket(sockets.socket())};
  waiter_thread waiting(items);
  sockets.other_closes();
  CHECK_OK(waiting.result());
  CHECK(waiting.items()[0].ready == KITH_WAIT_READ);
}

TEST_CASE_FIXTURE(sockets_that_do_not_leak,
                  "whatever comes ends a wait for many things, and nothing else is marked") {
  test::event event = test::make_event();
  test::event by_itself = test::make_event(KITH_EVENT_AUTO_RESET);
  test::queue items_to_come = test::make_queue();
  test::queue room_to_come = test::make_queue(4096);
  test::channel_pair pair = test::make_channel();
  test::channel_pair line = test::make_channel();
  test::process child = test::start_role({"stay"}, {{"line", line.b}});
  CHECK(test::hear(line.a, "ready"));
  test::foreign_handle handle;
  test::socket_pair sockets;
  fill(room_to_come);
  const wait_items items{item_of(event),
                         item_of(by_itself),
                         item_of(items_to_come),
                         item_of(room_to_come, KITH_WAIT_WRITE),
                         item_of(pair.a),
                         item_of_handle(handle.handle()),
                         item_of_socket(sockets.socket()),
                         item_of(child)};
  const std::vector<std::pair<std::function<void()>, std::function<void()>>> steps{
      {[&] { CHECK_OK(kith_event_set(event)); }, [&] { CHECK_OK(kith_event_clear(event)); }},
      {[&] { CHECK_OK(kith_event_set(by_itself)); }, [&] { CHECK_OK(kith_event_wait(by_itself, 0)); }},
      {[&] { CHECK_OK(kith_queue_put(items_to_come, "x", 1, 0)); },
       [&] { CHECK_OK(get_now(items_to_come)); }},
      {[&] { empty(room_to_come); }, [&] { fill(room_to_come); }},
      {[&] { CHECK(test::tell(pair.b, "x")); }, [&] { CHECK(test::hear(pair.a, "x")); }},
      {[&] { handle.make_ready(); }, {}},
      {[&] { sockets.other_writes(); }, {}},
      {[&] { line.a.close(); }, {}}};
  for (size_t i = 0; i < steps.size(); ++i) {
    CAPTURE(i);
    wait_items these(items.begin(), items.end());
    // What cannot be undone is left out from then on.
    for (size_t before = 5; before < i; ++before) these[before] = item_of(event);
    waiter_thread waiting(these);
    steps[i].first();
    CHECK_OK(waiting.result());
    CHECK(waiting.ready() == 1);
    for (size_t k = 0; k < these.size(); ++k) CHECK((waiting.items()[k].ready != 0) == (k == i));
    if (steps[i].second) steps[i].second();
  }
  test::end_of(child);
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "all that are ready are marked, so that a busy one does not starve the others") {
  std::vector<test::queue> queues;
  wait_items items;
  for (int i = 0; i < 20; ++i) {
    queues.push_back(test::make_queue());
    items.push_back(item_of(queues.back()));
  }
  size_t ready = 0;
  for (int round = 0; round < 10; ++round) {
    CHECK_OK(kith_queue_put(queues[0], "busy", 4, 0));
    CHECK_OK(kith_queue_put(queues[static_cast<size_t>(round) + 5], "x", 1, 0));
    CHECK_OK(wait_any(items, test::generous, &ready));
    CHECK(ready == 2);
    CHECK(items[0].ready == KITH_WAIT_READ);
    CHECK(items[static_cast<size_t>(round) + 5].ready == KITH_WAIT_READ);
    CHECK_OK(get_now(queues[static_cast<size_t>(round) + 5]));
    CHECK_OK(get_now(queues[0]));
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "a thousand objects are waited for at once, and so are a thousand handles") {
  constexpr size_t many = 1'000;
  std::vector<test::event> events;
  wait_items items;
  for (size_t i = 0; i < many; ++i) {
    events.push_back(test::make_event());
    items.push_back(item_of(events.back()));
  }
  CHECK_STATUS(wait_any(items, 10), KITH_E_TIMEOUT);
  for (const size_t which : {size_t{0}, size_t{61}, size_t{500}, many - 1}) {
    waiter_thread waiting(items);
    CHECK_OK(kith_event_set(events[which]));
    CHECK_OK(waiting.result());
    CHECK(waiting.ready() == 1);
    CHECK(waiting.items()[which].ready == KITH_WAIT_READ);
    CHECK_OK(kith_event_clear(events[which]));
  }
  for (size_t i = 0; i < many; ++i) {
    int64_t handle = 0;
    CHECK_OK(kith_event_poll_handle(events[i], &handle));
    CHECK_OK(kith_poll_arm(events[i], 0));
    items[i] = item_of_handle(handle);
  }
  waiter_thread waiting(items);
  CHECK_OK(kith_event_set(events[777]));
  CHECK_OK(waiting.result());
  CHECK(waiting.items()[777].ready == KITH_WAIT_READ);
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "a thousand channels are waited for at once: messages, and ends that close") {
  const size_t many = static_cast<size_t>(test::repetitions(1'000));
  if (!test::allow_handles(8'192)) SKIP_CASE("this user may not have so many descriptors");
  std::vector<test::channel_pair> pairs;
  wait_items items;
  for (size_t i = 0; i < many; ++i) {
    pairs.push_back(test::make_channel(4096));
    items.push_back(item_of(pairs.back().a));
  }
  CHECK_STATUS(wait_any(items, 10), KITH_E_TIMEOUT);
  for (const size_t which : {size_t{0}, many / 2, many - 1}) {
    waiter_thread waiting(items);
    CHECK(test::tell(pairs[which].b, "hello"));
    CHECK_OK(waiting.result());
    CHECK(waiting.ready() == 1);
    CHECK(waiting.items()[which].ready == KITH_WAIT_READ);
    CHECK(test::hear(pairs[which].a, "hello"));
  }
  waiter_thread waiting(items);
  pairs[many / 3].b.close();
  CHECK_OK(waiting.result());
  CHECK(waiting.items()[many / 3].ready == KITH_WAIT_READ);
}

TEST_CASE_FIXTURE(nothing_leaks, "the same object may be waited for twice") {
  test::queue queue = test::make_queue(4096);
  fill(queue);
  wait_items items{item_of(queue, KITH_WAIT_WRITE), item_of(queue, KITH_WAIT_WRITE)};
  waiter_thread waiting(items);
  empty(queue);
  CHECK_OK(waiting.result());
  CHECK(waiting.ready() == 2);
}

TEST_CASE_FIXTURE(nothing_leaks, "without items a wait ends when its time is over") {
  size_t ready = 77;
  const uint64_t began = test::now_ms();
  CHECK_STATUS(kith_wait_any(nullptr, 0, &ready, 30), KITH_E_TIMEOUT);
  CHECK(test::now_ms() - began >= 29);
  CHECK(ready == 77);
}

TEST_CASE_FIXTURE(nothing_leaks, "a wait for many things says which of its items makes no sense") {
  test::event event = test::make_event();
  test::lock lock = test::make_lock();
  size_t ready = 77;
  kith_wait_item item = item_of(event);
  CHECK_STATUS(kith_wait_any(&item, 1, nullptr, 0), KITH_E_INVALID);
  CHECK_STATUS(kith_wait_any(nullptr, 1, &ready, 0), KITH_E_INVALID);
  CHECK_STATUS(kith_wait_any(&item, 1, &ready, -2), KITH_E_INVALID);
  const std::pair<kith_wait_item, kith_status> wrong[] = {
      {item_of(nullptr), KITH_E_INVALID},
      {item_of(lock), KITH_E_MISMATCH},
      {item_of(event, 4), KITH_E_INVALID},
      {item_of(event, KITH_WAIT_WRITE), KITH_E_MISMATCH},
      {{event, 5, KITH_WAIT_OBJECT, 0, 0, 0}, KITH_E_INVALID},
      {{event, 5, KITH_WAIT_HANDLE, 0, 0, 0}, KITH_E_INVALID},
      {{nullptr, 0, 3, 0, 0, 0}, KITH_E_INVALID},
      {{event, 0, KITH_WAIT_OBJECT, 0, 0, 1}, KITH_E_INVALID},
      {item_of_handle(-1), KITH_E_MISMATCH}};
  CHECK_OK(kith_event_set(event));
  for (const auto& [bad, expected] : wrong) {
    wait_items items{item_of(event), bad};
    CHECK_STATUS(wait_any(items, test::generous), expected);
    CHECK(items[0].ready == 0);
  }
  kith_event* const stale = event.get();
  event.close();
  wait_items items{item_of(stale)};
  CHECK_STATUS(wait_any(items, 0), KITH_E_INVALID);
  CHECK(ready == 77);
}

TEST_CASE_FIXTURE(nothing_leaks, "a close by another thread ends the wait, and the next call tells") {
  for (int kind = 0; kind < 4; ++kind) {
    CAPTURE(kind);
    test::event event = test::make_event();
    test::queue queue = test::make_queue();
    test::channel_pair pair = test::make_channel();
    test::channel_pair line = test::make_channel();
    test::process child = test::start_role({"stay"}, {{"line", line.b}});
    CHECK(test::hear(line.a, "ready"));
    const int64_t pid = kith_process_id(child);
    const void* const objects[] = {event, queue, pair.a, child};
    waiter_thread waiting({item_of(objects[kind])});
    test::let_it_sleep();
    if (kind == 0) event.close();
    if (kind == 1) queue.close();
    if (kind == 2) pair.a.close();
    if (kind == 3) child.close();
    CHECK_OK(waiting.result());
    CHECK(waiting.items()[0].ready == KITH_WAIT_READ);
    line.a.close();
    if (kind == 3)
      CHECK(test::becomes_true([&] { return test::has_ended(pid) || test::is_ended_child(pid); }));
    if (kind != 3) test::end_of(child);
  }
  test::end_of(test::start_role({"exit", "0"}));  // reaps the one whose handle was closed
}

TEST_CASE_FIXTURE(nothing_leaks, "a cancel ends a wait for many things at once") {
  test::event event = test::make_event();
  test::queue queue = test::make_queue();
  test::cancel cancel = test::make_cancel();
  const int rounds = test::repetitions(40) + 10;  // the first ones are slower
  const uint64_t began = test::now_ms();
  for (int round = 0; round < rounds; ++round) {
    waiter_thread one({item_of(event)}, cancel);
    waiter_thread other({item_of(queue), item_of(event)}, cancel);
    CHECK_OK(kith_cancel_fire(cancel));
    CHECK_STATUS(one.result(), KITH_E_CANCELLED);
    CHECK_STATUS(other.result(), KITH_E_CANCELLED);
    CHECK(other.items()[0].ready == 0);
    CHECK_OK(kith_cancel_reset(cancel));
  }
  CHECK(test::now_ms() - began < static_cast<uint64_t>(rounds) * 40);  // a slice is longer
  CHECK_OK(kith_cancel_use(cancel));
  wait_items items{item_of(event)};
  CHECK_STATUS(wait_any(items, 20), KITH_E_TIMEOUT);
  CHECK_OK(kith_cancel_fire(cancel));
  CHECK_STATUS(wait_any(items, KITH_FOREVER), KITH_E_CANCELLED);
  CHECK_OK(kith_event_set(event));
  CHECK_OK(wait_any(items, KITH_FOREVER));
  CHECK_OK(kith_cancel_use(nullptr));
}

// A slice would end each wait, too, but 64 ms later.
TEST_CASE_FIXTURE(nothing_leaks, "who waits for many things is told at once") {
  test::event there = test::make_event(KITH_EVENT_AUTO_RESET);
  test::queue back = test::make_queue();
  const int rounds = test::repetitions(400);
  std::thread other([&] {
    for (int i = 0; i < rounds; ++i) {
      wait_items items{item_of(back), item_of(there)};
      CHECK_OK(wait_any(items, test::generous));
      CHECK_OK(kith_event_wait(there, 0));
      CHECK_OK(kith_queue_put(back, "x", 1, 0));
      // Not before it was taken: the item would be ours.
      CHECK(test::becomes_true([&] { return kith_queue_count(back) == 0; }));
    }
  });
  const uint64_t began = test::now_ms();
  for (int i = 0; i < rounds; ++i) {
    CHECK_OK(kith_event_set(there));
    wait_items items{item_of(back)};
    CHECK_OK(wait_any(items, test::generous));
    CHECK_OK(get_now(back));
  }
  other.join();
  CHECK(test::now_ms() - began < static_cast<uint64_t>(rounds) * 20);
}

TEST_CASE_FIXTURE(nothing_leaks, "two processes that wait for the same event both come back") {
  for (int round = 0; round < test::repetitions(10); ++round) {
    test::event event = test::make_event();
    waiting_child one(event), other(event);
    CHECK_OK(kith_event_set(event));
    CHECK_EXIT(one.process, KITH_EXIT_CODE, 0);
    CHECK_EXIT(other.process, KITH_EXIT_CODE, 0);
  }
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "processes that wait for items and for room of one queue do not silence each other") {
  test::queue queue = test::make_queue(4096);
  test::value taken = test::make_value(KITH_I64);
  const int32_t each = test::repetitions(20'000);
  std::vector<test::process> takers, putters;
  for (int i = 0; i < 2; ++i)
    takers.push_back(test::start(take_by_waiting, {{"queue", queue}, {"taken", taken}}));
  const uint64_t began = test::now_ms();
  for (int i = 0; i < 2; ++i) putters.push_back(test::start_with(put_by_waiting, {{"queue", queue}}, each));
  for (test::process& each_putter : putters) CHECK_EXIT(each_putter, KITH_EXIT_CODE, 0);
  CHECK_OK(kith_queue_shutdown(queue));
  for (test::process& each_taker : takers) CHECK_EXIT(each_taker, KITH_EXIT_CODE, 0);
  CHECK(test::count_in(taken) == 2 * each);
  // The queue is filled and emptied some hundred times; with a lost ring each of these would take 64 ms.
  MESSAGE("took ms: ", test::now_ms() - began);
  CHECK(test::now_ms() - began < (test::is_windows || test::sanitized ? 30'000 : 5'000));
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "a process that is killed while it waits for many things takes no ring along") {
  for (int round = 0; round < test::repetitions(20); ++round) {
    test::event event = test::make_event();
    waiting_child killed(event), other(event);
    REQUIRE_OK(kith_process_kill(killed.process));
    CHECK_EXIT(killed.process, KITH_EXIT_KILLED, 9);
    CHECK_OK(kith_event_set(event));
    CHECK_EXIT(other.process, KITH_EXIT_CODE, 0);
  }
}
