// SPDX-License-Identifier: MIT
#include "table.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "text.h"

namespace command {

namespace {

constexpr size_t most_users_shown = 3, widest_name = 48;
constexpr const char* nothing = "-";

std::string kind_shown(const named& each) {
  std::string out = kind_text(each.info.kind);
  if (each.info.type != 0) out += joined(" ", type_text(each.info.type));
  return out;
}

std::string used_shown(const named& each) {
  const kith_name_info& info = each.info;
  if (info.kind == KITH_OBJECT_EVENT) return info.used != 0 ? "set" : "not set";
  if (!each.has_capacity()) return nothing;
  if (!each.has_ring()) return joined(std::to_string(info.used), " of ", std::to_string(info.capacity));
  const double part =
      info.capacity > 0 ? static_cast<double>(info.used) / static_cast<double>(info.capacity) : 0;
  const int percent = static_cast<int>(part * 100);
  return joined(size_text(info.used), " of ", size_text(info.capacity), " (", std::to_string(percent), "%)");
}

std::string rate_shown(const named& each) {
  if (!each.used_per_second) return nothing;
  const int64_t rate = std::llround(*each.used_per_second);
  if (rate == 0) return "0";
  return joined(rate > 0 ? "+" : "-", size_text(std::abs(rate)));
}

std::string users_shown(const named& each, bool all) {
  if (each.users.empty()) return nothing;
  const size_t shown = all ? each.users.size() : std::min(each.users.size(), most_users_shown);
  std::string out;
  for (size_t i = 0; i < shown; ++i) out += joined(i == 0 ? "" : " ", std::to_string(each.users[i]));
  if (shown < each.users.size()) out += joined(" +", std::to_string(each.users.size() - shown));
  return out;
}

std::string owner_shown(const named& each) {
  if (!each.has_lock() || each.info.owner_pid == 0) return nothing;
  std::string out = std::to_string(each.info.owner_pid);
  if (each.info.owner_held_ms > 0) out += joined(" for ", duration_text(each.info.owner_held_ms));
  return out;
}

std::string waiting_shown(const named& each) {
  if (each.info.waiting < 0) return nothing;
  return std::to_string(each.info.waiting);
}

std::string state_shown(const named& each) {
  std::string out;
  const auto add = [&](bool is_so, const char* text) {
    if (is_so) out += joined(out.empty() ? "" : ", ", text);
  };
  add(each.info.stale != 0, "left over");
  add(each.has(KITH_NAME_PERSISTENT), "persistent");
  add(each.has(KITH_NAME_OTHERS_READ), "others read");
  add(each.has(KITH_NAME_OTHERS_USE), "others use");
  return out;
}

using row = std::vector<std::string>;

row heading(const table_style& style) {
  row out{"KIND", "NAME", "SIZE", "USED"};
  if (style.has_rates) out.push_back("A SECOND");
  out.insert(out.end(), {"WAIT", "HELD BY", "USERS", "STATE"});
  return out;
}

row row_of(const named& each, const table_style& style) {
  const std::string name = shown_text(each.name);
  row out{kind_shown(each), style.is_long ? name : cut_to(name, widest_name),
          each.has_size() ? size_text(each.info.size) : nothing, used_shown(each)};
  if (style.has_rates) out.push_back(rate_shown(each));
  out.insert(out.end(),
             {waiting_shown(each), owner_shown(each), users_shown(each, style.is_long), state_shown(each)});
  return out;
}

std::string line_of(const row& cells, const std::vector<size_t>& widths) {
  std::string line;
  for (size_t i = 0; i < cells.size(); ++i) {
    line += cells[i];
    line.append(widths[i] - width_of(cells[i]) + 2, ' ');
  }
  line.erase(line.find_last_not_of(' ') + 1);
  return line + '\n';
}

std::string number_or_null(bool is_told, int64_t number) { return is_told ? std::to_string(number) : "null"; }

std::string truth(bool is_so) { return is_so ? "true" : "false"; }

std::string rate_json(const named& each) {
  if (!each.used_per_second) return "null";
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", *each.used_per_second);
  return text;
}

}  // namespace

std::vector<std::string> table_of(const std::vector<named>& all, const table_style& style) {
  std::vector<row> rows{heading(style)};
  for (const named& each : all) rows.push_back(row_of(each, style));
  std::vector<size_t> widths(rows[0].size());
  for (const row& cells : rows) {
    for (size_t i = 0; i < cells.size(); ++i) widths[i] = std::max(widths[i], width_of(cells[i]));
  }
  std::vector<std::string> lines;
  for (const row& cells : rows) lines.push_back(line_of(cells, widths));
  return lines;
}

std::string json_identity(const named& each) {
  return joined("\"kind\": ", json_text(kind_text(each.info.kind)), ", \"name\": ", json_text(each.name));
}

std::string json_of(const named& each, bool with_rate) {
  const kith_name_info& info = each.info;
  std::string out = joined("{", json_identity(each));
  const auto add = [&](const char* key, const std::string& value) {
    out += joined(", \"", key, "\": ", value);
  };
  std::string users;
  for (const int64_t user : each.users) users += joined(users.empty() ? "" : ", ", std::to_string(user));
  add("stale", truth(info.stale != 0));
  add("persistent", truth(each.has(KITH_NAME_PERSISTENT)));
  add("others_read", truth(each.has(KITH_NAME_OTHERS_READ)));
  add("others_use", truth(each.has(KITH_NAME_OTHERS_USE)));
  add("type", info.type != 0 ? json_text(type_text(info.type)) : "null");
  add("size", number_or_null(each.has_size(), info.size));
  add("element_size", number_or_null(info.type != 0, info.element_size));
  add("users", joined("[", users, "]"));
  add("owner_pid", number_or_null(info.owner_pid != 0, info.owner_pid));
  add("owner_held_ms", number_or_null(info.owner_pid != 0 && info.owner_held_ms > 0, info.owner_held_ms));
  add("waiting", number_or_null(info.waiting >= 0, info.waiting));
  add("used", number_or_null(each.has_capacity(), info.used));
  add("capacity", number_or_null(each.has_capacity(), info.capacity));
  if (with_rate) add("used_per_second", rate_json(each));
  return out + "}";
}

}  // namespace command
