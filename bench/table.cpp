// SPDX-License-Identifier: MIT
#include "table.h"

#include <algorithm>
#include <cstdio>
#include <utility>

namespace bench {

double quantile(std::vector<double> samples, double q) {
  if (samples.empty()) return 0;
  std::sort(samples.begin(), samples.end());
  const double place = q * static_cast<double>(samples.size() - 1);
  return samples[static_cast<size_t>(place + 0.5)];
}

double median(const std::vector<double>& samples) { return quantile(samples, 0.5); }

namespace {

const figure* find(const metric& m, const std::string& subject) {
  for (const figure& f : m.figures) {
    if (f.subject == subject) return &f;
  }
  return nullptr;
}

double best(const metric& m, const figure& f) {
  return quantile(f.samples, m.direction == better::smaller ? 0 : 1);
}

void print_figure(const metric& m, const figure& f, const figure* yardstick) {
  std::printf("%-18s %-18s %10.4g %10.4g %-5s", m.name.c_str(), f.subject.c_str(), median(f.samples),
              best(m, f), m.unit.c_str());
  if (yardstick != nullptr && yardstick != &f && median(yardstick->samples) > 0) {
    std::printf("  %8.2fx %8.2fx  %s", median(f.samples) / median(yardstick->samples),
                best(m, f) / best(m, *yardstick), m.yardstick.c_str());
  }
  std::printf("\n");
}

}  // namespace

void table::add(metric m) { metrics_.push_back(std::move(m)); }

void table::print() const {
  std::printf("%-18s %-18s %10s %10s %-5s  %9s %9s  %s\n", "metric", "subject", "median", "best", "unit",
              "ratio", "of bests", "to");
  for (const metric& m : metrics_) {
    for (const figure& f : m.figures) print_figure(m, f, find(m, m.yardstick));
  }
}

void table::print_tsv() const {
  for (const metric& m : metrics_) {
    for (const figure& f : m.figures) {
      std::printf("%s\t%s\t%.6g\t%s\n", m.name.c_str(), f.subject.c_str(), median(f.samples), m.unit.c_str());
    }
  }
}

metric measure_in_turns(metric into, int rounds, const std::vector<subject>& subjects) {
  for (const subject& s : subjects) into.figures.push_back({s.name, {}});
  for (int round = 0; round < rounds; ++round) {
    for (size_t i = 0; i < subjects.size(); ++i) into.figures[i].samples.push_back(subjects[i].round());
  }
  return into;
}

}  // namespace bench
