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

std::string twice(std::string_view text) { return std::string(text) + std::string(text); }
int64_t square(int x) { return int64_t{x} * x; }
void adds(const kith::value<int>& sum, int x) { (void)sum.try_add(x); }

bool does_tasks() {
  auto sum = kith::value<int>::try_create();
  auto pool = kith::pool::try_create({.workers = 2}, *sum);
  if (!sum || !pool) return false;
  auto text = pool->try_submit(kith::forever, twice, "ab");
  auto nothing = pool->try_submit(kith::forever, adds, *sum, 7);
  std::vector<int64_t> squares;
  if (!text || !nothing || !pool->try_map(squares, square, std::vector{1, 2, 3}).ok()) return false;
  auto got = text->try_get();
  int added = 0;
  return got && *got == "abab" && nothing->try_get().ok() && sum->try_load(added).ok() && added == 7 &&
         squares == std::vector<int64_t>{1, 4, 9} && text->try_get().why() == KITH_E_NOT_FOUND;
}

bool hears_a_broadcast() {
  auto numbers = kith::broadcast<int>::try_create({});
  if (!numbers) return false;
  auto reader = numbers->try_subscribe();
  int heard = 0;
  if (!reader || !numbers->try_publish(5).ok() || !reader->try_next(heard).ok() || heard != 5) return false;
  numbers->shutdown();
  return reader->try_next(heard) == KITH_E_CLOSED;
}

bool reads_a_stream() {
  auto child = kith::process::try_start({.std_in = kith::stdio::pipe()}, square, 3);
  kith::exit_status how;
  return child && child->try_take_stream(KITH_STDOUT).why() == KITH_E_NOT_FOUND &&
         child->try_communicate(how, "unread").ok() && how.code == 9;
}

bool meets_nobody() {
  return kith::try_connect("a name that nobody has").why() == KITH_E_NOT_FOUND &&
         !kith::os_handle::try_create(-1) && kith::endpoint::try_listen("").why() == KITH_E_INVALID;
}

bool tells_why() { return kith::barrier::try_create(0).why() == KITH_E_INVALID; }

}  // namespace

int main() {
  if (const auto code = kith::child_main()) return *code;
  return !runs_a_function() + 2 * !sends_a_message() + 4 * !tells_why() + 8 * !does_tasks() +
         16 * !hears_a_broadcast() + 32 * !reads_a_stream() + 64 * !meets_nobody();
}
