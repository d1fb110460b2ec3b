// SPDX-License-Identifier: MIT
#include "report.h"

#include <algorithm>
#include <cstdio>

namespace command {

namespace {

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char each : text) {
    const unsigned char code = static_cast<unsigned char>(each);
    if (each == '"' || each == '\\') out += '\\';
    if (code >= 0x20) {
      out += each;
    } else {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\u%04x", static_cast<unsigned>(code));
      out += escaped;
    }
  }
  return out + '"';
}

}  // namespace

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
    std::printf("%-*s  %-8s  %s\n", static_cast<int>(widest), name.c_str(), name_of(each.result), each.value.c_str());
    if (!each.remark.empty()) std::printf("%-*s            %s\n", static_cast<int>(widest), "", each.remark.c_str());
  }
}

void print_json(const report& all) {
  std::printf("{");
  const char* separator = "\n";
  for (const finding& each : all) {
    const std::string result = each.result == verdict::fact     ? "fact"
                               : each.result == verdict::failed ? "failed"
                                                                : name_of(each.result);
    std::printf("%s  %s: {\"result\": %s, \"value\": %s, \"remark\": %s}", separator, quoted(each.name).c_str(),
                quoted(result).c_str(), quoted(each.value).c_str(), quoted(each.remark).c_str());
    separator = ",\n";
  }
  std::printf("\n}\n");
}

bool has_failed(const report& all) {
  return std::any_of(all.begin(), all.end(), [](const finding& each) { return each.result == verdict::failed; });
}

}  // namespace command
