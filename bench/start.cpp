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

}  // namespace

void bench_start(table& out, const settings& how) {
  const int count = how.quick ? 1 : 5, rounds = how.quick ? 1 : 101;
  std::vector<subject> functions;
  const char* const spawn_name = kith_has(KITH_HAS_FORK) ? "kith spawn" : "kith";
  if (kith_has(KITH_HAS_FORK)) {
    functions.push_back(starting("kith", count, [] { start_function(KITH_START_FORK); }));
  }
  for (const start_yardstick& y : function_yardsticks()) {
    functions.push_back(starting(y.name, count, [start = y.start] { start(nullptr); }));
  }
  functions.push_back(starting(spawn_name, count, [] { start_function(KITH_START_SPAWN); }));
  out.add(measure_in_turns({"start.function", "us", better::smaller, "fork", {}}, rounds, functions));

  std::vector<subject> programs{starting("kith", count, [&] { start_program(how.program.c_str()); })};
  for (const start_yardstick& y : program_yardsticks()) {
    programs.push_back(starting(y.name, count, [&, start = y.start] { start(how.program.c_str()); }));
  }
  out.add(measure_in_turns({"start.program", "us", better::smaller, "vfork+exec", {}}, rounds, programs));
}

}  // namespace bench
