// SPDX-License-Identifier: MIT
// Starting a function in a new process, and a program, and waiting for its end.
#include "bench.h"
#include "yardsticks.h"

namespace bench {

namespace {

int32_t do_nothing(const void*, size_t) { return 0; }

void start_and_wait(const kith_process_options& options) {
  kith_process* process = nullptr;
  kith_exit end;
  check(kith_process_spawn(&options, &process), "start a process");
  check(kith_process_wait(process, KITH_FOREVER, &end), "wait for a process");
  kith_process_close(process);
}

void start_function(uint32_t method) {
  kith_process_options options{};
  options.struct_size = sizeof options;
  options.entry = do_nothing;
  options.start = method;
  start_and_wait(options);
}

void start_program(const char* program) {
  const char* const argv[] = {program, nullptr};
  kith_process_options options{};
  options.struct_size = sizeof options;
  options.argv = argv;
  start_and_wait(options);
}

// µs for one start; few at a time, so that the turns are short.
template <class Start>
subject starting(const char* name, int count, Start start) {
  return {name, [=] {
            const stopwatch watch;
            for (int i = 0; i < count; ++i) start();
            return watch.seconds() * 1e6 / count;
          }};
}

// Memory that the parent has written to: what a copy of it, as fork makes, must copy the tables of.
class touched_memory {
 public:
  explicit touched_memory(size_t size) : bytes_(size) {}

 private:
  std::vector<char> bytes_;  // zeroes, written one by one
};

constexpr size_t large = size_t{1} << 30;

// The bare fork is what any program would write: fork, _exit, waitpid. Two things speak for kith, both in any such program: its child calls _exit by
// way of the dynamic linker, which binds it anew in each child (not with -z now); and kith's own handler of forks runs in it, too, some 2 %.
void bench_function(table& out, const settings& how, int count, int rounds) {
  std::vector<subject> forked;
  if (kith_has(KITH_HAS_FORK)) {
    forked.push_back(starting("kith", count, [] { start_function(KITH_START_FORK); }));
  }
  for (const start_yardstick& y : function_yardsticks()) {
    forked.push_back(starting(y.name, count, [start = y.start] { start(nullptr, nullptr); }));
  }
  if (!forked.empty())
    out.add(measure_in_turns({"start.function", "us", better::smaller, "fork", {}}, 3 * rounds, forked));

  // The same file is run, but as any program.
  std::vector<subject> spawned{starting("kith", count, [] { start_function(KITH_START_SPAWN); })};
  for (const start_yardstick& y : program_yardsticks()) {
    spawned.push_back(
        starting(y.name, count, [&, start = y.start] { start(how.self.c_str(), do_nothing_argument); }));
  }
  out.add(measure_in_turns({"start.spawn", "us", better::smaller, spawned[1].name, {}}, rounds, spawned));
}

void bench_large_parent(table& out, const settings& how, int count, int rounds) {
  const auto start = [&] { start_program(how.program.c_str()); };
  const subject small = starting("kith", count, start);
  std::vector<subject> parents{small};
  parents.push_back({"kith, 1 GiB", [=] {
                       const touched_memory memory(large);
                       return small.round();
                     }});
  out.add(measure_in_turns({"start.parent", "us", better::smaller, "kith", {}}, rounds, parents));
}

}  // namespace

void bench_start(table& out, const settings& how) {
  const int count = how.quick ? 1 : 5, rounds = how.quick ? 1 : 101;
  bench_function(out, how, count, rounds);

  std::vector<subject> programs{starting("kith", count, [&] { start_program(how.program.c_str()); })};
  for (const start_yardstick& y : program_yardsticks()) {
    programs.push_back(
        starting(y.name, count, [&, start = y.start] { start(how.program.c_str(), nullptr); }));
  }
  out.add(measure_in_turns({"start.program", "us", better::smaller, programs[1].name, {}}, rounds, programs));

  if (!how.quick) bench_large_parent(out, how, 20, 11);
}

}  // namespace bench
