// SPDX-License-Identifier: MIT
// Other ways through a channel: in place, many messages at once, and polled. And what a process costs that only waits for a message.
#include <cstring>
#include <thread>

#include "bench.h"
#include "yardsticks.h"

namespace bench {

namespace {

constexpr size_t MiB = size_t{1} << 20;
constexpr size_t small = 64;  // bytes of a message
constexpr size_t batch = 64;  // messages at once
constexpr int64_t idle_ms = 5'000;

enum class way : int32_t { in_place, many, polled, idle };

kith_channel* inherited_channel() {
  kith_channel* channel = nullptr;
  check(kith_channel_inherit("channel", &channel), "take the channel");
  return channel;
}

// ---- the partners --------------------------------------------------------------------------------------------------------------

void pass_in_place(kith_channel* channel) {
  void* room = nullptr;
  check(kith_channel_reserve(channel, MiB, &room, KITH_FOREVER), "reserve");
  check(kith_channel_commit(channel, MiB), "commit");
}

// false: the other end is closed.
bool take_in_place(kith_channel* channel) {
  const void* message = nullptr;
  size_t size = 0;
  const kith_status status = kith_channel_peek(channel, &message, &size, KITH_FOREVER);
  if (status == KITH_E_CLOSED) return false;
  check(status, "peek");
  check(kith_channel_consume(channel), "consume");
  return true;
}

void echo_in_place(kith_channel* channel) {
  while (take_in_place(channel)) pass_in_place(channel);
}

uint64_t receive_many(kith_channel* channel) {
  std::vector<unsigned char> messages(small * batch);
  std::vector<size_t> sizes(batch);
  uint64_t count = 0;
  for (;;) {
    size_t got = 0;
    const kith_status status = kith_channel_recv_many(channel, messages.data(), messages.size(), sizes.data(),
                                                      sizes.size(), &got, KITH_FOREVER);
    if (status == KITH_E_CLOSED) return count;
    check(status, "receive many");
    count += got;
  }
}

// As a loop does it. Counts how often it had to wait: at most so often a doorbell rang.
uint64_t receive_polled(kith_channel* channel, std::atomic<uint64_t>& waits) {
  unsigned char message[small];
  size_t got = 0;
  for (uint64_t count = 0;;) {
    const kith_status status = kith_channel_recv(channel, message, sizeof message, &got, 0);
    if (status == KITH_E_CLOSED) return count;
    if (status == KITH_OK) {
      ++count;
      continue;
    }
    if (status != KITH_E_TIMEOUT) check(status, "receive");
    if (kith_poll_arm(channel, KITH_WAIT_READ) == KITH_E_BUSY) continue;
    waits.fetch_add(1);
    kith_wait_item item{};
    int64_t handle = 0;
    check(kith_channel_poll_handle(channel, &handle), "poll handle");
    item.what = KITH_WAIT_HANDLE;
    item.handle = handle;
    size_t ready = 0;
    check(kith_wait_any(&item, 1, &ready, KITH_FOREVER), "wait");
  }
}

uint64_t wait_idly(kith_channel* channel) {
  unsigned char message[small];
  size_t got = 0;
  const double before = cpu_seconds();
  const kith_status status = kith_channel_recv(channel, message, sizeof message, &got, idle_ms);
  if (status != KITH_E_TIMEOUT) check(status, "wait");
  return static_cast<uint64_t>((cpu_seconds() - before) * 1e9);
}

int32_t serve(const void* argument, size_t) {
  const way how = static_cast<way>(*static_cast<const int32_t*>(argument));
  use_last_cpu();
  kith_channel* channel = inherited_channel();
  stage& s = inherited_stage();
  meet(s);
  uint64_t result = 1;
  switch (how) {
    case way::in_place: echo_in_place(channel); break;
    case way::many: result = receive_many(channel); break;
    case way::polled: result = receive_polled(channel, s.ping); break;
    case way::idle: result = wait_idly(channel); break;
  }
  s.partner_count.store(result);
  kith_channel_close(channel);
  return 0;
}

// Runs `measure(channel)`, closes the channel, and gives the partner's count.
template <class Measure>
uint64_t with_partner(way how, uint64_t ring_size, const shared_stage& s, Measure measure) {
  kith_channel_options options{};
  options.struct_size = sizeof options;
  options.ring_size = ring_size;
  kith_channel *ours = nullptr, *theirs = nullptr;
  check(kith_channel_create(&options, &ours, &theirs), "create a channel");
  const partner other(serve, static_cast<int32_t>(how), {s.share(), {"channel", theirs}});
  kith_channel_close(theirs);
  start_round(s.get());
  measure(ours);
  kith_channel_close(ours);
  while (s->partner_count.load() == 0) std::this_thread::yield();
  return s->partner_count.load();
}

// ---- this side -------------------------------------------------------------------------------------------------------------------

// µs of each. Nothing is copied; what is measured is the handing over.
std::vector<double> round_trips_in_place(int count) {
  const shared_stage s;
  std::vector<double> samples;
  with_partner(way::in_place, 4 * MiB, s, [&](kith_channel* channel) {
    for (int i = 0; i < count; ++i) {
      const stopwatch watch;
      pass_in_place(channel);
      (void)take_in_place(channel);
      samples.push_back(watch.seconds() * 1e6);
    }
  });
  return samples;
}

// Millions of messages a second.
double stream_of_batches(double seconds) {
  const shared_stage s;
  const std::vector<unsigned char> messages(small * batch);
  const std::vector<size_t> sizes(batch, small);
  double taken = 0;
  const uint64_t count = with_partner(way::many, 0, s, [&](kith_channel* channel) {
    const stopwatch watch;
    while (watch.seconds() < seconds) {
      check(kith_channel_send_many(channel, messages.data(), sizes.data(), batch, nullptr, KITH_FOREVER),
            "send many");
    }
    taken = watch.seconds();
  });
  return static_cast<double>(count) / taken / 1e6;
}

struct polled {
  double millions;
  double waits_per_100;
};

polled polled_stream(double seconds) {
  const shared_stage s;
  const unsigned char message[small] = {};
  double taken = 0;
  const uint64_t count = with_partner(way::polled, 0, s, [&](kith_channel* channel) {
    const stopwatch watch;
    while (watch.seconds() < seconds) {
      for (int i = 0; i < 100; ++i) check(kith_channel_send(channel, message, small, KITH_FOREVER), "send");
    }
    taken = watch.seconds();
  });
  return {static_cast<double>(count) / taken / 1e6,
          static_cast<double>(s->ping.load()) / static_cast<double>(count) * 100};
}

// %
double idle_share() {
  const shared_stage s;
  const uint64_t used = with_partner(way::idle, 0, s, [&](kith_channel*) {
    while (s->partner_count.load() == 0) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  });
  return static_cast<double>(used) / (static_cast<double>(idle_ms) * 1e6) * 100;
}

}  // namespace

void bench_ways(table& out, const settings& how) {
  const int count = how.quick ? 20 : 20'000, rounds = how.quick ? 1 : 9;
  const double seconds = how.quick ? 0.01 : 0.1;
  {
    const one_cpu here;  // and the partner on the last one
    out.add(measure_in_turns(
        {"rtt1M.zerocopy", "us", better::smaller, "cache line", {}}, rounds,
        {{"kith", [=] { return median(round_trips_in_place(count)); }},
         {"cache line", [=] { return cache_line_ns(static_cast<uint64_t>(count), true) / 1e3; }}}));
    out.add(measure_in_turns({"stream64.many", "M/s", better::larger, "", {}}, rounds,
                             {{"kith", [=] { return stream_of_batches(seconds); }}}));
    metric waits{"doorbells", "per 100 messages", better::smaller, "", {{"kith", {}}}};
    out.add(measure_in_turns({"stream64.polled", "M/s", better::larger, "", {}}, rounds,
                             {{"kith", [&] {
                                 const polled result = polled_stream(seconds);
                                 waits.figures[0].samples.push_back(result.waits_per_100);
                                 return result.millions;
                               }}}));
    out.add(waits);
  }
  if (how.quick) return;
  out.add(measure_in_turns({"idlecpu.channel", "%", better::smaller, "", {}}, 3, {{"kith", idle_share}}));
}

}  // namespace bench
