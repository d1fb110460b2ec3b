// SPDX-License-Identifier: MIT
// Broadcasts: one process publishes, four others read all that it publishes. Beside it the same between two processes that have a core each.
#include <cstring>
#include <memory>
#include <new>
#include <thread>
#include <vector>

#include "bench.h"

namespace bench {

namespace {

constexpr size_t size = 64;
constexpr int most_readers = 4;
constexpr uint64_t ring_size = uint64_t{1} << 20;

using message = unsigned char[size];  // the first byte: not 0 is the last message

// ---- the yardstick: slots with a number each, and a line for each reader's position; who must wait yields ------------------------------

struct slot_ring {
  static constexpr uint64_t slot_count = 8192;
  struct alignas(64) line {
    std::atomic<uint64_t> position{0};
  };
  struct slot {
    std::atomic<uint64_t> number{0};  // of the message, from 1 on
    message bytes;
  };

  line readers[most_readers];
  line reader_count;
  slot slots[slot_count];

  // `known` is what the writer knows of the slowest reader.
  void put(const message& from, uint64_t number, uint64_t& known) {
    while (number - known > slot_count) {
      known = UINT64_MAX;
      for (uint64_t i = 0; i < reader_count.position.load(std::memory_order_relaxed); ++i)
        known = std::min(known, readers[i].position.load(std::memory_order_acquire));
      if (number - known > slot_count) std::this_thread::yield();
    }
    slot& into = slots[number % slot_count];
    std::memcpy(into.bytes, from, size);
    into.number.store(number, std::memory_order_release);
  }
  void get(message& to, uint64_t number, uint64_t who) {
    const slot& from = slots[number % slot_count];
    while (from.number.load(std::memory_order_acquire) != number) std::this_thread::yield();
    std::memcpy(to, from.bytes, size);
    readers[who].position.store(number, std::memory_order_release);
  }
};

// ---- the subjects -------------------------------------------------------------------------------------------------------------------

enum class way : int32_t { kith, bare };

struct order {
  int32_t who;
  way how;
};

struct any_broadcast {
  way how;
  kith_broadcast* own = nullptr;
  kith_memory* place = nullptr;
  slot_ring& bare() const { return *static_cast<slot_ring*>(kith_memory_data(place)); }
};

any_broadcast make_broadcast(way how, int readers) {
  any_broadcast made{how};
  kith_broadcast_options options{};
  options.struct_size = sizeof options;
  options.flags = KITH_BROADCAST_HOLD;
  options.ring_size = ring_size;
  check(kith_broadcast_create(&options, &made.own), "create a broadcast");
  check(kith_memory_create(sizeof(slot_ring), nullptr, &made.place), "create memory");
  ::new (kith_memory_data(made.place)) slot_ring;
  made.bare().reader_count.position.store(static_cast<uint64_t>(readers));
  return made;
}

// ---- the partners -------------------------------------------------------------------------------------------------------------------

uint64_t read_kith(kith_broadcast* broadcast, stage& s) {
  kith_reader* reader = nullptr;
  check(kith_broadcast_subscribe(broadcast, 0, &reader), "subscribe");
  s.ready.fetch_add(1);
  message got;
  size_t got_size = 0;
  for (uint64_t count = 0;; ++count) {
    check(kith_reader_next(reader, got, sizeof got, &got_size, nullptr, KITH_FOREVER), "next");
    if (got[0] != 0) return count;
  }
}

uint64_t read_bare(slot_ring& ring, uint64_t who, stage& s) {
  s.ready.fetch_add(1);
  message got;
  for (uint64_t number = 1;; ++number) {
    ring.get(got, number, who);
    if (got[0] != 0) return number - 1;
  }
}

// The argument: the way, and beside it which of the readers.
int32_t read_all(const void* argument, size_t) {
  const int32_t given = *static_cast<const int32_t*>(argument);
  any_broadcast taken{static_cast<way>(given % 16)};
  check(kith_broadcast_inherit("broadcast", &taken.own), "take the broadcast");
  check(kith_memory_inherit("place", &taken.place), "take the memory");
  stage& s = inherited_stage();
  const uint64_t count = taken.how == way::kith
                             ? read_kith(taken.own, s)
                             : read_bare(taken.bare(), static_cast<uint64_t>(given / 16), s);
  s.partner_count.fetch_add(count);
  return 0;
}

uint64_t publish_for(const any_broadcast& to, double seconds) {
  message each = {};
  uint64_t count = 0, known = 0;
  const auto publish = [&] {
    ++count;
    if (to.how == way::kith) {
      check(kith_broadcast_publish(to.own, each, sizeof each, KITH_FOREVER), "publish");
    } else {
      to.bare().put(each, count, known);
    }
  };
  for (const stopwatch watch; watch.seconds() < seconds;) {
    for (int i = 0; i < 100; ++i) publish();
  }
  each[0] = 1;
  publish();
  return count - 1;
}

// Millions of messages a second that all readers have seen.
double stream(way how, int readers, double seconds) {
  const shared_stage s;
  const any_broadcast broadcast = make_broadcast(how, readers);
  std::vector<std::unique_ptr<partner>> partners;
  for (int i = 0; i < readers; ++i) {
    partners.push_back(
        std::make_unique<partner>(read_all, static_cast<int32_t>(how) + 16 * i,
                                  std::initializer_list<kith_share>{
                                      s.share(), {"broadcast", broadcast.own}, {"place", broadcast.place}}));
  }
  while (s->ready.load() != static_cast<uint32_t>(readers)) std::this_thread::yield();
  const stopwatch watch;
  const uint64_t count = publish_for(broadcast, seconds);
  partners.clear();  // waits for their end
  const double took = watch.seconds();
  if (s->partner_count.load() != count * static_cast<uint64_t>(readers))
    fail(KITH_E_MISMATCH, "all messages by all readers");
  kith_broadcast_close(broadcast.own);
  kith_memory_close(broadcast.place);
  return static_cast<double>(count) / took / 1e6;
}

}  // namespace

void bench_broadcast(table& out, const settings& how) {
  const double seconds = how.quick ? 0.01 : 0.3;
  for (const int readers : {1, most_readers}) {
    const std::string name = "broadcast64.1x" + std::to_string(readers);
    out.add(measure_in_turns({name, "M/s", better::larger, "bare slot ring", {}}, how.quick ? 1 : 9,
                             {{"kith", [=] { return stream(way::kith, readers, seconds); }},
                              {"bare slot ring", [=] { return stream(way::bare, readers, seconds); }}}));
  }
}

}  // namespace bench
