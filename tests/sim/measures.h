// SPDX-License-Identifier: Apache-2.0
//
// Measures: the numbers of a run by name, and what is expected of them. A sample named "x" gives
// x.count, x.mean, x.p50, x.p95, x.p99, x.p99_9 and x.max.
//
// One thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace reef::sim {

class Measures {
 public:
  void Set(const std::string& name, double value) { values_[name] = value; }
  void Add(const std::string& name, double value) { values_[name] += value; }
  // Keeps the largest.
  void Max(const std::string& name, double value);
  void Sample(const std::string& name, double value) { samples_[name].push_back(value); }

  // nullopt: nothing of that name was measured.
  std::optional<double> Find(const std::string& name) const;

  // All, samples as their percentiles, in the order of names.
  std::map<std::string, double> All() const;

  // Those that are no samples, and the samples whole.
  const std::map<std::string, double>& values() const { return values_; }
  const std::map<std::string, std::vector<double>>& samples() const { return samples_; }

 private:
  std::map<std::string, double> values_;
  std::map<std::string, std::vector<double>> samples_;
};

// The shortest text that names the number to six digits.
std::string NumberText(double value);

}  // namespace reef::sim
