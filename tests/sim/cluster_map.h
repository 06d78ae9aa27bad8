// SPDX-License-Identifier: Apache-2.0
//
// ClusterMap: where nodes are and which cluster each is in, a drawing for each level. The largest
// clusters have a colour and a shape of their own, the others are grey rings.
//
// Free functions over values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace reef::sim {

inline constexpr size_t kMapLevels = 3;

struct MapPoint {
  // Longitude and latitude, or any two coordinates of one unit; y points up. A point whose
  // coordinates are not finite is counted and not drawn.
  double x = 0;
  double y = 0;
  uint64_t cluster_by_level[kMapLevels] = {};
  std::string label;  // shown when pointed at; may be empty
};

struct ClusterSize {
  uint64_t cluster = 0;
  size_t nodes = 0;
  bool operator==(const ClusterSize&) const = default;
};
// Largest first; of one size, in the order of their ids.
std::vector<ClusterSize> ClusterSizes(const std::vector<MapPoint>& points, size_t level);

// A <section> for one level. Requires: level < kMapLevels, points.
std::string ClusterMapHtml(const std::vector<MapPoint>& points, size_t level);

// Defines the shapes; once in a page that has maps.
std::string MapShapesHtml();

}  // namespace reef::sim
