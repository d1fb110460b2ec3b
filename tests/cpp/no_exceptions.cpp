// SPDX-License-Identifier: MIT
// kith.hpp in a program without exceptions: the try_ forms. The exit code is the number of what failed.
#include <kith/kith.hpp>

#if KITH_HPP_THROWS
#error "this is to be compiled without exceptions"
#endif

namespace {

int add(int a, int b, kith::value<int> sum) { return sum.try_store(a + b).ok() ? 0 : 1; }

bool runs_a_function() {
  auto sum = kith::value<int>::try_create();
  if (!sum) return false;
  auto child = kith::process::try_start({}, add, 40, 2, *sum);
  kith::exit_status how;
  int got = 0;
  return child && child->try_join(how).ok() && how.ok() && sum->try_load(got).ok() && got == 42;
}

bool sends_a_message() {
  auto ends = kith::channel::try_create();
  if (!ends || !ends->first.try_send("hello").ok()) return false;
  std::string got;
  return ends->second.try_recv(got).ok() && got == "hello" &&
         ends->second.try_recv(got, kith::at_once).timed_out();
}

bool tells_why() { return kith::barrier::try_create(0).why() == KITH_E_INVALID; }

}  // namespace

int main() {
  if (const auto code = kith::child_main()) return *code;
  return !runs_a_function() + 2 * !sends_a_message() + 4 * !tells_why();
}
