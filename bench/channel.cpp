// SPDX-License-Identifier: MIT
// Channels: round trips and streams. "bare ring" is what the machine allows: a ring of slots in shared memory between the same two
// processes, which spins for ever, and sees neither a close nor a death.
#include <cstring>
#include <thread>

#include "bench.h"
#include "yardsticks.h"

namespace bench {

namespace {

// ---- a bare ring ---------------------------------------------------------------------------------------------------------------

// Of a channel, unless its options say otherwise; and what docs/guide.md says for streams of large messages.
constexpr uint64_t default_ring = 65'536, large_ring = uint64_t{1} << 20;

struct bare_ring {
  alignas(64) std::atomic<uint64_t> head;
  alignas(64) std::atomic<uint64_t> tail;
  alignas(64) unsigned char slots[large_ring];
};

struct bare_rings {
  bare_ring there, back;
};

// One side of one, that uses as much of it as the channel beside which it is measured; like ours it looks at the other side's position only when it must.
class bare_side {
 public:
  bare_side(bare_ring& ring, size_t size)
      : ring_(ring), size_(size), count_((size < default_ring ? default_ring : large_ring) / size) {}

  void put(const void* message) {
    while (position_ - seen_ == count_) seen_ = ring_.tail.load(std::memory_order_acquire);
    std::memcpy(slot(), message, size_);
    ring_.head.store(++position_, std::memory_order_release);
  }

  // false: stopped.
  bool get(void* message, const std::atomic<uint32_t>& stop) {
    while (position_ == seen_) {
      seen_ = ring_.head.load(std::memory_order_acquire);
      if (position_ == seen_ && stop.load(std::memory_order_relaxed) != 0) return false;
    }
    std::memcpy(message, slot(), size_);
    ring_.tail.store(++position_, std::memory_order_release);
    return true;
  }

 private:
  unsigned char* slot() { return ring_.slots + position_ % count_ * size_; }

