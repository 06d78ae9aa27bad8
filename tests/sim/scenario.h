// SPDX-License-Identifier: Apache-2.0
//
// Scenario files, and playing one: builds the world it describes, carries out its steps, compares
// what was measured with what is expected. What is printed depends on scenario and seed alone.
//
// One thread; reads files, blocks.
#pragma once

#include <cstdint>
#include <ostream>
#include <string>

#include "base/status.h"
#include "proto/scenario.pb.h"
#include "tests/sim/report.h"

namespace reef::sim {

// The error names file, line and column.
StatusOr<v1::Scenario> ReadScenario(const std::string& path);

struct PlayOptions {
  std::string name;
  uint64_t seed = 1;
  std::string data_folder;  // FindDataFolder; empty: no measured distances
  bool watch = false;       // fills the report's series and map
};

struct Played {
  bool all_hold = false;
  uint64_t event_count = 0;
  double simulated_seconds = 0;
  Report report;
};

StatusOr<Played> Play(const v1::Scenario& scenario, const PlayOptions& options, std::ostream& out);

}  // namespace reef::sim
