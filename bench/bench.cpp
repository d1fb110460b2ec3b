// SPDX-License-Identifier: MIT
// The benchmark. Every figure stands beside a yardstick that was measured in turns with it, in the same run.
//
//     bench [--quick] [--tsv] [topic...]      topics: floor lock wake start channel ways queue pool broadcast connect many
#include "bench.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

namespace bench {

void fail(kith_status status, const char* what) {
  std::fprintf(stderr, "bench: %s: %s (OS error %d)\n", what, kith_status_text(status),
               static_cast<int>(kith_os_error()));
  std::exit(1);
}

void rest(int us) {
  for (const stopwatch watch; watch.seconds() * 1e6 < us;) {
  }
}

partner::partner(kith_entry role, int32_t argument, std::initializer_list<kith_share> shares) {
  kith_process_options options{};
  options.struct_size = sizeof options;
  options.entry = role;
  options.argument = &argument;
  options.argument_size = sizeof argument;
  options.shares = shares.begin();
  options.share_count = shares.size();
  check(kith_process_spawn(&options, &process_), "start a partner");
}

partner::~partner() {
  kith_exit end;
  check(kith_process_wait(process_, KITH_FOREVER, &end), "wait for the partner");
  kith_process_close(process_);
}

shared_stage::shared_stage() { check(kith_memory_create(sizeof(stage), nullptr, &memory_), "create memory"); }

stage& inherited_stage() {
  kith_memory* memory = nullptr;
  check(kith_memory_inherit("stage", &memory), "take the stage");
  return *static_cast<stage*>(kith_memory_data(memory));
}

void meet(stage& s) {
  s.ready.store(1);
  while (s.go.load() == 0) std::this_thread::yield();
}

void start_round(stage& s) {
  while (s.ready.load() == 0) std::this_thread::yield();
  s.go.store(1);
}

namespace {

struct topic {
  const char* name;
  void (*run)(table& out, const settings& how);
};

constexpr topic topics[] = {
    {"floor", bench_floor},     {"lock", bench_lock},       {"wake", bench_wake},
    {"start", bench_start},     {"channel", bench_channel}, {"ways", bench_ways},
    {"queue", bench_queue},     {"pool", bench_pool},       {"broadcast", bench_broadcast},
    {"connect", bench_connect}, {"many", bench_many},
};

// The program stands beside this one.
std::string beside(const char* own_path, const char* name) {
  const std::string path = own_path;
  const size_t slash = path.find_last_of("/\\");
  return (slash == std::string::npos ? std::string("./") : path.substr(0, slash + 1)) + name;
}

bool wanted(const std::vector<const char*>& names, const char* name) {
  for (const char* other : names) {
    if (std::strcmp(other, name) == 0) return true;
  }
  return names.empty();
}

}  // namespace

}  // namespace bench

int main(int argc, char** argv) {
  int32_t code = 0;
  if (kith_child_main(&code) != 0) return code;
  if (argc == 2 && std::strcmp(argv[1], bench::do_nothing_argument) == 0) return 0;

  bench::settings how;
  how.program = bench::beside(argv[0], "bench_nothing");
  how.self = argv[0];
  bool tsv = false;
  std::vector<const char*> names;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--quick") == 0) {
      how.quick = true;
    } else if (std::strcmp(argv[i], "--tsv") == 0) {
      tsv = true;
    } else {
      names.push_back(argv[i]);
    }
  }
  bench::table out;
  for (const bench::topic& t : bench::topics) {
    if (!bench::wanted(names, t.name)) continue;
    std::fprintf(stderr, "bench: %s...\n", t.name);
    t.run(out, how);
  }
  if (tsv) {
    out.print_tsv();
  } else {
    std::printf("%u CPUs. A figure holds for this machine and this run only: compare the ratios.\n",
                std::thread::hardware_concurrency());
    out.print();
  }
  return 0;
}
