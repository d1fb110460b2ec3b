// SPDX-License-Identifier: MIT
// Message passing: the main program sends a list to the child process p1, which sends back the squares, then their sum.
// Nothing is shared.
#include <cstdio>
#include <kith/kith.hpp>
#include <vector>

using list = std::vector<int>;

void print_squares(const char* where, const list& squares, int sum) {
  std::printf("Result(in %s): [", where);
  for (const char* gap = ""; const int each : squares) std::printf("%s%d", std::exchange(gap, ", "), each);
  std::printf("]\nSum of squares(in %s): %d\n", where, sum);
}

void square_list(kith::channel parent) {
  list squares = parent.recv<list>();
  int sum = 0;
  for (int& each : squares) sum += each *= each;
  print_squares("process p1", squares, sum);
  parent.send(squares);
  parent.send_value(sum);
}

int main() {
  if (const auto code = kith::child_main()) return *code;
  auto [ours, theirs] = kith::make_channel();
  kith::process p1(square_list, std::move(theirs));
  ours.send(list{1, 2, 3, 4});
  const list squares = ours.recv<list>();
  const int sum = ours.recv_value<int>();
  const bool ok = p1.join().ok();
  print_squares("main program", squares, sum);
  return ok ? 0 : 1;
}
