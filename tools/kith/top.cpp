// SPDX-License-Identifier: MIT
// Ctrl-C ends it as it ends any program: nothing has been changed that had to be put back.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <thread>

#include "ls.h"
#include "machine.h"
#include "names.h"
#include "table.h"
#include "text.h"

namespace command {

namespace {

using clock = std::chrono::steady_clock;

struct frame {
  std::vector<named> all;
  clock::time_point taken;
};

struct wish {
  selection wanted;
  std::chrono::duration<double> interval{2};
  long count = 0;  // 0: without end
  bool json = false;
  table_style style{false, true};
};

std::string now_text() {
  const std::time_t now = std::time(nullptr);
  char text[32] = "";
  if (const std::tm* const parts = std::localtime(&now))
    std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", parts);
  return text;
}

kith_status take_frame(const selection& wanted, frame& out) {
  const kith_status status = list_names(out.all);
  out.taken = clock::now();
  std::erase_if(out.all, [&](const named& each) { return !wanted.takes(each); });
  return status;
}

void add_rates(const frame& before, frame& now) {
  const double seconds = std::chrono::duration<double>(now.taken - before.taken).count();
  if (seconds <= 0) return;
  for (named& each : now.all) {
    const auto found = std::find_if(before.all.begin(), before.all.end(), [&](const named& other) {
      return other.info.kind == each.info.kind && other.name == each.name;
    });
    if (found != before.all.end() && each.has_ring())
      each.used_per_second = static_cast<double>(each.info.used - found->info.used) / seconds;
  }
}

std::string json_line(const frame& now) {
  std::string out = "[";
  for (const named& each : now.all) out += (out.size() == 1 ? "" : ", ") + json_of(each, true);
  return out + "]\n";
}

std::string heading_of(const frame& now) {
  return now_text() + "  " + std::to_string(now.all.size()) + " named objects and endpoints\n";
}

std::string page_of(const frame& now, const table_style& style) {
  std::string out = heading_of(now);
  for (const std::string& line : table_of(now.all, style)) out += line;
  return out + '\n';
}

// As much as fits: a terminal that scrolls or wraps could not be redrawn.
std::string fitted_page(const frame& now, const table_style& style, const screen& place) {
  std::vector<std::string> lines = table_of(now.all, style);
  lines.insert(lines.begin(), heading_of(now));
  const size_t rows = std::max<size_t>(place.rows, 4) - 1;  // the cursor stands in the last one
  if (lines.size() > rows) {
    const size_t hidden = lines.size() - rows + 1;
    lines.resize(rows - 1);
    lines.push_back("... and " + std::to_string(hidden) + " more\n");
  }
  std::string out;
  for (std::string& line : lines) {
    line.pop_back();
    out += cut_to(line, place.columns) + '\n';
  }
  return out;
}

bool show(const frame& now, const wish& wanted) {
  if (wanted.json) return put(json_line(now));
  screen place{};
  if (find_screen(place)) return redraw(fitted_page(now, wanted.style, place));
  return put(page_of(now, wanted.style));
}

bool read_interval(const std::string& text, wish& out) {
  constexpr double shortest = 0.01, longest = 86'400;
  char* end = nullptr;
  const double seconds = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != '\0' || !(seconds >= shortest && seconds <= longest)) return false;
  out.interval = std::chrono::duration<double>(seconds);
  return true;
}

bool read_count(const std::string& text, wish& out) {
  constexpr long most = 1'000'000'000;
  char* end = nullptr;
  out.count = std::strtol(text.c_str(), &end, 10);
  return !text.empty() && *end == '\0' && out.count >= 1 && out.count <= most;
}

// Frames begin at even distances, however long each takes; one that is late lets none follow at once.
int run(const wish& wanted) {
  frame before;
  clock::time_point next = clock::now();
  for (long shown = 0; wanted.count == 0 || shown < wanted.count; ++shown) {
    std::this_thread::sleep_until(next);
    frame now;
    if (const kith_status status = take_frame(wanted.wanted, now); status != KITH_OK) {
      std::fprintf(stderr, "kith top: %s\n", status_text(status).c_str());
      return failure;
    }
    if (shown > 0) add_rates(before, now);
    if (!show(now, wanted)) return failure;
    before = std::move(now);
    next = std::max(next, clock::now() - std::chrono::duration_cast<clock::duration>(wanted.interval)) +
           std::chrono::duration_cast<clock::duration>(wanted.interval);
  }
  return success;
}

}  // namespace

int top(command_line& line) {
  wish wanted;
  std::string interval = "2", count;
  if (!read_options(line, {{"--json", nullptr, &wanted.json},
                           {"--long", "-l", &wanted.style.is_long},
                           {"--interval", "-i", nullptr, &interval},
                           {"--count", "-n", nullptr, &count}}))
    return usage_error;
  if (!read_interval(interval, wanted))
    return complain("top", "--interval needs a number of seconds, 0.01 to 86400");
  if (!count.empty() && !read_count(count, wanted))
    return complain("top", "--count needs a number, 1 or more");
  wanted.wanted = selection_of(line.words, line.before_end);
  return run(wanted);
}

}  // namespace command
