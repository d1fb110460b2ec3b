// SPDX-License-Identifier: MIT
// A segment that is not what it should be is refused, never believed.
#include <cstring>

#include "../support.h"
#include "shm/segment.h"

using namespace kith;
using shm::segment_kind;

namespace {

struct array_segment {
  shm::segment made;

  array_segment() {
    shm::segment_plan plan{segment_kind::array};
    plan.type = KITH_I32;
    plan.element_size = 4;
    plan.data_size = 400;
    REQUIRE_OK(shm::segment_create(plan, made));
  }
  ~array_segment() { shm::segment_close(made); }

  shm::segment_header& header() { return *reinterpret_cast<shm::segment_header*>(made.memory.base); }

  kith_status attach(segment_kind kind = segment_kind::array) {
    platform::native_handle copy;
    REQUIRE_OK(platform::handle_duplicate(platform::memory_handle(made.memory), copy));
    shm::segment other;
    const kith_status status = shm::segment_attach(std::move(copy), kind, other);
    if (status == KITH_OK) {
      CHECK(other.data_size == 400);
      CHECK(other.type == KITH_I32);
      CHECK(std::memcmp(other.data, made.data, 400) == 0);
      shm::segment_close(other);
    }
    return status;
  }
};

}  // namespace

TEST_CASE_FIXTURE(test::nothing_leaks, "a segment is attached as what it is") {
  array_segment segment;
  segment.made.data[399] = 7;
  CHECK_OK(segment.attach());
  CHECK_STATUS(segment.attach(segment_kind::value), KITH_E_MISMATCH);
  CHECK_STATUS(segment.attach(segment_kind::channel), KITH_E_MISMATCH);
  CHECK_OK(segment.attach());
}

TEST_CASE_FIXTURE(test::nothing_leaks, "a header with a wrong field is refused") {
  array_segment segment;
  shm::segment_header& header = segment.header();
  const shm::segment_header good = header;
  const auto refused_with = [&](auto change) {
    change(header);
    const kith_status status = segment.attach();
    header = good;
    return status;
  };
  using h = shm::segment_header;
  CHECK_STATUS(refused_with([](h& it) { it.magic = 0; }), KITH_E_MISMATCH);
  CHECK_STATUS(refused_with([](h& it) { it.byte_order = 0x0403'0201; }), KITH_E_MISMATCH);
  CHECK_STATUS(refused_with([](h& it) { ++it.layout_version; }), KITH_E_MISMATCH);
  CHECK_STATUS(refused_with([](h& it) { it.state_size = 0; }), KITH_E_MISMATCH);
  CHECK_STATUS(refused_with([](h& it) { it.state_size = UINT32_MAX; }), KITH_E_MISMATCH);
  CHECK_STATUS(refused_with([](h& it) { it.slot_count = UINT32_MAX; }), KITH_E_MISMATCH);
  CHECK_STATUS(refused_with([](h& it) { it.data_size = UINT64_MAX; }), KITH_E_MISMATCH);
  CHECK_STATUS(refused_with([](h& it) { it.data_size = uint64_t{1} << 40; }), KITH_E_MISMATCH);
  CHECK_OK(segment.attach());
}

TEST_CASE_FIXTURE(test::nothing_leaks, "a header of random bytes is refused, and crashes nobody") {
  array_segment segment;
  const shm::segment_header good = segment.header();
  uint64_t state = 11;
  for (int round = 0; round < 1000; ++round) {
    auto* bytes = reinterpret_cast<unsigned char*>(&segment.header());
    const size_t at = test::next_random(state) % (sizeof good - 8);
    const uint64_t random = test::next_random(state);
    std::memcpy(bytes + at, &random, static_cast<size_t>(1 + round % 8));
    shm::segment other;
    platform::native_handle copy;
    REQUIRE_OK(platform::handle_duplicate(platform::memory_handle(segment.made.memory), copy));
    const kith_status status = shm::segment_attach(std::move(copy), segment_kind::array, other);
    if (status == KITH_OK) {
      // What it believes is inside the mapping.
      volatile unsigned char last = other.data[other.data_size - 1];
      (void)last;
      shm::segment_close(other);
    } else {
      // Unsupported: it seems to come from another pid namespace.
      CHECK((status == KITH_E_MISMATCH || status == KITH_E_UNSUPPORTED));
    }
    segment.header() = good;
  }
}

TEST_CASE_FIXTURE(test::nothing_leaks, "memory that is no segment is refused") {
  for (const size_t size : {size_t{1}, size_t{100}, size_t{100'000}}) {
    platform::memory memory;
    REQUIRE_OK(platform::memory_create(size, true, false, memory));
    platform::native_handle copy;
    REQUIRE_OK(platform::handle_duplicate(platform::memory_handle(memory), copy));
    shm::segment other;
    CHECK_STATUS(shm::segment_attach(std::move(copy), segment_kind::memory, other), KITH_E_MISMATCH);
    platform::memory_close(memory);
  }
}
