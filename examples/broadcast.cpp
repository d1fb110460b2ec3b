// SPDX-License-Identifier: MIT
// One process publishes prices, others read them: a range of messages.
#include <cstdio>
#include <kith/kith.hpp>

struct price {
  int number, cents;
};

/* [reader] */
void listener(kith::broadcast<price> prices, kith::event ready) {
  kith::reader<price> reader = prices.subscribe();  // from now on
  ready.set();
  int count = 0, sum = 0;
  for (const price& each : reader) {  // until the broadcast is shut down
    ++count;
    sum += each.cents;
  }
  std::printf("heard %d prices, %d cents, missed %d\n", count, sum, static_cast<int>(reader.missed()));
}
/* [reader] end */

int main() {
  if (const auto code = kith::child_main()) return *code;
  /* [publish] */
  const kith::broadcast<price> prices({.flags = KITH_BROADCAST_HOLD});  // slow readers hold us back
  const kith::event ready;
  kith::process child(listener, prices, ready);
  ready.wait();
  for (int i = 0; i < 1000; ++i) prices.publish({i, 100 + i % 7});
  prices.shutdown();
  return child.join().ok() ? 0 : 1;
  /* [publish] end */
}
