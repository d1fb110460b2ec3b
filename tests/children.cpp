// SPDX-License-Identifier: MIT
// What this program does when a test starts it as a program: kith_tests --child=<role> [argument...]. Functions that children
// run stand beside the tests that start them.
#include <uv.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "child_streams.h"

namespace test {
namespace {

using arguments = std::vector<std::string>;

int exit_with(const arguments& given) { return std::atoi(given.at(0).c_str()); }

// Sends each of its arguments over the channel "report".
int echo(const arguments& given) {
  channel report;
  CHILD_NEEDS(kith_channel_inherit("report", report.out()) == KITH_OK);
  for (const std::string& argument : given) CHILD_NEEDS(tell(report, argument));
  return 0;
}

// Writes its arguments into a file, each with its NUL: for a program that another one starts for us.
int store(const arguments& given) {
  char path[4096];
  size_t size = sizeof path;
  CHILD_NEEDS(uv_os_getenv("KITH_TEST_FILE", path, &size) == 0);
  std::FILE* const file = std::fopen(path, "wb");
  CHILD_NEEDS(file != nullptr);
  for (const std::string& each : given) std::fwrite(each.c_str(), 1, each.size() + 1, file);
  CHILD_NEEDS(std::fclose(file) == 0);
  return 0;
}

std::string variable(const char* name) {
  char text[4096];
  size_t size = sizeof text;
  return uv_os_getenv(name, text, &size) == 0 ? std::string(text, size) : "(not set)";
}

int environment(const arguments& given) {
  channel report;
  CHILD_NEEDS(kith_channel_inherit("report", report.out()) == KITH_OK);
  for (const std::string& name : given) CHILD_NEEDS(tell(report, variable(name.c_str())));
  return 0;
}

int environment_names(const arguments&) {
  channel report;
  CHILD_NEEDS(kith_channel_inherit("report", report.out()) == KITH_OK);
  uv_env_item_t* items = nullptr;
  int count = 0;
  CHILD_NEEDS(uv_os_environ(&items, &count) == 0);
  for (int i = 0; i < count; ++i) CHILD_NEEDS(tell(report, items[i].name));
  uv_os_free_environ(items, count);
  return 0;
}

int working_folder(const arguments&) {
  channel report;
  CHILD_NEEDS(kith_channel_inherit("report", report.out()) == KITH_OK);
  char path[4096];
  size_t size = sizeof path;
  CHILD_NEEDS(uv_cwd(path, &size) == 0);
  CHILD_NEEDS(tell(report, path));
  return 0;
}

int own_id(const arguments&) {
  channel report;
  CHILD_NEEDS(kith_channel_inherit("report", report.out()) == KITH_OK);
  CHILD_NEEDS(tell(report, std::to_string(uv_os_getpid())));
  return 0;
}

// Stays until its line is closed.
int stay(const arguments&) {
  channel line;
  CHILD_NEEDS(kith_channel_inherit("line", line.out()) == KITH_OK);
  CHILD_NEEDS(tell(line, "ready"));
  size_t size = 0;
  CHILD_NEEDS(kith_channel_recv(line, nullptr, 0, &size, generous) == KITH_E_CLOSED);
  return 0;
}

int wait_for_stop(const arguments&) {
  channel line;
  CHILD_NEEDS(kith_channel_inherit("line", line.out()) == KITH_OK);
  CHILD_NEEDS(kith_stop_requested(0) == KITH_E_TIMEOUT);
  CHILD_NEEDS(tell(line, "looks"));
  CHILD_NEEDS(kith_stop_requested(generous) == KITH_OK);
  return 5;
}

int own_name(const arguments&) {
  channel line;
  CHILD_NEEDS(kith_channel_inherit("line", line.out()) == KITH_OK);
  CHILD_NEEDS(tell(line, kith_self_name()));
  return 0;
}

int die(const arguments&) { crash(); }

// A worker of a pool that is a program of its own: answers each task with its bytes in the other order.
int serve_pool(const arguments&) {
  worker self;
  CHILD_NEEDS(kith_worker_open(self.out()) == KITH_OK);
  const void* data = nullptr;
  size_t size = 0;
  kith_status status = KITH_OK;
  while ((status = kith_worker_next(self, &data, &size, generous)) == KITH_OK) {
    const char* const text = static_cast<const char*>(data);
    for (size_t i = size; i-- != 0;) CHILD_NEEDS(kith_worker_reply(self, text + i, 1) == KITH_OK);
    CHILD_NEEDS(kith_worker_done(self, static_cast<int32_t>(size)) == KITH_OK);
  }
  return status == KITH_E_CLOSED ? 0 : 1;
}

// How many handles this process has beyond the standard streams; 200: too many for an exit code.
int count_handles(const arguments&) {
  const size_t count = open_handles();
  return count >= 203 ? 200 : static_cast<int>(count) - 3;
}

int copy(const arguments&) { return copies(nullptr, 0); }

struct named_role {
  const char* name;
  int (*run)(const arguments&);
};

constexpr named_role roles[] = {
    {"exit", exit_with},
    {"echo", echo},
    {"store", store},
    {"environment", environment},
    {"environment_names", environment_names},
    {"serve_pool", serve_pool},
    {"cwd", working_folder},
    {"id", own_id},
    {"stay", stay},
    {"wait_for_stop", wait_for_stop},
    {"name", own_name},
    {"crash", die},
    {"count_handles", count_handles},
    {"copy", copy},
};

constexpr std::string_view prefix = "--child=";

int32_t named_entry(const void* argument, size_t size) {
  return size == 1 ? *static_cast<const unsigned char*>(argument) : -1;
}

}  // namespace

bool has_role(int argc, char** argv) {
  return argc > 1 && std::strncmp(argv[1], prefix.data(), prefix.size()) == 0;
}

int run_role(int argc, char** argv) {
  const arguments all = utf8_arguments(argc, argv);
  const std::string wanted = all.at(1).substr(prefix.size());
  for (const named_role& role : roles) {
    if (wanted == role.name) return role.run(arguments(all.begin() + 2, all.end()));
  }
  return child_failed("the role exists", __FILE__, __LINE__);
}

void register_entries() { kith_entry_register("tests/returns its argument", named_entry); }

}  // namespace test
