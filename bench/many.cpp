// SPDX-License-Identifier: MIT
// Waiting for very many channels at once: how soon a message through any one of them is seen, and answered.
#include <memory>
#include <thread>

#include "bench.h"
#include "yardsticks.h"

namespace bench {

namespace {

struct line {
  kith_channel* ours = nullptr;
  kith_channel* theirs = nullptr;
};

class lines {
 public:
  explicit lines(size_t count) : all_(count), items_(count) {
    kith_channel_options small{};
    small.struct_size = sizeof small;
    small.ring_size = 4096;
    for (size_t i = 0; i < count; ++i) {
      check(kith_channel_create(&small, &all_[i].ours, &all_[i].theirs), "create a channel");
      items_[i].object = all_[i].ours;
    }
  }
  ~lines() {
    for (const line& each : all_) {
      kith_channel_close(each.ours);
      kith_channel_close(each.theirs);
    }
  }
  lines(const lines&) = delete;
  lines& operator=(const lines&) = delete;

  kith_channel* theirs(size_t index) const { return all_[index].theirs; }

  void answer_one() {
    size_t ready = 0;
    check(kith_wait_any(items_.data(), items_.size(), &ready, KITH_FOREVER), "wait for any");
    for (const kith_wait_item& each : items_) {
      if (each.ready != 0) return answer(each);
    }
  }

 private:
  static void answer(const kith_wait_item& item) {
    kith_channel* const end = const_cast<kith_channel*>(static_cast<const kith_channel*>(item.object));
    unsigned char message[64];
    size_t size = 0;
    check(kith_channel_recv(end, message, sizeof message, &size, 0), "receive");
    check(kith_channel_send(end, message, size, 0), "send");
  }

  std::vector<line> all_;
  std::vector<kith_wait_item> items_;
};

// us of each. The one who waits is another thread of this process.
std::vector<double> kith_round_trips(size_t ends, int count) {
  lines all(ends);
  std::thread waiter([&] {
    for (int i = 0; i < count; ++i) all.answer_one();
  });
  std::vector<double> samples;
  unsigned char message[64] = {};
  size_t size = 0;
  for (int i = 0; i < count; ++i) {
    kith_channel* const end = all.theirs(nth_of(i, ends));
    const stopwatch watch;
    check(kith_channel_send(end, message, sizeof message, KITH_FOREVER), "send");
    check(kith_channel_recv(end, message, sizeof message, &size, KITH_FOREVER), "receive");
    samples.push_back(watch.seconds() * 1e6);
  }
  waiter.join();
  return samples;
}

}  // namespace

void bench_many(table& out, const settings& how) {
  const int count = how.quick ? 5 : 500, rounds = how.quick ? 1 : 9;
  for (const size_t ends : {size_t{10}, size_t{1'000}}) {
    if (!allow_handles(5 * ends)) continue;
    std::vector<subject> subjects{{"kith", [=] { return median(kith_round_trips(ends, count)); }}};
    for (const many_yardstick& each : many_yardsticks())
      subjects.push_back({each.name, [=] { return median(each.round_trips(ends, count)); }});
    out.add(measure_in_turns({"waitany." + std::to_string(ends), "us", better::smaller, "poll", {}}, rounds,
                             subjects));
  }
}

}  // namespace bench
