// SPDX-License-Identifier: Apache-2.0
//
// Report: what one play of a scenario gives, as a page to look at and as numbers to compute with.
// The page stands alone: no script, no other file, no font from elsewhere. It depends on the
// scenario and the seed alone; no clock is read.
//
// Values; Write does I/O.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "tests/sim/cluster_map.h"
#include "tests/sim/measures.h"
#include "tests/sim/timeline.h"

namespace reef::sim {

struct Verdict {
  std::string name;
  std::optional<double> value;  // nullopt: it was not measured
  std::string op;
  double bound = 0;
  bool holds = false;
};

struct StepTaken {
  std::string name;
  double from_seconds = 0;
  double to_seconds = 0;
  size_t nodes_up = 0;  // at its end
};

struct Report {
  std::string name;
  std::string about;
  uint64_t seed = 0;
  std::string network;
  size_t node_count = 0;
  double seconds = 0;  // simulated
  std::vector<StepTaken> steps;
  std::vector<Verdict> verdicts;
  Measures measures;
  std::vector<Timeline::Series> series;
  std::vector<MapPoint> map;  // empty: no maps
  std::string map_about;      // what its coordinates are, in a sentence
};

std::string ReportHtml(const Report& report);

// A line "kind,name,value,op,bound,verdict" for each measure and each expectation.
std::string MeasuresCsv(const Report& report);

// NAME-SEED.html, NAME-SEED.csv (the series) and NAME-SEED-measures.csv in `folder`, which is made
// if need be.
Status WriteReport(const Report& report, const std::string& folder);

}  // namespace reef::sim
