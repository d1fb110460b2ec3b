// SPDX-License-Identifier: MIT
// What is true of the options of every section. Each maker says how its section is called with given options.
#include <cstring>

#include "support.h"

using test::nothing_leaks;

namespace {

int32_t nothing(const void*, size_t) { return 0; }

struct memory_maker {
  using options = kith_memory_options;
  static void fill_in(options&) {}
  static kith_status make(const options* given) {
    test::memory made;
    return kith_memory_create(10, given, made.out());
  }
};

struct array_maker {
  using options = kith_array_options;
  static void fill_in(options&) {}
  static kith_status make(const options* given) {
    test::array made;
    return kith_array_create(KITH_I32, 10, given, made.out());
  }
};

struct value_maker {
  using options = kith_value_options;
  static void fill_in(options&) {}
  static kith_status make(const options* given) {
    test::value made;
    return kith_value_create(KITH_I32, nullptr, given, made.out());
  }
};

struct lock_maker {
  using options = kith_lock_options;
  static void fill_in(options&) {}
  static kith_status make(const options* given) {
    test::lock made;
    return kith_lock_create(given, made.out());
  }
};

struct semaphore_maker {
  using options = kith_semaphore_options;
  static void fill_in(options&) {}
  static kith_status make(const options* given) {
    test::semaphore made;
    return kith_semaphore_create(1, given, made.out());
  }
};

struct condition_maker {
  using options = kith_condition_options;
  static void fill_in(options&) {}
  static kith_status make(const options* given) {
    test::condition made;
    return kith_condition_create(given, made.out());
  }
};

struct event_maker {
  using options = kith_event_options;
  static void fill_in(options&) {}
  static kith_status make(const options* given) {
    test::event made;
    return kith_event_create(given, made.out());
  }
};

struct barrier_maker {
  using options = kith_barrier_options;
  static void fill_in(options&) {}
  static kith_status make(const options* given) {
    test::barrier made;
    return kith_barrier_create(2, given, made.out());
  }
};

struct channel_maker {
  using options = kith_channel_options;
  static void fill_in(options&) {}
  static kith_status make(const options* given) {
    test::channel a;
    test::channel b;
    return kith_channel_create(given, a.out(), b.out());
  }
};

struct queue_maker {
  using options = kith_queue_options;
  static void fill_in(options&) {}
  static kith_status make(const options* given) {
    test::queue made;
    return kith_queue_create(given, made.out());
  }
};

struct process_maker {
  using options = kith_process_options;
  static void fill_in(options& given) { given.entry = nothing; }
  static kith_status make(const options* given) {
    test::process made;
    const kith_status status = kith_process_spawn(given, made.out());
    if (status == KITH_OK) CHECK_EXIT(made, KITH_EXIT_CODE, 0);
    return status;
  }
};

// The struct of a header that is newer than this library.
template <class Options>
struct newer {
  Options known;
  unsigned char added[24];
};

template <class Maker>
newer<typename Maker::options> newer_options() {
  newer<typename Maker::options> made;
  std::memset(&made, 0, sizeof made);
  Maker::fill_in(made.known);
  made.known.struct_size = sizeof made;
  return made;
}

}  // namespace

#define EVERY_SHARED_MAKER                                                                           \
  memory_maker, array_maker, value_maker, lock_maker, semaphore_maker, condition_maker, event_maker, \
      barrier_maker, channel_maker, queue_maker
#define EVERY_MAKER EVERY_SHARED_MAKER, process_maker

TEST_CASE_TEMPLATE("options of their own size are taken", Maker, EVERY_MAKER) {
  const nothing_leaks check;
  auto options = test::defaults<typename Maker::options>();
  Maker::fill_in(options);
  CHECK_OK(Maker::make(&options));
}

TEST_CASE_TEMPLATE("options without a size, or smaller than the first ones were, are refused", Maker,
                   EVERY_MAKER) {
  const nothing_leaks check;
  auto options = test::defaults<typename Maker::options>();
  Maker::fill_in(options);
  for (const size_t size : {size_t{0}, size_t{1}, size_t{4}, sizeof options - 1}) {
    options.struct_size = static_cast<uint32_t>(size);
    CHECK_STATUS(Maker::make(&options), KITH_E_INVALID);
  }
}

TEST_CASE_TEMPLATE("options of a newer header are taken when nothing new is set in them", Maker,
                   EVERY_MAKER) {
  const nothing_leaks check;
  const auto options = newer_options<Maker>();
  CHECK_OK(Maker::make(&options.known));
}

TEST_CASE_TEMPLATE("options of a newer header are refused when something new is set in them", Maker,
                   EVERY_MAKER) {
  const nothing_leaks check;
  for (const size_t place : {size_t{0}, size_t{11}, size_t{23}}) {
    auto options = newer_options<Maker>();
    options.added[place] = 1;
    CHECK_STATUS(Maker::make(&options.known), KITH_E_UNSUPPORTED);
  }
}

TEST_CASE_TEMPLATE("a flag that the library does not know is refused", Maker, EVERY_MAKER) {
  const nothing_leaks check;
  auto options = test::defaults<typename Maker::options>();
  Maker::fill_in(options);
  for (const uint32_t flag : {uint32_t{1} << 10, uint32_t{1} << 16, uint32_t{1} << 31}) {
    options.flags = flag;
    CHECK_STATUS(Maker::make(&options), KITH_E_UNSUPPORTED);
  }
}

TEST_CASE_TEMPLATE("all but a process can be made with no options at all", Maker, EVERY_SHARED_MAKER) {
  const nothing_leaks check;
  CHECK_OK(Maker::make(nullptr));
}

TEST_CASE_FIXTURE(nothing_leaks, "a process needs options") {
  CHECK_STATUS(process_maker::make(nullptr), KITH_E_INVALID);
}
