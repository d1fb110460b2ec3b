// SPDX-License-Identifier: MIT
// Channels: round trips and streams of small messages.
#include <thread>

#include "bench.h"
#include "yardsticks.h"

namespace bench {

namespace {

constexpr size_t size = 64;

enum role : int32_t { echo, sink };

// Receives until the other end is closed.
int32_t be_partner(const void* argument, size_t) {
  const bool answers = *static_cast<const int32_t*>(argument) == echo;
  kith_channel* channel = nullptr;
  check(kith_channel_inherit("channel", &channel), "take the channel");
  stage& s = inherited_stage();
  s.ready.store(1);
  unsigned char message[size];
  size_t got = 0;
  uint64_t count = 0;
  kith_status status = KITH_OK;
  while ((status = kith_channel_recv(channel, message, sizeof message, &got, KITH_FOREVER)) == KITH_OK) {
    ++count;
    if (answers) check(kith_channel_send(channel, message, got, KITH_FOREVER), "answer");
  }
  if (status != KITH_E_CLOSED) check(status, "receive");
  s.partner_count.store(count);
  kith_channel_close(channel);
  return 0;
}

// Runs `measure` with our end of a channel; the partner has the other.
template <class Measure>
void with_partner(role others, Measure measure) {
  const shared_stage s;
  kith_channel *ours = nullptr, *theirs = nullptr;
  check(kith_channel_create(nullptr, &ours, &theirs), "create a channel");
  const partner other(be_partner, others, {s.share(), {"channel", theirs}});
  kith_channel_close(theirs);
  while (s->ready.load() == 0) std::this_thread::yield();
  measure(ours, s.get());
}

// µs of each.
std::vector<double> round_trips(int count) {
  std::vector<double> samples;
  with_partner(echo, [&](kith_channel* channel, stage&) {
    unsigned char message[size] = {};
    size_t got = 0;
    for (int i = 0; i < count; ++i) {
      const stopwatch watch;
      check(kith_channel_send(channel, message, sizeof message, KITH_FOREVER), "send");
      check(kith_channel_recv(channel, message, sizeof message, &got, KITH_FOREVER), "receive");
      samples.push_back(watch.seconds() * 1e6);
    }
    kith_channel_close(channel);
  });
  return samples;
}

// Millions of messages a second, counted when all have been received.
double stream(double seconds) {
  double rate = 0;
  with_partner(sink, [&](kith_channel* channel, stage& s) {
    const unsigned char message[size] = {};
    const stopwatch watch;
    while (watch.seconds() < seconds) {
      for (int i = 0; i < 100; ++i)
        check(kith_channel_send(channel, message, sizeof message, KITH_FOREVER), "send");
    }
    kith_channel_close(channel);
    while (s.partner_count.load() == 0) std::this_thread::yield();
    rate = static_cast<double>(s.partner_count.load()) / watch.seconds() / 1e6;
  });
  return rate;
}

constexpr message_yardstick kith_messages{"kith", round_trips, stream};

std::vector<message_yardstick> all_subjects() {
  std::vector<message_yardstick> all{kith_messages};
  all.insert(all.end(), message_yardsticks().begin(), message_yardsticks().end());
  return all;
}

}  // namespace

void bench_channel(table& out, const settings& how) {
  const int count = how.quick ? 20 : 2'000, rounds = how.quick ? 1 : 9;
  const double seconds = how.quick ? 0.01 : 0.1;
  metric p99{"rtt64.p99", "us", better::smaller, "socketpair", {}};
  std::vector<subject> trips, streams;
  const std::vector<message_yardstick> all = all_subjects();
  for (size_t i = 0; i < all.size(); ++i) {
    p99.figures.push_back({all[i].name, {}});
    trips.push_back({all[i].name, [&, i] {
                       const std::vector<double> samples = all[i].round_trips(count);
                       p99.figures[i].samples.push_back(quantile(samples, 0.99));
                       return median(samples);
                     }});
    if (all[i].stream != nullptr) streams.push_back({all[i].name, [&, i] { return all[i].stream(seconds); }});
  }
  out.add(measure_in_turns({"rtt64.p50", "us", better::smaller, "socketpair", {}}, rounds, trips));
  out.add(p99);
  out.add(measure_in_turns({"stream64", "M/s", better::larger, "socketpair", {}}, rounds, streams));
}

}  // namespace bench
