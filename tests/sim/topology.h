// SPDX-License-Identifier: Apache-2.0
//
// Topology: where simulated nodes are, and how far apart. Every node is at a site behind an access
// link: RTT(i, j) = core[site i][site j] + access i + access j (within a site 1 ms in the core).
// Either measured (the node tables of rtt-composed on the PlanetLab matrix, $REEF_DATA) or made up:
// metropolitan areas on five continents, fitted to the statistics of that matrix.
//
// A value; one thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/instant.h"
#include "base/rng.h"
#include "base/status.h"

namespace reef::sim {

// The folder of measured data: $REEF_DATA, else shared/data beside the sources' folder. Empty:
// there is none. Says on stderr which.
std::string FindDataFolder();

class Topology {
 public:
  // `count` nodes at made-up sites.
  static Topology Synthetic(size_t count, Rng rng);

  // `count` nodes on three continents of six metropolitan areas each: below 15 ms within an area,
  // 25 to 50 ms within a continent, above 100 ms between continents.
  static Topology Separable(size_t count, Rng rng);

  // `name` is "pl1000", "pl2000" or "pl5000"; `folder` holds rtt-composed and rtt-planetlab490.
  static StatusOr<Topology> Measured(const std::string& folder, const std::string& name);

  size_t size() const { return nodes_.size(); }
  // Nodes of one site are on one network.
  size_t SiteOf(size_t node) const { return nodes_[node].site; }
  // Zero for a node and itself. Requires: both below size().
  Duration Rtt(size_t a, size_t b) const;

 private:
  struct Place {
    uint32_t site = 0;
    float access_ms = 0;
  };

  float& Core(size_t a, size_t b) { return core_ms_[a * sites_ + b]; }

  size_t sites_ = 0;
  std::vector<float> core_ms_;  // sites_ x sites_
  std::vector<Place> nodes_;
};

}  // namespace reef::sim
