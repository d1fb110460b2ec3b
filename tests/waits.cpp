// SPDX-License-Identifier: MIT
#include "waits.h"

namespace test {

namespace {

// Larger than the ring, so that nobody sends it who is alone.
const std::string large(10'000, 'x');

kith_status wait_for_lock(endless_waits& on, int64_t timeout_ms) {
  const kith_status status = kith_lock_acquire(on.held, timeout_ms);
  if (status == KITH_OK) CHECK_OK(kith_lock_release(on.held));
  return status;
}

kith_status wait_for_permit(endless_waits& on, int64_t timeout_ms) {
  return kith_semaphore_acquire(on.empty, timeout_ms);
}

kith_status wait_for_signal(endless_waits& on, int64_t timeout_ms) {
  return kith_semaphore_acquire(on.no_signal, timeout_ms);
}

// However the wait ends, the lock is held again.
kith_status wait_for_condition(endless_waits& on, int64_t timeout_ms) {
  CHECK_OK(kith_lock_acquire(on.of_condition, generous));
  const kith_status status = kith_condition_wait(on.silent, on.of_condition, timeout_ms);
  CHECK_OK(kith_lock_release(on.of_condition));
  return status;
}

kith_status wait_for_event(endless_waits& on, int64_t timeout_ms) {
  return kith_event_wait(on.clear, timeout_ms);
}

kith_status wait_for_resetting_event(endless_waits& on, int64_t timeout_ms) {
  return kith_event_wait(on.clear_by_itself, timeout_ms);
}

kith_status wait_for_parties(endless_waits& on, int64_t timeout_ms) {
  uint32_t place = 77;
  const kith_status status = kith_barrier_wait(on.lonely, timeout_ms, &place);
  CHECK((status >= KITH_OK) == (place != 77));
  return status == KITH_LAST ? KITH_OK : status;
}

kith_status wait_for_message(endless_waits& on, int64_t timeout_ms) {
  char buffer[8];
  size_t size = 77;
  const kith_status status = kith_channel_recv(on.quiet.a, buffer, sizeof buffer, &size, timeout_ms);
  CHECK(size == (status == KITH_OK ? 5 : 77));
  return status;
}

kith_status wait_for_room(endless_waits& on, int64_t timeout_ms) {
  return kith_channel_send(on.full.a, large.data(), large.size(), timeout_ms);
}

kith_status wait_to_be_shown(endless_waits& on, int64_t timeout_ms) {
  const void* data = nullptr;
  size_t size = 77;
  const kith_status status = kith_channel_peek(on.silent_line.a, &data, &size, timeout_ms);
  CHECK(size == (status == KITH_OK ? 5 : 77));
  if (status == KITH_OK) CHECK_OK(kith_channel_consume(on.silent_line.a));
  return status;
}

kith_status wait_for_messages(endless_waits& on, int64_t timeout_ms) {
  char buffer[8];
  size_t sizes[2] = {77, 77};
  size_t count = 77;
  const kith_status status =
      kith_channel_recv_many(on.silent_batches.a, buffer, sizeof buffer, sizes, 2, &count, timeout_ms);
  CHECK(count == (status == KITH_OK ? 1 : 77));
  return status;
}

kith_status wait_for_a_place_in_the_ring(endless_waits& on, int64_t timeout_ms) {
  void* place = nullptr;
  const kith_status status = kith_channel_reserve(on.reserved.a, 2048, &place, timeout_ms);
  CHECK((status == KITH_OK) == (place != nullptr));
  if (status == KITH_OK) CHECK_OK(kith_channel_commit(on.reserved.a, 2048));
  return status;
}

void make_room_for_a_place(endless_waits& on) {
  const void* data = nullptr;
  size_t size = 0;
  while (kith_channel_peek(on.reserved.b, &data, &size, 0) == KITH_OK)
    CHECK_OK(kith_channel_consume(on.reserved.b));
}

kith_status wait_for_room_for_batches(endless_waits& on, int64_t timeout_ms) {
  const size_t size = large.size();
  size_t sent = 77;
  const kith_status status =
      kith_channel_send_many(on.full_of_batches.a, large.data(), &size, 1, &sent, timeout_ms);
  CHECK(sent == (status == KITH_E_INVALID ? 77 : 0));
  return status;
}

kith_status wait_at_a_shared_end(endless_waits& on, int64_t timeout_ms) {
  char buffer[8];
  size_t size = 77;
  return kith_channel_recv(on.shared.a, buffer, sizeof buffer, &size, timeout_ms);
}

kith_status wait_for_room_at_a_shared_end(endless_waits& on, int64_t timeout_ms) {
  return kith_channel_send(on.shared_and_full.a, large.data(), 2000, timeout_ms);
}

kith_status wait_for_item(endless_waits& on, int64_t timeout_ms) {
  char buffer[8];
  size_t size = 77;
  const kith_status status = kith_queue_get(on.nothing_there, buffer, sizeof buffer, &size, timeout_ms);
  CHECK(size == (status == KITH_OK ? 5 : 77));
  return status;
}

const std::string half(2'000, 'x');  // of the queue, together with the header

kith_status wait_for_place(endless_waits& on, int64_t timeout_ms) {
  return kith_queue_put(on.no_room, half.data(), half.size(), timeout_ms);
}

void make_a_place(endless_waits& on) {
  std::string item(half.size(), ' ');
  size_t size = 0;
  CHECK_OK(kith_queue_get(on.no_room, item.data(), item.size(), &size, 0));
  CHECK(item == half);
}

kith_status wait_for_tasks(endless_waits& on, int64_t timeout_ms) {
  return kith_queue_join(on.undone, timeout_ms);
}

void do_the_task(endless_waits& on) {
  size_t size = 77;
  CHECK_OK(kith_queue_get(on.undone, nullptr, 0, &size, 0));
  CHECK_OK(kith_queue_task_done(on.undone));
}

kith_status wait_for_broadcast(endless_waits& on, int64_t timeout_ms) {
  char buffer[8];
  size_t size = 77;
  const kith_status status = kith_reader_next(on.listener, buffer, sizeof buffer, &size, nullptr, timeout_ms);
  CHECK(size == (status == KITH_OK ? 5 : 77));
  return status;
}

kith_status wait_to_look(endless_waits& on, int64_t timeout_ms) {
  const void* data = nullptr;
  size_t size = 77;
  const kith_status status = kith_reader_peek(on.watcher, &data, &size, nullptr, timeout_ms);
  CHECK(size == (status == KITH_OK ? 5 : 77));
  if (status == KITH_OK) CHECK_OK(kith_reader_consume(on.watcher));
  return status;
}

void hello(kith_broadcast* broadcast) { CHECK_OK(kith_broadcast_publish(broadcast, "hello", 5, 0)); }

const std::string eighth(496, 'x');  // of the broadcast's ring, together with the header

kith_status wait_to_publish(endless_waits& on, int64_t timeout_ms) {
  return kith_broadcast_publish(on.full_broadcast, eighth.data(), eighth.size(), timeout_ms);
}

void read_the_broadcast(endless_waits& on) {
  std::string message(eighth.size(), ' ');
  size_t size = 0;
  while (kith_reader_next(on.slow_reader, message.data(), message.size(), &size, nullptr, 0) == KITH_OK)
    CHECK(message == eighth);
}

void make_broadcasts(endless_waits& on) {
  auto options = defaults<kith_broadcast_options>();
  options.flags = KITH_BROADCAST_HOLD;
  options.ring_size = 4096;
  REQUIRE_OK(kith_broadcast_create(nullptr, on.silent_broadcast.out()));
  REQUIRE_OK(kith_broadcast_create(nullptr, on.silent_too.out()));
  REQUIRE_OK(kith_broadcast_create(&options, on.full_broadcast.out()));
  REQUIRE_OK(kith_broadcast_subscribe(on.silent_broadcast, 0, on.listener.out()));
  REQUIRE_OK(kith_broadcast_subscribe(on.silent_too, 0, on.watcher.out()));
  REQUIRE_OK(kith_broadcast_subscribe(on.full_broadcast, 0, on.slow_reader.out()));
  while (wait_to_publish(on, 0) == KITH_OK) continue;
}

kith_status wait_for_process(endless_waits& on, int64_t timeout_ms) {
  kith_exit end{-77, 0, -77};
  const kith_status status = kith_process_wait(on.child, timeout_ms, &end);
  CHECK((end.kind == -77) == (status != KITH_OK));
  return status;
}

kith_status wait_for_bytes(endless_waits& on, int64_t timeout_ms) {
  char byte = 'x';
  size_t size = 77;
  const kith_status status = kith_stream_read(on.from_child, &byte, 1, &size, timeout_ms);
  CHECK(size == 77);
  return status;
}

kith_status wait_for_room_in_a_pipe(endless_waits& on, int64_t timeout_ms) {
  size_t written = 77;
  const kith_status status = kith_stream_write(on.to_child, large.data(), large.size(), &written, timeout_ms);
  CHECK(written == (status == KITH_E_INVALID ? 77 : 0));
  return status;
}

kith_status wait_for_conversation(endless_waits& on, int64_t timeout_ms) {
  kith_exit end{-77, 0, -77};
  const kith_status status = kith_process_communicate(on.child, nullptr, timeout_ms, &end);
  CHECK((end.kind == -77) == (status != KITH_OK));
  return status;
}

// Until the pipe is full.
void fill_pipe(kith_stream* stream) {
  const std::string all(2'000'000, 'x');
  size_t written = 0;
  REQUIRE_STATUS(kith_stream_write(stream, all.data(), all.size(), &written, 0), KITH_E_TIMEOUT);
  REQUIRE(written != 0);
}

process start_staying_child(kith_channel* line) {
  const argument_list program = role({"stay"});
  const kith_share given = {"line", line};
  auto options = defaults<kith_process_options>();
  options.argv = program.argv();
  options.shares = &given;
  options.share_count = 1;
  options.std_in.what = options.std_out.what = KITH_STDIO_PIPE;
  process child;
  REQUIRE_OK(test::spawn(options, child));
  return child;
}

void come_to_the_barrier(endless_waits& on) {
  on.other_party = std::thread([&on] { CHECK(kith_barrier_wait(on.lonely, generous, nullptr) >= KITH_OK); });
  CHECK(becomes_true([&on] { return kith_barrier_waiting(on.lonely) == 1; }));
}

void end_child(endless_waits& on) {
  on.line.a.close();
  CHECK_EXIT(on.child, KITH_EXIT_CODE, 0);  // to be asked again by the next one
}

}  // namespace

const std::vector<wait_kind> kinds_of_waits = {
    {"lock", wait_for_lock, [](endless_waits& on) { kith_lock_close(on.held); },
     [](endless_waits& on) { CHECK_OK(kith_lock_release(on.held)); }},
    {"semaphore", wait_for_permit, [](endless_waits& on) { kith_semaphore_close(on.empty); },
     [](endless_waits& on) { CHECK_OK(kith_semaphore_release(on.empty)); }},
    {"signal", wait_for_signal, [](endless_waits& on) { kith_semaphore_close(on.no_signal); },
     [](endless_waits& on) { CHECK_OK(kith_semaphore_release(on.no_signal)); }},
    // A condition remembers nothing: a wait for it that need not wait there is not.
    {"condition", wait_for_condition, [](endless_waits& on) { kith_condition_close(on.silent); }, nullptr},
    {"event", wait_for_event, [](endless_waits& on) { kith_event_close(on.clear); },
     [](endless_waits& on) { CHECK_OK(kith_event_set(on.clear)); }},
    {"event that resets itself", wait_for_resetting_event,
     [](endless_waits& on) { kith_event_close(on.clear_by_itself); },
     [](endless_waits& on) { CHECK_OK(kith_event_set(on.clear_by_itself)); }},
    {"barrier", wait_for_parties, [](endless_waits& on) { kith_barrier_close(on.lonely); },
     come_to_the_barrier},
    {"recv", wait_for_message, [](endless_waits& on) { kith_channel_close(on.quiet.a); },
     [](endless_waits& on) { CHECK(tell(on.quiet.b, "hello")); }},
    {"send", wait_for_room, [](endless_waits& on) { kith_channel_close(on.full.a); }, nullptr},
    {"peek", wait_to_be_shown, [](endless_waits& on) { kith_channel_close(on.silent_line.a); },
     [](endless_waits& on) { CHECK(tell(on.silent_line.b, "hello")); }},
    {"recv_many", wait_for_messages, [](endless_waits& on) { kith_channel_close(on.silent_batches.a); },
     [](endless_waits& on) { CHECK(tell(on.silent_batches.b, "hello")); }},
    {"reserve", wait_for_a_place_in_the_ring, [](endless_waits& on) { kith_channel_close(on.reserved.a); },
     make_room_for_a_place},
    {"send_many", wait_for_room_for_batches,
     [](endless_waits& on) { kith_channel_close(on.full_of_batches.a); }, nullptr},
    {"recv, shared end", wait_at_a_shared_end, [](endless_waits& on) { kith_channel_close(on.shared.a); },
     [](endless_waits& on) { CHECK(tell(on.shared.b, "hello")); }},
    {"send, shared end", wait_for_room_at_a_shared_end,
     [](endless_waits& on) { kith_channel_close(on.shared_and_full.a); },
     [](endless_waits& on) { CHECK(hear(on.shared_and_full.b, large.substr(0, 2000))); }},
    {"queue, empty", wait_for_item, [](endless_waits& on) { kith_queue_close(on.nothing_there); },
     [](endless_waits& on) { CHECK_OK(kith_queue_put(on.nothing_there, "hello", 5, 0)); }},
    {"queue, full", wait_for_place, [](endless_waits& on) { kith_queue_close(on.no_room); }, make_a_place},
    {"queue, tasks", wait_for_tasks, [](endless_waits& on) { kith_queue_close(on.undone); }, do_the_task},
    {"broadcast, to read", wait_for_broadcast, [](endless_waits& on) { kith_reader_close(on.listener); },
     [](endless_waits& on) { hello(on.silent_broadcast); }},
    {"broadcast, to look", wait_to_look, [](endless_waits& on) { kith_reader_close(on.watcher); },
     [](endless_waits& on) { hello(on.silent_too); }},
    {"broadcast, full", wait_to_publish, [](endless_waits& on) { kith_broadcast_close(on.full_broadcast); },
     read_the_broadcast},
    {"stream, empty", wait_for_bytes, [](endless_waits& on) { kith_stream_close(on.from_child); }, nullptr},
    {"stream, full", wait_for_room_in_a_pipe, [](endless_waits& on) { kith_stream_close(on.to_child); },
     nullptr},
    {"communicate", wait_for_conversation, [](endless_waits& on) { kith_process_close(on.child); }, nullptr},
    {"process", wait_for_process, [](endless_waits& on) { kith_process_close(on.child); }, end_child},
};

endless_waits::endless_waits() {
  child = start_staying_child(line.b);
  pid = kith_process_id(child);
  REQUIRE_OK(kith_process_take_stream(child, KITH_STDIN, to_child.out()));
  REQUIRE_OK(kith_process_take_stream(child, KITH_STDOUT, from_child.out()));
  fill_pipe(to_child);
  REQUIRE(hear(line.a, "ready"));
  REQUIRE_OK(kith_lock_acquire(held, 0));
  REQUIRE_OK(kith_semaphore_acquire(empty, 0));
  for (int i = 0; i < 2; ++i) REQUIRE_OK(kith_queue_put(no_room, half.data(), half.size(), 0));
  REQUIRE_OK(kith_queue_put(undone, nullptr, 0, 0));
  make_broadcasts(*this);
  for (int i = 0; i < 3; ++i) REQUIRE_OK(kith_channel_send(reserved.a, large.data(), 1000, 0));
  for (int i = 0; i < 2; ++i) REQUIRE_OK(kith_channel_send(shared_and_full.a, large.data(), 2000, 0));
}

endless_waits::~endless_waits() {
  if (other_party.joinable()) other_party.join();
  line.a.close();
  if (kith_process_id(child) == pid) {
    CHECK_EXIT(child, KITH_EXIT_CODE, 0);
  } else {
    CHECK(becomes_true([this] { return has_ended(pid); }));
  }
}

void let_it_sleep() {
  const event never = make_event();
  CHECK_STATUS(kith_event_wait(never, 50), KITH_E_TIMEOUT);
}

waiting_thread::waiting_thread(endless_waits& on, const wait_kind& kind, const preparation& prepare)
    : thread_([this, &on, &kind, prepare] {
        if (prepare) prepare();
        began_ = true;
        result_ = kind.call(on, KITH_FOREVER);
        back_ = true;
      }) {
  while (!began_) std::this_thread::yield();
}

waiting_thread::~waiting_thread() {
  if (thread_.joinable()) thread_.join();
}

kith_status waiting_thread::result() {
  thread_.join();
  return result_;
}

}  // namespace test
