// SPDX-License-Identifier: MIT
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

#include "machine.h"

#if defined(__linux__)
#include <sys/syscall.h>
#endif

namespace command {

namespace {

std::string limit_text(rlim_t limit) {
  return limit == RLIM_INFINITY ? "unlimited" : std::to_string(static_cast<unsigned long long>(limit));
}

void add_limit(report& to, const char* name, int resource, rlim_t few, const char* remark) {
  rlimit limit{};
  if (getrlimit(static_cast<decltype(RLIMIT_NOFILE)>(resource), &limit) != 0) return;
  const bool is_low = limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur < few;
  to.push_back({name, verdict::fact,
                limit_text(limit.rlim_cur) + " (up to " + limit_text(limit.rlim_max) + ")",
                is_low ? remark : ""});
}

#if defined(__linux__)

// The value of a line of /proc/self/status; empty: there is none.
std::string own_status(const std::string& key) {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);) {
    if (line.compare(0, key.size() + 1, key + ":") != 0) continue;
    const size_t begin = line.find_first_not_of(" \t", key.size() + 1);
    return begin == std::string::npos ? "" : line.substr(begin);
  }
  return "";
}

std::string first_line(const char* path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

void add_membarrier(report& to) {
  constexpr long query = 0, global_expedited = 2;
  const long known = syscall(SYS_membarrier, query, 0, 0);
  const bool has = known > 0 && (known & global_expedited) != 0;
  to.push_back({"membarrier", has ? verdict::ok : verdict::fallback, has ? "yes" : "no",
                has ? "" : "each lock and message costs one fence more"});
}

void add_io_uring(report& to) {
  const std::string disabled = first_line("/proc/sys/kernel/io_uring_disabled");
  const bool filtered = own_status("Seccomp") != "0";
  const bool is_old = disabled.empty();  // the file came with Linux 6.6
  const char* why = filtered ? "a seccomp filter is at work"
                    : is_old ? "the kernel is older than 6.6"
                             : "switched off (kernel.io_uring_disabled)";
  const bool has = !filtered && (disabled == "0");
  to.push_back(
      {"io_uring", has ? verdict::ok : verdict::fallback, has ? "yes" : std::string("no: ") + why,
       has ? "" : "who waits for a lock learns of its owner's death within 25 ms instead of at once"});
}

#endif

// As src/posix/runtime_folder.cpp looks at it.
bool is_good_base(const char* path) {
  struct stat info {};
  if (stat(path, &info) != 0 || !S_ISDIR(info.st_mode)) return false;
  const bool is_ours = info.st_uid == 0 || info.st_uid == geteuid();
  return is_ours && ((info.st_mode & (S_IWGRP | S_IWOTH)) == 0 || (info.st_mode & S_ISVTX) != 0);
}

std::string base_of_names() {
  const char* const wanted = std::getenv("KITH_RUNTIME_DIR");
  if (wanted != nullptr && wanted[0] == '/') return wanted;
#if defined(__linux__)
  if (is_good_base("/dev/shm")) return "/dev/shm";
#endif
  return "/tmp";
}

}  // namespace

void add_system(report& to) {
  utsname name{};
  if (uname(&name) != 0) return;
  to.push_back(
      {"system", verdict::fact, std::string(name.sysname) + " " + name.release + " " + name.machine, ""});
  to.push_back({"processors", verdict::fact, std::to_string(sysconf(_SC_NPROCESSORS_ONLN)), ""});
}

void add_limits(report& to) {
  add_limit(to, "descriptors", RLIMIT_NOFILE, 1024,
            "an object takes one to three: raise it (ulimit -n) for many objects");
#if defined(RLIMIT_NPROC)
  add_limit(to, "processes", RLIMIT_NPROC, 256, "raise it (ulimit -u) for many children");
#endif
  add_limit(to, "address_space", RLIMIT_AS, rlim_t{1} << 32,
            "shared memory counts: raise it (ulimit -v) for large arrays");
}

void add_calls(report& to) {
#if defined(__linux__)
  add_membarrier(to);
  add_io_uring(to);
#else
  (void)to;
#endif
}

std::string place_of_names() {
  const std::string base = base_of_names();
  const std::string folder = base + "/kith-" + std::to_string(geteuid());
  return is_good_base(base.c_str()) ? folder : folder + ", in which others can write";
}

std::vector<std::string> arguments(int argc, char** argv) {
  return argc > 1 ? std::vector<std::string>(argv + 1, argv + argc) : std::vector<std::string>();
}

bool put(const std::string& text) {
  return std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0;
}

bool find_screen(screen& out) {
  winsize size{};
  const char* const kind = std::getenv("TERM");
  const bool is_dumb = kind == nullptr || std::string(kind) == "dumb";
  if (is_dumb || isatty(STDOUT_FILENO) == 0 || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) return false;
  out = {size.ws_row == 0 ? size_t{24} : size.ws_row, size.ws_col == 0 ? size_t{80} : size.ws_col};
  return true;
}

bool redraw(const std::string& text) { return put("\x1b[H\x1b[2J" + text); }

}  // namespace command
