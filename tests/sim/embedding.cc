// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/embedding.h"

#include <cmath>

namespace reef::sim {

std::vector<PlanePoint> EmbedInPlane(size_t nodes,
                                     const std::function<Duration(size_t, size_t)>& rtt, Rng rng) {
  constexpr int kRounds = 300;
  constexpr int kSpringsARound = 16;  // of each node, to random others
  std::vector<PlanePoint> points(nodes);
  for (PlanePoint& p : points) p = {200 * rng.Unit(), 200 * rng.Unit()};
  for (int round = 0; round < kRounds && nodes > 1; ++round) {
    // Slower and slower, so that it comes to rest.
    const double step = 0.25 * (1 - static_cast<double>(round) / kRounds);
    for (size_t i = 0; i < nodes; ++i) {
      for (int spring = 0; spring < kSpringsARound; ++spring) {
        const size_t j = rng.Below(nodes);
        if (i == j) continue;
        const double dx = points[i].x - points[j].x;
        const double dy = points[i].y - points[j].y;
        const double apart = std::max(1e-6, std::hypot(dx, dy));
        const double wanted = Seconds(rtt(i, j)) * 1000;
        // What is near matters more than how far exactly the far is.
        const double weight = step / (1 + wanted / 50);
        points[i].x += weight * (wanted - apart) * dx / apart;
        points[i].y += weight * (wanted - apart) * dy / apart;
      }
    }
  }
  return points;
}

}  // namespace reef::sim
