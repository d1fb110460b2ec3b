// SPDX-License-Identifier: MIT
// Out of descriptors, out of memory. The limits are set in children: they cannot always be raised again.
#include "posix_support.h"

using test::nothing_leaks;

namespace {

int32_t nothing(const void*, size_t) { return 0; }

bool set_limit(int resource, rlim_t limit) {
  rlimit limits{};
  if (getrlimit(static_cast<decltype(RLIMIT_NOFILE)>(resource), &limits) != 0) return false;
  limits.rlim_cur = limit;
  return setrlimit(static_cast<decltype(RLIMIT_NOFILE)>(resource), &limits) == 0;
}

// The next descriptor gets this number, so a limit of this number leaves none.
rlim_t next_descriptor() {
  const int number = dup(0);
  close(number);
  return static_cast<rlim_t>(number);
}

struct attempt {
  const char* what;
  kith_status (*run)();
};

// What the child of an attempt is given, made before the limit is set.
struct gifts {
  test::array array = test::make_array(KITH_I32, 1);
  test::channel_pair line = test::make_channel();
};
gifts* given_away = nullptr;

kith_status spawn_with_shares() {
  gifts& objects = *given_away;
  const test::shares given = {{"array", objects.array}, {"line", objects.line.b}};
  const kith_process_options options = test::run_entry(nothing, given);
  test::process child;
  const kith_status status = kith_process_spawn(&options, child.out());
  if (status == KITH_OK) return test::end_of(child).code == 0 ? KITH_OK : KITH_E_OS;
  const bool moved = !test::tell(objects.line.b, "still here") || !test::hear(objects.line.a, "still here");
  return moved ? kith_status{KITH_E_PROTOCOL} : status;
}

kith_status spawn_program() {
  const test::argument_list program = test::role({"exit", "0"});
  auto options = test::defaults<kith_process_options>();
  options.argv = program.argv();
  test::process child;
  const kith_status status = kith_process_spawn(&options, child.out());
  return status == KITH_OK && test::end_of(child).code != 0 ? kith_status{KITH_E_OS} : status;
}

kith_status create_channel() {
  test::channel a;
  test::channel b;
  return kith_channel_create(nullptr, a.out(), b.out());
}

constexpr attempt attempts[] = {
    {"memory", [] { return kith_memory_create(100, nullptr, test::memory().out()); }},
    {"array", [] { return kith_array_create(KITH_I32, 10, nullptr, test::array().out()); }},
    {"value", [] { return kith_value_create(KITH_I32, nullptr, nullptr, test::value().out()); }},
    {"lock", [] { return kith_lock_create(nullptr, test::lock().out()); }},
    {"channel", create_channel},
    {"program", spawn_program},
    {"function", spawn_with_shares},
};

constexpr rlim_t enough = 30;

// Runs an attempt with no descriptor free, then with one, and so on until it succeeds. Up to there it fails cleanly.
int32_t run_out_of_descriptors_for(const attempt& each) {
  rlimit before{};
  CHILD_NEEDS(getrlimit(RLIMIT_NOFILE, &before) == 0);
  kith_status status = KITH_E_LIMIT;
  for (rlim_t free = 0; status == KITH_E_LIMIT && free <= enough; ++free) {
    const size_t open = test::open_handles();
    CHILD_NEEDS(set_limit(RLIMIT_NOFILE, next_descriptor() + free));
    status = each.run();
    CHILD_NEEDS(set_limit(RLIMIT_NOFILE, before.rlim_cur));
    // A bare program is started without a descriptor where processes are watched by their id.
    const bool needs_one = each.run != spawn_program || kith_has(KITH_HAS_PROCESS_HANDLE) == 1;
    if (free == 0 && needs_one) CHILD_NEEDS(status == KITH_E_LIMIT);
    if (status == KITH_E_LIMIT) CHILD_NEEDS(test::open_handles() == open);
    CHILD_NEEDS(!test::has_children());
  }
  if (status != KITH_OK) std::fprintf(stderr, "%s: %s\n", each.what, kith_status_name(status));
  CHILD_NEEDS(status == KITH_OK);
  return 0;
}

int32_t run_out_of_descriptors(const void*, size_t) {
  gifts objects;
  given_away = &objects;
  for (const attempt& each : attempts) CHILD_NEEDS(run_out_of_descriptors_for(each) == 0);
  return 0;
}

int32_t run_out_of_address_space(const void*, size_t) {
  constexpr size_t limit = size_t{1} << 30;
  CHILD_NEEDS(set_limit(RLIMIT_AS, limit));
  const size_t before = test::open_handles();
  auto lazy_memory = test::defaults<kith_memory_options>();
  lazy_memory.flags = KITH_MEMORY_LAZY;
  auto lazy_array = test::defaults<kith_array_options>();
  lazy_array.flags = KITH_MEMORY_LAZY;
  auto ring = test::defaults<kith_channel_options>();
  ring.ring_size = limit;
  kith_memory* memory = test::untouched<kith_memory>();
  kith_array* array = test::untouched<kith_array>();
  kith_channel* a = test::untouched<kith_channel>();
  kith_channel* b = test::untouched<kith_channel>();
  CHILD_NEEDS(kith_memory_create(limit, &lazy_memory, &memory) == KITH_E_NO_MEMORY);
  CHILD_NEEDS(kith_memory_create(limit, nullptr, &memory) == KITH_E_NO_MEMORY);
  CHILD_NEEDS(kith_array_create(KITH_I64, limit / 8, &lazy_array, &array) == KITH_E_NO_MEMORY);
  CHILD_NEEDS(kith_channel_create(&ring, &a, &b) == KITH_E_NO_MEMORY);
  CHILD_NEEDS(memory == test::untouched<kith_memory>());
  CHILD_NEEDS(array == test::untouched<kith_array>());
  CHILD_NEEDS(a == test::untouched<kith_channel>());
  CHILD_NEEDS(b == test::untouched<kith_channel>());
  CHILD_NEEDS(kith_os_error() == ENOMEM);
  CHILD_NEEDS(test::open_handles() == before);
  test::make_array(KITH_I64, 1000);  // and small ones are still to be had
  return 0;
}

constexpr size_t large_message = size_t{300} << 20;

// A message for which there is no memory stays, and is received when there is some.
int32_t receive_with_little_memory(const void*, size_t) {
  test::channel line;
  CHILD_NEEDS(kith_channel_inherit("line", line.out()) == KITH_OK);
  rlimit before{};
  CHILD_NEEDS(getrlimit(RLIMIT_AS, &before) == 0);
  CHILD_NEEDS(set_limit(RLIMIT_AS, size_t{200} << 20));
  size_t size = 0;
  CHILD_NEEDS(kith_channel_recv(line, nullptr, 0, &size, test::generous) == KITH_E_NO_MEMORY);
  CHILD_NEEDS(kith_channel_recv(line, nullptr, 0, &size, test::generous) == KITH_E_NO_MEMORY);
  CHILD_NEEDS(set_limit(RLIMIT_AS, before.rlim_cur));
  CHILD_NEEDS(kith_channel_recv(line, nullptr, 0, &size, test::generous) == KITH_E_TOO_LARGE);
  CHILD_NEEDS(size == large_message);
  CHILD_NEEDS(test::tell(line, "received"));
  return 0;
}

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks, "out of descriptors, everything fails cleanly, at whatever step") {
  test::process child = test::start(run_out_of_descriptors);
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "out of address space, everything fails cleanly") {
  if (test::sanitized) SKIP_CASE("a sanitizer needs more address space than any limit");
  test::process child = test::start(run_out_of_address_space);
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "a message for which there is no memory is kept") {
  if (test::sanitized) SKIP_CASE("a sanitizer needs more address space than any limit");
  test::channel_pair line = test::make_channel(1 << 20);
  test::process child = test::start(receive_with_little_memory, {{"line", line.b}});
  {
    const std::vector<unsigned char> message(large_message, 1);
    CHECK_OK(kith_channel_send(line.a, message.data(), message.size(), test::generous));
  }
  CHECK(test::hear(line.a, "received"));
  CHECK_EXIT(child, KITH_EXIT_CODE, 0);
}

TEST_CASE_FIXTURE(nothing_leaks, "the number of the OS tells why there was no descriptor") {
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
  REQUIRE(set_limit(RLIMIT_NOFILE, next_descriptor()));
  kith_lock* out = test::untouched<kith_lock>();
  const kith_status status = kith_lock_create(nullptr, &out);
  REQUIRE(set_limit(RLIMIT_NOFILE, before.rlim_cur));
  CHECK_STATUS(status, KITH_E_LIMIT);
  CHECK(out == test::untouched<kith_lock>());
  CHECK(kith_os_error() == EMFILE);
}
