// SPDX-License-Identifier: MIT
// Objects through a channel, with a message beside them.
#include <cstring>

#include "send_object.h"

using test::nothing_leaks;
using test::received_object;

namespace {

// Sends every object back that it gets, with its message.
int32_t send_back(const void*, size_t) {
  test::channel line;
  CHILD_NEEDS(test::take(line, "line"));
  for (;;) {
    received_object came;
    const kith_status status = came.receive(line);
    if (status == KITH_E_CLOSED) return 0;
    CHILD_NEEDS(status == KITH_OK);
    CHILD_NEEDS(came.send(line, came.text) == KITH_OK);
  }
}

// A child that sends everything back.
struct mirror {
  test::channel_pair line = test::make_channel();
  test::process child = test::start(send_back, {{"line", line.b}});

  // What came back for the object.
  received_object there_and_back(const void* object, std::string_view text) {
    CHECK_OK(kith_channel_send_object(line.a, object, text.data(), text.size(), test::generous));
    received_object back;
    CHECK_OK(back.receive(line.a));
    CHECK(back.text == text);
    return back;
  }
  ~mirror() {
    line.a.close();
    CHECK_EXIT(child, KITH_EXIT_CODE, 0);
  }
};

// Locks the borrowed lock through one handle: through the other it is busy.
void check_same_lock(kith_lock* one, kith_lock* other) {
  CHECK_OK(kith_lock_acquire(one, 0));
  CHECK_STATUS(kith_lock_acquire(other, 0), KITH_E_DEADLOCK);
  CHECK_OK(kith_lock_release(one));
}

// Receives an end, and talks over it.
int32_t talk_over_what_comes(const void*, size_t) {
  test::channel line;
  CHILD_NEEDS(test::take(line, "line"));
  received_object came;
  CHILD_NEEDS(came.receive(line) == KITH_OK && came.kind == KITH_OBJECT_CHANNEL);
  test::channel talk(came.release<kith_channel>());
  CHILD_NEEDS(test::hear(talk, "sent before the end moved"));
  CHILD_NEEDS(test::hear(talk, "hello"));
  CHILD_NEEDS(test::tell(talk, "hello yourself"));
  CHILD_NEEDS(test::hear(talk, "(KITH_E_CLOSED)"));
  return 0;
}

int32_t say_hello(const void*, size_t) {
  test::channel talk;
  CHILD_NEEDS(test::take(talk, "talk"));
  CHILD_NEEDS(test::tell(talk, "hello"));
  CHILD_NEEDS(test::hear(talk, "hello yourself"));
  return 0;
}

// Waits for a process that somebody else has started, and says how it ended.
int32_t wait_for_what_comes(const void*, size_t) {
  test::channel line;
  CHILD_NEEDS(test::take(line, "line"));
  received_object came;
  CHILD_NEEDS(came.receive(line) == KITH_OK && came.kind == KITH_OBJECT_PROCESS);
  kith_process* const process = came.as<kith_process>();
  kith_exit end{};
  CHILD_NEEDS(kith_process_wait(process, 10, &end) == KITH_E_TIMEOUT);
  CHILD_NEEDS(kith_process_kill(process) == KITH_E_DENIED);
  CHILD_NEEDS(test::tell(line, std::to_string(kith_process_id(process))));
  CHILD_NEEDS(kith_process_wait(process, test::generous, &end) == KITH_OK);
  const test::shown_exit expected =
      test::is_windows ? test::shown_exit{KITH_EXIT_CODE, 0} : test::shown_exit{KITH_EXIT_UNKNOWN, 0};
  CHILD_NEEDS((test::shown_exit{end.kind, end.code} == expected));
  return 0;
}

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks, "a process can be waited for by one who has not started it") {
  test::channel_pair line = test::make_channel();
  test::channel_pair to_watched = test::make_channel();
  test::process watched = test::start_role({"stay"}, {{"line", to_watched.b}});
  test::process watcher = test::start(wait_for_what_comes, {{"line", line.b}});
  CHECK(test::hear(to_watched.a, "ready"));
  CHECK_OK(kith_channel_send_object(line.a, watched, nullptr, 0, test::generous));
  CHECK(test::hear(line.a, std::to_string(kith_process_id(watched))));
  to_watched.a.close();
  CHECK_EXIT(watcher, KITH_EXIT_CODE, 0);
  CHECK_EXIT(watched, KITH_EXIT_CODE, 0);
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "a process that comes back to who started it takes nothing from the first handle") {
  mirror other;
  test::process child = test::start_role({"exit", "7"});
  received_object back = other.there_and_back(child, "a process");
  REQUIRE(back.kind == KITH_OBJECT_PROCESS);
  kith_exit end{};
  CHECK_OK(kith_process_wait(back.as<kith_process>(), test::generous, &end));
  CHECK_OK(kith_process_wait(back.as<kith_process>(), 0, &end));
  CHECK_EXIT(child, KITH_EXIT_CODE, 7);
}

