// SPDX-License-Identifier: MIT
#include <atomic>
#include <cstring>

#include "naming.h"

using test::create;
using test::either;
using test::generous;
using test::list_names;
using test::named_kinds;
using test::named_object;
using test::naming;
using test::nothing_leaks;
using test::only_one;
using test::open_status;
using test::unique_name;
using test::visit;
using test::visit_of;

namespace {

constexpr uint32_t open_only = KITH_NAME_OPEN;

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks, "an object of any kind is created, opened and gone with its last user") {
  const std::string name = unique_name("kinds");
  for (const int32_t kind : named_kinds) {
    CAPTURE(kind);
    int32_t created = -1;
    named_object first, second;
    CHECK_STATUS(first.open(kind, naming(name, open_only), &created), KITH_E_NOT_FOUND);
    CHECK(created == -1);
    REQUIRE_OK(first.open(kind, naming(name, create), &created));
    CHECK(created == 1);
    CHECK_STATUS(open_status(kind, name, create), KITH_E_EXISTS);
    REQUIRE_OK(second.open(kind, naming(name, open_only), &created));
    CHECK(created == 0);
    first.close();
    CHECK_OK(open_status(kind, name, either));
    second.close();
    CHECK_STATUS(open_status(kind, name, open_only), KITH_E_NOT_FOUND);
    REQUIRE_OK(first.open(kind, naming(name, either), &created));
    CHECK(created == 1);
  }
  CHECK(list_names(name).empty());
}

TEST_CASE_FIXTURE(nothing_leaks, "strangers meet at a named object") {
  const std::string name = unique_name("strangers");
  const kith_naming wanted = naming(name, either);
  test::value number;
  REQUIRE_OK(kith_value_open_named(&wanted, KITH_I64, nullptr, nullptr, number.out(), nullptr));
  static constexpr int32_t strangers = 4, turns = 200;
  const auto counts = [](const void* argument, size_t) -> int32_t {
    const std::string its_name = static_cast<const visit*>(argument)->name;
    const kith_naming same = naming(its_name, either);
    test::value mine;
    CHILD_NEEDS(kith_value_open_named(&same, KITH_I64, nullptr, nullptr, mine.out(), nullptr) == KITH_OK);
    for (int i = 0; i < turns; ++i) {
      kith_lock* const guard = kith_value_lock(mine);
      CHILD_NEEDS(kith_lock_acquire(guard, generous) == KITH_OK);
      int64_t* const at = static_cast<int64_t*>(kith_value_data(mine));
      *at += 1;
      CHILD_NEEDS(kith_lock_release(guard) == KITH_OK);
    }
    return 0;
  };
  const visit wish = visit_of(name, 0, 0);
  std::vector<test::process> all;
  for (int32_t i = 0; i < strangers; ++i) all.push_back(test::start_with(counts, {}, wish));
  for (test::process& each : all) CHECK_EXIT(each, KITH_EXIT_CODE, 0);
  CHECK(test::count_in(number) == strangers * turns);
}

TEST_CASE_FIXTURE(nothing_leaks, "who opens must want what is there, or whatever it is") {
  const std::string name = unique_name("sizes");
  kith_naming make = naming(name, create), look = naming(name, open_only), any = naming(name, either);
  {
    test::memory made, found;
    REQUIRE_OK(kith_memory_open_named(&make, 1000, nullptr, made.out(), nullptr));
    CHECK_STATUS(kith_memory_open_named(&look, 999, nullptr, found.out(), nullptr), KITH_E_MISMATCH);
    CHECK_STATUS(kith_memory_open_named(&any, 1001, nullptr, found.out(), nullptr), KITH_E_MISMATCH);
    REQUIRE_OK(kith_memory_open_named(&look, 0, nullptr, found.out(), nullptr));
    CHECK(kith_memory_size(found) == 1000);
  }
  {
    test::array made, found;
    auto of_structs = test::defaults<kith_array_options>();
    of_structs.element_size = 24;
    REQUIRE_OK(kith_array_open_named(&make, KITH_STRUCT, 10, &of_structs, made.out(), nullptr));
    CHECK_STATUS(kith_array_open_named(&look, KITH_I64, 30, nullptr, found.out(), nullptr), KITH_E_MISMATCH);
    CHECK_STATUS(kith_array_open_named(&look, KITH_STRUCT, 9, &of_structs, found.out(), nullptr),
                 KITH_E_MISMATCH);
    CHECK_OK(kith_array_open_named(&look, KITH_STRUCT, 0, &of_structs, found.out(), nullptr));
    of_structs.element_size = 12;
    CHECK_STATUS(kith_array_open_named(&look, KITH_STRUCT, 20, &of_structs, found.out(), nullptr),
                 KITH_E_MISMATCH);
    REQUIRE_OK(kith_array_open_named(&look, 0, 0, nullptr, found.out(), nullptr));
    CHECK(kith_array_count(found) == 10);
    CHECK(kith_array_element_size(found) == 24);
  }
  {
    test::value made, found;
    const int32_t begins_with = 5;
    REQUIRE_OK(kith_value_open_named(&make, KITH_I32, &begins_with, nullptr, made.out(), nullptr));
    CHECK_STATUS(kith_value_open_named(&look, KITH_U32, nullptr, nullptr, found.out(), nullptr),
                 KITH_E_MISMATCH);
    const int32_t ignored = 6;
    REQUIRE_OK(kith_value_open_named(&any, KITH_I32, &ignored, nullptr, found.out(), nullptr));
    CHECK(*static_cast<int32_t*>(kith_value_data(found)) == 5);
    CHECK_OK(kith_value_open_named(&look, 0, nullptr, nullptr, found.out(), nullptr));
  }
  CHECK(list_names(name).empty());
}

