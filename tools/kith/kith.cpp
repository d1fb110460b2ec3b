// SPDX-License-Identifier: MIT
// The `kith` command: see kith.1.
#include <kith/kith.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "command_line.h"
#include "doctor.h"
#include "gc.h"
#include "ls.h"
#include "machine.h"
#include "text.h"

namespace {

using command::command_line;

int doctor(command_line& line) {
  bool json = false;
  if (!command::read_options(line, {{"--json", nullptr, &json}})) return command::usage_error;
  if (!line.words.empty()) return command::complain("doctor", "it takes options only");
  const command::report all = command::examine();
  if (json) {
    command::print_json(all);
  } else {
    command::print_table(all);
  }
  return command::has_failed(all) ? command::failure : command::success;
}

struct known_command {
  const char* name;
  int (*run)(command_line& line);
  const char* synopsis;
  const char* purpose;
  const char* options;
};

constexpr known_command known_commands[] = {
    {"ls", command::ls, "kith ls [--json] [-l] [KIND | NAME]...",
     "what named objects and endpoints there are",
     "  KIND     only of these kinds: memory, array, value, lock, semaphore, condition, event, barrier, "
     "queue,\n"
     "           broadcast, endpoint\n"
     "  NAME     only with such names; * stands for any text, ? for one character\n"
     "  -l, --long   nothing is cut\n"
     "  --json       an array of objects\n"
     "  --           what follows are names, also where it looks like an option or a kind\n"},
    {"top", command::top, "kith top [--interval SECONDS] [--count N] [--json] [-l] [KIND | NAME]...",
     "the same, again and again, until Ctrl-C",
     "  KIND, NAME, -l, --long   as of kith ls\n"
     "  -i, --interval SECONDS   the time between two tables (2)\n"
     "  -n, --count N            so many tables, then it ends\n"
     "  --json                   an array a line\n"},
    {"gc", command::gc, "kith gc [--dry-run] [--json]",
     "remove what crashes have left; never what lives or is persistent",
     "  -n, --dry-run   only tell what would be removed\n"
     "  --json          an object: dry_run, count, and removed, an array\n"},
    {"rm", command::rm, "kith rm KIND NAME", "remove a persistent object: at once, or with its last user",
     ""},
    {"doctor", doctor, "kith doctor [--json]", "what this machine offers to kith, and lacks",
     "  --json   an object: for each name its result, value and remark\n"},
};

std::string usage() {
  std::string out = "usage:\n";
  for (const known_command& each : known_commands)
    out += std::string("  ") + each.synopsis + "\n      " + each.purpose + "\n";
  return out + "  kith --version\n  kith --help, kith COMMAND --help\n";
}

std::string help_of(const known_command& of) {
  const std::string options = of.options;
  return std::string("usage: ") + of.synopsis + "\n\n" + of.purpose + "\n" +
         (options.empty() ? "" : "\n" + options);
}

int print(const std::string& text) { return command::put(text) ? command::success : command::failure; }

bool wants_help(const std::vector<std::string>& words) {
  const auto end = std::find(words.begin(), words.end(), "--");
  return std::any_of(words.begin(), end,
                     [](const std::string& each) { return each == "--help" || each == "-h"; });
}

int print_version() {
  const int32_t version = kith_version();
  return print("kith " + std::to_string(version / 10'000) + "." + std::to_string(version / 100 % 100) + "." +
               std::to_string(version % 100) + "\n");
}

int run(const std::vector<std::string>& words) {
  if (words.empty()) {
    std::fputs(usage().c_str(), stderr);
    return command::usage_error;
  }
  const std::string& name = words[0];
  if (name == "--version") return print_version();
  if (name == "--help" || name == "-h" || name == "help") return print(usage());
  for (const known_command& each : known_commands) {
    if (name != each.name) continue;
    command_line line{each.name, {words.begin() + 1, words.end()}, {}};
    return wants_help(line.given) ? print(help_of(each)) : each.run(line);
  }
  std::fprintf(stderr, "kith: there is no command %s\n%s", command::shown_text(name).c_str(),
               usage().c_str());
  return command::usage_error;
}

}  // namespace

int main(int argc, char** argv) {
  int32_t code = 0;
  if (kith_child_main(&code) != 0) return code;
  return run(command::arguments(argc, argv));
}