  bare_ring& ring_;
  const size_t size_;
  const uint64_t count_;
  uint64_t position_ = 0, seen_ = 0;
};

// ---- the partner ---------------------------------------------------------------------------------------------------------------

enum role : int32_t { echo, sink };

struct task {
  role what;
  bool elsewhere;  // on another CPU than this process
  size_t size;
};

// Fits into the argument that a partner is given.
int32_t pack(const task& t) { return static_cast<int32_t>(t.size) << 2 | (t.elsewhere ? 2 : 0) | t.what; }

task unpack(const void* argument) {
  const int32_t packed = *static_cast<const int32_t*>(argument);
  return {static_cast<role>(packed & 1), (packed & 2) != 0, static_cast<size_t>(packed >> 2)};
}

// Receives until the other end is closed.
int32_t serve_channel(const void* argument, size_t) {
  const task t = unpack(argument);
  if (t.elsewhere) use_last_cpu();
  kith_channel* channel = nullptr;
  check(kith_channel_inherit("channel", &channel), "take the channel");
  stage& s = inherited_stage();
  std::vector<unsigned char> message(t.size);
  s.ready.store(1);
  size_t got = 0;
  uint64_t count = 0;
  kith_status status = KITH_OK;
  while ((status = kith_channel_recv(channel, message.data(), t.size, &got, KITH_FOREVER)) == KITH_OK) {
    ++count;
    if (t.what == echo) check(kith_channel_send(channel, message.data(), got, KITH_FOREVER), "answer");
  }
  if (status != KITH_E_CLOSED) check(status, "receive");
  s.partner_count.store(count);
  kith_channel_close(channel);
  return 0;
}

int32_t serve_bare_ring(const void* argument, size_t) {
  const task t = unpack(argument);
  if (t.elsewhere) use_last_cpu();
  kith_memory* memory = nullptr;
  check(kith_memory_inherit("rings", &memory), "take the rings");
  bare_rings& rings = *static_cast<bare_rings*>(kith_memory_data(memory));
  stage& s = inherited_stage();
  bare_side in(rings.there, t.size), out(rings.back, t.size);
  std::vector<unsigned char> message(t.size);
  s.ready.store(1);
  uint64_t count = 0;
  for (; in.get(message.data(), s.stop); ++count) {
    if (t.what == echo) out.put(message.data());
  }
  s.partner_count.store(count);
  kith_memory_close(memory);
  return 0;
}

void await_partner(stage& s) {
  while (s.ready.load() == 0) std::this_thread::yield();
}

// Runs `measure` with our end of a channel; the partner has the other.
template <class Measure>
void with_channel(const task& t, Measure measure, uint64_t ring_size = 0) {
  const shared_stage s;
  kith_channel *ours = nullptr, *theirs = nullptr;
  kith_channel_options options{};
  options.struct_size = sizeof options;
  options.ring_size = ring_size;
  check(kith_channel_create(&options, &ours, &theirs), "create a channel");
  const partner other(serve_channel, pack(t), {s.share(), {"channel", theirs}});
  kith_channel_close(theirs);
  await_partner(s.get());
  measure(ours, s.get());
}

template <class Measure>
void with_bare_rings(const task& t, Measure measure) {
  const shared_stage s;
  kith_memory* memory = nullptr;
  check(kith_memory_create(sizeof(bare_rings), nullptr, &memory), "create rings");
  bare_rings& rings = *static_cast<bare_rings*>(kith_memory_data(memory));
  {
    const partner other(serve_bare_ring, pack(t), {s.share(), {"rings", memory}});
    await_partner(s.get());
    measure(bare_side(rings.there, t.size), bare_side(rings.back, t.size), s.get());
  }
  kith_memory_close(memory);
}

// ---- round trips: µs of each -----------------------------------------------------------------------------------------------------

// Where it is the quickest, a look at the clock for each trip would be a tenth of it: then a sample is the mean of some, as the cache line's
// is in floor.cpp.
constexpr int trips_a_sample = 16;

template <class Trip>
void sample(std::vector<double>& samples, int trips, Trip make_trip) {
  const stopwatch watch;
  for (int i = 0; i < trips; ++i) make_trip();
  samples.push_back(watch.seconds() * 1e6 / trips);
}

// `pause_us`: how long this side does something else before each sample, so that the other one sleeps.
std::vector<double> round_trips(const task& t, int count, int pause_us, int trips = 1) {
  std::vector<double> samples;
  with_channel(t, [&](kith_channel* channel, stage&) {
    std::vector<unsigned char> message(t.size);
    size_t got = 0;
    for (int i = 0; i < count; i += trips) {
      rest(pause_us);
      sample(samples, trips, [&] {
        check(kith_channel_send(channel, message.data(), t.size, KITH_FOREVER), "send");
        check(kith_channel_recv(channel, message.data(), t.size, &got, KITH_FOREVER), "receive");
      });
    }
    kith_channel_close(channel);
  });
  return samples;
}

std::vector<double> round_trips_of_two_cores(size_t size, int count) {
  return round_trips({echo, true, size}, count, 0, trips_a_sample);
}

std::vector<double> bare_round_trips(size_t size, int count) {
  std::vector<double> samples;
  with_bare_rings({echo, true, size}, [&](bare_side there, bare_side back, stage& s) {
    std::vector<unsigned char> message(size);
    for (int i = 0; i < count; i += trips_a_sample) {
      sample(samples, trips_a_sample, [&] {
        there.put(message.data());
        (void)back.get(message.data(), s.stop);
      });
    }
    s.stop.store(1);
  });
  return samples;
}

// ---- streams: millions of messages a second, counted when all have been received ----------------------------------------------------

double rate(stage& s, const stopwatch& watch) {
  while (s.partner_count.load() == 0) std::this_thread::yield();
  return static_cast<double>(s.partner_count.load()) / watch.seconds() / 1e6;
}

double stream(size_t size, double seconds, uint64_t ring_size = 0) {
  double result = 0;
  const auto send_all = [&](kith_channel* channel, stage& s) {
    const std::vector<unsigned char> message(size);
    const int at_once = size > 1024 ? 1 : 100;
    const stopwatch watch;
    while (watch.seconds() < seconds) {
      for (int i = 0; i < at_once; ++i)
        check(kith_channel_send(channel, message.data(), size, KITH_FOREVER), "send");
    }
    kith_channel_close(channel);
    result = rate(s, watch);
  };
  with_channel({sink, true, size}, send_all, ring_size);
  return result;
}

double bare_stream(size_t size, double seconds) {
  double result = 0;
  with_bare_rings({sink, true, size}, [&](bare_side there, bare_side, stage& s) {
    const std::vector<unsigned char> message(size);
    const stopwatch watch;
    while (watch.seconds() < seconds) {
      for (int i = 0; i < 100; ++i) there.put(message.data());
    }
    s.stop.store(1);
    result = rate(s, watch);
  });
  return result;
}

// GB/s of the same message copied again and again by one process.
double copies(size_t size, double seconds) {
  const std::vector<unsigned char> from(size, 1);
  std::vector<unsigned char> to(size);
  double count = 0;
  const stopwatch watch;
  for (; watch.seconds() < seconds; ++count) {
    std::memcpy(to.data(), from.data(), size);
    std::atomic_signal_fence(std::memory_order_seq_cst);  // each is made
  }
  return count * static_cast<double>(size) / watch.seconds() / 1e9;
}

double gigabytes(double millions, size_t size) { return millions * static_cast<double>(size) / 1e3; }

// ---- what is compared -------------------------------------------------------------------------------------------------------------

constexpr size_t KiB = 1024, MiB = KiB * KiB;

struct extent {
  int count, rounds;
  double seconds;
};

// Wherever the OS puts the two.
void measure_anywhere(table& out, const extent& how) {
  metric p99{"rtt64.p99", "us", better::smaller, "socketpair", {}};
  std::vector<subject> trips;
  std::vector<std::pair<std::string, std::function<std::vector<double>()>>> all{
      {"kith", [=] {
         return round_trips({echo, false, 64}, how.count, 0);
       }}};
  for (const message_yardstick& each : message_yardsticks())
    all.emplace_back(each.name, [=] { return each.round_trips(how.count); });
  for (size_t i = 0; i < all.size(); ++i) {
    p99.figures.push_back({all[i].first, {}});
    trips.push_back({all[i].first, [&, i] {
                       const std::vector<double> samples = all[i].second();
                       p99.figures[i].samples.push_back(quantile(samples, 0.99));
                       return median(samples);
                     }});
  }
  out.add(measure_in_turns({"rtt64.p50", "us", better::smaller, "socketpair", {}}, how.rounds, trips));
  out.add(p99);
}

void measure_two_cores(table& out, const extent& how) {
  const one_cpu here;  // and the partner on the last one
  for (const auto& [name, size] : {std::pair{"rtt64.two_cores", size_t{64}}, {"rtt4K", 4 * KiB}}) {
    out.add(measure_in_turns(
        {name, "us", better::smaller, "bare ring", {}}, how.rounds,
        {{"kith", [=, size = size] { return median(round_trips_of_two_cores(size, how.count * 10)); }},
         {"bare ring", [=, size = size] { return median(bare_round_trips(size, how.count * 10)); }}}));
  }
  out.add(
      measure_in_turns({"rtt1M", "us", better::smaller, "", {}}, how.rounds,
                       {{"kith", [=] { return median(round_trips_of_two_cores(MiB, how.count / 10)); }}}));
  std::vector<subject> streams{{"kith", [=] { return stream(64, how.seconds); }},
                               {"bare ring", [=] { return bare_stream(64, how.seconds); }}};
  out.add(measure_in_turns({"stream64", "M/s", better::larger, "bare ring", {}}, how.rounds, streams));
  constexpr size_t piece = large_ring / 4;  // as large messages go through a ring
  for (const auto& [name, size] : {std::pair{"stream64K", 64 * KiB}, {"stream1M", MiB}}) {
    out.add(measure_in_turns(
        {name, "GB/s", better::larger, "memcpy", {}}, how.rounds,
        {{"kith", [=, size = size] { return gigabytes(stream(size, how.seconds, large_ring), size); }},
         {"default ring", [=, size = size] { return gigabytes(stream(size, how.seconds), size); }},
         {"memcpy", [=, size = size] { return copies(size, how.seconds); }},
         {"bare ring", [=] { return gigabytes(bare_stream(piece, how.seconds), piece); }}}));
  }
}

// The futex is the yardstick of those who sleep.
void measure_sleepers(table& out, const extent& how) {
  constexpr int deep_us = 300;  // longer than any spin
  std::vector<subject> asleep{{"kith", [=] {
                                 return median(round_trips({echo, false, 64}, how.count / 10 + 1, deep_us));
                               }}};
  std::vector<subject> together{{"kith", [=] {
                                   return median(round_trips({echo, false, 64}, how.count, 0));
                                 }}};
  for (const wake_yardstick& each : wake_yardsticks()) {
    asleep.push_back({each.name, [=] { return median(each.round_trips(how.count / 10 + 1, deep_us)); }});
    together.push_back({each.name, [=] { return median(each.round_trips(how.count, 0)); }});
  }
  out.add(measure_in_turns({"rtt64.sleeping", "us", better::smaller, "futex", {}}, how.rounds, asleep));
  const one_cpu both;
  out.add(measure_in_turns({"rtt64.one_core", "us", better::smaller, "futex", {}}, how.rounds, together));
}

}  // namespace

void bench_channel(table& out, const settings& how) {
  const extent all = how.quick ? extent{20, 1, 0.01} : extent{2'000, 9, 0.1};
  measure_anywhere(out, all);
  measure_two_cores(out, all);
  measure_sleepers(out, all);
}

}  // namespace bench