TEST_CASE_FIXTURE(nothing_leaks, "who opens must agree about counts and capacities") {
  const std::string name = unique_name("counts");
  kith_naming make = naming(name, create), look = naming(name, open_only), any = naming(name, either);
  {
    test::semaphore made, found;
    auto signals = test::defaults<kith_semaphore_options>();
    signals.flags = KITH_SEMAPHORE_SIGNAL;
    REQUIRE_OK(kith_semaphore_open_named(&make, 3, nullptr, made.out(), nullptr));
    CHECK_STATUS(kith_semaphore_open_named(&look, 2, nullptr, found.out(), nullptr), KITH_E_MISMATCH);
    CHECK_STATUS(kith_semaphore_open_named(&look, 0, &signals, found.out(), nullptr), KITH_E_MISMATCH);
    REQUIRE_OK(kith_semaphore_open_named(&look, 0, nullptr, found.out(), nullptr));
    CHECK(kith_semaphore_available(found) == 3);
  }
  {
    test::barrier made, found;
    REQUIRE_OK(kith_barrier_open_named(&make, 3, nullptr, made.out(), nullptr));
    CHECK_STATUS(kith_barrier_open_named(&look, 4, nullptr, found.out(), nullptr), KITH_E_MISMATCH);
    REQUIRE_OK(kith_barrier_open_named(&look, 0, nullptr, found.out(), nullptr));
    CHECK(kith_barrier_parties(found) == 3);
  }
  {
    test::queue made, found;
    auto wanted = test::defaults<kith_queue_options>();
    wanted.capacity = 8192;
    REQUIRE_OK(kith_queue_open_named(&make, &wanted, made.out(), nullptr));
    CHECK_OK(kith_queue_open_named(&any, nullptr, found.out(), nullptr));
    CHECK_OK(kith_queue_open_named(&any, &wanted, found.out(), nullptr));
    wanted.capacity = 4096;
    CHECK_STATUS(kith_queue_open_named(&any, &wanted, found.out(), nullptr), KITH_E_MISMATCH);
    wanted.capacity = 0;
    CHECK_OK(kith_queue_open_named(&any, &wanted, found.out(), nullptr));
    wanted.flags = KITH_QUEUE_TASKS;
    CHECK_STATUS(kith_queue_open_named(&any, &wanted, found.out(), nullptr), KITH_E_MISMATCH);
  }
  {
    test::broadcast made, found;
    auto wanted = test::defaults<kith_broadcast_options>();
    wanted.flags = KITH_BROADCAST_HOLD;
    wanted.ring_size = 8192;
    wanted.most_readers = 3;
    REQUIRE_OK(kith_broadcast_open_named(&make, &wanted, made.out(), nullptr));
    CHECK_OK(kith_broadcast_open_named(&any, nullptr, found.out(), nullptr));
    CHECK_OK(kith_broadcast_open_named(&any, &wanted, found.out(), nullptr));
    wanted.most_readers = 4;
    CHECK_STATUS(kith_broadcast_open_named(&any, &wanted, found.out(), nullptr), KITH_E_MISMATCH);
    wanted.most_readers = 0;
    wanted.ring_size = 4096;
    CHECK_STATUS(kith_broadcast_open_named(&any, &wanted, found.out(), nullptr), KITH_E_MISMATCH);
    wanted = test::defaults<kith_broadcast_options>();
    CHECK_STATUS(kith_broadcast_open_named(&any, &wanted, found.out(), nullptr), KITH_E_MISMATCH);
  }
  CHECK(list_names(name).empty());
}

