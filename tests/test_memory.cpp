// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cstring>

#include "support.h"

using test::nothing_leaks;

namespace {

bool all_zero(const void* data, size_t size) {
  const auto* bytes = static_cast<const unsigned char*>(data);
  return std::all_of(bytes, bytes + size, [](unsigned char byte) { return byte == 0; });
}

unsigned char* bytes_of(const kith_memory* memory) {
  return static_cast<unsigned char*>(kith_memory_data(memory));
}

// Finds what the parent wrote, and answers in the same place.
int32_t answer_in_memory(const void*, size_t) {
  test::memory memory;
  CHILD_NEEDS(kith_memory_inherit("page", memory.out()) == KITH_OK);
  CHILD_NEEDS(kith_memory_size(memory) == 100);
  CHILD_NEEDS(reinterpret_cast<uintptr_t>(bytes_of(memory)) % 64 == 0);
  CHILD_NEEDS(std::memcmp(bytes_of(memory), "question", 9) == 0);
  CHILD_NEEDS(bytes_of(memory)[99] == 0x99);
  std::memcpy(bytes_of(memory), "answer", 7);
  return 0;
}

int32_t read_only_child(const void*, size_t) {
  test::memory memory;
  test::channel line;
  CHILD_NEEDS(kith_memory_inherit("page", memory.out()) == KITH_OK);
  CHILD_NEEDS(kith_channel_inherit("line", line.out()) == KITH_OK);
  CHILD_NEEDS(std::memcmp(bytes_of(memory), "first", 6) == 0);
  CHILD_NEEDS(test::tell(line, "read"));
  CHILD_NEEDS(test::hear(line, "changed"));
  CHILD_NEEDS(std::memcmp(bytes_of(memory), "second", 7) == 0);
  CHILD_NEEDS(!test::make_writable(bytes_of(memory), kith_memory_size(memory)));
  CHILD_NEEDS(test::tell(line, "cannot write"));
  bytes_of(memory)[0] = 1;  // ends us
  return 0;
}

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks, "memory is zeroed, aligned and of the size that was asked for") {
  for (const size_t size : {size_t{1}, size_t{63}, size_t{64}, size_t{4095}, size_t{4096}, size_t{4097},
                            size_t{1'000'003}, size_t{20} << 20}) {
    CAPTURE(size);
    test::memory memory;
    REQUIRE_OK(kith_memory_create(size, nullptr, memory.out()));
    CHECK(kith_memory_size(memory) == size);
    REQUIRE(kith_memory_data(memory) != nullptr);
    CHECK(reinterpret_cast<uintptr_t>(kith_memory_data(memory)) % 64 == 0);
    CHECK(all_zero(kith_memory_data(memory), size));
    std::memset(kith_memory_data(memory), 0xFF, size);
  }
}

TEST_CASE_FIXTURE(nothing_leaks, "memory can be committed, or lazy, but not both") {
  auto options = test::defaults<kith_memory_options>();
  test::memory memory;
  options.flags = KITH_MEMORY_COMMIT;
  CHECK_OK(kith_memory_create(1 << 20, &options, memory.out()));
  options.flags = KITH_MEMORY_LAZY;
  CHECK_OK(kith_memory_create(1 << 20, &options, memory.out()));
  bytes_of(memory)[(1 << 20) - 1] = 1;

  options.flags = KITH_MEMORY_COMMIT | KITH_MEMORY_LAZY;
  kith_memory* out = test::untouched<kith_memory>();
  CHECK_STATUS(kith_memory_create(1 << 20, &options, &out), KITH_E_INVALID);
  CHECK(out == test::untouched<kith_memory>());
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "memory of no size, of an impossible size, or without a place for it is refused") {
  kith_memory* out = test::untouched<kith_memory>();
  CHECK_STATUS(kith_memory_create(0, nullptr, &out), KITH_E_INVALID);
  CHECK_STATUS(kith_memory_create(64, nullptr, nullptr), KITH_E_INVALID);
  CHECK_STATUS(kith_memory_create(SIZE_MAX, nullptr, &out), KITH_E_TOO_LARGE);
  CHECK_STATUS(kith_memory_create(SIZE_MAX - 4096, nullptr, &out), KITH_E_TOO_LARGE);
  CHECK(out == test::untouched<kith_memory>());
}

TEST_CASE_FIXTURE(nothing_leaks, "more memory than any machine has is refused") {
  kith_memory* out = test::untouched<kith_memory>();
  const kith_status status = kith_memory_create(SIZE_MAX / 4, nullptr, &out);
  CAPTURE(test::shown_status{status});
  CHECK((status == KITH_E_TOO_LARGE || status == KITH_E_NO_MEMORY));
  CHECK(out == test::untouched<kith_memory>());
}

TEST_CASE_FIXTURE(nothing_leaks,
                  "what a child writes into memory the parent reads, and the other way round") {
  test::memory memory;
  REQUIRE_OK(kith_memory_create(100, nullptr, memory.out()));
  std::memcpy(bytes_of(memory), "question", 9);
  bytes_of(memory)[99] = 0x99;
  test::process child = test::start(answer_in_memory, {{"page", memory}});
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
  CHECK(std::memcmp(bytes_of(memory), "answer", 7) == 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "memory that is shared read-only is written by its creator alone") {
  // Where the OS cannot enforce it against every trick (kith_has), the mapping of the child is read-only all the same.
  auto options = test::defaults<kith_memory_options>();
  options.flags = KITH_MEMORY_READ_ONLY_SHARE;
  test::memory memory;
  REQUIRE_OK(kith_memory_create(5000, &options, memory.out()));
  std::memcpy(bytes_of(memory), "first", 6);
  test::channel_pair line = test::make_channel();
  test::process child = test::start(read_only_child, {{"page", memory}, {"line", line.b}});
  CHECK(test::hear(line.a, "read"));
  std::memcpy(bytes_of(memory), "second", 7);
  CHECK(test::tell(line.a, "changed"));
  CHECK(test::hear(line.a, "cannot write"));
  const test::shown_exit end = test::end_of(child);
  // A sanitizer turns the signal into an exit code of its own.
  CHECK(end != test::shown_exit{KITH_EXIT_CODE, 0});
  CHECK(end != test::shown_exit{KITH_EXIT_CODE, 99});
  CHECK(std::memcmp(bytes_of(memory), "second", 7) == 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "of no memory there is neither an address nor a size") {
  CHECK(kith_memory_data(nullptr) == nullptr);
  CHECK(kith_memory_size(nullptr) == 0);
  kith_memory_close(nullptr);
}
