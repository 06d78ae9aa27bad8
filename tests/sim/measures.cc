// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/measures.h"

#include <algorithm>
#include <cstdio>
#include <numeric>

namespace reef::sim {
namespace {

// Nearest rank.
double Quantile(const std::vector<double>& sorted, double share) {
  const double rank = share * static_cast<double>(sorted.size() - 1);
  return sorted[static_cast<size_t>(rank + 0.5)];
}

}  // namespace

void Measures::Max(const std::string& name, double value) {
  const auto [at, is_new] = values_.emplace(name, value);
  if (!is_new) at->second = std::max(at->second, value);
}

std::map<std::string, double> Measures::All() const {
  std::map<std::string, double> all = values_;
  for (const auto& [name, unsorted] : samples_) {
    std::vector<double> sorted = unsorted;
    std::sort(sorted.begin(), sorted.end());
    const double count = static_cast<double>(sorted.size());
    all[name + ".count"] = count;
    all[name + ".mean"] = std::accumulate(sorted.begin(), sorted.end(), 0.0) / count;
    all[name + ".p50"] = Quantile(sorted, 0.5);
    all[name + ".p95"] = Quantile(sorted, 0.95);
    all[name + ".p99"] = Quantile(sorted, 0.99);
    all[name + ".p99_9"] = Quantile(sorted, 0.999);
    all[name + ".max"] = sorted.back();
  }
  return all;
}

std::optional<double> Measures::Find(const std::string& name) const {
  const std::map<std::string, double> all = All();
  const auto found = all.find(name);
  return found == all.end() ? std::nullopt : std::optional(found->second);
}

std::string NumberText(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", value);
  return text;
}

}  // namespace reef::sim
