// SPDX-License-Identifier: MIT
// Handles that are closed, closed twice, closed while others wait, or of another kind than was expected.
#include <atomic>

#include "support.h"

using test::nothing_leaks;

namespace {

// One open object of each kind; its handles stay known when it is closed.
struct all_kinds {
  kith_memory* memory = nullptr;
  kith_array* array = nullptr;
  kith_value* value = nullptr;
  kith_lock* lock = nullptr;
  kith_channel* a = nullptr;
  kith_channel* b = nullptr;
  kith_process* process = nullptr;

  all_kinds() {
    REQUIRE_OK(kith_memory_create(10, nullptr, &memory));
    REQUIRE_OK(kith_array_create(KITH_I32, 10, nullptr, &array));
    REQUIRE_OK(kith_value_create(KITH_I32, nullptr, nullptr, &value));
    REQUIRE_OK(kith_lock_create(nullptr, &lock));
    REQUIRE_OK(kith_channel_create(nullptr, &a, &b));
    const test::argument_list program = test::role({"exit", "0"});
    auto options = test::defaults<kith_process_options>();
    options.argv = program.argv();
    REQUIRE_OK(kith_process_spawn(&options, &process));
    test::end_of(process);
  }

  ~all_kinds() { close(); }

  void close() {
    kith_memory_close(memory);
    kith_array_close(array);
    kith_value_close(value);
    kith_lock_close(lock);
    kith_channel_close(a);
    kith_channel_close(b);
    kith_process_close(process);
  }
};

// What each function answers to a handle. The channel's functions must not wait.
void check_memory(void* handle) {
  CHECK(kith_memory_data(static_cast<kith_memory*>(handle)) == nullptr);
  CHECK(kith_memory_size(static_cast<kith_memory*>(handle)) == 0);
}

void check_array(void* handle, kith_status expected) {
  auto* array = static_cast<kith_array*>(handle);
  int64_t number = -77;
  CHECK(kith_array_data(array) == nullptr);
  CHECK(kith_array_count(array) == 0);
  CHECK(kith_array_type(array) == 0);
  CHECK(kith_array_element_size(array) == 0);
  CHECK(kith_array_lock(array) == nullptr);
  CHECK_STATUS(kith_array_add(array, 0, 1, &number), expected);
  CHECK_STATUS(kith_array_exchange(array, 0, 1, &number), expected);
  CHECK_STATUS(kith_array_compare_exchange(array, 0, &number, 1), expected);
  CHECK(number == -77);
}

void check_value(void* handle, kith_status expected) {
  auto* value = static_cast<kith_value*>(handle);
  int32_t content = -77;
  int64_t number = -77;
  CHECK(kith_value_data(value) == nullptr);
  CHECK(kith_value_type(value) == 0);
  CHECK(kith_value_size(value) == 0);
  CHECK(kith_value_lock(value) == nullptr);
  CHECK_STATUS(kith_value_load(value, &content, 4), expected);
  CHECK_STATUS(kith_value_store(value, &content, 4), expected);
  CHECK_STATUS(kith_value_add(value, 1, &number), expected);
  CHECK_STATUS(kith_value_exchange(value, 1, &number), expected);
  CHECK_STATUS(kith_value_compare_exchange(value, &number, 1), expected);
  CHECK(content == -77);
  CHECK(number == -77);
}

void check_lock(void* handle, kith_status expected) {
  auto* lock = static_cast<kith_lock*>(handle);
  CHECK_STATUS(kith_lock_acquire(lock, 0), expected);
  CHECK_STATUS(kith_lock_release(lock), expected);
  CHECK_STATUS(kith_lock_mark_consistent(lock), expected);
}

void check_channel(void* handle, kith_status expected) {
  auto* channel = static_cast<kith_channel*>(handle);
  char buffer[8];
  size_t size = 77;
  CHECK_STATUS(kith_channel_send(channel, "x", 1, 0), expected);
  CHECK_STATUS(kith_channel_recv(channel, buffer, sizeof buffer, &size, 0), expected);
  CHECK(size == 77);
}

void check_process(void* handle, kith_status expected) {
  auto* process = static_cast<kith_process*>(handle);
  kith_exit end{-77, 0, -77};
  CHECK_STATUS(kith_process_wait(process, 0, &end), expected);
  CHECK_STATUS(kith_process_terminate(process), expected);
  CHECK_STATUS(kith_process_kill(process), expected);
  CHECK(kith_process_id(process) == -1);
  CHECK(end.kind == -77);
}

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks, "a closed handle is told to be closed") {
  all_kinds objects;
  objects.close();
  check_memory(objects.memory);
  check_array(objects.array, KITH_E_INVALID);
  check_value(objects.value, KITH_E_INVALID);
  check_lock(objects.lock, KITH_E_INVALID);
  check_channel(objects.a, KITH_E_INVALID);
  check_channel(objects.b, KITH_E_INVALID);
  check_process(objects.process, KITH_E_INVALID);
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "a closed handle stays closed when new objects are made, and closing it again harms none") {
  all_kinds closed;
  closed.close();
  all_kinds others;
  closed.close();
  check_memory(closed.memory);
  check_array(closed.array, KITH_E_INVALID);
  check_value(closed.value, KITH_E_INVALID);
  check_lock(closed.lock, KITH_E_INVALID);
  check_channel(closed.a, KITH_E_INVALID);
  check_process(closed.process, KITH_E_INVALID);
  CHECK(kith_memory_size(others.memory) == 10);
  CHECK(kith_array_count(others.array) == 10);
  CHECK(kith_value_size(others.value) == 4);
  CHECK_OK(kith_lock_acquire(others.lock, 0));
  CHECK_OK(kith_lock_release(others.lock));
  CHECK(test::tell(others.a, "x"));
  CHECK(kith_process_id(others.process) > 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "a closed handle is not taken for one of the many that were made since") {
  std::vector<kith_lock*> closed;
  for (int i = 0; i < 300; ++i) {
    const test::lock made = test::make_lock();
    closed.push_back(made);
  }
  std::vector<test::lock> open;
  for (int i = 0; i < 300; ++i) open.push_back(test::make_lock());
  for (kith_lock* handle : closed) {
    CHECK_STATUS(kith_lock_acquire(handle, 0), KITH_E_INVALID);
    kith_lock_close(handle);
  }
  for (const test::lock& lock : open) {
    CHECK_OK(kith_lock_acquire(lock, 0));
    CHECK_OK(kith_lock_release(lock));
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "a handle of another kind is told to be of another kind") {
  all_kinds objects;
  for (void* handle : {static_cast<void*>(objects.memory), static_cast<void*>(objects.array),
                       static_cast<void*>(objects.value), static_cast<void*>(objects.lock),
                       static_cast<void*>(objects.a), static_cast<void*>(objects.process)}) {
    if (handle != objects.memory) check_memory(handle);
    if (handle != objects.array) check_array(handle, KITH_E_MISMATCH);
    if (handle != objects.value) check_value(handle, KITH_E_MISMATCH);
    if (handle != objects.lock) check_lock(handle, KITH_E_MISMATCH);
    if (handle != objects.a) check_channel(handle, KITH_E_MISMATCH);
    if (handle != objects.process) check_process(handle, KITH_E_MISMATCH);
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "a close by another kind closes nothing") {
  all_kinds objects;
  kith_memory_close(reinterpret_cast<kith_memory*>(objects.array));
  kith_array_close(reinterpret_cast<kith_array*>(objects.memory));
  kith_lock_close(reinterpret_cast<kith_lock*>(objects.a));
  kith_process_close(reinterpret_cast<kith_process*>(objects.lock));
  CHECK(kith_array_count(objects.array) == 10);
  CHECK(kith_memory_size(objects.memory) == 10);
  CHECK(test::tell(objects.a, "x"));
  CHECK_OK(kith_lock_acquire(objects.lock, 0));
  CHECK_OK(kith_lock_release(objects.lock));
}

TEST_CASE_FIXTURE(nothing_leaks, "the lock of an array that was closed is closed with it") {
  test::array array = test::make_array(KITH_I32, 1);
  test::value value = test::make_value(KITH_I32);
  kith_lock* lock_of_array = kith_array_lock(array);
  kith_lock* lock_of_value = kith_value_lock(value);
  array.close();
  value.close();
  CHECK_STATUS(kith_lock_acquire(lock_of_array, 0), KITH_E_INVALID);
  CHECK_STATUS(kith_lock_acquire(lock_of_value, 0), KITH_E_INVALID);
}

TEST_CASE_FIXTURE(nothing_leaks, "a thread that waits for a lock comes back when another closes the handle") {
  test::lock guard = test::make_lock();
  REQUIRE_OK(kith_lock_acquire(guard, 0));
  std::atomic<int> began = 0;
  kith_status seen[2] = {};
  std::thread waiters([&] {
    test::in_threads(2, [&](int i) {
      kith_lock* const handle = guard;
      ++began;
      seen[i] = kith_lock_acquire(handle, KITH_FOREVER);
    });
  });
  while (began < 2) std::this_thread::yield();
  // That a waiter counts itself does not mean that it sleeps; another tries for long enough that it does.
  test::in_threads(1, [&](int) { CHECK_STATUS(kith_lock_acquire(guard, 50), KITH_E_TIMEOUT); });
  guard.close();
  waiters.join();
  CHECK_STATUS(seen[0], KITH_E_CLOSED);
  CHECK_STATUS(seen[1], KITH_E_CLOSED);
}

TEST_CASE_FIXTURE(nothing_leaks, "a thread that receives comes back when another closes the handle") {
  test::channel_pair line = test::make_channel();
  std::atomic<bool> began = false;
  kith_status status = KITH_OK;
  std::thread receiver([&] {
    char buffer[8];
    size_t size = 0;
    kith_channel* const handle = line.a;
    began = true;
    status = kith_channel_recv(handle, buffer, sizeof buffer, &size, KITH_FOREVER);
  });
  while (!began) std::this_thread::yield();
  char buffer[8];
  size_t size = 0;
  CHECK_STATUS(kith_channel_recv(line.b, buffer, sizeof buffer, &size, 50), KITH_E_TIMEOUT);
  line.a.close();
  receiver.join();
  CHECK_STATUS(status, KITH_E_CLOSED);
  CHECK_STATUS(kith_channel_recv(line.b, buffer, sizeof buffer, &size, test::generous), KITH_E_CLOSED);
}

TEST_CASE_FIXTURE(nothing_leaks, "a thread that sends comes back when another closes the handle") {
  test::channel_pair line = test::make_channel(4096);
  std::atomic<bool> began = false;
  kith_status status = KITH_OK;
  const std::vector<unsigned char> large = test::noise(100'000, 1);
  std::thread sender([&] {
    kith_channel* const handle = line.a;
    began = true;
    status = kith_channel_send(handle, large.data(), large.size(), KITH_FOREVER);
  });
  while (!began) std::this_thread::yield();
  test::channel_pair silent = test::make_channel();
  char buffer[8];
  size_t size = 0;
  CHECK_STATUS(kith_channel_recv(silent.b, buffer, sizeof buffer, &size, 50), KITH_E_TIMEOUT);
  line.a.close();
  sender.join();
  CHECK_STATUS(status, KITH_E_CLOSED);
  // Half a message is none.
  CHECK_STATUS(kith_channel_recv(line.b, buffer, sizeof buffer, &size, test::generous), KITH_E_CLOSED);
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "a thread that waits for a process comes back when another closes the handle") {
  test::channel_pair line = test::make_channel();
  test::process child = test::start_role({"stay"}, {{"line", line.b}});
  CHECK(test::hear(line.a, "ready"));
  const int64_t id = kith_process_id(child);
  std::atomic<bool> began = false;
  kith_status status = KITH_OK;
  kith_exit end{-77, 0, 0};
  std::thread waiter([&] {
    kith_process* const handle = child;
    began = true;
    status = kith_process_wait(handle, KITH_FOREVER, &end);
  });
  while (!began) std::this_thread::yield();
  kith_exit other{};
  CHECK_STATUS(kith_process_wait(child, 50, &other), KITH_E_TIMEOUT);
  child.close();
  waiter.join();
  CHECK_STATUS(status, KITH_E_CLOSED);
  CHECK(end.kind == -77);
  line.a.close();
  for (const uint64_t last = test::now_ms() + test::generous;
       !test::has_ended(id) && test::now_ms() < last;) {
    std::this_thread::yield();
  }
  CHECK(test::has_ended(id));
}

TEST_CASE_FIXTURE(nothing_leaks, "eight threads that close one handle close it once") {
  for (int round = 0; round < (test::is_windows ? 10 : 50); ++round) {
    all_kinds objects;
    test::in_threads(8, [&](int) { objects.close(); });
  }
}
