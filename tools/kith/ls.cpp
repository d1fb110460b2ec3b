// SPDX-License-Identifier: MIT
#include "ls.h"

#include <cstdio>

#include "machine.h"
#include "names.h"
#include "table.h"
#include "text.h"

namespace command {

namespace {

std::string nothing_found(size_t all) {
  if (all == 0) return "There are no named objects and no endpoints.\n";
  return "None of the " + std::to_string(all) + " named objects and endpoints matches.\n";
}

std::string json_lines(const std::vector<named>& all) {
  std::string out = "[";
  for (const named& each : all) out += (out.size() == 1 ? "\n  " : ",\n  ") + json_of(each, false);
  return out + (all.empty() ? "]\n" : "\n]\n");
}

}  // namespace

int ls(command_line& line) {
  bool json = false;
  table_style style;
  if (!read_options(line, {{"--json", nullptr, &json}, {"--long", "-l", &style.is_long}})) return usage_error;
  std::vector<named> all;
  if (const kith_status status = list_names(all); status != KITH_OK) {
    std::fprintf(stderr, "kith ls: %s\n", status_text(status).c_str());
    return failure;
  }
  const size_t count = all.size();
  const selection wanted = selection_of(line.words, line.before_end);
  std::erase_if(all, [&](const named& each) { return !wanted.takes(each); });
  std::string text;
  if (json) {
    text = json_lines(all);
  } else if (all.empty()) {
    text = nothing_found(count);
  } else {
    for (const std::string& each : table_of(all, style)) text += each;
  }
  return put(text) ? success : failure;
}

}  // namespace command
