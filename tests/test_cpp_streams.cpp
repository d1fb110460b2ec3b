// SPDX-License-Identifier: MIT
// kith.hpp: the standard streams of children.
#include "child_streams.h"
#include "thrown.h"

using namespace std::chrono_literals;
using test::nothing_leaks;
using test::thrown_by;

namespace {

int copies_stdin() { return test::copies(nullptr, 0); }

int complains(std::string_view text) { return test::say(KITH_STDERR, text) ? 3 : 1; }

void works_until_asked(kith::event begun) {
  (void)kith::stop_requested();  // from now on it is asked, and not ended
  begun.set();
  while (!kith::stop_requested(1s)) continue;
}

kith::spawn_options with_pipes() { return {.std_in = kith::stdio::pipe(), .std_out = kith::stdio::pipe()}; }

}  // namespace

TEST_CASE_FIXTURE(nothing_leaks, "C++: a child is given its input, and what it writes is collected") {
  const std::string input(300'000, 'i');
  kith::process child(with_pipes(), copies_stdin);
  const kith::finished end = child.communicate(input);
  CHECK(end.how.ok());
  CHECK(end.out == input);
  CHECK(end.err.empty());

  kith::process loud(
      {.std_out = kith::stdio::nothing(), .std_err = kith::stdio::pipe(), .name = "complainer"}, complains,
      "oh no");
  CHECK(std::string(loud.name()) == "complainer");
  const kith::finished how = loud.communicate();
  CHECK(how.how.code == 3);
  CHECK(how.err == "oh no");
  CHECK(loud.output(KITH_STDOUT).empty());
}

TEST_CASE_FIXTURE(nothing_leaks, "C++: streams are written and read with deadlines") {
  kith::process child(with_pipes(), copies_stdin);
  kith::stream in = child.take_stream(KITH_STDIN);
  const kith::stream out = child.take_stream(KITH_STDOUT);
  CHECK(thrown_by([&] { (void)child.take_stream(KITH_STDERR); }) == KITH_E_NOT_FOUND);
  CHECK(thrown_by([&] { (void)child.take_stream(KITH_STDIN); }) == KITH_E_MOVED);
  CHECK(thrown_by([&] { (void)out.read(1ms); }) == KITH_E_TIMEOUT);
  in.write("hello");
  CHECK(kith::wait_any(60s, out) == 0);
  CHECK(out.read() == "hello");
  in.write(", world");
  in.reset();
  CHECK(out.read_to_end(60s) == ", world");
  CHECK(out.read().empty());
  CHECK(child.join().ok());
}

TEST_CASE_FIXTURE(nothing_leaks, "C++: a standard stream can be a file") {
  const test::temporary_folder folder;
  const std::string path = folder.path() + "/out";
  CHECK(kith::process({.std_err = kith::stdio::file(path)}, complains, "one").join().code == 3);
  CHECK(kith::process({.std_err = kith::stdio::append(path)}, complains, " two").join().code == 3);
  kith::process child({.std_in = kith::stdio::file(path), .std_out = kith::stdio::pipe()}, copies_stdin);
  CHECK(child.communicate().out == "one two");
  CHECK(thrown_by([] { (void)kith::process({.std_in = kith::stdio::append("x")}, copies_stdin); }) ==
        KITH_E_INVALID);
}

TEST_CASE_FIXTURE(nothing_leaks, "C++: a function that looks for it is asked to stop") {
  const kith::event begun;
  kith::process child(works_until_asked, begun);
  begun.wait();
  CHECK(child.stop(kith::at_once, kith::forever, kith::at_once).ok());
}