TEST_CASE_FIXTURE(nothing_leaks, "a process that has ended and was reaped has ended for the receiver, too") {
  test::channel_pair line = test::make_channel();
  test::process child = test::start_role({"exit", "7"});
  CHECK_EXIT(child, KITH_EXIT_CODE, 7);
  CHECK_OK(kith_channel_send_object(line.a, child, nullptr, 0, 0));
  received_object came;
  REQUIRE_OK(came.receive(line.b));
  REQUIRE(came.kind == KITH_OBJECT_PROCESS);
  kith_exit end{};
  CHECK_OK(kith_process_wait(came.as<kith_process>(), 0, &end));
}

TEST_CASE_FIXTURE(nothing_leaks, "memory goes to another process and back, and is the same memory") {
  mirror other;
  test::memory sent;
  REQUIRE_OK(kith_memory_create(10'000, nullptr, sent.out()));
  received_object back = other.there_and_back(sent, "some memory");
  REQUIRE(back.kind == KITH_OBJECT_MEMORY);
  std::memcpy(kith_memory_data(sent), "written later", 14);
  CHECK(std::strcmp(static_cast<char*>(kith_memory_data(back.as<kith_memory>())), "written later") == 0);
  CHECK(kith_memory_size(back.as<kith_memory>()) == 10'000);
}

TEST_CASE_FIXTURE(nothing_leaks, "an array and a value go there and back, with their locks") {
  mirror other;
  test::array numbers = test::make_array(KITH_I32, 100);
  received_object array = other.there_and_back(numbers, "");
  REQUIRE(array.kind == KITH_OBJECT_ARRAY);
  static_cast<int32_t*>(kith_array_data(numbers))[99] = 4711;
  CHECK(static_cast<int32_t*>(kith_array_data(array.as<kith_array>()))[99] == 4711);
  check_same_lock(kith_array_lock(numbers), kith_array_lock(array.as<kith_array>()));

  test::value counter = test::make_value(KITH_I64);
  received_object value = other.there_and_back(counter, "a value");
  REQUIRE(value.kind == KITH_OBJECT_VALUE);
  test::count_up(counter);
  CHECK(test::count_in(value.as<kith_value>()) == 1);
}

TEST_CASE_FIXTURE(nothing_leaks, "what processes synchronise by goes there and back") {
  mirror other;
  test::lock lock = test::make_lock();
  received_object lock_back = other.there_and_back(lock, "lock");
  REQUIRE(lock_back.kind == KITH_OBJECT_LOCK);
  check_same_lock(lock, lock_back.as<kith_lock>());

  test::semaphore permits = test::make_semaphore(1);
  received_object permits_back = other.there_and_back(permits, "semaphore");
  REQUIRE(permits_back.kind == KITH_OBJECT_SEMAPHORE);
  CHECK_OK(kith_semaphore_acquire(permits, 0));
  CHECK_STATUS(kith_semaphore_acquire(permits_back.as<kith_semaphore>(), 0), KITH_E_TIMEOUT);
  CHECK_OK(kith_semaphore_release(permits));

  test::event event = test::make_event();
  received_object event_back = other.there_and_back(event, "event");
  REQUIRE(event_back.kind == KITH_OBJECT_EVENT);
  CHECK_OK(kith_event_set(event));
  CHECK_OK(kith_event_wait(event_back.as<kith_event>(), 0));

  test::queue queue = test::make_queue();
  received_object queue_back = other.there_and_back(queue, "queue");
  REQUIRE(queue_back.kind == KITH_OBJECT_QUEUE);
  CHECK_OK(kith_queue_put(queue, "item", 4, 0));
  CHECK(kith_queue_count(queue_back.as<kith_queue>()) == 1);

  test::condition condition = test::make_condition();
  CHECK(other.there_and_back(condition, "condition").kind == KITH_OBJECT_CONDITION);
  test::barrier barrier = test::make_barrier(2);
  CHECK(other.there_and_back(barrier, "barrier").kind == KITH_OBJECT_BARRIER);
}

TEST_CASE_FIXTURE(nothing_leaks, "an end of a channel goes there and back, and is used by whoever has it") {
  mirror other;
  test::channel_pair talk = test::make_channel();
  CHECK(test::tell(talk.a, "before"));
  received_object back = other.there_and_back(talk.b, "an end");
  REQUIRE(back.kind == KITH_OBJECT_CHANNEL);
  size_t size = 0;
  CHECK_STATUS(kith_channel_recv(talk.b, nullptr, 0, &size, 0), KITH_E_MOVED);
  CHECK(test::hear(back.as<kith_channel>(), "before"));
  CHECK(test::tell(back.as<kith_channel>(), "after"));
  CHECK(test::hear(talk.a, "after"));
  back.close();
  CHECK(test::hear(talk.a, "(KITH_E_CLOSED)"));
}

TEST_CASE_FIXTURE(nothing_leaks, "two processes talk over a channel that a third gave to them") {
  test::channel_pair line = test::make_channel();
  test::channel_pair talk = test::make_channel();
  test::process one = test::start(talk_over_what_comes, {{"line", line.b}});
  CHECK(test::tell(talk.a, "sent before the end moved"));
  test::process other = test::start(say_hello, {{"talk", talk.a}});
  CHECK_OK(kith_channel_send_object(line.a, talk.b, nullptr, 0, test::generous));
  CHECK_EXIT(other, KITH_EXIT_CODE, 0);
  CHECK_EXIT(one, KITH_EXIT_CODE, 0);
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "messages with and without an object come in the order in which they were sent") {
  test::channel_pair line = test::make_channel();
  test::value first = test::make_value(KITH_I64);
  test::array second = test::make_array(KITH_U8, 3);
  CHECK(test::tell(line.a, "one"));
  CHECK_OK(kith_channel_send_object(line.a, first, "two", 3, 0));
  CHECK_OK(kith_channel_send_object(line.a, second, "three", 5, 0));
  CHECK(test::tell(line.a, "four"));
  const int32_t kinds[] = {KITH_OBJECT_NONE, KITH_OBJECT_VALUE, KITH_OBJECT_ARRAY, KITH_OBJECT_NONE};
  const char* const texts[] = {"one", "two", "three", "four"};
  for (int i = 0; i < 4; ++i) {
    received_object came;
    REQUIRE_OK(came.receive(line.b));
    CHECK(came.kind == kinds[i]);
    CHECK(came.text == texts[i]);
    CHECK((came.object == nullptr) == (kinds[i] == KITH_OBJECT_NONE));
  }
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "a message with an object that does not fit the buffer stays, with its object") {
  test::channel_pair line = test::make_channel();
  test::value sent = test::make_value(KITH_I64);
  CHECK_OK(kith_channel_send_object(line.a, sent, "eight...", 8, 0));
  void* object = test::untouched<void>();
  int32_t kind = 77;
  char text[8];
  size_t size = 0;
  CHECK_STATUS(kith_channel_recv_object(line.b, &object, &kind, text, 7, &size, 0), KITH_E_TOO_LARGE);
  CHECK(size == 8);
  CHECK(object == test::untouched<void>());
  CHECK(kind == 77);
  received_object came;
  REQUIRE_OK(came.receive(line.b));
  CHECK(came.text == "eight...");
  CHECK(came.kind == KITH_OBJECT_VALUE);
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "calls that receive only messages leave a message with an object where it is") {
  test::channel_pair line = test::make_channel();
  test::value sent = test::make_value(KITH_I64);
  CHECK_OK(kith_channel_send_object(line.a, sent, "x", 1, 0));
  char text[8];
  size_t size = 77;
  for (int i = 0; i < 3; ++i)
    CHECK_STATUS(kith_channel_recv(line.b, text, sizeof text, &size, test::generous), KITH_E_MISMATCH);
  CHECK(size == 77);
  received_object came;
  REQUIRE_OK(came.receive(line.b));
  CHECK(came.kind == KITH_OBJECT_VALUE);
}

TEST_CASE_FIXTURE(nothing_leaks, "what cannot be sent is refused, and the channel is as before") {
  test::channel_pair line = test::make_channel(4096);
  test::array numbers = test::make_array(KITH_I32, 1);
  test::cancel cancel = test::make_cancel();
  CHECK_STATUS(kith_channel_send_object(line.a, kith_array_lock(numbers), nullptr, 0, 0), KITH_E_MISMATCH);
  CHECK_STATUS(kith_channel_send_object(line.a, cancel, nullptr, 0, 0), KITH_E_MISMATCH);
  CHECK_STATUS(kith_channel_send_object(line.a, line.a, nullptr, 0, 0), KITH_E_MISMATCH);
  CHECK_STATUS(kith_channel_send_object(line.a, line.b, nullptr, 0, 0), KITH_E_MISMATCH);
  CHECK_STATUS(kith_channel_send_object(line.a, nullptr, nullptr, 0, 0), KITH_E_INVALID);
  CHECK_STATUS(kith_channel_send_object(line.a, numbers, nullptr, 1, 0), KITH_E_INVALID);
  CHECK_STATUS(kith_channel_send_object(line.a, numbers, nullptr, 0, -2), KITH_E_INVALID);
  const std::vector<unsigned char> most = test::noise(4096 / 4 - 96, 1);
  const std::vector<unsigned char> too_much = test::noise(4096 / 4 - 95, 1);
  CHECK_STATUS(kith_channel_send_object(line.a, numbers, too_much.data(), too_much.size(), 0),
               KITH_E_TOO_LARGE);
  CHECK_OK(kith_channel_send_object(line.a, numbers, most.data(), most.size(), 0));
  received_object came;
  REQUIRE_OK(came.receive(line.b));
  CHECK(came.kind == KITH_OBJECT_ARRAY);
  CHECK(came.text == std::string(most.begin(), most.end()));
  size_t size = 0;
  CHECK_STATUS(kith_channel_recv(line.b, nullptr, 0, &size, 0), KITH_E_TIMEOUT);
}

TEST_CASE_FIXTURE(nothing_leaks, "a channel whose ends are shared carries no objects") {
  auto options = test::defaults<kith_channel_options>();
  options.flags = KITH_CHANNEL_SHARED_ENDS;
  test::channel a;
  test::channel b;
  REQUIRE_OK(kith_channel_create(&options, a.out(), b.out()));
  test::value sent = test::make_value(KITH_I64);
  CHECK_STATUS(kith_channel_send_object(a, sent, nullptr, 0, 0), KITH_E_UNSUPPORTED);
}

TEST_CASE_FIXTURE(nothing_leaks, "an end is not moved by a send that fails") {
  test::channel_pair line = test::make_channel(4096);
  test::channel_pair talk = test::make_channel();
  while (kith_channel_send(line.a, "full", 4, 0) == KITH_OK) {
  }
  CHECK_STATUS(kith_channel_send_object(line.a, talk.b, nullptr, 0, 20), KITH_E_TIMEOUT);
  CHECK(test::tell(talk.b, "still here"));
  CHECK(test::hear(talk.a, "still here"));
  line.b.close();
  CHECK_STATUS(kith_channel_send_object(line.a, talk.b, nullptr, 0, test::generous), KITH_E_CLOSED);
  CHECK(test::tell(talk.b, "and here"));
  CHECK(test::hear(talk.a, "and here"));
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "an end with an object in its way cannot move until the object was received") {
  test::channel_pair line = test::make_channel();
  test::channel_pair talk = test::make_channel();
  test::value sent = test::make_value(KITH_I64);
  CHECK_OK(kith_channel_send_object(talk.a, sent, nullptr, 0, 0));
  CHECK_STATUS(kith_channel_send_object(line.a, talk.b, nullptr, 0, 0), KITH_E_BUSY);
  received_object came;
  REQUIRE_OK(came.receive(talk.b));
  CHECK_OK(kith_channel_send_object(line.a, talk.b, nullptr, 0, 0));
  CHECK_STATUS(kith_channel_send_object(line.a, talk.b, nullptr, 0, 0), KITH_E_MOVED);
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "objects that nobody received are closed with the end that they were sent to") {
  test::channel_pair line = test::make_channel();
  test::channel_pair talk = test::make_channel();
  test::memory memory;
  REQUIRE_OK(kith_memory_create(100, nullptr, memory.out()));
  CHECK(test::tell(line.a, "a message before"));
  CHECK_OK(kith_channel_send_object(line.a, talk.b, "end", 3, 0));
  CHECK_OK(kith_channel_send_object(line.a, memory, nullptr, 0, 0));
  line.a.close();
  line.b.close();
  CHECK(test::hear(talk.a, "(KITH_E_CLOSED)"));  // in good order, as it was not used
}

TEST_CASE_FIXTURE(nothing_leaks, "more objects than a socket holds wait for the receiver") {
  test::channel_pair line = test::make_channel(1 << 20);
  test::value sent = test::make_value(KITH_I64);
  constexpr int many = 3000;
  int received = 0;
  std::thread receiver([&] {
    for (; received < many; ++received) {
      received_object came;
      if (came.receive(line.b) != KITH_OK || came.kind != KITH_OBJECT_VALUE) break;
    }
  });
  for (int i = 0; i < many; ++i) {
    if (const kith_status status = kith_channel_send_object(line.a, sent, "x", 1, test::generous);
        status != KITH_OK) {
      CHECK_OK(status);
      line.a.close();
      break;
    }
  }
  receiver.join();
  CHECK(received == many);
}

TEST_CASE_FIXTURE(nothing_leaks, "threads that send each other's ends are refused rather than stuck") {
  test::channel_pair one = test::make_channel();
  test::channel_pair two = test::make_channel();
  kith_channel* const carriers[] = {one.a, two.a};
  kith_status results[2] = {};
  test::in_threads(2, [&](int i) {
    results[i] = kith_channel_send_object(carriers[i], carriers[1 - i], nullptr, 0, test::generous);
  });
  for (kith_status status : results) {
    const bool expected = status == KITH_OK || status == KITH_E_BUSY || status == KITH_E_MOVED;
    CHECK_MESSAGE(expected, kith_status_name(status));
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "a receive of an object waits, and ends as every wait does") {
  test::channel_pair line = test::make_channel();
  void* object = nullptr;
  int32_t kind = 0;
  size_t size = 0;
  CHECK_STATUS(kith_channel_recv_object(line.b, &object, &kind, nullptr, 0, &size, 10), KITH_E_TIMEOUT);
  CHECK_STATUS(kith_channel_recv_object(line.b, nullptr, &kind, nullptr, 0, &size, 0), KITH_E_INVALID);
  CHECK_STATUS(kith_channel_recv_object(line.b, &object, nullptr, nullptr, 0, &size, 0), KITH_E_INVALID);
  CHECK_STATUS(kith_channel_recv_object(line.b, &object, &kind, nullptr, 1, &size, 0), KITH_E_INVALID);
  line.a.close();
  CHECK_STATUS(kith_channel_recv_object(line.b, &object, &kind, nullptr, 0, &size, test::generous),
               KITH_E_CLOSED);
}