TEST_CASE_FIXTURE(nothing_leaks, "names of any length, and of any text") {
  std::vector<std::string> all{unique_name("a"), unique_name("b") + "/..\\: *?\"<>|%\n",
                               unique_name("\xE2\x82\xAC \xF0\x9F\x90\x99 \xD0\x9F")};
  for (const size_t size : {size_t{100}, size_t{255}, size_t{1000}, size_t{4095}, size_t{4096}}) {
    std::string name = unique_name("long");
    name.resize(size, 'n');
    all.push_back(name);
    name.back() = 'o';  // differs from the other in its last byte
    all.push_back(name);
  }
  std::vector<named_object> objects(all.size());
  for (size_t i = 0; i < all.size(); ++i) {
    int32_t created = 0;
    REQUIRE_OK(objects[i].open(KITH_OBJECT_LOCK, naming(all[i], either), &created));
    CHECK(created == 1);
  }
  for (size_t i = 0; i < all.size(); ++i) {
    CHECK_STATUS(open_status(KITH_OBJECT_LOCK, all[i], create), KITH_E_EXISTS);
    CHECK(only_one(all[i]).name == all[i]);
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "bad input is refused and makes nothing") {
  const std::string name = unique_name("bad");
  kith_memory* out = test::untouched<kith_memory>();
  int32_t created = -1;
  const auto attempt = [&](const kith_naming* wanted, size_t size = 64,
                           const kith_memory_options* options = nullptr) {
    const kith_status status = kith_memory_open_named(wanted, size, options, &out, &created);
    CHECK(out == test::untouched<kith_memory>());
    CHECK(created == -1);
    return status;
  };
  CHECK_STATUS(attempt(nullptr), KITH_E_INVALID);
  for (const uint32_t flags : {uint32_t{0}, uint32_t{KITH_NAME_PERSISTENT}, open_only | KITH_NAME_PERSISTENT,
                               open_only | KITH_NAME_OTHERS_READ, open_only | KITH_NAME_OTHERS_USE}) {
    const kith_naming wanted = naming(name, flags);
    CHECK_STATUS(attempt(&wanted), KITH_E_INVALID);
  }
  kith_naming wanted = naming(name, create | 0x8000);
  CHECK_STATUS(attempt(&wanted), KITH_E_UNSUPPORTED);
  wanted = naming(name, create);
  CHECK_STATUS(attempt(&wanted, 0), KITH_E_INVALID);
  CHECK_STATUS(attempt(&wanted, SIZE_MAX), KITH_E_TOO_LARGE);
  CHECK_STATUS(kith_memory_open_named(&wanted, 64, nullptr, nullptr, nullptr), KITH_E_INVALID);
  auto options = test::defaults<kith_memory_options>();
  options.flags = KITH_MEMORY_READ_ONLY_SHARE;
  CHECK_STATUS(attempt(&wanted, 64, &options), KITH_E_UNSUPPORTED);
  options.flags = KITH_MEMORY_COMMIT | KITH_MEMORY_LAZY;
  CHECK_STATUS(attempt(&wanted, 64, &options), KITH_E_INVALID);
  wanted.struct_size -= 1;
  CHECK_STATUS(attempt(&wanted), KITH_E_INVALID);
  const std::string too_long(4097, 'x');
  for (const char* bad : {static_cast<const char*>(nullptr), "", too_long.c_str()}) {
    wanted = naming(name, either);
    wanted.name = bad;
    CHECK_STATUS(attempt(&wanted), KITH_E_INVALID);
    CHECK_STATUS(kith_name_remove(KITH_OBJECT_MEMORY, bad), KITH_E_INVALID);
  }
  for (const char* bad : {"", "nobody at all", "-1", "*"}) {
    wanted = naming(name, open_only);
    wanted.user = bad;
    CHECK_STATUS(attempt(&wanted), KITH_E_INVALID);
  }
  named_object other;
  const kith_naming read_only = naming(name, create | KITH_NAME_OTHERS_READ);
  CHECK_STATUS(other.open(KITH_OBJECT_LOCK, read_only), KITH_E_INVALID);  // a lock that cannot be acquired
  for (const int32_t kind :
       {int32_t{KITH_OBJECT_NONE}, int32_t{KITH_OBJECT_PROCESS}, int32_t{KITH_OBJECT_ENDPOINT}, 99, -1})
    CHECK_STATUS(kith_name_remove(kind, name.c_str()), KITH_E_INVALID);
  CHECK_STATUS(kith_name_remove(KITH_OBJECT_MEMORY, name.c_str()), KITH_E_NOT_FOUND);
  CHECK(list_names(name).empty());
}

TEST_CASE_FIXTURE(nothing_leaks, "bad arguments of each kind are refused") {
  const std::string name = unique_name("bad kinds");
  const kith_naming make = naming(name, create), look = naming(name, open_only);
  test::array array;
  test::value value;
  test::semaphore semaphore;
  test::barrier barrier;
  CHECK_STATUS(kith_array_open_named(&make, KITH_I64, 0, nullptr, array.out(), nullptr), KITH_E_INVALID);
  CHECK_STATUS(kith_array_open_named(&make, 0, 4, nullptr, array.out(), nullptr), KITH_E_INVALID);
  CHECK_STATUS(kith_array_open_named(&look, 0, 4, nullptr, array.out(), nullptr), KITH_E_INVALID);
  CHECK_STATUS(kith_array_open_named(&make, KITH_STRUCT, 4, nullptr, array.out(), nullptr), KITH_E_INVALID);
  CHECK_STATUS(kith_array_open_named(&make, KITH_I64, SIZE_MAX / 4, nullptr, array.out(), nullptr),
               KITH_E_TOO_LARGE);
  CHECK_STATUS(kith_value_open_named(&make, 0, nullptr, nullptr, value.out(), nullptr), KITH_E_INVALID);
  CHECK_STATUS(kith_value_open_named(&make, 99, nullptr, nullptr, value.out(), nullptr), KITH_E_INVALID);
  CHECK_STATUS(kith_semaphore_open_named(&make, 0, nullptr, semaphore.out(), nullptr), KITH_E_INVALID);
  CHECK_STATUS(kith_semaphore_open_named(&look, 4097, nullptr, semaphore.out(), nullptr), KITH_E_INVALID);
  CHECK_STATUS(kith_barrier_open_named(&make, 0, nullptr, barrier.out(), nullptr), KITH_E_INVALID);
  CHECK_STATUS(kith_barrier_open_named(&look, 5000, nullptr, barrier.out(), nullptr), KITH_E_INVALID);
  auto queue_options = test::defaults<kith_queue_options>();
  queue_options.capacity = 5000;
  test::queue queue;
  CHECK_STATUS(kith_queue_open_named(&make, &queue_options, queue.out(), nullptr), KITH_E_INVALID);
  auto broadcast_options = test::defaults<kith_broadcast_options>();
  broadcast_options.ring_size = 5000;
  test::broadcast broadcast;
  CHECK_STATUS(kith_broadcast_open_named(&make, &broadcast_options, broadcast.out(), nullptr),
               KITH_E_INVALID);
  CHECK_STATUS(kith_lock_open_named(&make, nullptr, nullptr, nullptr), KITH_E_INVALID);
  CHECK_STATUS(kith_condition_open_named(&make, nullptr, nullptr, nullptr), KITH_E_INVALID);
  CHECK_STATUS(kith_event_open_named(&make, nullptr, nullptr, nullptr), KITH_E_INVALID);
  CHECK_STATUS(kith_queue_open_named(&make, nullptr, nullptr, nullptr), KITH_E_INVALID);
  CHECK_STATUS(kith_broadcast_open_named(&make, nullptr, nullptr, nullptr), KITH_E_INVALID);
  CHECK(list_names(name).empty());
}

TEST_CASE_FIXTURE(nothing_leaks, "one of many threads creates, and all use the same") {
  const std::string name = unique_name("threads");
  for (int round = 0; round < test::repetitions(50); ++round) {
    std::atomic<int> creators{0};
    test::in_threads(6, [&](int) {
      const kith_naming wanted = naming(name, either);
      int32_t created = 0;
      test::value mine;
      CHECK_OK(kith_value_open_named(&wanted, KITH_I64, nullptr, nullptr, mine.out(), &created));
      creators += created;
      CHECK_OK(kith_value_add(mine, 1, nullptr));
      // Until all have been here, it stays.
      CHECK(test::reaches(mine, 6));
    });
    CHECK(creators == 1);
  }
  CHECK(list_names(name).empty());
}
