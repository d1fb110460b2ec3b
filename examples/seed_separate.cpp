// SPDX-License-Identifier: MIT
// Processes do not share variables. The child process p1 fills its list; the list of the main program stays empty.
#include <cstdio>
#include <kith/kith.hpp>
#include <vector>

std::vector<int> result;  // every process has its own

void print_result(const char* where) {
  std::printf("Result(in %s) [", where);
  for (const char* gap = ""; const int each : result) std::printf("%s%d", std::exchange(gap, ", "), each);
  std::printf("]\n");
}

void square_list(std::span<const int> list) {
  for (const int each : list) result.push_back(each * each);
  print_result("process p1");
}

int main() {
  if (const auto code = kith::child_main()) return *code;
  kith::process p1(square_list, std::vector{1, 2, 3, 4});
  const bool ok = p1.join().ok();
  print_result("main program");
  return ok ? 0 : 1;
}
