// SPDX-License-Identifier: Apache-2.0
//
// Embedding: places for nodes in a plane, so that near ones are drawn near one another. After
// Vivaldi (Dabek et al., SIGCOMM 2004): every pair is a spring as long as its round trip. For maps
// to look at, nothing else: two dimensions cannot hold what was measured.
//
// Free functions; one thread.
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "base/instant.h"
#include "base/rng.h"

namespace reef::sim {

struct PlanePoint {
  double x = 0;  // milliseconds of round trip
  double y = 0;
};

std::vector<PlanePoint> EmbedInPlane(size_t nodes,
                                     const std::function<Duration(size_t, size_t)>& rtt, Rng rng);

}  // namespace reef::sim
