// SPDX-License-Identifier: MIT
// The `kith` command.
//
//     kith doctor [--json]
#include <kith/kith.h>

#include <cstdio>
#include <cstring>

#include "doctor.h"

namespace {

constexpr int usage_error = 2;

int usage(std::FILE* to, int code) {
  std::fputs(
      "usage: kith doctor [--json]   what this machine offers to kith, and lacks\n"
      "       kith --version\n"
      "       kith --help\n",
      to);
  return code;
}

int doctor(int count, char** arguments) {
  bool json = false;
  for (int i = 0; i < count; ++i) {
    if (std::strcmp(arguments[i], "--json") != 0) return usage(stderr, usage_error);
    json = true;
  }
  const command::report all = command::examine();
  if (json) {
    command::print_json(all);
  } else {
    command::print_table(all);
  }
  return command::has_failed(all) ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
  int32_t code = 0;
  if (kith_child_main(&code) != 0) return code;
  if (argc < 2) return usage(stderr, usage_error);
  if (std::strcmp(argv[1], "doctor") == 0) return doctor(argc - 2, argv + 2);
  if (std::strcmp(argv[1], "--help") == 0) return usage(stdout, 0);
  if (std::strcmp(argv[1], "--version") == 0) {
    const int32_t version = kith_version();
    std::printf("kith %d.%d.%d\n", version / 10'000, version / 100 % 100, version % 100);
    return 0;
  }
  return usage(stderr, usage_error);
}
