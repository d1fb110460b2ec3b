// SPDX-License-Identifier: MIT
#include <atomic>
#include <mutex>

#include "../support.h"
#include "bias.h"

using namespace kith;

namespace {

// A bias beside a real lock, as an end of a channel has them.
struct door {
  std::mutex lock;
  bias favourite;

  static void nap() { std::this_thread::yield(); }

  // Whether it went in as the favourite.
  template <class Work>
  bool pass(Work work) {
    if (bias::seat* seat = nullptr; favourite.enter(seat)) {
      work();
      seat->leave();
      return true;
    }
    const std::lock_guard<std::mutex> guard(lock);
    if (!favourite.is_mine()) favourite.dismiss(nap);
    work();
    favourite.end_turn();
    return false;
  }
};

void nothing() {}

bool passes_in_another_thread(door& it) {
  bool as_favourite = false;
  std::thread([&] { as_favourite = it.pass(nothing); }).join();
  return as_favourite;
}

}  // namespace

TEST_CASE("a thread that is alone becomes the favourite with its first turn") {
  door it;
  CHECK_FALSE(it.pass(nothing));
  for (int i = 0; i < 100; ++i) CHECK(it.pass(nothing));
}

TEST_CASE("another thread's turn ends the favour, which then takes more turns to win") {
  door it;
  (void)it.pass(nothing);
  CHECK_FALSE(passes_in_another_thread(it));
  int turns = 1;
  while (!it.pass(nothing)) ++turns;
  CHECK(turns == 9);  // eight to win it
  CHECK_FALSE(passes_in_another_thread(it));
  for (turns = 1; !it.pass(nothing);) ++turns;
  CHECK(turns == 65);
}

TEST_CASE("after a dismissal nobody enters") {
  door it;
  (void)it.pass(nothing);
  REQUIRE(it.favourite.enter());
  it.favourite.leave();
  it.favourite.dismiss(door::nap);
  CHECK_FALSE(it.favourite.enter());
}

TEST_CASE("a dismissal waits until the favourite is outside") {
  door it;
  (void)it.pass(nothing);
  REQUIRE(it.favourite.enter());
  std::atomic<bool> naps = false;
  std::atomic<bool> dismissed = false;
  std::thread other([&] {
    it.favourite.dismiss([&] {
      naps = true;
      std::this_thread::yield();
    });
    dismissed = true;
  });
  while (!naps) std::this_thread::yield();
  CHECK_FALSE(dismissed);
  it.favourite.leave();
  other.join();
  CHECK(dismissed);
}

TEST_CASE("the favourite and who dismisses it are never inside together") {
  (void)platform::self();  // as in every process that has taken a lock: its light fences may be free
  const auto rounds = static_cast<uint64_t>(test::repetitions(5'000));
  int64_t inside = 0;  // not atomic: a thread sanitizer sees it, too
  std::atomic<int> who = 0;
  std::atomic<int> together = 0;
  const auto work = [&](int me) {
    if (++inside != 1 || who.load(std::memory_order_relaxed) != 0) ++together;
    who.store(me, std::memory_order_relaxed);
    for (int i = 0; i < 20; ++i) together += who.load(std::memory_order_relaxed) != me;
    who.store(0, std::memory_order_relaxed);
    --inside;
  };
  // Each round has a door of its own, whose first favourite is dismissed once: that is the moment that matters.
  std::vector<door> doors(static_cast<size_t>(rounds));
  std::atomic<uint64_t> begun = 0, ended = 0;
  std::thread other([&] {
    uint64_t state = 1;
    for (uint64_t i = 1; i <= rounds; ++i) {
      while (begun < i) std::this_thread::yield();
      for (uint64_t left = test::next_random(state) % 300; left != 0; --left) platform::pause_cpu();
      (void)doors[static_cast<size_t>(i - 1)].pass([&] { work(1); });
      ended = i;
    }
  });
  uint64_t as_favourite = 0;
  for (uint64_t i = 1; i <= rounds; ++i) {
    door& it = doors[static_cast<size_t>(i - 1)];
    (void)it.pass([&] { work(2); });
    begun = i;
    // Relaxed, so that within a round nothing but the door keeps the two apart; the rounds follow each other.
    while (ended.load(std::memory_order_relaxed) < i) as_favourite += it.pass([&] { work(2); });
    (void)ended.load(std::memory_order_acquire);
  }
  other.join();
  CHECK(together == 0);
  CHECK(inside == 0);
  CHECK(as_favourite > rounds);
}
