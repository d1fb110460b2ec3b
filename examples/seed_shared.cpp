// SPDX-License-Identifier: MIT
// Shared memory: the child process p1 squares a list into a shared array and puts the sum into a shared value. The main
// program sees both.
#include <cstdio>
#include <kith/kith.hpp>
#include <vector>

/* [functions] */
void print_squares(const char* where, const kith::array<int>& result, const kith::value<int>& square_sum) {
  std::printf("Result(in %s): [", where);
  for (const char* gap = ""; const int each : result) std::printf("%s%d", std::exchange(gap, ", "), each);
  std::printf("]\nSum of squares(in %s): %d\n", where, square_sum.load());
}

void square_list(std::span<const int> list, kith::array<int> result, kith::value<int> square_sum) {
  for (std::size_t i = 0; i < list.size(); ++i) square_sum += result[i] = list[i] * list[i];
  print_squares("process p1", result, square_sum);
}

int main() {
  if (const auto code = kith::child_main()) return *code;  // a child runs its function here
  kith::array<int> result(4);
  kith::value<int> square_sum;
  kith::process p1(square_list, std::vector{1, 2, 3, 4}, result, square_sum);
  const bool ok = p1.join().ok();
  print_squares("main program", result, square_sum);
  return ok ? 0 : 1;
}
/* [functions] end */
