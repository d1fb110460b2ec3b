// SPDX-License-Identifier: MIT
#include "report.h"

#include <algorithm>
#include <cstdio>

#include "text.h"

namespace command {

const char* name_of(verdict result) {
  switch (result) {
    case verdict::ok: return "ok";
    case verdict::fallback: return "fallback";
    case verdict::missing: return "missing";
    case verdict::failed: return "FAILED";
    case verdict::fact: return "";
  }
  return "";
}

void print_table(const report& all) {
  size_t widest = 0;
  for (const finding& each : all) widest = std::max(widest, each.name.size());
  for (const finding& each : all) {
    std::string name = each.name;
    std::replace(name.begin(), name.end(), '_', ' ');
    std::printf("%-*s  %-8s  %s\n", static_cast<int>(widest), name.c_str(), name_of(each.result),
                each.value.c_str());
    if (!each.remark.empty())
      std::printf("%-*s            %s\n", static_cast<int>(widest), "", each.remark.c_str());
  }
}

void print_json(const report& all) {
  std::printf("{");
  const char* separator = "\n";
  for (const finding& each : all) {
    const std::string result = each.result == verdict::fact     ? "fact"
                               : each.result == verdict::failed ? "failed"
                                                                : name_of(each.result);
    std::printf("%s  %s: {\"result\": %s, \"value\": %s, \"remark\": %s}", separator,
                json_text(each.name).c_str(), json_text(result).c_str(), json_text(each.value).c_str(),
                json_text(each.remark).c_str());
    separator = ",\n";
  }
  std::printf("\n}\n");
}

bool has_failed(const report& all) {
  return std::any_of(all.begin(), all.end(),
                     [](const finding& each) { return each.result == verdict::failed; });
}

}  // namespace command
