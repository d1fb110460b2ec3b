// SPDX-License-Identifier: MIT
// What was measured: samples of subjects, by metric.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace bench {

enum class better { smaller, larger };

// One metric of one subject.
struct figure {
  std::string subject;
  std::vector<double> samples;
};

struct metric {
  std::string name;
  std::string unit;
  better direction = better::smaller;
  std::string yardstick;  // the subject that the others are compared with; may be absent from a port
  std::vector<figure> figures;
};

class table {
 public:
  void add(metric m);
  void print() const;      // for people: median, best, ratio to the yardstick
  void print_tsv() const;  // metric, subject, median, unit

 private:
  std::vector<metric> metrics_;
};

double quantile(std::vector<double> samples, double q);
double median(const std::vector<double>& samples);

// Something to be measured: one call is one round and gives one sample.
struct subject {
  std::string name;
  std::function<double()> round;
};

// Measures the subjects in turns, so that what disturbs the machine for a while disturbs them all. `into` has all but the
// figures.
metric measure_in_turns(metric into, int rounds, const std::vector<subject>& subjects);

}  // namespace bench
