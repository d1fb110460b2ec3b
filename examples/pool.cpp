// SPDX-License-Identifier: MIT
// Counts primes in worker processes. One task ends its worker, another one throws: only these two fail.
#include <cstdio>
#include <cstdlib>
#include <kith/kith.hpp>
#include <stdexcept>
#include <vector>

bool is_prime(int number) {
  for (int i = 2; i * i <= number; ++i) {
    if (number % i == 0) return false;
  }
  return number >= 2;
}

/* [task] */
// Runs in a worker process. The object was given to the pool; the numbers come with the task.
int count_primes(const kith::value<int64_t>& total, int first, int end) {
  if (first < 0) std::_Exit(3);  // as a crash would
  if (first > end) throw std::invalid_argument("a range from right to left");
  int count = 0;
  for (int i = first; i < end; ++i) count += is_prime(i);
  total += count;
  return count;
}
/* [task] end */

std::vector<int> factors(int number) {
  std::vector<int> found;
  for (int i = 2; i <= number; ++i) {
    for (; number % i == 0; number /= i) found.push_back(i);
  }
  return found;
}

void print(const std::vector<int>& numbers) {
  for (const char* gap = ""; const int each : numbers) std::printf("%s%d", std::exchange(gap, " x "), each);
  std::printf("\n");
}

int main() {
  if (const auto code = kith::child_main()) return *code;  // the workers leave main here

  /* [submit] */
  const kith::value<int64_t> total;
  const kith::pool pool({.workers = 2}, total);
  std::vector<kith::future<int>> counts;
  for (int first = 0; first < 500'000; first += 2'500)
    counts.push_back(pool.submit(count_primes, total, first, first + 2'500));
  auto crash = pool.submit(count_primes, total, -1, 0);
  auto wrong = pool.submit(count_primes, total, 2, 1);
  /* [submit] end */

  /* [get] */
  int primes = 0;
  for (auto& each : counts) primes += each.get();
  std::printf("primes below 500000: %d, the workers say %d\n", primes, static_cast<int>(total.load()));
  try {
    crash.get();
  } catch (const kith::error& why) {
    std::printf("%s, with the code %d\n", why.why().name(), static_cast<int>(crash.end().code));
  }
  try {
    wrong.get();
  } catch (const kith::task_failed& why) {
    std::printf("it said: %s\n", why.what());
  }
  /* [get] end */

  /* [map] */
  for (const std::vector<int>& each : pool.map(factors, std::vector{60, 97, 1001})) print(each);
  pool.shutdown();
  /* [map] end */
  return 0;
}
