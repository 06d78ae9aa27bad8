// SPDX-License-Identifier: Apache-2.0
//
// Population: ids for a simulated world, and routing tables for it without a join of each node.
//
// Free functions; one thread.
#pragma once

#include <vector>

#include "base/rng.h"
#include "dsht/core/id.h"
#include "tests/sim/world.h"

namespace reef::sim {

// Uniform over the 20 bytes.
dsht::Id RandomId(Rng& rng);

std::vector<dsht::NodeId> RandomIds(size_t count, Rng& rng);

// Evenly spaced in the id space, in random order: the perfectly balanced tree of the load bound
// (docs/coral.md, 2.9).
std::vector<dsht::NodeId> BalancedIds(size_t count, Rng& rng);

// Starts every node and gives each, for every distance, up to `per_bucket` random peers: what long
// running nodes know of each other.
void StartAcquainted(World& world, size_t per_bucket);

// The `count` running nodes closest to `key`, closest first.
std::vector<NodeIndex> ClosestTo(const World& world, const dsht::Key& key, size_t count);

}  // namespace reef::sim
