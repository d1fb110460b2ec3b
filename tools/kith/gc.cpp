// SPDX-License-Identifier: MIT
#include "gc.h"

#include <algorithm>
#include <cstdio>

#include "machine.h"
#include "names.h"
#include "table.h"
#include "text.h"

namespace command {

namespace {

int fail(const char* command, kith_status status) {
  std::fprintf(stderr, "kith %s: %s\n", command, status_text(status).c_str());
  return failure;
}

kith_status list_left_over(std::vector<named>& out) {
  const kith_status status = list_names(out);
  std::erase_if(out, [](const named& each) { return each.info.stale == 0; });
  return status;
}

bool is_among(const std::vector<named>& all, const named& one) {
  return std::any_of(all.begin(), all.end(), [&](const named& each) {
    return each.info.kind == one.info.kind && each.name == one.name;
  });
}

// kith_collect tells how many it removed, and a list before it and one after it tell which: others may crash or remove meanwhile, so the two may differ.
struct removal {
  bool dry_run = false;
  std::vector<named> which;
  size_t count = 0;
};

kith_status collect(removal& out) {
  kith_status status = list_left_over(out.which);
  out.count = out.which.size();
  if (status != KITH_OK || out.dry_run) return status;
  status = kith_collect(&out.count);
  std::vector<named> still;
  if (status == KITH_OK) status = list_left_over(still);
  std::erase_if(out.which, [&](const named& each) { return is_among(still, each); });
  return status;
}

std::string last_line(const removal& done) {
  const std::string count = std::to_string(done.count);
  if (done.dry_run) return count + " would be removed.\n";
  if (done.count > done.which.size())
    return count + " removed, of which " + std::to_string(done.count - done.which.size()) +
           " came up meanwhile.\n";
  if (done.count < done.which.size()) return count + " removed; another process removed the others.\n";
  return count + " removed.\n";
}

std::string text_of(const removal& done) {
  if (done.which.empty() && done.count == 0) return "No crash has left anything.\n";
  std::string out;
  for (const named& each : done.which) out += kind_text(each.info.kind) + "  " + shown_text(each.name) + '\n';
  return out + last_line(done);
}

std::string json_of(const removal& done) {
  std::string removed;
  for (const named& each : done.which)
    removed += (removed.empty() ? "\n  {" : ",\n  {") + json_identity(each) + "}";
  return std::string("{\"dry_run\": ") + (done.dry_run ? "true" : "false") +
         ", \"count\": " + std::to_string(done.count) + ", \"removed\": [" + removed +
         (removed.empty() ? "]}\n" : "\n]}\n");
}

std::string users_text(const named& each) {
  std::string out;
  for (const int64_t user : each.users) out += (out.empty() ? "" : ", ") + std::to_string(user);
  return out.empty() ? "a process" : out;
}

}  // namespace

int gc(command_line& line) {
  bool json = false;
  removal done;
  if (!read_options(line, {{"--json", nullptr, &json}, {"--dry-run", "-n", &done.dry_run}}))
    return usage_error;
  if (!line.words.empty()) return complain("gc", "it takes no names: what lives is never removed");
  if (const kith_status status = collect(done); status != KITH_OK) return fail("gc", status);
  return put(json ? json_of(done) : text_of(done)) ? success : failure;
}

int rm(command_line& line) {
  if (!read_options(line, {})) return usage_error;
  if (line.words.size() != 2) return complain("rm", "it takes a kind and a name");
  const std::optional<int32_t> kind = kind_of(line.words[0]);
  const std::string& name = line.words[1];
  if (!kind) return complain("rm", "there is no kind " + shown_text(line.words[0]));
  if (*kind == KITH_OBJECT_ENDPOINT) return complain("rm", "an endpoint goes with its process");
  if (const kith_status status = kith_name_remove(*kind, name.c_str()); status != KITH_OK)
    return fail("rm", status);
  std::vector<named> all;
  if (const kith_status status = list_names(all); status != KITH_OK) return fail("rm", status);
  const std::string what = line.words[0] + " " + shown_text(name);
  for (const named& each : all) {
    const bool is_it = each.info.kind == *kind && each.name == name && each.info.stale == 0;
    if (is_it && !each.has(KITH_NAME_PERSISTENT))  // persistent: somebody has made a new one
      return put(what + " goes with its last user: " + users_text(each) + " has it.\n") ? success : failure;
  }
  return put(what + " is removed.\n") ? success : failure;
}

}  // namespace command
