// SPDX-License-Identifier: MIT
// Things that are done once in the life of a process, by whoever comes first. In place of uv_once for what every new process comes by: the word is
// our own to lay where it costs least.
#pragma once

#include <atomic>
#include <cstdint>

#include "platform.h"

namespace kith {

class once {
 public:
  bool done() const { return word_.load(std::memory_order_acquire) == is_done; }  // with the release below

  // `make` answers whether it is done; otherwise the next one tries again.
  template <class Make>
  void call(Make make) {
    if (done()) return;  // without writing: after a fork that would copy the page
    const uint32_t mine = platform::own_pid() | claimed;
    while (true) {
      uint32_t seen = nobody;
      if (claim(seen, mine)) break;
      if (seen == is_done) return;
      // Whose fork we are may have been in the midst of it, in a thread that we have not.
      if (seen != nobody && seen != mine && claim(seen, mine)) break;
      platform::yield_cpu();
    }
    word_.store(make() ? is_done : nobody, std::memory_order_release);  // pairs with the acquires here
  }

  void set_done() { word_.store(is_done, std::memory_order_release); }

  void forget() {
    // Without writing, if there is nothing to forget.
    if (word_.load(std::memory_order_relaxed) != nobody) word_.store(nobody, std::memory_order_relaxed);
  }

 private:
  // Not 0: what begins as zero lies in pages that a new process takes a fault for, what does not lies beside what the loader writes to.
  static constexpr uint32_t nobody = 1, is_done = 2;
  static constexpr uint32_t claimed = 1u << 31;  // and the pid of whose thread does it

  // Acquire, also when it fails: who finds it done sees what was made, and who takes it up again what the last one did. With the release above.
  bool claim(uint32_t& seen, uint32_t mine) {
    return word_.compare_exchange_strong(seen, mine, std::memory_order_acquire);
  }

  std::atomic<uint32_t> word_{nobody};
};

}  // namespace kith
